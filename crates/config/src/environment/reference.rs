//! The reference page of variables, made from the table.

use std::fmt::Write as _;

use crate::environment::effect::Effect;
use crate::environment::set::Compat;
use crate::environment::table::{Family, VARIABLES, Variable};

/// `docs/reference/environment.md`, in Markdown.
pub fn environment_reference() -> String {
    let mut out = String::from(INTRODUCTION);
    for (family, title) in
        [(Family::Ours, "Our own"), (Family::Crs, "owasp/modsecurity-crs"), (Family::Wallarm, "wallarm/node")]
    {
        let _ = writeln!(out, "\n## {title}\n");
        for compat in Compat::ALL.into_iter().filter(|compat| compat.family() == family) {
            let _ = writeln!(out, "{}", defaults(compat));
        }
        out.push_str("| variable | value | what it does here |\n|---|---|---|\n");
        for variable in VARIABLES.iter().filter(|variable| variable.family == family) {
            let cell = |text: String| text.replace('|', "\\|");
            let _ = writeln!(
                out,
                "| `{}` | {} | {} |",
                variable.name,
                cell(written(variable)),
                cell(does(variable))
            );
        }
    }
    out
}

fn defaults(compat: Compat) -> String {
    let by = compat.chosen_by().join(", ");
    let mut out = format!(
        "As {} (`{}`, chosen by {by}), before any other variable:\n\n",
        compat.image(),
        compat.as_str()
    );
    for (name, value) in compat.defaults() {
        let _ = writeln!(out, "- `{name}={value}`");
    }
    for (place, value) in compat.settings() {
        let _ = writeln!(out, "- `{}: {value}`", place.key());
    }
    out
}

fn written(variable: &Variable) -> String {
    variable
        .effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Key(_, reading) | Effect::Directive(_, reading) | Effect::Tx(_, reading) => {
                Some(reading.written())
            }
            Effect::Switch | Effect::TestMarker | Effect::WithoutPlugins => Some("on or off".to_owned()),
            Effect::Only(accepted, _) => Some(accepted.join(" or ")),
            _ => None,
        })
        .unwrap_or_default()
}

fn does(variable: &Variable) -> String {
    let mut parts = Vec::new();
    if let Some(now) = variable.old_name_of {
        parts.push(format!("Old name of {now}, which wins."));
    }
    if !variable.what.is_empty() {
        parts.push(variable.what.to_owned());
    }
    for effect in variable.effects {
        let part = match effect {
            Effect::Key(place, _) => format!("Sets `{}`.", place.key()),
            Effect::Directive(name, _) => format!("`{name}`."),
            Effect::Tx(names, _) => {
                let names: Vec<String> = names.iter().map(|name| format!("`tx.{name}`")).collect();
                format!("Sets {}.", names.join(" and "))
            }
            Effect::Note(why) => format!("No effect, which is said at the start: {why}."),
            Effect::Only(_, why) => format!("Other values are refused: {why}."),
            _ => continue,
        };
        parts.push(part);
    }
    parts.join(" ")
}

const INTRODUCTION: &str = "\
# Environment

<!-- Made from the code by `palisade config environment`; a test keeps it so. -->

`palisade run` reads the variables below. Beside our own it knows those of two images that it takes the place of, so that
a deployment keeps its environment and changes its image; `docs/guide/drop-in.md` says how.

- **Which set.** `PALISADE_COMPAT` says it. Else the first of these that is set: SETPROXY, PROXYLOCATION or PROXY (the
  CRS image of the years 3.0 to 3.2), BACKEND (the CRS image since), NGINX_BACKEND (Wallarm's node). Variables of an
  image are read only when it is chosen, and the start says so.
- **Which value.** A flag wins over PALISADE_*, that over the configuration file, that over a variable of an image, that
  over the image's default. Of two variables that say the same the one further down wins.
- An empty value is as if it were not there. So is one that begins with `tcp://` (or `udp://`, `sctp://`): Kubernetes
  sets such variables for every Service of a namespace. Any other value that cannot be used is an error that names the
  variable.
- A variable of an image without meaning here is taken and noted once at the start; values are not shown. An unknown
  PALISADE_* is a warning.
- Variables of the engine and of CRS become SecLang lines, loaded after CRS's set-up file and before its rules.
";
