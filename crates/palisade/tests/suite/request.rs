//! A request's bytes as the suite means them. Nothing is corrected: what is malformed there goes out malformed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::cases::Input;
use super::wire::Response;

pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    pub(crate) method: String,
}

/// Builds a stage's request. `previous` is the response to the stage before.
pub(crate) fn build(input: &Input, previous: Option<&Response>) -> Result<Request, String> {
    if let Some(encoded) = &input.encoded_request {
        if input.data.is_some() {
            return Err("both data and encoded_request are set".into());
        }
        let bytes = from_base64(encoded)?;
        let method = bytes.split(|b| *b == b' ').next().unwrap_or_default();
        return Ok(Request { method: String::from_utf8_lossy(method).into_owned(), bytes });
    }

    let method = input.method.as_deref().unwrap_or("GET");
    let mut uri = input.uri.clone().unwrap_or_else(|| "/".into());
    let version = input.version.as_deref().unwrap_or("HTTP/1.1");
    let mut headers = Headers::of(input);
    let mut data = match (&input.data, &input.encoded_data) {
        (Some(text), _) => expand(text)?.into_bytes(),
        (None, Some(encoded)) => from_base64(encoded)?,
        (None, None) => Vec::new(),
    };
    if input.follow_redirect == Some(true) {
        let (host, target) = redirect(previous)?;
        uri = target;
        if let Some(host) = host {
            headers.replace("Host", host);
        }
    }

    let autocomplete = input.autocomplete_headers.unwrap_or(true);
    if autocomplete && !data.is_empty() {
        if !headers.has("Content-Type") {
            headers.add("Content-Type", FORM);
        }
        if headers.values("Content-Type").any(|value| value.eq_ignore_ascii_case(FORM)) {
            data = form_encoded(data);
        }
    }
    if headers.values("Content-Type").any(|value| value.to_lowercase().contains("multipart/form-data;")) {
        data = line_feeds_to_crlf(&data);
    }
    if autocomplete {
        if !headers.has("Connection") {
            headers.add("Connection", "close");
        }
        if !headers.has("Content-Length") && (!data.is_empty() || takes_a_body(method)) {
            headers.add("Content-Length", &data.len().to_string());
        }
    }

    let mut bytes = format!("{method} {uri} {version}\r\n").into_bytes();
    for (name, value) in &headers.0 {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&data);
    Ok(Request { bytes, method: method.to_owned() })
}

const FORM: &str = "application/x-www-form-urlencoded";

struct Headers(Vec<(String, String)>);

impl Headers {
    fn of(input: &Input) -> Self {
        let value = |value: &Option<String>| value.clone().unwrap_or_default();
        Self(match (&input.ordered_headers, &input.headers) {
            (Some(ordered), _) => ordered.iter().map(|h| (h.name.clone(), value(&h.value))).collect(),
            (None, Some(sorted)) => sorted.iter().map(|(name, v)| (name.clone(), value(v))).collect(),
            (None, None) => Vec::new(),
        })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn replace(&mut self, name: &str, value: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.add(name, value);
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let text: String = text.split_ascii_whitespace().collect();
    BASE64.decode(text).map_err(|error| format!("not base64: {error}"))
}

/// go-ftw's pattern is `^POST|PUT|PATCH|DELETE$`, whose ends bind to the first and the last word only.
fn takes_a_body(method: &str) -> bool {
    method.starts_with("POST")
        || method.contains("PUT")
        || method.contains("PATCH")
        || method.ends_with("DELETE")
}

/// Replaces `{{ "x" | repeat 3 }}` by `xxx`: the one form of go-ftw's templates that the suite uses. Others are
/// errors.
fn expand(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, template)) = rest.split_once("{{") {
        let (template, after) =
            template.split_once("}}").ok_or_else(|| "a template without an end".to_owned())?;
        let expanded = repeated(template).ok_or_else(|| format!("template not understood: {template}"))?;
        out.push_str(before);
        out.push_str(&expanded);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn repeated(template: &str) -> Option<String> {
    let (text, call) = template.trim().split_once('|')?;
    let text = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    let times = call.trim().strip_prefix("repeat ")?.trim().parse().ok()?;
    (!text.contains(['"', '\\'])).then(|| text.repeat(times))
}

/// Encodes names and values of a form, unless it is encoded already: then decoding would change it.
fn form_encoded(data: Vec<u8>) -> Vec<u8> {
    if data.iter().any(|b| matches!(b, b'%' | b'+')) {
        return data;
    }
    // One `&` at the end is lost on the way; the rest of empty fields stays.
    let fields = data.strip_suffix(b"&").unwrap_or(&data);
    let mut out = Vec::new();
    for (i, field) in fields.split(|b| *b == b'&').enumerate() {
        if i > 0 {
            out.push(b'&');
        }
        let equals = field.iter().position(|b| *b == b'=');
        let (name, value) = field.split_at(equals.unwrap_or(field.len()));
        percent_encode(name, &mut out);
        if let Some(value) = value.strip_prefix(b"=") {
            out.push(b'=');
            percent_encode(value, &mut out);
        }
    }
    out
}

fn percent_encode(text: &[u8], out: &mut Vec<u8>) {
    for b in text {
        match b {
            b' ' => out.push(b'+'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*b),
            _ => out.extend_from_slice(format!("%{b:02X}").as_bytes()),
        }
    }
}

/// Every line feed, also one that has a carriage return already.
fn line_feeds_to_crlf(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for b in data {
        if *b == b'\n' {
            out.push(b'\r');
        }
        out.push(*b);
    }
    out
}

/// Host (when it is named) and target of the redirect that came.
fn redirect(previous: Option<&Response>) -> Result<(Option<&str>, String), String> {
    let location = previous
        .filter(|response| matches!(response.status, 300..=303 | 307 | 308))
        .and_then(|response| response.header("location"))
        .ok_or("follow_redirect: the stage before got no redirect")?;
    let after_scheme = location.strip_prefix("http://").or_else(|| location.strip_prefix("https://"));
    let (host, target) = match after_scheme {
        Some(rest) => {
            let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(host), target)
        }
        None if location.starts_with('/') => (None, location),
        None => return Err(format!("follow_redirect: `{location}` is relative")),
    };
    let target = target.split('#').next().unwrap_or_default();
    Ok((host, if target.is_empty() { "/".into() } else { target.to_owned() }))
}

mod tests {
    use super::*;

