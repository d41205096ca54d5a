//! Whether what decides is in force. Until then every question has the same answer, which can be told from a block: 503,
//! `x-palisade-reason: not-ready`; and the health service says NOT_SERVING.

use std::sync::Arc;

use tokio::sync::watch;

/// A switch that all who are asked look at. Clones are one switch.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// What is missing, in words for a log; `None`: nothing.
    missing: Arc<watch::Sender<Option<Arc<str>>>>,
}

impl Readiness {
    /// Everything is in force.
    pub fn ready() -> Self {
        Self { missing: Arc::new(watch::Sender::new(None)) }
    }

    /// Something is missing yet, such as `policies have not come yet`.
    pub fn waiting_for(missing: impl Into<Arc<str>>) -> Self {
        Self { missing: Arc::new(watch::Sender::new(Some(missing.into()))) }
    }

    /// From now on everything is in force.
    pub fn is_there(&self) {
        self.missing.send_if_modified(|missing| missing.take().is_some());
    }

    /// From now on something is missing.
    pub fn lacks(&self, missing: impl Into<Arc<str>>) {
        let now = missing.into();
        self.missing.send_if_modified(|missing| {
            let changes = missing.as_ref() != Some(&now);
            *missing = Some(now);
            changes
        });
    }

    /// What is missing, if anything is.
    pub(crate) fn missing(&self) -> Option<Arc<str>> {
        self.missing.borrow().clone()
    }

    /// What changes with it.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.missing.subscribe()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::ready()
    }
}
