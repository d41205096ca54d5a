//! What the annotations of one Ingress, and the controller's ConfigMap, come to: typed, with what is to be said about them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ingress::Settings;
use crate::ingress::annotations::{self, Honour};

/// What holds for every Ingress.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Global {
    pub(crate) modsecurity: bool,
    pub(crate) crs: bool,
    pub(crate) snippet: String,
    pub(crate) allow_snippets: bool,
    pub(crate) risk: Risk,
    pub(crate) cross_namespace: bool,
    pub(crate) ssl_redirect: bool,
    pub(crate) force_ssl_redirect: bool,
    pub(crate) hsts: Option<String>,
    pub(crate) body_max: Option<u64>,
    pub(crate) connect: u64,
    pub(crate) read: u64,
    /// What names the client, and whose word counts.
    pub(crate) client_address: Option<(String, Vec<String>)>,
    pub(crate) full_forwarded_for: bool,
    /// Everything is refused, because a key asks for what we cannot do.
    pub(crate) refused: Option<String>,
}

/// How much harm an annotation can do, in ingress-nginx's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

impl Global {
    /// A listener at an address.
    pub(crate) fn listening(&self, address: &str) -> Value {
        let forwarded = if self.full_forwarded_for { "ingress-nginx-full" } else { "ingress-nginx" };
        let mut listener = json!({"address": address, "forwardedHeaders": forwarded});
        if let Some((from, trusted)) = &self.client_address {
            listener["clientAddress"] = json!({"from": from, "trusted": trusted});
        }
        listener
    }

    /// Reads the ConfigMap. What is to be said of it comes beside.
    pub(crate) fn of(data: &BTreeMap<String, String>, settings: &Settings) -> (Self, Vec<String>) {
        let mut said = Vec::new();
        let text = |name: &str| data.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let mut switch = |name: &str, default: bool| match text(name) {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                said.push(format!("{name}: `{}` is neither true nor false; {default} holds", cut(other)));
                default
            }
        };
        let hsts = switch("hsts", true);
        let (subdomains, preload) = (switch("hsts-include-subdomains", true), switch("hsts-preload", false));
        let real_ip = switch("use-forwarded-headers", false);
        let proxy_protocol = switch("use-proxy-protocol", false);
        let mut global = Self {
            modsecurity: switch("enable-modsecurity", false),
            crs: switch("enable-owasp-modsecurity-crs", false),
            snippet: data.get("modsecurity-snippet").cloned().unwrap_or_default(),
            allow_snippets: switch("allow-snippet-annotations", settings.allow_snippets),
            risk: if settings.allow_snippets { Risk::Critical } else { Risk::High },
            cross_namespace: switch("allow-cross-namespace-resources", false),
            ssl_redirect: switch("ssl-redirect", true),
            force_ssl_redirect: switch("force-ssl-redirect", false),
            hsts: None,
            body_max: None,
            connect: 5,
            read: 60,
            client_address: None,
            full_forwarded_for: switch("compute-full-forwarded-for", false),
            refused: None,
        };
        if hsts {
            let age = text("hsts-max-age").and_then(|age| age.parse::<u64>().ok()).unwrap_or(31_536_000);
            let mut value = format!("max-age={age}");
            value.push_str(if subdomains { "; includeSubDomains" } else { "" });
            value.push_str(if preload { "; preload" } else { "" });
            global.hsts = Some(value);
        }
        if let Some(risk) = text("annotations-risk-level") {
            global.risk = match risk {
                "Low" => Risk::Low,
                "Medium" => Risk::Medium,
                "High" => Risk::High,
                "Critical" => Risk::Critical,
                other => {
                    said.push(format!("annotations-risk-level: `{}` is no level; High holds", cut(other)));
                    Risk::High
                }
            };
        }
        let mut amount = |name: &str, default: u64| match text(name).map(seconds) {
            None => default,
            Some(Some(seconds)) => seconds,
            Some(None) => {
                said.push(format!("{name}: not a number of seconds; {default} holds"));
                default
            }
        };
        global.connect = amount("proxy-connect-timeout", 5);
        global.read = amount("proxy-read-timeout", 60);
        let body = text("proxy-body-size").unwrap_or("1m");
        global.body_max = size(body).unwrap_or_else(|| {
            said.push(format!("proxy-body-size: `{}` is no size; 1m holds", cut(body)));
            Some(1 << 20)
        });
        if proxy_protocol || real_ip {
            let networks = text("proxy-real-ip-cidr").map(|list| {
                list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            });
            let everybody = || {
                said.push(
                    "proxy-real-ip-cidr is not set: everybody's word of the client's address counts; name the networks of \
                     your load balancers"
                        .to_owned(),
                );
                vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()]
            };
            let networks = networks.unwrap_or_else(everybody);
            let header = text("forwarded-for-header").unwrap_or("X-Forwarded-For").to_ascii_lowercase();
            let from = if proxy_protocol { "proxy-protocol".to_owned() } else { header };
            global.client_address = Some((from, networks));
        }
        for (name, value) in data {
            match annotations::key(name) {
                Some(known) if known.honour == Honour::Refused && !value.trim().is_empty() => {
                    global.refused = Some(format!("{name} of the ConfigMap: {}", known.words));
                }
                Some(_) => {}
                None => said.push(format!("{name} has no effect here")),
            }
        }
        (global, said)
    }
}

