//! Every annotation of ingress-nginx, and what we make of it: one table for the translation, for `palisade migrate` and for
//! the reference page.

/// What becomes of an annotation or of a key of the ConfigMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honour {
    /// As ingress-nginx means it.
    Kept,
    /// Honoured, and not quite as ingress-nginx means it.
    Changed,
    /// Without effect here; what it is for is served without it, and the object is told.
    Ignored,
    /// Not honoured, and without it more would be open or other requests would be answered than are meant: the paths of the
    /// Ingress are answered with 503, and the object is told.
    Refused,
}

impl Honour {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Changed => "changed",
            Self::Ignored => "unsupported",
            Self::Refused => "refused",
        }
    }
}

/// An annotation, or a key of the ConfigMap.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name, without the prefix.
    pub name: &'static str,
    /// What becomes of it.
    pub honour: Honour,
    /// Why, or how.
    pub words: &'static str,
}

/// The prefix that annotations have unless ingress-nginx was told another.
pub const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// What is known of an annotation.
pub fn annotation(name: &str) -> Option<&'static Known> {
    ANNOTATIONS.iter().find(|known| known.name == name)
}

/// What is known of a key of the ConfigMap.
pub fn key(name: &str) -> Option<&'static Known> {
    KEYS.iter().find(|known| known.name == name)
}

/// The reference page: both tables in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Annotations of ingress-nginx\n\n\
         <!-- Made from the table in crates/operator/src/ingress/annotations.rs; a test keeps it so. -->\n\n\
         What `palisade gateway` makes of each annotation below `nginx.ingress.kubernetes.io/` and of each key of the \
         controller's ConfigMap, and what `palisade migrate ingress-nginx` says of it.\n\n\
         - **kept**: as ingress-nginx means it.\n\
         - **changed**: honoured, and not quite as ingress-nginx means it.\n\
         - **unsupported**: without effect; the Ingress is served without it and an event on it says so.\n\
         - **refused**: without it more would be open, or other requests would be answered, than are meant. The paths of the \
         Ingress are answered with 503 until it is taken away, and an event on it says so.\n\n\
         What is not in the tables is treated as unsupported.\n",
    );
    for (title, table) in [("Annotations", ANNOTATIONS), ("Keys of the ConfigMap", KEYS)] {
        out.push_str(&format!("\n## {title}\n\n| name | | |\n|---|---|---|\n"));
        for Known { name, honour, words } in table {
            out.push_str(&format!("| `{name}` | {} | {words} |\n", honour.as_str()));
        }
    }
    out
}

const fn kept(name: &'static str, words: &'static str) -> Known {
    Known { name, honour: Honour::Kept, words }
}

const fn changed(name: &'static str, words: &'static str) -> Known {
    Known { name, honour: Honour::Changed, words }
}

const fn ignored(name: &'static str, words: &'static str) -> Known {
    Known { name, honour: Honour::Ignored, words }
}

const fn refused(name: &'static str, words: &'static str) -> Known {
    Known { name, honour: Honour::Refused, words }
}

const AUTH: &str = "requests would pass without being asked who they are from; use `authenticators` of a Palisade in front of \
                    the service";
const ADDRESS: &str = "addresses that are to be kept out would come in; write it as a policy or a deny list";
const COOKIE: &str = "there is no session affinity: requests go to the least busy endpoint";
const BUFFERS: &str = "bodies are held within one budget of the process, and on disk beyond it";
const CORS: &str = "answers to CORS are the application's";
const LIMIT: &str = "rates are not limited by annotation";
const REWRITE: &str = "paths are never rewritten: the application would be asked for other paths than it has";
const TRACE: &str = "there is no tracing by annotation";

