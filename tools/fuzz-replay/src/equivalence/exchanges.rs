//! Requests and responses of what the rules look for: as it is, encoded, nearly, and among other things.

use std::fmt;

use palisade_http::{Fields, RequestHead, ResponseHead};

use super::choices::Choices;

/// A request and its response, as data.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's head.
    pub head: RequestHead,
    /// Its body, empty when there is none.
    pub body: Vec<u8>,
    /// The response, if there is one, and its body.
    pub response: Option<(ResponseHead, Vec<u8>)>,
}

impl Exchange {
    /// Makes an exchange of choices. Its values are mostly made of the examples, of which the first ones come oftenest.
    pub fn of_choices(input: &[u8], examples: &[String]) -> Self {
        Self::new(&mut Choices::new(input), examples)
    }

    pub(super) fn new(choices: &mut Choices<'_>, examples: &[String]) -> Self {
        let mut maker = Maker { choices, examples };
        let mut target = maker.path();
        if maker.choices.below(4) > 0 {
            target.push(b'?');
            target.extend(maker.form());
        }
        let mut headers = Fields::new();
        headers.push(b"Host", b"h");
        for name in ["X-A", "x-b", "User-Agent", "Referer", "X-A"] {
            if maker.choices.once_in(3) {
                headers.push(name.as_bytes(), &without_line_ends(maker.value()));
            }
        }
        if maker.choices.once_in(3) {
            let (one, two) = (maker.value(), maker.value());
            let text = [b"c=".as_slice(), &one, b"; b=", &two].concat();
            headers.push(b"Cookie", &without_line_ends(text));
        }
        let (mut method, mut body) = (b"GET".to_vec(), Vec::new());
        if maker.choices.below(2) > 0 {
            method = (*maker.choices.pick(&[&b"POST"[..], b"POST", b"PUT", b"DELETE"])).to_vec();
            let content_type;
            (content_type, body) = maker.body();
            if let Some(content_type) = content_type {
                headers.push(b"Content-Type", content_type.as_bytes());
            }
            headers.push(b"Content-Length", body.len().to_string().as_bytes());
        }
        let response = maker.choices.once_in(2).then(|| maker.response());
        let head = RequestHead {
            line: [&method, &b" "[..], &target, b" HTTP/1.1"].concat(),
            method,
            target,
            version: b"HTTP/1.1".to_vec(),
            headers,
            findings: Vec::new(),
        };
        Self { head, body, response }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_message(f, &self.head.line, &self.head.headers, &self.body)?;
        if let Some((head, body)) = &self.response {
            f.write_str("\n  answered ")?;
            write_message(f, &head.line, &head.headers, body)?;
        }
        Ok(())
    }
}

fn write_message(f: &mut fmt::Formatter<'_>, line: &[u8], headers: &Fields, body: &[u8]) -> fmt::Result {
    write!(f, "{}", line.escape_ascii())?;
    for (name, value) in headers.iter() {
        write!(f, " [{}: {}]", name.escape_ascii(), value.escape_ascii())?;
    }
    write!(f, " {}", body.escape_ascii())
}

fn without_line_ends(mut value: Vec<u8>) -> Vec<u8> {
    value.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
    value
}

struct Maker<'c, 'b> {
    choices: &'c mut Choices<'b>,
    examples: &'c [String],
}

impl Maker<'_, '_> {
    fn path(&mut self) -> Vec<u8> {
        let mut path = (*self.choices.pick(&["/", "/a", "/a/b.php", "/A/%61b", "/x/../a", "/login"]))
            .as_bytes()
            .to_vec();
        if self.choices.once_in(6) {
            path.push(b'/');
            let value = self.value();
            path.extend(percent(&value, false));
        }
        path
    }

