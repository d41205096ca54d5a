//! Who a client is where somebody stands between. What names it is believed only where a trusted hop has written it.
//!
//! ```text
//!  X-Forwarded-For: 203.0.113.9, 198.51.100.4, 10.0.0.5      peer 10.0.0.7
//!                   (anything)   ^ the client  └ trusted ┘        └ trusted ┘
//! ```
//!
//! A list is read from its end, where the peer wrote: whoever sends it chooses only what stands before the first address
//! that no trusted hop vouches for.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use palisade_config::{AddressSource, Network};
use palisade_http::Fields;

use crate::arrival::canonical;

/// Whose word counts, and what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAddresses {
    /// What names the client.
    pub from: AddressSource,
    /// Networks of hops whose word counts.
    pub trusted: Vec<Network>,
    /// Hops that every request passes; 0: by `trusted` alone.
    pub hops: u8,
}

impl ClientAddresses {
    /// Whether a hop's word counts.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Whether the connection itself begins with the name of its client.
    pub(crate) fn is_by_protocol(&self) -> bool {
        self.from == AddressSource::ProxyProtocol
    }

    /// Who a request is from. `peer` is who the connection is from; it is the answer wherever nobody who is trusted
    /// names another.
    pub fn client_of(&self, peer: SocketAddr, headers: &Fields) -> SocketAddr {
        let believes_peer = match self.trusted.is_empty() {
            // By the number of hops alone: nothing is known of their addresses.
            true => self.hops > 0,
            false => self.trusts(peer.ip()),
        };
        if !believes_peer {
            return peer;
        }
        match &self.from {
            AddressSource::ProxyProtocol => peer,
            AddressSource::Forwarded => {
                let values: Vec<&[u8]> = headers.values(b"forwarded").collect();
                // A list that is broken anywhere cannot be read from its end either.
                let Some(elements) = forwarded_elements(&values) else { return peer };
                self.pick(
                    peer,
                    elements.into_iter().rev().map(|node| node.and_then(|node| node_address(&node))),
                )
            }
            AddressSource::Header(name) => {
                let values: Vec<&[u8]> = headers.values(name.as_str().as_bytes()).collect();
                let entries = values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
                self.pick(peer, entries.map(|entry| address(entry.trim_ascii())))
            }
        }
    }

    /// The client among addresses, the nearest first.
    fn pick(&self, peer: SocketAddr, nearest_first: impl Iterator<Item = Option<SocketAddr>>) -> SocketAddr {
        let mut entries = nearest_first.take(ENTRIES_MAX);
        if self.hops > 0 {
            // Fewer entries: it has not come through all of the hops, and the peer is all that is known.
            return entries.nth(usize::from(self.hops) - 1).flatten().map_or(peer, canonical);
        }
        let mut client = peer;
        for entry in entries {
            // Somebody trusted wrote this; what is no address names nobody, and nobody vouches for what stands before.
            let Some(entry) = entry else { break };
            client = canonical(entry);
            if !self.trusts(client.ip()) {
                break;
            }
        }
        client
    }
}

/// Entries of a list that are looked at. Who passes more proxies than this is known by the last of them.
const ENTRIES_MAX: usize = 64;

/// An address, perhaps with a port: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
pub fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<Ipv6Addr>().ok().map(|address| SocketAddr::new(address.into(), 0))
}

/// A node of RFC 7239: an address whose port may be a name. `unknown` and `_hidden` name nobody.
fn node_address(node: &[u8]) -> Option<SocketAddr> {
    let port_at = match node.first() {
        Some(b'[') => node.iter().position(|byte| *byte == b']')? + 1,
        _ => node.iter().position(|byte| *byte == b':').unwrap_or(node.len()),
    };
    let (host, port) = node.split_at(port_at);
    match port {
        [b':', b'_', ..] => address(host),
        // An IPv6 address stands in brackets here.
        _ if host.first() != Some(&b'[')
            && std::str::from_utf8(node).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()) =>
        {
            None
        }
        _ => address(node),
    }
}

/// The `for` of each element of `Forwarded` (RFC 7239 section 4), in order; `None` inside where an element has none, and
/// as a whole where the text is no such list. O(n).
pub fn forwarded_elements(values: &[&[u8]]) -> Option<Vec<Option<Vec<u8>>>> {
    let mut elements = Vec::new();
    for value in values {
        let mut rest: &[u8] = value;
        loop {
            let (element, after) = forwarded_element(rest)?;
            // An empty element is a comma too many (RFC 9110 section 5.6.1).
            if let Some(element) = element {
                elements.push(element);
            }
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    Some(elements)
}

/// What an element is (`None`: empty) with its `for`, and what follows its comma.
type Element<'a> = (Option<Option<Vec<u8>>>, Option<&'a [u8]>);

fn forwarded_element(text: &[u8]) -> Option<Element<'_>> {
    let mut rest = text;
    let (mut node, mut is_empty) = (None, true);
    loop {
        rest = rest.trim_ascii_start();
        match rest.first() {
            None => return Some(((!is_empty).then_some(node), None)),
            Some(b',') => return Some(((!is_empty).then_some(node), Some(&rest[1..]))),
            Some(b';') => {
                rest = &rest[1..];
                continue;
            }
            Some(_) => {}
        }
        is_empty = false;
        let equals =
            rest.iter().position(|byte| !is_token(*byte)).filter(|at| rest[*at] == b'=' && *at > 0)?;
        let name = &rest[..equals];
        let (value, after) = forwarded_value(&rest[equals + 1..])?;
        if name.eq_ignore_ascii_case(b"for") {
            // Twice in one element: two readers would see two clients.
            if node.is_some() {
                return None;
            }
            node = Some(value);
        }
        rest = after.trim_ascii_start();
        if !matches!(rest.first(), None | Some(b',' | b';')) {
            return None;
        }
    }
}

/// A token or a quoted string, and what follows it.
fn forwarded_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(inner) = text.strip_prefix(b"\"") else {
        // Addresses with a port stand without quotes in the wild; a colon and brackets do no harm.
        let bare = |byte: &u8| is_token(*byte) || b":[]".contains(byte);
        let end = text.iter().position(|byte| !bare(byte)).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_vec(), &text[end..]));
    };
    let mut value = Vec::new();
    let mut bytes = inner.iter().enumerate();
    loop {
        match bytes.next()? {
            (at, b'"') => return Some((value, &inner[at + 1..])),
            (_, b'\\') => value.push(*bytes.next()?.1),
            (_, byte) => value.push(*byte),
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