/// Annotations, by name.
pub const ANNOTATIONS: &[Known] = &[
    ignored("affinity", COOKIE),
    ignored("affinity-canary-behavior", COOKIE),
    ignored("affinity-mode", COOKIE),
    kept("app-root", "`/` alone is sent there by 302"),
    refused("auth-always-set-cookie", AUTH),
    refused("auth-cache-duration", AUTH),
    refused("auth-cache-key", AUTH),
    refused("auth-method", AUTH),
    refused("auth-proxy-set-headers", AUTH),
    refused("auth-realm", AUTH),
    refused("auth-request-redirect", AUTH),
    refused("auth-response-headers", AUTH),
    refused("auth-secret", AUTH),
    refused("auth-secret-type", AUTH),
    refused("auth-signin", AUTH),
    refused("auth-signin-redirect-param", AUTH),
    refused("auth-snippet", AUTH),
    changed(
        "auth-tls-error-page",
        "a URL or a path, as there; `@name` and a bare host name have no meaning here, and such clients get 400",
    ),
    changed(
        "auth-tls-match-cn",
        "found anywhere in the subject, as there; an event says so, because `CN=a` lets `CN=ab` in: anchor it, `CN=a(,|$)`",
    ),
    kept("auth-tls-pass-certificate-to-upstream", "`ssl-client-cert`"),
    changed(
        "auth-tls-secret",
        "for the whole host, the first Ingress counts, as there. A Secret that is missing, unreadable or without `ca.crt` \
         closes the host with 403 (there a missing `ca.crt` opens it). Over plain HTTP the host is sent to HTTPS",
    ),
    kept("auth-tls-verify-client", "on, off, optional, optional_no_ca; another value is `on`"),
    changed("auth-tls-verify-depth", "at most 12"),
    refused("auth-type", AUTH),
    refused("auth-url", AUTH),
    changed("backend-protocol", "HTTP, HTTPS, GRPC, GRPCS, AUTO_HTTP; FCGI is refused"),
    refused("canary", "the Ingress would take all requests in place of some"),
    refused("canary-by-cookie", "as `canary`"),
    refused("canary-by-header", "as `canary`"),
    refused("canary-by-header-pattern", "as `canary`"),
    refused("canary-by-header-value", "as `canary`"),
    refused("canary-weight", "as `canary`"),
    refused("canary-weight-total", "as `canary`"),
    ignored("client-body-buffer-size", BUFFERS),
    changed(
        "configuration-snippet",
        "lines `proxy_set_header NAME $ssl_client_...;` alone; other lines are reported, and refused where they may keep \
         somebody out (`deny`, `return`, `if`, ...)",
    ),
    ignored("connection-proxy-header", "the proxy writes that header itself"),
    ignored("cors-allow-credentials", CORS),
    ignored("cors-allow-headers", CORS),
    ignored("cors-allow-methods", CORS),
    ignored("cors-allow-origin", CORS),
    ignored("cors-expose-headers", CORS),
    ignored("cors-max-age", CORS),
    ignored("custom-headers", "response headers are the application's"),
    ignored("custom-http-errors", "error pages of the application pass as they are"),
    ignored("default-backend", "a service without endpoints is answered with 503"),
    refused("denylist-source-range", ADDRESS),
    ignored("disable-proxy-intercept-errors", "error pages of the application pass as they are"),
    ignored("enable-access-log", "the access log is the gateway's to say"),
    ignored("enable-cors", CORS),
    ignored("enable-global-auth", "there is no global authentication to be excepted from"),
    kept("enable-modsecurity", "`true` and `false`; another value counts as absent"),
    ignored("enable-opentelemetry", TRACE),
    kept("enable-owasp-core-rules", "the CRS that the gateway was told of by `--crs`"),
    ignored("enable-rewrite-log", "there is no such log"),
    kept("force-ssl-redirect", "308 to the same place over HTTPS"),
    ignored("from-to-www-redirect", "write an Ingress with `permanent-redirect` for the other name"),
    ignored("http2-push-preload", "browsers no longer take pushes"),
    ignored("limit-burst-multiplier", LIMIT),
    ignored("limit-connections", LIMIT),
    ignored("limit-rate", LIMIT),
    ignored("limit-rate-after", LIMIT),
    ignored("limit-rpm", LIMIT),
    ignored("limit-rps", LIMIT),
    ignored("limit-whitelist", LIMIT),
    ignored("load-balance", "a request goes to the least busy endpoint"),
    ignored("mirror-host", "nothing is mirrored; `palisade replay` tries changes on recorded requests"),
    ignored("mirror-request-body", "as `mirror-host`"),
    ignored("mirror-target", "as `mirror-host`"),
    changed(
        "modsecurity-snippet",
        "compiled by our own compiler, which knows no files but the CRS and base files at their usual paths. Where logs and \
         temporary files go is the gateway's to say. A snippet that does not compile closes its own Ingress",
    ),
    changed("modsecurity-transaction-id", "always the request's id, which is `X-Request-ID` too"),
    ignored("opentelemetry-operation-name", TRACE),
    ignored("opentelemetry-trust-incoming-span", TRACE),
    kept("permanent-redirect", "a URL without variables"),
    kept("permanent-redirect-code", "301, 302, 303, 307 or 308"),
    ignored("preserve-trailing-slash", "paths are never rewritten"),
    changed("proxy-body-size", "413 above it, by the length that is said or by what comes; `0` is no bound"),
    ignored("proxy-buffer-size", BUFFERS),
    ignored("proxy-buffering", BUFFERS),
    ignored("proxy-buffers-number", BUFFERS),
    ignored("proxy-busy-buffers-size", BUFFERS),
    kept("proxy-connect-timeout", "seconds"),
    ignored("proxy-cookie-domain", "cookies pass as they are"),
    ignored("proxy-cookie-path", "cookies pass as they are"),
    ignored("proxy-http-version", "HTTP/1.1, or HTTP/2 by `backend-protocol`"),
    ignored("proxy-max-temp-file-size", BUFFERS),
    ignored("proxy-next-upstream", "only what was surely not sent is sent to another endpoint"),
    ignored("proxy-next-upstream-timeout", "as `proxy-next-upstream`"),
    ignored("proxy-next-upstream-tries", "as `proxy-next-upstream`"),
    kept("proxy-read-timeout", "seconds"),
    ignored("proxy-redirect-from", "`Location` passes as it is"),
    ignored("proxy-redirect-to", "`Location` passes as it is"),
    kept("proxy-request-buffering", "with `off` bodies are judged on their way"),
    ignored("proxy-send-timeout", "`proxy-read-timeout` counts in both directions"),
    ignored("proxy-ssl-ciphers", "rustls's own, none of which is weak"),
    kept("proxy-ssl-name", "the name that the service's certificate is to have"),
    ignored("proxy-ssl-protocols", "TLS 1.2 and 1.3"),
    changed(
        "proxy-ssl-secret",
        "`ca.crt` for `proxy-ssl-verify`, and `tls.crt` with `tls.key` as our own certificate; one that cannot be used closes \
         the paths with 503",
    ),
    kept("proxy-ssl-server-name", "the name is always said"),
    kept("proxy-ssl-verify", "with `on` by `ca.crt` of `proxy-ssl-secret`"),
    ignored("proxy-ssl-verify-depth", "as long as the chain is"),
    refused("rewrite-target", REWRITE),
    refused("satisfy", AUTH),
    kept("server-alias", "further hosts of the same Ingress"),
    refused(
        "server-snippet",
        "nginx's configuration language is not read, and what it keeps out would come in",
    ),
    kept("service-upstream", "the Service's cluster address in place of its endpoints"),
    ignored("session-cookie-change-on-failure", COOKIE),
    ignored("session-cookie-conditional-samesite-none", COOKIE),
    ignored("session-cookie-domain", COOKIE),
    ignored("session-cookie-expires", COOKIE),
    ignored("session-cookie-max-age", COOKIE),
    ignored("session-cookie-name", COOKIE),
    ignored("session-cookie-path", COOKIE),
    ignored("session-cookie-samesite", COOKIE),
    ignored("session-cookie-secure", COOKIE),
    ignored("ssl-ciphers", "rustls's own, none of which is weak"),
    refused("ssl-passthrough", "what is encrypted to the service cannot be inspected"),
    ignored("ssl-prefer-server-ciphers", "rustls's own, none of which is weak"),
    kept("ssl-redirect", "308 where the host has TLS"),
    ignored("stream-snippet", "nginx's configuration language is not read"),
    kept("temporal-redirect", "a URL without variables"),
    kept("temporal-redirect-code", "301, 302, 303, 307 or 308"),
    ignored("upstream-hash-by", COOKIE),
    ignored("upstream-hash-by-subset", COOKIE),
    ignored("upstream-hash-by-subset-size", COOKIE),
    ignored("upstream-vhost", "`Host` passes as the client sent it"),
    refused("use-regex", "paths are matched segment by segment, not by patterns"),
    refused("whitelist-source-range", ADDRESS),
    ignored("x-forwarded-prefix", "paths are never rewritten"),
];

