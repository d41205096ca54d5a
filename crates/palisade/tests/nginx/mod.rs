//! A real nginx in a test's folder: as what we are compared with, or as a service of somebody else.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Folder, eventually};

/// An nginx that ends with the test.
pub(crate) struct Nginx(Child);

/// Whether it is here; said where it is not.
pub(crate) fn there() -> bool {
    let there = Command::new("nginx").arg("-v").output().is_ok();
    if !there {
        println!("skipped: nginx is not here");
    }
    there
}

/// ModSecurity's module, where Debian has put it.
pub(crate) fn modsecurity() -> Option<&'static str> {
    let module = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so";
    let there = std::path::Path::new(module).exists();
    if !there {
        println!("skipped: nginx's module for ModSecurity is not here");
    }
    there.then_some(module)
}

/// An address that nobody has right now.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Nginx {
    /// Starts it with the inside of an `http` block, and waits until it listens at an address. Files are the folder's.
    pub(crate) fn start(folder: &Folder, http: &str, at: SocketAddr) -> Self {
        Self::with(folder, "", http, at)
    }

    /// The same, after further lines at the top.
    pub(crate) fn with(folder: &Folder, top: &str, http: &str, at: SocketAddr) -> Self {
        let text = format!(
            "daemon off; pid nginx.pid; error_log nginx.log; worker_processes 1; {top}\nevents {{ }}\nhttp {{\naccess_log off; \
             client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n\
             {http}\n}}\n"
        );
        let file = folder.write("nginx.conf", text);
        let prefix = folder.path().to_str().unwrap();
        let mut command = Command::new("nginx");
        command.args(["-p", prefix, "-c", &file, "-e", &folder.at("nginx.log")]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let started = Self(child);
        eventually("nginx", || TcpStream::connect(at).is_ok().then_some(()));
        started
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
