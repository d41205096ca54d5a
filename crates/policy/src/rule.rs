//! A rule as data: an action, and the clauses that a flow has to meet, all of them.
//!
//! What a rule asks of addresses comes in two forms. As written it asks by labels ([`Asked`]); compiled it asks by named
//! sets of addresses ([`Sets`](crate::Sets)). All else is the same in both.

use std::fmt;

use crate::http_match::HttpMatch;
use crate::net::Net;
use crate::selector::{Expr, Selector};

/// What a rule does where it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The flow is allowed, and nothing further is asked.
    Allow,
    /// The flow is denied, and nothing further is asked.
    Deny,
    /// It is noted; the next rule is asked.
    Log,
    /// The next tier is asked.
    Pass,
}

impl Action {
    /// `Allow`, as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
            Self::Log => "Log",
            Self::Pass => "Pass",
        }
    }
}

/// A protocol above IP, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMP_V6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// UDP-Lite.
    pub const UDP_LITE: Self = Self(136);

    const NAMES: [(&'static str, Self); 6] = [
        ("TCP", Self::TCP),
        ("UDP", Self::UDP),
        ("ICMP", Self::ICMP),
        ("ICMPv6", Self::ICMP_V6),
        ("SCTP", Self::SCTP),
        ("UDPLite", Self::UDP_LITE),
    ];

    /// By its name in any case, or by its number from 1 to 255.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(_, protocol)| *protocol).or_else(|| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| digits && *number > 0).map(Self)
        })
    }

    /// Whether it knows ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP | Self::UDP_LITE)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(_, protocol)| protocol == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Type and code of an ICMP message; none: any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Icmp {
    /// The type.
    pub kind: Option<u8>,
    /// The code.
    pub code: Option<u8>,
}

/// A rule. `W` is how it asks for addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule<W> {
    /// What it does.
    pub action: Action,
    /// 4 or 6.
    pub ip_version: Option<u8>,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// Any other protocol.
    pub not_protocol: Option<Protocol>,
    /// The ICMP message.
    pub icmp: Option<Icmp>,
    /// Any other ICMP message.
    pub not_icmp: Option<Icmp>,
    /// Who asks.
    pub source: Entity<W>,
    /// Who is asked.
    pub destination: Entity<W>,
    /// The request.
    pub http: Option<HttpMatch>,
}

impl<W: Default> Rule<W> {
    /// A rule without clauses.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            ip_version: None,
            protocol: None,
            not_protocol: None,
            icmp: None,
            not_icmp: None,
            source: Entity::default(),
            destination: Entity::default(),
            http: None,
        }
    }
}

impl<W> Rule<W> {
    /// The same rule, asking for addresses in another way.
    pub(crate) fn map<V>(&self, mut who: impl FnMut(&W, bool) -> V) -> Rule<V> {
        let mut entity = |entity: &Entity<W>, is_source: bool| Entity {
            nets: entity.nets.clone(),
            not_nets: entity.not_nets.clone(),
            ports: entity.ports.clone(),
            not_ports: entity.not_ports.clone(),
            principal: entity.principal.clone(),
            who: who(&entity.who, is_source),
        };
        Rule {
            action: self.action,
            ip_version: self.ip_version,
            protocol: self.protocol,
            not_protocol: self.not_protocol,
            icmp: self.icmp,
            not_icmp: self.not_icmp,
            source: entity(&self.source, true),
            destination: entity(&self.destination, false),
            http: self.http.clone(),
        }
    }
}

/// One end of a flow, as a rule asks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entity<W> {
    /// The address is in one of these.
    pub nets: Box<[Net]>,
    /// The address is in none of these.
    pub not_nets: Box<[Net]>,
    /// The port is in one of these, from and to inclusive, or one of `who`'s named ones.
    pub ports: Box<[(u16, u16)]>,
    /// The port is in none of these.
    pub not_ports: Box<[(u16, u16)]>,
    /// What the certificate's name has to be.
    pub principal: Option<PrincipalMatch>,
    /// What is asked of the address beyond ranges.
    pub who: W,
}

/// What is asked of the name in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PrincipalMatch {
    /// The service account has one of these names; empty: any.
    pub names: Box<[Box<str>]>,
    /// The service account's labels.
    pub selector: Option<Selector>,
    /// The namespace.
    pub namespace: NamespaceMatch,
}

/// What is asked of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum NamespaceMatch {
    /// Nothing.
    #[default]
    Any,
    /// It is this one: that of the policy.
    Is(Box<str>),
    /// Its labels.
    Labels(Selector),
}

impl NamespaceMatch {
    /// What a `namespaceSelector` asks of a principal, which always has a namespace: `global()` is false of it.
    #[must_use]
    pub fn of_principal(namespaces: &Selector) -> Self {
        Self::Labels(Selector::from(namespaces.expr().map(&|leaf| match leaf {
            Expr::Global => Expr::All.negated(),
            other => other.clone(),
        })))
    }
}

/// What a rule as written asks of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Selector, namespaces and service accounts together, as one question to an object's labels.
    pub selected: Option<Selector>,
    /// The address belongs to no object with these labels.
    pub not_selected: Option<Selector>,
    /// It is an endpoint of this service.
    pub service: Option<ServiceName>,
    /// Names of ports, beside the numbers.
    pub ports: Box<[Box<str>]>,
    /// Names of ports that it is not.
    pub not_ports: Box<[Box<str>]>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}
