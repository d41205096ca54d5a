//! Stand-ins: what takes the place of a secret in a copy of a request that is to be inspected again.
//!
//! Stars would do for a reader, but an inspection that meets them meets another request. A stand-in keeps the class of
//! what it hides and nothing else: the class of its length (a power of two), and which of lower case, upper case and
//! digits occur. A number stays a number, so that JSON stays JSON. What it cannot keep is said beside it: whether the value
//! was *plain*, so that hardly anything looks for attacks in values like it, or held what attacks are written with.
//!
//! A stand-in is known when it is seen again ([`holds_stand_in`]): who finds an attack in one has found our words.

use std::ops::Range;

use memchr::memmem;

use super::excerpt::Spans;
use super::names::percent_decoded;
use super::{BodyForm, Place, Redactor};

/// A text with stand-ins where its secrets were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// The text.
    pub text: Vec<u8>,
    /// How many values were replaced.
    pub masked: usize,
    /// How many of them were not plain: they held quotes, brackets, escapes, another language's marks.
    pub not_plain: usize,
}

impl Redactor {
    /// A request target. Secrets are those that [`target`](Self::target) masks, however long it is.
    pub fn target_with_stand_ins(&self, target: &[u8]) -> StandIn {
        let mut spans = Spans::default();
        self.in_target(target, &mut spans);
        replaced(target, &spans)
    }

    /// The value of a request's header, as [`header`](Self::header) masks it.
    pub fn header_with_stand_ins(&self, name: &[u8], value: &[u8]) -> StandIn {
        let mut spans = Spans::default();
        self.in_header(&Place::RequestHeader(name.to_vec()), value, &mut spans);
        replaced(value, &spans)
    }

    /// A body, as [`body`](Self::body) masks it.
    pub fn body_with_stand_ins(&self, form: BodyForm, body: &[u8]) -> StandIn {
        let mut spans = Spans::default();
        self.in_body(form, body, &mut spans);
        replaced(body, &spans)
    }

    /// Whether something in a text would be masked: a text of several values, such as a body.
    pub fn finds_secrets_in(&self, text: &[u8]) -> bool {
        let mut spans = Spans::default();
        self.in_text(text, 0, &mut spans);
        super::cards(text, &mut spans);
        !spans.0.is_empty()
    }
}

/// Whether a text holds a stand-in, letter case aside. A text of a client's own may hold the same: whoever asks takes it
/// for a doubt, never for a decision.
pub fn holds_stand_in(text: &[u8]) -> bool {
    memmem::find(text, DIGITS_MARK).is_some()
        || text.windows(LETTERS_MARK.len()).any(|window| window.eq_ignore_ascii_case(LETTERS_MARK))
}

fn replaced(text: &[u8], spans: &Spans) -> StandIn {
    let mut out = StandIn { text: Vec::with_capacity(text.len()), masked: 0, not_plain: 0 };
    let mut at = 0;
    for Range { start, end } in spans.merged() {
        out.text.extend_from_slice(&text[at..start]);
        let secret = &text[start..end];
        // Words of JSON tell nothing, and another word in their place would break it.
        if matches!(secret, b"true" | b"false" | b"null") {
            out.text.extend_from_slice(secret);
        } else {
            out.masked += 1;
            out.not_plain += usize::from(!text_is_plain(&percent_decoded(secret), DECODINGS_MAX));
            stand_in(secret, &mut out.text);
        }
        at = end;
    }
    out.text.extend_from_slice(&text[at..]);
    out
}

/// What stand-ins of letters begin with, and those of digits alone.
const LETTERS_MARK: &[u8] = b"masked";
const DIGITS_MARK: &[u8] = b"10293847";

/// Lengths of stand-ins: the greatest power of two that is not longer than the secret, so that no bound on lengths is met
/// by a stand-in that the secret did not meet; but long enough to be known.
const LENGTH_MIN: usize = 8;
const LENGTH_MAX: usize = 64 * 1024;

fn stand_in(secret: &[u8], out: &mut Vec<u8>) {
    let length = match secret.len().checked_ilog2() {
        Some(log) => (1usize << log).clamp(LENGTH_MIN, LENGTH_MAX),
        None => LENGTH_MIN,
    };
    let has = |is: fn(&u8) -> bool| secret.iter().any(is);
    let (lower, upper, digit) =
        (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase), has(u8::is_ascii_digit));
    let is_number = digit && secret.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
    if is_number {
        out.extend(DIGITS_MARK.iter().cycle().take(length));
        return;
    }
    let mark: Vec<u8> = match (lower, upper) {
        (false, true) => LETTERS_MARK.to_ascii_uppercase(),
        _ => LETTERS_MARK.to_vec(),
    };
    let mut class = Vec::new();
    if lower || !upper && !digit {
        class.push(b'a');
    }
    if upper {
        class.push(b'A');
    }
    if digit {
        class.push(b'1');
    }
    let rest = length - mark.len();
    out.extend_from_slice(&mark);
    out.extend(class.iter().cycle().take(rest));
}

/// Texts inside one another that are looked at: base64 of JSON of base64.
const DECODINGS_MAX: usize = 3;
/// Bytes of a value that are looked at; longer ones are not plain.
const PLAIN_BYTES_MAX: usize = 16 * 1024;
/// Base64 that is shorter says hardly anything.
const BASE64_BYTES_MIN: usize = 16;

