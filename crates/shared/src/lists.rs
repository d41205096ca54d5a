//! Lists in common: every process holds all entries and is asked for them alone; what changes is told and heard beside
//! requests.
//!
//! ```text
//!   here:  ids that changed ──push──> Redis: entries (id -> how it stands), changes (id by serial number), ends
//!          all entries      <─news──        from the serial number that was read last
//! ```
//!
//! Every change of an entry moves its id to a new serial number, so whoever asks "what is new since N" hears of everything,
//! whatever was missed, and who is new asks since 0. Who has the last word about an entry is decided in Redis, by
//! [`Record::beats`](palisade_lists::Record::beats); whoever loses hears what stands instead. An epoch names one history:
//! where it is another one, or goes backwards, Redis has forgotten, and everybody tells all that they have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use palisade_lists::{Entry, EntryId, LINE_BYTES_MAX, Moment, Origin, Record};
use tokio::sync::Notify;

use crate::client::{Client, Failure, Link};
use crate::counts::add;
use crate::reply;

/// Lists of this process.
pub trait Lists: Send + Sync {
    /// The time, as entries count it.
    fn now(&self) -> Moment;
    /// How an entry stands here.
    fn record(&self, id: &EntryId) -> Option<Record>;
    /// Entries from a number on, so many at most, and the number from which there are more.
    fn entries_from(&self, number: u64, most: usize) -> (Vec<Entry>, Option<u64>);
    /// What was taken away lately.
    fn removed(&self) -> Vec<Record>;
    /// Makes entries stand as they do elsewhere.
    fn take(&self, records: Vec<Record>, word: Word);
    /// Where hearing of changes got to, in this run of the process or an earlier one.
    fn mark(&self) -> Mark;
    /// Keeps that, once what was heard until then is kept.
    fn keep_mark(&self, mark: Mark);
}

/// Whose word counts where an entry stands otherwise here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// News: what stands here counts where it beats them.
    News,
    /// It was settled: they count.
    Settled,
}

/// Where hearing of changes got to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Of which history; empty: of none.
    pub epoch: String,
    /// The serial number of the last change that was heard.
    pub serial: u64,
    /// What changed here until then was told.
    pub told_until: Moment,
}

/// Ids of entries that changed here and that others have not been told of.
#[derive(Debug, Default)]
pub struct Outbox {
    changed: Mutex<Changed>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Changed {
    /// With who did it.
    ids: HashMap<EntryId, Arc<str>>,
    /// There were too many: all are told.
    all: bool,
}

/// Ids that wait; of more, all entries are told.
const CHANGED_MAX: usize = 100_000;
/// Entries of one batch, in and out.
const BATCH: usize = 500;
/// How often news are asked for. Half of what a source has after it was listed elsewhere is this.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How often entries whose time is over are forgotten in Redis.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Entries that Redis holds at most, with those that were taken away.
const ENTRIES_MAX: &str = "4200000";
/// What was taken away is remembered there for a day; who was away for less hears of all of it.
const AWAY_MS_MAX: u64 = 23 * 3600 * 1000;

impl Outbox {
    /// An entry has changed here.
    pub fn note(&self, id: &EntryId, by: &Arc<str>) {
        if id.in_file {
            return;
        }
        let mut changed = self.changed();
        if changed.all {
            return;
        }
        if changed.ids.len() >= CHANGED_MAX {
            *changed = Changed { ids: HashMap::new(), all: true };
        } else {
            changed.ids.insert(id.clone(), by.clone());
        }
        drop(changed);
        self.wake.notify_one();
    }

    fn some(&self) -> Vec<(EntryId, Arc<str>)> {
        self.changed().ids.iter().take(BATCH).map(|(id, by)| (id.clone(), by.clone())).collect()
    }

    /// These were told, unless they have changed again, which is told again.
    fn told(&self, ids: &[(EntryId, Arc<str>)]) {
        let mut changed = self.changed();
        ids.iter().for_each(|(id, _)| {
            changed.ids.remove(id);
        });
    }

    fn is_empty(&self) -> bool {
        let changed = self.changed();
        changed.ids.is_empty() && !changed.all
    }

