//! The SPIFFE Workload API: who this process is and whom it believes, as an agent on the same machine says, and says anew
//! before it runs out. One process has one identity, so there is one of these.
//!
//! ```text
//!  agent ──FetchX509SVID, a stream──> a thread here ──> what was said last ──read as three files──> crate::tls
//!                                                                         └─version──> crate::watch, a reload
//! ```
//!
//! Keys stay in memory. What was said last stays in force while the agent is away.
//!
//! Source: "The SPIFFE Workload API" and "X509-SVID" of the SPIFFE standards. Not here: federated trust domains, whose
//! authorities may vouch for names of their own domain alone; JWT-SVIDs; more identities than the first.

use std::error::Error;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_config::{Config, Socket};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// The certificate and those between it and its authority, as a file would have them.
pub(crate) const CHAIN: &str = "workload-api:chain.pem";
/// Its key.
pub(crate) const KEY: &str = "workload-api:key.pem";
/// The authorities of its trust domain.
pub(crate) const BUNDLE: &str = "workload-api:bundle.pem";

/// How long the first word may take. An agent answers at once, where it knows us.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// After an agent was lost, doubled with every failure up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// The environment's word for where the agent listens.
const SOCKET_VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";

/// What is known, once somebody has asked.
static KNOWN: OnceLock<Known> = OnceLock::new();

#[derive(Default)]
struct Known {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    identity: Option<Identity>,
    /// How often it has changed.
    version: u64,
    /// Why there is none, or no newer one.
    error: Option<String>,
}

/// An identity, each part in PEM.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    chain: String,
    key: String,
    bundle: String,
}

impl Known {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to ask, where the configuration wants to know, and waits for the first word.
///
/// # Errors
/// When nobody says where the agent listens, or it says nothing in time.
pub(crate) fn begin(config: &Config) -> Result<()> {
    if !config.uses_workload_api() || KNOWN.get().is_some_and(|known| known.told().identity.is_some()) {
        return Ok(());
    }
    let socket = match &config.workload_api.socket {
        Some(socket) => socket.clone(),
        None => by_environment()?,
    };
    let first = KNOWN.get().is_none();
    let known = KNOWN.get_or_init(Known::default);
    if first {
        let at = socket.clone();
        std::thread::Builder::new()
            .name("workload-api".to_owned())
            .spawn(move || follow(&at, known))
            .context("the thread that asks the Workload API cannot be started")?;
    }
    let (told, _) = known
        .changed
        .wait_timeout_while(known.told(), FIRST_WORD, |told| told.identity.is_none())
        .unwrap_or_else(PoisonError::into_inner);
    match (&told.identity, &told.error) {
        (Some(_), _) => Ok(()),
        (None, Some(error)) => bail!("the Workload API at {socket}: {error}"),
        (None, None) => bail!("the Workload API at {socket} says nothing"),
    }
}

fn by_environment() -> Result<Socket> {
    let text = std::env::var(SOCKET_VARIABLE).map_err(|_| {
        anyhow!(
            "`workload-api` is named, and nobody says where the agent listens: write `workloadApi: {{socket: \
             unix:///run/spire/agent.sock}}`, or set {SOCKET_VARIABLE}"
        )
    })?;
    // The standard writes tcp://, which is an address to us.
    text.trim_start_matches("tcp://").parse().map_err(|error| anyhow!("{SOCKET_VARIABLE}: `{text}` {error}"))
}

/// What stands at a path, where it is one of ours.
pub(crate) fn read(path: &str) -> Option<Result<Vec<u8>, String>> {
    let part: fn(&Identity) -> &String = match path {
        CHAIN => |identity| &identity.chain,
        KEY => |identity| &identity.key,
        BUNDLE => |identity| &identity.bundle,
        _ => return None,
    };
    let told = KNOWN.get().map(Known::told);
    let identity = told.as_ref().and_then(|told| told.identity.as_ref());
    Some(
        identity
            .map(|identity| part(identity).clone().into_bytes())
            .ok_or_else(|| "not known yet".to_owned()),
    )
}

/// What changes when the content of a path does, where it is one of ours.
pub(crate) fn version(path: &str) -> Option<u64> {
    matches!(path, CHAIN | KEY | BUNDLE).then(|| KNOWN.get().map_or(0, |known| known.told().version))
}

/// Asks for ever.
fn follow(socket: &Socket, known: &'static Known) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime of one thread takes nothing that could be missing");
    let mut pause = PAUSES.0;
    loop {
        let mut heard = false;
        let ended = runtime.block_on(listen(socket, &mut |identity| {
            heard = true;
            put(known, identity);
        }));
        if heard {
            pause = PAUSES.0;
        }
        let error = ended.err().unwrap_or_else(|| "the agent has ended its answer".to_owned());
        lost(known, socket, error);
        std::thread::sleep(pause);
        pause = (2 * pause).min(PAUSES.1);
    }
}

fn put(known: &Known, identity: Identity) {
    let mut told = known.told();
    told.error = None;
    if told.identity.as_ref() != Some(&identity) {
        told.identity = Some(identity);
        told.version += 1;
        known.changed.notify_all();
    }
}

fn lost(known: &Known, socket: &Socket, error: String) {
    let mut told = known.told();
    if told.error.as_ref() != Some(&error) {
        let stays = if told.identity.is_some() { "; what it said last stays in force" } else { "" };
        say!("palisade: the Workload API at {socket}: {error}{stays}");
        told.error = Some(error);
    }
}

/// One conversation with the agent.
async fn listen(socket: &Socket, put: &mut dyn FnMut(Identity)) -> Result<(), String> {
    let uri = match socket {
        Socket::Unix(path) => format!("unix:{path}"),
        Socket::Address(address) => format!("http://{}", address.0),
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|error| error.to_string())?;
    let endpoint = endpoint.connect_timeout(Duration::from_secs(5));
    let channel =
        endpoint.connect().await.map_err(|error| format!("it cannot be reached: {}", root(&error)))?;
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| root(&error))?;
    let mut request = Request::new(X509SvidRequest {});
    // So that nobody reaches it by a browser or a proxy that was tricked (section 4 of the Workload API).
    request.metadata_mut().insert("workload.spiffe.io", MetadataValue::from_static("true"));
    let path = PathAndQuery::from_static("/SpiffeWorkloadAPI/FetchX509SVID");
    let codec = ProstCodec::<X509SvidRequest, X509SvidResponse>::default();
    let answers = grpc.server_streaming(request, path, codec).await;
    let mut answers = answers.map_err(|status| words(&status))?.into_inner();
    while let Some(answer) = answers.message().await.map_err(|status| words(&status))? {
        put(Identity::of(answer)?);
    }
    Ok(())
}

