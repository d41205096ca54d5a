//! What a process's environment says: our own `PALISADE_*` variables, and those of two images that Palisade takes the
//! place of, owasp/modsecurity-crs and wallarm/node.
//!
//! ```text
//!            PALISADE_COMPAT, or what is there ──> Set ──> its defaults ─┐
//!  variables ── table: variable, what it does ──┬────────────────────────┴──> under the file   (compatibility)
//!                                               ├───────────────────────────> over the file    (PALISADE_*)
//!                                               └───────────────────────────> SecLang text     (engine and CRS)
//! ```
//!
//! The one idea to hold: everything about a variable stands in one row of `table`. Behaviour, the reference page and the
//! tests all come from there.
//!
//! Not here: the process's environment itself. Variables come in as a map, and whether a file is mounted as an answer
//! to a question.

mod effect;
mod reading;
mod reference;
mod rules;
mod set;
mod table;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Severity};
use crate::node::{Node, Origin, quoted};
use crate::overrides::{Place, Said};

use effect::Effect;
use rules::Rules;
use table::{Family, VARIABLES, Variable};

pub use reference::environment_reference;
pub use rules::EnvironmentRules;
pub use set::Compat;

/// What the environment says, ready to be laid over and under a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    compat: Option<Compat>,
    config_file: Option<String>,
    /// By variables of ours: over the file.
    pub(crate) over: Vec<Said>,
    /// By those of another image, and its defaults: under the file.
    pub(crate) under: Vec<Said>,
    /// What is wrong with values.
    pub(crate) diagnostics: Vec<Diagnostic>,
    rules: EnvironmentRules,
    notes: Vec<String>,
}

impl Environment {
    /// Reads variables. `is_mounted` says whether a file is there, or any that a pattern (`DIR/*.conf`) matches.
    ///
    /// What is wrong with a value is an error of the configuration that is made of this. Linear in the variables.
    pub fn read(variables: &BTreeMap<String, String>, is_mounted: &dyn Fn(&str) -> bool) -> Self {
        let mut reader =
            Reader { said: said_by(variables), environment: Self::default(), rules: Rules::default() };
        reader.ours(variables);
        match set::choose(&reader.said) {
            Ok(Some((compat, because))) => reader.compatible(compat, because, is_mounted),
            Ok(None) => {}
            Err((name, message, help)) => reader.wrong(name, message, help),
        }
        reader.environment.rules = reader.rules.finish();
        reader.environment
    }

    /// Whose place Palisade takes, if anybody's.
    pub fn compat(&self) -> Option<Compat> {
        self.compat
    }

    /// `PALISADE_CONFIG`: the configuration file, where no flag names one.
    pub fn config_file(&self) -> Option<&str> {
        self.config_file.as_deref()
    }

    /// What goes into every rule set.
    pub fn rules(&self) -> &EnvironmentRules {
        &self.rules
    }

    /// What somebody should know at the start, a line each: whose place is taken, which variables have no meaning here.
    /// Values of variables are not in it: some are secrets.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a variable is one that is read, whatever the set.
    pub fn knows(name: &str) -> bool {
        VARIABLES.iter().any(|variable| variable.name == name)
    }
}

/// Values that count: an empty one is as if it were not there, and `tcp://...` is what Kubernetes tells every container
/// of services that happen to be called so.
type SaidBy<'v> = BTreeMap<&'v str, &'v str>;

fn said_by(variables: &BTreeMap<String, String>) -> SaidBy<'_> {
    variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.trim()))
        .filter(|(_, value)| !value.is_empty() && !is_service_link(value))
        .collect()
}

fn is_service_link(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}

/// `PALISADE_SERVICE_HOST` and others, which Kubernetes sets where a service is called `palisade` or `palisade-...`.
fn is_about_a_service(name: &str) -> bool {
    let ends = ["_SERVICE_HOST", "_SERVICE_PORT", "_PROTO", "_PORT", "_ADDR"];
    name.contains("_SERVICE_PORT_") || ends.iter().any(|end| name.ends_with(end))
}

