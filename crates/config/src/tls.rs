//! TLS as it is configured: certificates of listeners, certificates of clients, TLS towards services, and what an
//! application is told of a client's certificate. Files are named here; what is in them is read elsewhere.

use crate::decode::{Decode, Decoder, Shape, Step, section};
use crate::headers::HeaderName;
use crate::node::{Node, Value};
use crate::sections::Config;
use crate::socket::Socket;
use crate::value::{FilePath, FromText, Located, Refused, Time, decode_as_text, words};

section! {
    /// TLS on a listener. Files are watched: a changed certificate, key, CA or revocation list is in force for the next
    /// connection, and where it cannot be used the one before stays.
    pub struct ListenerTls {
        /// Certificates with their keys, at least one: a mapping of `cert` and `key`, or a folder that has tls.crt and
        /// tls.key (a mounted Secret) or cert-chain.pem and key.pem (Istio's /etc/certs), or `workload-api` for the identity
        /// that the SPIFFE Workload API gives us. The name that a client asks for chooses, an exact name before a wildcard; who asks for another name, or for none, gets the first.
        certificates: Vec<Located<CertificateSource>>,
        /// The oldest version that is spoken.
        min_version: TlsVersion = "TLSv1.2",
        /// How long a handshake may take. Then the connection is closed.
        handshake: Time = "10s",
        /// Whether clients are asked for a certificate, where their host's service does not say it.
        client_certificates: Option<Located<ClientCertificates>>,
    }
}

section! {
    /// Certificates of clients. The handshake always completes; whom we do not believe is told so by HTTP, as ingress-nginx
    /// does it: 400 `No required SSL certificate was sent`, 400 `The SSL certificate error`.
    pub struct ClientCertificates {
        /// on: a certificate that `ca` vouches for is required. optional: one is asked for, and where one is sent it must be
        /// good. optional_no_ca: one is asked for, and an unknown issuer is let pass, and told to the application. off: none
        /// is asked for.
        mode: ClientCertificateMode = "on",
        /// A file with certificates of certificate authorities, in PEM, or `workload-api`. Each mode but off and optional_no_ca
        /// needs it.
        ca: Option<Located<AuthoritySource>>,
        /// A file with revocation lists, in PEM.
        crl: Option<Located<FilePath>>,
        /// How many intermediate certificates there may be between the client's and the authority's.
        depth: ChainDepth = "1",
        /// Whose certificate lets in, `CN=` and a text or a pattern; who has another gets 403.
        match_subject: Option<Located<SubjectPattern>>,
        /// strict: the whole of the certificate's one CN is what follows `CN=`, where `*` stands for anything. compat: it is
        /// a regular expression that is found anywhere in the subject, as ingress-nginx does it; `CN=hospital-1` then takes
        /// CN=hospital-10 and an OU with that text as well.
        subject_matching: SubjectMatching = "strict",
        /// SPIFFE ids, of which the certificate must have one; who has none of them gets 403. Any or none lets in when empty.
        spiffe_ids: Vec<Located<SpiffeIdText>>,
        /// What clients without an acceptable certificate get in place of the answer 400. A URL: they are sent there by 302. A
        /// path: the answer to a GET of it on the same host, whatever they asked for, with its own status.
        error_page: Option<ErrorPage>,
    }
}

section! {
    /// TLS of a service's hosts.
    pub struct ServiceTls {
        /// Certificates of clients, for the hosts whose routes lead to this service, in place of what the listener says. It
        /// holds for the whole host: the handshake knows no path.
        client_certificates: Option<Located<ClientCertificates>>,
    }
}

section! {
    /// What the application is told of a client's certificate, beside `ssl-client-verify`, `ssl-client-subject-dn` and
    /// `ssl-client-issuer-dn`. What clients send under these names is always taken away.
    pub struct Forward {
        /// The certificate's fingerprint.
        fingerprint: Fingerprint,
        /// Whether `ssl-client-cert` has the certificate itself, as URL-escaped PEM.
        client_certificate: bool = "false",
        /// Whether `X-Forwarded-Client-Cert` says it in Envoy's form.
        xfcc: bool = "false",
        /// Further headers, and what each says of the certificate.
        headers: CertificateFacts,
    }
}

