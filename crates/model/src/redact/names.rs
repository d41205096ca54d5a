//! Names: which of them make their value a secret, and how they are read.

use std::borrow::Cow;

use memchr::memmem;

/// Parts of a name that make its value a secret.
pub const NAME_PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "sessid",
];

/// The same, with `_`, `-`, `.`, brackets and blanks in the name ignored: `api_key`, `x-api-key`, `apiKey`.
pub const JOINED_NAME_PARTS: &[&str] =
    &["apikey", "accesskey", "privatekey", "authkey", "secretkey", "sessionid", "cardnumber", "creditcard"];

/// Names, or words of a name (`user_pass`, `user[pin]`), whose value is a secret. `passenger` and `spin` are not.
pub const NAMES: &[&str] = &["pass", "pw", "pin", "cvv", "cvc", "cvv2", "otp", "jwt", "ccnum", "auth"];

/// Whether a value of this name is a secret by the built-in lists, or by further parts: lower case, joined. Percent-escapes
/// in the name are seen through.
pub(super) fn hides(name: &[u8], parts: &[Vec<u8>]) -> bool {
    let name = percent_decoded(name);
    let name = &*name;
    if NAME_PARTS.iter().any(|part| holds(name, part.as_bytes())) {
        return true;
    }
    if words(name).any(|word| NAMES.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()))) {
        return true;
    }
    let joined = joined(name);
    JOINED_NAME_PARTS.iter().any(|part| memmem::find(&joined, part.as_bytes()).is_some())
        || parts.iter().any(|part| memmem::find(&joined, part).is_some())
}

/// Whether a name holds a part, which is lower case.
pub(super) fn holds(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// A name in lower case, without what separates its words.
pub(super) fn joined(name: &[u8]) -> Vec<u8> {
    let kept = |byte: &u8| !matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b' ' | b':');
    name.iter().copied().filter(|byte| kept(byte)).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// The words of a name: `user_pass`, `userPass` and `user[pass]` have two. Digits belong to their word.
pub(super) fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| !byte.is_ascii_alphanumeric()).flat_map(|run| {
        let mut rest = run;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let turn =
                rest.windows(2).position(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
            let (word, after) = rest.split_at(turn.map_or(rest.len(), |at| at + 1));
            rest = after;
            Some(word)
        })
    })
}

pub(super) fn percent_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let hex = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(out)
}

/// A JSON string's text, as far as names need it: `\uHHHH` of ASCII, and `\` before anything else dropped.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digits = text.get(at + 1..at + 5).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (text.get(at), code) {
            (Some(b'u'), Some(code)) => {
                out.push(code);
                at += 5;
            }
            (Some(&other), _) => {
                out.push(other);
                at += 1;
            }
            (None, _) => {}
        }
    }
    Cow::Owned(out)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderKind {
    Credentials,
    Cookies,
    Other,
}

pub(super) fn header_kind(name: &[u8]) -> HeaderKind {
    let is = |one: &str| name.eq_ignore_ascii_case(one.as_bytes());
    if is("authorization") || is("proxy-authorization") {
        HeaderKind::Credentials
    } else if is("cookie") || is("set-cookie") || is("cookie2") || is("set-cookie2") {
        HeaderKind::Cookies
    } else {
        HeaderKind::Other
    }
}
