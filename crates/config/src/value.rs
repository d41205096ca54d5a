//! Values of keys: each type says what it accepts, and what to write instead of what it does not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use palisade_model::{Attack, Leaks, Mode, PointPattern, Sensitivity, Wildcard};

use crate::decode::{Decode, Decoder, Shape, nearest};
use crate::exception::RuleIds;
use crate::headers::HeaderName;
use crate::node::{Node, Origin, Value, quoted};

/// Why a text is not a value: what it is not, and what to write.
pub(crate) type Refused = (String, String);

/// A value that is one text.
pub(crate) trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, Refused>;
    fn shape() -> Shape;
}

pub(crate) fn decode_text<T: FromText>(node: &Node, decoder: &mut Decoder) -> Option<T> {
    let text = text_of::<T>(node, decoder)?;
    match T::from_text(text) {
        Ok(value) => Some(value),
        Err((what, help)) => {
            decoder.error(node, format!("{} {what}", quoted(text)), help);
            None
        }
    }
}

macro_rules! decode_as_text {
    ($($type:ty),*) => { $(
        impl $crate::decode::Decode for $type {
            fn decode(
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) -> Option<Self> {
                $crate::value::decode_text(node, decoder)
            }

            fn shape() -> $crate::decode::Shape {
                <Self as $crate::value::FromText>::shape()
            }
        }
    )* };
}

pub(crate) use decode_as_text;

decode_as_text!(
    String,
    Name,
    Address,
    AdminAddress,
    Size,
    Time,
    HostPattern,
    RoutePath,
    UpstreamUrl,
    Mode,
    Sensitivity,
    Leaks,
    OnFailure,
    OnRequestBody,
    OnResponseBody,
    AuditFormat,
    ListenerProtocol,
    RouteBody,
    UpstreamProtocol,
    Paranoia,
    Count,
    u32,
    RuleIds,
    Attack,
    Wildcard,
    PointPattern,
    HeaderName,
    RedirectStatus,
    Port,
    crate::socket::Socket
);

fn text_of<'a, T: FromText>(node: &'a Node, decoder: &mut Decoder) -> Option<&'a str> {
    match &node.value {
        Value::Text { text, .. } => Some(text),
        _ => {
            let help = match T::shape() {
                Shape::Text { what, example, .. } => format!("write {what}, such as {example}"),
                Shape::OneOf(words) => format!("write {}", or(words)),
                Shape::WordOr(words, _) => format!("write {} or a file's path", words.join(", ")),
                Shape::Integer { min, max } => format!("write a number from {min} to {max}"),
                _ => "write a text".to_owned(),
            };
            decoder.error(node, format!("{} stands where a value is expected", node.describe()), help);
            None
        }
    }
}

