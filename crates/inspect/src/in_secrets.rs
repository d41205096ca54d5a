//! Whether what was found was found in a secret: a copy of the request that hides it cannot show it again.

use palisade_engine::Match;
use palisade_model::{Place, Point, Redactor, Root, holds_stand_in};

use crate::redacted::place_of;
use crate::report::Report;

impl Report {
    /// Whether a rule that says so, or the detector, found something in a value that logs and copies hide: a password, a
    /// cookie, or a text that holds one.
    #[must_use]
    pub fn found_in_secrets(&self) -> bool {
        let redactor = &self.service.profile.redactor;
        self.telling_matches().any(|matched| is_secret_match(redactor, matched))
            || self
                .notable_findings()
                .any(|finding| is_secret_point(redactor, finding.point.as_point(), &finding.excerpt))
    }

    /// The same of a copy: whether something was found in what took a secret's place.
    #[must_use]
    pub fn found_in_stand_ins(&self) -> bool {
        self.telling_matches().any(|matched| holds_stand_in(&matched.value) || holds_stand_in(&matched.data))
            || self.notable_findings().any(|finding| holds_stand_in(&finding.excerpt))
    }

    fn telling_matches(&self) -> impl Iterator<Item = &Match> {
        let matches = self.transaction().map_or(&[][..], |transaction| transaction.matches());
        matches.iter().filter(|matched| matched.logged || matched.interrupted.is_some())
    }
}

fn is_secret_match(redactor: &Redactor, matched: &Match) -> bool {
    match place_of(&matched.target) {
        Some(place) => redactor.hides_place(&place) || redactor.finds_secrets_in(&matched.value),
        // A text of several values, or of none: a score that counts what others found.
        None => redactor.finds_secrets_in(&matched.value),
    }
}

fn is_secret_point(redactor: &Redactor, point: Point<'_>, excerpt: &[u8]) -> bool {
    let is_hidden = match point.root {
        Root::Cookie => true,
        Root::Header => redactor.hides_place(&Place::RequestHeader(point.path.to_vec())),
        // A secret's name above it hides a whole object.
        _ => point.path.split(|byte| *byte == b'/').any(|name| redactor.hides(name)),
    };
    is_hidden || redactor.finds_secrets_in(excerpt)
}
