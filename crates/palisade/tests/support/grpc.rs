//! Calls of gRPC by grpcio: its server, and where Python has it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// grpcio, where the test tools have put it or where Python has it.
pub(crate) fn python() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/python/bin/python");
    let has = |python: &str| {
        let asked = Command::new(python).args(["-c", "import grpc"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let found = [own, "python3"].into_iter().find(|python| has(python));
    if found.is_none() {
        println!("skipped: no Python here that has grpcio");
    }
    found.map(str::to_owned)
}

/// Serves and makes calls; it says itself how.
pub(crate) const CALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/dataplane/grpc_calls.py");

/// A server of calls.
pub(crate) struct CallsServed {
    child: Child,
    pub(crate) port: u16,
}

impl CallsServed {
    pub(crate) fn start(python: &str) -> Self {
        let mut child = Command::new(python).args([CALLS, "serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().parse().unwrap() }
    }
}

impl Drop for CallsServed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