words! {
    /// What may be said of a client's certificate.
    pub enum CertificateFact: "something that can be said of a certificate" {
        /// `NONE`, `SUCCESS`, `FAILED:` and why.
        Verify = "verify",
        /// RFC 2253.
        SubjectDn = "subject-dn",
        /// RFC 2253.
        IssuerDn = "issuer-dn",
        /// `/C=IL/CN=x`.
        SubjectDnLegacy = "subject-dn-legacy",
        /// `/C=IL/CN=x`.
        IssuerDnLegacy = "issuer-dn-legacy",
        /// Upper-case hex.
        Serial = "serial",
        /// SHA-1, 40 hex digits.
        Fingerprint = "fingerprint",
        /// SHA-256, 64 hex digits.
        FingerprintSha256 = "fingerprint-sha256",
        /// `Nov 22 08:00:00 2026 GMT`.
        NotBefore = "not-before",
        /// The same form.
        NotAfter = "not-after",
        /// Until it runs out.
        DaysLeft = "days-left",
        /// URL-escaped PEM.
        Certificate = "certificate",
    }
}

/// Headers, and what each says of a client's certificate, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts(Vec<(HeaderName, CertificateFact)>);

/// More would be no headers of one request.
const FACTS_MAX: usize = 32;

impl CertificateFacts {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, CertificateFact)> {
        self.0.iter().map(|(name, fact)| (name, *fact))
    }
}

impl Decode for CertificateFacts {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) if entries.len() <= FACTS_MAX => entries,
            Value::Null => return Some(Self::default()),
            _ => {
                let help = "write a mapping of at most 32 headers: `{X-Client-Serial: serial}`".to_owned();
                decoder.error(node, format!("{} stands where headers are expected", node.describe()), help);
                return None;
            }
        };
        let mut facts = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = HeaderName::decode(&Node::text(&key.name, key.origin), decoder);
            let fact =
                decoder.within(&Step::Key(&key.name), |decoder| CertificateFact::decode(value, decoder));
            facts.push(name.zip(fact));
        }
        facts.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(<CertificateFact as Decode>::shape()))
    }
}

section! {
    /// The fingerprint of a client's certificate.
    pub struct Fingerprint {
        /// The header's name.
        header: HeaderName = "ssl-client-fingerprint",
        /// sha1 (40 hex digits, as nginx has it) or sha256 (64).
        hash: FingerprintHash = "sha1",
    }
}

section! {
    /// TLS towards a service, for `https://` URLs.
    pub struct UpstreamTls {
        /// A file with certificates of certificate authorities, in PEM, or `workload-api`. When absent: those beside
        /// `clientCert` where that is a folder or `workload-api`, else those of the system.
        ca: Option<Located<AuthoritySource>>,
        /// A file with revocation lists, in PEM, for certificates of `ca`. Every certificate of a chain needs one that is in
        /// time then. Not beside `spiffeIds`.
        crl: Option<Located<FilePath>>,
        /// The certificate that we show: a mapping of `cert` and `key`, a folder, or `workload-api`, as in listeners'
        /// `certificates`.
        client_cert: Option<Located<CertificateSource>>,
        /// The name that is asked for and that the service's certificate must have; the host of the URL when absent.
        server_name: Option<Located<ServerName>>,
        /// SPIFFE ids, of which the service's certificate must have one; its DNS names do not count then.
        spiffe_ids: Vec<Located<SpiffeIdText>>,
        /// Whether the service's certificate must be good. With false anybody on the way can be the service.
        verify: bool = "true",
    }
}

section! {
    /// The SPIFFE Workload API, by which an agent on this machine (SPIRE's) says who we are and whom to believe, and says it
    /// anew before it runs out. It is asked where a certificate or an authority is `workload-api`. A change needs a restart.
    pub struct WorkloadApi {
        /// Where the agent listens, such as `unix:///run/spire/agent.sock`; what SPIFFE_ENDPOINT_SOCKET says when absent.
        socket: Option<Socket>,
    }
}

/// What stands in place of a file or folder for what the Workload API gives.
const WORKLOAD_API: &str = "workload-api";

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq)]
pub enum CertificateSource {
    /// In two files.
    Files(CertificateFiles),
    /// In a folder of a known layout.
    Folder(FilePath),
    /// The Workload API gives them.
    WorkloadApi,
}

/// Where certificates of authorities are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthoritySource {
    /// In a file.
    File(FilePath),
    /// The Workload API gives them: the authorities of our own trust domain.
    WorkloadApi,
}

