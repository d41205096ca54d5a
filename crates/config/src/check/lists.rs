//! Lists name sources that can be known.

use super::Checks;
use crate::Config;

/// Entries of lists in a file; longer lists are the API's.
const ENTRIES_MAX: usize = 100_000;
/// Applications that one entry names.
const APPLICATIONS_MAX: usize = 64;
/// Bytes of a reason.
const REASON_BYTES_MAX: usize = 256;

impl Checks<'_> {
    pub(super) fn automatic(&mut self, config: &Config) {
        for (name, profile) in config.profiles.iter() {
            let automatic = &profile.automatic;
            let counts = [Some(automatic.gray.above), automatic.deny.as_ref().map(|deny| deny.above)];
            if counts.into_iter().flatten().any(|above| above.get() > 100) {
                let message = format!("the profile {name} counts more than 100 different payloads");
                let key = format!("profiles.{name}.automatic");
                self.error(&key, crate::Origin::Default, message, "write 100 or less");
            }
        }
    }

    pub(super) fn lists(&mut self, config: &Config) {
        let lists = &config.lists;
        let places = &lists.places;
        for (name, entries) in [("allow", &lists.allow), ("deny", &lists.deny), ("gray", &lists.gray)] {
            if let Some(first_over) = entries.get(ENTRIES_MAX) {
                let message =
                    format!("{} entries are more than the {ENTRIES_MAX} that a file has", entries.len());
                let help = "add the others by the API: POST /api/v1/lists/".to_owned() + name;
                self.error(&format!("lists.{name}"), first_over.origin(), message, help);
            }
            for (index, entry) in entries.iter().enumerate() {
                let key = format!("lists.{name}[{index}]");
                let mut error = |message: &str, help: &str| {
                    self.error(&key, entry.origin(), message.to_owned(), help);
                };
                let named = [entry.address.is_some(), entry.country.is_some(), entry.asn.is_some()];
                if named.iter().filter(|is| **is).count() != 1 {
                    error(
                        "an entry names one of address, country and asn",
                        "write `{address: 192.0.2.0/24}`",
                    );
                }
                if entry.country.is_some() && places.countries.is_none() {
                    error(
                        "nothing says which country an address is in",
                        "name a file by `lists.places.countries`",
                    );
                }
                if entry.asn.is_some() && places.asns.is_none() {
                    error("nothing says which ASN an address is of", "name a file by `lists.places.asns`");
                }
                if entry.applications.len() > APPLICATIONS_MAX {
                    error("more than 64 applications", "leave `applications` out for all of them");
                }
                if entry.reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
                    error("a reason has at most 256 bytes", "write a shorter one");
                }
            }
        }
    }
}
