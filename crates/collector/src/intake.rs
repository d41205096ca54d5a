//! The thread that writes what comes: portions of many data planes in one transaction, and then the word that they are kept.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use palisade_events::store::{Intake, Portion};
use palisade_events::{Batch, Bus};
use tokio::sync::{mpsc, oneshot};

/// Portions that wait to be written. Who brings another waits: that is what a spool is for.
const WAITING_MAX: usize = 32;
/// Records that go into one transaction, about.
const TOGETHER_MAX: usize = 20_000;
/// How often it says that it still cannot write.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// The way to the thread. It ends when all of them are gone.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    errands: mpsc::Sender<Errand>,
    pub(crate) intake: Intake,
    pub(crate) counts: Arc<DeskCounts>,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct DeskCounts {
    pub(crate) transactions: AtomicU64,
    pub(crate) failures: AtomicU64,
}

#[derive(Debug)]
struct Errand {
    portion: Portion,
    done: oneshot::Sender<Result<(), Unkept>>,
}

/// The store did not take it; it was said why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unkept;

impl Desk {
    /// Starts the thread.
    pub(crate) fn start(
        intake: Intake,
        bus: Bus,
        say: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> std::io::Result<Self> {
        let (errands, waiting) = mpsc::channel(WAITING_MAX);
        let counts = Arc::<DeskCounts>::default();
        let (writes, counted) = (intake.clone(), counts.clone());
        let work = move || write(waiting, &writes, &bus, &counted, &*say);
        thread::Builder::new().name("collector".into()).spawn(work)?;
        Ok(Self { errands, intake, counts })
    }

    /// Has a portion written. The answer comes when it is in the store.
    pub(crate) async fn write(&self, portion: Portion) -> oneshot::Receiver<Result<(), Unkept>> {
        let (done, answer) = oneshot::channel();
        // Where the thread has gone the answer never comes, and that is told by its channel.
        let _ = self.errands.send(Errand { portion, done }).await;
        answer
    }
}

fn write(
    mut waiting: mpsc::Receiver<Errand>,
    intake: &Intake,
    bus: &Bus,
    counts: &DeskCounts,
    say: &(dyn Fn(&str) + Send + Sync),
) {
    let mut said: Option<Instant> = None;
    while let Some(first) = waiting.blocking_recv() {
        let mut records = first.portion.batch.len();
        let mut errands = VecDeque::from([first]);
        while records < TOGETHER_MAX
            && let Ok(next) = waiting.try_recv()
        {
            records += next.portion.batch.len();
            errands.push_back(next);
        }
        let (portions, dones): (Vec<Portion>, Vec<_>) =
            errands.into_iter().map(|errand| (errand.portion, errand.done)).unzip();
        let taken = intake.take_in(&portions);
        counts.transactions.fetch_add(1, Ordering::Relaxed);
        let answer = match &taken {
            Ok(_) => Ok(()),
            Err(_) => Err(Unkept),
        };
        for done in dones {
            // Somebody who has gone meanwhile asks again what is in the store.
            let _ = done.send(answer);
        }
        match taken {
            Ok(is_new) => {
                if said.take().is_some() {
                    say("collector: the store is written again");
                }
                let mut together = Batch::default();
                for (portion, _) in portions.into_iter().zip(is_new).filter(|(_, is_new)| *is_new) {
                    let Batch { events, traffic, alerts } = portion.batch;
                    together.events.extend(events);
                    together.traffic.extend(traffic);
                    together.alerts.extend(alerts);
                }
                bus.pass_on(together);
            }
            Err(error) => {
                counts.failures.fetch_add(1, Ordering::Relaxed);
                if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                    said = Some(Instant::now());
                    say(&format!(
                        "collector: the store cannot be written, data planes keep their events: {error}"
                    ));
                }
            }
        }
    }
}
