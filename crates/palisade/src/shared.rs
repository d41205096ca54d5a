//! What this process has in common with others, by way of a Redis: its lists, the counts of its rate limits, the modes that
//! are set while it runs, the persistent collections of its rules.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_config::{Config, Redis, RedisPlace};
use palisade_console::Exposition;
use palisade_dataplane::{Plane, SharedCollections};
use palisade_inspect::{CollectionKey, Operation, StoredVariable, UnixMillis};
use palisade_shared::{
    Client, Collections, Connect, Counts, Known, Opened, Outbox, Rates, Settings, Stream, Taken,
};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::automatic::Spared;
use crate::lists::{CommonLists, ListStore, now};
use crate::modes::Modes;
use crate::tls::towards;

/// The way to others, before anything is told.
pub(crate) struct Shared {
    client: Arc<Client>,
    collections: Arc<Collections>,
    outbox: Arc<Outbox>,
}

impl Shared {
    /// What a configuration says; `None` where this process is alone.
    ///
    /// # Errors
    /// When a password or a certificate cannot be read.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>> {
        let Some(redis) = &config.shared_state.redis else { return Ok(None) };
        let connect = Connecting { redis: (**redis).clone() };
        // What is wrong with it is wrong from the start.
        connect.password().map_err(anyhow::Error::msg).context("sharedState.redis")?;
        if redis.url.is_tls() {
            towards(redis.tls.as_deref()).context("sharedState.redis.tls")?;
        }
        let settings = Settings {
            place: redis.url.as_str().to_owned(),
            prefix: redis.prefix.as_str().to_owned(),
            database: redis.url.database(),
            timeout: redis.timeout.duration(),
            lookup: redis.lookup.duration(),
            fresh: redis.fresh.duration(),
        };
        let random = || RandomState::new().hash_one(0);
        let name = format!("{:016x}{:016x}", random(), random());
        let client = Client::new(settings, Box::new(connect), name, |text| say!("palisade: {text}"));
        let collections = Collections::new(client.clone());
        Ok(Some(Self { client, collections, outbox: Arc::default() }))
    }

    /// Where lists note what changed.
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// What is connected.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Persistent collections, as the data plane has them.
    pub(crate) fn collections(&self) -> Arc<dyn SharedCollections> {
        Arc::new(Common(self.collections.clone()))
    }

    /// Begins to tell and to hear, on a thread of its own: a list that comes whole holds up no request.
    ///
    /// # Errors
    /// When there is no thread.
    pub(crate) fn start(
        self,
        lists: &Arc<ListStore>,
        plane: &Arc<Plane>,
        spared: &Arc<Spared>,
        modes: Arc<Modes>,
        folder: &Path,
    ) -> Result<Arc<CommonLists>> {
        let common = Arc::new(CommonLists::new(lists.clone(), spared.clone(), folder));
        plane.rates().share();
        let rates = Arc::new(CommonRates(plane.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the thread of shared state")?;
        let (to, Self { client, collections, outbox }) = (common.clone(), self);
        std::thread::Builder::new()
            .name("shared-state".into())
            .spawn(move || {
                runtime.block_on(palisade_shared::run(client, to, outbox, rates, modes, collections))
            })
            .context("cannot start the thread of shared state")?;
        Ok(common)
    }
}

/// Connects as a configuration says.
struct Connecting {
    redis: Redis,
}

impl Connecting {
    fn password(&self) -> Result<Option<String>, String> {
        let Redis { password_file, password_env, .. } = &self.redis;
        if let Some(path) = password_file {
            let text = std::fs::read_to_string(path.as_str())
                .map_err(|error| format!("the password cannot be read from {path}: {error}"))?;
            return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let Some(name) = password_env else { return Ok(None) };
        let text = std::env::var(name.as_str());
        text.map(Some).map_err(|_| format!("the variable {} with the password is not set", name.as_str()))
    }

    async fn connect(&self) -> Result<Opened, String> {
        let stream: Box<dyn Stream> = match self.redis.url.place() {
            RedisPlace::Socket(path) => {
                Box::new(UnixStream::connect(path).await.map_err(|error| error.to_string())?)
            }
            RedisPlace::Host { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(|error| error.to_string())?;
                // What is small is answered soon.
                let _ = stream.set_nodelay(true);
                match tls {
                    false => Box::new(stream),
                    true => {
                        let tls = towards(self.redis.tls.as_deref()).map_err(|error| format!("{error:#}"))?;
                        Box::new(tls.connect(host, stream).await.map_err(|error| error.to_string())?)
                    }
                }
            }
        };
        let username = self.redis.username.as_ref().map(|name| name.as_str().to_owned());
        Ok(Opened { stream, username, password: self.password()? })
    }
}

impl Connect for Connecting {
    fn open(&self) -> Pin<Box<dyn Future<Output = Result<Opened, String>> + Send + '_>> {
        Box::pin(self.connect())
    }
}

/// Persistent collections that others have as well.
struct Common(Arc<Collections>);

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SharedCollections for Common {
    fn load(
        &self,
        key: CollectionKey,
        now: UnixMillis,
    ) -> Pin<Box<dyn Future<Output = Vec<StoredVariable>> + Send + '_>> {
        Box::pin(self.0.load(key, now))
    }

    fn commit(&self, operations: Vec<Operation>) {
        self.0.commit(operations);
    }
}

/// Rate limits that others count as well.
struct CommonRates(Arc<Plane>);

impl Rates for CommonRates {
    fn taken(&self, most: usize) -> Vec<Taken> {
        let taken = self.0.rates().taken(most).into_iter();
        taken.map(|(key, rate, count)| Taken { key, rate, count }).collect()
    }

    fn known(&self, known: Vec<Known>) {
        let known: Vec<_> = known.into_iter().map(|known| (known.key, known.together)).collect();
        self.0.rates().adopt(&known, now());
    }

    fn tell(&self, tell: bool) {
        self.0.rates().tell(tell);
    }

    fn wake(&self) -> Arc<Notify> {
        self.0.rates().wake()
    }
}

/// Shows what is counted about shared state.
pub(crate) fn metrics(counts: &Counts, into: &mut Exposition) {
    let help = "1 while the Redis is there that other processes share with this one.";
    into.gauge("palisade_shared_up", help, &[], if counts.up() { 1.0 } else { 0.0 });
    let ((sent, taken), (committed, dropped)) = (counts.lists(), counts.operations());
    for (name, help, value) in [
        ("palisade_shared_losses_total", "Times that the shared Redis went away.", counts.losses()),
        ("palisade_shared_list_changes_sent_total", "Changes of lists that others were told of.", sent),
        (
            "palisade_shared_list_changes_taken_total",
            "Changes of lists that were heard of from others.",
            taken,
        ),
        (
            "palisade_shared_rate_requests_total",
            "Requests that count towards others' rate limits.",
            counts.takes(),
        ),
        (
            "palisade_shared_operations_total",
            "Operations on persistent collections that others were told of.",
            committed,
        ),
        (
            "palisade_shared_operations_dropped_total",
            "Operations on persistent collections that others are not told of, for want of room or because they are too large.",
            dropped,
        ),
        (
            "palisade_shared_lookups_late_total",
            "Persistent collections that were not there in time, so that what this process knew was used.",
            counts.late(),
        ),
        (
            "palisade_shared_unreadable_total",
            "Values in the shared Redis that are none of ours and were passed over.",
            counts.unreadable(),
        ),
    ] {
        into.counter(name, help, &[], value);
    }
}