/// `a, b or c`.
fn or(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A word of several, with a hint at the nearest.
macro_rules! words {
    ($(#[doc = $doc:literal])* pub enum $name:ident: $what:literal {
        $( $(#[doc = $variant_doc:literal])* $variant:ident = $word:literal, )*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
        }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word in a file.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl $crate::value::FromText for $name {
            fn from_text(text: &str) -> Result<Self, $crate::value::Refused> {
                match text {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err($crate::value::not_a_word(text, $what, Self::WORDS)),
                }
            }

            fn shape() -> $crate::decode::Shape {
                $crate::decode::Shape::OneOf(Self::WORDS)
            }
        }
    };
}

pub(crate) use words;

pub(crate) fn not_a_word(text: &str, what: &str, words: &'static [&'static str]) -> Refused {
    let all = format!("write {}", or(words));
    let help = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean {near}? Otherwise {all}"),
        None => all,
    };
    (format!("is not {what}"), help)
}

words! {
    /// What happens to a request that could not be inspected as the rules ask.
    pub enum OnFailure: "what to do on failure" {
        /// It is refused, where the mode stops anything.
        Closed = "closed",
        /// It passes, and its record says that it was not inspected.
        Open = "open",
    }
}

words! {
    /// What happens to a request whose body is above the limit.
    pub enum OnRequestBody: "what to do with a body above the limit" {
        /// It is refused with 413.
        Reject = "reject",
        /// The rules see its beginning, and the rest passes; the record says how much was seen.
        Partial = "partial",
    }
}

words! {
    /// What happens to a response whose body is above the limit.
    pub enum OnResponseBody: "what to do with a body above the limit" {
        /// The rules see its beginning, and the rest passes; the record says how much was seen.
        Partial = "partial",
        /// It is withheld, and the client gets 502.
        Reject = "reject",
    }
}

words! {
    /// What clients of a listener may speak.
    pub enum ListenerProtocol: "what a listener speaks" {
        /// HTTP/1.1, or HTTP/2 where it is begun or agreed on.
        Auto = "auto",
        /// HTTP/1.1 alone.
        Http1 = "http1",
        /// HTTP/2 alone, without TLS.
        H2c = "h2c",
    }
}

words! {
    /// What a service is spoken to in.
    pub enum UpstreamProtocol: "what a service is spoken to in" {
        /// HTTP/1.1.
        Http1 = "http1",
        /// HTTP/2.
        Http2 = "http2",
        /// Over TLS what ALPN chooses, HTTP/1.1 without.
        Auto = "auto",
    }
}

words! {
    /// What becomes of bodies that rules want to see.
    pub enum RouteBody: "what becomes of bodies" {
        /// They wait for the verdict.
        Hold = "hold",
        /// They pass as they come, and their end waits.
        Stream = "stream",
        /// They pass unseen.
        Off = "off",
    }
}

words! {
    /// The form of audit-log records.
    pub enum AuditFormat: "a form of audit logs" {
        /// ModSecurity 3's parts.
        Native = "native",
        /// The same in ModSecurity 2's words.
        Native2 = "native2",
        /// One JSON object a line.
        Json = "json",
    }
}

impl FromText for Mode {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map_err(|_| {
            let written = text.to_lowercase();
            match written.as_str() {
                // Other people's words for the same.
                "detection" | "detectiononly" | "detect" | "monitor" | "log" => {
                    ("is not a mode".to_owned(), "write monitoring".to_owned())
                }
                "on" | "enforce" | "blocking" | "deny" => {
                    ("is not a mode".to_owned(), "write block".to_owned())
                }
                _ => not_a_word(text, "a mode", MODES),
            }
        })
    }

    fn shape() -> Shape {
        Shape::OneOf(MODES)
    }
}

impl FromText for Sensitivity {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Self::from_name(text).ok_or_else(|| not_a_word(text, "a sensitivity", SENSITIVITIES))
    }

    fn shape() -> Shape {
        Shape::OneOf(SENSITIVITIES)
    }
}

impl FromText for Leaks {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Self::from_name(text).ok_or_else(|| not_a_word(text, "what to do about leaks", LEAKS))
    }

    fn shape() -> Shape {
        Shape::OneOf(LEAKS)
    }
}

const LEAKS: &[&str] = &[Leaks::Ignore.as_str(), Leaks::Log.as_str(), Leaks::Block.as_str()];

const SENSITIVITIES: &[&str] =
    &[Sensitivity::Low.as_str(), Sensitivity::Medium.as_str(), Sensitivity::High.as_str()];

const MODES: &[&str] = &["off", "monitoring", "safe_blocking", "block"];

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Err(("is empty".to_owned(), "write a text".to_owned()));
        }
        Ok(text.to_owned())
    }

    fn shape() -> Shape {
        Shape::Text { what: "a text", pattern: None, example: "text" }
    }
}

impl FromText for u32 {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 0, u32::MAX.into()).map(|number| number as u32)
    }

    fn shape() -> Shape {
        Shape::Integer { min: 0, max: u32::MAX.into() }
    }
}

fn number(text: &str, min: i64, max: i64) -> Result<i64, Refused> {
    // As written by people: 010 is ten to some and eight to others.
    let canonical = text == "0" || !text.starts_with(['0', '+', '-']);
    text.parse().ok().filter(|number| canonical && (min..=max).contains(number)).ok_or_else(|| {
        (format!("is not a number from {min} to {max}"), format!("write {}", min.max(1).min(max)))
    })
}

/// A number of things, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(u32);

impl Count {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromText for Count {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 1, u32::MAX.into()).map(|count| Self(count as u32))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: u32::MAX.into() }
    }
}

/// The status of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectStatus(u16);

impl RedirectStatus {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

const REDIRECTS: &[&str] = &["301", "302", "303", "307", "308"];

impl FromText for RedirectStatus {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(status) if REDIRECTS.contains(&text) => Ok(Self(status)),
            _ => Err(("is not the status of a redirect".to_owned(), format!("write {}", or(REDIRECTS)))),
        }
    }

    fn shape() -> Shape {
        Shape::OneOf(REDIRECTS)
    }
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(u16);

