//! The rules of a path as ingress-nginx loads them, made into files of a bundle.
//!
//! ```text
//!  everywhere   the global snippet, or else the base file; then CRS          where the ConfigMap turns it on
//!  a path       the Ingress's snippet; the base file where neither that nor the ConfigMap is there; CRS where the
//!               ConfigMap does not load it
//! ```
//!
//! A snippet names no file but those of CRS and the base file, at the paths that ingress-nginx's image has them at. Where logs
//! and temporary files go is not its to say. It is compiled here, by the compiler that the data plane runs, within its bounds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use palisade_engine::{Interner, RuleSources, load_rules_with};
use palisade_seclang::{LoadError, Loader, Style, glob_matches};
use sha2::{Digest as _, Sha256};

use crate::ingress::Crs;
use crate::ingress::options::{Global, Options, cut};

/// A snippet may be this large; above it, it is refused. ingress-nginx's own bound is that of an object, 1 MiB.
const SNIPPET_BYTES_MAX: usize = 256 << 10;

/// Rules of a path: names of files in the bundle, in load order.
pub(crate) type RuleFiles = Vec<String>;

/// The files of a bundle that hold rules.
#[derive(Debug, Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Arc<[u8]>>);

/// What was compiled already, so that a change of one Ingress compiles one snippet.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    interner: Interner,
    known: HashMap<[u8; 32], Result<(), String>>,
}

impl Files {
    fn put(&mut self, name: String, text: String) -> String {
        self.0.entry(name.clone()).or_insert_with(|| text.into_bytes().into());
        name
    }

    /// The rules of an Ingress; `None` where nothing inspects. What its snippet says without effect comes beside.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub(crate) fn of_ingress(
        &mut self,
        (namespace, name): (&str, &str),
        options: &Options,
        global: &Global,
        crs: Option<&Crs>,
        said: &mut Vec<(&'static str, String)>,
    ) -> Result<Option<RuleFiles>, String> {
        if options.modsecurity == Some(false) || !global.modsecurity && options.modsecurity != Some(true) {
            return Ok(None);
        }
        let mut files = Vec::new();
        files.push(self.put("rules/off.conf".to_owned(), UNSAID.to_owned()));
        if global.modsecurity {
            files.extend(self.global(global, crs, said)?);
        }
        if let Some(snippet) = &options.snippet {
            let text = taken_over(snippet, crs, "modsecurity-snippet", said)?;
            files.push(self.put(format!("rules/{namespace}.{name}.conf"), text));
        } else if !global.modsecurity {
            files.push(self.base());
        }
        if options.crs == Some(true) && !(global.modsecurity && global.crs) {
            files.push(self.crs(crs)?);
        }
        Ok(Some(files))
    }

