//! Lists that several processes have in common, as what brings them together sees them: records in, records out, and how far
//! hearing of changes got, which is kept beside the lists.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use palisade_events::replace_file;
use palisade_lists::{Change, Entry, EntryId, Lists, Moment, Origin, Record, Subject, What};
use palisade_shared::{Mark, Word};
use serde::{Deserialize, Serialize};

use super::{ListStore, add, keep, now};
use crate::automatic::Spared;

/// The lists of this process, for others.
#[derive(Debug)]
pub(crate) struct CommonLists {
    store: Arc<ListStore>,
    spared: Arc<Spared>,
    path: PathBuf,
    mark: Mutex<Marks>,
}

#[derive(Debug)]
struct Marks {
    mark: Mark,
    written: Mark,
    written_at: Instant,
}

/// The mark as its file has it.
#[derive(Serialize, Deserialize)]
struct Written {
    epoch: String,
    serial: u64,
    told_until: u64,
}

const FILE: &str = "shared.json";
/// How often the mark is written where nothing but time has passed.
const WRITE_EVERY: Duration = Duration::from_secs(30);

impl CommonLists {
    /// The lists of a store. Entries that sources earned elsewhere are not taken over for those who are spared here. A mark
    /// that cannot be read is none: everything is heard and told anew.
    pub(crate) fn new(store: Arc<ListStore>, spared: Arc<Spared>, folder: &Path) -> Self {
        let path = folder.join(FILE);
        let read = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Written>(&text).ok());
        let mark = read.map_or_else(Mark::default, |Written { epoch, serial, told_until }| Mark {
            epoch,
            serial,
            // What was told cannot have been told in time to come.
            told_until: Moment(told_until).min(now()),
        });
        let mark = Marks { written: mark.clone(), mark, written_at: Instant::now() };
        Self { store, spared, path, mark: Mutex::new(mark) }
    }

    /// Writes the mark, where it has moved. After what was heard until then is on the disk.
    pub(crate) fn write_mark(&self, at_once: bool) {
        let mark = {
            let mut marks = self.marks();
            let Marks { mark, written, written_at } = &mut *marks;
            let heard = (&mark.epoch, mark.serial) != (&written.epoch, written.serial);
            if *mark == *written || !(heard || at_once || written_at.elapsed() > WRITE_EVERY) {
                return;
            }
            (*written, *written_at) = (mark.clone(), Instant::now());
            mark.clone()
        };
        let written = Written { epoch: mark.epoch, serial: mark.serial, told_until: mark.told_until.0 };
        let written = replace_file(&self.path, |out| Ok(serde_json::to_writer(out, &written)?));
        if let Err(error) = written {
            say!("palisade: {error}");
        }
    }

    /// Makes one entry stand as it does elsewhere. Gives what changed here.
    fn stand(&self, lists: &mut Lists, record: Record, word: Word, now: Moment) -> Option<Change> {
        let here = lists.record(&record.id);
        if word == Word::News && here.as_ref().is_some_and(|here| here.beats(&record, now)) {
            return None;
        }
        let by: Arc<str> = if record.by.is_empty() { "elsewhere".into() } else { record.by.clone() };
        let Some(entry) = record.entry else {
            let entry = lists.remove(&record.id, record.at, &by)?;
            return Some(Change { at: record.at, what: What::Removed, entry, by });
        };
        let is_same = here.and_then(|here| here.entry).as_ref() == Some(&entry);
        if is_same || entry.is_over(now) || self.is_spared(&entry) {
            return None;
        }
        // Where there is no room for it, it stands elsewhere all the same.
        add(lists, &entry, now, &by).ok()?
    }

    fn is_spared(&self, entry: &Entry) -> bool {
        let Subject::Network(network) = entry.subject else { return false };
        let spares = |address: IpAddr| self.spared.holds(address) || self.store.live.is_shared(address);
        entry.origin == Origin::Automatic && spares(network.address())
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl palisade_shared::Lists for CommonLists {
    fn now(&self) -> Moment {
        now()
    }

    fn record(&self, id: &EntryId) -> Option<Record> {
        self.store.live.read().record(id)
    }

    fn entries_from(&self, number: u64, most: usize) -> (Vec<Entry>, Option<u64>) {
        self.store.live.read().entries_from(number, most)
    }

    fn removed(&self) -> Vec<Record> {
        let lists = self.store.live.read();
        let gone = lists.tombstones().filter(|gone| !gone.id.in_file);
        gone.map(|gone| Record { id: gone.id, at: gone.at, entry: None, by: "".into() }).collect()
    }

    fn take(&self, records: Vec<Record>, word: Word) {
        let now = now();
        let mut journal = self.store.journal();
        let changes: Vec<Change> = self.store.live.change(|lists| {
            records.into_iter().filter_map(|record| self.stand(lists, record, word, now)).collect()
        });
        if let Err(error) = keep(&mut journal, &changes, false) {
            say!("palisade: {error:#}");
        }
    }

    fn mark(&self) -> Mark {
        self.marks().mark.clone()
    }

    fn keep_mark(&self, mark: Mark) {
        self.marks().mark = mark;
    }
}
