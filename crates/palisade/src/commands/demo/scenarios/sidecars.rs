//! 002, security sidecars: three services that attack each other, a sidecar before each, and the way past it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_sim::microsim::{
    Attack, Bounds, ClientSettings, Counter, Counters, Server, ServerSettings, Simulator,
};
use palisade_sim::{Call, Client, Method, Url, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::walk::{Walk, status, waited};
use crate::Finding;
use crate::commands::demo::folder::Folder;
use crate::commands::demo::instance::Instance;
use crate::commands::demo::namespaces::{Namespace, Namespaces};
use crate::commands::demo::pods::Pods;

/// Names of the services, and the last numbers of their pods' addresses.
const SERVICES: [(&str, u8); 3] = [("www", 21), ("auth", 22), ("db", 23)];
/// Where applications and sidecars listen. The article's sidecars take port 80, which is not for every user.
const APP_PORT: u16 = 8080;
const WAF_PORT: u16 = 8000;
/// Ordinary requests of a run.
const REQUESTS: u64 = 60;

/// Where the pods are.
enum Network {
    /// Each has a network of its own.
    Namespaces(Namespaces),
    /// Each is an address; and why they are no namespaces.
    Loopback(Pods, String),
}

impl Network {
    async fn take() -> Result<Self> {
        Ok(match Namespaces::make(&SERVICES) {
            Ok(namespaces) => Self::Namespaces(namespaces),
            Err(error) => Self::Loopback(Pods::take().await?, format!("{error:#}")),
        })
    }

    fn leaves_out(&self) -> Vec<String> {
        match self {
            Self::Namespaces(_) => vec![
                "the cluster and its Services: pods are network namespaces, clients ask sidecars directly, at port 8000 for 80"
                    .to_owned(),
            ],
            Self::Loopback(_, why) => vec![
                "the cluster and its Services: pods are addresses of loopback, clients ask sidecars directly, at port 8000 for 80"
                    .to_owned(),
                format!(
                    "a NetworkPolicy in the kernel ({why}): the way past the sidecar is closed by policy, where Palisade takes \
                     the pod's other port as well"
                ),
            ],
        }
    }

    fn at(&self, pod: &str, port: u16) -> SocketAddr {
        let last = SERVICES.iter().find(|(known, _)| *known == pod).map_or(99, |(_, last)| *last);
        let address = match self {
            Self::Namespaces(_) => Namespaces::address(last),
            Self::Loopback(pods, _) => pods.at(last),
        };
        SocketAddr::new(address, port)
    }

    fn namespace(&self, pod: &str) -> Option<&Namespace> {
        match self {
            Self::Namespaces(namespaces) => namespaces.of(pod),
            Self::Loopback(..) => None,
        }
    }

    /// The place of a pod's application, as its own sidecar asks it.
    fn beside(&self, pod: &str) -> SocketAddr {
        match self {
            Self::Namespaces(_) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), APP_PORT),
            Self::Loopback(..) => self.at(pod, APP_PORT),
        }
    }

    /// A listener for a pod's application.
    async fn listen(&self, pod: &str) -> Result<TcpListener> {
        let at = self.at(pod, APP_PORT);
        let listener = match self.namespace(pod) {
            Some(namespace) => namespace.listen((Ipv4Addr::UNSPECIFIED, APP_PORT).into()),
            None => TcpListener::bind(at).await,
        };
        listener.with_context(|| format!("cannot listen on {at}"))
    }

    /// Who asks from a pod.
    fn client(&self, pod: &str) -> Client {
        match self.namespace(pod) {
            Some(namespace) => Client::default().by(namespace.sockets()),
            None => Client::default().from(self.at(pod, 0).ip()),
        }
    }
}