    fn name(&mut self) -> &'static str {
        let name: &&str = self.choices.pick(NAMES);
        name
    }

    /// A value: mostly something that a rule looks for.
    fn value(&mut self) -> Vec<u8> {
        let mut value = match self.choices.weighted(&[12, 6, 2]) {
            // The first ones are those that most rules look for.
            0 if !self.examples.is_empty() => {
                let most =
                    if self.choices.once_in(3) { self.examples.len() } else { self.examples.len().min(8) };
                self.choices.pick(&self.examples[..most]).clone().into_bytes()
            }
            0 | 1 => (*self.choices.pick(PLAIN)).as_bytes().to_vec(),
            _ => (0..self.choices.below(7)).map(|_| self.choices.byte()).collect(),
        };
        // Nearly, and among other things.
        match self.choices.weighted(&[16, 2, 1, 1, 1, 1]) {
            1 => value = [(*self.choices.pick(PLAIN)).as_bytes(), b" ", &value].concat(),
            2 => {
                value.pop();
            }
            3 => {
                let at = self.choices.below(value.len() + 1);
                value.splice(
                    at..at,
                    self.choices.pick(&[&b"\0"[..], b" ", b"/**/", b"\\", b"%00", b"\t"]).iter().copied(),
                );
            }
            4 => value.make_ascii_uppercase(),
            5 => value = value.repeat(1 + self.choices.below(12)),
            _ => {}
        }
        match self.choices.weighted(&[14, 1, 1, 1, 1, 1, 1]) {
            1 => percent(&value, true),
            2 => value.iter().flat_map(|byte| format!("&#x{byte:x};").into_bytes()).collect(),
            3 => value.iter().flat_map(|byte| format!("\\u00{byte:02x}").into_bytes()).collect(),
            4 => value.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
            5 => base64(&value),
            6 => value.iter().flat_map(|byte| format!("\\x{byte:02x}").into_bytes()).collect(),
            _ => value,
        }
    }

    fn form(&mut self) -> Vec<u8> {
        let mut form = Vec::new();
        for number in 0..self.choices.weighted(&[0, 3, 4, 4, 2, 2, 1]) {
            if number > 0 {
                form.push(*self.choices.pick(b"&&&&;"));
            }
            form.extend(self.name().as_bytes());
            form.push(b'=');
            let value = self.value();
            if self.choices.once_in(8) {
                // As it is: `%` and `+` then mean something.
                form.extend(
                    without_line_ends(value).iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }),
                );
            } else {
                form.extend(percent(&value, false));
            }
        }
        form
    }

    fn body(&mut self) -> (Option<&'static str>, Vec<u8>) {
        match self.choices.weighted(&[5, 4, 3, 3, 1, 1]) {
            0 => (Some("application/x-www-form-urlencoded"), self.form()),
            1 => (Some("application/json"), self.json(0)),
            2 => (Some("multipart/form-data; boundary=B"), self.multipart()),
            3 => (Some("text/xml"), self.xml()),
            4 => (Some("text/plain"), self.value()),
            _ => (*self.choices.pick(&[Some("application/json"), Some("text/xml"), None]), self.value()),
        }
    }

    fn json(&mut self, depth: usize) -> Vec<u8> {
        match self.choices.weighted(if depth < 3 { &[4, 3, 1, 1] } else { &[0, 0, 3, 1] }) {
            0 => {
                let mut out = b"{".to_vec();
                for number in 0..self.choices.below(4) {
                    out.extend(if number > 0 { &b","[..] } else { b"" });
                    out.extend(format!("\"{}\":", self.name()).into_bytes());
                    out.extend(self.json(depth + 1));
                }
                out.push(b'}');
                out
            }
            1 => {
                let mut out = b"[".to_vec();
                for number in 0..self.choices.below(3) {
                    out.extend(if number > 0 { &b","[..] } else { b"" });
                    out.extend(self.json(depth + 1));
                }
                out.push(b']');
                out
            }
            2 => {
                let mut out = b"\"".to_vec();
                for byte in self.value() {
                    match byte {
                        b'"' | b'\\' => out.extend([b'\\', byte]),
                        0..=31 => out.extend(format!("\\u00{byte:02x}").into_bytes()),
                        _ => out.push(byte),
                    }
                }
                out.push(b'"');
                out
            }
            _ => (*self.choices.pick(&["1", "12", "null", "true", "-3", "nul"])).into(),
        }
    }

    fn multipart(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.choices.below(4) {
            out.extend(b"--B\r\nContent-Disposition: form-data; name=\"");
            out.extend(self.name().as_bytes());
            out.push(b'"');
            if self.choices.once_in(3) {
                out.extend(b"; filename=\"");
                out.extend(without_line_ends(self.value()).iter().filter(|byte| **byte != b'"'));
                out.extend(b"\"\r\nContent-Type: text/plain");
            }
            out.extend(b"\r\n\r\n");
            out.extend(self.value());
            out.extend(*self.choices.pick(&[&b"\r\n"[..], b"\r\n", b"\r\n", b"\n"]));
        }
        out.extend(*self.choices.pick(&[&b"--B--\r\n"[..], b"--B--\r\n", b"--B--", b""]));
        out
    }

    fn xml(&mut self) -> Vec<u8> {
        let mut out = b"<x>".to_vec();
        for _ in 0..self.choices.below(3) {
            let text: Vec<u8> = self
                .value()
                .into_iter()
                .filter(|byte| !matches!(byte, b'<' | b'&' | b'\'' | 0..=8))
                .collect();
            out.extend(b"<y b='");
            out.extend(&text);
            out.extend(b"'>");
            out.extend(text);
            out.extend(b"</y>");
        }
        out.extend(*self.choices.pick(&[&b"</x>"[..], b"</x>", b"</x>", b"<"]));
        out
    }

    fn response(&mut self) -> (ResponseHead, Vec<u8>) {
        let status = *self.choices.pick(&[200, 200, 404, 500, 302]);
        let mut headers = Fields::new();
        let content_type = *self.choices.pick(&["text/html", "application/json; charset=utf-8", "image/png"]);
        headers.push(b"Content-Type", content_type.as_bytes());
        if self.choices.once_in(3) {
            headers.push(b"X-R", &without_line_ends(self.value()));
        }
        let mut body = self.value();
        for _ in 0..self.choices.below(3) {
            body.extend(self.value());
        }
        let head = ResponseHead {
            line: format!("HTTP/1.1 {status} X").into_bytes(),
            version: b"HTTP/1.1".to_vec(),
            status,
            headers,
            ..ResponseHead::default()
        };
        (head, body)
    }
}

/// Names of arguments; rules name the first two oftenest.
const NAMES: &[&str] = &["a", "b", "a", "b", "A", "bb", "json.a", "c", "x1", "", "ba"];

/// What benign requests hold, and what stands in no rule.
const PLAIN: &[&str] = &[
    "a",
    "ab",
    "AB",
    "hello world",
    "1",
    "12",
    "0",
    "5",
    "x",
    "",
    "zzz",
    "the quick brown fox",
    "a=b",
    "1 2 3",
    "%61",
];

/// Percent-encoded: all of it, or what has to be.
fn percent(value: &[u8], all: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b' ' if !all => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'/' | b'(' | b'<' if !all => {
                out.push(*byte)
            }
            _ => out.extend(format!("%{byte:02x}").into_bytes()),
        }
    }
    out
}

fn base64(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = palisade_codec::Transformation::Base64Encode.apply(
        value,
        &mut out,
        &palisade_codec::Context::default(),
    );
    out
}
