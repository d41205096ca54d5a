//! The places of a message, in order.

use std::borrow::Cow;

use palisade_http::{
    BodyLimits, CookieFormat, Fields, Multipart, RequestHead, Target, form::parse_form, parse_cookies,
    target::percent_decode,
};
use palisade_model::{Part, Point, Root};

use super::Descent;
use super::body::{Body, Parts};
use crate::Progress;
use crate::detectors::{HEAD_DETECTORS, HeadEvidence};

/// The places of an exchange, and how many have been looked at.
#[derive(Debug)]
pub(crate) struct Roots {
    body: Body,
    done: usize,
}

impl Roots {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, done: 0 }
    }

    /// Looks at places that have not been looked at, until a share of work is done. A place that takes more than a share
    /// by itself is looked at whole: what one place can cost is bounded by [`crate::DetectLimits`].
    pub(crate) fn look(&mut self, head: &RequestHead, descent: &mut Descent, share_bytes: usize) -> Progress {
        let until = descent.spent.work_bytes.saturating_add(share_bytes);
        let (mut number, done) = (0, self.done);
        let mut place = |descent: &mut Descent, look: &mut dyn FnMut(&mut Descent)| {
            number += 1;
            if number <= done {
                return true;
            }
            if descent.spent.work_bytes >= until {
                return false;
            }
            look(descent);
            true
        };
        let finished = in_head(head, descent, &mut place) && in_body(&self.body, descent, &mut place);
        self.done = if finished { number } else { number - 1 };
        if finished { Progress::Done } else { Progress::Yield }
    }
}

/// Calls with each place; answers whether to go on.
type Visit<'v> = dyn FnMut(&mut Descent, &mut dyn FnMut(&mut Descent)) -> bool + 'v;

fn in_head(head: &RequestHead, descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    let on = place(descent, &mut |descent| {
        for detector in HEAD_DETECTORS {
            (detector.look)(head, &mut HeadEvidence { detector, findings: &mut descent.findings });
        }
    });
    let target = Target::new(&head.target, &head.method);
    on && place(descent, &mut |descent| path(target.path(), descent))
        && target.query().is_none_or(|text| query(text, descent, place))
        && headers(&head.headers, descent, place)
}

fn path(raw: &[u8], descent: &mut Descent) {
    let whole = percent_decode(raw);
    descent.look(Point { root: Root::Path, part: Part::Value, path: b"" }, &whole);
    for (number, segment) in raw.split(|byte| *byte == b'/').skip(1).enumerate() {
        if !segment.is_empty() && segment.len() < raw.len() - 1 {
            let number = number.to_string();
            let point = Point { root: Root::Path, part: Part::Value, path: number.as_bytes() };
            descent.look(point, &percent_decode(segment));
        }
    }
}

fn query(text: &[u8], descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    let limits = BodyLimits { arguments_max: descent.limits.values_max, ..BodyLimits::default() };
    let form = parse_form(text, &limits);
    // A query that is no list of parameters is a text of its own: `?<script>`.
    let listed = memchr::memchr(b'=', text).is_some();
    let whole = Point { root: Root::Query, part: Part::Value, path: b"" };
    (listed || place(descent, &mut |descent| descent.look(whole, &percent_decode(text))))
        && fields(Root::Query, &form.fields, descent, place)
}

fn headers(headers: &Fields, descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    headers.iter().all(|(name, value)| {
        let name = lowercase(name);
        if *name == *b"cookie" {
            let mut cookies = Fields::new();
            parse_cookies(value, CookieFormat::V0, b';', &mut cookies);
            return cookies.iter().all(|(name, value)| {
                let point = Point { root: Root::Cookie, part: Part::Value, path: name };
                place(descent, &mut |descent| {
                    descent.look(Point { part: Part::Name, ..point }, &percent_decode(name));
                    descent.look(point, &percent_decode(value));
                })
            });
        }
        place(descent, &mut |descent| match is_negotiation(&name, value) {
            true => descent.meet(Point { root: Root::Header, part: Part::Value, path: &name }),
            false => descent.look_at_header(&name, value),
        })
    })
}

