//! The data plane's end: the stream kept going, what comes whole offered, what becomes of it answered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tonic::{Status, Streaming};

use super::messages::{Answer, Hello, Lost, Said, ToControl, ToPlane, Word, cut, revision_bytes};
use super::{Assembly, FOLLOW_PATH, TO_PLANE_BYTES_MAX};
use crate::link::{LiveTls, Pause, Target, call, dial};
use crate::{Applied, Bundle, Offers, Revision};

/// Answers that wait to be sent. The server takes them at once, or is gone.
const SAID_WAITING_MAX: usize = 4;

/// Whom to follow, and as whom.
pub struct FollowOptions {
    /// Where the server is.
    pub target: Target,
    /// Our certificate and whom we believe.
    pub tls: Arc<LiveTls>,
    /// What we are called. Our certificate has to be for this DNS name.
    pub name: String,
    /// Of this program.
    pub version: String,
    /// What is kept from a time before. It is offered again once the server says that it is still wanted.
    pub held: Option<Bundle>,
    /// Takes a line for the log.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
    /// Says how it goes.
    pub following: watch::Sender<Following>,
}

impl std::fmt::Debug for FollowOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowOptions")
            .field("target", &self.target)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// Whether the server is there.
    pub is_connected: bool,
    /// What was given last.
    pub held: Option<Revision>,
    /// What was made of it.
    pub applied: Option<Applied>,
    /// Why the server is not there.
    pub error: Option<String>,
}

/// Follows a server until the data plane has ended.
pub async fn follow(options: FollowOptions, offers: Offers) {
    let mut follower = Follower {
        assembly: Assembly::holding(options.held.clone()),
        applied: None,
        offering: None,
        next: None,
        offers,
        options: Arc::new(options),
    };
    follower.run().await;
}

type Offering = Pin<Box<dyn Future<Output = Option<Applied>> + Send>>;

struct Follower {
    options: Arc<FollowOptions>,
    offers: Offers,
    assembly: Assembly,
    /// What was made of the last bundle.
    applied: Option<Applied>,
    /// What the data plane is taking over.
    offering: Option<Offering>,
    /// What it will be offered then.
    next: Option<Bundle>,
}

/// The data plane has ended.
struct Ended;

impl Follower {
    async fn run(&mut self) {
        let mut pause = Pause::new();
        let mut said = None;
        loop {
            let mut heard = false;
            let why = match self.stream(&mut heard).await {
                Ok(Ended) => return,
                Err(why) => why,
            };
            if heard {
                pause.reset();
            }
            // A server that is away for an hour is one line in the log.
            if said.as_ref() != Some(&why) || heard {
                (self.options.say)(&format!(
                    "control: {}: {why}; what is in force stays",
                    self.options.target
                ));
                said = Some(why.clone());
            }
            self.tell(|following| {
                following.is_connected = false;
                following.error = Some(why);
            });
            let mut rest = std::pin::pin!(sleep(pause.after_failure(fastrand::f64())));
            loop {
                tokio::select! {
                    () = &mut rest => break,
                    applied = outcome(&mut self.offering) => if self.settle(applied).is_none() { return },
                }
            }
        }
    }

    /// One stream, to its end: why it ended.
    async fn stream(&mut self, heard: &mut bool) -> Result<Ended, String> {
        self.assembly.begin_anew();
        let options = self.options.clone();
        let mut opening = std::pin::pin!(open(&options));
        let (say, mut words) = loop {
            tokio::select! {
                opened = &mut opening => break opened?,
                applied = outcome(&mut self.offering) => if self.settle(applied).is_none() { return Ok(Ended) },
            }
        };
        let hello = Hello {
            name: self.options.name.clone(),
            version: self.options.version.clone(),
            held: self.assembly.held().map(revision_bytes).unwrap_or_default(),
            answer: self.applied.as_ref().map(Answer::from),
        };
        send(&say, Said::Hello(hello)).await?;
        loop {
            tokio::select! {
                word = words.message() => {
                    let word = word.map_err(|status| words_of(&status))?.ok_or("the server ended the stream")?;
                    // A word that a newer server knows, and we do not, is none.
                    match word.word {
                        Some(Word::Welcome(_)) => {
                            *heard = true;
                            self.welcome();
                        }
                        Some(word) => self.hear(word, &say).await?,
                        None => {}
                    }
                }
                applied = outcome(&mut self.offering) => {
                    let Some(applied) = self.settle(applied) else { return Ok(Ended) };
                    send(&say, Said::Answer(Answer::from(&applied))).await?;
                }
            }
        }
    }

    fn welcome(&self) {
        (self.options.say)(&format!("control: {} is there", self.options.target));
        self.tell(|following| {
            following.is_connected = true;
            following.error = None;
        });
    }

    async fn hear(&mut self, word: Word, say: &mpsc::Sender<ToControl>) -> Result<(), String> {
        match self.assembly.take(word) {
            Ok(None) => Ok(()),
            Ok(Some(bundle)) => {
                let held = self.assembly.held();
                self.tell(|following| following.held = held);
                self.next = Some(bundle);
                self.offer();
                Ok(())
            }
            Err(misfit) => send(say, Said::Lost(Lost { why: cut(&misfit.to_string()) })).await,
        }
    }

    /// Offers what is next, where nothing is being taken over. What came meanwhile and is not the newest is never offered.
    fn offer(&mut self) {
        if self.offering.is_none() {
            self.offering = self.next.take().map(|bundle| {
                let offers = self.offers.clone();
                Box::pin(async move { offers.offer(bundle).await }) as Offering
            });
        }
    }

    /// What became of an offer. `None`: the data plane has ended.
    fn settle(&mut self, applied: Option<Applied>) -> Option<Applied> {
        self.offering = None;
        self.applied = Some(applied?);
        self.offer();
        let applied = self.applied.clone();
        self.tell(|following| following.applied.clone_from(&applied));
        applied
    }

    fn tell(&self, change: impl FnOnce(&mut Following)) {
        self.options.following.send_modify(change);
    }
}

/// What becomes of an offer; never, where there is none.
async fn outcome(offering: &mut Option<Offering>) -> Option<Applied> {
    match offering {
        Some(offering) => offering.await,
        None => std::future::pending().await,
    }
}

async fn open(options: &FollowOptions) -> Result<(mpsc::Sender<ToControl>, Streaming<ToPlane>), String> {
    let channel = dial(&options.target, options.tls.clone()).await.map_err(|error| error.to_string())?;
    let limits = (TO_PLANE_BYTES_MAX, SAID_WAITING_MAX);
    call(channel, FOLLOW_PATH, None, limits).await.map_err(|status| words_of(&status))
}

async fn send(say: &mpsc::Sender<ToControl>, said: Said) -> Result<(), String> {
    say.send(said.into()).await.map_err(|_| "the server has gone".to_owned())
}

fn words_of(status: &Status) -> String {
    format!("{}: {}", status.code(), cut(status.message()))
}
