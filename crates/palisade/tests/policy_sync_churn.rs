//! A rollout in a cluster whose news lag behind its traffic: a thousand pods ask as soon as they have an address. Nobody who
//! may is refused, and nobody who may not is let in, at our own proxy and behind Envoy.

#[path = "../../policysync/tests/support/mod.rs"]
mod agents;
mod pki;
mod support;

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use agents::agent::Agent;
use agents::wire::{Naming, message, messages_of};
use palisade_policy::{Change, Compiler, Feed, Update, read_objects};
use palisade_policysync::messages::{InSync, Payload, ToDataplane};
use pki::Pki;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use support::envoy::{Envoy, binary, example};
use support::{Folder, Running, Upstream, command, eventually};

/// How many pods come.
const REPLACEMENTS: u32 = 1_000;
/// News of one take up to this long.
const LAG_MS_MAX: u64 = 200;
/// Who asks at a time.
const AT_A_TIME: usize = 24;

const POLICIES: &str = "apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: database}
spec:
  selector: app == 'database'
  ingress:
  - {action: Deny, source: {selector: app == 'attack'}}
  - {action: Allow, source: {serviceAccounts: {names: [web]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: database-1, namespace: shop, labels: {app: database}}
spec: {serviceAccountName: database}
status: {podIP: 127.0.0.1}
";

fn changes_of(text: &str) -> Vec<Change> {
    read_objects(text.as_bytes()).objects.into_iter().map(|(key, object)| (key, Some(object))).collect()
}

fn pod(name: &str, account: &str, address: IpAddr) -> Change {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {account}}}}}\nspec: {{serviceAccountName: {account}}}\nstatus: {{podIP: {address}}}\n"
    );
    changes_of(&text).remove(0)
}

/// A cluster: what is true at once, and the agent that tells of it later.
struct Cluster {
    compiler: Compiler,
    last: Instant,
    news: mpsc::Sender<(Instant, Vec<ToDataplane>)>,
}

impl Cluster {
    fn start(agent: Arc<Agent>) -> Self {
        let mut compiler = Compiler::fed(Feed::Growing);
        agent.say(said(&compiler.apply(changes_of(POLICIES))));
        agent.say([message(Payload::InSync(InSync {}))]);
        let (news, under_way) = mpsc::channel::<(Instant, Vec<ToDataplane>)>();
        std::thread::spawn(move || {
            for (at, messages) in under_way {
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                agent.say(messages);
            }
        });
        Self { compiler, last: Instant::now(), news }
    }

    fn change(&mut self, changes: Vec<Change>, lag: Duration) {
        let messages = said(&self.compiler.apply(changes));
        self.last = self.last.max(Instant::now() + lag);
        self.news.send((self.last, messages)).unwrap();
    }
}

/// What the agent says of it: of endpoints only those on this node.
fn said(updates: &[Update]) -> Vec<ToDataplane> {
    let is_here = |update: &&Update| match update {
        Update::InSync => false,
        Update::Endpoint(id, _) | Update::EndpointRemoved(id) => &*id.name == "database-1",
        _ => true,
    };
    updates.iter().filter(is_here).flat_map(|update| messages_of(update, Naming::Kind, 100)).collect()
}

/// A client with the key of an account.
#[derive(Clone)]
struct Client(Arc<rustls::ClientConfig>);