impl Port {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromText for Port {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 1, u16::MAX.into()).map(|port| Self(port as u16))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: u16::MAX as i64 }
    }
}

/// CRS's paranoia level, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paranoia(u8);

impl Paranoia {
    /// The number.
    pub fn level(self) -> u8 {
        self.0
    }
}

impl FromText for Paranoia {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 1, 4).map(|level| Self(level as u8))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: 4 }
    }
}

/// The name of a listener, service or profile: letters, digits, `.`, `_` and `-`, at most 128.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Bytes of a name. It stands in every log line and metric.
const NAME_BYTES_MAX: usize = 128;

impl Name {
    /// Reads one; `None` when it is none.
    pub fn new(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (first.is_ascii_alphanumeric() && text.bytes().all(rest) && text.len() <= NAME_BYTES_MAX)
            .then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for Name {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Self::new(text).ok_or_else(|| {
            let kept: String =
                text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(40).collect();
            let kept = kept.trim_start_matches(['.', '_', '-']);
            let example = if kept.is_empty() { "web" } else { kept };
            let help = format!("use letters, digits, `.`, `_` and `-`, such as {example}");
            ("is not a name".to_owned(), help)
        })
    }

    fn shape() -> Shape {
        let pattern = Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$");
        Shape::Text { what: "a name", pattern, example: "web" }
    }
}

/// An IP address and a port to listen on. Port 0 takes a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub SocketAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromText for Address {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map(Self).map_err(|_| ("is not an address to listen on".to_owned(), address_help(text)))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "an IP address and a port",
            pattern: Some("^.+:[0-9]{1,5}$"),
            example: "0.0.0.0:8080",
        }
    }
}

fn address_help(text: &str) -> String {
    let port = |text: &str| text.parse::<u16>().ok();
    if let Some(port) = text.strip_prefix(':').or(Some(text)).and_then(port) {
        return format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for every interface");
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return format!("write {}", SocketAddr::new(ip, 8080));
    }
    match text.rsplit_once(':') {
        Some(("localhost", number)) if port(number).is_some() => format!("write 127.0.0.1:{number}"),
        Some(("*", number)) if port(number).is_some() => format!("write 0.0.0.0:{number}"),
        _ => "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned(),
    }
}

/// Where the admin listener listens, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdminAddress {
    /// There is none.
    Off,
    /// Here.
    At(Address),
}

impl FromText for AdminAddress {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text {
            "off" => Ok(Self::Off),
            text => Address::from_text(text).map(Self::At).map_err(|(what, help)| (what, help + ", or off")),
        }
    }

    fn shape() -> Shape {
        Shape::WordOr(&["off"], Box::new(<Address as FromText>::shape()))
    }
}

/// A number of bytes, written with its unit: `12.5MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

const SIZE_UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromText for Size {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not a size".to_owned(), help);
        let (number, unit) = split_unit(text);
        if unit.is_empty() && !number.is_empty() {
            return Err(("has no unit".to_owned(), format!("write {number}B, {number}KiB or {number}MiB")));
        }
        let Some((_, factor)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "k" | "ki" | "kb" | "kib" => "KiB",
                "g" | "gi" | "gb" | "gib" => "GiB",
                "b" | "byte" | "bytes" => "B",
                _ => "MiB",
            };
            let number = if number.is_empty() { "12.5" } else { number };
            return Err(not(format!("write {number}{meant}")));
        };
        scaled(number, *factor).map(Self).ok_or_else(|| not("write a size such as 12.5MiB".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a size with its unit (B, KiB, MiB, GiB, kB, MB, GB)",
            pattern: Some("^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|kB|MB|GB)$"),
            example: "12.5MiB",
        }
    }
}

/// A time, written with its unit: `5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(Duration);

const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// A hundred years: what is longer is a slip, and arithmetic with it might overflow.
const TIME_MILLIS_MAX: u64 = 36_500 * 86_400_000;

