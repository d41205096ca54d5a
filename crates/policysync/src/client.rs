//! The stream, kept going: dials, hands over what becomes visible, dials again. On a thread of its own, so that busy workers
//! do not make news late, nor news workers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use palisade_policy::{News, Source as _, Store};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::grpc::{Answers, CallError};
use crate::limits::Limits;
use crate::messages::{SYNC_PATH, SyncRequest, ToDataplane};
use crate::state::State;
use crate::status::Status;

/// Between two dials: this at first, twice as long after each that came to nothing, up to the second. Calico's own client
/// waits a second each time.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// News that come within this are one change for the store.
const GATHER: Duration = Duration::from_millis(5);
/// A change that says more than this many things (objects, members, rules) is handed over at once.
const WEIGHT_MAX: usize = 200_000;
/// Of refusals of one stream so many are said; all are counted.
const REFUSALS_SAID_MAX: u64 = 20;

/// Whose policies a stream is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subscription {
    /// Those of the pod that the socket belongs to.
    #[default]
    PerPod,
    /// Those of all pods of the node.
    PerHost,
}

impl Subscription {
    /// As it is said on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PerPod => "per-pod-policies",
            Self::PerHost => "per-host-policies",
        }
    }
}

/// What a client is told.
pub struct Options {
    /// The agent's socket.
    pub socket: PathBuf,
    /// Whose policies.
    pub subscription: Subscription,
    /// What one stream may say.
    pub limits: Limits,
    /// Takes a line for the log.
    pub say: Box<dyn Fn(&str) + Send>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("socket", &self.socket)
            .field("subscription", &self.subscription)
            .finish_non_exhaustive()
    }
}

/// A client at work. It ends when this value goes; the store stays as it is then.
#[derive(Debug)]
pub struct Client {
    status: Arc<Status>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Begins to feed a store.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(options: Options, store: Arc<Store>) -> std::io::Result<Self> {
        let status = Arc::new(Status::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ends) = oneshot::channel();
        let shared = status.clone();
        let thread = std::thread::Builder::new().name("policy-sync".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = keep_going(&options, &store, &shared) => {}
                    _ = ends => {}
                }
            });
        })?;
        Ok(Self { status, end: Some(end), thread: Some(thread) })
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn keep_going(options: &Options, store: &Store, status: &Status) {
    let mut back_off = BACK_OFF.0;
    let mut last_said = String::new();
    loop {
        let mut was_in_sync = false;
        let ended = match Answers::ask(&options.socket, SYNC_PATH, &request(options)).await {
            Ok(answers) => {
                status.began();
                one_stream(answers, options, store, status, &mut was_in_sync).await
            }
            Err(error) => Err(error),
        };
        let why = match ended {
            Ok(()) => "the agent ended the stream".to_owned(),
            Err(error) => error.to_string(),
        };
        // A socket that is not there for an hour is one line in the log.
        if was_in_sync || why != last_said {
            (options.say)(&format!(
                "policy sync: {}: {why}; {}",
                shown(&options.socket),
                match status.now().was_in_sync {
                    true => "what it said last goes on deciding",
                    false => "nothing passes until it has said all policies",
                }
            ));
            last_said.clone_from(&why);
        }
        status.ended(why);
        if was_in_sync {
            back_off = BACK_OFF.0;
        }
        sleep(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF.1);
    }
}

fn request(options: &Options) -> SyncRequest {
    SyncRequest { subscription_type: options.subscription.as_str().to_owned() }
}

fn shown(socket: &Path) -> std::path::Display<'_> {
    socket.display()
}

/// One stream, to its end.
async fn one_stream(
    mut answers: Answers,
    options: &Options,
    store: &Store,
    status: &Status,
    was_in_sync: &mut bool,
) -> Result<(), CallError> {
    let mut state = State::new(options.limits.clone());
    let mut refusals = 0;
    // When what is gathered is handed over. Handing over takes at most half of the time.
    let mut hand_over: Option<Instant> = None;
    let mut rested = Instant::now();
    loop {
        let next = match hand_over {
            Some(at) => timeout_at(at, answers.next::<ToDataplane>()).await.ok(),
            None => Some(answers.next::<ToDataplane>().await),
        };
        let ended = match next {
            None => None,
            Some(Ok(Some(message))) => {
                let taken = state.take(message);
                status.heard(taken.is_err());
                if let Err(refusal) = taken {
                    refusals += 1;
                    if refusals <= REFUSALS_SAID_MAX {
                        (options.say)(&format!("policy sync: not understood: {refusal}"));
                    }
                }
                None
            }
            Some(Ok(None)) => Some(Ok(())),
            Some(Err(error)) => Some(Err(error)),
        };
        if state.pending_weight() > 0 {
            let at = *hand_over.get_or_insert_with(|| rested.max(Instant::now() + GATHER));
            if Instant::now() >= at || state.pending_weight() >= WEIGHT_MAX || ended.is_some() {
                let began = Instant::now();
                while let Some(news) = state.news() {
                    let anew = matches!(news, News::Anew(_));
                    store.take(news);
                    status.took(anew, state.held_back());
                    if anew {
                        *was_in_sync = true;
                        let size = store.size();
                        (options.say)(&format!(
                            "policy sync: in sync with {}: policies {}, endpoints {}, sets of addresses {} with {} members",
                            shown(&options.socket),
                            size.policies,
                            size.endpoints,
                            size.sets,
                            size.members
                        ));
                    }
                }
                rested = Instant::now() + began.elapsed();
                hand_over = None;
            }
        }
        if let Some(ended) = ended {
            return ended;
        }
    }
}