impl Client {
    fn new(pki: &Pki<'_>, account: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pki.0.at("ca.crt")).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(pki.0.at(&format!("{account}.crt"))).unwrap()];
        let key = PrivateKeyDer::from_pem_file(pki.0.at(&format!("{account}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        Self(Arc::new(config))
    }

    /// The status of a GET from an address; 0 where there is no answer.
    fn ask(&self, from: IpAddr, at: SocketAddr) -> u16 {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        if socket.connect(&at.into()).is_err() {
            return 0;
        }
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let name = ServerName::try_from("database").unwrap();
        let connection = rustls::ClientConnection::new(self.0.clone(), name).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        if stream.write_all(b"GET / HTTP/1.1\r\nHost: database\r\nConnection: close\r\n\r\n").is_err() {
            return 0;
        }
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count) = stream.read(&mut piece)
            && count > 0
        {
            answer.extend_from_slice(&piece[..count]);
        }
        let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok());
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// The rollout. Gives how many waited for longer than no wait takes.
fn rollout(pki: &Pki<'_>, agent: Arc<Agent>, at: SocketAddr) -> usize {
    let (web, attack) = (Client::new(pki, "web"), Client::new(pki, "attack"));
    let mut cluster = Cluster::start(agent);
    // A pod that everybody knows, to see when the agent has been heard.
    let address = |number: u32| IpAddr::V4(Ipv4Addr::from(0x7f00_2000 + number));
    cluster.change(vec![pod("web-0", "web", address(0))], Duration::ZERO);
    eventually("the first pod", || (web.ask(address(0), at) == 200).then_some(()));

    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % bound
    };
    let cluster = Mutex::new(cluster);
    let wrong = Mutex::new(Vec::new());
    let (held, asked, places) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let mut running: VecDeque<(String, u32)> = VecDeque::new();
    std::thread::scope(|threads| {
        for number in 1..=REPLACEMENTS {
            let account = if below(4) == 0 { "attack" } else { "web" };
            let name = format!("{account}-{number}");
            // Now and then it has the address of one of web's that has just gone; its news are on their way.
            let mut changes = Vec::new();
            let taken = match running.len() {
                8.. if below(3) == 0 => {
                    let (gone, taken) = running.pop_front().unwrap();
                    changes.push((pod(&gone, "web", address(taken)).0, None));
                    taken
                }
                _ => number,
            };
            changes.push(pod(&name, account, address(taken)));
            cluster.lock().unwrap().change(changes, Duration::from_millis(below(LAG_MS_MAX)));
            if account == "web" {
                running.push_back((name.clone(), taken));
            }
            while places.load(Ordering::Acquire) >= AT_A_TIME {
                std::thread::sleep(Duration::from_micros(200));
            }
            places.fetch_add(1, Ordering::AcqRel);
            let (client, stolen) = (if account == "web" { &web } else { &attack }, number % 20 == 0);
            let (web, wrong, held, asked, places) = (&web, &wrong, &held, &asked, &places);
            threads.spawn(move || {
                let check = |client: &Client, from: IpAddr, expected: bool, what: &str| {
                    let began = Instant::now();
                    let status = client.ask(from, at);
                    asked.fetch_add(1, Ordering::Relaxed);
                    let waited = began.elapsed();
                    held.fetch_add(usize::from(waited > Duration::from_millis(30)), Ordering::Relaxed);
                    if (status == 200) != expected {
                        wrong.lock().unwrap().push(format!("{what} {name}: {status} after {waited:?}"));
                    }
                };
                // It asks at once, before anybody has heard of it.
                check(client, address(taken), account == "web", "a new pod");
                if stolen {
                    check(web, address(20_000 + number), false, "web's key where nobody is");
                }
                places.fetch_sub(1, Ordering::AcqRel);
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), asked.into_inner());
    let held = held.into_inner();
    println!("{REPLACEMENTS} replacements, {held} waited");
    held
}

fn certificates(folder: &Folder) -> Pki<'_> {
    let pki = Pki(folder);
    pki.authority("ca");
    pki.server("ca", "server", &["database"]);
    for account in ["web", "attack"] {
        let id = format!("subjectAltName=URI:spiffe://cluster.local/ns/shop/sa/{account}\n");
        pki.issue("ca", account, &format!("/CN={account}"), &id, 30);
    }
    pki
}

fn palisade(folder: &Folder, listeners: &str, upstream: &str) -> Running {
    let config = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\n{listeners}\
         services:\n- name: database\n  workload: {{namespace: shop, name: database-1}}\n{upstream}\
         profiles: {{default: {{mode: \"off\"}}}}\npolicies: {{sync: {{socket: {}, mode: per-host}}}}\n",
        folder.at("data"),
        folder.at("error.log"),
        folder.at("agent.sock")
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

/// What the admin listener answers; it wants to be asked by its name.
fn ask(admin: SocketAddr, path: &str) -> support::Response {
    support::send(admin, format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes())
}

fn waits(admin: SocketAddr) -> (f64, f64, f64) {
    let text = ask(admin, "/metrics").body;
    let of = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap_or_default();
        line.rsplit(' ').next().unwrap_or_default().parse().unwrap_or(-1.0)
    };
    (
        of("palisade_policy_waits_total"),
        of("palisade_policy_waits_refused_total"),
        of("palisade_policy_waiting"),
    )
}

#[test]
fn a_thousand_replacements_refuse_nobody_and_let_nobody_in_at_the_proxy() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = certificates(&folder);
    let agent = Arc::new(Agent::listen(Path::new(&folder.at("agent.sock"))));
    let at = |name: &str| folder.at(name);
    let listeners = format!(
        "listeners:\n- name: web\n  address: \"127.0.0.1:0\"\n  tls:\n    certificates: [{{cert: {}, key: {}}}]\n    \
         clientCertificates: {{mode: \"on\", ca: {}}}\n",
        at("server.crt"),
        at("server.key"),
        at("ca.crt")
    );
    let mut proxy = palisade(&folder, &listeners, &format!("  upstream: {{url: \"{}\"}}\n", upstream.url));
    let (address, admin) = (proxy.listener("web"), proxy.admin());
    let held = rollout(&pki, agent, address);
    let (begun, refused, waiting) = waits(admin);
    println!("the proxy says: {begun} waited");
    assert!(held > 200 && begun > 200.0, "{held} {begun}");
    assert_eq!((refused, waiting), (0.0, 0.0));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_thousand_replacements_refuse_nobody_and_let_nobody_in_behind_envoy() {
    let Some(binary) = binary() else { return };
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = certificates(&folder);
    let agent = Arc::new(Agent::listen(Path::new(&folder.at("agent.sock"))));
    let envoys = format!("envoy: [{{name: envoy, address: \"unix:{}\"}}]\n", folder.at("envoy.sock"));
    let mut running = palisade(&folder, &envoys, "");
    running.wait_err("(envoy)\n");
    let at = |name: &str| folder.at(name);
    let tls = format!(
        "    - transport_socket:\n        name: envoy.transport_sockets.tls\n        typed_config:\n          \
         \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          \
         require_client_certificate: true\n          common_tls_context:\n            \
         tls_certificates: [{{ certificate_chain: {{ filename: {} }}, private_key: {{ filename: {} }} }}]\n            \
         validation_context: {{ trusted_ca: {{ filename: {} }} }}\n      filters:\n",
        at("server.crt"),
        at("server.key"),
        at("ca.crt")
    );
    let bootstrap = example("ext-authz.yaml", &upstream.url, &folder.at("envoy.sock"));
    assert!(bootstrap.contains("    - filters:\n"));
    // A question waits for as long as a peer does, and a little longer.
    let bootstrap = bootstrap.replace("    - filters:\n", &tls).replace("timeout: 0.5s", "timeout: 10s");
    let envoy = Envoy::start(&binary, &folder, &bootstrap);
    let held = rollout(&pki, agent, envoy.address);
    let (begun, refused, waiting) = waits(running.admin());
    assert!(held > 200 && begun > 200.0, "{held} {begun}");
    assert_eq!((refused, waiting), (0.0, 0.0));
    running.end();
}
