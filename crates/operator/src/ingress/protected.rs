//! Whether an Ingress is inspected as its annotations say, or as a Protection does.
//!
//! ```text
//!  Protection of the Ingress      what it names counts: profile, mode; what it leaves out is as below
//!  annotations of the Ingress     where they speak of ModSecurity
//!  Protection of its namespace
//!  ConfigMap of the controller, --mode
//! ```

use crate::draft::Draft;
use crate::entrances::{Attached, Inspected, Profiles};
use crate::ingress::options::Options;

/// An Ingress as its annotations have it inspected.
pub(super) struct Protected<'a> {
    /// Namespace and name.
    pub(super) of: &'a (String, String),
    /// The profile by annotations and ConfigMap.
    pub(super) profile: String,
    /// ModSecurity is on for every Ingress.
    pub(super) everywhere: bool,
}

impl Protected<'_> {
    /// What inspects it; `None` where what would cannot.
    pub(super) fn inspected(
        self,
        options: &mut Options,
        profiles: &mut Profiles<'_>,
        draft: &mut Draft,
        say: &mut impl FnMut(&'static str, String, bool),
    ) -> Option<Inspected> {
        let (namespace, name) = self.of;
        let speaks = self.speaks(options);
        let own = profiles.at_ingress(namespace, name, draft);
        let near = own.is_some();
        let attached = match own {
            None if !speaks => profiles.at_namespace(namespace, draft),
            own => own,
        };
        let Some(Attached { by, profile, mode }) = attached else {
            return Some(Inspected { profile: Some(self.profile), mode: None });
        };
        let profile = match profile {
            Some(Ok(profile)) => {
                if speaks {
                    let what = format!(
                        "what annotations say of ModSecurity has no effect: Protection {by} names a profile"
                    );
                    say("Overridden", what, true);
                }
                profile
            }
            Some(Err(why)) => {
                say(
                    "ProtectionNotUsable",
                    format!("its paths are answered with 503: Protection {by}: {why}"),
                    false,
                );
                return None;
            }
            // Nothing is inspected by annotation: a Protection says that something is.
            None if matches!(self.profile.as_str(), "default" | "off") => {
                if self.profile == "off" {
                    let what =
                        format!("enable-modsecurity: \"false\" has no effect: Protection {by} inspects");
                    say("Overridden", what, true);
                }
                profiles.usual(draft)
            }
            None => self.profile,
        };
        if near && mode.is_some() && options.mode.take().is_some_and(|own| Some(own) != mode) {
            say("Overridden", format!("palisade.dev/mode has no effect: Protection {by} names a mode"), true);
        }
        Some(Inspected { profile: Some(profile), mode })
    }

    /// Whether annotations say how it is inspected. A snippet alone turns nothing on.
    fn speaks(&self, options: &Options) -> bool {
        options.modsecurity.is_some()
            || self.everywhere && (options.snippet.is_some() || options.crs == Some(true))
    }
}
