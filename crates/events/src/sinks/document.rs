//! A record on its way to a sink.

use std::borrow::Cow;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A decision.
    Waf,
    /// Requests, aggregated.
    L7,
    /// An alert that fired.
    Alerts,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waf, Self::L7, Self::Alerts];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waf => "waf",
            Self::L7 => "l7",
            Self::Alerts => "alerts",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its id, the same whenever it is sent.
    pub id: u128,
    /// When it was recorded, in milliseconds since 1970.
    pub time_ms: u64,
    /// Its JSON: one line, without what a terminal acts on.
    pub json: Box<str>,
}

impl Document {
    /// A record of JSON on one line.
    #[must_use]
    pub fn new(kind: Kind, id: u128, time_ms: u64, json: &str) -> Self {
        Self { kind, id, time_ms, json: plain(json).into() }
    }

    /// Bytes that it holds, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.json.len() + 64
    }

    /// As a line of a file, without its end.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let head = format!("{} {:032x} {} ", self.kind.as_str(), self.id, self.time_ms);
        to.extend_from_slice(head.as_bytes());
        to.extend_from_slice(self.json.as_bytes());
    }

    /// From a line of a file.
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        let kind = Kind::parse(parts.next()?)?;
        let id = u128::from_str_radix(parts.next()?, 16).ok()?;
        let time_ms = parts.next()?.parse().ok()?;
        let json = parts.next().filter(|json| json.starts_with('{') && json.ends_with('}'))?;
        Some(Self { kind, id, time_ms, json: json.into() })
    }
}

/// JSON escapes what is below a blank. What a terminal or a reader of lines acts on beyond that is escaped here: DEL, the
/// controls from U+0080 to U+009F, and the two line ends of Unicode.
fn plain(json: &str) -> Cow<'_, str> {
    let acts =
        |char: char| matches!(char, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}');
    if !json.contains(acts) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        match char {
            // Between values of JSON they are blanks.
            '\n' | '\r' | '\t' => out.push(' '),
            char if acts(char) => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
    Cow::Owned(out)
}
