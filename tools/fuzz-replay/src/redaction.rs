//! Redaction: what comes out is bounded and printable, and holds no part of a secret that its names give away.

use palisade_model::{BodyForm, Place, Redactor};

/// Any bytes as every kind of text, bounded anywhere; and around a secret that occurs nowhere else.
///
/// # Panics
/// When something did not hold.
pub fn redaction(bytes: &[u8]) {
    let (bytes_max, bytes) = match bytes {
        [first, rest @ ..] => (usize::from(*first) * 16, rest),
        [] => (0, bytes),
    };
    let redactor = Redactor::with_names(["x"]).knowing([&bytes[..bytes.len().min(6)]]);
    let places = [
        Place::RequestHeader(b"Cookie".to_vec()),
        Place::RequestHeader(b"Authorization".to_vec()),
        Place::RequestHeader(b"Referer".to_vec()),
        Place::ResponseHeader(b"Set-Cookie".to_vec()),
    ];
    let lines = [
        redactor.text(bytes, bytes_max),
        redactor.target(bytes, bytes_max),
        redactor.finding(bytes, bytes_max),
    ];
    let headers = places.iter().map(|place| redactor.header(place, bytes, bytes_max));
    for line in lines.into_iter().chain(headers) {
        assert!(line.as_str().len() <= bytes_max);
        assert!(!line.as_str().chars().any(char::is_control), "{line}");
        assert!(line.left_out_bytes() <= bytes.len());
    }
    for form in [BodyForm::Form, BodyForm::Json, BodyForm::Text] {
        let body = redactor.body(form, bytes, bytes_max);
        assert!(body.as_str().len() <= bytes_max);
        assert!(
            body.as_str().replace("\r\n", "").chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        );
    }
    // What stands before a secret may change how it is read, but not in a form: `&` ends all that was open.
    const SECRET: &[u8] = b"hunter2HUNTER2hunter2";
    if !bytes.windows(4).any(|part| SECRET.windows(4).any(|secret| part.eq_ignore_ascii_case(secret))) {
        let form = [bytes, b"&password=", SECRET, b"&", bytes].concat();
        for shown in [
            redactor.body(BodyForm::Form, &form, bytes_max),
            redactor.target(&[b"/?", form.as_slice()].concat(), bytes_max),
        ] {
            assert!(!shown.as_str().contains("hunt") && !shown.as_str().contains("HUNT"), "{shown}");
        }
    }
}