/// Whether a value is made of what tokens, names and numbers are made of, also where it is base64 of a text. Base64 of bytes
/// that are no text is somebody's key, and plain.
fn is_plain(value: &[u8], decodings: usize) -> bool {
    if value.len() > PLAIN_BYTES_MAX {
        return false;
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~:=/+,@ ".contains(byte);
    if !value.iter().all(plain)
        || memmem::find(value, b"..").is_some()
        || memmem::find(value, b"//").is_some()
    {
        return false;
    }
    // A JWT is base64 in three parts, `Basic` credentials are one.
    value.split(|byte| b".: ,@".contains(byte)).all(|part| match base64_text(part) {
        Some(text) => decodings > 0 && text_is_plain(&text, decodings - 1),
        None => true,
    })
}

/// The same of a text that may be JSON, which is plain where its texts are.
fn text_is_plain(text: &[u8], decodings: usize) -> bool {
    match text.first() {
        Some(b'{' | b'[') if text.len() <= PLAIN_BYTES_MAX => text
            .split(|byte| b"{}[],\":".contains(byte))
            .map(<[u8]>::trim_ascii)
            .all(|part| is_plain(part, decodings)),
        _ => is_plain(text, decodings),
    }
}

/// What base64 of a text stands for; `None` where it is none, or its bytes are no text.
fn base64_text(part: &[u8]) -> Option<Vec<u8>> {
    let body = part.trim_ascii_end();
    let body = &body[..body.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1)];
    if body.len() < BASE64_BYTES_MIN || body.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    out.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stand_in: &StandIn) -> &str {
        std::str::from_utf8(&stand_in.text).unwrap()
    }

    #[test]
    fn a_stand_in_keeps_the_class_of_length_and_of_characters_and_nothing_else() {
        let redactor = Redactor::new();
        for (target, expected, not_plain) in [
            ("/login?user=ann&password=hunter2&x=1", "/login?user=ann&password=maskeda1&x=1", 0),
            ("/?password=CORRECTHORSE", "/?password=MASKEDAA", 0),
            ("/?password=Correct-Horse-4", "/?password=maskedaA", 0),
            ("/?password=Correct-Horse-42-Battery", "/?password=maskedaA1aA1aA1a", 0),
            ("/?pin=1234", "/?pin=10293847", 0),
            ("/?card=4111111111111111", "/?card=1029384710293847", 0),
            ("/?password=%27+or+1%3D1", "/?password=maskedaA", 1),
            ("/?password=x'--", "/?password=maskedaa", 1),
            (
                "/?token=%7B%22id%22%3A7%2C%22tags%22%3A%5B%22a%22%5D%7D",
                "/?token=maskedaA1aA1aA1aA1aA1aA1aA1aA1aA",
                0,
            ),
            ("/?token=%7B%22id%22%3A%22%27--%22%7D", "/?token=maskedaA1aA1aA1a", 1),
            ("/?q=plain", "/?q=plain", 0),
        ] {
            let masked = redactor.target_with_stand_ins(target.as_bytes());
            assert_eq!((text(&masked), masked.not_plain), (expected, not_plain), "{target}");
            assert_eq!(holds_stand_in(&masked.text), masked.masked > 0, "{target}");
        }
    }

    #[test]
    fn json_stays_json() {
        let redactor = Redactor::with_names(["ssn"]);
        let body =
            br#"{"pin":12345,"password":"a\"b","token":null,"secret":{"deep":[true,-1.5e3,"x"]},"ssn":"123-45-6789","q":"v"}"#;
        let masked = redactor.body_with_stand_ins(BodyForm::Json, body);
        let json: serde_json::Value = serde_json::from_slice(&masked.text).unwrap();
        assert_eq!(json["pin"], 10293847);
        assert_eq!((&json["password"], &json["token"]), (&"maskedaa".into(), &serde_json::Value::Null));
        assert_eq!(json["secret"]["deep"], serde_json::json!([true, 10293847, "maskedaa"]));
        assert_eq!((&json["ssn"], &json["q"]), (&"10293847".into(), &"v".into()));
        assert_eq!((masked.masked, masked.not_plain), (5, 1));
    }

    #[test]
    fn headers_keep_their_form() {
        let redactor = Redactor::new();
        let header = |name: &str, value: &str| {
            let masked = redactor.header_with_stand_ins(name.as_bytes(), value.as_bytes());
            (text(&masked).to_owned(), masked.not_plain)
        };
        let session = "sid=3f2a9c; theme=dark";
        assert_eq!(header("Cookie", session), ("sid=maskeda1; theme=maskedaa".into(), 0));
        assert_eq!(header("Cookie", "id=<script>").1, 1);
        assert_eq!(header("Authorization", "Bearer abc"), ("Bearer maskedaa".into(), 0));
        assert_eq!(header("Accept", "text/html"), ("text/html".into(), 0));
    }

    #[test]
    fn base64_is_as_plain_as_what_it_stands_for() {
        let plain = |value: &str| is_plain(value.as_bytes(), DECODINGS_MAX);
        // {"alg":"HS256","typ":"JWT"} . {"sub":"1234567890","name":"John Doe"} . bytes
        let jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        assert!(plain(jwt));
        // {"sub":"' or 1=1--"}
        assert!(!plain("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiInIG9yIDE9MS0tIn0.dozjgNryP4J3"));
        // user:password, and user:' or 1=1--
        assert!(plain("dXNlcjpwYXNzd29yZA=="));
        assert!(!plain("dXNlcjonIG9yIDE9MS0t"));
        assert!(plain("3f2a9c") && !plain("../etc/passwd") && !plain("a\u{e9}") && !plain("x;y"));
    }
}