/// Keys of the ConfigMap, by name.
pub const KEYS: &[Known] = &[
    kept("allow-cross-namespace-resources", "whether `auth-tls-secret` may name another namespace"),
    kept("allow-snippet-annotations", "`false` unless it says otherwise: snippets are ignored then"),
    kept(
        "annotations-risk-level",
        "`High` unless it says otherwise: an Ingress with a riskier annotation is refused",
    ),
    kept("compute-full-forwarded-for", "the client's list is kept and appended to"),
    kept("enable-modsecurity", "for every path"),
    kept("enable-owasp-modsecurity-crs", "the CRS that the gateway was told of by `--crs`"),
    kept("force-ssl-redirect", "for every path"),
    changed("forwarded-for-header", "`X-Forwarded-For`, `Forwarded` or another header's name"),
    kept("hsts", "`Strict-Transport-Security` of hosts with TLS; on unless it says otherwise"),
    kept("hsts-include-subdomains", "on unless it says otherwise"),
    kept("hsts-max-age", "31536000 unless it says otherwise"),
    kept("hsts-preload", "off unless it says otherwise"),
    changed("modsecurity-snippet", "as the annotation; in place of the base file, as there"),
    kept("proxy-body-size", "1m unless it says otherwise"),
    kept("proxy-connect-timeout", "5 s unless it says otherwise"),
    kept("proxy-read-timeout", "60 s unless it says otherwise"),
    changed(
        "proxy-real-ip-cidr",
        "whose word of the client's address counts; everybody's unless it says otherwise",
    ),
    kept("ssl-protocols", "TLSv1.2 and TLSv1.3; older ones are not spoken"),
    kept("ssl-redirect", "on unless it says otherwise"),
    changed(
        "use-forwarded-headers",
        "the client's address; the scheme, host and port are the connection's own, whoever says something else",
    ),
    kept("use-proxy-protocol", "version 1 and 2"),
    refused("whitelist-source-range", ADDRESS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order_and_name_nothing_twice() {
        for table in [ANNOTATIONS, KEYS] {
            let names: Vec<_> = table.iter().map(|known| known.name).collect();
            assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        }
    }

    #[test]
    fn the_reference_page_is_the_table() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/ingress-annotations.md");
        if std::env::var_os("PALISADE_BLESS").is_some() {
            std::fs::write(file, reference()).expect("docs can be written");
        }
        let page = std::fs::read_to_string(file).expect("the page is there");
        assert_eq!(page, reference(), "PALISADE_BLESS=1 writes it anew");
    }
}