impl Time {
    /// As a duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromText for Time {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not a time".to_owned(), help);
        let (number, unit) = split_unit(text);
        if unit.is_empty() && !number.is_empty() {
            return Err(("has no unit".to_owned(), format!("write {number}s or {number}ms")));
        }
        let Some((_, factor)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "min" | "mins" | "minute" | "minutes" => "m",
                "hr" | "hour" | "hours" => "h",
                "day" | "days" => "d",
                "msec" | "millis" => "ms",
                _ => "s",
            };
            let number = if number.is_empty() { "5" } else { number };
            return Err(not(format!("write {number}{meant}")));
        };
        match scaled(number, *factor) {
            Some(0) => Err(("is no time at all".to_owned(), "write a time such as 5s".to_owned())),
            Some(millis) if millis <= TIME_MILLIS_MAX => Ok(Self(Duration::from_millis(millis))),
            _ => Err(not("write a time such as 5s, 500ms or 1h".to_owned())),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a time with its unit (ms, s, m, h, d)",
            pattern: Some("^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$"),
            example: "5s",
        }
    }
}

/// A number and what follows it, spaces between them aside.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches(' '))
}

/// A decimal number times a factor, exactly; `None` when it is none, too large, or would be cut.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // More digits than a size has bytes mean nothing.
    if whole.is_empty() || part.is_empty() || part.len() > 9 || part.contains('.') {
        return None;
    }
    let scale = 10u128.pow(part.len() as u32);
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = part.parse().ok()?;
    let all = u128::from(whole) * u128::from(factor) + u128::from(part) * u128::from(factor) / scale;
    u64::try_from(all).ok().filter(|value| *value <= i64::MAX as u64)
}

/// The path of a file or folder. In a file, relative ones start at the file's own folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(pub(crate) String);

impl FilePath {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for FilePath {
    fn from_text(text: &str) -> Result<Self, Refused> {
        if text.is_empty() || text.contains('\0') {
            return Err(("is not a path".to_owned(), "write the path of a file or folder".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a path", pattern: None, example: "/etc/palisade/site.conf" }
    }
}

impl Decode for FilePath {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let path: Self = decode_text(node, decoder)?;
        Some(Self(decoder.resolve(&path.0, node.origin)))
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, which is appended to.
    File(FilePath),
}

const LOG_WORDS: &[&str] = &["off", "stderr", "stdout"];

impl FromText for LogTarget {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Ok(match text {
            "off" => Self::Off,
            "stderr" => Self::Stderr,
            "stdout" => Self::Stdout,
            path => Self::File(FilePath::from_text(path)?),
        })
    }

    fn shape() -> Shape {
        Shape::WordOr(LOG_WORDS, Box::new(<FilePath as FromText>::shape()))
    }
}

impl Decode for LogTarget {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Some(match decode_text(node, decoder)? {
            Self::File(path) => Self::File(FilePath(decoder.resolve(&path.0, node.origin))),
            word => word,
        })
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}

/// Whose requests a route is for: a name, `*.` and a name, or any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Any host, and requests without one.
    Any,
    /// This one, in lower case.
    Exact(String),
    /// Every name with exactly one label more than this one, as Kubernetes ingress means `*.example.com`.
    Below(String),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Below(host) => write!(f, "*.{host}"),
        }
    }
}

impl FromText for HostPattern {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let lower = text.to_ascii_lowercase();
        let host = lower.strip_suffix('.').unwrap_or(&lower);
        if text == "*" {
            return Ok(Self::Any);
        }
        let not = |help: &str| Err(("is not a host".to_owned(), help.to_owned()));
        if host.contains("://") {
            return not("write the name alone, such as shop.example.com");
        }
        if host.starts_with('[') && host.ends_with(']') {
            let inner = &host[1..host.len() - 1];
            return match inner.parse::<std::net::Ipv6Addr>() {
                Ok(_) => Ok(Self::Exact(host.to_owned())),
                Err(_) => not("write an IPv6 address in brackets, such as [::1]"),
            };
        }
        if host.contains(':') {
            return not("write it without a port: a route takes every port of its listener");
        }
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        if name.contains('*') {
            return not("a wildcard is a whole first label: write *.example.com");
        }
        if !name.is_ascii() {
            return not("write an internationalised name as it is sent, in xn-- form");
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if name.len() > HOST_BYTES_MAX || !name.split('.').all(label) {
            return not("write a name such as shop.example.com, *.example.com, or * for any");
        }
        Ok(if below { Self::Below(name.to_owned()) } else { Self::Exact(name.to_owned()) })
    }

    fn shape() -> Shape {
        Shape::Text { what: "a host name", pattern: None, example: "shop.example.com" }
    }
}

/// The longest name of DNS.
const HOST_BYTES_MAX: usize = 253;

