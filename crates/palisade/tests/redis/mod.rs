//! Debian's redis-server as tests run it: one of their own, by a socket in the test's folder or on a free port.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::cell::RefCell;
use std::process::{Child, Command, Stdio};

use crate::support::{Folder, eventually};

/// Whether there is one; prints that there is none.
pub(crate) fn is_here() -> bool {
    let there = |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
    let all = there("redis-server") && there("redis-cli");
    if !all {
        println!("skipped: redis-server and redis-cli are not both here (Debian's redis-server has them)");
    }
    all
}

/// A server at work, and how to ask it.
pub(crate) struct Redis<'f> {
    folder: &'f Folder,
    options: Vec<String>,
    child: RefCell<Child>,
}

impl<'f> Redis<'f> {
    /// One behind a socket.
    pub(crate) fn start(folder: &'f Folder, options: &[&str]) -> Self {
        let mut all = vec!["--port".to_owned(), "0".to_owned()];
        all.extend(options.iter().map(|option| (*option).to_owned()));
        let child = spawn(folder, &all);
        let redis = Self { folder, options: all, child: RefCell::new(child) };
        redis.wait();
        redis
    }

    /// Where it is, as configurations say it.
    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.folder.at("redis.sock"))
    }

    /// Ends it, as a crash does.
    pub(crate) fn stop(&self) {
        let mut child = self.child.borrow_mut();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Begins again with the same options.
    pub(crate) fn start_again(&self) {
        *self.child.borrow_mut() = spawn(self.folder, &self.options);
        self.wait();
    }

    /// What it answers.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        let cli = cli.args(["-s", &self.folder.at("redis.sock")]).args(command);
        let output = cli.output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn wait(&self) {
        eventually("the Redis", || self.ask(&["PING"]).contains("PONG").then_some(()));
    }
}

fn spawn(folder: &Folder, options: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--unixsocket", &folder.at("redis.sock"), "--dir", folder.path().to_str().unwrap()]);
    command.args(["--save", "", "--logfile", &folder.at("redis.log")]).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Redis<'_> {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}
