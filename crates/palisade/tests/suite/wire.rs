//! Requests and responses on sockets, without a client library: it would refuse half of what is to be sent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a response may take.
const RESPONSE_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may stay open after our end of it was closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// All bytes that came.
    pub(crate) raw: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }
}

/// Sends bytes over a connection of their own and reads the response. Returns when the connection has closed, which
/// is when all that the log will say about the exchange is on its way.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8], method: &str) -> Result<Response, String> {
    let mut connection = Connection::open(to)?;
    // An early answer may be there to read although not all could be sent.
    let sent = connection.stream.write_all(bytes);
    let response = connection.response(method).map_err(|error| match sent {
        Ok(()) => error,
        Err(sent) => format!("error sending: {sent}"),
    })?;
    let _ = connection.stream.shutdown(Shutdown::Write);
    connection.deadline = Instant::now() + CLOSE_WITHIN;
    while connection.more() == Ok(true) {}
    Ok(response)
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
    deadline: Instant,
}

impl Connection {
    pub(crate) fn open(to: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(to).map_err(|error| format!("cannot connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, buffer: Vec::new(), at: 0, deadline: Instant::now() })
    }

    /// One of several requests on this connection.
    pub(crate) fn ask(&mut self, bytes: &[u8]) -> Result<Response, String> {
        self.stream.write_all(bytes).map_err(|error| format!("error sending: {error}"))?;
        self.response("GET")
    }

    fn response(&mut self, method: &str) -> Result<Response, String> {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.deadline = Instant::now() + RESPONSE_WITHIN;
        let (status, headers) = loop {
            let (status, headers) = self.head()?;
            if status >= 200 || status == 101 {
                break (status, headers);
            }
        };
        let response = Response { status, headers, raw: Vec::new() };
        // What is judged is in the head, and in what came of the body.
        let _ = self.body(method, &response);
        Ok(Response { raw: self.buffer[..self.at].to_vec(), ..response })
    }

    fn head(&mut self) -> Result<(u16, Vec<(String, String)>), String> {
        let line = self.line()?;
        let status = status(&line).ok_or_else(|| format!("malformed status line {line:.60?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }

    fn body(&mut self, method: &str, response: &Response) -> Result<(), String> {
        if method == "HEAD" || matches!(response.status, 101 | 204 | 304) {
            return Ok(());
        }
        if response
            .header("transfer-encoding")
            .is_some_and(|coding| coding.to_lowercase().contains("chunked"))
        {
            loop {
                let line = self.line()?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
                if size == 0 {
                    while !self.line()?.is_empty() {}
                    return Ok(());
                }
                self.skip(size)?;
                self.line()?;
            }
        }
        if let Some(length) = response.header("content-length") {
            return self.skip(length.parse().map_err(|_| "content-length is no number".to_owned())?);
        }
        while self.more()? {}
        self.at = self.buffer.len();
        Ok(())
    }

    fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(length) = self.buffer[self.at..].iter().position(|b| *b == b'\n') {
                let line = &self.buffer[self.at..self.at + length];
                let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
                self.at += length + 1;
                return Ok(line);
            }
            if !self.more()? {
                return Err("connection closed before a whole response came".into());
            }
        }
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        while self.buffer.len() - self.at < length && self.more()? {}
        self.at = self.buffer.len().min(self.at + length);
        Ok(())
    }

    /// Reads what there is; false at the end of the stream.
    fn more(&mut self) -> Result<bool, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("no response in time".into());
        }
        self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(length) => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(length > 0)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err("no response in time".into())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(format!("connection error: {error}")),
        }
    }
}

/// `HTTP/1.1 200 OK`: 200. The reason may be absent.
fn status(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    let version = words.next()?.strip_prefix("HTTP/")?.as_bytes();
    let status = words.next()?;
    let well_formed = matches!(version, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
        && status.len() == 3;
    if well_formed { status.parse().ok() } else { None }
}
