//! The table: every variable, and what it does here.

use crate::environment::effect::Effect;
use crate::environment::reading::Reading;
use crate::overrides::Place;

use Effect::{
    DefaultAction, Directive, Elsewhere, Key, Note, Only, Switch, Tag, TestMarker, Tx, WithoutPlugins,
};
use Place::{EveryProfile, Listener, OnlyProfile, Service, Top};

/// Which variables are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Always.
    Ours,
    /// For owasp/modsecurity-crs, old and new.
    Crs,
    /// For wallarm/node.
    Wallarm,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) family: Family,
    pub(crate) name: &'static str,
    /// What it is about, for the reference. Empty where the effects say it.
    pub(crate) what: &'static str,
    pub(crate) effects: &'static [Effect],
    /// The name that people use now. It wins where both are set.
    pub(crate) old_name_of: Option<&'static str>,
}

const fn row(family: Family, name: &'static str, what: &'static str, effects: &'static [Effect]) -> Variable {
    Variable { family, name, what, effects, old_name_of: None }
}

const fn ours(name: &'static str, what: &'static str, effects: &'static [Effect]) -> Variable {
    row(Family::Ours, name, what, effects)
}

const fn crs(name: &'static str, what: &'static str, effects: &'static [Effect]) -> Variable {
    row(Family::Crs, name, what, effects)
}

const fn old(
    name: &'static str,
    now: &'static str,
    what: &'static str,
    effects: &'static [Effect],
) -> Variable {
    Variable { family: Family::Crs, name, what, effects, old_name_of: Some(now) }
}

const fn wallarm(name: &'static str, what: &'static str, effects: &'static [Effect]) -> Variable {
    row(Family::Wallarm, name, what, effects)
}

const CIPHERS: &str = "ciphers and curves are those of rustls, none of which is weak";
const OCSP: &str = "no answers of OCSP responders are fetched";
const OWN_TIMES: &str = "connections have times and bounds of our own";
const OWN_PAGE: &str = "our answers name no server, and only the request";
const NO_UPLOADS: &str = "rules write no files here";
const METRICS: &str = "metrics are at the admin listener";
const RESOLVER: &str = "names are resolved as the system does";
const NO_CORS: &str = "our 403 has no CORS headers; a page's own script cannot read it";
const NO_CLOUD: &str = "there is no cloud behind this";

const ON_OFF: Reading = Reading::OnOff;
const AUDIT: &[&str] = &["On", "Off", "RelevantOnly"];

