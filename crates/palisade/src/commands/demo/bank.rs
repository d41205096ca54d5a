//! YAO Bank behind Palisade: its services, one listener of Palisade before each, one behind those that call others, and
//! the tutorial's policies.
//!
//! ```text
//!            plain            mTLS                     mTLS
//! visitors ───────> customer ······ out ──────> summary ··· out ──────> database
//!                   127.28.N.11                 127.28.N.12             127.28.N.13
//! ```
//! All of it is one process of Palisade, so that one console shows it: each listener stands at the address of its pod, calls
//! leave from there with the pod's certificate, and policies see certificate, address and request as in a cluster.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, anyhow};
use palisade_sim::bank::{Customer, Database, Reach, Summary};
use palisade_sim::echo::Echo;
use palisade_sim::identity::{Authority, Identity};
use palisade_sim::microsim::Attack;
use palisade_sim::{Answer, Call, Client, Ends, Method, Request, Service, Url, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::folder::Folder;
use super::instance::Instance;
use super::pods::{Pods, free};

/// The objects of the tutorial: service accounts, and pods with their addresses.
const OBJECTS: &str = include_str!("../../../../../testdata/policy/yaobank/objects.yaml");
/// Its three policies.
const POLICIES: &str = include_str!("../../../../../testdata/policy/yaobank/policies.yaml");

/// How the bank is to be.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Where customers come to.
    pub(super) listen: SocketAddr,
    /// The admin listener.
    pub(super) admin: SocketAddr,
    /// CRS beside the detector.
    pub(super) crs: Option<PathBuf>,
    /// What the profile says beside its mode, and the file beside its profile: for walks that need more than the bank.
    pub(super) more: More,
    /// `block`, `monitoring`.
    pub(super) mode: &'static str,
    /// Whether the tutorial's policies are there from the start.
    pub(super) policies: bool,
}

/// More of the configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct More {
    /// Of the profile, such as `, rules: {files: [ruleset]}`.
    pub(super) profile: String,
    /// Of `logs`, such as `, dikastes: true`.
    pub(super) logs: String,
    /// Of the file, such as `events: {...}`.
    pub(super) sections: String,
    /// Files that it names, beside the file.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

impl Plan {
    /// The bank as it is shown: everything protects, by the detector.
    pub(super) fn new(listen: SocketAddr, admin: SocketAddr) -> Self {
        Self { listen, admin, crs: None, more: More::default(), mode: "block", policies: true }
    }
}

/// Any free port of loopback.
pub(super) fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// The bank at work.
pub(super) struct Bank {
    pub(super) folder: Folder,
    pub(super) pods: Pods,
    pub(super) palisade: Instance,
    pub(super) authority: Authority,
    /// Where customers come to.
    pub(super) customer: SocketAddr,
    /// The admin listener.
    pub(super) admin: SocketAddr,
    /// Palisade before the database.
    pub(super) database: SocketAddr,
    /// Palisade before summary.
    summary: SocketAddr,
    /// What the database holds.
    pub(super) accounts: Database,
    /// Where the customer's own calls go.
    pub(super) customer_out: SocketAddr,
    /// The customer without protection.
    pub(super) bare_customer: SocketAddr,
    /// Attacks that reached the customer or the echo.
    pub(super) attacks_seen: Arc<AtomicU64>,
    stolen: Identity,
    end: watch::Sender<bool>,
    services: JoinSet<()>,
}

