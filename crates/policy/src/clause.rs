//! One rule and one flow: clause by clause, whether they go together. This is what a rule means.
//!
//! A clause fits, does not, or cannot be decided ([`Doubt`]). A rule with a clause that does not fit does not match. Else,
//! where one cannot be decided, it depends on what the rule would do: a grant (Allow, Pass, Log) does not match, a Deny
//! does. Nothing that is unknown ever lets anybody in.

use std::fmt;
use std::net::IpAddr;

use crate::flow::{Direction, Flow, Identity, Judgement, Party, PlaintextPeers, Request, Unusable};
use crate::http_match::{Fit, HttpMatch};
use crate::labels::{self, Labels};
use crate::rule::{Action, Entity, NamespaceMatch, PrincipalMatch, Protocol, Rule};

/// What a rule asks, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clause {
    /// `ipVersion`
    IpVersion,
    /// `protocol`
    Protocol,
    /// `notProtocol`
    NotProtocol,
    /// `icmp`
    Icmp,
    /// `notICMP`
    NotIcmp,
    /// `source.nets`
    SourceNets,
    /// `source.notNets`
    SourceNotNets,
    /// `source.selector`, `namespaceSelector` and `serviceAccounts`, as far as they ask who has the address.
    SourceSelector,
    /// `source.notSelector`
    SourceNotSelector,
    /// `source.services`
    SourceServices,
    /// `source.ports`
    SourcePorts,
    /// `source.notPorts`
    SourceNotPorts,
    /// `destination.nets`
    DestinationNets,
    /// `destination.notNets`
    DestinationNotNets,
    /// As [`SourceSelector`](Self::SourceSelector).
    DestinationSelector,
    /// `destination.notSelector`
    DestinationNotSelector,
    /// `destination.services`
    DestinationServices,
    /// `destination.ports`
    DestinationPorts,
    /// `destination.notPorts`
    DestinationNotPorts,
    /// Who the source proved to be.
    SourceIdentity,
    /// `source.serviceAccounts`, asked of the certificate.
    SourceServiceAccounts,
    /// `source.namespaceSelector`, asked of the certificate.
    SourceNamespace,
    /// `destination.serviceAccounts`, asked of the certificate.
    DestinationServiceAccounts,
    /// `destination.namespaceSelector`, asked of the certificate.
    DestinationNamespace,
    /// `http`: whether there is a request.
    Http,
    /// `http.methods`
    HttpMethods,
    /// `http.paths`
    HttpPaths,
    /// `http.headers`
    HttpHeaders,
    /// `http.hosts`
    HttpHosts,
    /// `http.claims`
    HttpClaims,
}

impl Clause {
    /// All of them, in order.
    pub const ALL: [Self; 30] = [
        Self::IpVersion,
        Self::Protocol,
        Self::NotProtocol,
        Self::Icmp,
        Self::NotIcmp,
        Self::SourceNets,
        Self::SourceNotNets,
        Self::SourceSelector,
        Self::SourceNotSelector,
        Self::SourceServices,
        Self::SourcePorts,
        Self::SourceNotPorts,
        Self::DestinationNets,
        Self::DestinationNotNets,
        Self::DestinationSelector,
        Self::DestinationNotSelector,
        Self::DestinationServices,
        Self::DestinationPorts,
        Self::DestinationNotPorts,
        Self::SourceIdentity,
        Self::SourceServiceAccounts,
        Self::SourceNamespace,
        Self::DestinationServiceAccounts,
        Self::DestinationNamespace,
        Self::Http,
        Self::HttpMethods,
        Self::HttpPaths,
        Self::HttpHeaders,
        Self::HttpHosts,
        Self::HttpClaims,
    ];

