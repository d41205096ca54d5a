//! Where addresses are, by files in MaxMind's format.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use maxminddb::Reader;
use palisade_config::{Config, FilePath};
use palisade_dataplane::LiveLists;
use palisade_lists::{Country, Places};
use palisade_seclang::Loader;
use serde::Deserialize;

use crate::files::FileSystem;
use crate::watch::{Seen, Watched};

/// The files in use, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct PlaceFiles {
    seen: Seen,
    named: (Option<FilePath>, Option<FilePath>),
}

/// Two files in memory.
struct Files {
    countries: Option<Reader<Vec<u8>>>,
    asns: Option<Reader<Vec<u8>>>,
}

impl PlaceFiles {
    /// Looks addresses up in what a configuration names, read anew where it has changed.
    ///
    /// # Errors
    /// When a file cannot be used; the ones before stay in use then.
    pub(crate) fn follow(&mut self, config: &Config, live: &LiveLists) -> Result<()> {
        let places = &config.lists.places;
        let path = |path: &Option<palisade_config::Located<FilePath>>| path.as_deref().cloned();
        let named = (path(&places.countries), path(&places.asns));
        if named == self.named && self.seen.now(&FileSystem) == self.seen {
            return Ok(());
        }
        let watched = Watched::new(&FileSystem);
        let read = |key: &str, path: &Option<FilePath>| -> Result<Option<Reader<Vec<u8>>>> {
            let Some(path) = path else { return Ok(None) };
            let context = || format!("lists.places.{key}: `{path}` cannot be used");
            let content = watched.read(path.as_str()).with_context(context)?;
            Reader::from_source(content).with_context(context).map(Some)
        };
        let files = read("countries", &named.0)
            .and_then(|countries| Ok(Files { countries, asns: read("asns", &named.1)? }));
        // A file that is wrong is not read again until it changes.
        self.seen = watched.into_seen();
        self.named = named;
        let files = files?;
        let any = files.countries.is_some() || files.asns.is_some();
        live.look_places_up_in(any.then(|| Box::new(files) as Box<dyn Places + Send + Sync>));
        Ok(())
    }

    /// The files that were read.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

#[derive(Deserialize)]
struct InCountry<'r> {
    #[serde(borrow)]
    country: Option<Iso<'r>>,
    #[serde(borrow)]
    registered_country: Option<Iso<'r>>,
}

#[derive(Deserialize)]
struct Iso<'r> {
    iso_code: Option<&'r str>,
}

#[derive(Deserialize)]
struct OfSystem {
    autonomous_system_number: Option<u32>,
}

impl Places for Files {
    fn country(&self, address: IpAddr) -> Option<Country> {
        let found = self.countries.as_ref()?.lookup(address).ok()?;
        let found: InCountry<'_> = found.decode().ok()??;
        // Where the addresses are used; where that is not known, who they were given to.
        let iso = found.country.or(found.registered_country)?;
        iso.iso_code?.parse().ok()
    }

    fn asn(&self, address: IpAddr) -> Option<u32> {
        let found = self.asns.as_ref()?.lookup(address).ok()?;
        found.decode::<OfSystem>().ok()??.autonomous_system_number
    }
}
