//! A server that answers as a test says: keys, an authentication server, and what such servers do when they are not well.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What it does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Status line, fields (each ending in CRLF), body.
    Answer(&'static str, String, String),
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// A body without end.
    Endless,
}

impl Told {
    pub(crate) fn ok(fields: &str) -> Self {
        Self::Answer("200 OK", fields.to_owned(), "ok".to_owned())
    }

    pub(crate) fn keys(jwks: String) -> Self {
        Self::Answer("200 OK", "Content-Type: application/json\r\n".to_owned(), jwks)
    }
}

pub(crate) struct Teller {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    told: Mutex<Told>,
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Teller {
    pub(crate) fn start(told: Told) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            told: Mutex::new(told),
            heads: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let state = shared.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { url, state }
    }

    /// From now on.
    pub(crate) fn tells(&self, told: Told) {
        *self.state.told.lock().unwrap() = told;
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, state: &State) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => head.push_str(&line),
            }
        }
        state.heads.lock().unwrap().push(head);
        let told = state.told.lock().unwrap().clone();
        let out = stream.get_mut();
        let written = match told {
            Told::Answer(status, fields, body) => {
                let length = body.len();
                out.write_all(
                    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}").as_bytes(),
                )
            }
            Told::Bytes(bytes) => {
                let _ = out.write_all(&bytes);
                return;
            }
            Told::Hang => loop {
                std::thread::sleep(std::time::Duration::from_secs(60));
            },
            Told::Endless => {
                let _ = out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                let chunk = [&b"10000\r\n"[..], &[b'{'; 0x10000], b"\r\n"].concat();
                while out.write_all(&chunk).is_ok() {}
                return;
            }
        };
        if written.is_err() {
            return;
        }
    }
}
