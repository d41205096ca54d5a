//! SecLang text out of variables: directives of the engine, default actions, and the lines that people would otherwise
//! write into CRS's set-up file.

use std::fmt::Write as _;

use crate::environment::reading::Reading;

/// What the environment adds to every rule set. Loaded after CRS's set-up file, so that it wins over what stands there,
/// and before CRS's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentRules {
    /// SecLang text; empty where there is nothing to say.
    pub text: String,
    /// CRS's plugins are left out.
    pub without_plugins: bool,
}

type Refused = (String, String);

/// Collects lines; what is said again replaces what was said before.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    directives: Vec<(&'static str, String)>,
    default_actions: [Option<String>; 2],
    tag: String,
    includes: Vec<&'static str>,
    /// By variable: what it is called, and its assignments.
    tx: Vec<(&'static str, Vec<String>)>,
    test_marker: Option<&'static str>,
    without_plugins: bool,
}

impl Rules {
    pub(crate) fn directive(
        &mut self,
        name: &'static str,
        reading: &Reading,
        value: &str,
    ) -> Result<(), Refused> {
        can_be_quoted(value)?;
        let written = match reading {
            Reading::Text => format!("\"{value}\""),
            _ => value.to_owned(),
        };
        self.directives.retain(|(there, _)| *there != name);
        self.directives.push((name, written));
        Ok(())
    }

    pub(crate) fn tx(
        &mut self,
        variable: &'static str,
        names: &[&'static str],
        value: &str,
    ) -> Result<(), Refused> {
        can_be_assigned(value)?;
        let set = names.iter().map(|name| format!("setvar:'tx.{name}={value}'")).collect();
        self.tx.retain(|(there, _)| *there != variable);
        self.tx.push((variable, set));
        Ok(())
    }

    pub(crate) fn default_action(&mut self, phase: u8, actions: &str) -> Result<(), Refused> {
        can_be_quoted(actions)?;
        let of_phase = format!("phase:{phase}");
        if !actions.split(',').any(|action| action.trim() == of_phase) {
            let example = format!("{of_phase},pass,log,tag:'${{MODSEC_TAG}}'");
            return Err((format!("does not say {of_phase}"), format!("write {example}")));
        }
        self.default_actions[usize::from(phase) - 1] = Some(actions.to_owned());
        Ok(())
    }

    pub(crate) fn tag(&mut self, tag: &str) -> Result<(), Refused> {
        can_be_assigned(tag)?;
        tag.clone_into(&mut self.tag);
        Ok(())
    }

    pub(crate) fn include(&mut self, path: &'static str) {
        self.includes.push(path);
    }

    pub(crate) fn test_marker(&mut self, variable: &'static str, on: bool) {
        self.test_marker = on.then_some(variable);
    }

    pub(crate) fn without_plugins(&mut self, on: bool) {
        self.without_plugins = on;
    }

    /// Forgets what CRS's set-up file would say, and gives the variables that said it.
    pub(crate) fn without_crs(&mut self) -> Vec<&'static str> {
        self.default_actions = [None, None];
        let marker = self.test_marker.take();
        std::mem::take(&mut self.tx).into_iter().map(|(name, _)| name).chain(marker).collect()
    }

    pub(crate) fn finish(self) -> EnvironmentRules {
        let mut text = String::new();
        for (name, value) in &self.directives {
            let _ = writeln!(text, "{name} {value}");
        }
        for action in self.default_actions.iter().flatten() {
            // The image's own default has the dollar escaped.
            let action = action.replace("\\$", "$").replace("${MODSEC_TAG}", &self.tag);
            let _ = writeln!(text, "SecDefaultAction \"{action}\"");
        }
        for path in &self.includes {
            let _ = writeln!(text, "Include {path}");
        }
        for (number, (variable, set)) in self.tx.iter().enumerate() {
            let id = ID + number;
            let set = set.join(",");
            let _ = writeln!(text, "# {variable}\nSecAction \"id:{id},phase:1,nolog,pass,t:none,{set}\"");
        }
        if let Some(variable) = self.test_marker {
            let _ = writeln!(text, "# {variable}\n{TEST_MARKER}");
        }
        EnvironmentRules { text, without_plugins: self.without_plugins }
    }
}

/// The first id of set-up lines. Not those of CRS's own set-up file, which may hold them as well; the range is that of
/// our other built-in rules.
const ID: usize = 9_800_100;

/// Says which test a request belongs to, and switches rules off for the marker requests. Its id and its effect are
/// what CRS's own test runner goes by.
const TEST_MARKER: &str = "SecRule REQUEST_HEADERS:X-CRS-Test \"@rx ^.*$\" \
    \"id:999999,phase:1,pass,t:none,log,msg:'X-CRS-Test %{MATCHED_VAR}',ctl:ruleRemoveById=1-999999\"";

/// Whether a text can stand in a directive without ending it.
fn can_be_quoted(value: &str) -> Result<(), Refused> {
    if value.contains(|char: char| char == '"' || char.is_control()) || value.ends_with('\\') {
        let help = "write it without double quotes, line breaks and a backslash at its end".to_owned();
        return Err(("cannot stand in a directive".to_owned(), help));
    }
    Ok(())
}

/// Whether a text can be assigned without meaning anything else.
fn can_be_assigned(value: &str) -> Result<(), Refused> {
    can_be_quoted(value)?;
    if value.contains(['\'', '\\']) || value.contains("%{") {
        let help = "write it without quotes, backslashes and %{".to_owned();
        return Err(("cannot stand in a rule".to_owned(), help));
    }
    Ok(())
}
