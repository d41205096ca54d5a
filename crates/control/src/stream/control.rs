//! The server: who wants to be told gets what it is to have.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Status, Streaming};

use super::messages::{Hello, Said, ToControl, ToPlane, Welcome, Word, cut, revision_of};
use super::planes::{Introduction, Planes, Seat};
use super::{FOLLOW_PATH, NAME_MAX, PlaneState, Selector, TO_CONTROL_BYTES_MAX, Version, words};
use crate::link::{Caller, LiveTls, Method, Peer, STALL_TIME, Words, serve};
use crate::{Bundle, Revision};

/// How long a data plane may take to say who it is.
const HELLO_TIME: Duration = Duration::from_secs(10);
/// How long it may take to say what it made of a bundle: rule sets of hundreds of services take minutes on a busy machine.
const ANSWER_TIME: Duration = Duration::from_secs(600);
/// How long a stream lasts, give or take a tenth; then the data plane comes again, by the certificates that are good then.
const STREAM_AGE: Duration = Duration::from_secs(3600);

/// Tells data planes what they are to serve, and knows what they serve. A clone is the same.
#[derive(Clone, Debug)]
pub struct Control(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    planes: Mutex<Planes>,
    /// Counts what happened, for whoever waits for something to.
    changes: watch::Sender<u64>,
    ending: watch::Sender<bool>,
}

/// Why nobody is served any more.
#[derive(Debug, thiserror::Error)]
#[error("the control stream's server: {0}")]
pub struct ControlError(#[from] tonic::transport::Error);

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// One that wants nothing yet: data planes that come keep what they have.
    pub fn new() -> Self {
        let (changes, _) = watch::channel(0);
        let (ending, _) = watch::channel(false);
        Self(Arc::new(Shared { planes: Mutex::default(), changes, ending }))
    }

    /// Says what those that are selected are to have from now on. Reads all of the bundle. Whether it is another than before.
    pub fn set(&self, selector: Selector, bundle: Bundle) -> bool {
        let version = Version::of(bundle);
        let news = self.0.planes().set(selector, version);
        self.0.changed();
        news
    }

    /// Takes that back. Those that nothing selects any more keep what they have. Whether something was set.
    pub fn unset(&self, selector: &Selector) -> bool {
        let was = self.0.planes().unset(selector);
        self.0.changed();
        was
    }

    /// All data planes that have been here, by name. Those that went away first are forgotten beyond 8192.
    pub fn planes(&self) -> Vec<PlaneState> {
        self.0.planes().states()
    }

    /// Changes whenever a data plane comes, goes or answers, or is to have something else.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Serves until `end`. Every data plane has to show a certificate by an authority of `tls`, for the name that it says it
    /// has.
    ///
    /// # Errors
    /// When the server breaks.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Arc<LiveTls>,
        end: impl Future<Output = ()> + Send,
    ) -> Result<(), ControlError> {
        let shared = self.0.clone();
        let end = async move {
            end.await;
            shared.ending.send_replace(true);
        };
        Ok(serve(Follow(self.0.clone()), listener, tls, end).await?)
    }
}

/// The method of the stream.
#[derive(Clone)]
struct Follow(Arc<Shared>);

impl Method for Follow {
    const SERVICE: &'static str = "palisade.control.v1.Control";
    const PATH: &'static str = FOLLOW_PATH;
    const HEARD_BYTES_MAX: usize = TO_CONTROL_BYTES_MAX;
    type Heard = ToControl;
    type Said = ToPlane;

    async fn converse(
        self,
        caller: Caller,
        heard: Streaming<ToControl>,
        words: Words<ToPlane>,
    ) -> Result<(), Status> {
        converse(&self.0, caller.peer, heard, &words).await
    }
}

impl Shared {
    fn planes(&self) -> MutexGuard<'_, Planes> {
        self.planes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// A stream, to its end.
async fn converse(
    shared: &Shared,
    peer: Peer,
    mut heard: Streaming<ToControl>,
    words: &Words<ToPlane>,
) -> Result<(), Status> {
    let hello = match timeout(HELLO_TIME, heard.message()).await {
        Ok(Ok(Some(ToControl { said: Some(Said::Hello(hello)) }))) => hello,
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(status)) => return Err(status),
        Ok(Ok(_)) => return Err(Status::invalid_argument("who is it? A stream begins with hello")),
        Err(_) => return Err(Status::deadline_exceeded("it did not say who it is")),
    };
    let introduction = introduction(hello, &peer)?;
    let (name, held) = (introduction.name.clone(), introduction.held);
    let answered = introduction.applied.as_ref().map(|applied| applied.revision);
    let seat = shared.planes().arrive(introduction, SystemTime::now());
    let seat = seat.ok_or_else(|| Status::resource_exhausted("there are too many data planes here"))?;
    shared.changed();
    let (stream, replaced) = (seat.stream, seat.replaced.clone());
    let mut conversation = Conversation { shared, name: &name, stream, held, answered, awaited: None, words };
    let ended = tokio::select! {
        ended = conversation.run(seat, &mut heard) => ended,
        () = replaced.notified() => Err(Status::already_exists("another data plane came under this name")),
        _ = ended(shared) => Err(Status::unavailable("the server ends")),
    };
    shared.planes().leave(&name, stream, SystemTime::now());
    shared.changed();
    ended
}

