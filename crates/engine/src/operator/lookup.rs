//! Operators that ask the world: `@rbl` (DNS block lists) and `@geoLookup`.
//!
//! They build the question and judge the answer; asking is the caller's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ip::address;
use super::{Answer, CompileError, CompileOptions, Evaluation, Lookup, Outcome, shown};

/// `@rbl zone`: is this address, or name, on the block list?
///
/// An IPv4 address is asked as `4.3.2.1.zone`, with the access key before it for httpbl.org; an IPv6 address by
/// its nibbles (RFC 5782 2.4); anything else that is a host name as `name.zone`. TX:0 becomes the value.
///
/// Differs: only an answer in 127.0.0.0/8 is a listing, and not one of the codes that say «refused»
/// (127.255.255.0/24; 127.0.0.1 of uribl.com); libmodsecurity takes any answer, also that of a resolver that
/// invents one. A value that can be no host name is not asked, nor anything of httpbl.org without a key.
#[derive(Clone, Debug)]
pub(super) struct BlockList {
    zone: Box<str>,
    /// What stands before the reversed address, with its dot; mostly nothing. `None` when the list needs an access
    /// key and there is none: then nothing is asked and nothing matches. CRS 3.3 has such a rule and leaves the
    /// key to the site, so this is no error.
    key: Option<Box<str>>,
}

impl BlockList {
    pub(super) fn compile(argument: &[u8], options: &CompileOptions) -> Result<Self, CompileError> {
        let zone = host_name(argument).ok_or_else(|| {
            CompileError::new(format!("`{}` is not a DNS zone", shown(argument)))
                .help("write the zone of a block list, such as sbl-xbl.spamhaus.org")
        })?;
        let key = if !is_in_zone(zone, "httpbl.org") {
            Some(Box::default())
        } else if let Some(key) = &options.http_bl_key {
            let key = host_name(key).filter(|key| !key.contains('.')).ok_or_else(|| {
                CompileError::new("the access key of SecHttpBlKey can be no part of a host name")
                    .help("write the twelve letters that the list's operator gave you")
            })?;
            Some(format!("{key}.").into())
        } else {
            None
        };
        Ok(Self { zone: zone.into(), key })
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        let Some(name) = self.question(value) else {
            return Outcome::NoMatch;
        };
        let lookup = Lookup::Dns { name };
        match context.answered(&lookup) {
            None => Outcome::Need(lookup),
            Some(Answer::Dns(Some(IpAddr::V4(answer)))) if self.lists(*answer) => {
                context.groups[0] = Some(0..value.len());
                Outcome::Match
            }
            Some(_) => Outcome::NoMatch,
        }
    }

    /// Whether there is no key for a list that needs one.
    pub(super) fn is_mute(&self) -> bool {
        self.key.is_none()
    }

    fn question(&self, value: &[u8]) -> Option<String> {
        let (zone, key) = (&self.zone, self.key.as_deref()?);
        let name = match address(value) {
            Some(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                format!("{key}{d}.{c}.{b}.{a}.{zone}")
            }
            Some(IpAddr::V6(address)) => format!("{key}{}{zone}", nibbles(address)),
            None => format!("{}.{zone}", host_name(value)?),
        };
        (name.len() <= NAME_BYTES_MAX).then_some(name)
    }

    fn lists(&self, answer: Ipv4Addr) -> bool {
        let refused = matches!(answer.octets(), [127, 255, 255, _])
            || answer == Ipv4Addr::LOCALHOST && is_in_zone(&self.zone, "uribl.com");
        answer.is_loopback() && !refused
    }
}

/// `@geoLookup`: does the geographical data base know this address? A value that is no address never matches.
/// The argument has no meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geo;

impl Geo {
    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> Outcome {
        let Some(address) = address(value) else {
            return Outcome::NoMatch;
        };
        let lookup = Lookup::Geo { address };
        match context.answered(&lookup) {
            None => Outcome::Need(lookup),
            Some(answer) => Outcome::from(*answer == Answer::Geo(true)),
        }
    }
}

const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The text, when it can be a host name: labels of letters, digits, `-` and `_`.
fn host_name(text: &[u8]) -> Option<&str> {
    if text.len() > NAME_BYTES_MAX {
        return None;
    }
    let is_label = |label: &[u8]| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.split(|byte| *byte == b'.').all(is_label).then(|| std::str::from_utf8(text).ok()).flatten()
}

fn is_in_zone(name: &str, zone: &str) -> bool {
    let Some(start) = name.len().checked_sub(zone.len()) else {
        return false;
    };
    // `host_name` made sure that it is ASCII.
    name.as_bytes()[start..].eq_ignore_ascii_case(zone.as_bytes())
        && (start == 0 || name.as_bytes()[start - 1] == b'.')
}

/// The 32 nibbles of an address, last first, each with its dot.
fn nibbles(address: Ipv6Addr) -> String {
    let mut bits = address.to_bits();
    let mut text = String::with_capacity(64);
    for _ in 0..32 {
        text.extend(char::from_digit((bits & 15) as u32, 16));
        text.push('.');
        bits >>= 4;
    }
    text
}