    /// As it is written in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IpVersion => "ipVersion",
            Self::Protocol => "protocol",
            Self::NotProtocol => "notProtocol",
            Self::Icmp => "icmp",
            Self::NotIcmp => "notICMP",
            Self::SourceNets => "source.nets",
            Self::SourceNotNets => "source.notNets",
            Self::SourceSelector => "source.selector",
            Self::SourceNotSelector => "source.notSelector",
            Self::SourceServices => "source.services",
            Self::SourcePorts => "source.ports",
            Self::SourceNotPorts => "source.notPorts",
            Self::DestinationNets => "destination.nets",
            Self::DestinationNotNets => "destination.notNets",
            Self::DestinationSelector => "destination.selector",
            Self::DestinationNotSelector => "destination.notSelector",
            Self::DestinationServices => "destination.services",
            Self::DestinationPorts => "destination.ports",
            Self::DestinationNotPorts => "destination.notPorts",
            Self::SourceIdentity => "source identity",
            Self::SourceServiceAccounts => "source.serviceAccounts",
            Self::SourceNamespace => "source.namespaceSelector",
            Self::DestinationServiceAccounts => "destination.serviceAccounts",
            Self::DestinationNamespace => "destination.namespaceSelector",
            Self::Http => "http",
            Self::HttpMethods => "http.methods",
            Self::HttpPaths => "http.paths",
            Self::HttpHeaders => "http.headers",
            Self::HttpHosts => "http.hosts",
            Self::HttpClaims => "http.claims",
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a clause cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// The address is not known to the store, which may hear of it yet.
    UnknownAddress,
    /// The address is known, but not as one of these; news may say that it is. Only of a store that was compiled elsewhere.
    NotOneYet,
    /// The flow does not say its address or port.
    NoAddress,
    /// A set of addresses was not delivered.
    UnknownSet,
    /// The peer proved nothing.
    Plaintext,
    /// The peer's certificate is no identity.
    Unusable(Unusable),
    /// The address belongs to a workload of another service account than the certificate names.
    AddressOfAnother,
    /// The namespace or service account of the certificate is not known to the store, which may hear of it yet.
    UnknownAccount,
    /// There is no request.
    NotHttp,
    /// The request is yet to come.
    RequestExpected,
    /// The certificate is yet to come.
    IdentityExpected,
    /// Servers read the path in more than one way.
    PathUnclear,
    /// A header is there more than once, with values that differ.
    HeaderUnclear,
    /// The request names no host.
    NoHost,
    /// Nobody vouches for who the request is from.
    NoClaims,
}

impl Doubt {
    /// Whether news from the cluster may end it.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::UnknownAddress | Self::NotOneYet | Self::UnknownAccount | Self::AddressOfAnother)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAddress => "the address is not known yet",
            Self::NotOneYet => "the address is not known as one of these yet",
            Self::NoAddress => "the address or port is not known",
            Self::UnknownSet => "a set of addresses is missing",
            Self::Plaintext => "the peer showed no certificate",
            Self::Unusable(why) => why.as_str(),
            Self::AddressOfAnother => {
                "the address belongs to another service account than the certificate names"
            }
            Self::UnknownAccount => "the service account or namespace is not known yet",
            Self::NotHttp => "the flow is not HTTP",
            Self::RequestExpected => "the request is yet to come",
            Self::IdentityExpected => "the certificate is yet to come",
            Self::PathUnclear => "the path can be read in more than one way",
            Self::HeaderUnclear => "a header is there twice with values that differ",
            Self::NoHost => "the request names no host",
            Self::NoClaims => "no token of the request was verified",
        })
    }
}

/// An answer about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    Open(Doubt),
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Which end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Destination,
}

/// What is known of the world outside of the flow: who has which address, and what labels.
pub(crate) trait World<W> {
    /// Whether who has the address is selected; `Yes` where nothing is asked.
    fn selected(&self, end: End, who: &W) -> Answer;
    /// Whether something is asked by `selected`.
    fn asks_selected(&self, who: &W) -> bool;
    /// Whether who has the address is among those that are not to be; `None`: nothing is asked.
    fn not_selected(&self, end: End, who: &W) -> Option<Answer>;
    /// Whether it is an endpoint of the service; `None`: nothing is asked.
    fn service(&self, end: End, who: &W) -> Option<Answer>;
    /// Whether its port is one of the named ones; `None`: nothing is asked.
    fn named_port(&self, end: End, who: &W) -> Option<Answer>;
    /// Whether its port is one of the names that it is not to be; `None`: nothing is asked.
    fn not_named_port(&self, end: End, who: &W) -> Option<Answer>;
    /// Labels of a namespace.
    fn namespace(&self, name: &str) -> Option<&Labels>;
    /// Labels of a service account.
    fn service_account(&self, namespace: &str, name: &str) -> Option<&Labels>;
    /// Whether what is not known may become known.
    fn may_learn(&self) -> bool;
    /// Whether the source's address belongs to workloads, none of which runs as this service account.
    fn source_is_another(&self, namespace: &str, name: &str) -> bool;
}

