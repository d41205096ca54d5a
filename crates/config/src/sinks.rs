//! Where events go beside the store, and what asks about them.

use crate::decode::{Shape, section};
use crate::value::{Count, FilePath, FromText, Name, Refused, Size, Time, decode_as_text, words};

section! {
    /// A place where records go, as they come: one of `elasticsearch`, `file`, `syslog`, `webhook` and `otlp`.
    ///
    /// No request waits for it. What cannot be delivered waits in memory, then in files below `dataDir`, and survives a
    /// restart; what is delivered twice after a failure has the same id.
    pub struct Sink {
        /// Its name in messages and metrics, and that of its folder; its kind when absent.
        name: Option<Name>,
        /// Which records: `waf` (decisions), `l7` (all requests, aggregated), `alerts` (alerts that fired). All when absent.
        records: Vec<RecordKind>,
        /// How much may wait on the disk. Above it the oldest are dropped, and counted.
        spill: Size = "1GiB",
        /// Elasticsearch or OpenSearch, by the bulk API.
        elasticsearch: Option<Elasticsearch>,
        /// A file of JSON lines, rotated by size.
        file: Option<JsonFile>,
        /// A syslog server, by RFC 5424.
        syslog: Option<Syslog>,
        /// Anybody who takes a list of JSON objects by POST.
        webhook: Option<Webhook>,
        /// A collector of OpenTelemetry: logs by OTLP over HTTP, in JSON.
        otlp: Option<Otlp>,
    }
}

section! {
    /// Elasticsearch or OpenSearch. Indices are named `INDEX.CLUSTER.YYYYMMDD`, by the day in UTC.
    pub struct Elasticsearch {
        /// The server.
        url: HttpUrl,
        /// The begin of the index of decisions.
        index: IndexName = "tigera_secure_ee_waf",
        /// The begin of the index of L7 records.
        l7_index: IndexName = "tigera_secure_ee_l7",
        /// The begin of the index of alerts that fired.
        events_index: IndexName = "tigera_secure_ee_events",
        /// The cluster in the indices' names.
        cluster: IndexName = "cluster",
        /// Whether index templates are put there before the first record. Without the right to, write false and put there
        /// what `palisade config index-templates` prints.
        templates: bool = "true",
        /// Whether bodies are compressed.
        gzip: bool = "true",
        /// Authorities that the server is verified by; those of the system when absent.
        ca: Option<FilePath>,
        /// As whom.
        auth: HttpAuth,
        /// How long a request may take.
        timeout: Time = "60s",
    }
}

section! {
    /// As whom requests are made: `username` with a password, an API key, or a token. Secrets are in files or in the
    /// environment, never here, and are read anew for each request.
    pub struct HttpAuth {
        /// The name for basic authentication.
        username: Option<PlainText>,
        /// A file with its password.
        password_file: Option<FilePath>,
        /// A variable with its password.
        password_env: Option<VariableName>,
        /// A file with an API key of Elasticsearch, as its API shows it under `encoded`.
        api_key_file: Option<FilePath>,
        /// A variable with one.
        api_key_env: Option<VariableName>,
        /// A file with a bearer token.
        token_file: Option<FilePath>,
        /// A variable with one.
        token_env: Option<VariableName>,
    }
}

section! {
    /// A file of JSON lines.
    pub struct JsonFile {
        /// The file. Older ones are beside it: `PATH.1` is the youngest.
        path: FilePath,
        /// How large one may become.
        max_size: Size = "100MiB",
        /// How many there are, the current one among them.
        files: Count = "5",
    }
}

section! {
    /// A syslog server.
    pub struct Syslog {
        /// Its host and port.
        address: HostPort,
        /// `udp`, `tcp` (octet counting) or `tls`.
        transport: SyslogTransport = "udp",
        /// The facility, 0 to 23: 16 is local0.
        facility: Facility = "16",
        /// Authorities that the server is verified by; those of the system when absent.
        ca: Option<FilePath>,
    }
}

