//! The server behind the proxy. `POST /reflect` takes JSON and answers what it says, as the suite's own test server
//! (coreruleset/albedo) does; every other request gets an empty 200.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

/// What to answer. At most one of the two bodies is given.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Reflection {
    status: Option<u16>,
    headers: BTreeMap<String, String>,
    body: String,
    encoded_body: String,
    #[serde(rename = "logMessage")]
    _log_message: Option<String>,
}

/// Starts it on a free port. It ends with the test process.
pub(crate) fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    let address = listener.local_addr().expect("a bound listener has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that ends in the middle concerns nobody here.
            std::thread::spawn(move || serve(&stream));
        }
    });
    address
}

fn serve(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let response = respond(&request);
        (&*stream).write_all(&response)?;
        if request.close {
            break;
        }
    }
    Ok(())
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
    close: bool,
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let first = line(reader)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let mut close = !first.ends_with("HTTP/1.1");
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line(reader)?.to_lowercase();
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            None if header.is_empty() => break,
            Some(("content-length", value)) => length = value.parse().unwrap_or(0),
            Some(("transfer-encoding", value)) => chunked = value.ends_with("chunked"),
            Some(("connection", "close")) => close = true,
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = line(reader)?;
            let size =
                u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
            reader.by_ref().take(size).read_to_end(&mut body)?;
            if line(reader)?.is_empty() && size == 0 {
                break;
            }
        }
    } else {
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Request { method, path, body, close }))
}

/// A line without its end; empty at the end of the stream as well.
fn line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned())
}

/// The whole answer to a request that came another way.
#[allow(dead_code, reason = "only the comparison of evaluators has such requests")]
pub(crate) fn answer(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    respond(&Request { method: method.to_owned(), path: path.to_owned(), body: body.to_vec(), close: false })
}

fn respond(request: &Request) -> Vec<u8> {
    let (status, headers, body) = match reflection(request) {
        Some(Ok((reflection, body))) => (reflection.status.unwrap_or(200), reflection.headers, body),
        Some(Err(error)) => (400, BTreeMap::new(), error.into_bytes()),
        None => (200, BTreeMap::new(), Vec::new()),
    };
    let mut out = format!("HTTP/1.1 {status} Reflected\r\n");
    let mut typed = body.is_empty();
    for (name, value) in &headers {
        typed |= name.eq_ignore_ascii_case("content-type");
        if !["content-length", "transfer-encoding"].contains(&&*name.to_lowercase()) {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if !typed {
        out.push_str(&format!("Content-Type: {}\r\n", content_type(&body)));
    }
    let connection = if request.close { "close" } else { "keep-alive" };
    out.push_str(&format!("Content-Length: {}\r\nConnection: {connection}\r\n\r\n", body.len()));
    let mut out = out.into_bytes();
    if request.method != "HEAD" {
        out.extend_from_slice(&body);
    }
    out
}

fn reflection(request: &Request) -> Option<Result<(Reflection, Vec<u8>), String>> {
    if request.method != "POST" || request.path.trim_end_matches('/') != "/reflect" {
        return None;
    }
    let reflection: Reflection = match serde_json::from_slice(&request.body) {
        Ok(reflection) => reflection,
        Err(error) => return Some(Err(format!("invalid JSON in request body: {error}"))),
    };
    if reflection.status.is_some_and(|status| !(200..600).contains(&status)) {
        return Some(Err("status is not of a final response".into()));
    }
    let body = match &*reflection.encoded_body {
        "" => reflection.body.clone().into_bytes(),
        encoded => match BASE64.decode(encoded.replace('\n', "")) {
            Ok(body) => body,
            Err(error) => return Some(Err(format!("invalid base64 in request body: {error}"))),
        },
    };
    Some(Ok((reflection, body)))
}

/// The type of a body that was given none: text unless it holds bytes that text does not, by the WHATWG's table of
/// binary bytes. The kinds of text are told apart as far as rules could care.
fn content_type(body: &[u8]) -> &'static str {
    let head = &body[..body.len().min(512)];
    let text = head.trim_ascii_start();
    let starts =
        |tag: &str| text.len() >= tag.len() && text[..tag.len()].eq_ignore_ascii_case(tag.as_bytes());
    if head.iter().any(|b| matches!(b, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)) {
        "application/octet-stream"
    } else if starts("<?xml") {
        "text/xml; charset=utf-8"
    } else if starts("<!doctype html") || starts("<html") || starts("<head") || starts("<script") {
        "text/html; charset=utf-8"
    } else {
        "text/plain; charset=utf-8"
    }
}
