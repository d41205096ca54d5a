//! How a request stands before anything of it is looked at: the mode in force, and the list that its source is on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use palisade_model::{Listing, Mode};

use crate::decide::Stance;
use crate::inspection::Cause;
use crate::profile::Service;

/// How a request stands. Known before it is inspected, and the same for all of it: what changes meanwhile is for later
/// requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The mode in force.
    pub mode: Mode,
    /// The list that its source is on; the first in order, where it is on several.
    pub list: Option<Listing>,
    /// It comes above a rate limit: the status that it is refused with.
    pub above_rate: Option<u16>,
    /// It is not known who it is from, where that has to be.
    pub unauthenticated: Option<Unauthenticated>,
    /// Who it is from comes above a rate limit: the status that it is refused with, unless policies refuse it first.
    pub above_claim_rate: Option<u16>,
}

/// Why it is not known who a request is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated {
    /// The status that it is refused with.
    pub status: u16,
    /// The reason in one word, for logs, events and metrics.
    pub reason: &'static str,
    /// It is only said; the request goes on.
    pub is_monitored: bool,
}

impl Standing {
    /// A request to a service from a source on no list.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        let mode = service.mode.in_force();
        Self { mode, list: None, above_rate: None, unauthenticated: None, above_claim_rate: None }
    }

    /// The same on a list.
    #[must_use]
    pub fn on(self, list: Option<Listing>) -> Self {
        Self { list, ..self }
    }

    /// The same above a rate limit.
    #[must_use]
    pub fn above_rate(self, status: Option<u16>) -> Self {
        Self { above_rate: status, ..self }
    }

    /// The same where it is not known who it is from.
    #[must_use]
    pub fn unauthenticated(self, why: Option<Unauthenticated>) -> Self {
        Self { unauthenticated: why, ..self }
    }

    /// The same where who it is from comes above a rate limit.
    #[must_use]
    pub fn above_claim_rate(self, status: Option<u16>) -> Self {
        Self { above_claim_rate: status, ..self }
    }

    /// Why it is refused before anything looks at it, and with which status.
    #[must_use]
    pub fn refused(self) -> Option<(Cause, u16)> {
        match (self.list, self.above_rate, self.unauthenticated) {
            (Some(Listing::Deny), ..) => Some((Cause::List, 403)),
            (_, Some(status), _) => Some((Cause::Rate, status)),
            (.., Some(why)) if !why.is_monitored => Some((Cause::Authentication, why.status)),
            _ => None,
        }
    }

    /// Whether authentication would refuse what goes on.
    #[must_use]
    pub fn would_be_unauthenticated(self) -> bool {
        self.unauthenticated.is_some_and(|why| why.is_monitored)
    }

    /// Whether rules and detector look at it. A source on the allow list passes unchecked, one on the deny list not at all.
    #[must_use]
    pub fn is_inspected(self) -> bool {
        self.mode != Mode::Off && self.list != Some(Listing::Allow) && self.refused().is_none()
    }

    /// Whether a verdict is sure to act.
    #[must_use]
    pub fn enforces(self) -> bool {
        match self.mode {
            Mode::Block => true,
            Mode::SafeBlocking => self.list == Some(Listing::Gray),
            Mode::Off | Mode::Monitoring => false,
        }
    }

    /// What decides beside the verdicts on it.
    #[must_use]
    pub fn stance(self, service: &Service) -> Stance {
        let gray = self.list == Some(Listing::Gray);
        Stance { mode: self.mode, gray, on_failure: service.profile.on_failure }
    }
}

/// The mode of a service's requests: the one that is written, unless one was set while it runs.
#[derive(Clone, Debug)]
pub struct ServiceMode {
    written: Mode,
    allowed: ModeOverride,
    set: Arc<SetMode>,
}

impl ServiceMode {
    /// A mode that is written, how far one set at run time may go, and where that stands.
    #[must_use]
    pub fn new(written: Mode, allowed: ModeOverride, set: Arc<SetMode>) -> Self {
        Self { written, allowed, set }
    }