/// How a rule and a flow go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// Every clause fits.
    Yes,
    /// This one does not.
    No(Clause),
    /// None does not fit, but this one cannot be decided.
    Open(Clause, Doubt),
}

/// Asks every clause of a rule. Where several cannot be decided, what is yet to come is named last, as a request.
pub(crate) fn ask<W>(rule: &Rule<W>, flow: &Flow<'_>, world: &impl World<W>, judgement: &Judgement) -> Match {
    let mut asked = Asking { denies: rule.action == Action::Deny, open: None, awaits_more: false };
    let matched = asked.rule(rule, flow, world, judgement);
    match (matched, asked.open, asked.awaits_more) {
        (Err(clause), ..) => Match::No(clause),
        (Ok(()), Some((clause, doubt)), _) => Match::Open(clause, doubt),
        (Ok(()), None, true) => Match::Open(Clause::Http, Doubt::RequestExpected),
        (Ok(()), None, false) => Match::Yes,
    }
}

/// Whether a Deny rule whose clauses cannot all be decided still hangs on what is yet to come.
pub(crate) fn hangs_on_more<W>(rule: &Rule<W>, flow: &Flow<'_>, world: &impl World<W>) -> bool {
    rule.http.is_some() && matches!(flow.request, Request::Expected)
        || flow.source.identity == Identity::Expected
            && (rule.source.principal.is_some() || asks_identity(rule, flow, world))
}

/// Whether a rule asks who the source proved to be.
fn asks_identity<W>(rule: &Rule<W>, flow: &Flow<'_>, world: &impl World<W>) -> bool {
    let source = &rule.source;
    flow.direction == Direction::Ingress && (source.principal.is_some() || world.asks_selected(&source.who))
}

struct Asking {
    /// The rule denies.
    denies: bool,
    open: Option<(Clause, Doubt)>,
    awaits_more: bool,
}

impl Asking {
    fn fits(&mut self, clause: Clause, answer: impl Into<Answer>) -> Result<(), Clause> {
        match answer.into() {
            Answer::Yes => Ok(()),
            Answer::No => Err(clause),
            Answer::Open(Doubt::RequestExpected | Doubt::IdentityExpected) => {
                self.awaits_more = true;
                Ok(())
            }
            // Somebody who is known is not refused for what he may turn out to be.
            Answer::Open(Doubt::NotOneYet) if self.denies => Err(clause),
            Answer::Open(doubt) => {
                // What no waiting mends is what there is to say of a grant; a refusal may be mended by any.
                let tells_more =
                    |before: Doubt| before.may_pass() != doubt.may_pass() && before.may_pass() != self.denies;
                if self.open.is_none_or(|(_, before)| tells_more(before)) {
                    self.open = Some((clause, doubt));
                }
                Ok(())
            }
        }
    }

    fn rule<W>(
        &mut self,
        rule: &Rule<W>,
        flow: &Flow<'_>,
        world: &impl World<W>,
        judgement: &Judgement,
    ) -> Result<(), Clause> {
        if let Some(version) = rule.ip_version {
            self.fits(
                Clause::IpVersion,
                ip_version(flow).map_or(Answer::Open(Doubt::NoAddress), |there| (there == version).into()),
            )?;
        }
        if let Some(protocol) = rule.protocol {
            self.fits(Clause::Protocol, flow.protocol == protocol)?;
        }
        if let Some(other) = rule.not_protocol {
            self.fits(Clause::NotProtocol, flow.protocol != other)?;
        }
        if let Some(icmp) = rule.icmp {
            self.fits(Clause::Icmp, is_icmp(flow, icmp))?;
        }
        if let Some(icmp) = rule.not_icmp {
            self.fits(Clause::NotIcmp, !is_icmp(flow, icmp))?;
        }
        self.entity(End::Source, &rule.source, &flow.source, flow.protocol, world)?;
        self.entity(End::Destination, &rule.destination, &flow.destination, flow.protocol, world)?;
        self.identity(rule, flow, world, judgement)?;
        match &rule.http {
            Some(http) => self.http(http, flow, judgement),
            None => Ok(()),
        }
    }

