//! What there is to show, as the program that has it implements it.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use crate::control::Control;
use crate::dataplane::Dataplane;
use crate::explainer::{Explainer, PolicyShown};
use crate::exposition::Exposition;
use crate::records::Records;
use crate::status::Status;

/// What the admin listener shows. Called on its own thread for each request, so it answers at once: it waits for no
/// traffic, no disk and no lock that is held for long.
pub trait Subject: Debug + Send + Sync {
    /// Whether the process works at all. Who asks ends one that does not, so only what a restart would mend counts.
    fn liveness(&self) -> Health;

    /// Whether the start is over. Stays so once it is.
    fn startup(&self) -> Health;

    /// Whether new requests should be sent here.
    fn readiness(&self) -> Health;

    /// Writes every metric. Samples of one name follow each other.
    fn metrics(&self, into: &mut Exposition);

    /// What is in force.
    fn status(&self) -> Status;

    /// Writes a line to whoever reads what this process says of itself: who logged in, who changed what.
    fn say(&self, line: &str) {
        let _ = line;
    }

    /// Data planes whose events come here, those that were here and have gone included; this process where it is one itself.
    fn dataplanes(&self) -> Vec<Dataplane> {
        Vec::new()
    }

    /// Whether this is a console for many data planes, which decides nothing itself: what is in force is asked there.
    fn collects(&self) -> bool {
        false
    }

    /// Policies, in force and staged, in the order in which they are asked.
    fn policies(&self) -> Vec<PolicyShown> {
        Vec::new()
    }

    /// What answers questions about what is in force; `None` while there is nothing yet.
    fn explainer(&self) -> Option<Arc<dyn Explainer>> {
        None
    }

    /// What can be changed; `None` while there is nothing yet.
    fn control(&self) -> Option<Arc<dyn Control>> {
        None
    }

    /// Events; `None` where there are none.
    fn records(&self) -> Option<Arc<Records>> {
        None
    }
}

/// What a probe is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// 200.
    Good,
    /// 503 with this reason, one line.
    Bad(Cow<'static, str>),
}