section! {
    /// Anybody who takes a list of JSON objects by POST.
    pub struct Webhook {
        /// Where to.
        url: Option<HttpUrl>,
        /// A file with the URL, where that is a secret.
        url_file: Option<FilePath>,
        /// Whether bodies are compressed.
        gzip: bool = "false",
        /// Authorities that the server is verified by; those of the system when absent.
        ca: Option<FilePath>,
        /// As whom.
        auth: HttpAuth,
        /// How long a request may take.
        timeout: Time = "30s",
    }
}

section! {
    /// A collector of OpenTelemetry.
    pub struct Otlp {
        /// Its URL, without `/v1/logs`.
        url: HttpUrl,
        /// Authorities that the server is verified by; those of the system when absent.
        ca: Option<FilePath>,
        /// As whom.
        auth: HttpAuth,
        /// How long a request may take.
        timeout: Time = "30s",
    }
}

section! {
    /// Alerts: Calico's GlobalAlert, AlertException and SecurityEventWebhook.
    pub struct Alerts {
        /// Files of such objects, or folders of .yaml, .yml and .json files. They are watched; an object that cannot be used
        /// stays as it was.
        files: Vec<FilePath>,
        /// The folder where Secrets and ConfigMaps are that webhooks name: a key is the file `NAME/KEY` in it.
        secrets: Option<FilePath>,
    }
}

words! {
    /// What a record is.
    pub enum RecordKind: "a kind of records" {
        /// Decisions.
        Waf = "waf",
        /// All requests, aggregated.
        L7 = "l7",
        /// Alerts that fired.
        Alerts = "alerts",
    }
}

words! {
    /// How messages of syslog go.
    pub enum SyslogTransport: "a way for syslog" {
        /// A datagram each.
        Udp = "udp",
        /// Each with its length.
        Tcp = "tcp",
        /// As TCP, over TLS.
        Tls = "tls",
    }
}

/// Makes a type of a text that has to fit.
macro_rules! text {
    ($(#[doc = $doc:literal])+ $name:ident, $fits:expr, $what:literal, $help:literal, $pattern:literal, $example:literal) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromText for $name {
            fn from_text(text: &str) -> Result<Self, Refused> {
                let fits: fn(&str) -> bool = $fits;
                match fits(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err((format!("is no {}", $what), $help.to_owned())),
                }
            }

            fn shape() -> Shape {
                Shape::Text { what: concat!("a ", $what), pattern: Some($pattern), example: $example }
            }
        }
    };
}

text!(
    /// A URL of HTTP, without a name and a password.
    HttpUrl,
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
            && text.len() <= 2048
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    },
    "URL to send to",
    "write one such as https://es:9200, without a name and a password: they go under `auth`",
    "^https?://[^@\\s]+$",
    "https://es:9200"
);

text!(
    /// A part of an index's name.
    IndexName,
    |text| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        (1..=100).contains(&text.len())
            && text.bytes().all(known)
            && text.as_bytes()[0].is_ascii_alphanumeric()
    },
    "part of an index's name",
    "write up to 100 lower-case letters, digits, `-`, `_` and `.`",
    "^[a-z0-9][a-z0-9._-]{0,99}$",
    "tigera_secure_ee_waf"
);

text!(
    /// A host and a port.
    HostPort,
    |text| {
        text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte))
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    },
    "host with a port",
    "write one such as syslog.example.com:514",
    "^[A-Za-z0-9._:\\[\\]-]+:[0-9]+$",
    "syslog:514"
);

text!(
    /// The name of a variable of the environment.
    VariableName,
    |text| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !text.is_empty() && text.bytes().all(known) && !text.as_bytes()[0].is_ascii_digit()
    },
    "name of a variable",
    "write one such as ES_PASSWORD",
    "^[A-Za-z_][A-Za-z0-9_]*$",
    "ES_PASSWORD"
);

text!(
    /// A text on one line.
    PlainText,
    |text| !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control),
    "text on one line",
    "write up to 256 bytes without line ends",
    "^.{1,256}$",
    "elastic"
);

/// A facility of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromText for Facility {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let number = text.parse().ok().filter(|number| *number <= 23);
        number.map(Self).ok_or(("is no facility".to_owned(), "write a number from 0 to 23".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 0, max: 23 }
    }
}

decode_as_text!(HttpUrl, IndexName, HostPort, VariableName, PlainText, Facility, RecordKind, SyslogTransport);
