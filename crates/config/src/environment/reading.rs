//! How values of variables are written, and what they are in our words.

use crate::node::{Node, Origin};

/// What a value is not, and what to write instead.
type Refused = (String, String);

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it stands; the key or directive says what it accepts.
    Text,
    /// Paths, with a colon between two.
    Paths,
    /// A port on every interface.
    Port,
    /// A URL, or a host without a scheme.
    Upstream,
    /// Where a log goes; nginx's and Apache's own words after it do not count.
    Log,
    /// Seconds, with or without their unit.
    Seconds,
    /// Bytes, as a size.
    Bytes,
    /// A whole number.
    Number,
    /// A paranoia level.
    Level,
    /// `On` or `Off`, as SecLang has it.
    OnOff,
    /// On or off, as `true` or `false`.
    Switch,
    /// On or off, as 1 or 0.
    Bit,
    /// On, off or DetectionOnly, as a mode.
    Engine,
    /// What happens above a limit, as our key has it.
    LimitAction,
    /// JSON or Native, as our key has it.
    AuditFormat,
    /// An application's number; -1 is none.
    Application,
    /// One of some words, however they are capitalised.
    Word(&'static [&'static str]),
    /// Words as a directive takes them, one after the other.
    Words,
}

impl Reading {
    /// Reads it. `None`: it says nothing.
    pub(crate) fn read(self, value: &str) -> Result<Option<String>, Refused> {
        let text = match self {
            Self::Text | Self::Paths | Self::Words => value.to_owned(),
            Self::Port => format!("0.0.0.0:{}", number(value, 1, 65_535)?),
            Self::Upstream if value.contains("://") => value.to_owned(),
            Self::Upstream => format!("http://{value}"),
            Self::Log => log(value),
            Self::Seconds => seconds(value),
            Self::Bytes => format!("{}B", number(value, 0, u64::MAX)?),
            Self::Number => number(value, 0, u64::MAX)?.to_string(),
            Self::Level => number(value, 1, 4)?.to_string(),
            Self::OnOff => if switch(value)? { "On" } else { "Off" }.to_owned(),
            Self::Switch => switch(value)?.to_string(),
            Self::Bit => u8::from(switch(value)?).to_string(),
            Self::Engine if value.eq_ignore_ascii_case("DetectionOnly") => "monitoring".to_owned(),
            Self::Engine => match switch(value) {
                Ok(true) => "block".to_owned(),
                Ok(false) => "off".to_owned(),
                Err(_) => return Err(not_a_word(&["On", "Off", "DetectionOnly"])),
            },
            Self::LimitAction => {
                if word(value, &["Reject", "ProcessPartial"])? == "Reject" { "reject" } else { "partial" }
                    .to_owned()
            }
            // ModSecurity 2's form has no word of its own in any image; it is the default of the old one.
            Self::AuditFormat if value == "native2" => value.to_owned(),
            Self::AuditFormat => word(value, &["JSON", "Native"])?.to_lowercase(),
            Self::Application if value == "-1" => return Ok(None),
            Self::Application => number(value, 1, u32::MAX.into())?.to_string(),
            Self::Word(words) => word(value, words)?.to_owned(),
        };
        Ok(Some(text))
    }

    /// What was read, as a value of the configuration.
    pub(crate) fn node(self, read: &str, origin: Origin) -> Node {
        match self {
            Self::Paths => {
                let paths = read.split(':').filter(|path| !path.is_empty());
                Node::list(paths.map(|path| Node::text(path, origin)).collect(), origin)
            }
            _ => Node::text(read, origin),
        }
    }

    /// How it is written, for the reference.
    pub(crate) fn written(self) -> String {
        match self {
            Self::Text => String::new(),
            Self::Paths => "paths, `:` between two".to_owned(),
            Self::Port => "a port".to_owned(),
            Self::Upstream => "`http://HOST:PORT`, the scheme may be left out".to_owned(),
            Self::Log => "a path; /dev/stdout, /dev/stderr, /dev/null".to_owned(),
            Self::Seconds => "seconds, `60` or `60s`".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Level => "1 to 4".to_owned(),
            Self::OnOff | Self::Switch | Self::Bit => "on or off".to_owned(),
            Self::Engine => "On, Off or DetectionOnly".to_owned(),
            Self::LimitAction => "Reject or ProcessPartial".to_owned(),
            Self::AuditFormat => "JSON or Native".to_owned(),
            Self::Application => "a number; -1 is none".to_owned(),
            Self::Word(words) => or(words),
            Self::Words => "words".to_owned(),
        }
    }
}

/// On or off, in the words that people use in environments.
pub(crate) fn switch(value: &str) -> Result<bool, Refused> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(("is neither on nor off".to_owned(), "write on or off".to_owned())),
    }
}

fn number(value: &str, min: u64, max: u64) -> Result<u64, Refused> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|number| digits && (min..=max).contains(number)).ok_or_else(|| {
        let (what, help) = match max {
            u64::MAX => ("is not a number".to_owned(), "write a whole number, without a unit".to_owned()),
            _ => (format!("is not a number from {min} to {max}"), format!("write {}", min.max(1))),
        };
        (what, help)
    })
}

fn word(value: &str, words: &'static [&'static str]) -> Result<&'static str, Refused> {
    words.iter().copied().find(|word| word.eq_ignore_ascii_case(value)).ok_or_else(|| not_a_word(words))
}

fn not_a_word(words: &[&str]) -> Refused {
    let all = or(words);
    (format!("is not {all}"), format!("write {all}"))
}

fn or(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// `60` is seconds; everything else is for the key to judge.
fn seconds(value: &str) -> String {
    if value.bytes().all(|byte| byte.is_ascii_digit()) { format!("{value}s") } else { value.to_owned() }
}

/// `/var/log/nginx/access.log main` is a path and the name of a form, which ours is not.
fn log(value: &str) -> String {
    let path = value.split_ascii_whitespace().next().unwrap_or_default();
    match path {
        "/dev/stdout" | "/proc/self/fd/1" => "stdout",
        "/dev/stderr" | "/proc/self/fd/2" => "stderr",
        "/dev/null" => "off",
        path => path,
    }
    .to_owned()
}
