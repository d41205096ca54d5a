//! Which rule texts make up a rule set, and in which order.
//!
//! ```text
//! built-in audit settings    only where an audit log is asked for, for rules that say nothing about it
//! built-in engine settings   only with a CRS folder: what every engine's recommended configuration says
//! crs-setup.conf             or its .example
//! settings                   a text that settles what the files before it leave open
//! paranoia level             when one is asked for
//! --rules-before             site settings and exclusions that CRS has to see
//! CRS plugins and rules
//! --rules                    site rules and updates of CRS's
//! ```
//!
//! With `--rules` alone, and no audit log, nothing is added: the files mean what they say.

use std::sync::Arc;

use palisade_seclang::{Diagnostic, Loader, Severity, Source, SourceMap, load};

use crate::compile::compile;
use crate::interner::Interner;
use crate::ruleset::RuleSet;

/// Where rules come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSources {
    /// An audit log is wanted: where the rules do not say what goes into it, it is what the usual recommended
    /// configuration says.
    pub audit: bool,
    /// A CRS folder: a release of 3.x or 4.x, its `rules` folder, or Debian's /usr/share/modsecurity-crs.
    pub crs: Option<String>,
    /// Settings that win over the setup file; they come from a process's environment. Alone they are no rules.
    pub settings: String,
    /// Plugins in the CRS folder are not loaded.
    pub without_plugins: bool,
    /// Blocking paranoia level, 1 to 4; as the setup file says when absent.
    pub paranoia: Option<u8>,
    /// Files or folders loaded before CRS's rules.
    pub before: Vec<String>,
    /// Files or folders loaded after them.
    pub rules: Vec<String>,
    /// A rule text of its own, loaded last: its name in diagnostics, its text, and the folder from which relative
    /// names resolve.
    pub text: Option<(String, Vec<u8>, String)>,
}

/// A rule set, or why there is none, with everything there is to say about it.
#[derive(Debug)]
pub struct LoadedRules {
    /// The rules; `None` when something in them is an error.
    pub rules: Option<Arc<RuleSet>>,
    /// The files, for rendering diagnostics.
    pub sources: SourceMap,
    /// Errors and warnings in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
}

impl RuleSources {
    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.crs.is_none() && self.before.is_empty() && self.rules.is_empty() && self.text.is_none()
    }

    /// The texts in load order. Errors name what cannot be found, and what would be.
    pub fn resolve(&self, loader: &dyn Loader) -> Result<Vec<Source>, String> {
        let mut sources = Vec::new();
        if self.audit && !self.is_empty() {
            sources.push(built_in("audit settings", AUDIT_SETTINGS.to_owned()));
        }
        let crs = self
            .crs
            .as_deref()
            .map(|folder| CrsFiles::find(folder, !self.without_plugins, loader))
            .transpose()?;
        if let Some(crs) = &crs {
            sources.push(built_in("engine settings", ENGINE_SETTINGS.to_owned()));
            sources.push(self.setup(&crs.setup, loader));
        }
        if !self.settings.is_empty() && !self.is_empty() {
            sources.push(built_in("settings of the environment", self.settings.clone()));
        }
        if let Some(level) = self.paranoia {
            sources.push(built_in("paranoia level", paranoia_level(level)));
        }
        if let Some(crs) = &crs {
            sources.extend(crs.before.iter().cloned().map(Source::File));
        }
        for name in &self.before {
            sources.extend(files_of(name, loader)?);
        }
        if let Some(crs) = crs {
            sources.extend(crs.rules.into_iter().map(Source::File));
        }
        for name in &self.rules {
            sources.extend(files_of(name, loader)?);
        }
        if let Some((name, text, directory)) = &self.text {
            sources.push(Source::Text {
                name: name.clone(),
                text: text.clone(),
                directory: directory.clone(),
            });
        }
        Ok(sources)
    }
}