impl Decode for AuthoritySource {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Text { text, .. } if text == WORKLOAD_API => Some(Self::WorkloadApi),
            _ => FilePath::decode(node, decoder).map(Self::File),
        }
    }

    fn shape() -> Shape {
        Shape::WordOr(&[WORKLOAD_API], Box::new(<FilePath as Decode>::shape()))
    }
}

section! {
    /// A certificate and its key.
    pub struct CertificateFiles {
        /// The certificate and those between it and its authority, in PEM, its own first.
        cert: FilePath,
        /// Its key, in PEM: PKCS#8, PKCS#1 or SEC1, not encrypted.
        key: FilePath,
    }
}

impl Decode for CertificateSource {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Text { text, .. } if text == WORKLOAD_API => Some(Self::WorkloadApi),
            Value::Text { .. } => FilePath::decode(node, decoder).map(Self::Folder),
            _ => CertificateFiles::decode(node, decoder).map(Self::Files),
        }
    }

    fn shape() -> Shape {
        let text = Shape::WordOr(&[WORKLOAD_API], Box::new(<FilePath as Decode>::shape()));
        Shape::Either(Box::new(CertificateFiles::shape()), Box::new(text))
    }
}

impl Config {
    /// Whether a certificate or an authority comes from the Workload API.
    pub fn uses_workload_api(&self) -> bool {
        let authority = |source: Option<&AuthoritySource>| source == Some(&AuthoritySource::WorkloadApi);
        let clients = |certificates: Option<&ClientCertificates>| {
            authority(certificates.and_then(|certificates| certificates.ca.as_deref()))
        };
        let listener = |tls: &ListenerTls| {
            tls.certificates.iter().any(|source| **source == CertificateSource::WorkloadApi)
                || clients(tls.client_certificates.as_deref())
        };
        let upstream = |tls: &UpstreamTls| {
            tls.client_cert.as_deref() == Some(&CertificateSource::WorkloadApi)
                || authority(tls.ca.as_deref())
        };
        let asked = self.envoy.iter().filter_map(|envoy| envoy.tls.as_deref());
        self.listeners.iter().filter_map(|listener| listener.tls.as_deref()).chain(asked).any(listener)
            || self.services.iter().any(|service| {
                let told = service.upstream.as_ref().and_then(|upstream| upstream.tls.as_deref());
                clients(service.tls.client_certificates.as_deref()) || told.is_some_and(upstream)
            })
    }
}

words! {
    /// Whether clients are asked for a certificate.
    pub enum ClientCertificateMode: "a mode for certificates of clients" {
        /// None is asked for.
        Off = "off",
        /// A good one is required.
        On = "on",
        /// One is asked for; where it is sent it must be good.
        Optional = "optional",
        /// One is asked for; an unknown issuer is let pass.
        OptionalNoCa = "optional_no_ca",
    }
}

words! {
    /// A version of TLS.
    pub enum TlsVersion: "a version of TLS" {
        /// 1.2.
        Tls12 = "TLSv1.2",
        /// 1.3.
        Tls13 = "TLSv1.3",
    }
}

words! {
    /// How a fingerprint is made.
    pub enum FingerprintHash: "a hash" {
        /// SHA-1.
        Sha1 = "sha1",
        /// SHA-256.
        Sha256 = "sha256",
    }
}

words! {
    /// What a subject's pattern is matched against.
    pub enum SubjectMatching: "a way to match subjects" {
        /// The whole CN.
        Strict = "strict",
        /// Any part of the whole subject.
        Compat = "compat",
    }
}

words! {
    /// Whose requests a listener takes.
    pub enum Direction: "a direction" {
        /// Those of clients, for the workload.
        Inbound = "inbound",
        /// The workload's own, for others.
        Outbound = "outbound",
    }
}

/// Intermediate certificates in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainDepth(u8);

