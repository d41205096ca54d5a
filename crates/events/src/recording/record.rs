//! One recorded request: what is needed to inspect it again, and what was decided about it.
//!
//! On its way into a file it is JSON followed by the bytes of the body. New fields have defaults, so that older files stay
//! readable; what only a newer version can mean raises the version of the file.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of one record's JSON and of its body: what a file says beyond these is no record of ours.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

/// A recorded request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The id that we gave it.
    pub id: String,
    /// When its head was whole: milliseconds since 1970.
    pub at: u64,
    /// The listener that took it.
    pub listener: String,
    /// The service that it was for.
    pub service: String,
    /// What inspected it, as a digest: equal ones decide alike. Empty: not known.
    #[serde(default)]
    pub inspected_by: String,
    /// Who the trusted hops say it is.
    pub client: Option<SocketAddr>,
    /// The socket's other end.
    pub peer: Option<SocketAddr>,
    /// Where it arrived.
    pub server: Option<SocketAddr>,
    /// Where it may go, where it is a workload's own call.
    #[serde(default)]
    pub towards: Vec<SocketAddr>,
    /// What its certificate says; `None` where none was asked for.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// What its handshake settled; `None` where it was plain.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The list that its source was on.
    #[serde(default)]
    pub list: Option<OnList>,
    /// The request line, where it is not just method, target and version.
    #[serde(default)]
    pub line: Option<Text>,
    /// The method.
    pub method: Text,
    /// The target as sent, stand-ins for secrets.
    pub target: Text,
    /// The version, `HTTP/1.1`.
    pub version: Text,
    /// The headers in order, stand-ins for secrets.
    pub headers: Vec<(Text, Text)>,
    /// What was odd about the head, by name.
    #[serde(default)]
    pub odd: Vec<String>,
    /// What there is of the body.
    pub body_copy: BodyCopy,
    /// How long the body was, as far as it was read.
    pub body_bytes: u64,
    /// Places with stand-ins in them: `target`, `header:cookie`, `body`.
    #[serde(default)]
    pub masked: Vec<String>,
    /// Those of them whose values were not plain: what was written there is what attacks are written with.
    #[serde(default)]
    pub not_plain: Vec<String>,
    /// What was decided.
    pub decided: Decided,
    /// The body, as much of it as was kept, stand-ins for secrets. Not in the JSON.
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// How much of a body a record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyCopy {
    /// All of it; perhaps there was none.
    #[default]
    Whole,
    /// Its beginning.
    Cut,
    /// Nothing: nobody looked at it.
    Unseen,
}

/// What a client's certificate said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The certificate in DER; empty where none was sent.
    pub certificate: Text,
    /// Whether it was believed.
    pub trusted: bool,
}

/// What a handshake settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite as the IANA names it.
    pub cipher: String,
    /// The name that was asked for.
    pub server_name: Option<String>,
}

/// A list that a source was on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnList {
    /// `allow`, `deny` or `gray`.
    pub list: String,
    /// Whether the entry was the configuration's; others are made while a process runs.
    pub of_file: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed, and nothing would have stopped it.
    #[default]
    Pass,
    /// It passed because the mode stops nothing.
    WouldBlock,
    /// A check stopped it.
    Blocked,
}

impl Outcome {
    /// The word, as it is written in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::WouldBlock => "would_block",
            Self::Blocked => "blocked",
        }
    }
}

/// What was decided about a request, and by what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What became of it.
    pub outcome: Outcome,
    /// The status of the verdict, where it has one.
    #[serde(default)]
    pub status: Option<u16>,
    /// Why: `rule 949110`, `finding sqli`, `limit`, `framing host_repeated`, `policy`, `list`, `rate`, `failure`. Empty for
    /// a pass.
    #[serde(default)]
    pub cause: String,
    /// `request_head`, `request`, `response_head` or `response`: when it was decided.
    #[serde(default)]
    pub stage: String,
    /// Rules that matched and say so, each once, in ascending order.
    #[serde(default)]
    pub rules: Vec<u64>,
    /// Attacks that the detector found, each once, by name.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Something of that was found in a value that the copy does not have.
    #[serde(default)]
    pub by_masked: bool,
    /// The mode in force.
    #[serde(default)]
    pub mode: String,
}

impl Decided {
    /// Whether there is more to say than that it passed.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.outcome != Outcome::Pass || !self.rules.is_empty() || !self.findings.is_empty()
    }
}

/// Bytes of a client's. In JSON each byte is the character of its number, so that what is ASCII can be read and nothing is
/// lost.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(pub Vec<u8>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|byte| char::from(*byte)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = text.chars().map(|char| {
            u8::try_from(u32::from(char))
                .map_err(|_| serde::de::Error::custom(format!("`{}` is no byte", char.escape_default())))
        });
        bytes.collect::<Result<_, _>>().map(Self)
    }
}

impl Recorded {
    /// Its bytes: the length of its JSON in four bytes, least first, the JSON, the body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes()[..], &json, &self.body].concat()
    }

    /// Reads its bytes; `None` where they are none of a record.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (json, body) = rest.split_at_checked(length)?;
        let mut record: Self = serde_json::from_slice(json).ok()?;
        record.body = body.to_vec();
        Some(record)
    }
}
