//! The data plane's end: its spool emptied into the collector, what it is told done.
//!
//! [`Uplink`] is what the spool's thread delivers by, and waits; the stream is a task of its own that goes on while nothing is
//! to be delivered, and hears what the collector says.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use palisade_control::link::{LiveTls, Pause, Target, call, dial};
use palisade_events::sinks::{Delivered, Document, Segment, Transport};
use palisade_lists::Record;
use palisade_model::{Mode, Moment};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Status, Streaming};

use crate::messages::{Exceptions, Hello, PortionSaid, RecordSaid, Said, ToCollector, ToPlane, Word};
use crate::portion::number_of;
use crate::{About, DELIVER_PATH, RECORD_BYTES_MAX, TO_PLANE_BYTES_MAX};

/// What is said and not sent yet.
const SAID_WAITING_MAX: usize = 2;
/// How long a portion may be on its way. A collector whose disk is slow holds it back.
const PORTION_TIME: Duration = Duration::from_secs(120);
/// How often it says how it is, where that changes.
const ABOUT_EVERY: Duration = Duration::from_secs(2);
/// Entries of one message that are believed.
const LISTS_TOGETHER_MAX: usize = 10_000;

/// Who does what the console says.
pub trait Obeys: Send + Sync {
    /// Entries stand so. `begins` and `ends` are around all that there are: one of the console's that is not among them is no
    /// longer there.
    fn lists(&self, records: Vec<Record>, begins: bool, ends: bool);

    /// These modes are set at the console, and no others.
    fn modes(&self, modes: Vec<(String, Mode)>);

    /// Services are excepted from this at the console, and from nothing else. Called on the stream's own task: it does not wait.
    fn exceptions(&self, exceptions: Exceptions);
}

/// Whom to send to, and as whom.
pub struct UplinkOptions {
    /// Where the collector is.
    pub target: Target,
    /// Our certificate, where we have one, and whom we believe.
    pub tls: Arc<LiveTls>,
    /// What we are called. Our certificate has to be for this DNS name.
    pub name: String,
    /// Of this program.
    pub version: String,
    /// What is shown in the place of a certificate, read for each connection.
    pub token: Option<Box<dyn Fn() -> Result<String, String> + Send + Sync>>,
    /// How we are.
    pub about: Box<dyn Fn() -> About + Send + Sync>,
    /// The time, in milliseconds since 1970.
    pub now: fn() -> u64,
    /// Takes a line for the log.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
    /// Who does what the console says.
    pub obeys: Box<dyn Obeys>,
}

impl fmt::Debug for UplinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UplinkOptions")
            .field("target", &self.target)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How the stream is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UplinkState {
    /// What of the spool is in the store; `None` while the collector is not there.
    pub reached: Option<u64>,
    /// Why it is not there.
    pub error: Option<String>,
}

/// Delivers a spool. Blocks the spool's thread until the collector has what it is given.
#[derive(Debug)]
pub struct Uplink {
    errands: mpsc::Sender<Errand>,
    state: watch::Receiver<UplinkState>,
}

/// The stream, to be run on a thread of its own once it is known which spool is sent.
#[derive(Debug)]
pub struct Following {
    options: UplinkOptions,
    errands: mpsc::Receiver<Errand>,
    state: watch::Sender<UplinkState>,
}

#[derive(Debug)]
struct Errand {
    portion: PortionSaid,
    /// Gets how many are refused. Goes without a word where the stream does.
    done: blocking::SyncSender<Result<u64, Moved>>,
}

/// The collector has another part of the spool than the portion says.
#[derive(Clone, Copy, Debug)]
struct Moved;

/// Both ends of the way from a spool to the stream.
pub fn uplink(options: UplinkOptions) -> (Uplink, Following) {
    let (errands, waiting) = mpsc::channel(1);
    let (state, shown) = watch::channel(UplinkState::default());
    (Uplink { errands, state: shown }, Following { options, errands: waiting, state })
}

impl Uplink {
    /// How the stream is.
    pub fn state(&self) -> watch::Receiver<UplinkState> {
        self.state.clone()
    }
}

impl Transport for Uplink {
    /// Nothing goes that has no place in a spool: it could come twice.
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        Delivered::none_of(documents.len(), "it lies in no spool")
    }

    fn deliver_segment(&mut self, segment: &Segment) -> Delivered {
        let all = segment.documents.len();
        let Some(place) = segment.place else { return self.deliver(&segment.documents) };
        loop {
            // That the collector is away is said by the stream, once.
            let away = Delivered { again: (0..all).collect(), ..Delivered::default() };
            let Some(after) = self.state.borrow().reached else { return away };
            if place.number <= after {
                return Delivered::default();
            }
            let documents = segment.beyond(after);
            let fits = |document: &&Document| document.json.len() <= RECORD_BYTES_MAX;
            let records: Vec<RecordSaid> = documents.iter().filter(fits).map(said).collect();
            let unsent = (documents.len() - records.len()) as u64;
            let portion = PortionSaid { after, number: place.number, records };
            let (done, answer) = blocking::sync_channel(1);
            if self.errands.blocking_send(Errand { portion, done }).is_err() {
                return away;
            }
            return match answer.recv_timeout(PORTION_TIME) {
                Ok(Ok(refused)) => {
                    let refused = refused + unsent;
                    let problem = (refused > 0).then(|| "the collector cannot take them".to_owned());
                    Delivered { refused, problem, ..Delivered::default() }
                }
                // Meanwhile the collector said that it has another part of it.
                Ok(Err(Moved)) => continue,
                Err(blocking::RecvTimeoutError::Disconnected) => away,
                Err(blocking::RecvTimeoutError::Timeout) => {
                    Delivered::none_of(all, "no answer of the collector in 120 s")
                }
            };
        }
    }
}