/// What an Ingress asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) auth_tls: Option<AuthTls>,
    pub(crate) modsecurity: Option<bool>,
    pub(crate) crs: Option<bool>,
    pub(crate) snippet: Option<String>,
    /// Headers by which the application is told of certificates: name and fact, as the configuration has it.
    pub(crate) headers: Vec<(String, &'static str)>,
    pub(crate) ssl_redirect: Option<bool>,
    pub(crate) force_ssl_redirect: Option<bool>,
    pub(crate) https: bool,
    pub(crate) http2: bool,
    pub(crate) body_max: Option<Option<u64>>,
    pub(crate) connect: Option<u64>,
    pub(crate) read: Option<u64>,
    pub(crate) streams: bool,
    pub(crate) aliases: Vec<String>,
    pub(crate) app_root: Option<String>,
    pub(crate) redirect: Option<(u16, String)>,
    pub(crate) service_upstream: bool,
    pub(crate) upstream_secret: Option<(String, String)>,
    pub(crate) upstream_verify: bool,
    pub(crate) upstream_name: Option<String>,
    pub(crate) mode: Option<String>,
    /// Why its paths are answered with 503, where they are.
    pub(crate) refused: Vec<(&'static str, String)>,
    /// What else is to be said.
    pub(crate) said: Vec<(&'static str, String)>,
}

/// Certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthTls {
    /// Namespace and name; `None`: what is written is no such thing, and the host is closed.
    pub(crate) secret: Option<(String, String)>,
    pub(crate) mode: &'static str,
    pub(crate) depth: u8,
    pub(crate) error_page: Option<String>,
    pub(crate) match_cn: Option<String>,
    pub(crate) pass_certificate: bool,
}

impl Options {
    /// Reads the annotations of an Ingress.
    pub(crate) fn of(
        annotations: &BTreeMap<String, String>,
        namespace: &str,
        global: &Global,
        settings: &Settings,
    ) -> Self {
        let own: BTreeMap<&str, &str> = annotations
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(settings.prefix.as_str())?, value.as_str())))
            .collect();
        let mut options = Self::default();
        options.mode(annotations.get("palisade.dev/mode").map(String::as_str));
        for (name, value) in &own {
            options.known(name, value, global);
        }
        options.switches(&own);
        options.amounts(&own);
        options.snippets(&own, global);
        options.redirects(&own);
        options.upstream(&own, namespace, global);
        options.certificates(&own, namespace, global, settings);
        if let Some(refused) = &global.refused {
            options.refuse("NotHonoured", refused.clone());
        }
        options
    }

    fn refuse(&mut self, reason: &'static str, why: impl Into<String>) {
        self.refused.push((reason, why.into()));
    }

    fn say(&mut self, reason: &'static str, what: impl Into<String>) {
        self.said.push((reason, what.into()));
    }

    fn mode(&mut self, value: Option<&str>) {
        match value {
            Some("off" | "monitoring" | "safe_blocking" | "block") => self.mode = value.map(str::to_owned),
            Some(other) => {
                let what = format!(
                    "palisade.dev/mode: `{}` is no mode: write off, monitoring, safe_blocking or block",
                    cut(other)
                );
                self.refuse("BadValue", what);
            }
            None => {}
        }
    }

    /// What the table says of an annotation, where it is not read below.
    fn known(&mut self, name: &str, value: &str, global: &Global) {
        if risk(name) > global.risk {
            let why = format!(
                "{name} is an annotation of risk {:?}, and annotations-risk-level is {:?}",
                risk(name),
                global.risk
            );
            self.refuse("RiskLevel", why);
            return;
        }
        let harmless =
            matches!((name, value.trim()), ("use-regex" | "ssl-passthrough" | "canary", "false") | (_, ""))
                || name == "satisfy" && value.trim() == "all";
        let ours = ["server-snippet", "auth-snippet"].contains(&name) && !global.allow_snippets;
        match annotations::annotation(name).map(|known| (known.honour, known.words)) {
            Some((Honour::Refused, words)) if !harmless && !ours => {
                self.refuse("NotHonoured", format!("{name}: {words}"));
            }
            Some((Honour::Refused, _)) if ours => {
                self.say("SnippetIgnored", format!("{name}: allow-snippet-annotations is false"));
            }
            Some((Honour::Ignored, words)) => {
                self.say("NotHonoured", format!("{name} has no effect: {words}"))
            }
            None => self.say("NotHonoured", format!("{} has no effect: it is not known", cut(name))),
            Some(_) => {}
        }
    }

    fn switch(&mut self, own: &BTreeMap<&str, &str>, name: &str) -> Option<bool> {
        match own.get(name).map(|value| value.trim())? {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            "" => None,
            other => {
                let what =
                    format!("{name}: `{}` is neither true nor false, and counts as absent", cut(other));
                self.say("BadValue", what);
                None
            }
        }
    }

    fn switches(&mut self, own: &BTreeMap<&str, &str>) {
        self.modsecurity = self.switch(own, "enable-modsecurity");
        self.crs = self.switch(own, "enable-owasp-core-rules");
        self.ssl_redirect = self.switch(own, "ssl-redirect");
        self.force_ssl_redirect = self.switch(own, "force-ssl-redirect");
        self.service_upstream = self.switch(own, "service-upstream").unwrap_or(false);
        self.streams = self.switch(own, "proxy-request-buffering") == Some(false);
        self.upstream_verify = self.switch(own, "proxy-ssl-verify").unwrap_or(false);
        if let Some(id) = own.get("modsecurity-transaction-id")
            && !matches!(id.trim(), "" | "$request_id")
        {
            self.say("Changed", "modsecurity-transaction-id: it is always the request's id");
        }
        for alias in own.get("server-alias").into_iter().flat_map(|value| value.split([',', ' '])) {
            if !alias.trim().is_empty() {
                self.aliases.push(alias.trim().to_ascii_lowercase());
            }
        }
    }

    fn amounts(&mut self, own: &BTreeMap<&str, &str>) {
        let mut amount = |name: &str| match own.get(name).map(|value| seconds(value.trim()))? {
            Some(seconds) => Some(seconds),
            None => {
                self.said.push(("BadValue", format!("{name} is no number of seconds, and counts as absent")));
                None
            }
        };
        (self.connect, self.read) = (amount("proxy-connect-timeout"), amount("proxy-read-timeout"));
        if let Some(value) = own.get("proxy-body-size") {
            self.body_max = size(value.trim());
            if self.body_max.is_none() {
                self.say("BadValue", "proxy-body-size is no size such as 8m, and counts as absent");
            }
        }
    }

    fn snippets(&mut self, own: &BTreeMap<&str, &str>, global: &Global) {
        for name in ["modsecurity-snippet", "configuration-snippet"] {
            let Some(text) = own.get(name).filter(|text| !text.trim().is_empty()) else { continue };
            if !global.allow_snippets {
                self.say("SnippetIgnored", format!("{name}: allow-snippet-annotations is false"));
            } else if name == "modsecurity-snippet" {
                self.snippet = Some((*text).to_owned());
            } else {
                self.configuration(text);
            }
        }
    }

    /// `proxy_set_header NAME $ssl_client_...;`, line by line.
    fn configuration(&mut self, text: &str) {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        for statement in lines.flat_map(|line| line.split_inclusive([';', '{', '}'])) {
            let statement = statement.trim();
            if matches!(statement, "" | ";") {
                continue;
            }
            let words: Vec<&str> = statement.trim_end_matches(';').split_whitespace().collect();
            let unquoted = |word: &str| word.trim_matches(['"', '\'']).to_owned();
            let whole = statement.ends_with(';');
            match (&words[..], whole) {
                (["proxy_set_header", name, value], true) => {
                    match certificate_variable(&unquoted(value)).zip(header(&unquoted(name))) {
                        Some((fact, name)) => self.headers.push((name, fact)),
                        None => self.say(
                            "NotHonoured",
                            format!(
                                "configuration-snippet: `{}` has no effect: only variables of client certificates are known",
                                cut(statement)
                            ),
                        ),
                    }
                }
                ([first, ..], true) if HARMLESS.contains(first) => {
                    self.say(
                        "NotHonoured",
                        format!("configuration-snippet: `{}` has no effect", cut(statement)),
                    );
                }
                _ => self.refuse(
                    "NotHonoured",
                    format!(
                        "configuration-snippet: `{}` is not read, and may keep somebody out",
                        cut(statement)
                    ),
                ),
            }
        }
    }

    fn redirects(&mut self, own: &BTreeMap<&str, &str>) {
        for (name, code_name, default) in [
            ("temporal-redirect", "temporal-redirect-code", 302),
            ("permanent-redirect", "permanent-redirect-code", 301),
        ] {
            let Some(to) = own.get(name).map(|to| to.trim()).filter(|to| !to.is_empty()) else { continue };
            let code = own.get(code_name).and_then(|code| code.trim().parse().ok()).unwrap_or(default);
            if to.contains('$') || ![301, 302, 303, 307, 308].contains(&code) {
                self.refuse(
                    "BadValue",
                    format!("{name}: a URL without variables, and a status of a redirect"),
                );
            } else {
                self.redirect = Some((code, to.to_owned()));
            }
        }
        self.app_root =
            own.get("app-root").map(|path| path.trim().to_owned()).filter(|path| !path.is_empty());
    }

    fn upstream(&mut self, own: &BTreeMap<&str, &str>, namespace: &str, global: &Global) {
        match own.get("backend-protocol").map(|value| value.trim().to_ascii_uppercase()).as_deref() {
            None | Some("" | "HTTP" | "AUTO_HTTP") => {}
            Some("HTTPS") => self.https = true,
            Some("GRPC") => self.http2 = true,
            Some("GRPCS") => (self.https, self.http2) = (true, true),
            Some("FCGI") => self.refuse("NotHonoured", "backend-protocol: FCGI is not spoken"),
            Some(other) => {
                let what = format!("backend-protocol: `{}` is none; HTTP holds", cut(other));
                self.say("BadValue", what);
            }
        }
        self.upstream_name = own.get("proxy-ssl-name").map(|name| name.trim().to_owned());
        let Some(secret) = own.get("proxy-ssl-secret").map(|value| value.trim()) else { return };
        match secret_name(secret, namespace, global.cross_namespace) {
            Ok(secret) => self.upstream_secret = Some(secret),
            Err(why) => self.refuse("BadSecret", format!("proxy-ssl-secret: {why}")),
        }
    }

    fn certificates(
        &mut self,
        own: &BTreeMap<&str, &str>,
        namespace: &str,
        global: &Global,
        settings: &Settings,
    ) {
        let Some(secret) = own.get("auth-tls-secret").map(|value| value.trim()) else {
            let beside = own.keys().find(|name| name.starts_with("auth-tls-"));
            if let Some(name) = beside {
                let what = format!("{name} has no effect without auth-tls-secret");
                self.say("NotHonoured", what);
            }
            return;
        };
        let pass = own.get("auth-tls-pass-certificate-to-upstream").map(|value| value.trim());
        if !matches!(pass, None | Some("" | "true" | "false")) {
            self.refuse("BadValue", "auth-tls-pass-certificate-to-upstream is neither true nor false");
        }
        let mode = match own.get("auth-tls-verify-client").map(|value| value.trim()) {
            None | Some("" | "on") => "on",
            Some("off") => "off",
            Some("optional") => "optional",
            Some("optional_no_ca") => "optional_no_ca",
            Some(other) => {
                let what = format!("auth-tls-verify-client: `{}` is no mode; on holds", cut(other));
                self.say("BadValue", what);
                "on"
            }
        };
        let depth = own.get("auth-tls-verify-depth").and_then(|value| value.trim().parse::<u64>().ok());
        let depth = depth.filter(|depth| *depth > 0).unwrap_or(1).min(12) as u8;
        let match_cn =
            own.get("auth-tls-match-cn").map(|value| value.trim()).filter(|value| !value.is_empty());
        if let Some(pattern) = match_cn {
            if !pattern.starts_with("CN=")
                || (settings.checks.pattern)(pattern).is_err()
                || pattern.len() > 256
            {
                self.refuse(
                    "BadValue",
                    "auth-tls-match-cn is not `CN=` and a regular expression of at most 256 bytes",
                );
            } else if !pattern.ends_with('$') && !pattern.contains("(,|$)") {
                self.say(
                    "Unanchored",
                    format!(
                        "auth-tls-match-cn: `{}` is found anywhere in a subject, in longer names as well",
                        cut(pattern)
                    ),
                );
            }
        }
        let page = own.get("auth-tls-error-page").map(|value| value.trim()).filter(|value| !value.is_empty());
        let is_page = |page: &&str| {
            page.starts_with("http://")
                || page.starts_with("https://")
                || page.starts_with('/') && !page.starts_with("//")
        };
        if page.is_some_and(|page| !is_page(&page)) {
            self.say("NotHonoured", "auth-tls-error-page: neither a URL nor a path: such clients get 400");
        }
        let secret = match secret_name(secret, namespace, global.cross_namespace) {
            Ok(secret) => Some(secret),
            Err(why) => {
                self.say("HostClosed", format!("auth-tls-secret: {why}"));
                None
            }
        };
        self.auth_tls = Some(AuthTls {
            secret,
            mode,
            depth,
            error_page: page.filter(is_page).map(str::to_owned),
            match_cn: match_cn.map(str::to_owned),
            pass_certificate: pass == Some("true"),
        });
    }
}