impl RuleSources {
    /// The setup file, without the default actions that the settings give: a phase has them once. As the CRS image
    /// does, which edits the file.
    fn setup(&self, path: &str, loader: &dyn Loader) -> Source {
        let file = Source::File(path.to_owned());
        let given: Vec<String> = self.settings.lines().filter_map(default_action_phase).collect();
        if given.is_empty() {
            return file;
        }
        // What cannot be read is said when the file is loaded.
        let Some(text) = loader.read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return file;
        };
        let mut edited = String::with_capacity(text.len());
        let mut lines = text.split_inclusive('\n');
        while let Some(first) = lines.next() {
            // A directive that goes on over several lines is one.
            let mut directive = first.to_owned();
            while directive.trim_end().ends_with('\\')
                && let Some(next) = lines.next()
            {
                directive.push_str(next);
            }
            match default_action_phase(&directive).is_some_and(|phase| given.contains(&phase)) {
                // As many lines as it had: those below keep their numbers.
                true => edited.extend(directive.lines().map(|_| "\n")),
                false => edited.push_str(&directive),
            }
        }
        let directory = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Source::Text { name: path.to_owned(), text: edited.into_bytes(), directory: directory.to_owned() }
    }
}

/// `phase:1` of a line that is a `SecDefaultAction`.
fn default_action_phase(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("SecDefaultAction")?;
    let between = |char: char| char.is_whitespace() || matches!(char, '"' | ',' | '\\');
    let mut actions = rest.split(between);
    actions.find(|action| action.starts_with("phase:")).map(str::to_owned)
}

/// Loads and compiles the rules of some sources.
pub fn load_rules(from: &RuleSources, loader: &dyn Loader) -> LoadedRules {
    load_rules_with(from, loader, &Interner::new())
}

/// The same, sharing what it can with the other rule sets of an interner.
pub fn load_rules_with(from: &RuleSources, loader: &dyn Loader, interner: &Interner) -> LoadedRules {
    let sources = match from.resolve(loader) {
        Ok(sources) => sources,
        Err(message) => {
            let diagnostic =
                Diagnostic::new(Severity::Error, palisade_seclang::codes::UNREADABLE, None, message);
            return LoadedRules { rules: None, sources: SourceMap::default(), diagnostics: vec![diagnostic] };
        }
    };
    let loaded = load(&sources, loader);
    let mut diagnostics = loaded.diagnostics;
    let (rules, found) = compile(&loaded.program, &loaded.sources, loader, interner);
    diagnostics.extend(found);
    // What both found in one file reads in the order of the file; what is about no place comes first.
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.map(|span| (span.file, span.start)));
    let rules = rules.filter(|_| !diagnostics.iter().any(Diagnostic::is_error)).map(Arc::new);
    LoadedRules { rules, sources: loaded.sources, diagnostics }
}

/// The files of a CRS installation.
struct CrsFiles {
    setup: String,
    /// Exclusions that the installation itself provides for.
    before: Vec<String>,
    rules: Vec<String>,
}

impl CrsFiles {
    fn find(folder: &str, with_plugins: bool, loader: &dyn Loader) -> Result<Self, String> {
        let folder = folder.trim_end_matches('/');
        let folder = if folder.is_empty() { "/" } else { folder };
        // What is there and cannot be read counts: loading it then says so, instead of another file or none taking
        // its place.
        let exists = |path: &str| !loader.read(path).is_err_and(|error| error.not_found);
        let expand = |pattern: String| -> Result<Vec<String>, String> {
            let mut found = loader
                .expand(&pattern)
                .map_err(|error| format!("`{pattern}` cannot be read: {}", error.message))?;
            found.sort_unstable();
            Ok(found)
        };
        let rules_of = |folder: &str| -> Result<Vec<String>, String> {
            let found = expand(format!("{folder}/*.conf"))?;
            // A folder of rules is one that holds CRS's first file; a folder of folders is not.
            let is_first = |file: &String| file.rsplit('/').next().is_some_and(|name| name.contains("901"));
            Ok(if found.iter().any(is_first) { found } else { Vec::new() })
        };
        let (root, rules) = match rules_of(&format!("{folder}/rules"))? {
            rules if !rules.is_empty() => (folder.to_owned(), rules),
            _ => match rules_of(folder)? {
                rules if !rules.is_empty() => (palisade_seclang::resolve(folder, "."), rules),
                _ => {
                    return Err(format!(
                        "`{folder}` is no CRS: neither it nor its folder `rules` holds REQUEST-901-INITIALIZATION.conf; \
                         name the folder of a CRS release or /usr/share/modsecurity-crs"
                    ));
                }
            },
        };
        let candidates = [
            format!("{folder}/crs-setup.conf"),
            format!("{root}/crs-setup.conf"),
            format!("{folder}/crs-setup.conf.example"),
            format!("{root}/crs-setup.conf.example"),
        ];
        let debian = exists(&format!("{root}/owasp-crs.load"));
        let setup = candidates
            .into_iter()
            .find(|path| exists(path))
            .or_else(|| Some(DEBIAN_SETUP.to_owned()).filter(|path| debian && exists(path)))
            .ok_or_else(|| {
                format!(
                    "`{root}` has neither crs-setup.conf nor crs-setup.conf.example; CRS does not run without"
                )
            })?;
        let mut before = Vec::new();
        let mut all = rules;
        if debian {
            before.extend(Some(DEBIAN_BEFORE.to_owned()).filter(|path| exists(path)));
            all.extend(Some(DEBIAN_AFTER.to_owned()).filter(|path| exists(path)));
        }
        // Plugins of CRS 4: configuration and "before" files precede the rules, "after" files follow.
        let plugins = |kind: &str| match with_plugins {
            true => expand(format!("{root}/plugins/*-{kind}.conf")),
            false => Ok(Vec::new()),
        };
        before.extend(plugins("config")?);
        before.extend(plugins("before")?);
        all.extend(plugins("after")?);
        Ok(Self { setup, before, rules: all })
    }
}