/// A name in lower case; it often is.
fn lowercase(name: &[u8]) -> Cow<'_, [u8]> {
    let has_capitals = name.iter().any(u8::is_ascii_uppercase);
    if has_capitals { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}

/// Whether a header is what a client says of the kinds, languages and codings that it takes, in the form that the header
/// has: nothing else fits into that, and every request has the three.
fn is_negotiation(name: &[u8], value: &[u8]) -> bool {
    let range: fn(&[u8]) -> bool = match name {
        b"accept" => |range| match memchr::memchr(b'/', range) {
            Some(slash) => is_lower_word(&range[..slash]) && is_lower_word(&range[slash + 1..]),
            None => false,
        },
        b"accept-encoding" => |range| range.len() <= RANGE_BYTES_MAX && is_lower_word(range),
        b"accept-language" => |range| {
            range.len() <= RANGE_BYTES_MAX
                && (range == b"*" || range.split(|byte| *byte == b'-').all(is_language_tag))
        },
        _ => return false,
    };
    value.split(|byte| *byte == b',').all(|element| {
        let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        parts.next().is_some_and(range)
            && parts.all(|weight| match weight {
                [b'q' | b'v', b'=', number @ ..] => {
                    number.iter().all(|byte| byte.is_ascii_digit() || b".b".contains(byte))
                }
                _ => false,
            })
    })
}

/// Whether a text is a part of a language's name (RFC 5646, section 2.1).
fn is_language_tag(tag: &[u8]) -> bool {
    (1..=8).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric)
}

/// Bytes of a language or coding: `zh-Hans-CN`.
const RANGE_BYTES_MAX: usize = 12;

/// Whether a text is a name as media types have them, or `*`.
fn is_lower_word(text: &[u8]) -> bool {
    text == b"*"
        || !text.is_empty()
            && text.len() <= 4 * RANGE_BYTES_MAX
            && !text.windows(2).any(|pair| pair == b"..")
            && text
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(byte))
}

fn in_body(body: &Body, descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    let whole = Point { root: Root::Body, part: Part::Value, path: b"" };
    let on = match &body.parts {
        Parts::Form(form) => fields(Root::Form, form, descent, place),
        Parts::Json(leaves) => pointed(Root::Json, leaves, descent, place),
        Parts::Xml { doctype, points } => {
            place(descent, &mut |descent| descent.look(whole, doctype))
                && pointed(Root::Xml, points, descent, place)
        }
        Parts::Multipart(multipart) => in_multipart(multipart, descent, place),
        Parts::Protobuf(texts) => texts.iter().all(|(path, value)| {
            let point = Point { root: Root::Protobuf, part: Part::Value, path };
            place(descent, &mut |descent| descent.look(point, value))
        }),
        Parts::None => true,
    };
    on && (!body.raw_matters || place(descent, &mut |descent| descent.look(whole, &body.raw)))
        && place(descent, &mut |descent| {
            if body.truncated {
                descent.met("raw_body_bytes_max", whole);
            }
            for met in body.limit_hits.iter().map(|hit| hit.name()).chain(body.met) {
                descent.met(met, whole);
            }
            if let Some(noted) = &body.noted {
                descent.findings.note(noted.clone(), whole, &[], b"");
            }
        })
}

fn in_multipart(multipart: &Multipart, descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    fields(Root::Multipart, &multipart.fields, descent, place)
        && multipart.files.iter().all(|file| {
            let name = Point { root: Root::FileName, part: Part::Value, path: &file.name };
            let content = Point { root: Root::File, part: Part::Value, path: &file.name };
            place(descent, &mut |descent| descent.look(name, &file.file_name))
                && place(descent, &mut |descent| descent.look(content, &file.content))
        })
}