fn said(document: &Document) -> RecordSaid {
    RecordSaid {
        kind: number_of(document.kind),
        id: document.id.to_be_bytes().to_vec().into(),
        json: document.json.clone().into(),
    }
}

/// The spool has ended.
struct Ended;

impl Following {
    /// Sends what a spool has, until that ends.
    pub async fn run(mut self, spool: u128) {
        let mut pause = Pause::new();
        let mut said = None;
        loop {
            let mut welcome = false;
            let why = match self.stream(spool, &mut welcome).await {
                Ok(Ended) => return,
                Err(why) => why,
            };
            if welcome {
                pause.reset();
            }
            // A collector that is away for an hour is one line in the log.
            if said.as_ref() != Some(&why) || welcome {
                let Self { options: UplinkOptions { target, say, .. }, .. } = &self;
                say(&format!("collector: {target}: {why}; events wait on the disk"));
                said = Some(why.clone());
            }
            self.state.send_replace(UplinkState { reached: None, error: Some(why.clone()) });
            let mut rest = std::pin::pin!(sleep(pause.after_failure(fastrand::f64())));
            loop {
                tokio::select! {
                    () = &mut rest => break,
                    errand = self.errands.recv() => if errand.is_none() { return },
                }
            }
        }
    }

    /// One stream, to its end: why it ended.
    async fn stream(&mut self, spool: u128, welcome: &mut bool) -> Result<Ended, String> {
        let opening = open(&self.options);
        let mut opening = std::pin::pin!(opening);
        let (say, mut words) = loop {
            tokio::select! {
                opened = &mut opening => break opened?,
                errand = self.errands.recv() => if errand.is_none() { return Ok(Ended) },
            }
        };
        let UplinkOptions { name, version, .. } = &self.options;
        let spool = spool.to_be_bytes().to_vec().into();
        let hello = Hello { name: name.clone(), version: version.clone(), spool };
        send(&say, Said::Hello(hello)).await?;
        let mut reached = None;
        let mut pending: Option<(Errand, u64)> = None;
        let mut about = String::new();
        let mut about_at = Instant::now();
        loop {
            tokio::select! {
                word = words.message() => {
                    let word = word.map_err(|status| words_of(&status))?.ok_or("the collector ended the stream")?;
                    match word.word {
                        Some(Word::Welcome(told)) => {
                            *welcome = true;
                            reached = Some(told.reached);
                            (self.options.say)(&format!("collector: {} is there", self.options.target));
                            self.state.send_replace(UplinkState { reached, error: None });
                        }
                        Some(Word::Taken(taken)) => {
                            reached = Some(taken.number);
                            self.state.send_replace(UplinkState { reached, error: None });
                            if let Some((errand, number)) = pending.take() {
                                let answer = if number == taken.number { Ok(taken.refused) } else { Err(Moved) };
                                let _ = errand.done.send(answer);
                            }
                        }
                        Some(Word::Lists(lists)) => {
                            let now = Moment((self.options.now)());
                            let records = lists.records.iter().take(LISTS_TOGETHER_MAX);
                            let records = records.filter_map(|said| Record::decode(&said.id, &said.record, now));
                            self.options.obeys.lists(records.collect(), lists.begins, lists.ends);
                        }
                        Some(Word::Modes(modes)) => {
                            let modes = modes.modes.into_iter();
                            let modes = modes.filter_map(|said| Some((said.service, said.mode.parse().ok()?)));
                            self.options.obeys.modes(modes.collect());
                        }
                        Some(Word::Exceptions(exceptions)) => self.options.obeys.exceptions(exceptions),
                        // A word that a newer collector knows, and we do not, is none.
                        None => {}
                    }
                }
                errand = self.errands.recv(), if pending.is_none() && reached.is_some() => {
                    let Some(mut errand) = errand else { return Ok(Ended) };
                    if Some(errand.portion.after) != reached {
                        let _ = errand.done.send(Err(Moved));
                        continue;
                    }
                    let portion = std::mem::take(&mut errand.portion);
                    let number = portion.number;
                    pending = Some((errand, number));
                    send(&say, Said::Portion(portion)).await?;
                }
                () = sleep_until(about_at), if reached.is_some() => {
                    about_at = Instant::now() + ABOUT_EVERY;
                    let now = (self.options.about)().said();
                    if now != about {
                        about.clone_from(&now);
                        send(&say, Said::About(now)).await?;
                    }
                }
            }
        }
    }
}

async fn open(options: &UplinkOptions) -> Result<(mpsc::Sender<ToCollector>, Streaming<ToPlane>), String> {
    let token = options.token.as_ref().map(|token| token()).transpose()?;
    let channel = dial(&options.target, options.tls.clone()).await.map_err(|error| error.to_string())?;
    let limits = (TO_PLANE_BYTES_MAX, SAID_WAITING_MAX);
    call(channel, DELIVER_PATH, token.as_deref(), limits).await.map_err(|status| words_of(&status))
}

async fn send(say: &mpsc::Sender<ToCollector>, said: Said) -> Result<(), String> {
    say.send(said.into()).await.map_err(|_| "the collector has gone".to_owned())
}

/// On one line, and not longer than one.
fn words_of(status: &Status) -> String {
    let mut text = format!("{}: {}", status.code(), status.message());
    crate::about::cut(&mut text);
    text
}
