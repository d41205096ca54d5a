//! Policy in the inspection: who may ask, before anything is looked at.
//!
//! It judges the socket's other end, the certificate and the head of the request; for the workload's own calls, where they
//! go. It acts in every mode; what is staged is only said.
//!
//! A connection is judged when it comes ([`Gates::admit`]): one on which nothing could be allowed is not served, and one on
//! which everything is allowed has its requests judged no more ([`Admission`]), until policies change.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use palisade_http::{RequestHead, Target, TargetForm};
use palisade_model::{PeerIdentity, Workload};
use palisade_policy::{
    Action, Awaited, ClaimPath, Claims, Decision, Decisions, Direction, Feed, Flow, HttpHead, Identity,
    Judgement, Knowledge, NearMiss, Party, Patience, Protocol, Reason, Request, Store, TrustDomains, Verdict,
    WorkloadName, comparable_path, host_name,
};

use crate::inspection::Peer;
use crate::profile::Service;

/// The policies of a service.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Guard>);

#[derive(Debug)]
struct Guard {
    store: Arc<Store>,
    judgement: Judgement,
    /// The workload that we stand before; whoever has the address where requests arrive, or from where they come, when
    /// absent.
    protects: Option<WorkloadName>,
    listens: Listens,
    direction: Direction,
    patience: Waits,
}

/// Where the workload is that we stand before: where requests arrive, but for what is said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// Its address.
    pub address: Option<IpAddr>,
    /// The port where it listens.
    pub port: Option<u16>,
}

/// What a gate does while a store is fed by a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How long a request waits for news of its peer before that refuses it; zero: not at all.
    pub at_most: Duration,
    /// The store tells of the workload that we stand before, and of no other.
    pub of_one_workload: bool,
}