/// Statements of nginx that keep nobody out.
const HARMLESS: &[&str] = &[
    "add_header",
    "chunked_transfer_encoding",
    "client_body_buffer_size",
    "expires",
    "gzip",
    "gzip_types",
    "more_clear_headers",
    "more_clear_input_headers",
    "more_set_headers",
    "more_set_input_headers",
    "proxy_buffering",
    "proxy_cookie_path",
    "proxy_hide_header",
    "proxy_http_version",
    "proxy_pass_header",
    "sub_filter",
    "sub_filter_once",
];

/// What a variable of nginx says of a certificate, as the configuration calls it.
pub(crate) fn certificate_variable(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    Some(match name {
        "ssl_client_fingerprint" => "fingerprint",
        "ssl_client_serial" => "serial",
        "ssl_client_s_dn" => "subject-dn",
        "ssl_client_i_dn" => "issuer-dn",
        "ssl_client_s_dn_legacy" => "subject-dn-legacy",
        "ssl_client_i_dn_legacy" => "issuer-dn-legacy",
        "ssl_client_v_start" => "not-before",
        "ssl_client_v_end" => "not-after",
        "ssl_client_v_remain" => "days-left",
        "ssl_client_escaped_cert" => "certificate",
        "ssl_client_verify" => "verify",
        _ => return None,
    })
}

