//! Where a text can stand in a request.

use palisade_http::{Fields, RequestHead};

use crate::variants::Case;

/// A request, whole.
pub(crate) struct Request {
    pub(crate) head: RequestHead,
    pub(crate) body: Vec<u8>,
}

macro_rules! places {
    ($($place:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Place {
            $($place,)*
        }

        impl Place {
            const ALL: &[Self] = &[$(Self::$place,)*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$place => $name,)*
                }
            }
        }
    };
}

places! {
    Query = "query",
    Form = "form",
    Json = "json",
    JsonNested = "json-nested",
    Multipart = "multipart",
    Cookie = "cookie",
    GraphQl = "graphql",
    GraphQlInline = "graphql-inline",
    Path = "path",
    Header = "header",
    UserAgent = "user-agent",
    Xml = "xml",
    QueryBase64 = "query in base64",
    JsonEscaped = "json in escapes",
    QueryWhole = "whole query",
    FormWhole = "whole form",
    JsonBody = "json-body",
    XmlBody = "xml-body",
    GraphQlDocument = "graphql-document",
    File = "file",
    FileName = "filename",
}

impl Place {
    /// Places of values that may be anything.
    pub(crate) const FOR_VALUES: &[Self] = &[
        Self::Query,
        Self::Form,
        Self::Json,
        Self::Cookie,
        Self::Multipart,
        Self::GraphQl,
        Self::Path,
        Self::JsonNested,
        Self::Xml,
        Self::Header,
    ];

    pub(crate) fn from_name(name: &str) -> Self {
        let found = Self::ALL.iter().copied().find(|place| place.name() == name);
        found.unwrap_or_else(|| panic!("there is no place {name}"))
    }

    /// Whether only a line of printable characters can stand there, and a short one as a rule does.
    pub(crate) fn is_one_line(self) -> bool {
        matches!(self, Self::Cookie | Self::Path | Self::Header | Self::UserAgent)
    }

    /// Where an attack is tried: at its own place, or everywhere that can hold it.
    pub(crate) fn for_attack(case: &Case) -> Vec<Self> {
        if let Some(place) = case.place {
            return vec![place];
        }
        let controls =
            |except: &[u8]| case.payload.iter().any(|byte| byte.is_ascii_control() && !except.contains(byte));
        let spaced = case.payload.trim_ascii().len() < case.payload.len();
        let all = Self::FOR_VALUES.iter().copied();
        all.chain([Self::GraphQlInline, Self::QueryBase64, Self::JsonEscaped])
            .filter(|place| match place {
                Self::Header => !controls(b"\t") && !spaced,
                // A carriage return becomes a line feed there.
                Self::Xml => !controls(b"\t\n"),
                // Below that a word is a word.
                Self::QueryBase64 => case.payload.len() >= BASE64_OF_BYTES_MIN,
                _ => true,
            })
            .collect()
    }