    fn bytes(yaml: &str) -> String {
        let input: Input = serde_saphyr::from_str(yaml).expect("an input");
        String::from_utf8(build(&input, None).map_or_else(String::into_bytes, |r| r.bytes)).unwrap()
    }

    #[test]
    fn absent_is_a_default_and_empty_is_empty() {
        assert_eq!(bytes("{}"), "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(bytes(r#"{version: "", autocomplete_headers: false}"#), "GET / \r\n\r\n");
    }

    #[test]
    fn a_body_gets_its_headers_unless_they_are_not_wanted() {
        assert_eq!(
            bytes("{method: POST, data: 'a=b c&d', headers: {Host: h, Accept: '*'}}"),
            "POST / HTTP/1.1\r\nAccept: *\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\nContent-Length: 7\r\n\r\na=b+c&d"
        );
        assert_eq!(
            bytes("{method: POST, data: 'a=b c', autocomplete_headers: false}"),
            "POST / HTTP/1.1\r\n\r\na=b c"
        );
        assert!(bytes("{method: POST}").contains("Content-Length: 0\r\n"));
        assert!(!bytes("{method: GET}").contains("Content-Length"));
    }

    #[test]
    fn an_encoded_form_is_left_alone() {
        let encoded = |form: &str| String::from_utf8(form_encoded(form.into())).unwrap();
        assert_eq!(encoded("a=%20b"), "a=%20b");
        assert_eq!(encoded("a=b+c"), "a=b+c");
        assert_eq!(encoded("a=1%"), "a=1%");
        assert_eq!(encoded("a=<b>&=&&c"), "a=%3Cb%3E&=&&c");
        assert_eq!(encoded("a=b=c&"), "a=b%3Dc");
    }

    #[test]
    fn multipart_lines_end_in_crlf() {
        let sent = bytes(
            r#"{data: "--x\n\n", headers: {Content-Type: multipart/form-data; boundary=x}, method: POST}"#,
        );
        assert!(sent.ends_with("Content-Length: 7\r\n\r\n--x\r\n\r\n"), "{sent}");
    }

    #[test]
    fn templates_repeat() {
        assert_eq!(expand(r#"a{{ "xy" | repeat 3 }}b{{"z"|repeat 2}}"#).unwrap(), "axyxyxybzz");
        assert!(expand("{{ now }}").is_err());
        assert!(expand("{{ ").is_err());
    }

    #[test]
    fn an_encoded_request_is_all_there_is() {
        let input: Input = serde_saphyr::from_str("{encoded_request: SEVBRCAvIEhUVFAvMS4xDQoNCg==}").unwrap();
        let request = build(&input, None).unwrap();
        assert_eq!(request.bytes, b"HEAD / HTTP/1.1\r\n\r\n");
        assert_eq!(request.method, "HEAD");
    }

    #[test]
    fn a_redirect_names_the_next_target() {
        let input: Input =
            serde_saphyr::from_str("{follow_redirect: true, headers: {Host: h}, uri: /x}").unwrap();
        let at = |location: &str| {
            let response = Response {
                status: 302,
                headers: vec![("location".into(), location.into())],
                raw: Vec::new(),
            };
            let request = build(&input, Some(&response)).map_err(|error| error.to_string())?;
            Ok::<_, String>(String::from_utf8(request.bytes).unwrap())
        };
        assert_eq!(at("/b?c#d").unwrap(), "GET /b?c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert_eq!(at("http://o").unwrap(), "GET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n");
        assert!(at("b").is_err());
        assert!(build(&input, None).is_err());
    }
}