    /// The mode in force.
    #[must_use]
    pub fn in_force(&self) -> Mode {
        match (self.allowed, self.set.get()) {
            (ModeOverride::Off, _) | (_, None) => self.written,
            (ModeOverride::Strict, Some(set)) => stricter(self.written, set),
            (ModeOverride::On, Some(set)) => set,
        }
    }

    /// The mode that is written.
    #[must_use]
    pub fn written(&self) -> Mode {
        self.written
    }

    /// How far one set at run time may go.
    #[must_use]
    pub fn allowed(&self) -> ModeOverride {
        self.allowed
    }

    /// Whether the mode set at run time is what is in force, rather than what is written.
    #[must_use]
    pub fn is_set(&self) -> bool {
        match (self.allowed, self.set.get()) {
            (ModeOverride::Off, _) | (_, None) => false,
            (ModeOverride::Strict, Some(set)) => stricter(self.written, set) == set,
            (ModeOverride::On, Some(_)) => true,
        }
    }
}

impl From<Mode> for ServiceMode {
    fn from(written: Mode) -> Self {
        Self::new(written, ModeOverride::default(), Arc::default())
    }
}

/// How far a mode set at run time may go. Wallarm's `wallarm_mode_allow_override`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModeOverride {
    /// It does not count.
    Off,
    /// It counts where it is stricter.
    Strict,
    /// It counts.
    #[default]
    On,
}

impl ModeOverride {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Strict => "strict",
            Self::On => "on",
        }
    }
}

/// A mode set while we run, or none. Read by every request, so without a lock.
#[derive(Debug, Default)]
pub struct SetMode(AtomicU8);

impl SetMode {
    /// The mode.
    #[must_use]
    pub fn get(&self) -> Option<Mode> {
        let place = usize::from(self.0.load(Ordering::Relaxed));
        Mode::ALL.get(place.checked_sub(1)?).copied()
    }

    /// Sets it for later requests, or takes it back.
    pub fn set(&self, mode: Option<Mode>) {
        self.0.store(mode.map_or(0, |mode| mode as u8 + 1), Ordering::Relaxed);
    }
}

/// The one of two modes that lets less pass.
fn stricter(one: Mode, other: Mode) -> Mode {
    if other as u8 > one as u8 { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_set_at_run_time_goes_as_far_as_it_may() {
        use Mode::{Block, Monitoring, Off, SafeBlocking};
        for (changes, written, set, in_force, is_set) in [
            (ModeOverride::On, Block, None, Block, false),
            (ModeOverride::On, Block, Some(Off), Off, true),
            (ModeOverride::On, Monitoring, Some(Block), Block, true),
            (ModeOverride::Strict, Block, Some(Monitoring), Block, false),
            (ModeOverride::Strict, Monitoring, Some(SafeBlocking), SafeBlocking, true),
            (ModeOverride::Off, Monitoring, Some(Block), Monitoring, false),
        ] {
            let mode = ServiceMode::new(written, changes, Arc::default());
            mode.set.set(set);
            assert_eq!((mode.in_force(), mode.is_set()), (in_force, is_set), "{changes:?} {written} {set:?}");
        }
        for mode in Mode::ALL {
            let set = SetMode::default();
            set.set(Some(mode));
            assert_eq!(set.get(), Some(mode));
        }
    }

    #[test]
    fn lists_and_mode_say_what_is_looked_at_and_what_acts() {
        for (mode, list, inspected, enforces) in [
            (Mode::Off, None, false, false),
            (Mode::Monitoring, None, true, false),
            (Mode::Monitoring, Some(Listing::Gray), true, false),
            (Mode::SafeBlocking, None, true, false),
            (Mode::SafeBlocking, Some(Listing::Gray), true, true),
            (Mode::Block, None, true, true),
            (Mode::Block, Some(Listing::Gray), true, true),
            (Mode::Block, Some(Listing::Allow), false, true),
            (Mode::Block, Some(Listing::Deny), false, true),
        ] {
            let standing =
                Standing { mode, list, above_rate: None, unauthenticated: None, above_claim_rate: None };
            assert_eq!((standing.is_inspected(), standing.enforces()), (inspected, enforces), "{standing:?}");
        }
    }
}
