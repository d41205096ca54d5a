//! A request target in its parts, raw and decoded.
//!
//! Which variable is which, observed on libmodsecurity 3.0.9 unless said otherwise:
//!
//! | variable | here |
//! |---|---|
//! | `REQUEST_URI_RAW` | [`Target::raw`] |
//! | `REQUEST_URI` | [`Target::request_uri_decoded`]; raw: [`Target::path_and_query`] |
//! | `REQUEST_FILENAME`, `PATH_INFO` | [`Target::filename_decoded`]; raw: [`Target::filename_raw`] |
//! | `REQUEST_BASENAME` | [`Target::basename`] of either |
//! | `QUERY_STRING` | [`Target::query`] |
//!
//! Differs: 3.0.9 decodes first and looks for `?` afterwards, so that `/a%3f/../b` hides `/../b` from rules
//! (CVE-2024-1019). We split first and decode the parts, as 3.0.12 does.

use std::ops::Range;

/// Which of the four forms of RFC 9112 section 3.2 a target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://host/path?query`.
    Absolute,
    /// `host:port`, for CONNECT.
    Authority,
    /// `*`, for OPTIONS.
    Asterisk,
    /// None of them. All of it up to `?` is taken for the path.
    Other,
}

/// A target and where its parts are. The first `?` begins the query, the first `#` the fragment.
#[derive(Clone, Debug)]
pub struct Target {
    raw: Vec<u8>,
    form: TargetForm,
    scheme: Range<usize>,
    authority: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    fragment: Option<Range<usize>>,
}

impl Target {
    /// Splits a target as sent. `method` decides only whether `host:port` is an authority. Never fails. O(n).
    pub fn new(raw: &[u8], method: &[u8]) -> Self {
        Self::reusing(raw, method, Vec::new())
    }

    /// [`Target::new`] in memory that is there already; what it holds is forgotten.
    pub fn reusing(raw: &[u8], method: &[u8], mut memory: Vec<u8>) -> Self {
        memory.clear();
        memory.extend_from_slice(raw);
        let fragment_at = memchr::memchr(b'#', raw);
        let before_fragment = fragment_at.unwrap_or(raw.len());
        let query_at = memchr::memchr(b'?', &raw[..before_fragment]);
        let path_end = query_at.unwrap_or(before_fragment);
        let mut target = Target {
            raw: memory,
            form: TargetForm::Other,
            scheme: 0..0,
            authority: 0..0,
            path: 0..path_end,
            query: query_at.map(|at| at + 1..before_fragment),
            fragment: fragment_at.map(|at| at + 1..raw.len()),
        };
        if raw.starts_with(b"/") {
            target.form = TargetForm::Origin;
        } else if raw == b"*" {
            target.form = TargetForm::Asterisk;
        } else if method == b"CONNECT" && path_end == raw.len() && is_host_and_port(raw) {
            target.form = TargetForm::Authority;
            target.authority = 0..raw.len();
            target.path = raw.len()..raw.len();
        } else if let Some(colon) = scheme_end(&raw[..path_end]) {
            let start = colon + 3;
            let slash = memchr::memchr(b'/', &raw[start..path_end]).map_or(path_end, |at| start + at);
            target.form = TargetForm::Absolute;
            target.scheme = 0..colon;
            target.authority = start..slash;
            target.path = slash..path_end;
        }
        target
    }

    /// Its memory, for [`Target::reusing`].
    pub fn into_memory(self) -> Vec<u8> {
        self.raw
    }

    /// The target as sent (`REQUEST_URI_RAW`).
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Its form.
    pub fn form(&self) -> TargetForm {
        self.form
    }

    /// The scheme of an absolute target, as sent; else empty.
    pub fn scheme(&self) -> &[u8] {
        &self.raw[self.scheme.clone()]
    }

    /// Host and port of an absolute or authority target, as sent; else empty.
    pub fn authority(&self) -> &[u8] {
        &self.raw[self.authority.clone()]
    }

    /// The path as sent, without scheme, authority, query and fragment.
    pub fn path(&self) -> &[u8] {
        &self.raw[self.path.clone()]
    }