impl ChainDepth {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// Chains of more are nobody's.
const DEPTH_MAX: u8 = 12;

impl FromText for ChainDepth {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let depth = text.parse().ok().filter(|depth| *depth <= DEPTH_MAX && text.len() <= 2);
        depth
            .map(Self)
            .ok_or_else(|| (format!("is not a number from 0 to {DEPTH_MAX}"), "write 1".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 0, max: DEPTH_MAX.into() }
    }
}

/// A pattern for the subject of a certificate: `CN=` and a regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPattern(String);

impl SubjectPattern {
    /// As written, `CN=` and all.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A longer one is no pattern for a name.
const PATTERN_BYTES_MAX: usize = 256;

impl FromText for SubjectPattern {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| Err(("is not a pattern for subjects".to_owned(), help));
        match text.strip_prefix("CN=") {
            None => not(format!("write CN={}", text.chars().take(40).collect::<String>())),
            Some("") => not("write what the CN is, such as CN=hospital-1".to_owned()),
            Some(_) if text.len() > PATTERN_BYTES_MAX => not(format!("at most {PATTERN_BYTES_MAX} bytes")),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }

    fn shape() -> Shape {
        Shape::Text { what: "CN= and a pattern", pattern: Some("^CN=.+$"), example: "CN=hospital-*" }
    }
}

/// What clients get whose certificate will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorPage {
    /// They are sent to this URL.
    Url(String),
    /// The answer to a GET of this path.
    Path(String),
}

impl FromText for ErrorPage {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= URL_BYTES_MAX;
        if plain && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            return Ok(Self::Url(text.to_owned()));
        }
        if plain && text.starts_with('/') && !text.starts_with("//") && !text.contains('#') {
            return Ok(Self::Path(text.to_owned()));
        }
        Err((
            "is neither a URL to send clients to nor a path of the host".to_owned(),
            "write one such as https://example.com/no-cert or /no-cert".into(),
        ))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a URL or a path",
            pattern: Some("^(https?://[!-~]+|/[!-~]*)$"),
            example: "https://example.com/no-cert",
        }
    }
}

const URL_BYTES_MAX: usize = 2048;

/// The DNS name or address that a server is to have in its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerName(String);

impl ServerName {
    /// Its text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for ServerName {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let name = text.len() <= 253 && text.split('.').all(label);
        if name || text.parse::<std::net::IpAddr>().is_ok() {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(("is not the name of a server".to_owned(), "write one such as shop.example.com".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "the name of a server", pattern: None, example: "shop.example.com" }
    }
}

/// A SPIFFE id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeIdText(palisade_model::SpiffeId);

impl SpiffeIdText {
    /// The id.
    pub fn id(&self) -> &palisade_model::SpiffeId {
        &self.0
    }
}

impl FromText for SpiffeIdText {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map(Self).map_err(|error| {
            let what = format!("is not a SPIFFE id: {error}");
            (what, "write one such as spiffe://cluster.local/ns/shop/sa/web".to_owned())
        })
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a SPIFFE id",
            pattern: Some("^spiffe://.+$"),
            example: "spiffe://cluster.local/ns/shop/sa/web",
        }
    }
}

decode_as_text!(
    CertificateFact,
    ClientCertificateMode,
    TlsVersion,
    FingerprintHash,
    SubjectMatching,
    Direction,
    ChainDepth,
    SubjectPattern,
    ErrorPage,
    ServerName,
    SpiffeIdText
);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromText>(text: &str) -> String {
        match T::from_text(text) {
            Ok(_) => panic!("`{text}` is accepted"),
            Err((what, help)) => format!("{what}; {help}"),
        }
    }

    #[test]
    fn values_of_tls_say_what_to_write() {
        assert!(refused::<SubjectPattern>("hospital").ends_with("write CN=hospital"));
        assert!(refused::<SubjectPattern>("CN=").contains("what the CN is"));
        assert!(refused::<ErrorPage>("denied").contains("https://example.com/no-cert"));
        assert!(refused::<ErrorPage>("https://a b").contains("neither a URL"));
        assert!(refused::<ErrorPage>("//example.com/no-cert").contains("neither a URL"));
        assert_eq!(ErrorPage::from_text("/denied"), Ok(ErrorPage::Path("/denied".to_owned())));
        assert!(refused::<ServerName>("https://a").contains("shop.example.com"));
        assert!(refused::<ServerName>("a..b").contains("shop.example.com"));
        assert!(refused::<SpiffeIdText>("cluster.local/ns/a").contains("spiffe://cluster.local"));
        assert_eq!(refused::<ChainDepth>("17"), "is not a number from 0 to 12; write 1");
        assert_eq!(ServerName::from_text("Shop.Example").unwrap().as_str(), "shop.example");
        assert_eq!(ServerName::from_text("::1").unwrap().as_str(), "::1");
        assert_eq!(ChainDepth::from_text("0").unwrap().get(), 0);
    }
}