impl Gate {
    /// A gate before a workload, or for its own calls.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        judgement: Judgement,
        protects: Option<WorkloadName>,
        direction: Direction,
    ) -> Self {
        Self(Arc::new(Guard {
            store,
            judgement,
            protects,
            listens: Listens::default(),
            direction,
            patience: Waits::default(),
        }))
    }

    /// The same, where a cluster feeds the store.
    #[must_use]
    pub fn fed_by_cluster(self, patience: Waits) -> Self {
        Self(Arc::new(Guard { patience, ..self.parts() }))
    }

    /// The same before a workload that is elsewhere than where requests arrive.
    #[must_use]
    pub fn listening_at(self, listens: Listens) -> Self {
        Self(Arc::new(Guard { listens, ..self.parts() }))
    }

    fn parts(&self) -> Guard {
        let Guard { store, judgement, protects, listens, direction, patience } = &*self.0;
        Guard {
            store: store.clone(),
            judgement: judgement.clone(),
            protects: protects.clone(),
            listens: *listens,
            direction: *direction,
            patience: *patience,
        }
    }

    /// Which requests it judges.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.0.direction
    }

    /// Whether another says the same to everything.
    fn is(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        Arc::ptr_eq(&self.0, &other.0)
            || Arc::ptr_eq(&a.store, &b.store)
                && a.direction == b.direction
                && a.protects == b.protects
                && a.listens == b.listens
                && a.judgement == b.judgement
                && a.patience == b.patience
    }

    /// Whose names in certificates count.
    pub(crate) fn trust_domains(&self) -> &TrustDomains {
        &self.0.judgement.trust_domains
    }

    /// The workload at an address, where one is known; of several the one that runs as this account.
    pub(crate) fn workload_at(&self, address: IpAddr, account: Option<(&str, &str)>) -> Option<Workload> {
        self.0.store.workload_at(address, account)
    }

    /// What policies say to a request that has waited this long for news of its peer; or for what it has to wait (on).
    pub(crate) fn ask(&self, peer: &Peer, head: &RequestHead, waited: Duration, now: u64) -> Asked {
        let Guard { store, patience, .. } = &*self.0;
        if store.feed() == Feed::Complete || patience.at_most.is_zero() {
            return Asked::Judged(self.judge(peer, head, Patience::Over));
        }
        // Before the decision: news that come meanwhile end the wait at once.
        let known = |address| store.knowledge(address);
        let addresses = match self.0.direction {
            Direction::Ingress => vec![peer.peer_addr.ip()],
            Direction::Egress => peer.towards.iter().flat_map(|to| to.iter().map(|to| to.ip())).collect(),
        };
        let before: Vec<(IpAddr, Knowledge)> =
            addresses.into_iter().map(|address| (address, known(address))).collect();
        let judged = self.judge(peer, head, Patience::Waiting);
        let Some(awaited) = judged.decisions.enforced.awaits else { return Asked::Judged(judged) };
        let settled = self.judge(peer, head, Patience::Over);
        if waited >= patience.at_most {
            store.note_in_vain(awaited, now);
            return Asked::Judged(settled);
        }
        // Nobody tells of an address outside of the cluster, ever. Who is refused waits all the same: he may be new.
        if settled.is_allowed() && store.was_in_vain(awaited, now) {
            return Asked::Judged(settled);
        }
        let known = before.iter().find(|(address, _)| *address == awaited).map(|(_, known)| *known);
        match store.await_news(awaited, known.unwrap_or_default()) {
            Some(news) => Asked::Awaits { news, at_most: patience.at_most - waited },
            None => Asked::Judged(settled),
        }
    }

    /// What policies say to a request.
    #[must_use]
    fn judge(&self, peer: &Peer, head: &RequestHead, patience: Patience) -> Judged {
        if let Some(judged) = peer.admission.as_ref().and_then(|admission| admission.of(self)) {
            return judged.clone();
        }
        let target = Target::new(&head.target, &head.method);
        // `http://host` asks for the root.
        let sent = if target.form() == TargetForm::Absolute && target.path().is_empty() {
            b"/"
        } else {
            target.path()
        };
        let path = comparable_path(sent);
        // The authority of an absolute target comes before Host, as it does upstream.
        let authority = Some(target.authority()).filter(|authority| !authority.is_empty());
        let host = authority.or_else(|| head.headers.first(b"host")).and_then(host_name);
        let vouched = peer.authenticated.as_deref().map(Vouched);
        let request = Request::Head(HttpHead {
            method: &head.method,
            path: path.as_deref(),
            host: host.as_deref(),
            headers: head,
            claims: vouched.as_ref().map(|vouched| vouched as &dyn Claims),
        });
        let (peer_addr, server_addr) = (peer.peer_addr, peer.server_addr);
        let arriving = Arriving { peer_addr, server_addr, identity: Some(peer.identity.as_deref()) };
        let judge = |towards: Option<SocketAddr>| {
            let flow = Flow { patience, ..self.flow(&arriving, towards, request) };
            let (decisions, near_miss) = self.0.store.evaluate(&flow, &self.0.judgement);
            Judged { decisions, near_miss, direction: self.0.direction, towards }
        };
        // One of ours may go to any of the addresses that its service has: all have to be allowed.
        let mut towards = peer.towards.iter().flat_map(|addresses| addresses.iter().copied());
        let mut judged = judge(towards.next());
        while judged.is_allowed()
            && let Some(other) = towards.next()
        {
            judged = judge(Some(other));
        }
        judged
    }

    fn flow<'r>(
        &self,
        arriving: &Arriving<'_>,
        towards: Option<SocketAddr>,
        request: Request<'r>,
    ) -> Flow<'r> {
        let Guard { store, judgement, protects, listens, direction, patience } = &*self.0;
        // Its name is the cluster's to say; the one that we were told may be another.
        let only = patience.of_one_workload.then(|| store.only_workload()).flatten();
        let protects = only.as_ref().or(protects.as_ref().filter(|_| !patience.of_one_workload));
        let identity = match arriving.identity {
            None => Identity::Expected,
            Some(identity) => Identity::of_peer(identity, &judgement.trust_domains),
        };
        let end = |address: SocketAddr| Party {
            address: Some(address.ip()),
            port: Some(address.port()),
            ..Party::default()
        };
        let (source, destination) = match direction {
            Direction::Ingress => (
                Party { identity, ..end(arriving.peer_addr) },
                Party {
                    workload: protects.cloned(),
                    address: Some(listens.address.unwrap_or(arriving.server_addr.ip())),
                    port: Some(listens.port.unwrap_or(arriving.server_addr.port())),
                    ..Party::default()
                },
            ),
            Direction::Egress => (
                Party { workload: protects.cloned(), ..end(arriving.peer_addr) },
                towards.map_or_else(Party::default, end),
            ),
        };
        Flow {
            direction: *direction,
            source,
            destination,
            protocol: Protocol::TCP,
            icmp: None,
            request,
            patience: Patience::Over,
        }
    }

    /// What policies say to a connection, whatever is asked on it.
    fn connection(&self, arriving: &Arriving<'_>) -> AtTheDoor {
        let Guard { store, judgement, direction, .. } = &*self.0;
        // Who is not known yet may be when the first request comes.
        let patience = Patience::Waiting;
        let flow = Flow { patience, ..self.flow(arriving, None, Request::Expected) };
        let revision = store.revision();
        let (decisions, near_miss) = store.connection(&flow, judgement);
        let judged = |decisions| Judged { decisions, near_miss, direction: *direction, towards: None };
        // What hangs on us and not on who comes is said to a request, which is answered.
        let of_a_policy = !matches!(
            decisions.enforced.reason,
            Reason::NotSynced | Reason::UnknownWorkload | Reason::MissingPolicy
        );
        match decisions.enforced.verdict {
            Verdict::Deny if decisions.enforced.awaits.is_none() && of_a_policy => {
                AtTheDoor::Denied(judged(decisions))
            }
            // What is staged may say something else to each request.
            Verdict::Allow if decisions.pending.is_none() && arriving.identity.is_some() => {
                AtTheDoor::Allowed { revision, judged: judged(decisions) }
            }
            _ => AtTheDoor::Open,
        }
    }
}

