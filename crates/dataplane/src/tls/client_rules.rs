//! What hosts ask of their clients: a certificate, whose word on it counts, and what happens to who has none.
//!
//! By host, because a handshake knows no path. The name that a client asks for in its handshake decides what it is asked;
//! a request may then name another host, and where that one asks for certificates the connection is not for it.

use std::fmt;
use std::sync::Arc;

use palisade_config::{HostPattern, RoutePath};
use palisade_identity::{Anchors, ClientCertificates, SubjectMatch, Unreadable, verify};
use palisade_inspect::{RouteTable, RouteTo};
use palisade_model::{PeerIdentity, SpiffeId};

use crate::arrival::TlsArrival;

/// What is asked of clients of some hosts.
#[derive(Debug)]
pub struct ClientRule {
    /// Whether a certificate is asked for, and what it must be worth.
    pub mode: ClientCertificates,
    /// Whose word counts.
    pub anchors: Anchors,
    /// Which subjects are let in.
    pub subject: Option<SubjectMatch>,
    /// SPIFFE ids, of which a certificate must have one; all are let in where there are none.
    pub spiffe_ids: Vec<SpiffeId>,
    /// What those get whose certificate will not do, in place of 400.
    pub error_page: Option<CertificatePage>,
}

/// What clients get whose certificate will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificatePage {
    /// They are sent there by 302.
    Elsewhere(String),
    /// The answer to a GET of this path of the same host, whatever they asked for.
    Here(String),
}

impl ClientRule {
    /// Nobody is asked.
    pub fn off() -> Self {
        Self {
            mode: ClientCertificates::Off,
            anchors: Anchors::nobody(),
            subject: None,
            spiffe_ids: Vec::new(),
            error_page: None,
        }
    }

    /// Who a chain makes its sender, who has shown to hold the leaf's key. `None` where nobody is asked.
    pub(crate) fn identify(&self, chain: &[&[u8]], now: i64) -> Result<Option<PeerIdentity>, Unreadable> {
        if !self.mode.asks() {
            return Ok(None);
        }
        verify(chain, &self.anchors, now).map(Some)
    }
}

/// What each host of a listener asks of clients.
pub struct ClientRules {
    /// The default first.
    rules: Vec<Arc<ClientRule>>,
    /// Indices into `rules`.
    by_host: RouteTable<usize>,
}

impl fmt::Debug for ClientRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRules").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl ClientRules {
    /// The same for all hosts.
    pub fn all(default: Arc<ClientRule>) -> Self {
        Self::new(default, [])
    }

    /// By host; the first that names a host counts, none named is any host. `default` is for hosts that nobody names.
    pub fn new<'a>(
        default: Arc<ClientRule>,
        hosts: impl IntoIterator<Item = (Vec<&'a HostPattern>, Arc<ClientRule>)>,
    ) -> Self {
        let root = RoutePath::root();
        let mut rules = vec![default];
        let mut routes = Vec::new();
        for (hosts, rule) in hosts {
            let known = rules.iter().position(|known| Arc::ptr_eq(known, &rule));
            let index = known.unwrap_or_else(|| {
                rules.push(rule);
                rules.len() - 1
            });
            routes.push(RouteTo::whole(hosts, &root, index));
        }
        let by_host = RouteTable::new(routes);
        Self { rules, by_host }
    }

    /// Those that there are, each once.
    pub(crate) fn each(&self) -> &[Arc<ClientRule>] {
        &self.rules
    }

    /// Which of them is a host's: its name, a port and all, or none.
    pub(crate) fn index_of(&self, host: Option<&[u8]>) -> usize {
        self.by_host.find(host, b"/", None).copied().unwrap_or(0)
    }

    /// What a host asks.
    pub fn of(&self, host: Option<&[u8]>) -> &Arc<ClientRule> {
        &self.rules[self.index_of(host)]
    }
}

/// A request for a host that asks for certificates, on a connection that was made for another: 421.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misdirected;

impl TlsArrival {
    /// What the host of a request asks of this client.
    ///
    /// Source: nginx's `ngx_http_set_virtual_server`. Differs: a connection that asked for no name is for the hosts that
    /// ask what was asked of it, and for those alone; nginx takes the default's verdict for every host then.
    ///
    /// # Errors
    /// When the host asks for certificates and the connection was made for another name.
    pub fn rule_for(&self, host: Option<&[u8]>) -> Result<&Arc<ClientRule>, Misdirected> {
        let rule = self.client_rules.of(host);
        if !rule.mode.asks() {
            return Ok(rule);
        }
        let sni = self.sni.as_ref().map(|sni| sni.as_bytes());
        // What the connection's verdict was made by. A request without a host may be for hosts that ask otherwise.
        let asked = self.client_rules.of(sni);
        let is_named = match (sni, host) {
            (Some(sni), Some(host)) => is_name(host, sni),
            _ => true,
        };
        if is_named && Arc::ptr_eq(rule, asked) { Ok(rule) } else { Err(Misdirected) }
    }
}

/// Whether a host, perhaps with a port, has this name, letter case and a dot at its end aside.
fn is_name(host: &[u8], name: &[u8]) -> bool {
    let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
    let bare = |name: &[u8]| name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase();
    bare(&host[..end]) == bare(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(mode: ClientCertificates) -> Arc<ClientRule> {
        Arc::new(ClientRule { mode, ..ClientRule::off() })
    }

    fn exact(name: &str) -> HostPattern {
        HostPattern::Exact(name.to_owned())
    }

    /// What a connection made for a name hears of a request for a host, by the number of the rule.
    fn heard(rules: &Arc<ClientRules>, sni: Option<&str>, host: Option<&str>) -> Option<usize> {
        let arrival = TlsArrival {
            sni: sni.map(Arc::from),
            version: "TLSv1.3",
            cipher: "",
            alpn: None,
            identity: None,
            client_rules: rules.clone(),
            own_uris: Arc::from([]),
        };
        let rule = arrival.rule_for(host.map(str::as_bytes)).ok()?;
        rules.each().iter().position(|known| Arc::ptr_eq(known, rule))
    }

    #[test]
    fn a_connection_is_for_the_host_that_it_named_where_that_one_asks() {
        let hosts = [exact("on.example"), exact("off.example"), HostPattern::Below("on.example".to_owned())];
        let [on, off, below] = &hosts;
        let asks = rule(ClientCertificates::On);
        let rules = Arc::new(ClientRules::new(
            rule(ClientCertificates::Optional),
            [(vec![on, below], asks.clone()), (vec![off], rule(ClientCertificates::Off))],
        ));
        for (sni, host, expected) in [
            (Some("on.example"), Some("on.example"), Some(1)),
            (Some("on.example"), Some("ON.example.:8443"), Some(1)),
            (Some("a.on.example"), Some("a.on.example"), Some(1)),
            // The same rule, another name: nginx's word.
            (Some("a.on.example"), Some("b.on.example"), None),
            (Some("off.example"), Some("on.example"), None),
            (Some("on.example"), Some("off.example"), Some(2)),
            (Some("other.example"), Some("on.example"), None),
            (Some("other.example"), Some("other.example"), Some(0)),
            (None, Some("on.example"), None),
            (None, Some("other.example"), Some(0)),
            (None, None, Some(0)),
            // No host is for those of the default, whose verdict was not made here.
            (Some("on.example"), None, None),
            (Some("off.example"), None, None),
            (Some("other.example"), None, Some(0)),
        ] {
            assert_eq!(heard(&rules, sni, host), expected, "{sni:?} {host:?}");
        }
    }
}
