//! Policy in the inspection: who may ask, before anything is looked at.
//!
//! It judges the socket's other end, the certificate and the head of the request. It acts in every mode; what is staged is
//! only said.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_http::{RequestHead, Target, TargetForm};
use palisade_model::Workload;
use palisade_policy::{
    Action, Decision, Decisions, Direction, Flow, HttpHead, Identity, Judgement, NearMiss, Party, Patience,
    Protocol, Reason, Request, Store, TrustDomains, Verdict, WorkloadName, comparable_path, host_name,
};

use crate::inspection::Peer;

/// The policies of a service.
#[derive(Clone, Debug)]
pub struct Gate {
    store: Arc<Store>,
    judgement: Judgement,
    /// The workload behind us; whoever has the address where requests arrive, when absent.
    protects: Option<WorkloadName>,
    direction: Direction,
}

impl Gate {
    /// A gate before a workload.
    #[must_use]
    pub fn new(store: Arc<Store>, judgement: Judgement, protects: Option<WorkloadName>) -> Self {
        Self { store, judgement, protects, direction: Direction::Ingress }
    }

    /// Whose names in certificates count.
    pub(crate) fn trust_domains(&self) -> &TrustDomains {
        &self.judgement.trust_domains
    }

    /// The workload at an address, where one is known; of several the one that runs as this account.
    pub(crate) fn workload_at(&self, address: IpAddr, account: Option<(&str, &str)>) -> Option<Workload> {
        self.store.workload_at(address, account)
    }

    /// What policies say to a request.
    #[must_use]
    pub fn judge(&self, peer: &Peer, head: &RequestHead) -> Judged {
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
        let identity = Identity::of_peer(peer.identity.as_deref(), &self.judgement.trust_domains);
        let flow = Flow {
            direction: self.direction,
            source: Party {
                address: Some(peer.peer_addr.ip()),
                port: Some(peer.peer_addr.port()),
                identity,
                workload: None,
            },
            destination: Party {
                address: Some(peer.server_addr.ip()),
                port: Some(peer.server_addr.port()),
                identity: Identity::Plain,
                workload: self.protects.clone(),
            },
            protocol: Protocol::TCP,
            icmp: None,
            request: Request::Head(HttpHead {
                method: &head.method,
                path: path.as_deref(),
                host: host.as_deref(),
                headers: head,
            }),
            patience: Patience::Over,
        };
        let (decisions, near_miss) = self.store.evaluate(&flow, &self.judgement);
        Judged { decisions, near_miss }
    }
}

/// What policies said to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What is in force, and what would be if what is staged were.
    pub decisions: Decisions,
    /// For a denial, the rule that came nearest to allowing it.
    pub near_miss: Option<NearMiss>,
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
        let enforced = &self.decisions.enforced;
        for stop in enforced.trace.iter().filter(|stop| stop.action == Action::Log) {
            let rule = stop.rule_index.unwrap_or_default();
            notes.push(format!(
                "Policy noted the request [tier \"{}\"] [policy \"{}\"] [rule \"{rule}\"]",
                stop.tier, stop.policy
            ));
        }
        if !enforced.is_allowed() {
            notes.push(format!("Policy denied the request{}", described(enforced, self.near_miss.as_ref())));
        }
        match &self.decisions.pending {
            Some(pending) if pending.verdict != enforced.verdict => {
                let would = if pending.verdict == Verdict::Allow { "allow" } else { "deny" };
                notes.push(format!("Staged policies would {would} the request{}", described(pending, None)));
            }
            _ => {}
        }
        notes
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
