//! What profiles and rule sets mean: compiled by the code that will run them, and put into the words of a data plane's
//! configuration.

use std::collections::BTreeMap;

use palisade_config::Overrides;
use palisade_engine::{RuleSources, load_rules};
use palisade_seclang::{Diagnostic, MemoryLoader, SourceMap, Style};
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

/// Bytes of all rule files of one object. etcd takes about 1.5 MiB; a whole CRS 4 has 0.94.
pub const BYTES_MAX: usize = 2 << 20;
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
    let files = rules.files.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
    compiled(files, &rules.order).error.map_or(Ok(()), Err)
}

/// What compiling rules found.
pub(crate) struct Compiled {
    /// The first errors, with place and remedy.
    pub(crate) error: Option<String>,
    /// There are errors that it does not show.
    pub(crate) has_more: bool,
    /// Each in a line.
    pub(crate) warnings: Vec<String>,
}

/// Compiles files in an order, as [`compile`] does.
pub(crate) fn compiled<'f>(
    files: impl Iterator<Item = (&'f str, &'f [u8])> + Clone,
    order: &[String],
) -> Compiled {
    let bytes: usize = files.clone().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > BYTES_MAX {
        let error = format!("the rules have {bytes} bytes, and at most {BYTES_MAX} are looked at");
        return Compiled { error: Some(error), has_more: false, warnings: Vec::new() };
    }
    // Names without a folder would be those of files here.
    let at = |name: &str| format!("/{name}");
    let loader = files.fold(MemoryLoader::new(), |loader, (name, text)| loader.with(at(name), text));
    let rules = order.iter().map(|name| at(name)).collect();
    let loaded = load_rules(&RuleSources { rules, ..RuleSources::default() }, &loader);
    let (errors, warnings): (Vec<_>, Vec<_>) = loaded.diagnostics.iter().partition(|found| found.is_error());
    let warnings = warnings.iter().map(|warning| one_line(warning, &loaded.sources)).collect();
    if errors.is_empty() && loaded.rules.is_some() {
        return Compiled { error: None, has_more: false, warnings };
    }
    let mut message = match errors.len() {
        1 => "1 error in the rules".to_owned(),
        count => format!("{count} errors in the rules"),
    };
    for error in errors.iter().take(ERRORS_MAX) {
        message.push('\n');
        message.push_str(error.render(&loaded.sources, Style::Plain).replace("--> /", "--> ").trim_end());
    }
    Compiled { error: Some(message), has_more: errors.len() > ERRORS_MAX, warnings }
}

/// `custom.conf:3:9: unknown variable`.
fn one_line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let place = diagnostic.span.map(|span| {
        let (line, column) = sources.line_column(span);
        format!("{}:{line}:{column}: ", sources.name(span.file).trim_start_matches('/'))
    });
    format!("{}{}", place.unwrap_or_default(), diagnostic.message)
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
    judged(profile).0
}

/// What the configuration's reader has against a profile: the first errors, and all warnings.
pub(crate) fn judged(profile: &Value) -> (Option<String>, Vec<String>) {
    let config = json!({
        "profiles": {"default": profile},
        "services": [{"name": "a", "upstream": {"url": "http://a"}}],
    });
    let text = config.to_string();
    let file = palisade_config::File { text: text.as_bytes(), folder: "" };
    let read = palisade_config::read(Some(file), &Overrides::default());
    let say = |found: &palisade_config::Diagnostic| {
        let key = found.key.strip_prefix("profiles.default").unwrap_or(&found.key);
        let help = found.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        format!("spec{key}: {}{help}", found.message)
    };
    let (errors, warnings): (Vec<_>, Vec<_>) = read.diagnostics.iter().partition(|found| found.is_error());
    let errors: Vec<String> = errors.into_iter().take(ERRORS_MAX).map(say).collect();
    ((!errors.is_empty()).then(|| errors.join("\n")), warnings.into_iter().map(say).collect())
}

/// Where a data plane's image or volume keeps releases of the CRS.
const CRS_FOLDER: &str = "/usr/share/palisade/crs";
