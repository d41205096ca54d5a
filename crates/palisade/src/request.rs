//! Requests as people and scripts write them down: the JSON of the command line's contract, or raw HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use palisade_http::{
    ChunkProgress, ChunkedDecoder, Fields, Framing, HeadLimits, HeadParse, RequestHead, ResponseHead,
    parse_request_head, request_body_framing,
};
use serde::Deserialize;
use serde_json::Value;

use crate::exchange::Exchange;

/// One line of a request file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestLine {
    /// Comes back in the answer.
    #[serde(default)]
    pub(crate) id: Value,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default = "default_method")]
    method: String,
    #[serde(default = "default_uri")]
    uri: String,
    #[serde(default = "default_version")]
    http_version: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
    #[serde(default)]
    pub(crate) client_ip: Option<String>,
    #[serde(default)]
    client_port: Option<u16>,
    #[serde(default)]
    server_ip: Option<String>,
    #[serde(default)]
    server_port: Option<u16>,
    /// Where it came to, by the name that a configuration gives the listener.
    #[serde(default)]
    pub(crate) listener: Option<String>,
    /// Whom the client's certificate names, a SPIFFE id; it is believed.
    #[serde(default)]
    pub(crate) principal: Option<String>,
    /// SecLang text that takes the place of the command line's rules.
    #[serde(default)]
    pub(crate) rules: Option<String>,
    #[serde(default)]
    response: Option<ResponseLine>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseLine {
    #[serde(default = "default_status")]
    status: u16,
    #[serde(default = "default_version")]
    http_version: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
}

fn default_method() -> String {
    "GET".into()
}

fn default_uri() -> String {
    "/".into()
}

fn default_version() -> String {
    "1.1".into()
}

fn default_status() -> u16 {
    200
}

impl RequestLine {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// What is wrong with it, and in which line of the text.
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        if !text.trim_start().starts_with('{') {
            let message = "a request is a JSON object, such as {\"method\":\"GET\",\"uri\":\"/\"}".to_owned();
            return Err(Unreadable { message, line: 1 });
        }
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            // The place is said apart from the message, by the lines of the whole file.
            let place = format!(" at line {} column {}", error.line(), error.column());
            let bare = message.strip_suffix(&place).unwrap_or(&message);
            let message = format!("{bare} (column {})", error.column());
            Unreadable { message, line: error.line().max(1) }
        })
    }

    /// The exchange that it describes.
    pub(crate) fn exchange(&self) -> Result<Exchange> {
        let version = format!("HTTP/{}", self.http_version);
        let head = RequestHead {
            line: format!("{} {} {version}", self.method, self.uri).into_bytes(),
            method: self.method.clone().into_bytes(),
            target: self.uri.clone().into_bytes(),
            version: version.into_bytes(),
            headers: fields(&self.headers),
            findings: Vec::new(),
        };
        let body = bytes(self.body.as_deref(), self.body_base64.as_deref()).context("the request's body")?;
        let response = match &self.response {
            None => None,
            Some(response) => {
                let version = format!("HTTP/{}", response.http_version);
                let head = ResponseHead {
                    line: format!("{version} {}", response.status).into_bytes(),
                    version: version.into_bytes(),
                    status: response.status,
                    reason: Vec::new(),
                    headers: fields(&response.headers),
                    findings: Vec::new(),
                };
                let body = bytes(response.body.as_deref(), response.body_base64.as_deref())
                    .context("the response's body")?;
                Some((head, body))
            }
        };
        let client =
            SocketAddr::new(address("client_ip", self.client_ip.as_deref())?, self.client_port.unwrap_or(0));
        let server =
            SocketAddr::new(address("server_ip", self.server_ip.as_deref())?, self.server_port.unwrap_or(80));
        Ok(Exchange { client, server, head, body, response })
    }
}

/// Text that is no request.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    /// Without a place but for its column.
    pub(crate) message: String,
    /// Counted from 1, in the text that was parsed.
    pub(crate) line: usize,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn address(key: &str, text: Option<&str>) -> Result<IpAddr> {
    match text {
        None => Ok(LOOPBACK),
        Some(text) => text.parse().map_err(|_| {
            anyhow!("{key} is `{text}`, which is no IP address; write one such as 192.0.2.1 or 2001:db8::1")
        }),
    }
}

