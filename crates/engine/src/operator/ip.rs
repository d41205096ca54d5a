//! `@ipMatch` and `@ipMatchFromFile`: is the value an address inside one of these networks?
//!
//! Items are addresses or `address/bits`, IPv4 or IPv6, separated by commas (in a file also by lines); host bits
//! are ignored. Networks become sorted disjoint ranges, one list a family, and a lookup is one binary search.
//! An IPv4 network never holds an IPv6 address, mapped ones included: bring addresses into one form before.
//!
//! Differs: blanks around items, a prefix of /0, `/128` and comments in files are taken, which libmodsecurity
//! 3.0.9 refuses; `/24x`, which it reads as /24, is an error. Its tree loses networks that hold another item
//! (`::,::1/113` does not match `::1` there); here every item counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use palisade_seclang::ast::OperatorName;

use super::{CompileError, DataFiles, Limits, data_lines, read_files, shown, trim_blanks};

/// Sorted, disjoint, inclusive ranges.
#[derive(Clone, Debug)]
pub(super) struct AddressSet {
    v4: Arc<[(u32, u32)]>,
    v6: Arc<[(u128, u128)]>,
}

impl AddressSet {
    pub(super) fn from_argument(argument: &[u8], limits: &Limits) -> Result<Self, CompileError> {
        let mut list = List::new(limits);
        list.push_items(argument)?;
        Ok(list.compile())
    }

    pub(super) fn from_files(
        argument: &[u8],
        limits: &Limits,
        files: &dyn DataFiles,
    ) -> Result<Self, CompileError> {
        let mut list = List::new(limits);
        for (name, file) in read_files(OperatorName::IpMatchFromFile, argument, limits, files)? {
            for (number, line) in data_lines(&file) {
                list.push_items(line).map_err(|error| {
                    // The offset is one in the line, not in the rule.
                    CompileError {
                        message: format!("{name}:{number}: {}", error.message),
                        offset: None,
                        ..error
                    }
                })?;
            }
        }
        Ok(list.compile())
    }

    /// Whether the text is an address of the set. What is no address, with blanks or brackets or a zone, is not.
    pub(super) fn contains_text(&self, text: &[u8]) -> bool {
        match address(text) {
            Some(IpAddr::V4(address)) => contains(&self.v4, address.to_bits()),
            Some(IpAddr::V6(address)) => contains(&self.v6, address.to_bits()),
            None => false,
        }
    }
}

/// The address that the whole text spells, in the forms of `inet_pton`.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    // No spelling of an address is longer; it also bounds what an evaluation looks at.
    const ADDRESS_BYTES_MAX: usize = "0000:0000:0000:0000:0000:ffff:255.255.255.255".len();
    if text.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn contains<T: Ord>(ranges: &[(T, T)], point: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= point);
    after > 0 && point <= ranges[after - 1].1
}

struct List<'a> {
    limits: &'a Limits,
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl<'a> List<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { limits, v4: Vec::new(), v6: Vec::new() }
    }

    fn push_items(&mut self, text: &[u8]) -> Result<(), CompileError> {
        let mut offset = 0;
        for item in text.split(|byte| *byte == b',') {
            let trimmed = trim_blanks(item);
            if !trimmed.is_empty() {
                self.push(trimmed).map_err(|error| error.at(offset))?;
            }
            offset += item.len() + 1;
        }
        Ok(())
    }

    fn push(&mut self, item: &[u8]) -> Result<(), CompileError> {
        if self.v4.len() + self.v6.len() >= self.limits.addresses_max {
            return Err(CompileError::new(format!("more than {} networks", self.limits.addresses_max))
                .help("split the list over several rules"));
        }
        let (host, bits) = match item.iter().position(|byte| *byte == b'/') {
            Some(slash) => (&item[..slash], Some(&item[slash + 1..])),
            None => (item, None),
        };
        let host = address(host).ok_or_else(|| {
            CompileError::new(format!("`{}` is not an address", shown(host)))
                .help("write an IPv4 or IPv6 address or a network such as 192.0.2.0/24 or 2001:db8::/32")
        })?;
        match host {
            IpAddr::V4(host) => {
                let bits = prefix_bits(bits, Ipv4Addr::BITS)?;
                let hosts = u32::MAX.checked_shr(bits).unwrap_or(0);
                self.v4.push((host.to_bits() & !hosts, host.to_bits() | hosts));
            }
            IpAddr::V6(host) => {
                let bits = prefix_bits(bits, Ipv6Addr::BITS)?;
                let hosts = u128::MAX.checked_shr(bits).unwrap_or(0);
                self.v6.push((host.to_bits() & !hosts, host.to_bits() | hosts));
            }
        }
        Ok(())
    }

    fn compile(self) -> AddressSet {
        AddressSet { v4: disjoint(self.v4).into(), v6: disjoint(self.v6).into() }
    }
}

fn prefix_bits(text: Option<&[u8]>, bits_max: u32) -> Result<u32, CompileError> {
    let Some(text) = text else {
        return Ok(bits_max);
    };
    let digits = !text.is_empty() && text.len() <= 3 && text.iter().all(u8::is_ascii_digit);
    let bits = text.iter().take(3).fold(0, |bits, byte| bits * 10 + u32::from(byte.wrapping_sub(b'0')));
    if digits && bits <= bits_max {
        return Ok(bits);
    }
    Err(CompileError::new(format!("`/{}` is not a prefix length", shown(text))).help(format!(
        "write the number of network bits, 0 to {bits_max} (a mask such as 255.255.255.0 is /24)"
    )))
}

/// Sorts ranges and joins those that overlap.
fn disjoint<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlap = next.0 <= kept.1;
        if overlap {
            kept.1 = kept.1.max(next.1);
        }
        overlap
    });
    ranges
}