async fn ended(shared: &Shared) {
    let mut ending = shared.ending.subscribe();
    let _ = ending.wait_for(|ending| *ending).await;
}

/// Who it is, where its certificate says so too.
fn introduction(hello: Hello, peer: &Peer) -> Result<Introduction, Status> {
    let name = hello.name;
    if name.len() > NAME_MAX || !peer.is_called(&name) {
        let name: String = name.chars().take(NAME_MAX).filter(|char| !char.is_control()).collect();
        return Err(Status::permission_denied(format!("its certificate is not for the DNS name `{name}`")));
    }
    Ok(Introduction {
        name,
        version: cut(&hello.version),
        address: peer.address,
        held: revision_of(&hello.held),
        applied: hello.answer.and_then(|answer| answer.read()),
    })
}

/// What was said to a data plane, and what it is to say.
struct Conversation<'c> {
    shared: &'c Shared,
    name: &'c str,
    stream: u64,
    /// What it holds.
    held: Option<Revision>,
    /// What it has said something of. One that holds what is wanted and has not said so since it began is told so without
    /// any file: what lay on its disk may not have been good.
    answered: Option<Revision>,
    awaited: Option<Awaited>,
    words: &'c Words<ToPlane>,
}

/// What it was told and has not answered.
#[derive(Clone, Copy)]
struct Awaited {
    revision: Revision,
    was_whole: bool,
    until: Instant,
}

impl Conversation<'_> {
    async fn run(&mut self, mut seat: Seat, heard: &mut Streaming<ToControl>) -> Result<(), Status> {
        let age = STREAM_AGE.mul_f64(0.9 + 0.2 * fastrand::f64());
        let old = Instant::now() + age;
        self.say(Word::Welcome(Welcome {})).await?;
        loop {
            if self.awaited.is_none() {
                if Instant::now() >= old {
                    return Ok(());
                }
                let wanted = seat.wanted.borrow_and_update().clone();
                if let Some(wanted) = wanted.filter(|wanted| self.answered != Some(wanted.revision())) {
                    let base = self.held.and_then(|held| self.shared.planes().version(held));
                    self.tell(&wanted, base, &mut seat).await?;
                    continue;
                }
            }
            let until = self.awaited.map_or(old, |awaited| awaited.until);
            tokio::select! {
                message = heard.message() => match message? {
                    Some(ToControl { said: Some(said) }) => self.hear(said)?,
                    Some(ToControl { said: None }) => {}
                    None => return Ok(()),
                },
                changed = seat.wanted.changed(), if self.awaited.is_none() => {
                    // Somebody else sits here.
                    changed.map_err(|_| Status::already_exists("another data plane came under this name"))?;
                }
                () = sleep_until(until) => if self.awaited.is_some() {
                    return Err(Status::deadline_exceeded("it did not say what it made of its bundle"));
                },
            }
        }
    }

    /// Says a bundle, or the newest that comes to be wanted meanwhile.
    async fn tell(
        &mut self,
        wanted: &Arc<Version>,
        base: Option<Arc<Version>>,
        seat: &mut Seat,
    ) -> Result<(), Status> {
        for word in words(wanted, base.clone()) {
            self.say(word).await?;
            if seat.wanted.has_changed().unwrap_or(false) {
                // The next beginning voids this one.
                return Ok(());
            }
        }
        self.awaited = Some(Awaited {
            revision: wanted.revision(),
            was_whole: base.is_none(),
            until: Instant::now() + ANSWER_TIME,
        });
        Ok(())
    }

    async fn say(&self, word: Word) -> Result<(), Status> {
        let sent = timeout(STALL_TIME, self.words.send(Ok(word.into()))).await;
        let sent = sent.map_err(|_| Status::deadline_exceeded("it takes nothing of what it is told"))?;
        sent.map_err(|_| Status::cancelled("it has gone"))
    }

    fn hear(&mut self, said: Said) -> Result<(), Status> {
        match said {
            Said::Hello(_) => Err(Status::invalid_argument("it said before who it is")),
            Said::Answer(answer) => {
                let applied =
                    answer.read().ok_or_else(|| Status::invalid_argument("a revision is 32 bytes long"))?;
                if self.awaited.is_some_and(|awaited| awaited.revision == applied.revision) {
                    (self.held, self.answered) = (Some(applied.revision), Some(applied.revision));
                    self.awaited = None;
                }
                self.shared.planes().answered(self.name, self.stream, applied, SystemTime::now());
                self.shared.changed();
                Ok(())
            }
            Said::Lost(lost) => {
                if self.awaited.take().is_none_or(|awaited| awaited.was_whole) {
                    // Once more would end as this did.
                    return Err(Status::data_loss(format!("it was told the whole: {}", cut(&lost.why))));
                }
                self.held = None;
                Ok(())
            }
        }
    }
}