impl Bank {
    /// Starts all of it; customers are served when this returns.
    pub(super) async fn open(plan: &Plan) -> Result<Self> {
        let (folder, pods) = (Folder::new()?, Pods::take().await?);
        let authority = Authority::new("YAO Bank, for a demonstration")?;
        let mut stolen = None;
        folder.write("ca.crt", authority.certificate())?;
        for account in ["customer", "summary", "database"] {
            let identity =
                authority.workload("yaobank", account, &[account, &pods.of(account).to_string()])?;
            folder.write(&format!("{account}.crt"), &identity.certificate)?;
            folder.write(&format!("{account}.key"), &identity.key)?;
            if account == "summary" {
                stolen = Some(identity);
            }
        }
        folder.write("policies/objects.yaml", pods.in_objects(OBJECTS))?;
        if plan.policies {
            folder.write("policies/policies.yaml", POLICIES)?;
        }

        for (name, content) in &plan.more.files {
            folder.write(name, content)?;
        }

        let (end, ends) = watch::channel(false);
        let mut services = JoinSet::new();
        let attacks_seen = Arc::<AtomicU64>::default();
        let (to_summary, to_database, accounts) = (Reach::default(), Reach::default(), Database::default());
        let customer =
            Watched { service: Customer { reach: to_summary.clone() }, seen: attacks_seen.clone() };
        let echo = Watched { service: Echo, seen: attacks_seen.clone() };
        let apps = Apps {
            customer: put(&mut services, &ends, customer).await?,
            summary: put(&mut services, &ends, Summary { reach: to_database.clone() }).await?,
            database: put(&mut services, &ends, accounts.clone()).await?,
            echo: put(&mut services, &ends, echo).await?,
        };
        let (summary, database) = (pods.free("summary", 8080).await?, pods.free("database", 2379).await?);
        let config = configuration(plan, &pods, &apps, summary, database);
        let config = folder.write("palisade.yaml", config)?;
        let mut palisade = Instance::by_file(&config, &folder.at("palisade.log"))?;
        let customer = palisade.listener("customer").await?;
        let admin = palisade.listener("admin").await?;
        let customer_out = palisade.listener("customer-out").await?;
        let summary_out = palisade.listener("summary-out").await?;
        to_summary.through(customer_out, pods.of("customer"));
        to_database.through(summary_out, pods.of("summary"));
        Ok(Self {
            folder,
            pods,
            palisade,
            authority,
            customer,
            admin,
            database,
            summary,
            accounts,
            customer_out,
            bare_customer: apps.customer,
            attacks_seen,
            stolen: stolen.context("summary has no certificate")?,
            end,
            services,
        })
    }

    /// Puts the tutorial's policies in force, or takes them away. They are so within a second or two.
    pub(super) fn set_policies(&self, on: bool) -> Result<()> {
        match on {
            true => self.folder.write("policies/policies.yaml", POLICIES).map(|_| ()),
            false => Ok(std::fs::remove_file(self.folder.at("policies/policies.yaml"))?),
        }
    }

    /// Where a person asks the bank: by name, since a numeric host is a finding of CRS's.
    pub(super) fn url(&self) -> String {
        by_name(self.customer)
    }

    /// A pod with summary's key in its hands, at an address that is not summary's.
    pub(super) fn attack_pod(&self) -> Result<Client> {
        self.with_summarys_key(Client::default().from(self.pods.of("attack")))
    }

    /// A client that shows summary's certificate.
    pub(super) fn with_summarys_key(&self, client: Client) -> Result<Client> {
        client.believing(self.authority.certificate(), Some(&self.stolen)).map_err(|error| anyhow!(error))
    }

    /// The attack pod's PUT of another balance: its status, or none where the connection was closed.
    pub(super) async fn steal(&self, balance: &str) -> Result<Option<u16>> {
        let url = format!("https://{}{BALANCE}", self.database);
        let form = "application/x-www-form-urlencoded";
        let put = Call::with_body(Method::PUT, Url::parse(&url)?, form, format!("value={balance}"));
        Ok(self.attack_pod()?.ask(put).await.ok().map(|reply| reply.status))
    }

    /// The attack pod's GET from summary, whose listener is not probed.
    pub(super) async fn pry(&self) -> Result<Option<u16>> {
        let url = format!("https://{}/519940", self.summary);
        Ok(self.attack_pod()?.ask(Call::get(Url::parse(&url)?)).await.ok().map(|reply| reply.status))
    }

    /// A request for all accounts from the customer's pod, by the way that its calls take.
    pub(super) async fn look(&self, method: Method) -> Result<palisade_sim::Reply> {
        let url = Url::parse("http://database:2379/v2/keys?recursive=true")?;
        let call = Call { method, through: Some(self.customer_out), ..Call::get(url) };
        Ok(Client::default().from(self.pods.of("customer")).ask(call).await?)
    }

    /// What is on the account that customers see.
    pub(super) fn balance(&self) -> String {
        self.accounts.value("/accounts/519940/balance").unwrap_or_default()
    }

    /// Ends all of it and takes its folder away.
    pub(super) async fn close(mut self) -> Result<()> {
        let ended = self.palisade.end().await;
        let _ = self.end.send(true);
        while self.services.join_next().await.is_some() {}
        ended
    }
}

/// The key that is attacked.
const BALANCE: &str = "/v2/keys/accounts/519940/balance";

