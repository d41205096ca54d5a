//! A request target in its parts, raw and decoded.

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
        let _ = method;
        Target {
            raw: raw.to_vec(),
            form: TargetForm::Origin,
            scheme: 0..0,
            authority: 0..0,
            path: 0..raw.len(),
            query: None,
            fragment: None,
        }
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

    /// Path and query as sent, without scheme, authority and fragment.
    pub fn path_and_query(&self) -> &[u8] {
        let end = self.query.as_ref().map_or(self.path.end, |query| query.end);
        &self.raw[self.path.start..end]
    }

    /// `REQUEST_URI` as 3.0.9 gives it: [`Target::path_and_query`], percent-decoded, `+` kept.
    pub fn request_uri_decoded(&self) -> Vec<u8> {
        percent_decode(self.path_and_query())
    }

    /// Everything before `?` and `#`, scheme and authority included (v3's `REQUEST_FILENAME`, raw).
    pub fn filename_raw(&self) -> &[u8] {
        &self.raw[..self.path.end]
    }

    /// [`Target::filename_raw`], percent-decoded, `+` kept (`REQUEST_FILENAME` in 3.0.9).
    pub fn filename_decoded(&self) -> Vec<u8> {
        percent_decode(self.filename_raw())
    }

    /// What follows the last `/` or `\` of a file name (`REQUEST_BASENAME`).
    pub fn basename(filename: &[u8]) -> &[u8] {
        let start = filename.iter().rposition(|&b| b == b'/' || b == b'\\').map_or(0, |at| at + 1);
        &filename[start..]
    }
}

/// Decodes `%HH`; anything else, `+` included, stays. O(n).
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut index = 0;
    while index < text.len() {
        if text[index] == b'%'
            && let (Some(high), Some(low)) = (
                text.get(index + 1).and_then(|&b| hex_digit(b)),
                text.get(index + 2).and_then(|&b| hex_digit(b)),
            )
        {
            out.push(high << 4 | low);
            index += 3;
        } else {
            out.push(text[index]);
            index += 1;
        }
    }
    out
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
