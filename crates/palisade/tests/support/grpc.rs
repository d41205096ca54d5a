//! Calls of gRPC by grpcio: its server, and where Python has it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

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

/// A call of both directions that goes on, and others beside it on its connection.
pub(crate) struct CallHeld {
    child: Child,
    said: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl CallHeld {
    pub(crate) fn open(python: &str, address: SocketAddr) -> Self {
        let mut command = Command::new(python);
        let mut child = command
            .args([CALLS, "hold", &address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, said, answers }
    }

    /// Says one more thing: the answer in the call, and that of a call beside it.
    pub(crate) fn says(&mut self, text: &str) -> String {
        writeln!(self.said.as_mut().unwrap(), "{text}").unwrap();
        self.answer()
    }

    /// Ends the call: how many answers came that nobody asked for, or how it broke.
    pub(crate) fn end(mut self) -> String {
        self.said = None;
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for CallHeld {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