/// Where the requests of a route begin: a path in its normal form, decoded, ending in a slash or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoutePath(String);

impl RoutePath {
    /// `/`, which every path begins with.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Without a slash at its end; empty for `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its segments; none for `/`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl FromText for RoutePath {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| Err(("is not a path of a route".to_owned(), help));
        if !text.starts_with('/') {
            return not(format!("write /{}", text.chars().take(40).collect::<String>()));
        }
        if text.contains(['?', '#']) {
            return not("a route looks at the path alone: leave out what follows it".to_owned());
        }
        if text.contains(['*', '{']) {
            return not("a route takes all that begins with its path: write it without a pattern".to_owned());
        }
        if text.contains('%') {
            return not("write it decoded: a space as a space".to_owned());
        }
        if text.contains('\\') || text.chars().any(char::is_control) {
            return not("no path that can be normalised has such a character".to_owned());
        }
        let path = text.strip_suffix('/').unwrap_or(text);
        if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
            return not("write it in its normal form, without `//`, `/./` and `/../`".to_owned());
        }
        if path.len() > PATH_BYTES_MAX {
            return not(format!("at most {PATH_BYTES_MAX} bytes"));
        }
        Ok(Self(path.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a path", pattern: Some("^/[^?#%\\\\*{]*$"), example: "/cms/" }
    }
}

const PATH_BYTES_MAX: usize = 2048;

/// Where a service lives: `http://HOST` or `http://HOST:PORT`, or the same with `https`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamUrl {
    url: String,
    tls: bool,
    host: String,
    port: u16,
}

impl UpstreamUrl {
    /// As it was written, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Its host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Its host and port as an address, where the host is one (`localhost` counts as 127.0.0.1).
    pub fn address(&self) -> Option<SocketAddr> {
        let ip = match self.host.as_str() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().ok()?,
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl FromText for UpstreamUrl {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not an upstream".to_owned(), help);
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            None if !text.is_empty() => return Err(not(format!("perhaps http://{text} is meant"))),
            _ => return Err(not("write http://HOST or http://HOST:PORT".to_owned())),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(at) = authority.find(['/', '?', '#', '@']) {
            let help = match authority.as_bytes()[at] {
                b'@' => format!("write it without a user: {scheme}://HOST:PORT"),
                _ => format!("requests keep their own path: write {scheme}://{}", &authority[..at]),
            };
            return Err(not(help));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // A colon inside brackets is the address's.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None if scheme == "https" => 443,
            None => 80,
            Some(port) => {
                let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                let number = port.parse().ok().filter(|port| *port > 0 && digits);
                number.ok_or_else(|| not("a port is a number from 1 to 65535".to_owned()))?
            }
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.len() <= HOST_BYTES_MAX
                    && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            }
        };
        if !valid {
            return Err(not(
                "its host is a name or an address: http://shop:3000, http://[::1]:3000".to_owned()
            ));
        }
        let host = bare.unwrap_or(host).to_owned();
        Ok(Self { url: format!("{scheme}://{authority}"), tls: scheme == "https", host, port })
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a URL",
            pattern: Some("^https?://[^/?#@]+/?$"),
            example: "http://127.0.0.1:3000",
        }
    }
}

/// A value that remembers where it was written, for what is found out about it later.
#[derive(Clone, Debug)]
pub struct Located<T> {
    value: T,
    origin: Origin,
}