/// Claims of who a request is from, as its route's authentication knows them.
#[derive(Debug)]
struct Vouched<'a>(&'a palisade_authn::Identity);

impl Claims for Vouched<'_> {
    fn each_value(&self, path: &ClaimPath, call: &mut dyn FnMut(&str)) -> bool {
        self.0.each_value(path.names(), call)
    }
}

/// What comes of asking about a request.
pub(crate) enum Asked {
    /// It was decided.
    Judged(Judged),
    /// It hangs on who has an address, of which news may come.
    Awaits {
        /// Ready with news.
        news: Awaited,
        /// How long to wait for them.
        at_most: Duration,
    },
}

/// A connection that was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Arriving<'a> {
    /// The socket's other end.
    pub peer_addr: SocketAddr,
    /// Where it arrived.
    pub server_addr: SocketAddr,
    /// What the peer's certificate says, `None` within where none was asked for; `None` before the handshake.
    pub identity: Option<Option<&'a PeerIdentity>>,
}

enum AtTheDoor {
    Allowed {
        revision: u64,
        judged: Judged,
    },
    Denied(Judged),
    /// Its requests decide.
    Open,
}

/// What policies said to a connection when it came: where it was allowed, its requests are as long as policies stay as they
/// were.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    allowed: Vec<(Gate, u64, Judged)>,
}

impl Admission {
    fn of(&self, gate: &Gate) -> Option<&Judged> {
        let (_, revision, judged) = self.allowed.iter().find(|(of, ..)| of.is(gate))?;
        (*revision == gate.0.store.revision()).then_some(judged)
    }
}

/// The gates that requests on a connection may come to.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    all: Vec<Gate>,
    /// A request may come to what no gate guards, or to more gates than are asked at accept.
    is_open: bool,
}