/// Rows later in a family win over earlier ones that say the same.
pub(crate) const VARIABLES: &[Variable] = &[
    ours(
        "PALISADE_COMPAT",
        "`crs`, `crs-old`, `wallarm` or `off`: the image to be like; chosen by what is set when absent.",
        &[Elsewhere],
    ),
    ours("PALISADE_CONFIG", "The configuration file, as `--config`.", &[Elsewhere]),
    ours(
        "PALISADE_WORKERS",
        "Worker threads, 1 to 1024; one for each CPU that the process may use when absent.",
        &[Elsewhere],
    ),
    ours("PALISADE_LISTEN", "As `--listen`.", &[Key(Listener("address"), Reading::Text)]),
    ours("PALISADE_HEALTH_PATH", "As `--health-path`.", &[Key(Listener("healthPath"), Reading::Text)]),
    ours("PALISADE_UPSTREAM", "As `--upstream`.", &[Key(Service(&["upstream", "url"]), Reading::Text)]),
    ours("PALISADE_MODE", "As `--mode`.", &[Key(EveryProfile(&["mode"]), Reading::Text)]),
    ours("PALISADE_DETECT", "As `--detect`.", &[Key(EveryProfile(&["detect", "enabled"]), Reading::Switch)]),
    ours("PALISADE_CRS", "As `--crs`.", &[Key(OnlyProfile(&["rules", "crs"]), Reading::Text)]),
    ours("PALISADE_PARANOIA", "As `--paranoia`.", &[Key(OnlyProfile(&["rules", "paranoia"]), Reading::Text)]),
    ours(
        "PALISADE_RULES_BEFORE",
        "As `--rules-before`, several times.",
        &[Key(OnlyProfile(&["rules", "before"]), Reading::Paths)],
    ),
    ours(
        "PALISADE_RULES",
        "As `--rules`, several times.",
        &[Key(OnlyProfile(&["rules", "files"]), Reading::Paths)],
    ),
    ours("PALISADE_ADMIN", "As `--admin`.", &[Key(Top(&["admin", "address"]), Reading::Text)]),
    ours(
        "PALISADE_ADMIN_TOKEN_FILE",
        "As `--admin-token-file`.",
        &[Key(Top(&["admin", "tokenFile"]), Reading::Text)],
    ),
    ours(
        "PALISADE_PROBES",
        "An address that serves probes and metrics alone, for kubelet and Prometheus.",
        &[Key(Top(&["admin", "probes"]), Reading::Text)],
    ),
    ours("PALISADE_ERROR_LOG", "As `--error-log`.", &[Key(Top(&["logs", "error"]), Reading::Text)]),
    ours("PALISADE_AUDIT_LOG", "As `--audit-log`.", &[Key(Top(&["logs", "audit"]), Reading::Text)]),
    ours(
        "PALISADE_AUDIT_FORMAT",
        "As `--audit-format`.",
        &[Key(Top(&["logs", "auditFormat"]), Reading::Text)],
    ),
    ours("PALISADE_ACCESS_LOG", "As `--access-log`.", &[Key(Top(&["logs", "access"]), Reading::Text)]),
    ours(
        "PALISADE_DIKASTES_LOG",
        "As `--dikastes-log`.",
        &[Key(Top(&["logs", "dikastes"]), Reading::Switch)],
    ),
    ours(
        "PALISADE_REDIS_URL",
        "Where the Redis is that several processes share: `sharedState.redis.url`.",
        &[Key(Top(&["sharedState", "redis", "url"]), Reading::Text)],
    ),
    ours(
        "PALISADE_WORKLOAD_NAMESPACE",
        "The namespace of the workload that is protected.",
        &[Key(Top(&["workload", "namespace"]), Reading::Text)],
    ),
    ours(
        "PALISADE_WORKLOAD_NAME",
        "Its name, as a pod has one.",
        &[Key(Top(&["workload", "name"]), Reading::Text)],
    ),
    ours(
        "PALISADE_WORKLOAD_SERVICE_ACCOUNT",
        "The service account that it runs as.",
        &[Key(Top(&["workload", "serviceAccount"]), Reading::Text)],
    ),
    ours("PALISADE_DATA_DIR", "As `--data-dir`.", &[Key(Top(&["dataDir"]), Reading::Text)]),
    // The service behind.
    crs("SETPROXY", "Off: PROXYLOCATION does not count.", &[Switch]),
    crs("PROXY", "Off: UPSTREAM does not count.", &[Switch]),
    old("UPSTREAM", "BACKEND", "The service.", &[Key(Service(&["upstream", "url"]), Reading::Upstream)]),
    old("PROXYLOCATION", "BACKEND", "The service.", &[Key(Service(&["upstream", "url"]), Reading::Upstream)]),
    crs("BACKEND", "The service.", &[Key(Service(&["upstream", "url"]), Reading::Upstream)]),
    crs("BACKEND_WS", "", &[Note("WebSockets go to the service as everything else does")]),
    crs("PORT", "Where it listens, on every interface.", &[Key(Listener("address"), Reading::Port)]),
    crs(
        "PROXY_TIMEOUT",
        "How long the service may take to answer.",
        &[Key(Service(&["upstream", "response"]), Reading::Seconds)],
    ),
    crs(
        "PROXY_HOST_HEADER",
        "",
        &[Only(&["$host", "$http_host"], "the service sees the Host that the client sent")],
    ),
    crs("PROXY_PRESERVE_HOST", "", &[Only(&["on"], "the service sees the Host that the client sent")]),
    crs("PROXY_ERROR_OVERRIDE", "", &[Note("errors of the service go through as they are")]),
    crs("REQ_HEADER_FORWARDED_PROTO", "", &[Note("X-Forwarded-Proto is the connection's own")]),
    crs("NGINX_X_FORWARDED_PORT", "", &[Note("X-Forwarded-Port is not sent")]),
    crs("NGINX_X_FORWARDED_PROTO", "", &[Note("X-Forwarded-Proto is the connection's own")]),
    crs("SERVER_NAME", "", &[Note("requests for any host are taken")]),
    crs("SERVER_ADMIN", "", &[Note(OWN_PAGE)]),
    crs("SERVER_HEADER", "", &[Note(OWN_PAGE)]),
    crs("SERVER_TOKENS", "", &[Note(OWN_PAGE)]),
    crs("SERVER_SIGNATURE", "", &[Note(OWN_PAGE)]),
    crs("KEEPALIVE_TIMEOUT", "", &[Note(OWN_TIMES)]),
    crs("CLIENT_BODY_TIMEOUT", "", &[Note(OWN_TIMES)]),
    crs("TIMEOUT", "", &[Note(OWN_TIMES)]),
    crs("WORKER_CONNECTIONS", "", &[Note(OWN_TIMES)]),
    crs("MUTEX", "", &[Note("there is no Apache here")]),
    crs("DNS_SERVER", "", &[Note(RESOLVER)]),
    crs("RESOLVERS", "", &[Note(RESOLVER)]),
    crs("RESOLVER_CONFIG", "", &[Note(RESOLVER)]),
    crs("HTTP2", "", &[Note("HTTP/2 comes with TLS, which this version does not have")]),
    crs("HTTP3", "", &[Only(&["off"], "HTTP/3 is not spoken")]),
    crs("H2_PROTOCOLS", "", &[Note("HTTP/2 comes with TLS, which this version does not have")]),
    // Who asks.
    crs(
        "SET_REAL_IP_FROM",
        "Networks of proxies that are believed about addresses of clients, `,` between two. Nobody when absent.",
        &[Elsewhere],
    ),
    crs(
        "REAL_IP_HEADER",
        "The header that they name clients in, X-REAL-IP when absent; `proxy_protocol` for that.",
        &[Elsewhere],
    ),
    crs(
        "REAL_IP_PROXY_HEADER",
        "",
        &[Note("the service is told the client by X-Real-IP and X-Forwarded-For")],
    ),
    crs("REAL_IP_RECURSIVE", "", &[Note("addresses of believed proxies are always passed over")]),
    crs("REMOTEIP_INT_PROXY", "As SET_REAL_IP_FROM, which wins.", &[Elsewhere]),
    crs("REMOTEIP_HEADER", "As REAL_IP_HEADER, which wins; X-Forwarded-For when absent.", &[Elsewhere]),
    // TLS towards clients.
    crs("SSL_ENGINE", "", &[Note("there is TLS where a certificate is named")]),
    crs("SSL_PORT", "Where it listens for TLS, on every interface; 8443 when absent.", &[Elsewhere]),
    crs(
        "SSL_CERT",
        "The certificate of a listener for TLS beside the plain one, with those between it and its authority. Without one there is no such listener, unless server.crt and server.key are mounted in /etc/nginx/conf.",
        &[Elsewhere],
    ),
    crs("SSL_CERT_KEY", "Its key.", &[Elsewhere]),
    crs(
        "SSL_CERT_FILE",
        "As SSL_CERT, which wins. Without a key it is OpenSSL's variable, and says nothing here.",
        &[Elsewhere],
    ),
    crs("SSL_CERT_KEY_FILE", "As SSL_CERT_KEY, which wins.", &[Elsewhere]),
    crs(
        "SSL_PROTOCOLS",
        "The oldest of TLSv1.2 and TLSv1.3 in it is the oldest that is spoken.",
        &[Elsewhere],
    ),
    crs("SSL_PROTOCOL", "As SSL_PROTOCOLS, which wins; also in Apache's words.", &[Elsewhere]),
    crs("SSL_CIPHERS", "", &[Note(CIPHERS)]),
    crs("SSL_CIPHER_SUITE", "", &[Note(CIPHERS)]),
    crs("SSL_PREFER_CIPHERS", "", &[Note(CIPHERS)]),
    crs("SSL_HONOR_CIPHER_ORDER", "", &[Note(CIPHERS)]),
    crs(
        "SSL_SESSION_TICKETS",
        "",
        &[Note("sessions are taken up again where clients are not asked who they are")],
    ),
    crs("SSL_OCSP_STAPLING", "", &[Note(OCSP)]),
    crs("SSL_USE_STAPLING", "", &[Note(OCSP)]),
    crs("SSL_DH_BITS", "", &[Note(CIPHERS)]),
    crs(
        "SSL_VERIFY",
        "",
        &[Only(
            &["off", "none"],
            "certificates of clients need an authority: `tls.clientCertificates` of a listener in a configuration file",
        )],
    ),
    crs("SSL_VERIFY_DEPTH", "", &[Note("certificates of clients are a configuration file's to say")]),
    crs(
        "NGINX_ALWAYS_TLS_REDIRECT",
        "On: the plain listener sends everything to the one for TLS by 301.",
        &[Switch],
    ),
    crs("APACHE_ALWAYS_TLS_REDIRECT", "As NGINX_ALWAYS_TLS_REDIRECT.", &[Switch]),
    // TLS towards the service.
    crs(
        "PROXY_SSL",
        "The service is spoken to over TLS where BACKEND begins with https://; this changes nothing.",
        &[Switch],
    ),
    crs("PROXY_SSL_CERT", "The certificate that the service is shown.", &[Elsewhere]),
    crs("PROXY_SSL_CERT_KEY", "Its key.", &[Elsewhere]),
    crs("PROXY_SSL_CERT_FILE", "As PROXY_SSL_CERT, which wins.", &[Elsewhere]),
    crs("PROXY_SSL_CERT_KEY_FILE", "As PROXY_SSL_CERT_KEY, which wins.", &[Elsewhere]),
    crs(
        "PROXY_SSL_CA_CERT",
        "The authority of the service's certificate, where PROXY_SSL_VERIFY is on.",
        &[Elsewhere],
    ),
    crs("PROXY_SSL_CA_CERT_FILE", "As PROXY_SSL_CA_CERT, which wins.", &[Elsewhere]),
    crs(
        "PROXY_SSL_CHECK_PEER_NAME",
        "",
        &[Note("where the service's certificate is checked, its name is as well")],
    ),
    crs("PROXY_SSL_CIPHERS", "", &[Note(CIPHERS)]),
    crs("PROXY_SSL_PROTOCOLS", "", &[Note("services are spoken to by TLS 1.2 or 1.3")]),
    crs(
        "PROXY_SSL_VERIFY",
        "On: the certificate of an https:// service is checked. Off when absent, as in the image.",
        &[Switch],
    ),
    crs("PROXY_SSL_VERIFY_DEPTH", "", &[Note("chains of services are bounded by us")]),
    crs("SSL_PROXY_PROTOCOL", "", &[Note("services are spoken to by TLS 1.2 or 1.3")]),
    crs("SSL_PROXY_CIPHER_SUITE", "", &[Note(CIPHERS)]),
    // Logs and metrics.
    crs(
        "ACCESSLOG",
        "The access log, in our form: one JSON object an exchange. Off when absent.",
        &[Key(Top(&["logs", "access"]), Reading::Log)],
    ),
    crs("ERRORLOG", "The error log: one line a match.", &[Key(Top(&["logs", "error"]), Reading::Log)]),
    crs("LOGLEVEL", "", &[Note("matches are always logged")]),
    crs("APACHE_LOGFORMAT", "", &[Note("the access log is one JSON object an exchange")]),
    crs("APACHE_ERRORLOG_FORMAT", "", &[Note("the error log has ModSecurity's lines")]),
    crs("APACHE_METRICS_LOGFORMAT", "", &[Note(METRICS)]),
    crs("METRICSLOG", "", &[Note(METRICS)]),
    crs("METRICS_ALLOW_FROM", "", &[Note(METRICS)]),
    crs("METRICS_DENY_FROM", "", &[Note(METRICS)]),
    crs("CORS_HEADER_403_ALLOW_ORIGIN", "", &[Note(NO_CORS)]),
    crs("CORS_HEADER_403_ALLOW_METHODS", "", &[Note(NO_CORS)]),
    crs("CORS_HEADER_403_CONTENT_TYPE", "", &[Note("a 403 is HTML or JSON, as the client accepts")]),
    crs("CORS_HEADER_403_MAX_AGE", "", &[Note(NO_CORS)]),
    // The engine.
    old(
        "SEC_RULE_ENGINE",
        "MODSEC_RULE_ENGINE",
        "On is mode block, DetectionOnly is monitoring, Off is off.",
        &[Key(EveryProfile(&["mode"]), Reading::Engine)],
    ),
    crs(
        "MODSEC_RULE_ENGINE",
        "On is mode block, DetectionOnly is monitoring, Off is off.",
        &[Key(EveryProfile(&["mode"]), Reading::Engine)],
    ),
    crs("MODSEC_REQ_BODY_ACCESS", "", &[Directive("SecRequestBodyAccess", ON_OFF)]),
    crs(
        "MODSEC_REQ_BODY_LIMIT",
        "",
        &[
            Directive("SecRequestBodyLimit", Reading::Number),
            Key(EveryProfile(&["limits", "requestBody"]), Reading::Bytes),
        ],
    ),
    crs(
        "MODSEC_REQ_BODY_LIMIT_ACTION",
        "",
        &[
            Directive("SecRequestBodyLimitAction", Reading::Word(&["Reject", "ProcessPartial"])),
            Key(EveryProfile(&["limits", "onRequestBody"]), Reading::LimitAction),
        ],
    ),
    crs("MODSEC_REQ_BODY_NOFILES_LIMIT", "", &[Directive("SecRequestBodyNoFilesLimit", Reading::Number)]),
    crs(
        "MODSEC_REQ_BODY_JSON_DEPTH_LIMIT",
        "",
        &[
            Directive("SecRequestBodyJsonDepthLimit", Reading::Number),
            Key(EveryProfile(&["limits", "jsonDepth"]), Reading::Number),
        ],
    ),
    crs(
        "MODSEC_ARGUMENTS_LIMIT",
        "",
        &[
            Directive("SecArgumentsLimit", Reading::Number),
            Key(EveryProfile(&["limits", "arguments"]), Reading::Number),
        ],
    ),
    crs("MODSEC_ARGUMENT_SEPARATOR", "", &[Directive("SecArgumentSeparator", Reading::Words)]),
    crs("MODSEC_COOKIE_FORMAT", "", &[Directive("SecCookieFormat", Reading::Word(&["0", "1"]))]),
    crs("MODSEC_RESP_BODY_ACCESS", "", &[Directive("SecResponseBodyAccess", ON_OFF)]),
    crs(
        "MODSEC_RESP_BODY_LIMIT",
        "",
        &[
            Directive("SecResponseBodyLimit", Reading::Number),
            Key(EveryProfile(&["limits", "responseBody"]), Reading::Bytes),
        ],
    ),
    crs(
        "MODSEC_RESP_BODY_LIMIT_ACTION",
        "",
        &[
            Directive("SecResponseBodyLimitAction", Reading::Word(&["Reject", "ProcessPartial"])),
            Key(EveryProfile(&["limits", "onResponseBody"]), Reading::LimitAction),
        ],
    ),
    crs("MODSEC_RESP_BODY_MIMETYPE", "", &[Directive("SecResponseBodyMimeType", Reading::Words)]),
    crs("MODSEC_PCRE_MATCH_LIMIT", "", &[Directive("SecPcreMatchLimit", Reading::Number)]),
    crs("MODSEC_PCRE_MATCH_LIMIT_RECURSION", "", &[Directive("SecPcreMatchLimitRecursion", Reading::Number)]),
    crs("MODSEC_DEFAULT_PHASE1_ACTION", "`SecDefaultAction` of phase 1.", &[DefaultAction(1)]),
    crs("MODSEC_DEFAULT_PHASE2_ACTION", "`SecDefaultAction` of phase 2.", &[DefaultAction(2)]),
    crs("MODSEC_TAG", "What `${MODSEC_TAG}` stands for in the default actions.", &[Tag]),
    crs("MODSEC_DEBUG_LOG", "", &[Directive("SecDebugLog", Reading::Text)]),
    crs("MODSEC_DEBUG_LOGLEVEL", "", &[Directive("SecDebugLogLevel", Reading::Number)]),
    crs(
        "MODSEC_UNICODE_MAPPING",
        "",
        &[Only(&["20127"], "code page 20127 is built in; others by SecUnicodeMapFile in a rule file")],
    ),
    crs("MODSEC_DISABLE_BACKEND_COMPRESSION", "", &[Note("compressed answers are inspected decoded")]),
    crs("MODSEC_SERVER_SIGNATURE", "", &[Note(OWN_PAGE)]),
    crs("MODSEC_STATUS_ENGINE", "", &[Note("nobody is told of this installation")]),
    crs("MODSEC_DATA_DIR", "", &[Note("the data folder is --data-dir's")]),
    crs("MODSEC_TMP_DIR", "", &[Note("the data folder is --data-dir's")]),
    crs("MODSEC_TMP_SAVE_UPLOADED_FILES", "", &[Note(NO_UPLOADS)]),
    crs("MODSEC_UPLOAD_DIR", "", &[Note(NO_UPLOADS)]),
    crs("MODSEC_UPLOAD_FILE_MODE", "", &[Note(NO_UPLOADS)]),
    crs("MODSEC_UPLOAD_KEEP_FILES", "", &[Note(NO_UPLOADS)]),
    // The audit log.
    crs("MODSEC_AUDIT_ENGINE", "", &[Directive("SecAuditEngine", Reading::Word(AUDIT))]),
    crs("MODSEC_AUDIT_LOG", "The audit log.", &[Key(Top(&["logs", "audit"]), Reading::Log)]),
    crs("MODSEC_AUDIT_LOG_FORMAT", "Its form.", &[Key(Top(&["logs", "auditFormat"]), Reading::AuditFormat)]),
    crs(
        "MODSEC_AUDIT_LOG_TYPE",
        "",
        &[Directive("SecAuditLogType", Reading::Word(&["Serial", "Concurrent", "HTTPS"]))],
    ),
    crs("MODSEC_AUDIT_LOG_PARTS", "", &[Directive("SecAuditLogParts", Reading::Words)]),
    crs("MODSEC_AUDIT_LOG_RELEVANT_STATUS", "", &[Directive("SecAuditLogRelevantStatus", Reading::Text)]),
    old(
        "MODSEC_AUDIT_STORAGE",
        "MODSEC_AUDIT_STORAGE_DIR",
        "",
        &[Directive("SecAuditLogStorageDir", Reading::Text)],
    ),
    crs("MODSEC_AUDIT_STORAGE_DIR", "", &[Directive("SecAuditLogStorageDir", Reading::Text)]),
    // CRS's set-up.
    crs(
        "MANUAL_MODE",
        "On: the set-up file is yours to write, and the rows below, MODSEC_TAG and the default actions do not count.",
        &[Switch],
    ),
    crs("CONFIG_FILE", "", &[Note("the set-up file is the crs-setup.conf of the CRS folder")]),
    crs(
        "CRS_ENABLE_TEST_MARKER",
        "On: adds rule 999999, by which CRS's test runner finds its requests in the log.",
        &[TestMarker],
    ),
    crs("CRS_DISABLE_PLUGINS", "On: plugins in the CRS folder are not loaded.", &[WithoutPlugins]),
    old(
        "PARANOIA",
        "BLOCKING_PARANOIA",
        "Paranoia level.",
        &[Tx(&["paranoia_level", "blocking_paranoia_level"], Reading::Level)],
    ),
    crs(
        "BLOCKING_PARANOIA",
        "Paranoia level.",
        &[Tx(&["paranoia_level", "blocking_paranoia_level"], Reading::Level)],
    ),
    old(
        "EXECUTING_PARANOIA",
        "DETECTION_PARANOIA",
        "Level up to which rules run and log.",
        &[Tx(&["executing_paranoia_level", "detection_paranoia_level"], Reading::Level)],
    ),
    crs(
        "DETECTION_PARANOIA",
        "Level up to which rules run and log.",
        &[Tx(&["executing_paranoia_level", "detection_paranoia_level"], Reading::Level)],
    ),
    old("ANOMALYIN", "ANOMALY_INBOUND", "", &[Tx(&["inbound_anomaly_score_threshold"], Reading::Number)]),
    crs("ANOMALY_INBOUND", "", &[Tx(&["inbound_anomaly_score_threshold"], Reading::Number)]),
    old("ANOMALYOUT", "ANOMALY_OUTBOUND", "", &[Tx(&["outbound_anomaly_score_threshold"], Reading::Number)]),
    crs("ANOMALY_OUTBOUND", "", &[Tx(&["outbound_anomaly_score_threshold"], Reading::Number)]),
    crs("ENFORCE_BODYPROC_URLENCODED", "", &[Tx(&["enforce_bodyproc_urlencoded"], Reading::Bit)]),
    crs("REPORTING_LEVEL", "", &[Tx(&["reporting_level"], Reading::Number)]),
    crs("SKIP_RESPONSE_ANALYSIS", "", &[Tx(&["crs_skip_response_analysis"], Reading::Bit)]),
    crs("ALLOWED_METHODS", "", &[Tx(&["allowed_methods"], Reading::Words)]),
    crs("ALLOWED_REQUEST_CONTENT_TYPE", "", &[Tx(&["allowed_request_content_type"], Reading::Words)]),
    crs(
        "ALLOWED_REQUEST_CONTENT_TYPE_CHARSET",
        "",
        &[Tx(&["allowed_request_content_type_charset"], Reading::Words)],
    ),
    crs("ALLOWED_HTTP_VERSIONS", "", &[Tx(&["allowed_http_versions"], Reading::Words)]),
    crs("RESTRICTED_EXTENSIONS", "", &[Tx(&["restricted_extensions"], Reading::Words)]),
    old(
        "RESTRICTED_HEADERS",
        "RESTRICTED_HEADERS_BASIC",
        "",
        &[Tx(&["restricted_headers", "restricted_headers_basic"], Reading::Words)],
    ),
    crs(
        "RESTRICTED_HEADERS_BASIC",
        "",
        &[Tx(&["restricted_headers", "restricted_headers_basic"], Reading::Words)],
    ),
    crs("RESTRICTED_HEADERS_EXTENDED", "", &[Tx(&["restricted_headers_extended"], Reading::Words)]),
    crs("STATIC_EXTENSIONS", "", &[Tx(&["static_extensions"], Reading::Words)]),
    crs("MAX_NUM_ARGS", "", &[Tx(&["max_num_args"], Reading::Number)]),
    crs("ARG_NAME_LENGTH", "", &[Tx(&["arg_name_length"], Reading::Number)]),
    crs("ARG_LENGTH", "", &[Tx(&["arg_length"], Reading::Number)]),
    crs("TOTAL_ARG_LENGTH", "", &[Tx(&["total_arg_length"], Reading::Number)]),
    crs("MAX_FILE_SIZE", "", &[Tx(&["max_file_size"], Reading::Number)]),
    crs("COMBINED_FILE_SIZES", "", &[Tx(&["combined_file_sizes"], Reading::Number)]),
    crs("VALIDATE_UTF8_ENCODING", "", &[Tx(&["crs_validate_utf8_encoding"], Reading::Bit)]),
    // wallarm/node.
    wallarm("NGINX_BACKEND", "The service.", &[Key(Service(&["upstream", "url"]), Reading::Upstream)]),
    wallarm(
        "NGINX_PORT",
        "Where it listens, on every interface.",
        &[Key(Listener("address"), Reading::Port)],
    ),
    wallarm(
        "WALLARM_MODE",
        "off, monitoring, safe_blocking or block.",
        &[Key(EveryProfile(&["mode"]), Reading::Text)],
    ),
    wallarm(
        "WALLARM_APPLICATION",
        "The number of the application.",
        &[Key(Service(&["application"]), Reading::Application)],
    ),
    wallarm("WALLARM_STATUS_ALLOW", "", &[Note("status and metrics are at the admin listener")]),
    wallarm("DISABLE_IPV6", "", &[Note("it listens on IPv4 alone")]),
    wallarm("WALLARM_API_TOKEN", "", &[Note(NO_CLOUD)]),
    wallarm("WALLARM_API_HOST", "", &[Note(NO_CLOUD)]),
    wallarm("WALLARM_API_PORT", "", &[Note(NO_CLOUD)]),
    wallarm("WALLARM_API_USE_SSL", "", &[Note(NO_CLOUD)]),
    wallarm("WALLARM_API_CA_VERIFY", "", &[Note(NO_CLOUD)]),
    wallarm("WALLARM_LABELS", "", &[Note(NO_CLOUD)]),
    wallarm("DEPLOY_USER", "", &[Note(NO_CLOUD)]),
    wallarm("DEPLOY_PASSWORD", "", &[Note(NO_CLOUD)]),
    wallarm("DEPLOY_FORCE", "", &[Note(NO_CLOUD)]),
    wallarm("WALLARM_APID_ONLY", "", &[Note("attacks are never exported")]),
    wallarm(
        "WALLARM_APIFW_ENABLE",
        "",
        &[Note("specifications are enforced where a service names one by its `openapi`")],
    ),
    wallarm("APIFW_METRICS_ENABLED", "", &[Note(METRICS)]),
    wallarm("APIFW_METRICS_HOST", "", &[Note(METRICS)]),
    wallarm("APIFW_METRICS_ENDPOINT_NAME", "", &[Note(METRICS)]),
    wallarm("TARANTOOL_MEMORY_GB", "", &[Note("there is no store of that kind to give memory to")]),
    wallarm("SLAB_ALLOC_ARENA", "", &[Note("there is no store of that kind to give memory to")]),
];