    /// One end's address and port.
    fn entity<W>(
        &mut self,
        end: End,
        entity: &Entity<W>,
        party: &Party,
        protocol: Protocol,
        world: &impl World<W>,
    ) -> Result<(), Clause> {
        use Clause as C;
        let of = |source, destination| if end == End::Source { source } else { destination };
        let in_nets = |nets: &[crate::net::Net]| match party.address {
            Some(address) => Answer::from(nets.iter().any(|net| net.contains(address))),
            None => Answer::Open(Doubt::NoAddress),
        };
        if !entity.nets.is_empty() {
            self.fits(of(C::SourceNets, C::DestinationNets), in_nets(&entity.nets))?;
        }
        if !entity.not_nets.is_empty() {
            self.fits(of(C::SourceNotNets, C::DestinationNotNets), not(in_nets(&entity.not_nets)))?;
        }
        self.fits(of(C::SourceSelector, C::DestinationSelector), world.selected(end, &entity.who))?;
        if let Some(answer) = world.not_selected(end, &entity.who) {
            self.fits(of(C::SourceNotSelector, C::DestinationNotSelector), not(answer))?;
        }
        if let Some(answer) = world.service(end, &entity.who) {
            self.fits(of(C::SourceServices, C::DestinationServices), answer)?;
        }
        let in_ports = |ranges: &[(u16, u16)], named: Option<Answer>| match (party.port, named) {
            _ if !protocol.has_ports() => Answer::No,
            (Some(port), _) if ranges.iter().any(|(first, last)| (*first..=*last).contains(&port)) => {
                Answer::Yes
            }
            (_, Some(answer)) => answer,
            (Some(_), None) => Answer::No,
            (None, None) => Answer::Open(Doubt::NoAddress),
        };
        let named = world.named_port(end, &entity.who);
        if !entity.ports.is_empty() || named.is_some() {
            self.fits(of(C::SourcePorts, C::DestinationPorts), in_ports(&entity.ports, named))?;
        }
        let named = world.not_named_port(end, &entity.who);
        if !entity.not_ports.is_empty() || named.is_some() {
            self.fits(
                of(C::SourceNotPorts, C::DestinationNotPorts),
                not(in_ports(&entity.not_ports, named)),
            )?;
        }
        Ok(())
    }

    /// Who the ends proved to be. The one that comes to us has to prove it; the workload that we stand before, and
    /// whoever it calls, are known by their addresses, but a certificate that says otherwise counts.
    fn identity<W>(
        &mut self,
        rule: &Rule<W>,
        flow: &Flow<'_>,
        world: &impl World<W>,
        judgement: &Judgement,
    ) -> Result<(), Clause> {
        let source = &rule.source;
        let mut source_proves = true;
        if asks_identity(rule, flow, world) {
            let answer = match &flow.source.identity {
                Identity::Plain if judgement.plaintext_peers == PlaintextPeers::Address => Answer::Yes,
                Identity::Plain => Answer::Open(Doubt::Plaintext),
                Identity::Expected => Answer::Open(Doubt::IdentityExpected),
                Identity::Unusable(_) if judgement.unusable_as_plaintext => Answer::Yes,
                Identity::Unusable(why) => Answer::Open(Doubt::Unusable(*why)),
                Identity::ServiceAccount { namespace, name } if world.source_is_another(namespace, name) => {
                    // Stolen, or older news: the certificate says nothing about who has the address.
                    source_proves = false;
                    Answer::Open(Doubt::AddressOfAnother)
                }
                Identity::ServiceAccount { .. } => Answer::Yes,
            };
            self.fits(Clause::SourceIdentity, answer)?;
        }
        for (end, entity, party) in
            [(End::Source, source, &flow.source), (End::Destination, &rule.destination, &flow.destination)]
        {
            let Some(wanted) = &entity.principal else { continue };
            let (namespace, name) = match &party.identity {
                Identity::ServiceAccount { namespace, name } => (namespace, name),
                Identity::Expected => {
                    self.awaits_more = true;
                    continue;
                }
                Identity::Plain | Identity::Unusable(_) => continue,
            };
            if end == End::Source && !source_proves {
                continue;
            }
            let of = |source, destination| if end == End::Source { source } else { destination };
            let answer = account_fits(wanted, namespace, name, world);
            self.fits(of(Clause::SourceServiceAccounts, Clause::DestinationServiceAccounts), answer)?;
            let answer = namespace_fits(&wanted.namespace, namespace, world);
            self.fits(of(Clause::SourceNamespace, Clause::DestinationNamespace), answer)?;
        }
        Ok(())
    }

