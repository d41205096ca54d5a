//! What profiles and rule sets mean: compiled by the code that will run them, and put into the words of a data plane's
//! configuration.

use std::collections::BTreeMap;

use palisade_config::Overrides;
use palisade_engine::{RuleSources, load_rules};
use palisade_seclang::{MemoryLoader, Style};
use serde_json::{Value, json};

/// The files of a rule set: those that are loaded, in order, and those that they name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// By name.
    pub files: BTreeMap<String, String>,
    /// Names of those that are loaded, in order.
    pub order: Vec<String>,
    /// A release of the CRS, in place of files.
    pub crs: Option<String>,
}

/// Rules of one object, in bytes: etcd takes about 1.5 MiB.
const BYTES_MAX: usize = 2 << 20;
/// Errors that a message shows.
const ERRORS_MAX: usize = 5;

/// What a RuleSet's `spec` holds; `config_map` answers for ConfigMaps of its namespace.
///
/// # Errors
/// When what it names is not there.
pub fn rule_files(
    spec: &Value,
    config_map: impl Fn(&str) -> Option<BTreeMap<String, String>>,
) -> Result<Rules, String> {
    if let Some(text) = spec["text"].as_str() {
        let name = "rules.conf".to_owned();
        return Ok(Rules { files: [(name.clone(), text.to_owned())].into(), order: vec![name], crs: None });
    }
    if let Some(release) = spec["crs"]["release"].as_str() {
        return Ok(Rules { crs: Some(release.to_owned()), ..Rules::default() });
    }
    let Some(name) = spec["configMap"]["name"].as_str() else {
        return Err("write one of text, configMap, crs".to_owned());
    };
    let Some(files) = config_map(name) else {
        return Err(format!("there is no ConfigMap {name} with the label palisade.dev/rules: \"true\" here"));
    };
    let order: Vec<String> = files.keys().filter(|name| name.ends_with(".conf")).cloned().collect();
    if order.is_empty() {
        return Err(format!("ConfigMap {name} has no key that ends in .conf"));
    }
    Ok(Rules { files, order, crs: None })
}

/// Compiles rules. They read nothing but each other: an `Include` of something else is an error, as it is in a data plane.
///
/// # Errors
/// The first errors, with place and remedy.
pub fn compile(rules: &Rules) -> Result<(), String> {
    let bytes: usize = rules.files.iter().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > BYTES_MAX {
        return Err(format!("the rules have {bytes} bytes, and at most {BYTES_MAX} are looked at"));
    }
    // Names without a folder would be those of files here.
    let at = |name: &String| format!("/{name}");
    let loader = rules
        .files
        .iter()
        .fold(MemoryLoader::new(), |loader, (name, text)| loader.with(at(name), text.as_bytes()));
    let sources = RuleSources { rules: rules.order.iter().map(at).collect(), ..RuleSources::default() };
    let loaded = load_rules(&sources, &loader);
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    if errors.is_empty() && loaded.rules.is_some() {
        return Ok(());
    }
    let mut message = format!(
        "{} in the rules",
        if errors.len() == 1 { "1 error".to_owned() } else { format!("{} errors", errors.len()) }
    );
    for error in errors.iter().take(ERRORS_MAX) {
        message.push('\n');
        message.push_str(error.render(&loaded.sources, Style::Plain).replace("--> /", "--> ").trim_end());
    }
    Err(message)
}

/// A WafProfile's `spec` as a profile of a configuration, with the rules that it names as files of the bundle below
/// `rules/`. `rules` answers for RuleSets of its namespace by name.
///
/// # Errors
/// When a rule set is not there, or is a release of the CRS beside another.
pub fn resolved<'r>(
    namespace: &str,
    spec: &Value,
    rules: impl Fn(&str) -> Option<&'r Rules>,
) -> Result<(Value, BTreeMap<String, String>), String> {
    let mut profile = spec.clone();
    let mut files = BTreeMap::new();
    let named = profile["rules"].as_object_mut().and_then(|rules| rules.remove("ruleSets"));
    let mut paths = Vec::new();
    for name in named.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let set = rules(name).ok_or_else(|| format!("there is no RuleSet {name} that can be used here"))?;
        if let Some(release) = &set.crs {
            if !profile["rules"]["crs"].is_null() {
                return Err(format!("RuleSet {name} is a CRS beside another one; write one"));
            }
            profile["rules"]["crs"] = json!(format!("{CRS_FOLDER}/{release}"));
        }
        let at = |file: &str| format!("rules/{namespace}.{name}/{file}");
        files.extend(set.files.iter().map(|(file, text)| (at(file), text.clone())));
        paths.extend(set.order.iter().map(|file| json!(at(file))));
    }
    if !paths.is_empty() {
        profile["rules"]["files"] = Value::Array(paths);
    }
    if profile["rules"].is_null()
        && let Some(fields) = profile.as_object_mut()
    {
        fields.remove("rules");
    }
    Ok((profile, files))
}

/// What the configuration's reader has against a profile, key by key.
pub fn profile_error(profile: &Value) -> Option<String> {
    let config = json!({
        "profiles": {"default": profile},
        "services": [{"name": "a", "upstream": {"url": "http://a"}}],
    });
    let text = config.to_string();
    let file = palisade_config::File { text: text.as_bytes(), folder: "" };
    let read = palisade_config::read(Some(file), &Overrides::default());
    let told: Vec<String> = read
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .take(ERRORS_MAX)
        .map(|found| {
            let key = found.key.strip_prefix("profiles.default").unwrap_or(&found.key);
            let help = found.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
            format!("spec{key}: {}{help}", found.message)
        })
        .collect();
    (!told.is_empty()).then(|| told.join("\n"))
}

/// Where a data plane's image or volume keeps releases of the CRS.
const CRS_FOLDER: &str = "/usr/share/palisade/crs";
