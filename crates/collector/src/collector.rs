//! The collector's end: who comes is known, what it sends goes into the store, what is said here goes back.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use palisade_control::link::{Caller, LiveTls, Method, STALL_TIME, Words, serve};
use palisade_events::Bus;
use palisade_events::store::Intake;
use palisade_model::{Mode, Moment};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Status, Streaming};

use crate::about::cut;
use crate::intake::{Desk, Unkept};
use crate::lists::Told;
use crate::messages::{Exceptions, ModeSaid, Modes, Said, Taken, ToCollector, ToPlane, Welcome, Word};
use crate::roster::{Roster, Seat};
use crate::{About, DELIVER_PATH, ListFeed, PlaneShown, TO_COLLECTOR_BYTES_MAX, is_name, read_portion};

/// How long a data plane may take to say who it is.
const HELLO_TIME: Duration = Duration::from_secs(10);
/// How long a stream lasts, give or take a tenth; then the data plane comes again, by the certificates that are good then.
const STREAM_AGE: Duration = Duration::from_secs(3600);

/// Modes that are set at the console for a data plane, by service.
pub type ModesOf = Box<dyn Fn(&str) -> Vec<(String, Mode)> + Send + Sync>;
/// The tokens that data planes may show in the place of a certificate, read when one is shown.
pub type Tokens = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// What a collector works with.
pub struct CollectorOptions {
    /// The store.
    pub intake: Intake,
    /// Who hears of what came, once it is in the store.
    pub bus: Bus,
    /// Entries for data planes; `None` where those have them from elsewhere.
    pub lists: Option<ListFeed>,
    /// Modes for data planes.
    pub modes: ModesOf,
    /// Tells that modes have changed.
    pub modes_changed: watch::Receiver<u64>,
    /// What services are excepted from, for all data planes.
    pub exceptions: watch::Receiver<Arc<Exceptions>>,
    /// Where data planes without certificates may come, their tokens.
    pub tokens: Option<Tokens>,
    /// The time, in milliseconds since 1970.
    pub now: fn() -> u64,
    /// Takes a line for the log.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for CollectorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorOptions").field("lists", &self.lists.is_some()).finish_non_exhaustive()
    }
}

/// Takes what data planes send. A clone is the same.
#[derive(Clone, Debug)]
pub struct Collector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: CollectorOptions,
    desk: Desk,
    roster: Mutex<Roster>,
    ending: watch::Sender<bool>,
    records: AtomicU64,
    refused: AtomicU64,
    turned_away: AtomicU64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectorCounts {
    /// Records that are in the store because they came here.
    pub records: u64,
    /// Records that could not be any.
    pub refused: u64,
    /// Streams of those who may not be called what they said.
    pub turned_away: u64,
    /// Transactions.
    pub transactions: u64,
    /// Transactions that failed. What was in them comes again.
    pub failures: u64,
}

/// Why nothing is collected any more.
#[derive(Debug, thiserror::Error)]
#[error("the collector's stream: {0}")]
pub struct CollectorError(#[from] tonic::transport::Error);

impl Collector {
    /// Starts what writes.
    ///
    /// # Errors
    /// When no thread is to be had.
    pub fn start(options: CollectorOptions) -> std::io::Result<Self> {
        let desk = Desk::start(options.intake.clone(), options.bus.clone(), options.say.clone())?;
        let (ending, _) = watch::channel(false);
        Ok(Self(Arc::new(Shared {
            options,
            desk,
            roster: Mutex::default(),
            ending,
            records: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        })))
    }

    /// All data planes that have been here, by name. Those that went away first are forgotten beyond 4096.
    pub fn planes(&self) -> Vec<PlaneShown> {
        self.0.roster().shown()
    }

    /// What was counted.
    pub fn counts(&self) -> CollectorCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CollectorCounts {
            records: of(&self.0.records),
            refused: of(&self.0.refused),
            turned_away: of(&self.0.turned_away),
            transactions: of(&self.0.desk.counts.transactions),
            failures: of(&self.0.desk.counts.failures),
        }
    }

    /// Serves until `end`. Every data plane has to show a certificate by an authority of `tls`, for the name that it says it
    /// has, or a token, where there are any.
    ///
    /// # Errors
    /// When the server breaks.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Arc<LiveTls>,
        end: impl Future<Output = ()> + Send,
    ) -> Result<(), CollectorError> {
        let shared = self.0.clone();
        let end = async move {
            end.await;
            shared.ending.send_replace(true);
        };
        Ok(serve(Deliver(self.0.clone()), listener, tls, end).await?)
    }
}

/// The method of the stream.
#[derive(Clone)]
struct Deliver(Arc<Shared>);