struct Reader<'v> {
    said: SaidBy<'v>,
    environment: Environment,
    rules: Rules,
}

impl Reader<'_> {
    fn wrong(&mut self, name: &'static str, message: String, help: String) {
        self.environment.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            origin: Origin::Flag(name),
            key: String::new(),
            message,
            help: Some(help),
        });
    }

    fn note(&mut self, note: String) {
        self.environment.notes.push(note);
    }

    fn said_of(&self, name: &str) -> Option<String> {
        self.said.get(name).map(|value| (*value).to_owned())
    }

    fn ours(&mut self, variables: &BTreeMap<String, String>) {
        self.environment.config_file = self.said_of("PALISADE_CONFIG");
        self.apply(Family::Ours);
        // Those for tests and builds are not ours to complain about.
        let of_others = ["PALISADE_TEST_", "PALISADE_BUILD_"];
        for (name, value) in variables {
            let ours =
                name.starts_with("PALISADE_") && !of_others.iter().any(|begin| name.starts_with(begin));
            if ours && !Environment::knows(name) && !is_service_link(value) && !is_about_a_service(name) {
                self.note(format!("the variable {name} is not known and has no effect"));
            }
        }
    }

    fn compatible(&mut self, compat: Compat, because: &str, is_mounted: &dyn Fn(&str) -> bool) {
        self.environment.compat = Some(compat);
        self.note(format!(
            "set up as {}, because {because} is set (PALISADE_COMPAT=off ignores it)",
            compat.image()
        ));
        for (name, value) in compat.defaults() {
            let variable = VARIABLES.iter().find(|variable| variable.name == *name);
            self.effects(variable.expect("defaults are of variables"), value, Origin::Default);
        }
        for (place, value) in compat.settings() {
            let value = Node::text(*value, Origin::Default);
            self.environment.under.push(Said { place: *place, value });
        }
        self.apply(compat.family());
        if compat.family() == Family::Crs {
            self.upstream_tls();
            self.addresses();
            self.server_tls(is_mounted);
        }
        self.paranoia();
        self.mounts(compat, is_mounted);
        if compat.family() == Family::Crs && self.is_on("MANUAL_MODE") {
            let ignored = self.rules.without_crs();
            if !ignored.is_empty() {
                let all = ignored.join(", ");
                self.note(format!(
                    "MANUAL_MODE is on: {all} are the set-up file's to say and have no effect"
                ));
            }
        }
    }

    /// Every variable of a family that is set, in the order of the table: later rows win over earlier ones.
    fn apply(&mut self, family: Family) {
        for variable in VARIABLES.iter().filter(|variable| variable.family == family) {
            let Some(value) = self.said_of(variable.name) else { continue };
            if let Some(now) = variable.old_name_of {
                let unless = if self.said.contains_key(now) { ", which is set and wins" } else { "" };
                self.note(format!("{} is an old name of {now}{unless}", variable.name));
                if !unless.is_empty() {
                    continue;
                }
            }
            if let Some(switch) = self.switched_off(variable.name) {
                self.note(format!("{} has no effect: {switch} is off", variable.name));
                continue;
            }
            self.effects(variable, &value, Origin::Flag(variable.name));
        }
    }

    /// The switch of an old image that says that a variable does not count.
    fn switched_off(&self, name: &str) -> Option<&'static str> {
        let switch = match name {
            "PROXYLOCATION" => "SETPROXY",
            "UPSTREAM" => "PROXY",
            _ => return None,
        };
        self.said.get(switch).is_some_and(|value| reading::switch(value) == Ok(false)).then_some(switch)
    }

    fn effects(&mut self, variable: &'static Variable, value: &str, origin: Origin) {
        for effect in variable.effects {
            if let Err((message, help)) = self.effect(variable, effect, value, origin) {
                self.wrong(variable.name, format!("{} {message}", quoted(value)), help);
                // Once is enough.
                return;
            }
        }
    }

    fn effect(
        &mut self,
        variable: &'static Variable,
        effect: &'static Effect,
        value: &str,
        origin: Origin,
    ) -> Result<(), (String, String)> {
        match effect {
            Effect::Key(place, reading) => {
                if let Some(read) = reading.read(value)? {
                    let value = reading.node(&read, origin);
                    let said = Said { place: *place, value };
                    match variable.family {
                        Family::Ours => self.environment.over.push(said),
                        Family::Crs | Family::Wallarm => self.environment.under.push(said),
                    }
                }
            }
            Effect::Directive(name, reading) => {
                if let Some(read) = reading.read(value)? {
                    self.rules.directive(name, reading, &read)?;
                }
            }
            Effect::Tx(names, reading) => {
                if let Some(read) = reading.read(value)? {
                    self.rules.tx(variable.name, names, &read)?;
                }
            }
            Effect::DefaultAction(phase) => self.rules.default_action(*phase, value)?,
            Effect::Tag => self.rules.tag(value)?,
            Effect::TestMarker => self.rules.test_marker(variable.name, reading::switch(value)?),
            Effect::WithoutPlugins => self.rules.without_plugins(reading::switch(value)?),
            Effect::Note(why) => {
                if origin != Origin::Default {
                    self.note(format!("{} has no effect: {why}", variable.name));
                }
            }
            Effect::Only(accepted, why) => {
                if !accepted.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                    let help = format!("write {}, or leave it out", accepted.join(" or "));
                    return Err((format!("is not in this version: {why}"), help));
                }
            }
            Effect::Switch => {
                reading::switch(value)?;
            }
            Effect::Elsewhere => {}
        }
        Ok(())
    }

    fn is_on(&self, name: &str) -> bool {
        self.said.get(name).is_some_and(|value| reading::switch(value) == Ok(true))
    }

    /// CRS answers everything with 500 when it is to detect less than it is to block.
    fn paranoia(&mut self) {
        let level = |name: &'static str| Some((name, self.said.get(name)?.parse::<u8>().ok()?));
        let blocking = level("BLOCKING_PARANOIA").or_else(|| level("PARANOIA"));
        let detecting = level("DETECTION_PARANOIA").or_else(|| level("EXECUTING_PARANOIA"));
        if let (Some((detection, detects)), Some((blocks, level))) = (detecting, blocking)
            && detects < level
        {
            let message = format!("`{detects}` is below {blocks} `{level}`: CRS refuses every request then");
            self.wrong(detection, message, format!("write {level} or more, or leave it out"));
        }
    }

    fn mounts(&mut self, compat: Compat, is_mounted: &dyn Fn(&str) -> bool) {
        let profile = |key: &'static [&'static str], value| Said { place: Place::EveryProfile(key), value };
        let text = |path: &str| Node::text(path, Origin::Default);
        let crs = CRS_FOLDERS.iter().find(|folder| is_mounted(&format!("{folder}/rules/*901*.conf")));
        if let Some(crs) = crs {
            self.environment.under.push(profile(&["rules", "crs"], text(crs)));
        }
        if compat.family() != Family::Crs {
            return;
        }
        if is_mounted(OVERRIDE) {
            self.rules.include(OVERRIDE);
        }
        for (folder, key) in [
            ("/opt/modsecurity/rules/before-crs", &["rules", "before"]),
            ("/opt/modsecurity/rules/after-crs", &["rules", "files"]),
        ] {
            if is_mounted(&format!("{folder}/*.conf")) {
                let list = Node::list(vec![text(folder)], Origin::Default);
                self.environment.under.push(profile(key, list));
            }
        }
    }
}

/// Where the images have CRS, the folder that people mount into first; then Debian's.
const CRS_FOLDERS: [&str; 3] =
    ["/etc/modsecurity.d/owasp-crs", "/opt/owasp-crs", "/usr/share/modsecurity-crs"];
/// Settings that people mount over those of the CRS image.
const OVERRIDE: &str = "/etc/modsecurity.d/modsecurity-override.conf";