    fn global(
        &mut self,
        global: &Global,
        crs: Option<&Crs>,
        said: &mut Vec<(&'static str, String)>,
    ) -> Result<RuleFiles, String> {
        let mut files = Vec::new();
        if global.snippet.trim().is_empty() {
            files.push(self.base());
        } else {
            let text = taken_over(&global.snippet, crs, "modsecurity-snippet of the ConfigMap", said)?;
            files.push(self.put("rules/global.conf".to_owned(), text));
        }
        if global.crs {
            files.push(self.crs(crs)?);
        }
        Ok(files)
    }

    fn base(&mut self) -> String {
        self.put("rules/modsecurity.conf".to_owned(), BASE.to_owned())
    }

    fn crs(&mut self, crs: Option<&Crs>) -> Result<String, String> {
        let crs =
            crs.ok_or("the OWASP CRS is asked for, and the gateway was told of none: name one by --crs")?;
        Ok(self.put("rules/crs.conf".to_owned(), included(crs)))
    }

    /// Whether rules compile.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub(crate) fn check(
        &self,
        files: &[String],
        crs: Option<&Crs>,
        loader: &dyn Loader,
        compiled: &mut Compiled,
    ) -> Result<(), String> {
        let mut digest = Sha256::new();
        for name in files {
            digest.update(name.as_bytes());
            digest.update([0]);
            digest.update(self.0.get(name).map_or(&[][..], |text| text));
            digest.update([0]);
        }
        let digest = digest.finalize().into();
        if let Some(known) = compiled.known.get(&digest) {
            return known.clone();
        }
        let folder = crs.map(|crs| crs.folders().map(|folder| format!("{}/", folder.trim_end_matches('/'))));
        let within = Within { files: &self.0, folders: folder.into_iter().flatten().collect(), loader };
        let sources = RuleSources { rules: files.to_vec(), ..RuleSources::default() };
        let loaded = load_rules_with(&sources, &within, &compiled.interner);
        let outcome = match &loaded.rules {
            Some(_) => Ok(()),
            None => {
                let first = loaded.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
                let words =
                    first.map(|first| first.render(&loaded.sources, Style::Plain)).unwrap_or_default();
                Err(words.lines().take(8).collect::<Vec<_>>().join("\n"))
            }
        };
        compiled.known.insert(digest, outcome.clone());
        outcome
    }
}

/// Files of a bundle, and those below CRS's folders; there are no others.
struct Within<'a> {
    files: &'a BTreeMap<String, Arc<[u8]>>,
    folders: Vec<String>,
    loader: &'a dyn Loader,
}

impl Within<'_> {
    fn is_crs(&self, path: &str) -> bool {
        let climbs = path.split('/').any(|part| part == "..");
        !climbs && self.folders.iter().any(|folder| path.starts_with(folder.as_str()))
    }
}

impl Loader for Within<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if let Some(text) = self.files.get(path) {
            return Ok(text.to_vec());
        }
        if self.is_crs(path) {
            return self.loader.read(path);
        }
        Err(LoadError { not_found: true, message: "a snippet reaches no such file".to_owned() })
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        if self.is_crs(pattern) {
            return self.loader.expand(pattern);
        }
        Ok(self.files.keys().filter(|path| glob_matches(pattern, path)).cloned().collect())
    }
}

/// Directives whose say it is not where files are written: each is left out, and its line stays.
const NOT_ITS_OWN: &[&str] = &[
    "secauditlog",
    "secauditlog2",
    "secauditlogdirmode",
    "secauditlogfilemode",
    "secauditlogstoragedir",
    "secdatadir",
    "secdebuglog",
    "secdebugloglevel",
    "sectmpdir",
    "secuploaddir",
    "secunicodemapfile",
];

