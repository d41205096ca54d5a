//! Requests out of an HTTP Archive (HAR 1.2), as browsers and mitmproxy write it.
//!
//! Only what the inspection looks at is read; everything else is skipped, whatever it is. What is missing has the meaning
//! that writers give it: no `Host` under HTTP/2 (the URL has it), pseudo-headers (`:path`), a form as `params` instead of
//! `text`, a body as base64 (`encoding`, as mitmproxy and others say it).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use palisade_events::query::nanoseconds;
use palisade_events::recording::BodyCopy;
use palisade_http::{Fields, RequestHead, Target, TargetForm};
use serde::{Deserialize, Deserializer};

use super::copies::Copy;
use crate::exchange::Exchange;
use crate::files::read_requests;

/// The requests of a HAR.
pub(crate) struct Har {
    entries: std::vec::IntoIter<Entry>,
    all: usize,
    read: usize,
    /// Entries that are no requests: what a browser had in its cache, `data:` and `blob:` URLs, and the like.
    no_requests: usize,
}

#[derive(Deserialize)]
struct Document {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    #[serde(default, deserialize_with = "or_default")]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default, deserialize_with = "or_default")]
    started_date_time: String,
    #[serde(default, deserialize_with = "or_default")]
    request: Request,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default, deserialize_with = "or_default")]
    method: String,
    #[serde(default, deserialize_with = "or_default")]
    url: String,
    #[serde(default, deserialize_with = "or_default")]
    http_version: String,
    #[serde(default, deserialize_with = "or_default")]
    headers: Vec<Pair>,
    #[serde(default)]
    post_data: Option<PostData>,
    /// -1: not known.
    #[serde(default, deserialize_with = "or_default")]
    body_size: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    #[serde(default, deserialize_with = "or_default")]
    mime_type: String,
    #[serde(default, deserialize_with = "or_default")]
    text: String,
    #[serde(default, alias = "_encoding", deserialize_with = "or_default")]
    encoding: String,
    #[serde(default, deserialize_with = "or_default")]
    params: Vec<Pair>,
}

#[derive(Default, Deserialize)]
struct Pair {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

/// Writers put null where they know nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Har {
    /// Reads a file; at most 256 MiB.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let told = || format!("--har `{}`", path.display());
        let text = read_requests(path).with_context(told)?;
        let har = Self::read_text(&text).with_context(told)?;
        if har.all == 0 {
            bail!("{}: there is no request in it", told());
        }
        Ok(har)
    }

    /// Reads the text of one.
    ///
    /// # Errors
    /// When it is no JSON, or has no `log`.
    pub(crate) fn read_text(text: &[u8]) -> Result<Self> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let document: Document = serde_json::from_slice(text).context("it is no HTTP archive")?;
        let entries = document.log.entries;
        Ok(Self { all: entries.len(), entries: entries.into_iter(), read: 0, no_requests: 0 })
    }

    pub(crate) fn len(&self) -> usize {
        self.all
    }

    /// Entries that were looked at.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        match self.no_requests {
            0 => Vec::new(),
            count => vec![format!("{count} of {} entries went to no web server and are left out", self.all)],
        }
    }

    pub(crate) fn next(&mut self) -> Option<Copy> {
        loop {
            let entry = self.entries.next()?;
            self.read += 1;
            match copy_of(entry, self.read) {
                Some(copy) => return Some(copy),
                None => self.no_requests += 1,
            }
        }
    }
}

/// The request of an entry; `None` where it went to no web server.
fn copy_of(entry: Entry, number: usize) -> Option<Copy> {
    let Entry { started_date_time, request } = entry;
    let target = Target::new(request.url.as_bytes(), b"GET");
    let is_web =
        target.scheme().eq_ignore_ascii_case(b"http") || target.scheme().eq_ignore_ascii_case(b"https");
    if target.form() != TargetForm::Absolute || !is_web {
        return None;
    }
    let authority = target.authority();
    let host = authority.iter().rposition(|byte| *byte == b'@').map_or(authority, |at| &authority[at + 1..]);
    let path = match target.path_and_query() {
        [] => b"/".to_vec(),
        query @ [b'?', ..] => [b"/", query].concat(),
        path => path.to_vec(),
    };
    let method = if request.method.is_empty() { "GET".to_owned() } else { request.method };
    let version = version(&request.http_version);
    let mut headers = Fields::new();
    let has_host = request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("host"));
    if !has_host {
        headers.push(b"Host", host);
    }
    for header in request.headers.iter().filter(|header| !header.name.starts_with(':')) {
        headers.push(header.name.as_bytes(), header.value.as_bytes());
    }
    let (body, body_copy) = body(request.post_data.as_ref(), request.body_size);
    let body_bytes = (request.body_size.max(0.0) as u64).max(body.len() as u64);
    if let Some(data) = &request.post_data
        && !data.mime_type.is_empty()
        && headers.first(b"content-type").is_none()
    {
        headers.push(b"Content-Type", data.mime_type.as_bytes());
    }
    let line = [method.as_bytes(), b" ", &path, b" ", version].concat();
    let port = if target.scheme().eq_ignore_ascii_case(b"https") { 443 } else { 80 };
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let head = RequestHead {
        line,
        method: method.into_bytes(),
        target: path,
        version: version.to_vec(),
        headers,
        findings: Vec::new(),
    };
    let at = nanoseconds(&started_date_time).and_then(|nanos| u64::try_from(nanos / 1_000_000).ok());
    Some(Copy {
        id: format!("#{number}"),
        at,
        exchange: Exchange {
            client: SocketAddr::new(here, 0),
            server: SocketAddr::new(here, port),
            head,
            body,
            response: None,
        },
        body: body_copy,
        body_bytes,
        connection: None,
        not_plain: Vec::new(),
        then: None,
    })
}

/// As heads say it: writers have `http/2.0`, `h2`, `HTTP/3`, or nothing. What is newer than HTTP/2 is inspected as that.
fn version(text: &str) -> &'static [u8] {
    let number = text.trim_start_matches(|char: char| !char.is_ascii_digit());
    match number.as_bytes() {
        [b'1', b'.', b'0', ..] => b"HTTP/1.0",
        [b'2' | b'3', ..] => b"HTTP/2.0",
        _ => b"HTTP/1.1",
    }
}

/// The body, and how much of it that is.
fn body(data: Option<&PostData>, body_size: f64) -> (Vec<u8>, BodyCopy) {
    let Some(data) = data else {
        // A body that was not written down.
        return (Vec::new(), if body_size > 0.0 { BodyCopy::Unseen } else { BodyCopy::Whole });
    };
    let bytes = if data.encoding.eq_ignore_ascii_case("base64") {
        match BASE64.decode(data.text.trim_ascii()) {
            Ok(bytes) => bytes,
            Err(_) => return (data.text.clone().into_bytes(), BodyCopy::Cut),
        }
    } else if data.text.is_empty() && !data.params.is_empty() {
        form(&data.params)
    } else {
        data.text.clone().into_bytes()
    };
    // Texts are written down in UTF-8, whatever they were: only a gap that is no difference of encodings is one.
    let is_missing = bytes.is_empty() && body_size > 0.0;
    (bytes, if is_missing { BodyCopy::Unseen } else { BodyCopy::Whole })
}

/// A form as a browser sends it.
fn form(params: &[Pair]) -> Vec<u8> {
    let mut out = Vec::new();
    for pair in params {
        if !out.is_empty() {
            out.push(b'&');
        }
        escape(&pair.name, &mut out);
        out.push(b'=');
        escape(&pair.value, &mut out);
    }
    out
}

fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}