fn fields(pairs: &[(String, String)]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in pairs {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn bytes(text: Option<&str>, base64: Option<&str>) -> Result<Vec<u8>> {
    match (text, base64) {
        (Some(_), Some(_)) => bail!("is given twice: write `body` or `body_base64`"),
        (Some(text), None) => Ok(text.as_bytes().to_vec()),
        (None, Some(text)) => BASE64.decode(text).context("`body_base64` is not base64"),
        (None, None) => Ok(Vec::new()),
    }
}

/// An exchange from an HTTP message as it goes over the wire. Line ends may be LF throughout, as an editor writes
/// them; everything else is taken as it stands, odd framing included.
pub(crate) fn parse_message(message: &[u8]) -> Result<Exchange> {
    let head_end = message.windows(2).position(|pair| pair == b"\n\n");
    let written_by_hand = head_end.is_some_and(|end| !message[..end].contains(&b'\r'))
        || head_end.is_none() && !message.contains(&b'\r');
    let message = if written_by_hand { with_line_ends(message, head_end) } else { message.to_vec() };
    let limits = HeadLimits::default();
    let (head, consumed) = match parse_request_head(&message, &limits) {
        HeadParse::Complete { head, consumed } | HeadParse::Refused { head, consumed } => (head, consumed),
        HeadParse::Incomplete => bail!("the message ends before the blank line that ends its head"),
    };
    let rest = &message[consumed..];
    let body = match request_body_framing(&head) {
        Ok(Framing::None) => Vec::new(),
        Ok(Framing::Length(length)) => {
            // A file that an editor wrote often ends in a line end that the length does not count.
            rest[..rest.len().min(usize::try_from(length).unwrap_or(usize::MAX))].to_vec()
        }
        Ok(Framing::Chunked) => {
            let mut decoder = ChunkedDecoder::new();
            let mut body = Vec::new();
            match decoder.feed(rest, &mut |chunk| body.extend_from_slice(chunk)) {
                ChunkProgress::Done { .. } => body,
                ChunkProgress::More => bail!("the message ends inside its chunked body"),
                ChunkProgress::Refused(finding) => bail!("the chunked body is malformed: {finding:?}"),
            }
        }
        Ok(Framing::UntilClose) | Err(_) => rest.to_vec(),
    };
    let client = SocketAddr::new(LOOPBACK, 0);
    let server = SocketAddr::new(LOOPBACK, 80);
    Ok(Exchange { client, server, head, body, response: None })
}

fn with_line_ends(message: &[u8], head_end: Option<usize>) -> Vec<u8> {
    let head = &message[..head_end.unwrap_or(message.len())];
    let body = head_end.map_or(&[][..], |end| &message[end + 2..]);
    let mut out = Vec::with_capacity(message.len() + 64);
    for line in head.split(|byte| *byte == b'\n') {
        // A message without a body may end right after its last header.
        if !line.is_empty() || head_end.is_some() {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_written_by_hand_reads_like_one_from_the_wire() {
        let wire = parse_message(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nq=1").unwrap();
        let hand = parse_message(b"POST /a?b=c HTTP/1.1\nHost: x\nContent-Length: 3\n\nq=1\n").unwrap();
        for exchange in [wire, hand] {
            assert_eq!(exchange.head.target, b"/a?b=c");
            assert_eq!(exchange.head.headers.first(b"host"), Some(&b"x"[..]));
            assert_eq!(exchange.body, b"q=1");
            assert!(exchange.head.findings.is_empty(), "{:?}", exchange.head.findings);
        }
        let short = parse_message(b"GET / HTTP/1.1\nHost: x").unwrap();
        assert_eq!(short.head.headers.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let error = |text: &str| match RequestLine::parse(text) {
            Ok(line) => format!("{:#}", line.exchange().unwrap_err()),
            Err(error) => error.message,
        };
        assert!(error(r#"{"methd":"GET"}"#).contains("methd"));
        assert!(error(r#"{"body":"a","body_base64":"YQ=="}"#).contains("given twice"));
        assert!(error(r#"{"body_base64":"?"}"#).contains("not base64"));
    }
}