pub(super) async fn walk(crs: Option<PathBuf>, seed: u64) -> Result<Finding> {
    let crs =
        crs.context("this walk is about a rule set of CRS's: name one by --crs, or install modsecurity-crs")?;
    let crs = crs.to_string_lossy().into_owned();
    let network = Network::take().await?;
    let mut walk = Walk::begin("002  Security sidecars before www, auth and db", &network.leaves_out())?;
    let folder = Folder::new()?;
    let at = |name: &str, port| network.at(name, port);
    let mut apps = Apps::default();
    for (name, _) in SERVICES {
        apps.start(network.listen(name).await?)?;
    }
    let sqli = |apps: &Apps| {
        apps.servers.iter().map(|server| server.counters().get(Counter::Attack(Attack::Sqli))).sum::<u64>()
    };

    walk.part("Without sidecars")?;
    let open = client_of(&[at("auth", APP_PORT), at("db", APP_PORT)], seed, network.client("www")).await?;
    walk.holds("www's client sends SQL injections among its requests", "some", sent(&open) > 0, sent(&open))?;
    walk.step("SQL injections that auth and db received", sent(&open), sqli(&apps))?;

    walk.part("A sidecar in each pod, by the environment of its image")?;
    let before = sqli(&apps);
    let mut sidecars = Vec::new();
    for (name, _) in SERVICES {
        let (listen, to) = (at(name, WAF_PORT).to_string(), format!("http://{}/", network.beside(name)));
        let (data, audit) =
            (path(&folder, &format!("{name}-data")), path(&folder, &format!("{name}-audit.log")));
        let variables = [
            ("SETPROXY", "True"),
            ("PROXYLOCATION", to.as_str()),
            ("PALISADE_LISTEN", listen.as_str()),
            ("PALISADE_ADMIN", "off"),
            ("PALISADE_CRS", crs.as_str()),
            ("PALISADE_DATA_DIR", data.as_str()),
            ("PALISADE_AUDIT_LOG", audit.as_str()),
        ];
        let log = folder.at(&format!("{name}.log"));
        sidecars.push(Instance::within(network.namespace(name), &variables, &[], &log)?);
    }
    for sidecar in &mut sidecars {
        sidecar.listener("web").await?;
    }
    let requests = apps.requests();
    let guarded =
        client_of(&[at("auth", WAF_PORT), at("db", WAF_PORT)], seed.wrapping_add(1), network.client("www"))
            .await?;
    walk.step(
        "ordinary requests that www's client sent, and had answered",
        REQUESTS,
        guarded.get(Counter::Requests),
    )?;
    walk.step("those that auth and db received", REQUESTS, apps.requests() - requests)?;
    walk.holds("SQL injections that it sent", "some", sent(&guarded) > 0, sent(&guarded))?;
    walk.step(
        "those that were refused with 403",
        sent(&guarded),
        guarded.get(Counter::BlockedAttack(Attack::Sqli)),
    )?;
    walk.step("SQL injections that auth and db received", 0, sqli(&apps) - before)?;
    walk.step("curl -X POST ADDRESS, with neither body nor length", "403", raw_post(&network, "www").await?)?;
    let url = Url::parse(&format!("http://{}/", at("db", WAF_PORT)))?;
    let page = network.client("www").ask(Call::get(url.clone())).await?;
    walk.holds(
        "the application sees the sidecar, and the Host that was asked for (the article's was rewritten)",
        "its own Host",
        page.text().contains(&format!("hostheader: {}", at("db", WAF_PORT))),
        page.text(),
    )?;
    let audit = || {
        let text = ["auth", "db"].map(|name| folder.read(&format!("{name}-audit.log"))).concat();
        text.contains("-Z--").then_some(text)
    };
    let audit = waited(Duration::from_secs(60), audit).await.unwrap_or_default();
    for said in [
        "[id \"942190\"]",
        "[id \"942360\"]",
        "[id \"949110\"]",
        "Action: Intercepted (phase 2)",
        "Producer: ",
        "Engine-Mode: \"ENABLED\"",
    ] {
        walk.holds(
            format!("the audit log, in ModSecurity 2's form: {said}"),
            "there",
            audit.contains(said),
            "not there",
        )?;
    }

    walk.part("The way past the sidecar")?;
    let auth = network.client("auth");
    let injection =
        |at: SocketAddr| Url::parse(&format!("http://{at}/?{}", Attack::Sqli.query())).map(Call::get);
    let before = sqli(&apps);
    walk.step(
        "from auth's pod: an SQL injection at db's sidecar",
        "403",
        status(&auth, injection(at("db", WAF_PORT))?).await,
    )?;
    walk.step("the same at db's own port", "200", status(&auth, injection(at("db", APP_PORT))?).await)?;
    walk.step("SQL injections that db received", 1, sqli(&apps) - before)?;

    let before = sqli(&apps);
    let guard = match &network {
        Network::Namespaces(namespaces) => {
            walk.part("Closed: the article's NetworkPolicy, as a network plugin puts it into db's pod")?;
            namespaces.only_from("db", "www", WAF_PORT)?;
            None
        }
        Network::Loopback(pods, _) => {
            walk.part("Closed by policy: the article's NetworkPolicy, at both ports of db")?;
            let last = sidecars.pop().context("db has a sidecar")?;
            last.end().await?;
            let app = apps.move_away(at("db", APP_PORT)).await?;
            folder.write("policies/objects.yaml", objects(pods))?;
            folder.write("policies/policies.yaml", POLICY)?;
            let config = intercepting(at("db", WAF_PORT), at("db", APP_PORT), app, &crs);
            let config = folder.write("db.yaml", config)?;
            let mut db = Instance::by_file(&config, &folder.at("db-by-file.log"))?;
            db.listener("web").await?;
            db.listener("other").await?;
            Some(db)
        }
    };
    walk.step(
        "from auth's pod: the injection at db's own port",
        "no answer",
        status(&auth, injection(at("db", APP_PORT))?).await,
    )?;
    walk.step("at db's sidecar", "no answer", status(&auth, injection(at("db", WAF_PORT))?).await)?;
    walk.step(
        "from www's pod: the injection at db's own port",
        "no answer",
        status(&network.client("www"), injection(at("db", APP_PORT))?).await,
    )?;
    let www = network.client("www");
    let post = Call::with_body(Method::POST, url.clone(), "application/json", "{\"data\": \"x\"}");
    walk.step("from www's pod: an ordinary request at db's sidecar", "200", status(&www, post).await)?;
    walk.step(
        "from www's pod: the injection at db's sidecar",
        "403",
        status(&www, injection(at("db", WAF_PORT))?).await,
    )?;
    walk.step("SQL injections that db received", 0, sqli(&apps) - before)?;
    for sidecar in sidecars.into_iter().chain(guard) {
        sidecar.end().await?;
    }
    walk.end()
}

