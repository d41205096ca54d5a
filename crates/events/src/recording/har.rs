//! Requests out of an HTTP Archive (HAR 1.2), as browsers and mitmproxy write it.
//!
//! Only what an inspection looks at is read; everything else is skipped, whatever it is. What is missing has the meaning
//! that writers give it: no `Host` under HTTP/2 (the URL has it), pseudo-headers (`:path`), a form as `params` instead of
//! `text`, a body as base64 (`encoding`, as mitmproxy and others say it). What was decided is not in it, and neither is who
//! asked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer};

use super::record::{BodyCopy, Recorded, Text};
use crate::query::nanoseconds;

/// The requests of a HAR.
#[derive(Debug)]
pub struct Har {
    entries: std::vec::IntoIter<Entry>,
    all: usize,
    read: usize,
    /// Entries that are no requests: what a browser had in its cache, `data:` and `blob:` URLs, and the like.
    no_requests: usize,
}

#[derive(Debug, Deserialize)]
struct Document {
    log: Log,
}

#[derive(Debug, Deserialize)]
struct Log {
    #[serde(default, deserialize_with = "or_default")]
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default, deserialize_with = "or_default")]
    started_date_time: String,
    #[serde(default, deserialize_with = "or_default")]
    request: Request,
}

#[derive(Debug, Default, Deserialize)]
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

#[derive(Debug, Deserialize)]
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

#[derive(Debug, Default, Deserialize)]
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
    /// Reads the text of one.
    ///
    /// # Errors
    /// When it is no JSON, or has no `log`.
    pub fn read(text: &[u8]) -> serde_json::Result<Self> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let document: Document = serde_json::from_slice(text)?;
        let entries = document.log.entries;
        Ok(Self { all: entries.len(), entries: entries.into_iter(), read: 0, no_requests: 0 })
    }

    /// Entries of all kinds.
    pub fn entries(&self) -> usize {
        self.all
    }

    /// Entries that were looked at.
    pub fn entries_read(&self) -> usize {
        self.read
    }

    /// Of these, those that went to no web server.
    pub fn no_requests(&self) -> usize {
        self.no_requests
    }
}

impl Iterator for Har {
    type Item = Recorded;

    /// The next request, known by `#` and the number of its entry.
    fn next(&mut self) -> Option<Recorded> {
        loop {
            let entry = self.entries.next()?;
            self.read += 1;
            match record_of(entry, self.read) {
                Some(record) => return Some(record),
                None => self.no_requests += 1,
            }
        }
    }
}

/// The request of an entry; `None` where it went to no web server.
fn record_of(entry: Entry, number: usize) -> Option<Recorded> {
    let Entry { started_date_time, request } = entry;
    let (host, target) = host_and_target(&request.url)?;
    let method = if request.method.is_empty() { "GET".to_owned() } else { request.method };
    let mut headers = Vec::new();
    if !request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("host")) {
        headers.push((Text(b"Host".to_vec()), Text(host.into())));
    }
    for Pair { name, value } in request.headers.into_iter().filter(|header| !header.name.starts_with(':')) {
        headers.push((Text(name.into_bytes()), Text(value.into_bytes())));
    }
    let (body, body_copy) = body(request.post_data.as_ref(), request.body_size);
    if let Some(data) = &request.post_data
        && !data.mime_type.is_empty()
        && !headers.iter().any(|(name, _)| name.0.eq_ignore_ascii_case(b"content-type"))
    {
        headers.push((Text(b"Content-Type".to_vec()), Text(data.mime_type.clone().into_bytes())));
    }
    let at = nanoseconds(&started_date_time).and_then(|nanos| u64::try_from(nanos / 1_000_000).ok());
    Some(Recorded {
        id: format!("#{number}"),
        at: at.unwrap_or_default(),
        method: Text(method.into_bytes()),
        target: Text(target),
        version: Text(version(&request.http_version).to_vec()),
        headers,
        body_copy,
        body_bytes: (request.body_size.max(0.0) as u64).max(body.len() as u64),
        body,
        ..Recorded::default()
    })
}

/// The host of a web server's URL, and what is asked of it; `None` for other URLs.
fn host_and_target(url: &str) -> Option<(&str, Vec<u8>)> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let rest = rest.split('#').next().unwrap_or_default();
    let root = if rest.starts_with('/') { "" } else { "/" };
    (!host.is_empty()).then(|| (host, [root, rest].concat().into_bytes()))
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
