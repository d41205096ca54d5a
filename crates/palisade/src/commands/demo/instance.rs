//! A `palisade run` of our own binary beside us, as a user would start it: a file, or an environment.
//!
//! It ends when its value goes, and with this process however that ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::namespaces::Namespace;
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// A running one.
pub(super) struct Instance {
    child: Child,
    said: Arc<Mutex<String>>,
}

/// How long one may take until it listens: rules are compiled before, on a machine that may be busy.
const START_MAX: Duration = Duration::from_secs(120);
/// How long one may take to end before it is killed.
const END_MAX: Duration = Duration::from_secs(10);

impl Instance {
    /// Starts one by a file.
    ///
    /// Call it on the program's first thread: it ends with the thread that started it.
    pub(super) fn by_file(config: &Path, log: &Path) -> Result<Self> {
        let mut command = Self::command()?;
        command.arg("run").arg("--config").arg(config);
        Self::start(command, log)
    }

    /// Starts one by an environment, as a container is.
    pub(super) fn by_environment(variables: &[(&str, &str)], arguments: &[&str], log: &Path) -> Result<Self> {
        Self::within(None, variables, arguments, log)
    }

    /// Starts one by an environment in a network namespace.
    pub(super) fn within(
        namespace: Option<&Namespace>,
        variables: &[(&str, &str)],
        arguments: &[&str],
        log: &Path,
    ) -> Result<Self> {
        let mut command = Self::command()?;
        command.arg("run").args(arguments).envs(variables.iter().copied());
        namespace.iter().for_each(|namespace| namespace.enclose(&mut command));
        Self::start(command, log)
    }

    /// Our binary, with nothing in its environment that means something to it.
    fn command() -> Result<Command> {
        let program = std::env::current_exe().context("cannot find out where this program is")?;
        let mut command = Command::new(program);
        command.env_clear();
        for name in ["PATH", "TMPDIR", "PALISADE_WORKERS"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Ok(command)
    }

    fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        // A group of its own: Ctrl-C is ours to pass on, when clients have ended.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let parent = rustix::process::getpid();
        let ends_with_us = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // It may have gone between fork and here; then nobody would send the signal.
            match rustix::process::getppid() == Some(parent) {
                true => Ok(()),
                false => Err(std::io::Error::other("the parent is gone")),
            }
        };
        // SAFETY: between fork and exec only prctl and getppid are called, which are async-signal-safe; nothing is
        // allocated unless the parent is gone, and no lock is taken.
        unsafe { command.pre_exec(ends_with_us) };
        let mut child = command.spawn().context("cannot start palisade run")?;
        let said = Arc::<Mutex<String>>::default();
        let stderr = child.stderr.take().context("palisade run has no standard error")?;
        let into = said.clone();
        std::thread::spawn(move || gather(stderr, log, &into));
        Ok(Self { child, said })
    }

    /// What it has said on standard error; at most the first mebibyte.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the listener of a name is, once it says so.
    ///
    /// # Errors
    /// When it ends before, or says nothing for two minutes.
    pub(super) async fn listener(&mut self, name: &str) -> Result<SocketAddr> {
        let end = format!(" ({name})");
        let begun = Instant::now();
        loop {
            let said = self.said();
            let line = said.lines().find_map(|line| line.strip_prefix("listening on ")?.strip_suffix(&end));
            if let Some(address) = line.and_then(|url| url.split("://").nth(1)?.parse().ok()) {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                // What it says last may still be on its way to us.
                tokio::time::sleep(Duration::from_millis(50)).await;
                bail!("palisade run ended with {status} before it listened:\n{}", self.said().trim_end());
            }
            if begun.elapsed() > START_MAX {
                bail!("palisade run does not listen:\n{}", said.trim_end());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it in its own time, within bounds.
    pub(super) async fn end(mut self) -> Result<()> {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > END_MAX {
                bail!("palisade run does not end:\n{}", self.said().trim_end());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        pid.iter().for_each(|pid| {
            let _ = kill_process(*pid, signal);
        });
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies lines into a file, and the first mebibyte into memory.
fn gather(from: impl std::io::Read, mut log: std::fs::File, into: &Mutex<String>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let _ = log.write_all(&line);
        let mut said = into.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < 1 << 20 {
            said.push_str(&String::from_utf8_lossy(&line));
        }
        drop(said);
        line.clear();
    }
}