/// The risk of annotations that ingress-nginx does not call low or medium.
fn risk(name: &str) -> Risk {
    match name {
        "modsecurity-snippet"
        | "configuration-snippet"
        | "server-snippet"
        | "stream-snippet"
        | "auth-snippet" => Risk::Critical,
        "modsecurity-transaction-id"
        | "auth-tls-match-cn"
        | "auth-tls-error-page"
        | "auth-url"
        | "auth-signin"
        | "server-alias" => Risk::High,
        "rewrite-target" | "permanent-redirect" | "temporal-redirect" | "app-root" | "auth-secret"
        | "auth-tls-secret" | "proxy-ssl-secret" => Risk::Medium,
        _ => Risk::Low,
    }
}

fn header(name: &str) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (!name.is_empty() && name.len() <= 128 && name.bytes().all(token)).then(|| name.to_owned())
}

/// `ns/name` or `name`; another namespace than its own only where that is allowed.
fn secret_name(text: &str, namespace: &str, cross: bool) -> Result<(String, String), String> {
    let (of, name) = text.split_once('/').unwrap_or((namespace, text));
    if !is_name(of) || !is_name(name) {
        return Err(format!("`{}` is not the name of a Secret: write namespace/name", cut(text)));
    }
    if of != namespace && !cross {
        return Err(format!(
            "`{}` is in another namespace, and allow-cross-namespace-resources is false",
            cut(text)
        ));
    }
    Ok((of.to_owned(), name.to_owned()))
}

fn is_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !name.is_empty() && name.len() <= 253 && name.bytes().all(fine) && !name.starts_with(['.', '-'])
}

/// A number of seconds, with or without their unit.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    digits.parse().ok().filter(|seconds| (1..=86_400).contains(seconds))
}

/// A size of nginx: `8m`; `Some(None)` is no bound.
fn size(text: &str) -> Option<Option<u64>> {
    let (digits, unit) = match text.to_ascii_lowercase().pop()? {
        'k' => (&text[..text.len() - 1], 1 << 10),
        'm' => (&text[..text.len() - 1], 1 << 20),
        'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    Some((bytes > 0).then_some(bytes))
}

/// A value as an event may show it.
pub(crate) fn cut(text: &str) -> String {
    let mut short: String = text.chars().filter(|char| !char.is_control()).take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
