//! What a request meets before anything looks into it: the service that it goes to, the lists, who is asked who it is from.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_dataplane::JudgedAlone;
use palisade_inspect::{Detail, Report, Service, Standing};
use palisade_model::{CertificateFacts, Listing, Mode, PeerIdentity, SpiffeId};
use serde_json::{Value, json};

use crate::configured::{Configured, Inspecting};
use crate::exchange::{Asked, Exchange};

/// Who asks, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    /// The listener; any that has a route for it where it is not said.
    pub(crate) listener: Option<String>,
    /// Whom its certificate names, which is believed.
    pub(crate) principal: Option<SpiffeId>,
}

impl Who {
    /// What it says, and what another one says of the rest.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            listener: self.listener.or_else(|| other.listener.clone()),
            principal: self.principal.or_else(|| other.principal.clone()),
        }
    }
}

/// A request before it is inspected.
pub(super) struct Met {
    pub(super) service: Arc<Service>,
    pub(super) asked: Asked,
    /// Where a configuration was asked.
    pub(super) configured: Option<Way>,
}

/// How a configuration leads to the inspection.
pub(super) struct Way {
    path: Arc<str>,
    principal: Option<SpiffeId>,
    authentication: Option<JudgedAlone>,
    policies_elsewhere: bool,
}

impl Met {
    /// A request that a service alone is asked about.
    pub(super) fn of_service(
        service: &Arc<Service>,
        exchange: &Exchange,
        (detail, request_id): (Detail, String),
    ) -> Self {
        let peer = exchange.peer(None, request_id);
        let asked = Asked { peer, standing: Standing::of(service), detail, at: None };
        Self { service: service.clone(), asked, configured: None }
    }

    /// A request that comes to a configuration: `inspecting` is where it goes, `on_list` says which list its source is on.
    /// A mode may take the place of the one in force.
    pub(super) fn at(
        inspecting: &Inspecting,
        mode: Option<Mode>,
        exchange: &Exchange,
        who: Who,
        on_list: impl FnOnce(IpAddr, Option<u32>) -> Option<Listing>,
        (detail, request_id): (Detail, String),
    ) -> Self {
        let client = exchange.client.ip();
        let service = inspecting.service.clone();
        let in_force = Standing::of(&service);
        let standing = Standing { mode: mode.unwrap_or(in_force.mode), ..in_force };
        let standing = standing.on(on_list(client, service.application));
        let asks = inspecting.authentication.as_ref().filter(|_| standing.refused().is_none());
        let authentication = asks.map(|asked| asked.judge_alone(&exchange.head, client));
        let standing = standing.unauthenticated(authentication.as_ref().and_then(|judged| judged.refused));
        let mut peer = exchange.peer(who.principal.clone().map(identity), request_id);
        peer.authenticated = authentication.as_ref().and_then(|judged| judged.identity.clone());
        peer.refused = authentication.as_ref().map(|judged| judged.refused_at.clone()).unwrap_or_default();
        let way = Way {
            path: inspecting.path.clone(),
            principal: who.principal,
            authentication,
            policies_elsewhere: false,
        };
        Self { service, asked: Asked { peer, standing, detail, at: None }, configured: Some(way) }
    }

    /// The same where policies come from an agent that is not asked.
    pub(super) fn without_policies(mut self) -> Self {
        self.configured.iter_mut().for_each(|way| way.policies_elsewhere = true);
        self
    }

    /// For the answer; nothing where no configuration was asked.
    pub(super) fn json(&self, report: &Report) -> Option<Value> {
        let Way { path, principal, authentication, policies_elsewhere } = self.configured.as_ref()?;
        let authentication = authentication.as_ref().map(|judged| {
            json!({
                "subject": judged.identity.as_ref().and_then(|identity| identity.subject.as_deref()),
                "by": judged.identity.as_ref().map(|identity| &*identity.authenticator),
                "refused": judged.refused.map(|refused| refused.status),
                "monitored": judged.refused.is_some_and(|refused| refused.is_monitored),
                "why": judged.why,
                "unasked": judged.unasked.iter().map(|name| &**name).collect::<Vec<_>>(),
            })
        });
        let policy = report.policy().map(|policy| {
            json!({"allowed": policy.is_allowed(), "would_deny": policy.would_deny(), "notes": policy.notes()})
        });
        Some(json!({
            "service": self.service.name,
            "route": &**path,
            "mode": self.asked.standing.mode.as_str(),
            "list": self.asked.standing.list.map(Listing::as_str),
            "principal": principal.as_ref().map(SpiffeId::as_str),
            "authentication": authentication,
            "policy": policy,
            "policies_elsewhere": policies_elsewhere,
        }))
    }

    /// In lines of a name and what there is to say.
    pub(super) fn lines(&self, report: &Report) -> Vec<(&'static str, String)> {
        let Some(Way { path, principal, authentication, policies_elsewhere }) = &self.configured else {
            return Vec::new();
        };
        let mut lines = vec![("service", format!("{} by its route {path}", self.service.name))];
        if let Some(list) = self.asked.standing.list {
            lines.push(("list", format!("{} is on the {list} list", self.asked.peer.client_addr.ip())));
        }
        if let Some(judged) = authentication {
            lines.push(("who", who_said(judged)));
        }
        match report.policy() {
            Some(policy) => {
                let from = match principal {
                    Some(id) => format!("{id} at {}", self.asked.peer.client_addr.ip()),
                    None => format!("nobody by name at {}", self.asked.peer.client_addr.ip()),
                };
                let word = if policy.is_allowed() { "let in" } else { "refused" };
                lines.push(("policy", format!("{word}: {from}")));
                lines.extend(policy.notes().into_iter().map(|note| ("policy", note)));
            }
            None if *policies_elsewhere => {
                lines.push(("policy", "they come from an agent, which is not asked".to_owned()));
            }
            None => {}
        }
        lines
    }
}

fn who_said(judged: &JudgedAlone) -> String {
    match (&judged.identity, judged.refused) {
        (Some(identity), _) => {
            let subject = identity.subject.as_deref().unwrap_or("somebody without a name");
            format!("{subject}, as authenticator {} says", identity.authenticator)
        }
        (None, Some(refused)) => {
            let would = if refused.is_monitored { "would be refused" } else { "refused" };
            format!("{would} with {}: {}", refused.status, judged.why)
        }
        (None, None) if judged.unasked.is_empty() => "nobody by name, which may be".to_owned(),
        (None, None) => format!("not decided here: {} would ask a server", judged.unasked.join(", ")),
    }
}

/// Who a request is from whose certificate names somebody.
fn identity(id: SpiffeId) -> Arc<PeerIdentity> {
    let uri_sans = vec![id.to_string()];
    let facts = CertificateFacts { spiffe_id: Some(id), uri_sans, ..CertificateFacts::default() };
    Arc::new(PeerIdentity::trusted(facts))
}

/// Where a request goes; in words why it goes nowhere.
pub(super) fn way<'c>(
    configured: &'c Configured,
    who: &Who,
    exchange: &Exchange,
) -> Result<&'c Inspecting, String> {
    if let Some(name) = &who.listener
        && !configured.listeners().any(|there| there == name)
    {
        let mut names: Vec<&str> = configured.listeners().collect();
        names.sort_unstable();
        return Err(format!("there is no listener `{name}`; there are: {}", names.join(", ")));
    }
    configured
        .find(who.listener.as_deref(), &exchange.head)
        .ok_or_else(|| "no route takes it, by its host and path: it would be answered with 404".to_owned())
}
