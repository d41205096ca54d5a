//! The specification of a service's API in an inspection: what is done about each kind of breach. A breach is a finding, so
//! that logs, events, exceptions and the console know it as they know an attack.

use std::sync::Arc;

use palisade_authn::Place;
use palisade_config::{OnBreach, OpenApi};
use palisade_detect::{Confidence, Finding};
use palisade_http::{RequestHead, Target};
use palisade_model::Root;
use palisade_openapi::{Breach, Check, Limits, Shown, Specification, Violation};

use crate::detector::Judged;
use crate::exceptions::Exceptions;
use crate::inspection::Peer;

/// Who found it, in findings.
pub(crate) const SPECIFICATION: &str = "openapi";

/// A specification in force.
#[derive(Clone, Debug)]
pub struct Enforcement {
    specification: Arc<Specification>,
    limits: Limits,
    actions: [OnBreach; Violation::ALL.len()],
}

impl Enforcement {
    /// A specification, enforced as a service's configuration says.
    pub fn new(specification: Arc<Specification>, told: &OpenApi) -> Self {
        let count = |count: palisade_config::Count| usize::try_from(count.get()).unwrap_or(usize::MAX);
        let limits = Limits {
            body_bytes_max: usize::try_from(told.limits.body.bytes()).unwrap_or(usize::MAX),
            work_max: told.limits.work.get().into(),
            // Deeper ones would take more of the stack than there is.
            depth_max: count(told.limits.depth).min(200),
            values_max: count(told.limits.values),
        };
        let action = |violation: Violation| match violation {
            Violation::UndefinedEndpoint => told.undefined_endpoint,
            Violation::UndefinedParameter => told.undefined_parameter,
            Violation::MissingParameter => told.missing_parameter,
            Violation::InvalidValue => told.invalid_value,
            Violation::NoAuthentication => told.no_authentication,
            Violation::InvalidBody => told.invalid_body,
            Violation::OverLimit => told.over_limit,
        };
        Self { specification, limits, actions: Violation::ALL.map(action) }
    }

    /// Begins to hold a request against it.
    pub(crate) fn begin(&self, head: &RequestHead, peer: &Peer) -> Check {
        let identity = peer.identity.as_ref();
        let refused: Vec<_> = peer.refused.iter().map(point).collect();
        let shown = Shown {
            certificate: identity.is_some_and(|identity| identity.trusted_certificate().is_some()),
            refused: &refused,
        };
        Check::begin(&self.specification, &self.limits, head, &shown)
    }

    fn action(&self, violation: Violation) -> OnBreach {
        self.actions[violation as usize]
    }

    /// What the breaches of a request are worth.
    pub(crate) fn judge(&self, breaches: &[Breach], head: &RequestHead, exceptions: &Exceptions) -> Judged {
        if breaches.is_empty() {
            return Judged::default();
        }
        let target = Target::new(&head.target, &head.method);
        let allowed = exceptions.findings_at(target.path());
        let mut judged = Judged::default();
        for breach in breaches {
            let action = self.action(breach.violation);
            if action == OnBreach::Ignore {
                continue;
            }
            let finding = Finding {
                attack: breach.violation.attack(),
                detector: SPECIFICATION,
                confidence: Confidence::percent(100),
                point: breach.point().into(),
                decode_path: Vec::new(),
                // The value is not quoted: who mistypes a password is no attacker.
                excerpt: Vec::new(),
                why: breach.why.clone(),
            };
            if allowed.except(finding.attack, &finding.point.as_point()) {
                judged.excepted.push(finding);
                continue;
            }
            if action == OnBreach::Block && judged.decisive.is_none() {
                judged.decisive = Some(judged.findings.len());
            }
            judged.findings.push(finding);
        }
        judged
    }
}

/// Where a credential stands, as a specification says it.
fn point(place: &Place) -> (Root, Vec<u8>) {
    let (root, name) = match place {
        Place::Bearer => (Root::Header, "authorization"),
        Place::Header(name) => (Root::Header, name.as_str()),
        Place::Cookie(name) => (Root::Cookie, name.as_str()),
        Place::Query(name) => (Root::Query, name.as_str()),
    };
    (root, name.as_bytes().to_vec())
}