/// The article's, with the port that sidecars have here.
const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db-ingress, namespace: default}\n\
    spec:\n  podSelector: {matchLabels: {app: db}}\n  policyTypes: [Ingress]\n  ingress:\n  \
    - from: [{podSelector: {matchLabels: {app: www}}}]\n    ports: [{protocol: TCP, port: 8000}]\n";

fn objects(pods: &Pods) -> String {
    let pod = |(name, last): (&str, u8)| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-1, namespace: default, labels: {{app: {name}}}}}\n\
             spec: {{serviceAccountName: default}}\nstatus: {{phase: Running, podIP: {0}, podIPs: [{{ip: {0}}}]}}\n",
            pods.at(last)
        )
    };
    SERVICES.map(pod).concat()
}

/// Palisade at both ports of a pod, as where traffic is led to it whatever port it is for.
fn intercepting(web: SocketAddr, other: SocketAddr, app: SocketAddr, crs: &str) -> String {
    let crs = serde_json::Value::from(crs);
    format!(
        "admin: {{address: \"off\"}}\ndataDir: db-by-file-data\nlogs: {{error: db-error.log}}\n\
         workload: {{namespace: default, name: db-1, labels: {{app: db}}}}\n\
         listeners: [{{name: web, address: \"{web}\"}}, {{name: other, address: \"{other}\"}}]\n\
         services: [{{name: db, upstream: {{url: \"http://{app}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{crs: {crs}}}}}}}\n\
         policies: {{files: [policies], plaintextPeers: address}}\n"
    )
}

