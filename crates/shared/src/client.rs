//! The connection to Redis: made, watched, made anew. Whoever uses it waits for it beside requests, never on their way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, ToRedisArgs, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::counts::{Counts, add};
use crate::reply;

/// Bytes to and from a Redis.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens connections. Called for each of them, so that a renewed certificate or password is used.
pub trait Connect: Send + Sync {
    /// Opens one.
    fn open(&self) -> Pin<Box<dyn Future<Output = Result<Opened, String>> + Send + '_>>;
}

/// A connection on which nothing has been said yet.
pub struct Opened {
    /// Where to read and write.
    pub stream: Box<dyn Stream>,
    /// As whom; the default user when `None`.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<String>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How Redis is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is, for messages.
    pub place: String,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// Which of its databases.
    pub database: u32,
    /// After so long without an answer it counts as away.
    pub timeout: Duration,
    /// How long a request waits for a collection at most.
    pub lookup: Duration,
    /// How old what is known of a collection may be without that it is asked for anew.
    pub fresh: Duration,
}

/// The way to a Redis, whether or not it is there.
pub struct Client {
    pub(crate) settings: Settings,
    pub(crate) counts: Arc<Counts>,
    connect: Box<dyn Connect>,
    /// Tells this process from others, and one run of it from the next.
    pub(crate) name: String,
    link: watch::Sender<Option<Link>>,
    /// Why it was lost last.
    why: Mutex<String>,
    numbers: AtomicU64,
    say: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A connection that works, as far as is known.
#[derive(Clone)]
pub(crate) struct Link {
    number: u64,
    connection: MultiplexedConnection,
    timeout: Duration,
    pub(crate) prefix: Arc<str>,
}

/// Why something was not answered.
pub(crate) type Failure = String;

const PAUSE_MIN: Duration = Duration::from_millis(50);
/// So long after Redis is back it is in use again.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A reason that was told is not told again for so long.
const QUIET: Duration = Duration::from_secs(60);

impl Client {
    /// A client. `name` tells this run of this process from all others; `say` takes what people should read.
    pub fn new(
        settings: Settings,
        connect: Box<dyn Connect>,
        name: String,
        say: impl Fn(&str) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            counts: Arc::default(),
            connect,
            name,
            link: watch::Sender::new(None),
            why: Mutex::default(),
            numbers: AtomicU64::new(0),
            say: Box::new(say),
        })
    }

    /// What is counted.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Connects, and connects anew, for ever. In a tokio runtime.
    pub async fn run(self: Arc<Self>) {
        let (mut pause, mut told) = (PAUSE_MIN, None::<(String, Instant)>);
        let mut away = false;
        loop {
            let began = Instant::now();
            match self.greet().await {
                Ok(link) => {
                    self.counts.up.store(true, Relaxed);
                    if std::mem::take(&mut away) {
                        let place = &self.settings.place;
                        (self.say)(&format!(
                            "shared state: {place} is back: what was done meanwhile is told"
                        ));
                    }
                    let mut watched = self.link.subscribe();
                    self.link.send_replace(Some(link));
                    let _ = watched.wait_for(Option::is_none).await;
                    self.counts.up.store(false, Relaxed);
                    add(&self.counts.losses, 1);
                }
                Err(why) => *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why,
            }
            let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let is_new = told.as_ref().is_none_or(|(last, at)| *last != why || at.elapsed() > QUIET);
            if !away && is_new {
                let place = &self.settings.place;
                (self.say)(&format!(
                    "shared state: {place} is away ({why}): lists, rates and collections go on with what is known here"
                ));
                told = Some((why, Instant::now()));
                away = true;
            }
            // One that held for a while may come back at once.
            pause = if began.elapsed() > 10 * PAUSE_MAX { PAUSE_MIN } else { (2 * pause).min(PAUSE_MAX) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn greet(self: &Arc<Self>) -> Result<Link, Failure> {
        let Settings { timeout, database, prefix, .. } = &self.settings;
        let greeting = async {
            let Opened { stream, username, password } = self.connect.open().await?;
            // The older protocol: a server of any age, and any that speaks like one, knows it.
            let mut info = RedisConnectionInfo::default()
                .set_db(i64::from(*database))
                .set_protocol(ProtocolVersion::RESP2)
                .set_skip_set_lib_name();
            if let Some(username) = username {
                info = info.set_username(username);
            }
            if let Some(password) = password {
                info = info.set_password(password);
            }
            // Waiting is bounded here, for each call by itself.
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
            let (connection, driver) = made.map_err(|error| error.to_string())?;
            let link = Link {
                number: self.numbers.fetch_add(1, Relaxed),
                connection,
                timeout: *timeout,
                prefix: prefix.as_str().into(),
            };
            let (client, number) = (self.clone(), link.number);
            tokio::spawn(async move {
                driver.await;
                client.lost(number, "the connection was closed");
            });
            link.hello(&self.name).await?;
            Ok(link)
        };
        // Opening, the handshake and the greeting have their time once.
        match tokio::time::timeout(*timeout, greeting).await {
            Ok(greeted) => greeted,
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// The connection, as soon as there is one.
    pub(crate) async fn link(&self) -> Link {
        let mut watched = self.link.subscribe();
        match watched.wait_for(Option::is_some).await {
            Ok(link) => link.clone().expect("that is what was waited for"),
            // The sender is here.
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether there is one.
    pub(crate) fn is_up(&self) -> bool {
        self.link.borrow().is_some()
    }

    /// Whether this is still the one.
    pub(crate) fn holds(&self, number: u64) -> bool {
        self.link.borrow().as_ref().is_some_and(|link| link.number == number)
    }

    /// Says that a connection is of no use any more.
    pub(crate) fn lost(&self, number: u64, why: &str) {
        self.link.send_if_modified(|link| {
            let is_it = link.as_ref().is_some_and(|link| link.number == number);
            if is_it {
                *link = None;
                why.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
            }
            is_it
        });
    }
}

impl Link {
    /// Which connection this is.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The name of a key.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// The epoch, and how many changes of lists there have been. Where there is no epoch a new one begins: never one that was
    /// there before, or a Redis that forgot would pass for one that knows.
    pub(crate) async fn hello(&self, name: &str) -> Result<(String, u64), Failure> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let proposed = format!("{name}-{:x}", since.as_nanos());
        let keys = ["lists:epoch", "lists:serial", "lists:changes"].map(|name| self.key(name));
        let answer = self.run(include_str!("scripts/hello.lua"), &keys, &[proposed.as_str()]).await?;
        reply::hello(&answer).ok_or_else(|| "its epoch cannot be read".to_owned())
    }

    /// Runs a script. Its text goes along each time: it is short, and a server that forgot it needs no second question.
    pub(crate) async fn run(
        &self,
        script: &str,
        keys: &[impl ToRedisArgs],
        arguments: &[impl ToRedisArgs],
    ) -> Result<Value, Failure> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len());
        keys.iter().for_each(|key| {
            command.arg(key);
        });
        arguments.iter().for_each(|argument| {
            command.arg(argument);
        });
        let mut connection = self.connection.clone();
        match tokio::time::timeout(self.timeout, connection.send_packed_command(&command)).await {
            Ok(Ok(Value::ServerError(error))) => Err(format!("{error:?}")),
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}