    fn http(&mut self, http: &HttpMatch, flow: &Flow<'_>, judgement: &Judgement) -> Result<(), Clause> {
        let head = match &flow.request {
            Request::Expected => return self.fits(Clause::Http, Answer::Open(Doubt::RequestExpected)),
            Request::None if judgement.http_ignored_elsewhere => return Ok(()),
            Request::None => return self.fits(Clause::Http, Answer::Open(Doubt::NotHttp)),
            Request::Head(head) => head,
        };
        let answer = |fit, doubt| match fit {
            Fit::Yes => Answer::Yes,
            Fit::No => Answer::No,
            Fit::Open => Answer::Open(doubt),
        };
        self.fits(Clause::HttpMethods, answer(http.method_fits(head), Doubt::NotHttp))?;
        self.fits(Clause::HttpPaths, answer(http.path_fits(head), Doubt::PathUnclear))?;
        self.fits(Clause::HttpHeaders, answer(http.headers_fit(head), Doubt::HeaderUnclear))?;
        self.fits(Clause::HttpHosts, answer(http.host_fits(head), Doubt::NoHost))?;
        self.fits(Clause::HttpClaims, answer(http.claims_fit(head.claims), Doubt::NoClaims))
    }
}

fn not(answer: Answer) -> Answer {
    match answer {
        Answer::Yes => Answer::No,
        Answer::No => Answer::Yes,
        open => open,
    }
}

/// The version of IP; both ends have the same.
fn ip_version(flow: &Flow<'_>) -> Option<u8> {
    let address = flow.destination.address.or(flow.source.address)?;
    Some(if matches!(crate::net::plain(address), IpAddr::V4(_)) { 4 } else { 6 })
}

fn is_icmp(flow: &Flow<'_>, wanted: crate::rule::Icmp) -> bool {
    let there = flow.icmp.unwrap_or_default();
    matches!(flow.protocol, Protocol::ICMP | Protocol::ICMP_V6)
        && wanted.kind.is_none_or(|kind| there.kind == Some(kind))
        && wanted.code.is_none_or(|code| there.code == Some(code))
}

fn account_fits<W>(wanted: &PrincipalMatch, namespace: &str, name: &str, world: &impl World<W>) -> Answer {
    if !wanted.names.is_empty() && !wanted.names.iter().any(|wanted| **wanted == *name) {
        return Answer::No;
    }
    let Some(selector) = &wanted.selector else { return Answer::Yes };
    match world.service_account(namespace, name) {
        Some(labels) => selector.matches(labels).into(),
        None if world.may_learn() => Answer::Open(Doubt::UnknownAccount),
        None => selector.matches(&of_name(name)).into(),
    }
}

fn namespace_fits<W>(wanted: &NamespaceMatch, namespace: &str, world: &impl World<W>) -> Answer {
    let selector = match wanted {
        NamespaceMatch::Any => return Answer::Yes,
        NamespaceMatch::Is(wanted) => return (**wanted == *namespace).into(),
        NamespaceMatch::Labels(selector) => selector,
    };
    match world.namespace(namespace) {
        Some(labels) => selector.matches(labels).into(),
        None if world.may_learn() => Answer::Open(Doubt::UnknownAccount),
        None => selector.matches(&of_name(namespace)).into(),
    }
}

/// The labels of a namespace or service account of which only the name is known.
fn of_name(name: &str) -> Labels {
    [(labels::NAME, name), (labels::METADATA_NAME, name)].into_iter().collect()
}
