//! The file that keeps the lists: one JSON object a line, changes appended as they are made.
//!
//! ```text
//!   {"what":"entry",...}    an entry, as it stood when the file was last put in order
//!   {"what":"past",...}     a change that was made by then, for the history alone
//!   {"what":"added",...}    changes since: added, replaced, removed
//! ```
//!
//! When it has grown to more than twice of what it says, it is written anew beside itself and put in its own place. A line
//! that a crash cut short is dropped, since nobody was told that its change was made.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_dataplane::LiveLists;
use palisade_events::replace_file;
use palisade_lists::{Change, Line, Listing, Lists, Moment, Origin, What};

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    /// Something was written that may not be on the disk yet.
    unsynced: bool,
}

const FILE: &str = "lists.jsonl";
/// Lines beyond twice what the lists hold that do not matter.
const SPARE_LINES: usize = 10_000;

impl Journal {
    /// Fills lists with what the file of a folder says. Gives what there is to say about it.
    pub(super) fn open(folder: &Path, lists: &mut Lists, now: Moment) -> Result<(Self, Vec<String>)> {
        let path = folder.join(FILE);
        let context = || format!("{}: lists cannot be kept there", path.display());
        let file = File::options().read(true).append(true).create(true).open(&path).with_context(context)?;
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let (mut line, mut lines, mut broken, mut good_bytes) = (Vec::new(), 0, 0, 0_u64);
        // Long lists have few reasons.
        let mut last_reason: Arc<str> = "".into();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).with_context(context)?;
            if read == 0 || line.last() != Some(&b'\n') {
                break;
            }
            good_bytes += read as u64;
            lines += 1;
            let read = Line::read(&line, &mut last_reason);
            if read.and_then(|line| Self::apply(lists, line, now)).is_none() {
                broken += 1;
            }
        }
        let mut told = Vec::new();
        if broken > 0 {
            told.push(format!("{}: {broken} lines could not be read and are passed over", path.display()));
        }
        if file.metadata().with_context(context)?.len() > good_bytes {
            told.push(format!("{}: its last line was cut short and is dropped", path.display()));
            file.set_len(good_bytes).with_context(context)?;
        }
        (&file).seek(SeekFrom::End(0)).with_context(context)?;
        Ok((Self { path, file, lines, unsynced: false }, told))
    }

    /// Applies a line; `None` where there is no room.
    fn apply(lists: &mut Lists, line: Line, now: Moment) -> Option<()> {
        match line {
            // One of the file that is over stays, so that the file does not bring it back.
            Line::Entry(entry) if entry.is_over(now) && entry.origin != Origin::File => {}
            Line::Entry(entry) => lists.restore(entry).ok()?,
            Line::Past(change) => lists.remember(change),
            Line::Change(Change { at, what, entry, by }) => match what {
                What::Removed | What::Expired => {
                    lists.remove(&entry.id(), at, &by);
                }
                What::Added | What::Replaced => {
                    lists.add(entry, at, &by).ok()?;
                }
            },
        }
        Some(())
    }

    /// Appends changes. `sync`: they are on the disk when this returns.
    pub(super) fn append(&mut self, changes: &[Change], sync: bool) -> Result<()> {
        let mut text = Vec::with_capacity(changes.len() * 160);
        for change in changes {
            Line::Change(change.clone()).write(&mut text);
        }
        self.file.write_all(&text)?;
        self.lines += changes.len();
        self.unsynced = true;
        if sync { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Brings to the disk what is written, and writes the file anew where most of it is about what is no more.
    pub(super) fn tidy(&mut self, live: &LiveLists) -> Result<()> {
        self.sync().with_context(|| format!("{}: lists cannot be kept", self.path.display()))?;
        let held: usize = Listing::ALL.into_iter().map(|list| live.read().len(list)).sum();
        if self.lines > 2 * (held + live.read().changes().count()) + SPARE_LINES {
            self.rewrite(live)
                .with_context(|| format!("{}: it cannot be written anew", self.path.display()))?;
        }
        Ok(())
    }

    fn rewrite(&mut self, live: &LiveLists) -> Result<()> {
        let lines = replace_file(&self.path, |out| {
            // Whoever changes the lists holds the journal, so nobody waits for this but readers' readers.
            let lists = live.read();
            let mut past: Vec<&Change> = lists.changes().collect();
            past.reverse();
            let past = past.into_iter().map(|change| Line::Past(change.clone()));
            let lines = past.chain(lists.entries().map(Line::Entry));
            lines.map(|line| write_line(out, line)).try_fold(0, |lines, written| written.map(|()| lines + 1))
        })?;
        self.file = File::options().read(true).append(true).open(&self.path)?;
        self.lines = lines;
        Ok(())
    }
}

fn write_line(out: &mut impl std::io::Write, line: Line) -> std::io::Result<()> {
    let mut text = Vec::with_capacity(160);
    line.write(&mut text);
    out.write_all(&text)
}

#[cfg(test)]
mod tests {
    use palisade_lists::{Entry, Limits, Scope};

    use super::*;

    const NOW: Moment = Moment(1_000_000);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("palisade-lists-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn lists() -> Lists {
        Lists::new(Limits::default())
    }

    fn added(subject: &str, expires: Option<u64>) -> Change {
        let entry = Entry {
            list: Listing::Deny,
            subject: subject.parse().unwrap(),
            scope: Scope::of(vec![7]).unwrap(),
            origin: Origin::Api,
            reason: "a \"reason\"".into(),
            created: NOW,
            expires: expires.map(Moment),
        };
        Change { at: NOW, what: What::Added, entry, by: "somebody".into() }
    }

    fn read(folder: &Folder) -> (Lists, Journal, Vec<String>) {
        let mut lists = lists();
        let (journal, told) = Journal::open(&folder.0, &mut lists, NOW).unwrap();
        (lists, journal, told)
    }

    #[test]
    fn what_was_kept_is_there_again_and_what_was_taken_away_is_not() {
        let folder = Folder::new("kept");
        let (mut lists, mut journal, _) = read(&folder);
        let changes =
            [added("192.0.2.1", None), added("2001:db8::/32", Some(2_000_000)), added("NL", Some(5))];
        for change in &changes {
            lists.add(change.entry.clone(), NOW, &change.by).unwrap();
        }
        journal.append(&changes, true).unwrap();
        let removed = Change { what: What::Removed, ..added("192.0.2.1", None) };
        journal.append(std::slice::from_ref(&removed), true).unwrap();
        let (again, _, told) = read(&folder);
        assert_eq!(told, [] as [&str; 0]);
        assert_eq!(again.get(&changes[1].entry.id()), Some(changes[1].entry.clone()));
        assert_eq!(again.get(&changes[0].entry.id()), None);
        assert_eq!(again.gone_at(&changes[0].entry.id()), Some(NOW));
    }

    #[test]
    fn a_file_cut_anywhere_gives_every_whole_line_and_goes_on() {
        let folder = Folder::new("cut");
        let (_, mut journal, _) = read(&folder);
        journal.append(&[added("192.0.2.1", None), added("192.0.2.2", None)], true).unwrap();
        let whole = std::fs::read(folder.0.join(FILE)).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in 0..whole.len() {
            std::fs::write(folder.0.join(FILE), &whole[..cut]).unwrap();
            let (lists, mut journal, told) = read(&folder);
            assert_eq!(lists.len(Listing::Deny), usize::from(cut >= first), "cut at {cut}");
            assert_eq!(told.is_empty(), cut == 0 || cut == first);
            journal.append(&[added("192.0.2.3", None)], true).unwrap();
            let (lists, _, told) = read(&folder);
            assert_eq!((lists.len(Listing::Deny), told.len()), (1 + usize::from(cut >= first), 0));
        }
        std::fs::write(folder.0.join(FILE), [b"nonsense\n{}\n", &whole[..]].concat()).unwrap();
        let (lists, _, told) = read(&folder);
        assert_eq!(lists.len(Listing::Deny), 2);
        assert!(told[0].contains("2 lines could not be read"), "{told:?}");
    }

    #[test]
    fn a_file_that_says_mostly_what_is_no_more_is_written_anew() {
        let folder = Folder::new("anew");
        let live = LiveLists::default();
        let (mut journal, _) = live.change(|lists| Journal::open(&folder.0, lists, NOW)).unwrap();
        let change = added("192.0.2.1", None);
        live.change(|lists| lists.add(change.entry.clone(), NOW, &change.by)).unwrap();
        for _ in 0..3 {
            journal.append(&vec![change.clone(); 4_000], false).unwrap();
        }
        assert_eq!(journal.lines, 12_000);
        journal.tidy(&live).unwrap();
        assert_eq!(journal.lines, 2, "one entry, and the one change that is remembered");
        journal.append(&[added("192.0.2.2", None)], true).unwrap();
        let (lists, journal, told) = read(&folder);
        assert_eq!(
            (lists.len(Listing::Deny), lists.changes().count(), journal.lines, told.len()),
            (2, 2, 3, 0)
        );
    }
}
