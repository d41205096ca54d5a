//! Notices that all clients seem to be one: somebody stands between, and is not named as trusted.

use std::net::IpAddr;

/// What the accept loop of one listener has seen of its peers.
#[derive(Debug, Default)]
pub(crate) struct SharedAddress {
    first: Option<IpAddr>,
    connections: u32,
    /// Others have come, or it was told.
    is_settled: bool,
}

/// Connections after which one address is no accident.
const CONNECTIONS: u32 = 100;

impl SharedAddress {
    /// One more connection. What there is to say, once.
    pub(crate) fn saw(&mut self, peer: IpAddr) -> Option<String> {
        if self.is_settled {
            return None;
        }
        let first = *self.first.get_or_insert(peer);
        self.connections += 1;
        if first != peer {
            self.is_settled = true;
        }
        if self.is_settled || self.connections < CONNECTIONS {
            return None;
        }
        self.is_settled = true;
        Some(format!(
            "all of the first {CONNECTIONS} connections come from {peer}: where that is a proxy or a load balancer, \
             every client has its address in rules, lists and logs; name it in `clientAddress`, or let it keep addresses \
             (externalTrafficPolicy: Local)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_told_once_and_two_never() {
        let (one, two) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut alone = SharedAddress::default();
        let told: Vec<_> = (0..1000).filter_map(|_| alone.saw(one)).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("all of the first 100 connections come from 10.0.0.1"));
        let mut both = SharedAddress::default();
        assert!((0..50).all(|_| both.saw(one).is_none()) && both.saw(two).is_none());
        assert!((0..1000).all(|_| both.saw(one).is_none()));
    }
}