/// A file as it is; of a folder its *.conf files by name, modsecdefault.conf and crs-setup.conf first, as the
/// rule folders of Calico's firewall mean it.
fn files_of(name: &str, loader: &dyn Loader) -> Result<Vec<Source>, String> {
    match loader.read(name) {
        Ok(_) => return Ok(vec![Source::File(name.to_owned())]),
        Err(error) if error.not_found => return Err(format!("`{name}` does not exist")),
        Err(_) => {}
    }
    let mut files = loader
        .expand(&format!("{}/*.conf", name.trim_end_matches('/')))
        .map_err(|error| format!("`{name}` cannot be read: {}", error.message))?;
    if files.is_empty() {
        return Err(format!("the folder `{name}` holds no *.conf file"));
    }
    let rank = |file: &String| match file.rsplit('/').next() {
        Some("modsecdefault.conf") => 0,
        Some("crs-setup.conf") => 1,
        _ => 2,
    };
    files.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    Ok(files.into_iter().map(Source::File).collect())
}

fn built_in(name: &str, text: String) -> Source {
    Source::Text { name: format!("<built-in {name}>"), text: text.into_bytes(), directory: String::new() }
}

fn paranoia_level(level: u8) -> String {
    // CRS 4 calls it blocking_paranoia_level, CRS 3 paranoia_level; the other name is not looked at.
    format!(
        "SecAction \"id:{},phase:1,nolog,pass,t:none,setvar:tx.blocking_paranoia_level={level},\
         setvar:tx.paranoia_level={level}\"\n",
        BUILT_IN_IDS + 9
    )
}

/// Ids of our own rules; ModSecurity's registry leaves this range to nobody.
const BUILT_IN_IDS: u64 = 9_800_000;

/// Exchanges that a rule has flagged, and those that were answered with an error other than "not found".
const AUDIT_SETTINGS: &str = r#"SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus "^(?:5|4(?!04))"
SecAuditLogParts ABIJDEFHZ
"#;

/// What CRS expects of an engine beside its own setup. Limits are DESIGN's: 12.5 MiB of body, 128 KiB without
/// files.
const ENGINE_SETTINGS: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 512
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" \
    "id:9800000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z0-9.+-]+\+)?json" \
    "id:9800001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" \
    "id:9800002,phase:2,t:none,log,deny,status:400,severity:2,msg:'The request body cannot be read',logdata:'%{REQBODY_ERROR_MSG}'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" \
    "id:9800003,phase:2,t:none,log,deny,status:400,severity:2,msg:'The multipart body is not strictly valid'"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" \
    "id:9800004,phase:2,t:none,log,deny,status:400,severity:2,msg:'A line of the multipart body looks like a boundary and is none'"
"#;

/// Where Debian's package keeps what an administrator edits.
const DEBIAN_SETUP: &str = "/etc/modsecurity/crs/crs-setup.conf";
const DEBIAN_BEFORE: &str = "/etc/modsecurity/crs/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf";
const DEBIAN_AFTER: &str = "/etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf";
