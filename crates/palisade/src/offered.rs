//! A configuration that is offered from elsewhere, bundle by bundle, to a process that keeps the last good one.

use std::future::pending;
use std::path::Path;

use anyhow::{Context as _, Result};
use palisade_control::stream::Following;
use palisade_control::{Applied, Bundle, Offer, Refused};
use tokio::sync::{mpsc, watch};

use crate::bundle_folder::BundleFolder;
use crate::commands::run::{Begun, InUse};
use crate::configuration::Told;
use crate::data_folder::DataFolder;
use crate::snapshot::Effort;
use crate::waiting::Waiting;

/// Where bundles come from and where they lie.
pub(crate) struct Offered {
    told: Told,
    offers: mpsc::Receiver<Offer>,
    folder: BundleFolder,
    data: Option<DataFolder>,
    following: Option<watch::Receiver<Following>>,
}

impl Offered {
    /// Takes the data folder. It is what flags and the environment say, not what a bundle does, which lies in it.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) fn open(mut told: Told, offers: mpsc::Receiver<Offer>) -> Result<Self> {
        let named = || std::env::var("PALISADE_DATA_DIR").unwrap_or_else(|_| DATA_DIR.to_owned());
        // As a flag, so that it wins over what a bundle says.
        let path = told.overrides.data_dir.get_or_insert_with(named);
        let data = DataFolder::open(Path::new(path))?;
        let folder = BundleFolder::open(&data.path().join("bundle"))?;
        told.file = Some(folder.entry());
        Ok(Self { told, offers, folder, data: Some(data), following: None })
    }

    /// The bundle that was kept from a time before.
    pub(crate) fn held(&self) -> Option<Bundle> {
        self.folder.held().map(|(_, bundle)| bundle.clone())
    }

    /// Has somebody shown how the stream goes that offers come by.
    pub(crate) fn comes_by(&mut self, following: watch::Receiver<Following>) {
        self.following = Some(following);
    }

    /// How that stream goes, where there is one.
    pub(crate) fn following(&self) -> Option<watch::Receiver<Following>> {
        self.following.clone()
    }

    /// The data folder, for the process to keep.
    pub(crate) fn data(&mut self) -> Result<DataFolder> {
        self.data.take().context("the data folder is taken once")
    }

    /// Begins with the bundle that was kept, or with the first that is offered and can be used. Waits for it outside of a
    /// runtime.
    ///
    /// # Errors
    /// When nobody is left to offer any.
    pub(crate) fn begin(&mut self) -> Result<Begun> {
        if self.folder.held().is_some() {
            match Begun::of(self.told.clone()) {
                Ok(begun) => return Ok(begun),
                Err(error) => say!("palisade: the configuration that was kept cannot be used: {error:#}"),
            }
        }
        say!("palisade: waiting for a configuration");
        loop {
            let waiting = Waiting::start()?;
            let offer = self.offers.blocking_recv().context("no configuration came, and none will")?;
            // Whoever begins takes the address of the probes.
            drop(waiting);
            let begun = self.folder.put(&offer.bundle).and_then(|()| Begun::of(self.told.clone()));
            let (begun, outcome) = match begun {
                Ok(begun) => (Some(begun), Ok(Vec::new())),
                Err(error) => {
                    say!("palisade: the configuration that was offered cannot be used: {error:#}");
                    (None, Err(Refused(format!("{error:#}"))))
                }
            };
            self.folder.tidy();
            let _ = offer.answer.send(Applied { revision: offer.bundle.revision(), outcome });
            if let Some(begun) = begun {
                return Ok(begun);
            }
        }
    }

    /// The next offer. Where nobody is left to make any, what is in force stays.
    pub(crate) async fn next(&mut self) -> Offer {
        match self.offers.recv().await {
            Some(offer) => offer,
            None => pending().await,
        }
    }

    /// Has an offer in force, or what was before it, and answers.
    pub(crate) async fn take_over(&mut self, offer: Offer, in_use: &mut InUse) {
        let revision = offer.bundle.revision();
        let before = self.held();
        let outcome = match self.folder.put(&offer.bundle) {
            Ok(()) => in_use.reload(Effort::Changed).await,
            Err(error) => {
                say!("palisade: the configuration in force stays: {error:#}");
                Err(error)
            }
        };
        let outcome = match outcome {
            Ok((stale, restart)) => Ok(stale_of(stale, restart)),
            Err(error) => {
                self.go_back(before);
                Err(Refused(format!("{error:#}")))
            }
        };
        self.folder.tidy();
        let _ = offer.answer.send(Applied { revision, outcome });
    }

    /// What is kept is what the next process begins with: the last that was good.
    fn go_back(&mut self, before: Option<Bundle>) {
        let back = before.map(|before| self.folder.put(&before)).transpose();
        if let Err(error) = back {
            say!("palisade: {error:#}");
        }
    }
}

/// Where state is when nobody says.
const DATA_DIR: &str = "./palisade-data";

fn stale_of(stale: Vec<crate::snapshot::Stale>, restart: Vec<String>) -> Vec<palisade_control::Stale> {
    let objects = stale.into_iter().map(|stale| palisade_control::Stale {
        kind: stale.kind.to_owned(),
        name: stale.name.to_string(),
        error: stale.error,
    });
    let waiting = restart.into_iter().map(|what| palisade_control::Stale {
        kind: "process".to_owned(),
        name: what,
        error: "it is in force after a restart".to_owned(),
    });
    objects.chain(waiting).collect()
}
