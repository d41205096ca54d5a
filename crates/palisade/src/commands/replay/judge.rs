//! A configuration as a judge of copies: which service a request belongs to, and what its inspection says.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use palisade_config::RouteBody;
use palisade_events::recording::{BodyCopy, Decided, Outcome};
use palisade_events::unix_millis;
use palisade_inspect::{Action, Answer, Detail, Lookup, Service, Standing, UnixMillis};
use palisade_lists::{Listing, Moment};

use super::compare::Doubt;
use super::copies::{Connection, Copy};
use crate::configured::{FromFile, Inspecting};
use crate::decision::decided;
use crate::exchange::{Asked, Inspected, inspect_as};
use crate::modes::Modes;
use crate::snapshot::{Credentials, Snapshot};

/// What decides about copies.
pub(crate) struct Judge(FromFile);

/// What a judge says.
pub(crate) struct Judged {
    /// The service; `None`: no route takes the request.
    pub(crate) service: Option<String>,
    /// What inspected it, as a digest.
    pub(crate) inspected_by: Arc<str>,
    pub(crate) decided: Decided,
    /// Whether what is found is acted upon.
    pub(crate) enforces: bool,
    /// Why it might be otherwise.
    pub(crate) doubts: Vec<Doubt>,
    /// The target, secrets masked.
    pub(crate) target: String,
}

impl Judge {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it cannot be used; what is wrong was shown then.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        FromFile::read(file, Credentials::Absent).map(Self)
    }

    /// What a snapshot decides, by the modes that were set beside it.
    ///
    /// # Errors
    /// When files of places cannot be used, or the lists of the file are too long.
    pub(crate) fn of_snapshot(snapshot: &Snapshot, modes: &Modes) -> Result<Self> {
        FromFile::made(snapshot, modes).map(Self)
    }

    /// Judges a copy.
    pub(crate) fn judge(&self, copy: &Copy) -> Judged {
        let head = &copy.exchange.head;
        let connection = copy.connection.as_ref();
        let listener = connection.map(|connection| connection.listener.as_str());
        let Some(Inspecting { service, body, .. }) = self.0.configured.find(listener, head) else {
            return Judged {
                service: None,
                inspected_by: Arc::default(),
                decided: Decided::default(),
                enforces: false,
                doubts: vec![Doubt::NoRoute],
                target: palisade_model::Redactor::new().target(&head.target, TARGET_BYTES_MAX).to_string(),
            };
        };
        let mut doubts = Vec::new();
        let standing = self.standing(service, connection, &mut doubts);
        // Who asks is not in the copy: policies are left out, and that is said.
        let service = match connection {
            None if service.gate.is_some() => {
                doubts.push(Doubt::NoConnection);
                service.clone().behind(None)
            }
            _ => service.clone(),
        };
        if self.0.policies_elsewhere {
            doubts.push(Doubt::PoliciesElsewhere);
        }
        let peer = match connection {
            Some(connection) => connection.peer.clone(),
            None => copy.exchange.peer(None, copy.id.clone()),
        };
        let asked = Asked { peer, standing, detail: Detail::Normal, at: copy.at.map(UnixMillis) };
        let mut lookups = Lookups::default();
        let mut answers = |lookup: Lookup, _| lookups.answer(&lookup);
        let Inspected { action, outcome: _, report } =
            inspect_as(&copy.exchange, &service, asked, &mut answers);
        let stance = standing.stance(&service);
        let mut decided = decided(Some(&report), action != Action::Forward, stance);
        decided.by_masked = decided.is_flagged() && report.found_in_stand_ins();
        doubts.extend(lookups.doubts());
        let looks_at_bodies = standing.is_inspected()
            && *body != RouteBody::Off
            && (service.profile.detector.is_some() || service.profile.rules.is_some());
        // What was decided by the head alone holds whatever the body was.
        let by_head = decided.outcome != Outcome::Pass && decided.stage == "request_head";
        if looks_at_bodies && !by_head {
            match copy.body {
                BodyCopy::Whole => {}
                BodyCopy::Cut => doubts.push(Doubt::BodyCut),
                BodyCopy::Unseen => doubts.push(Doubt::BodyUnseen),
            }
        }
        doubts.extend(Doubt::of_cause(&decided.cause));
        if decided.outcome == Outcome::Pass && standing.is_inspected() && !copy.not_plain.is_empty() {
            doubts.push(Doubt::NotPlain(copy.not_plain.clone()));
        }
        let redactor = &service.profile.redactor;
        Judged {
            service: Some(service.name.clone()),
            inspected_by: service.digest.clone(),
            decided,
            enforces: standing.enforces(),
            doubts,
            target: redactor.target(&head.target, TARGET_BYTES_MAX).to_string(),
        }
    }

    /// How the request stands: on the configuration's lists, or where it was on a list by an entry that was made while the
    /// process ran, on that one.
    fn standing(
        &self,
        service: &Service,
        connection: Option<&Connection>,
        doubts: &mut Vec<Doubt>,
    ) -> Standing {
        let standing = Standing::of(service);
        let Some(connection) = connection else {
            if self.0.lists_anybody {
                doubts.push(Doubt::NoSource);
            }
            return standing;
        };
        let address = connection.peer.client_addr.ip();
        let hit = self.0.lists.find(address, service.application, Moment(unix_millis()));
        let by_file = hit.map(|hit| hit.list);
        let made = connection.list.as_ref().filter(|list| !list.of_file);
        let made = made.and_then(|list| Listing::ALL.into_iter().find(|one| one.as_str() == list.list));
        // Allow comes before deny, and deny before gray.
        standing.on(by_file.into_iter().chain(made).min_by_key(|list| *list as u8))
    }
}

/// Bytes of a target that an example shows.
const TARGET_BYTES_MAX: usize = 300;

/// What the rules asked for that no copy has.
#[derive(Default)]
struct Lookups {
    collections: bool,
    world: bool,
}

impl Lookups {
    fn answer(&mut self, lookup: &Lookup) -> Answer {
        match lookup {
            Lookup::Collection(_) => {
                self.collections = true;
                Answer::Collection(Vec::new())
            }
            Lookup::Dns { .. } | Lookup::Geo { .. } => {
                self.world = true;
                Answer::Unavailable
            }
        }
    }

    fn doubts(&self) -> impl Iterator<Item = Doubt> {
        let collections = self.collections.then_some(Doubt::Collections);
        collections.into_iter().chain(self.world.then_some(Doubt::World))
    }
}