    pub(crate) fn request(self, text: &[u8]) -> Request {
        let (mut method, mut target, mut kind, mut body) =
            ("POST", b"/api/v1/items".to_vec(), "", Vec::new());
        let mut more: Option<(&str, Vec<u8>)> = None;
        match self {
            Self::Query => {
                (method, target) = ("GET", [b"/search?q=", &percent(text)[..], b"&page=2"].concat())
            }
            Self::QueryBase64 => {
                (method, target) = ("GET", [b"/search?q=", &percent(&base64(text))[..]].concat())
            }
            Self::QueryWhole => (method, target) = ("GET", [b"/search?", text].concat()),
            Self::Path => (method, target) = ("GET", [b"/files/", &percent(text)[..]].concat()),
            Self::Cookie => {
                method = "GET";
                more = Some((
                    "Cookie",
                    [&b"sid=1f0c; prefs="[..], &percent(text)[..], &b"; theme=light"[..]].concat(),
                ));
            }
            Self::Header => (method, more) = ("GET", Some(("X-Client-Name", text.to_vec()))),
            Self::UserAgent => (method, more) = ("GET", Some(("User-Agent", text.to_vec()))),
            Self::Form => {
                kind = FORM;
                body = [b"csrf=77aa&comment=", &percent(text)[..], b"&submit=Send"].concat();
            }
            Self::FormWhole => (kind, body) = (FORM, text.to_vec()),
            Self::Json => (kind, body) = (JSON, [b"{\"id\":7,\"name\":", &json(text)[..], b"}"].concat()),
            Self::JsonNested => {
                (kind, body) = (
                    JSON,
                    [b"{\"data\":{\"items\":[{\"k\":1,\"attrs\":{\"t\":", &json(text)[..], b"}}]}}"].concat(),
                );
            }
            Self::JsonEscaped => (kind, body) = (JSON, [b"{\"name\":", &escaped(text)[..], b"}"].concat()),
            Self::JsonBody => (kind, body) = (JSON, text.to_vec()),
            Self::GraphQl => {
                kind = JSON;
                body = [
                    &b"{\"query\":\"query Find($t:String!){search(text:$t){id name}}\",\"variables\":{\"t\":"
                        [..],
                    &json(text),
                    b"}}",
                ]
                .concat();
            }
            Self::GraphQlInline => {
                let document = [b"{ user(name: ", &json(text)[..], b") { id email } }"].concat();
                (kind, body) = (JSON, [b"{\"query\":", &json(&document)[..], b"}"].concat());
            }
            Self::GraphQlDocument => (kind, body) = (JSON, [b"{\"query\":", &json(text)[..], b"}"].concat()),
            Self::Xml => {
                (kind, body) = (
                    XML,
                    [b"<?xml version=\"1.0\"?>\n<order><id>7</id><q>", &xml(text)[..], b"</q></order>"]
                        .concat(),
                );
            }
            Self::XmlBody => (kind, body) = (XML, text.to_vec()),
            Self::Multipart => (kind, body) = (MULTIPART, part(b"name=\"comment\"", text)),
            Self::File => {
                let named = b"name=\"file\"; filename=\"notes.txt\"\r\nContent-Type: text/plain";
                (kind, body) = (MULTIPART, part(named, text));
            }
            Self::FileName => {
                let name = String::from_utf8_lossy(text).replace('\\', "\\\\").replace('"', "\\\"");
                let named = format!("name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png");
                (kind, body) = (MULTIPART, part(named.as_bytes(), b"test"));
            }
        }
        let mut headers = Fields::new();
        headers.push(b"Host", b"shop.example.com");
        headers.push(b"Accept", b"*/*");
        if self != Self::UserAgent {
            headers.push(
                b"User-Agent",
                b"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            );
        }
        if let Some((name, value)) = &more {
            headers.push(name.as_bytes(), value);
        }
        if method == "POST" {
            headers.push(b"Content-Type", kind.as_bytes());
            headers.push(b"Content-Length", body.len().to_string().as_bytes());
        }
        let version = b"HTTP/1.1".to_vec();
        let line = [method.as_bytes(), &target, &version].join(&b' ');
        let head =
            RequestHead { line, method: method.into(), target, version, headers, findings: Vec::new() };
        Request { head, body }
    }
}

/// Bytes from which on an attack is found in base64.
const BASE64_OF_BYTES_MIN: usize = 7;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const XML: &str = "application/xml";
const MULTIPART: &str = "multipart/form-data; boundary=----x7";

fn percent(text: &[u8]) -> Vec<u8> {
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let spelled = text.iter().map(|byte| match kept(byte) {
        true => vec![*byte],
        false => format!("%{byte:02X}").into_bytes(),
    });
    spelled.flatten().collect()
}

fn json(text: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&String::from_utf8_lossy(text)).expect("a text")
}

fn escaped(text: &[u8]) -> Vec<u8> {
    let units =
        String::from_utf8_lossy(text).encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    format!("\"{units}\"").into_bytes()
}

fn xml(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").into_bytes()
}

fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = palisade_codec::transform::base64::encode(text, &mut out);
    out
}

fn part(named: &[u8], content: &[u8]) -> Vec<u8> {
    [
        &b"------x7\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n77aa\r\n------x7\r\nContent-Disposition: form-data; "[..],
        named,
        b"\r\n\r\n",
        content,
        b"\r\n------x7--\r\n",
    ]
    .concat()
}