/// A snippet with its virtual paths resolved. It keeps its lines, so that what is wrong with it is told by its own numbers.
///
/// # Errors
/// When it names a file that no snippet may.
fn taken_over(
    snippet: &str,
    crs: Option<&Crs>,
    of: &str,
    said: &mut Vec<(&'static str, String)>,
) -> Result<String, String> {
    if snippet.len() > SNIPPET_BYTES_MAX {
        return Err(format!("{of} is larger than {SNIPPET_BYTES_MAX} bytes"));
    }
    let mut out = String::with_capacity(snippet.len());
    let mut continues = false;
    for line in snippet.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let directive = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let begins = !continues;
        continues = line.trim_end().ends_with('\\');
        if begins && matches!(directive.as_str(), "include" | "includeoptional") {
            let path = line.trim_start()[directive.len()..].trim().trim_matches(['"', '\'']);
            out.push_str(&include(path, crs, of)?);
        } else if begins && NOT_ITS_OWN.contains(&directive.as_str()) {
            said.push((
                "Changed",
                format!("{of}: `{}` has no effect: that is the gateway's to say", cut(line.trim())),
            ));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    Ok(out)
}

/// What stands for the files of ingress-nginx's image, on one line.
fn include(path: &str, crs: Option<&Crs>, of: &str) -> Result<String, String> {
    const CRS: &str = "/etc/nginx/owasp-modsecurity-crs/";
    if path == "/etc/nginx/modsecurity/modsecurity.conf" {
        return Ok("Include modsecurity.conf".to_owned());
    }
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-*".contains(&byte));
    let inside =
        path.strip_prefix(CRS).filter(|rest| plain && !rest.contains("..") && !rest.starts_with('/'));
    let Some(inside) = inside else {
        return Err(format!(
            "{of} includes `{}`: a snippet includes the files below {CRS} and /etc/nginx/modsecurity/modsecurity.conf alone",
            cut(path)
        ));
    };
    let crs =
        crs.ok_or_else(|| format!("{of} includes the OWASP CRS, and the gateway was told of none by --crs"))?;
    Ok(match inside.split_once('/') {
        None if inside == "nginx-modsecurity.conf" => "Include crs.conf".to_owned(),
        None if inside == "crs-setup.conf" => format!("Include {}", crs.setup),
        Some(("rules", file)) => format!("Include {}/{file}", crs.rules),
        Some(("plugins", file)) => match &crs.plugins {
            Some(plugins) => format!("Include {plugins}/{file}"),
            None => return Err(format!("{of} includes `{}`, and the CRS has no plugins", cut(path))),
        },
        _ => return Err(format!("{of} includes `{}`, which CRS does not have", cut(path))),
    })
}

fn included(crs: &Crs) -> String {
    format!("Include {}\nInclude {}/*.conf\n", crs.setup, crs.rules)
}

impl Files {
    /// Files that snippets may include are there where one does.
    pub(crate) fn complete(&mut self, crs: Option<&Crs>) {
        let names = |text: &Arc<[u8]>, what: &[u8]| text.windows(what.len()).any(|window| window == what);
        let base = self.0.values().any(|text| names(text, b"Include modsecurity.conf"));
        let whole = self.0.values().any(|text| names(text, b"Include crs.conf"));
        if base {
            self.base();
        }
        if let (true, Some(crs)) = (whole, crs) {
            self.put("rules/crs.conf".to_owned(), included(crs));
        }
    }
}

/// What holds in ModSecurity 3 where rules say nothing of it: they act on nobody, and bodies of requests are read.
const UNSAID: &str = "SecRuleEngine Off\nSecRequestBodyAccess On\n";

/// What ModSecurity's recommended configuration settles, in our words and by its ids, which exclusions name.
pub(crate) const BASE: &str = r#"SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 512
SecArgumentsLimit 1000
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml
SecResponseBodyLimit 524288
SecResponseBodyLimitAction ProcessPartial
SecPcreMatchLimit 1000
SecPcreMatchLimitRecursion 1000
SecArgumentSeparator &
SecCookieFormat 0
SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus "^(?:5|4(?!04))"
SecAuditLogParts ABIJDEFHZ
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" \
    "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/json" \
    "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/[a-z0-9.-]+[+]json" \
    "id:200006,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule &ARGS "@ge 1000" \
    "id:200007,phase:2,t:none,log,deny,status:400,severity:2,msg:'The request has more arguments than are looked at'"
SecRule REQBODY_ERROR "!@eq 0" \
    "id:200002,phase:2,t:none,log,deny,status:400,severity:2,msg:'The request body cannot be read',logdata:'%{REQBODY_ERROR_MSG}'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" \
    "id:200003,phase:2,t:none,log,deny,status:400,severity:2,msg:'The multipart body is not strictly valid'"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" \
    "id:200004,phase:2,t:none,log,deny,status:400,severity:2,msg:'A line of the multipart body looks like a boundary and is none'"
SecRule TX:/^MSC_/ "!@streq 0" \
    "id:200005,phase:2,t:none,log,deny,status:500,severity:2,msg:'The engine met a limit: %{MATCHED_VAR_NAME}'"
"#;
