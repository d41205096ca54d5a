//! The admin listener of this program: what it shows of the process, and the thread it runs on.
//!
//! A thread and a small runtime of its own: busy workers do not make a probe late, and a scrape does not hold up a
//! request. It is there before the rules are read, so that a start-up probe has somebody to ask.

mod process;
mod usage;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};
use palisade_config::{Address, AdminAddress, Config};
use palisade_console::{Admin, BindError, Bound, Keys, SignOn, Subject, TokenFile, UsersFile};
use tokio::sync::oneshot;

use crate::sign_on::Provider;

pub(crate) use process::{InForce, Process, outlets_metrics};
pub(crate) use usage::Usage;

/// Where the admin listener is when nobody says.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// The admin listener at work. It ends when this value goes.
#[derive(Debug, Default)]
pub(crate) struct AdminListener {
    addresses: Vec<(SocketAddr, &'static str)>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AdminListener {
    /// Takes its addresses and begins to answer.
    ///
    /// An address that somebody named and that cannot be had is an error. The default is nobody's wish: where it is
    /// taken, traffic is protected without an admin listener, and that is said.
    pub(crate) fn start(config: &Config, subject: Arc<dyn Subject>) -> Result<Self> {
        let token = config.admin.token_file.as_ref().map(|path| read_token(path.as_str())).transpose()?;
        let users = config.admin.users_file.as_ref().map(|path| read_users(path.as_str())).transpose()?;
        let provider =
            config.admin.oidc.as_ref().map(|oidc| Provider::of(oidc).context("admin.oidc")).transpose()?;
        let sign_on = provider.map(|provider| Arc::new(provider) as Arc<dyn SignOn>);
        let keys = Keys { token, users, sign_on };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the admin listener's thread")?;
        let bind = |admin: Admin| runtime.block_on(admin.bind());
        let mut bound: Vec<(Bound, &'static str)> = Vec::new();
        match config.admin.address {
            Some(AdminAddress::Off) => {}
            Some(AdminAddress::At(Address(address))) => {
                let admin = Admin::new(address, keys).and_then(bind);
                bound.push((admin.map_err(|error| cannot_listen("--admin", address, error))?, "admin"));
            }
            None if default_is_traffics(config) => {
                say!("palisade: no admin listener: {DEFAULT} is meant for traffic; {ANOTHER}");
            }
            None => match Admin::new(DEFAULT, keys).and_then(bind) {
                Ok(admin) => bound.push((admin, "admin")),
                Err(BindError::Io { source, .. }) => {
                    say!("palisade: no admin listener: cannot listen on {DEFAULT}: {source}; {ANOTHER}");
                }
                Err(error) => return Err(error.into()),
            },
        }
        if let Some(Address(address)) = config.admin.probes {
            let probes = bind(Admin::probes(address));
            bound.push((probes.map_err(|error| cannot_listen("admin.probes", address, error))?, "probes"));
        }
        if bound.is_empty() {
            return Ok(Self::default());
        }
        let addresses = bound.iter().map(|(bound, name)| (bound.address(), *name)).collect();
        let (end, ends) = oneshot::channel();
        let serve = move || runtime.block_on(serve(bound, subject, ends));
        let thread = std::thread::Builder::new().name("admin".into()).spawn(serve);
        let thread = thread.context("cannot start the admin listener's thread")?;
        Ok(Self { addresses, end: Some(end), thread: Some(thread) })
    }

    /// Says on standard error where it is. After the listeners of traffic: who reads one line reads theirs.
    pub(crate) fn say(&self) {
        for (address, name) in &self.addresses {
            say!("listening on http://{address} ({name})");
        }
    }
}

impl Drop for AdminListener {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves every address until the sender is gone.
async fn serve(bound: Vec<(Bound, &'static str)>, subject: Arc<dyn Subject>, ends: oneshot::Receiver<()>) {
    let (all_end, _) = tokio::sync::watch::channel(false);
    let mut addresses = tokio::task::JoinSet::new();
    for (bound, _) in bound {
        let mut ends = all_end.subscribe();
        addresses.spawn(bound.serve(subject.clone(), async move {
            let _ = ends.wait_for(|ended| *ended).await;
        }));
    }
    let _ = ends.await;
    all_end.send_replace(true);
    while addresses.join_next().await.is_some() {}
}

const ANOTHER: &str = "name another address by --admin, or say --admin off";

fn cannot_listen(key: &str, address: SocketAddr, error: BindError) -> anyhow::Error {
    match error {
        BindError::NeedsToken { .. } => anyhow!(
            "{key} {address}: {error}; name a file that holds one by --admin-token-file, or listen on 127.0.0.1:{}",
            address.port()
        ),
        BindError::Io { source, .. } => {
            let free = SocketAddr::new(address.ip(), 0);
            anyhow::Error::from(source).context(format!(
                "{key} {address}: cannot listen there; name another address, or {free} for any free port"
            ))
        }
    }
}

fn read_token(path: &str) -> Result<TokenFile> {
    TokenFile::open(path).with_context(|| format!("--admin-token-file `{path}`"))
}

fn read_users(path: &str) -> Result<UsersFile> {
    UsersFile::open(path).with_context(|| format!("admin.usersFile `{path}`"))
}

/// Whether traffic comes to our default address or leaves for it. A service that is not up yet would find us there.
fn default_is_traffics(config: &Config) -> bool {
    let listens = config.listeners.iter().any(|listener| listener.address.0.port() == DEFAULT.port());
    let forwards = config.services.iter().any(|service| {
        let urls = service.upstream.iter().flat_map(|upstream| upstream.url.iter());
        let mut upstreams = urls.filter_map(|url| url.address());
        upstreams.any(|to| to.port() == DEFAULT.port() && to.ip().is_loopback())
    });
    listens || forwards
}
