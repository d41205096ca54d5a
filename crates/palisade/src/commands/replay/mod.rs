//! `palisade replay`: recorded requests through the inspection of another configuration, and what that would change. No
//! server, no upstream, no network.
//!
//! ```text
//!  copies (recording) | har -> Copy -> Judge (--against, --before) -> compare -> Tally -> shown
//!                              batches, one worker a core                one a worker, merged
//! ```
//!
//! The idea to hold: *a copy is not the request*. Where it does not have what decides, the answer is neither "changed" nor
//! "the same" but "undecidable", with the reason ([`mod@compare`]).

mod compare;
mod copies;
mod judge;
mod progress;
mod shown;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use palisade_events::query::moment;
use palisade_events::recording::{Har, Key};
use palisade_events::unix_millis;
use serde_json::Value;

use crate::Finding;
use crate::files::read_requests;
use crate::flags::{FailOn, ReplayFlags};
use crate::modes::Modes;
use crate::recording::key_in;
use crate::snapshot::Snapshot;

use self::compare::compare;
pub(crate) use self::copies::Wanted;
use self::copies::{Copy, Recordings, copy_of};
use self::judge::Judge;
use self::progress::Progress;
use self::tally::Tally;

/// Replays, shows what would change, exit 1 when that is something that `--fail-on` names.
pub(crate) fn run(flags: &ReplayFlags) -> Result<Finding> {
    let wanted = Wanted {
        services: flags.service.iter().cloned().collect::<BTreeSet<_>>(),
        since: when("--since", flags.since.as_deref())?,
        until: when("--until", flags.until.as_deref())?,
    };
    let key = flags.key_file.as_deref().map(key_in).transpose()?;
    // What is to be replayed is looked at first: rules take longer to read.
    let mut source = match (&flags.recording, &flags.har) {
        (Some(folder), _) => Source::Recordings(Box::new(Recordings::open(folder, key)?)),
        (None, Some(file)) => Source::Har(read_har(file)?),
        (None, None) => bail!("name a recording by --recording DIR, or a HAR by --har FILE"),
    };
    let against = judge(&flags.against, "--against")?;
    let before = flags.before.as_deref().map(|file| judge(file, "--before")).transpose()?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (send, receive) = sync_channel::<Vec<(u64, Copy)>>(2 * workers);
    let receive = Mutex::new(receive);
    let mut progress = Progress::new(source.bytes());
    let tally = std::thread::scope(|scope| -> Result<Tally> {
        let work = || {
            let mut tally = Tally::new(flags.examples);
            while let Some(batch) = next(&receive) {
                for (number, copy) in batch {
                    replay_one(number, &copy, &against, before.as_ref(), &wanted, &mut tally);
                }
            }
            tally
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let read = feed(&mut source, &send, &wanted, &mut progress);
        drop(send);
        let mut all = Tally::new(flags.examples);
        for worker in workers {
            match worker.join() {
                Ok(tally) => all.add(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        read?;
        Ok(all)
    })?;
    progress.end();
    source.notes().iter().for_each(|note| say!("palisade: {note}"));
    let described = shown::Described { flags, tally: &tally, read: source.read() };
    described.print(&mut std::io::stdout().lock())?;
    let fails = |kind: FailOn| tally.count(kind) > 0;
    Ok(if flags.fail_on.iter().copied().any(fails) { Finding::Something } else { Finding::Nothing })
}

/// A replay within a process that has other things to do: on one thread, of its own recording.
pub(crate) struct Replaying {
    recordings: Recordings,
    judge: Judge,
    wanted: Wanted,
    tally: Tally,
}

/// Makes a replay of a recording against a snapshot ready.
///
/// # Errors
/// When there is no recording, the key does not fit, or the snapshot cannot judge.
pub(crate) fn replayed(
    recording: &Path,
    key: Option<Key>,
    snapshot: &Snapshot,
    modes: &Modes,
    wanted: Wanted,
) -> Result<Replaying> {
    let recordings = Recordings::open(recording, key)?;
    let judge = Judge::of_snapshot(snapshot, modes)?;
    Ok(Replaying { recordings, judge, wanted, tally: Tally::new(0) })
}

impl Replaying {
    /// Replays. `goes_on` is told the share of bytes that was read and how many requests were judged, and says whether to
    /// go on.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub(crate) fn run(&mut self, examples: usize, goes_on: impl Fn(f64, u64) -> bool) -> Result<()> {
        self.tally = Tally::new(examples);
        let all = self.recordings.bytes().max(1) as f64;
        let mut number = 0;
        while let Some(copy) = self.recordings.next()? {
            if !goes_on(self.recordings.bytes_read() as f64 / all, number) {
                bail!("it was stopped");
            }
            if self.wanted.takes(&copy) {
                replay_one(number, &copy, &self.judge, None, &self.wanted, &mut self.tally);
                number += 1;
            }
        }
        goes_on(1.0, number);
        Ok(())
    }

    /// What came of it.
    pub(crate) fn result(&self, against: &str) -> Value {
        shown::json(against, None, &self.tally, self.recordings.read())
    }

    /// What there is to say beside that.
    pub(crate) fn notes(&self) -> &[String] {
        self.recordings.notes()
    }
}

/// Where requests come from.
enum Source {
    Recordings(Box<Recordings>),
    Har(Har),
}

impl Source {
    /// Bytes of it, or entries; how much is done is told in the same.
    fn bytes(&self) -> u64 {
        match self {
            Self::Recordings(recordings) => recordings.bytes(),
            Self::Har(har) => har.entries() as u64,
        }
    }

    fn bytes_read(&self) -> u64 {
        match self {
            Self::Recordings(recordings) => recordings.bytes_read(),
            Self::Har(har) => har.entries_read() as u64,
        }
    }

    fn next(&mut self) -> Result<Option<Copy>> {
        match self {
            Self::Recordings(recordings) => recordings.next(),
            Self::Har(har) => Ok(har.next().map(|record| Copy { then: None, ..copy_of(record, 0) })),
        }
    }

    /// What there is to say about it once it was read.
    fn notes(&self) -> Vec<String> {
        match self {
            Self::Recordings(recordings) => recordings.notes().to_vec(),
            Self::Har(har) => match har.no_requests() {
                0 => Vec::new(),
                count => {
                    let all = har.entries();
                    vec![format!("{count} of {all} entries went to no web server and are left out")]
                }
            },
        }
    }

    /// Requests that it had.
    fn read(&self) -> u64 {
        match self {
            Self::Recordings(recordings) => recordings.read(),
            Self::Har(har) => har.entries_read() as u64,
        }
    }
}

/// Copies that one worker takes at a time, and bytes of them.
const BATCH_COPIES: usize = 16;
const BATCH_BYTES: usize = 1 << 20;

fn feed(
    source: &mut Source,
    send: &SyncSender<Vec<(u64, Copy)>>,
    wanted: &Wanted,
    progress: &mut Progress,
) -> Result<()> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let mut number = 0;
    while let Some(copy) = source.next()? {
        progress.show(source.bytes_read());
        if !wanted.takes(&copy) {
            continue;
        }
        bytes += copy.exchange.body.len();
        batch.push((number, copy));
        number += 1;
        if batch.len() >= BATCH_COPIES || bytes >= BATCH_BYTES {
            bytes = 0;
            // Workers go only when there is no more to come, or by a panic that is passed on.
            if send.send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    let _ = send.send(batch);
    Ok(())
}

fn next(batches: &Mutex<Receiver<Vec<(u64, Copy)>>>) -> Option<Vec<(u64, Copy)>> {
    batches.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Judges one request, and adds what that changes.
fn replay_one(
    number: u64,
    copy: &Copy,
    against: &Judge,
    before: Option<&Judge>,
    wanted: &Wanted,
    tally: &mut Tally,
) {
    let now = against.judge(copy);
    let then = before.map(|before| before.judge(copy));
    let service = match (&copy.then, &now.service) {
        (Some(then), _) => then.service.clone(),
        (None, Some(service)) => service.clone(),
        (None, None) => String::new(),
    };
    // A HAR does not say which service a request was for.
    if copy.then.is_none() && !wanted.services.is_empty() && !wanted.services.contains(&service) {
        return;
    }
    let (then, change) = compare(copy, then, &now);
    tally.one(number, copy, &service, &then, &now, change);
}

fn read_har(file: &Path) -> Result<Har> {
    let told = || format!("--har `{}`", file.display());
    let text = read_requests(file).with_context(told)?;
    let har = Har::read(&text).context("it is no HTTP archive").with_context(told)?;
    if har.entries() == 0 {
        bail!("{}: there is no request in it", told());
    }
    Ok(har)
}

fn judge(file: &Path, flag: &str) -> Result<Judge> {
    Judge::of(file).with_context(|| format!("{flag} `{}`", file.display()))
}

fn when(flag: &str, text: Option<&str>) -> Result<Option<u64>> {
    text.map(|text| moment(text, unix_millis()).with_context(|| format!("{flag} `{text}`"))).transpose()
}