fn words(status: &Status) -> String {
    match status.code() {
        Code::PermissionDenied => format!("it has no identity for us: {}", status.message()),
        code => format!("{code:?}: {}", status.message()),
    }
}

/// What lies at the bottom of an error.
fn root(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl Identity {
    fn of(answer: X509SvidResponse) -> Result<Self, String> {
        let svid = answer.svids.into_iter().next().ok_or("it names no identity")?;
        let certificates = |what: &str, der: &[u8]| {
            let each = each(der).filter(|each| !each.is_empty());
            let each = each.ok_or_else(|| format!("the {what} of {} is not DER", svid.spiffe_id))?;
            Ok::<_, String>(each.iter().map(|der| pem("CERTIFICATE", der)).collect())
        };
        Ok(Self {
            chain: certificates("certificate", &svid.x509_svid)?,
            bundle: certificates("bundle", &svid.bundle)?,
            key: pem("PRIVATE KEY", &svid.x509_svid_key),
        })
    }
}

/// The elements of DER that stand one after another, as the standard has chains. `None` where they are none.
fn each(mut der: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (&[_tag, first], rest) = der.split_first_chunk::<2>()?;
        let (length_bytes, length) = match first {
            0..=0x7f => (0, usize::from(first)),
            // 4 GiB is more than any message has.
            0x81..=0x84 => {
                let bytes = rest.get(..usize::from(first - 0x80))?;
                (bytes.len(), bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
            }
            _ => return None,
        };
        let (one, others) = der.split_at_checked(length.checked_add(2 + length_bytes)?)?;
        found.push(one);
        der = others;
    }
    Some(found)
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}

/// `message X509SVIDRequest`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct X509SvidRequest {}

/// `message X509SVIDResponse`, without revocation lists and federated bundles.
#[derive(Clone, PartialEq, prost::Message)]
struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<X509Svid>,
}

/// `message X509SVID`, without its hint.
#[derive(Clone, PartialEq, prost::Message)]
struct X509Svid {
    #[prost(string, tag = "1")]
    spiffe_id: String,
    /// Certificates in DER, one after another, its own first.
    #[prost(bytes = "vec", tag = "2")]
    x509_svid: Vec<u8>,
    /// PKCS#8 in DER.
    #[prost(bytes = "vec", tag = "3")]
    x509_svid_key: Vec<u8>,
    /// Certificates in DER, one after another.
    #[prost(bytes = "vec", tag = "4")]
    bundle: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_cut_where_its_lengths_say() {
        let long = [&[0x30, 0x81, 0x80][..], &[7; 0x80]].concat();
        let longer = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 0x100]].concat();
        let all = [&[0x30, 0x01, 0x05][..], &long, &longer].concat();
        assert_eq!(each(&all).unwrap(), [&[0x30, 0x01, 0x05][..], &long, &longer]);
        assert_eq!(each(b""), Some(Vec::new()));
        for broken in [&[0x30][..], &[0x30, 0x05, 1], &[0x30, 0x80], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(each(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn an_answer_is_an_identity_only_when_it_is_whole() {
        let svid = |chain: &[u8]| X509Svid {
            spiffe_id: "spiffe://example.org/web".to_owned(),
            x509_svid: chain.to_vec(),
            x509_svid_key: vec![0x30, 0],
            bundle: vec![0x30, 0],
        };
        let of = |svids| Identity::of(X509SvidResponse { svids });
        let whole = of(vec![svid(&[0x30, 1, 5, 0x30, 1, 6])]).unwrap_or_else(|error| panic!("{error}"));
        let certificate =
            |base64| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        assert_eq!(whole.chain, [certificate("MAEF"), certificate("MAEG")].concat());
        assert!(whole.key.starts_with("-----BEGIN PRIVATE KEY-----\nMAA=\n"));
        assert_eq!(of(Vec::new()).err().unwrap(), "it names no identity");
        assert!(of(vec![svid(b"no")]).is_err() && of(vec![svid(b"")]).is_err());
    }
}