/// A URL by name where the address has the usual one.
pub(super) fn by_name(address: SocketAddr) -> String {
    match address.ip() == std::net::Ipv4Addr::LOCALHOST {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}

/// Where the services are.
struct Apps {
    customer: SocketAddr,
    summary: SocketAddr,
    database: SocketAddr,
    echo: SocketAddr,
}

/// Puts a service on a free port of loopback, as a container beside a sidecar has one.
pub(super) async fn put(
    services: &mut JoinSet<()>,
    ends: &watch::Receiver<bool>,
    service: impl Service,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind(free(([127, 0, 0, 1], 0).into()).await?).await?;
    let address = listener.local_addr()?;
    let mut ends = ends.clone();
    services.spawn(serve(listener, service, async move {
        let _ = ends.wait_for(|ended| *ended).await;
    }));
    Ok(address)
}

/// A service that counts the attacks that reach it.
struct Watched<S> {
    service: S,
    seen: Arc<AtomicU64>,
}

impl<S: Service> Service for Watched<S> {
    async fn answer(&self, request: Request, ends: Ends) -> Answer {
        let mut found = Attack::found_in(request.uri().to_string().as_bytes());
        found.extend(Attack::found_in(request.body()));
        if !found.is_empty() {
            self.seen.fetch_add(1, Ordering::Relaxed);
        }
        self.service.answer(request, ends).await
    }
}

/// The file that Palisade is started by; names of files are those of its folder.
fn configuration(plan: &Plan, pods: &Pods, apps: &Apps, summary: SocketAddr, database: SocketAddr) -> String {
    let Plan { listen, admin, mode, .. } = plan;
    let rules = match &plan.crs {
        Some(crs) => format!(", rules: {{crs: {}}}{}", quoted(crs), plan.more.profile),
        None => plan.more.profile.clone(),
    };
    let workload = |name: &str| {
        format!(
            "workload: {{namespace: yaobank, name: {name}-1, serviceAccount: {name}, labels: {{app: {name}, version: v1}}}}"
        )
    };
    let before = |name: &str, app: SocketAddr| {
        format!("- {{name: {name}, upstream: {{url: \"http://{app}\"}}, {}}}\n", workload(name))
    };
    let tls = |name: &str, address: SocketAddr, more: &str| {
        format!(
            "- name: {name}\n  address: {address}\n{more}  tls: {{certificates: [{{cert: {name}.crt, key: {name}.key}}], \
             clientCertificates: {{mode: \"on\", ca: ca.crt}}}}\n"
        )
    };
    let call = |from: &str, to: &str, address: SocketAddr| {
        format!(
            "- name: {from}-to-{to}\n  mode: \"off\"\n  upstream:\n    url: \"https://{address}\"\n    source: {}\n    \
             tls: {{ca: ca.crt, clientCert: {{cert: {from}.crt, key: {from}.key}}, \
             spiffeIds: [\"spiffe://cluster.local/ns/yaobank/sa/{to}\"]}}\n",
            pods.of(from)
        )
    };
    let (at_customer, at_summary) = (pods.of("customer"), pods.of("summary"));
    [
        format!("# YAO Bank behind Palisade, as this demonstration runs it.\nadmin: {{address: {admin}}}\ndataDir: data\n"),
        format!("logs: {{error: error.log, access: access.log{}}}\n", plan.more.logs),
        format!("listeners:\n- {{name: customer, address: {listen}}}\n"),
        tls("summary", summary, ""),
        "# Who is probed owes everybody an answer: who may nothing gets 403. Without, the connection is closed.\n".to_owned(),
        tls("database", database, "  healthPath: /healthz\n"),
        "# A workload's own calls: they leave from its address, with its certificate.\n".to_owned(),
        format!("- {{name: customer-out, address: \"{at_customer}:0\", direction: outbound}}\n"),
        format!("- {{name: summary-out, address: \"{at_summary}:0\", direction: outbound}}\n"),
        "services:\n".to_owned(),
        before("customer", apps.customer),
        before("summary", apps.summary),
        before("database", apps.database),
        before("echo", apps.echo),
        call("customer", "summary", summary),
        call("customer", "database", database),
        call("summary", "database", database),
        "routes:\n- {listener: customer, service: customer}\n- {listener: customer, path: /echo, service: echo}\n".to_owned(),
        "- {listener: summary, service: summary}\n- {listener: database, service: database}\n".to_owned(),
        "- {listener: customer-out, hosts: [summary], service: customer-to-summary}\n".to_owned(),
        "- {listener: customer-out, hosts: [database], service: customer-to-database}\n".to_owned(),
        "- {listener: summary-out, hosts: [database], service: summary-to-database}\n".to_owned(),
        format!("profiles: {{default: {{mode: {mode}{rules}}}}}\npolicies: {{files: [policies]}}\n"),
        plan.more.sections.clone(),
    ]
    .concat()
}

/// A path as a text of YAML.
pub(super) fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}