/// Leaves of a tree by their paths.
fn pointed(root: Root, leaves: &Fields, descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    let mut names = NewNames::default();
    leaves.iter().all(|(path, value)| {
        place(descent, &mut |descent| {
            let named = Point { root, part: Part::Name, path };
            names.each(path, |name| descent.look(named, name));
            descent.look(Point { root, part: Part::Value, path }, value);
        })
    })
}

/// The names in the paths of a tree's leaves, each when it is met first: a step that the leaf before shares was met there.
#[derive(Debug, Default)]
pub(super) struct NewNames {
    before: Vec<u8>,
}

impl NewNames {
    /// Calls with each step of a path that is new and no number.
    pub(super) fn each(&mut self, path: &[u8], mut met: impl FnMut(&[u8])) {
        let shared = path.iter().zip(&self.before).take_while(|(a, b)| a == b).count();
        // From the beginning of the first step that differs.
        let from = memchr::memrchr(b'/', &path[..shared]).map_or(0, |slash| slash + 1);
        self.before.truncate(shared);
        self.before.extend_from_slice(&path[shared..]);
        let mut before =
            path[..from.saturating_sub(1)].rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        for step in path[from..].split(|byte| *byte == b'/') {
            if !step.iter().all(u8::is_ascii_digit) {
                met(&unescaped(step));
            }
            // Two names that only together reach somewhere.
            if before == b"constructor" && step == b"prototype" {
                met(b"constructor.prototype");
            }
            before = step;
        }
    }
}

/// A step of a pointer as the name that it stands for.
fn unescaped(step: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'~', step).is_none() {
        return Cow::Borrowed(step);
    }
    let mut out = Vec::with_capacity(step.len());
    let mut rest = step;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'~', [digit @ (b'0' | b'1'), after @ ..]) => {
                out.push(if *digit == b'0' { b'~' } else { b'/' });
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

/// Names and values of a list. A name is looked at under the path that it is. Values of one name that follow each other are
/// also looked at joined, as frameworks do: `a=1 union&a=select` is `1 union,select` to some.
fn fields(root: Root, fields: &Fields, descent: &mut Descent, place: &mut Visit<'_>) -> bool {
    let mut joined: Vec<u8> = Vec::new();
    let mut before: Option<(&[u8], &[u8])> = None;
    fields.iter().all(|(name, value)| {
        let repeats = before.is_some_and(|(before, _)| before == name);
        match before {
            Some((_, first)) if repeats && joined.is_empty() => joined.extend_from_slice(first),
            _ if !repeats => joined.clear(),
            _ => {}
        }
        if repeats && joined.len() + value.len() < JOINED_BYTES_MAX {
            joined.push(b',');
            joined.extend_from_slice(value);
        }
        before = Some((name, value));
        let joined = &joined;
        place(descent, &mut |descent| {
            let point = Point { root, part: Part::Value, path: name };
            if !repeats {
                descent.look(Point { root, part: Part::Name, path: name }, name);
            }
            descent.look(point, value);
            if repeats {
                descent.look_joined(point, joined);
            }
        })
    })
}

/// Bytes of joined values. More is not joined: each further one would be looked at with all before it.
const JOINED_BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_negotiate_is_told_from_what_only_stands_there() {
        for (name, value) in [
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
            ("accept", "application/signed-exchange;v=b3;q=0.7"),
            ("accept-language", "en-GB,en;q=0.8, zh-Hans-CN;q=0.5, *;q=0.1"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
        ] {
            assert!(is_negotiation(name.as_bytes(), value.as_bytes()), "{value}");
        }
        for (name, value) in [
            ("accept", "../../etc/passwd"),
            ("accept", "/etc/passwd"),
            ("accept", "text/html;id"),
            ("accept-language", "en' or 1=1"),
            ("accept-language", "1 or 1=1"),
            ("accept-language", "JyBPUiAxPTEgLS0"),
            ("accept-encoding", "${jndi:ldap://x}"),
            ("user-agent", "gzip"),
        ] {
            assert!(!is_negotiation(name.as_bytes(), value.as_bytes()), "{value}");
        }
    }
}