    /// The query as sent, without `?` (`QUERY_STRING`); `None` without one.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.clone().map(|range| &self.raw[range])
    }

    /// The fragment as sent, without `#`.
    pub fn fragment(&self) -> Option<&[u8]> {
        self.fragment.clone().map(|range| &self.raw[range])
    }

    /// Path and query as sent, without scheme, authority and fragment. Without a path (`host:80`, `http://host`) it is
    /// all before the fragment, as in v3.
    pub fn path_and_query(&self) -> &[u8] {
        let end = self.query.as_ref().map_or(self.path.end, |query| query.end);
        let start = if self.path.is_empty() { 0 } else { self.path.start };
        &self.raw[start..end]
    }

    /// `REQUEST_URI` as 3.0.9 gives it: [`Target::path_and_query`], percent-decoded, `+` kept.
    pub fn request_uri_decoded(&self) -> Vec<u8> {
        percent_decode(self.path_and_query())
    }

    /// [`Target::request_uri_decoded`] in place of what a buffer holds.
    pub fn write_request_uri(&self, out: &mut Vec<u8>) {
        percent_decode_into(self.path_and_query(), out);
    }

    /// Everything before `?` and `#`, scheme and authority included (v3's `REQUEST_FILENAME`, raw).
    pub fn filename_raw(&self) -> &[u8] {
        &self.raw[..self.path.end]
    }

    /// [`Target::filename_raw`], percent-decoded, `+` kept (`REQUEST_FILENAME` in 3.0.9).
    pub fn filename_decoded(&self) -> Vec<u8> {
        percent_decode(self.filename_raw())
    }

    /// [`Target::filename_decoded`] in place of what a buffer holds.
    pub fn write_filename(&self, out: &mut Vec<u8>) {
        percent_decode_into(self.filename_raw(), out);
    }

    /// What follows the last `/` or `\` of a file name (`REQUEST_BASENAME`); empty when there is neither.
    pub fn basename(filename: &[u8]) -> &[u8] {
        match memchr::memrchr2(b'/', b'\\', filename) {
            Some(at) => &filename[at + 1..],
            None => &[],
        }
    }
}

/// Where the `://` of an absolute target begins.
fn scheme_end(text: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', text)?;
    let scheme = &text[..colon];
    let named = scheme.first()?.is_ascii_alphabetic()
        && scheme.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (named && text[colon..].starts_with(b"://")).then_some(colon)
}

fn is_host_and_port(text: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', text) else { return false };
    let port = &text[colon + 1..];
    colon > 0
        && !port.is_empty()
        && port.iter().all(u8::is_ascii_digit)
        && !text[..colon].iter().any(|byte| b"/\\@".contains(byte))
}

/// The host of an authority (`host:port`, `[::1]:port`) as it is written: without port, and without the dot that ends an
/// absolute name. `None` for an address whose bracket does not close. Routes and policies agree on hosts by this.
pub fn host_of_authority(authority: &[u8]) -> Option<&[u8]> {
    let host = match authority {
        [b'[', ..] => {
            let end = authority.iter().position(|byte| *byte == b']')?;
            &authority[..=end]
        }
        _ => authority.split(|byte| *byte == b':').next().unwrap_or_default(),
    };
    Some(host.strip_suffix(b".").unwrap_or(host))
}

/// Decodes `%HH`; anything else, `+` included, stays. O(n).
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    percent_decode_into(text, &mut out);
    out
}

/// [`percent_decode`] into memory that is there already; what it holds is forgotten.
pub fn percent_decode_into(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut index = 0;
    while index < text.len() {
        let plain = memchr::memchr(b'%', &text[index..]).unwrap_or(text.len() - index);
        out.extend_from_slice(&text[index..index + plain]);
        index += plain;
        if index == text.len() {
            break;
        }
        if let (Some(high), Some(low)) =
            (text.get(index + 1).and_then(|&b| hex_digit(b)), text.get(index + 2).and_then(|&b| hex_digit(b)))
        {
            out.push(high << 4 | low);
            index += 3;
        } else {
            out.push(text[index]);
            index += 1;
        }
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