impl Method for Deliver {
    const SERVICE: &'static str = "palisade.collector.v1.Collector";
    const PATH: &'static str = DELIVER_PATH;
    const HEARD_BYTES_MAX: usize = TO_COLLECTOR_BYTES_MAX;
    type Heard = ToCollector;
    type Said = ToPlane;

    async fn converse(
        self,
        caller: Caller,
        mut heard: Streaming<ToCollector>,
        words: Words<ToPlane>,
    ) -> Result<(), Status> {
        let shared = &*self.0;
        let hello = match timeout(HELLO_TIME, heard.message()).await {
            Ok(Ok(Some(ToCollector { said: Some(Said::Hello(hello)) }))) => hello,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(status)) => return Err(status),
            Ok(Ok(_)) => return Err(Status::invalid_argument("who is it? A stream begins with hello")),
            Err(_) => return Err(Status::deadline_exceeded("it did not say who it is")),
        };
        let name = hello.name;
        if let Err(status) = shared.may_be(&caller, &name) {
            shared.turned_away.fetch_add(1, Ordering::Relaxed);
            return Err(status);
        }
        let spool = hello.spool.as_ref().try_into().map(u128::from_be_bytes);
        let spool = spool.map_err(|_| Status::invalid_argument("a spool has 16 bytes"))?;
        let stream = format!("{name}/{spool:032x}");
        let reached = shared.reached(&stream).await?;
        let mut version = hello.version;
        cut(&mut version);
        let seat = shared.roster().arrive(&name, spool, version, caller.peer.address, SystemTime::now());
        let seat = seat.ok_or_else(|| Status::resource_exhausted("there are too many data planes here"))?;
        let mut conversation = Conversation { shared, name: &name, stream: &stream, reached, words: &words };
        let ended = tokio::select! {
            ended = conversation.run(&seat, &mut heard) => ended,
            () = seat.replaced.notified() => Err(Status::already_exists("another stream came from this spool")),
            _ = shared.ended() => Err(Status::unavailable("the collector ends")),
        };
        shared.roster().heard(&seat, SystemTime::now(), |shown| shown.connected = None);
        ended
    }
}

impl Shared {
    fn roster(&self) -> MutexGuard<'_, Roster> {
        // What stands there is whole after every statement.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody may be called that. Who shows a certificate is what it says; a token is for those who have none.
    fn may_be(&self, Caller { peer, token }: &Caller, name: &str) -> Result<(), Status> {
        if !is_name(name) {
            return Err(Status::invalid_argument("a name is letters, digits, `-`, `_` and `.`, 253 at most"));
        }
        if peer.certificate.is_some() {
            return match peer.is_called(name) {
                true => Ok(()),
                false => {
                    let why = format!("its certificate is not for the DNS name `{name}`");
                    Err(Status::permission_denied(why))
                }
            };
        }
        let Some(tokens) = &self.options.tokens else {
            return Err(Status::unauthenticated("it showed no certificate"));
        };
        // Digests, so that how long comparing takes tells nothing.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let shown = token.as_deref().map(digest);
        match shown.is_some_and(|shown| tokens().iter().any(|token| digest(token) == shown)) {
            true => Ok(()),
            false => {
                Err(Status::unauthenticated("it showed neither a certificate nor a token of this collector"))
            }
        }
    }

    async fn reached(&self, stream: &str) -> Result<u64, Status> {
        let (intake, stream) = (self.desk.intake.clone(), stream.to_owned());
        let asked = tokio::task::spawn_blocking(move || intake.reached(&stream)).await;
        let asked = asked.map_err(|_| Status::internal("the store cannot be asked"))?;
        asked.map_err(|error| {
            (self.options.say)(&format!("collector: {error}"));
            Status::unavailable("the store cannot be read")
        })
    }

    async fn ended(&self) {
        let mut ending = self.ending.subscribe();
        let _ = ending.wait_for(|ending| *ending).await;
    }
}

/// A portion on its way into the store.
struct Pending {
    answer: oneshot::Receiver<Result<(), Unkept>>,
    number: u64,
    records: u64,
    refused: u64,
    latest: Option<Moment>,
}

struct Conversation<'c> {
    shared: &'c Shared,
    name: &'c str,
    stream: &'c str,
    /// What of the spool is in the store.
    reached: u64,
    words: &'c Words<ToPlane>,
}