impl Gates {
    /// The gates of services, each once. Only those before a workload: where its own calls go, each request says.
    pub fn of<'s>(services: impl IntoIterator<Item = &'s Service>) -> Self {
        let mut gates = Self::default();
        for service in services {
            match &service.gate {
                Some(gate) if gate.direction() == Direction::Ingress => {
                    if gates.all.iter().any(|known| known.is(gate)) {
                    } else if gates.all.len() < GATES_MAX {
                        gates.all.push(gate.clone());
                    } else {
                        gates.is_open = true;
                    }
                }
                _ => gates.is_open = true,
            }
        }
        gates
    }

    /// What policies say to a connection before its first request.
    ///
    /// # Errors
    /// When nothing that could be asked on it would be allowed, whatever it is: what the first of the gates said.
    pub fn admit(&self, arriving: &Arriving<'_>) -> Result<Admission, Box<Judged>> {
        let mut admission = Admission::default();
        let mut denied = None;
        let mut all_denied = !self.is_open;
        for gate in &self.all {
            match gate.connection(arriving) {
                AtTheDoor::Allowed { revision, judged } => {
                    admission.allowed.push((gate.clone(), revision, judged));
                    all_denied = false;
                }
                AtTheDoor::Denied(judged) => denied = denied.or(Some(judged)),
                AtTheDoor::Open => all_denied = false,
            }
        }
        match denied {
            Some(denied) if all_denied => Err(Box::new(denied)),
            _ => Ok(admission),
        }
    }

    /// Whether there is anybody to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Gates that are asked about a connection; where there are more, its requests are judged alone.
const GATES_MAX: usize = 16;

/// What policies said to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What is in force, and what would be if what is staged were.
    pub decisions: Decisions,
    /// For a denial, the rule that came nearest to allowing it.
    pub near_miss: Option<NearMiss>,
    /// Egress: it was our workload's own.
    pub direction: Direction,
    /// Where it would have gone, where it was our workload's own.
    pub towards: Option<SocketAddr>,
}

impl Judged {
    /// Whether the request may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decisions.enforced.is_allowed()
    }

    /// Whether what is staged would refuse a request that is let in.
    #[must_use]
    pub fn would_deny(&self) -> bool {
        self.is_allowed() && self.decisions.pending.as_ref().is_some_and(|pending| !pending.is_allowed())
    }

    /// What a log says of it: a denial, what staged policies would have done otherwise, and what rules wanted noted.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let what = match (self.direction, self.towards) {
            (Direction::Ingress, _) => "the request".to_owned(),
            (Direction::Egress, Some(towards)) => format!("the workload's own request to {towards}"),
            (Direction::Egress, None) => "the workload's own request".to_owned(),
        };
        let enforced = &self.decisions.enforced;
        for stop in enforced.trace.iter().filter(|stop| stop.action == Action::Log) {
            let rule = stop.rule_index.unwrap_or_default();
            notes.push(format!(
                "Policy noted {what} [tier \"{}\"] [policy \"{}\"] [rule \"{rule}\"]",
                stop.tier, stop.policy
            ));
        }
        if !enforced.is_allowed() {
            notes.push(format!("Policy denied {what}{}", described(enforced, self.near_miss.as_ref())));
        }
        match &self.decisions.pending {
            Some(pending) if pending.verdict != enforced.verdict => {
                let would = if pending.verdict == Verdict::Allow { "allow" } else { "deny" };
                notes.push(format!("Staged policies would {would} {what}{}", described(pending, None)));
            }
            _ => {}
        }
        notes
    }

    /// What a log says of a connection that was refused.
    #[must_use]
    pub fn closing(&self) -> String {
        let miss = self.near_miss.as_ref();
        format!("Policy closed the connection{}", described(&self.decisions.enforced, miss))
    }
}

/// ` [tier "..."] [policy "..."] [rule "..."] [reason "..."]`
fn described(decision: &Decision, miss: Option<&NearMiss>) -> String {
    let mut text = String::new();
    if let Some(stop) = decision.decisive() {
        let rule = stop.rule_index.map_or(-1, |index| index as i64);
        let _ = write!(text, " [tier \"{}\"] [policy \"{}\"] [rule \"{rule}\"]", stop.tier, stop.policy);
    }
    let _ = write!(text, " [reason \"{}", decision.reason);
    if let (Reason::TierDefault, Some(miss)) = (decision.reason, miss) {
        let _ =
            write!(text, "; nearest was rule {} of {}, by its {}", miss.rule_index, miss.policy, miss.clause);
        if let Some(doubt) = miss.doubt {
            let _ = write!(text, " ({doubt})");
        }
    }
    text.push_str("\"]");
    text
}