impl<T> Located<T> {
    /// Where it was written.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Located<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Where it stands makes no difference.
impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Decode> Decode for Located<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(|value| Self { value, origin: node.origin })
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self::default)
    }

    fn shape() -> Shape {
        T::shape()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromText>(text: &str) -> String {
        match T::from_text(text) {
            Ok(_) => panic!("`{text}` is accepted"),
            Err((what, help)) => format!("{what}; {help}"),
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("12.5MiB", 13_107_200),
            ("128KiB", 131_072),
            ("1 MiB", 1_048_576),
            ("0B", 0),
            ("1.5kB", 1500),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(Size::from_text(text).unwrap().bytes(), bytes, "{text}");
        }
        for (text, said) in [
            ("1024", "has no unit; write 1024B, 1024KiB or 1024MiB"),
            ("12MB5", "is not a size; write 12MiB"),
            ("12m", "is not a size; write 12MiB"),
            ("4k", "is not a size; write 4KiB"),
            ("-1MiB", "is not a size; write 12.5MiB"),
            ("1.2.3MiB", "is not a size; write a size such as 12.5MiB"),
            (".5MiB", "is not a size; write a size such as 12.5MiB"),
            ("99999999999GiB", "is not a size; write a size such as 12.5MiB"),
            ("", "is not a size; write 12.5MiB"),
        ] {
            assert_eq!(refused::<Size>(text), said, "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in
            [("5s", 5000), ("500ms", 500), ("1.5m", 90_000), ("1h", 3_600_000), ("7d", 604_800_000)]
        {
            assert_eq!(Time::from_text(text).unwrap().duration(), Duration::from_millis(millis), "{text}");
        }
        for (text, said) in [
            ("5", "has no unit; write 5s or 5ms"),
            ("5 min", "is not a time; write 5m"),
            ("0s", "is no time at all; write a time such as 5s"),
            ("999999999d", "is not a time; write a time such as 5s, 500ms or 1h"),
            ("soon", "is not a time; write 5s"),
        ] {
            assert_eq!(refused::<Time>(text), said, "{text}");
        }
    }

    #[test]
    fn hosts_are_names_addresses_and_whole_first_labels() {
        let exact = |text: &str| HostPattern::Exact(text.to_owned());
        assert_eq!(HostPattern::from_text("Shop.Example.com.").unwrap(), exact("shop.example.com"));
        assert_eq!(HostPattern::from_text("*.x.org").unwrap(), HostPattern::Below("x.org".into()));
        assert_eq!(HostPattern::from_text("*").unwrap(), HostPattern::Any);
        assert_eq!(HostPattern::from_text("[::1]").unwrap(), exact("[::1]"));
        assert_eq!(HostPattern::from_text("127.0.0.1").unwrap(), exact("127.0.0.1"));
        for text in
            ["", "a..b", "a.*.b", "sh*p.x", "*.*.x", "x:80", "http://x", "bücher.de", "a b", "[::x]", "*."]
        {
            refused::<HostPattern>(text);
        }
    }

    #[test]
    fn paths_are_written_in_their_normal_form() {
        assert_eq!(RoutePath::from_text("/").unwrap().segments().count(), 0);
        assert_eq!(RoutePath::from_text("/a/b/").unwrap().segments().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(RoutePath::from_text("/a").unwrap(), RoutePath::from_text("/a/").unwrap());
        for text in
            ["", "a", "//", "/a//b", "/a/../b", "/./a", "/a%20b", "/a?b", "/a#b", "/a*", "/a\\b", "/a\nb"]
        {
            refused::<RoutePath>(text);
        }
    }

    #[test]
    fn upstreams_are_http_and_nothing_after_the_port() {
        let url = |text: &str| UpstreamUrl::from_text(text).unwrap();
        assert_eq!((url("http://shop").host(), url("http://shop").port()), ("shop", 80));
        assert_eq!((url("http://[::1]:3000/").host(), url("http://[::1]:3000/").port()), ("::1", 3000));
        for (text, said) in [
            ("127.0.0.1:3000", "is not an upstream; perhaps http://127.0.0.1:3000 is meant"),
            ("http://a/b", "is not an upstream; requests keep their own path: write http://a"),
            ("http://u@a", "is not an upstream; write it without a user: http://HOST:PORT"),
            ("http://a:0", "is not an upstream; a port is a number from 1 to 65535"),
            ("http://a:+1", "is not an upstream; a port is a number from 1 to 65535"),
        ] {
            assert_eq!(refused::<UpstreamUrl>(text), said, "{text}");
        }
        assert_eq!((url("https://shop").is_tls(), url("https://shop").port()), (true, 443));
        for text in ["", "ftp://a", "https://", "http://", "http://a b", "http://[::1", "http://::1"] {
            refused::<UpstreamUrl>(text);
        }
    }

    #[test]
    fn addresses_name_the_way_out() {
        for (text, said) in [
            (
                "8080",
                "is not an address to listen on; write 127.0.0.1:8080, or 0.0.0.0:8080 for every interface",
            ),
            (
                ":8080",
                "is not an address to listen on; write 127.0.0.1:8080, or 0.0.0.0:8080 for every interface",
            ),
            ("localhost:80", "is not an address to listen on; write 127.0.0.1:80"),
            ("10.0.0.1", "is not an address to listen on; write 10.0.0.1:8080"),
        ] {
            assert_eq!(refused::<Address>(text), said, "{text}");
        }
    }
}
