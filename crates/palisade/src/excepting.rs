//! What a console for many excepts services from, put in force at a data plane: on a thread of its own, since it waits for the
//! loop that serves, and the stream does not.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use palisade_collector::ExceptedAbout;
use palisade_collector::messages::{Exceptions, ServiceExceptions};
use tokio::sync::watch;

use crate::excepted::SetExceptions;

/// What the console said last, and what has become of it.
pub(crate) struct Excepting {
    /// Of two that come while the first is put in force, the later counts.
    told: watch::Sender<Exceptions>,
    about: Mutex<ExceptedAbout>,
}

impl fmt::Debug for Excepting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Excepting").field("about", &*self.about_in_use()).finish_non_exhaustive()
    }
}

impl Excepting {
    /// Starts the thread. It ends when this is gone.
    pub(crate) fn start(set: Arc<SetExceptions>, follows: bool) -> Result<Arc<Self>> {
        let (told, hears) = watch::channel(Exceptions::default());
        let about = Mutex::new(ExceptedAbout { follows, ..ExceptedAbout::default() });
        let excepting = Arc::new(Self { told, about });
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let shown = Arc::downgrade(&excepting);
        thread::Builder::new()
            .name("collector exceptions".into())
            .spawn(move || {
                let mut hears = hears;
                while runtime.block_on(hears.changed()).is_ok() {
                    let said = hears.borrow_and_update().clone();
                    let revision = said.revision;
                    let refused = put_in_force(&set, said);
                    let Some(excepting) = shown.upgrade() else { return };
                    *excepting.about_in_use() = ExceptedAbout { follows, revision, refused };
                }
            })
            .context("the thread of the console's exceptions cannot be started")?;
        Ok(excepting)
    }

    /// The console said this. Does not wait.
    pub(crate) fn told(&self, exceptions: Exceptions) {
        self.told.send_replace(exceptions);
    }

    /// How far it is.
    pub(crate) fn about(&self) -> ExceptedAbout {
        self.about_in_use().clone()
    }

    fn about_in_use(&self) -> MutexGuard<'_, ExceptedAbout> {
        // What stands there is whole after every statement.
        self.about.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the services that are not excepted as they should be, and why.
fn put_in_force(set: &SetExceptions, said: Exceptions) -> Vec<(String, String)> {
    let services = said.services.into_iter();
    let services: Vec<_> =
        services.map(|ServiceExceptions { service, exceptions }| (service, exceptions)).collect();
    let named: Vec<String> = services.iter().map(|(service, _)| service.clone()).collect();
    let count: usize = services.iter().map(|(_, exceptions)| exceptions.len()).sum();
    let refused = set.told(services).unwrap_or_else(|error| {
        let why = error.to_string();
        named.iter().map(|service| (service.clone(), why.clone())).collect()
    });
    say!("palisade: the console excepts {} services from {count} things", named.len());
    for (service, why) in &refused {
        say!("palisade: exceptions of the console for service {service}: {why}");
    }
    refused
}