    fn take_all(&self) -> bool {
        std::mem::take(&mut self.changed().all)
    }

    fn changed(&self) -> std::sync::MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a round ended.
enum Ended {
    Lost(Failure),
    /// Redis has forgotten, or is another one.
    OtherHistory,
}

impl From<Failure> for Ended {
    fn from(why: Failure) -> Self {
        Self::Lost(why)
    }
}

/// Tells and hears of changes, for ever.
pub(crate) async fn run(client: Arc<Client>, lists: Arc<dyn Lists>, outbox: Arc<Outbox>) {
    let mut exchange = Exchange { mark: lists.mark(), joined: false, client: client.clone(), lists, outbox };
    loop {
        let link = client.link().await;
        match exchange.go_on(&link).await {
            Ended::Lost(why) => client.lost(link.number(), &why),
            // Not at once: what is odd may stay so.
            Ended::OtherHistory => tokio::time::sleep(ASK_EVERY).await,
        }
    }
}

struct Exchange {
    mark: Mark,
    /// This run of the process has told of everything that it had when it began.
    joined: bool,
    client: Arc<Client>,
    lists: Arc<dyn Lists>,
    outbox: Arc<Outbox>,
}

impl Exchange {
    async fn go_on(&mut self, link: &Link) -> Ended {
        match self.exchange(link).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn exchange(&mut self, link: &Link) -> Result<std::convert::Infallible, Ended> {
        let (epoch, serial) = link.hello(&self.client.name).await?;
        if epoch != self.mark.epoch || serial < self.mark.serial {
            self.mark = Mark { epoch, ..Mark::default() };
            self.joined = false;
        }
        self.hear(link).await?;
        let mut swept = Instant::now();
        loop {
            let now = self.lists.now();
            if self.outbox.take_all() {
                self.joined = false;
            }
            if !self.joined {
                self.tell_all(link).await?;
                self.joined = true;
            }
            while !self.outbox.is_empty() && self.joined {
                self.tell_changed(link).await?;
                self.joined &= !self.outbox.take_all();
            }
            self.hear(link).await?;
            if self.joined {
                // A change of this very millisecond may have come after.
                self.mark.told_until = Moment(now.0.saturating_sub(1));
                self.lists.keep_mark(self.mark.clone());
            }
            if swept.elapsed() > SWEEP_EVERY {
                self.sweep(link).await?;
                swept = Instant::now();
            }
            let _ = tokio::time::timeout(ASK_EVERY, self.outbox.wake.notified()).await;
        }
    }

    /// Hears of everything that is new.
    async fn hear(&mut self, link: &Link) -> Result<(), Ended> {
        let keys =
            ["lists:epoch", "lists:serial", "lists:entries", "lists:changes"].map(|name| link.key(name));
        loop {
            let arguments = [self.mark.serial.to_string(), BATCH.to_string(), LINE_BYTES_MAX.to_string()];
            let answer = link.run(include_str!("scripts/news.lua"), &keys, &arguments).await?;
            let news = reply::news(&answer, self.lists.now())
                .ok_or("its news of lists cannot be read".to_owned())?;
            if news.epoch != self.mark.epoch || news.serial < self.mark.serial {
                return Err(Ended::OtherHistory);
            }
            add(&self.client.counts.unreadable, news.unreadable);
            add(&self.client.counts.lists_taken, news.records.len());
            if !news.records.is_empty() {
                self.lists.take(news.records, Word::News);
            }
            match news.last {
                Some(last) if last > self.mark.serial => self.mark.serial = last,
                _ => return Ok(()),
            }
            if news.told < BATCH {
                return Ok(());
            }
        }
    }

    /// Tells of what has changed, some of it.
    async fn tell_changed(&mut self, link: &Link) -> Result<(), Ended> {
        let ids = self.outbox.some();
        // Before it is looked at: what changes from here on is noted anew.
        self.outbox.told(&ids);
        let records = ids.iter().filter_map(|(id, by)| {
            let record = self.lists.record(id)?;
            Some(Record { by: by.clone(), ..record })
        });
        let told = self.tell(link, records.collect(), false).await;
        if told.is_err() {
            ids.iter().for_each(|(id, by)| self.outbox.note(id, by));
        }
        told
    }

    /// Tells of everything that stands here and what was taken away. What was told in an earlier run and is not there any
    /// more was taken away by others meanwhile.
    async fn tell_all(&mut self, link: &Link) -> Result<(), Ended> {
        let (told_until, now) = (self.mark.told_until, self.lists.now());
        let was_away_shortly = now.0.saturating_sub(told_until.0) < AWAY_MS_MAX;
        let is_new = |record: &Record| record.at > told_until;
        let mut number = Some(0);
        while let Some(from) = number {
            let (entries, more) = self.lists.entries_from(from, BATCH);
            number = more;
            let shared =
                entries.into_iter().filter(|entry| entry.origin != Origin::File && !entry.is_over(now));
            let records = shared.filter_map(|entry| Record::of(entry, "".into()));
            let (new, known): (Vec<_>, Vec<_>) = records.partition(is_new);
            self.tell(link, new, false).await?;
            if !was_away_shortly {
                self.tell(link, known, true).await?;
            }
        }
        let removed: Vec<Record> = self.lists.removed().into_iter().filter(is_new).collect();
        for batch in removed.chunks(BATCH) {
            self.tell(link, batch.to_vec(), false).await?;
        }
        Ok(())
    }

    /// Tells how entries stand. `known`: they were told before.
    async fn tell(&self, link: &Link, records: Vec<Record>, known: bool) -> Result<(), Ended> {
        if records.is_empty() {
            return Ok(());
        }
        let keys = ["lists:epoch", "lists:serial", "lists:entries", "lists:changes", "lists:ends"];
        let keys = keys.map(|name| link.key(name));
        let mut arguments: Vec<Vec<u8>> =
            vec![self.mark.epoch.clone().into(), ENTRIES_MAX.into(), LINE_BYTES_MAX.to_string().into()];
        for record in &records {
            let known: &[u8] = if known { b"1" } else { b"0" };
            arguments.extend([record.id.to_string().into_bytes(), record.encode(), known.to_vec()]);
        }
        let answer = link.run(include_str!("scripts/push.lua"), &keys, &arguments).await?;
        let now = self.lists.now();
        let pushed = reply::pushed(&answer, now).ok_or(Ended::OtherHistory)?;
        add(&self.client.counts.lists_sent, records.len());
        add(&self.client.counts.unreadable, pushed.unreadable);
        let gone = pushed.gone.iter().filter_map(|id| std::str::from_utf8(id).ok()?.parse::<EntryId>().ok());
        let gone = gone.map(|id| Record { id, at: now, entry: None, by: "others, meanwhile".into() });
        let settled: Vec<Record> = pushed.standing.into_iter().chain(gone).collect();
        if !settled.is_empty() {
            self.lists.take(settled, Word::Settled);
        }
        Ok(())
    }

    async fn sweep(&self, link: &Link) -> Result<(), Ended> {
        let keys = ["lists:entries", "lists:changes", "lists:ends"].map(|name| link.key(name));
        link.run(include_str!("scripts/sweep.lua"), &keys, &[BATCH.to_string()]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_changes_than_wait_everything_is_told() {
        let outbox = Outbox::default();
        let id = |number: u32| format!("deny:AS{number}").parse::<EntryId>().unwrap();
        outbox.note(&"deny:192.0.2.1!file".parse().unwrap(), &"file".into());
        assert!(outbox.is_empty(), "a file is each process's own");
        (0..CHANGED_MAX as u32).for_each(|number| outbox.note(&id(number), &"me".into()));
        let some = outbox.some();
        assert_eq!(some.len(), BATCH);
        outbox.told(&some);
        (0..CHANGED_MAX as u32).for_each(|number| outbox.note(&id(1_000_000 + number), &"me".into()));
        assert!(outbox.some().is_empty() && !outbox.is_empty());
        assert!(outbox.take_all() && outbox.is_empty());
    }
}