impl Conversation<'_> {
    async fn run(&mut self, seat: &Seat, heard: &mut Streaming<ToCollector>) -> Result<(), Status> {
        let options = &self.shared.options;
        let old = Instant::now() + STREAM_AGE.mul_f64(0.9 + 0.2 * fastrand::f64());
        self.say(Word::Welcome(Welcome { reached: self.reached })).await?;
        let mut lists_changed = options.lists.as_ref().map(ListFeed::changes);
        let mut modes_changed = options.modes_changed.clone();
        modes_changed.mark_changed();
        let mut excepted = options.exceptions.clone();
        excepted.mark_changed();
        let mut told = Told::Nothing;
        let mut pending: Option<Pending> = None;
        loop {
            if modes_changed.has_changed().unwrap_or(false) {
                modes_changed.mark_unchanged();
                let modes = (options.modes)(self.name).into_iter();
                let modes = modes.map(|(service, mode)| ModeSaid { service, mode: mode.to_string() });
                self.say(Word::Modes(Modes { modes: modes.collect() })).await?;
            }
            if excepted.has_changed().unwrap_or(false) {
                let all = excepted.borrow_and_update().clone();
                self.say(Word::Exceptions(Exceptions::clone(&all))).await?;
            }
            if let (Some(lists), Some(changed)) = (&options.lists, &mut lists_changed) {
                changed.mark_unchanged();
                if let Some(part) = lists.next(&mut told) {
                    self.say(Word::Lists(part)).await?;
                    // The next part only after what else there is to do.
                    changed.mark_changed();
                }
            }
            tokio::select! {
                // Nothing further is read until what came is in the store: that is what holds a data plane back.
                message = heard.message(), if pending.is_none() => match message? {
                    Some(ToCollector { said: Some(said) }) => pending = self.hear(said, seat).await?,
                    // What a newer data plane says, and we do not know.
                    Some(ToCollector { said: None }) => {}
                    None => return Ok(()),
                },
                answer = answer(&mut pending), if pending.is_some() => {
                    if let Some(taken) = pending.take() {
                        self.taken(taken, answer, seat).await?;
                    }
                }
                changed = changed(&mut lists_changed) => changed?,
                changed = modes_changed.changed() => {
                    changed.map_err(|_| Status::unavailable("the collector ends"))?;
                    modes_changed.mark_changed();
                }
                changed = excepted.changed() => {
                    changed.map_err(|_| Status::unavailable("the collector ends"))?;
                    excepted.mark_changed();
                }
                () = sleep_until(old), if pending.is_none() => return Ok(()),
            }
        }
    }

    async fn hear(&mut self, said: Said, seat: &Seat) -> Result<Option<Pending>, Status> {
        let now = SystemTime::now();
        match said {
            Said::Hello(_) => Err(Status::invalid_argument("it said before who it is")),
            Said::About(about) => {
                let about =
                    About::heard(&about).ok_or_else(|| Status::invalid_argument("that is not how it is"))?;
                self.shared.roster().heard(seat, now, |shown| shown.about = about);
                Ok(None)
            }
            Said::Portion(portion) => {
                let now = Moment((self.shared.options.now)());
                let arrived = read_portion(portion, (self.name, self.stream), self.reached, now)
                    .map_err(|misfit| Status::failed_precondition(misfit.to_string()))?;
                let (number, records) = (arrived.portion.last, arrived.portion.batch.len() as u64);
                let answer = self.shared.desk.write(arrived.portion).await;
                Ok(Some(Pending {
                    answer,
                    number,
                    records,
                    refused: arrived.refused,
                    latest: arrived.latest,
                }))
            }
        }
    }

    async fn taken(
        &mut self,
        pending: Pending,
        answer: Result<(), Unkept>,
        seat: &Seat,
    ) -> Result<(), Status> {
        let Pending { number, records, refused, latest, .. } = pending;
        if answer.is_err() {
            return Err(Status::unavailable("the store could not be written: send it again later"));
        }
        self.reached = number;
        self.shared.records.fetch_add(records, Ordering::Relaxed);
        self.shared.refused.fetch_add(refused, Ordering::Relaxed);
        self.shared.roster().heard(seat, SystemTime::now(), |shown| {
            shown.records += records;
            shown.refused += refused;
            shown.latest = shown.latest.max(latest);
        });
        self.say(Word::Taken(Taken { number, refused })).await
    }

    async fn say(&self, word: Word) -> Result<(), Status> {
        let sent = timeout(STALL_TIME, self.words.send(Ok(word.into()))).await;
        let sent = sent.map_err(|_| Status::deadline_exceeded("it takes nothing of what it is told"))?;
        sent.map_err(|_| Status::cancelled("it has gone"))
    }
}

/// What became of a portion; never, where there is none.
async fn answer(pending: &mut Option<Pending>) -> Result<(), Unkept> {
    match pending {
        Some(pending) => (&mut pending.answer).await.unwrap_or(Err(Unkept)),
        None => std::future::pending().await,
    }
}

/// A change of lists; never, where nobody is told of them.
async fn changed(lists: &mut Option<watch::Receiver<u64>>) -> Result<(), Status> {
    match lists {
        Some(lists) => {
            lists.changed().await.map_err(|_| Status::unavailable("the collector ends"))?;
            lists.mark_changed();
            Ok(())
        }
        None => std::future::pending().await,
    }
}