fn path(folder: &Folder, name: &str) -> String {
    folder.at(name).to_string_lossy().into_owned()
}

fn sent(client: &Counters) -> u64 {
    client.get(Counter::Attack(Attack::Sqli))
}

/// A client of www's, with as many requests as a run has, to services in turns.
async fn client_of(services: &[SocketAddr], seed: u64, client: Client) -> Result<Arc<Counters>> {
    let urls: Vec<String> = services.iter().map(|at| format!("http://{at}/")).collect();
    let urls = urls.join(",");
    let environment = |name: &str| {
        let value = match name {
            "REQUEST_URLS" => &urls,
            "SEND_SQLI" | "COUNT_BLOCKED" => "True",
            "REQUEST_WAIT_SECONDS" => "0.01",
            "ATTACK_PROBABILITY" => "0.3",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let settings = ClientSettings::read(&environment)?;
    let simulator = Simulator::new(settings, None, seed, Arc::new(|_: &str| {})).by(client);
    let counters = simulator.counters().clone();
    let bounds = Bounds { requests: Some(REQUESTS), duration: None };
    simulator.run(None, bounds, std::future::pending()).await;
    Ok(counters)
}

/// The article's POST, as its curl sends it: hyper would add a length.
async fn raw_post(network: &Network, pod: &str) -> Result<String> {
    let to = network.at(pod, WAF_PORT);
    let socket = match network.namespace(pod) {
        Some(namespace) => namespace.sockets()(to)?,
        None => TcpSocket::new_v4()?,
    };
    let mut stream = socket.connect(to).await?;
    let post = format!("POST / HTTP/1.1\r\nHost: {to}\r\nUser-Agent: curl/7.64.0\r\nAccept: */*\r\n\r\n");
    stream.write_all(post.as_bytes()).await?;
    let mut head = [0; 12];
    tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut head)).await??;
    Ok(String::from_utf8_lossy(&head[9..]).into_owned())
}

/// The applications.
#[derive(Default)]
struct Apps {
    servers: Vec<Server>,
    ends: Vec<(SocketAddr, watch::Sender<bool>)>,
    tasks: JoinSet<SocketAddr>,
}

impl Apps {
    fn start(&mut self, listener: TcpListener) -> Result<SocketAddr> {
        let settings = ServerSettings::read(&|name| (name == "RESPOND_BYTES").then(|| "100".to_owned()))?;
        let server = Server::new(settings, None, 0, Arc::new(|_: &str| {}));
        let at = listener.local_addr()?;
        let (end, mut ends) = watch::channel(false);
        let serving = serve(listener, server.clone(), async move {
            let _ = ends.wait_for(|ended| *ended).await;
        });
        self.tasks.spawn(async move {
            serving.await;
            at
        });
        self.servers.push(server);
        self.ends.push((at, end));
        Ok(at)
    }

    fn requests(&self) -> u64 {
        let ordinary = |server: &Server| {
            let counters = server.counters();
            counters.get(Counter::Requests) - counters.get(Counter::Attacks)
        };
        self.servers.iter().map(ordinary).sum()
    }

    /// Takes an application from its pod's address to one that only its Palisade knows.
    async fn move_away(&mut self, from: SocketAddr) -> Result<SocketAddr> {
        for (_, end) in self.ends.iter().filter(|(at, _)| *at == from) {
            let _ = end.send(true);
        }
        while let Some(ended) = self.tasks.join_next().await {
            if ended? == from {
                break;
            }
        }
        self.start(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
    }
}
