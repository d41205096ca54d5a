//! Files that are whole, cut, broken, sealed, and written by a recorder under its bounds.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use palisade_model::{BodyForm, Redactor};
use proptest::prelude::*;

use super::file::{Frames, name_of};
use super::recorder::mask;
use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-recording-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(number: u32) -> Recorded {
    Recorded {
        id: format!("id-{number}"),
        at: 1_000 + u64::from(number),
        service: "shop".into(),
        client: Some("192.0.2.7:4711".parse().unwrap()),
        method: Text(b"POST".to_vec()),
        target: Text(b"/login?password=hunter2".to_vec()),
        version: Text(b"HTTP/1.1".to_vec()),
        headers: vec![(Text(b"Cookie".to_vec()), Text(b"sid=\xff\x00'quoted'".to_vec()))],
        body: format!("marker-{number} password=hunter2").into_bytes(),
        body_bytes: 20,
        decided: Decided { outcome: Outcome::Blocked, rules: vec![942_100], ..Decided::default() },
        ..Recorded::default()
    }
}

fn key(byte: u8) -> Key {
    Key::from_file(&[byte; 32]).unwrap()
}

fn written(records: u32, key: Option<&Key>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut frames = Frames::begin(&mut bytes, key, [7; 32], 12_345).unwrap();
    (0..records).for_each(|number| frames.write(&record(number).to_bytes()).unwrap());
    bytes
}

fn all(bytes: &[u8], key: Option<&Key>) -> (Vec<Recorded>, Result<Option<Ended>, Broken>) {
    let mut file = match RecordingFile::read(bytes, key) {
        Ok(file) => file,
        Err(broken) => return (Vec::new(), Err(broken)),
    };
    assert_eq!(file.begun(), 12_345);
    let mut records = Vec::new();
    loop {
        match file.next_record() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, Ok(file.ended())),
            Err(broken) => return (records, Err(broken)),
        }
    }
}

#[test]
fn what_is_written_is_read_with_a_key_and_without() {
    for key in [None, Some(key(1))] {
        let bytes = written(3, key.as_ref());
        let (records, ended) = all(&bytes, key.as_ref());
        assert_eq!(records, [0, 1, 2].map(record));
        assert_eq!(ended.unwrap(), Some(Ended::Whole));
        let shows = bytes.windows(6).any(|window| window == b"marker");
        assert_eq!(shows, key.is_none(), "a sealed file shows nothing");
    }
}

#[test]
fn a_wrong_key_a_missing_key_and_another_file_are_told_apart() {
    let sealed = written(1, Some(&key(1)));
    assert!(matches!(all(&sealed, Some(&key(2))).1, Err(Broken::WrongKey)));
    assert!(matches!(all(&sealed, None).1, Err(Broken::Sealed)));
    assert!(matches!(all(b"PNG and more", None).1, Err(Broken::NotOne)));
    assert!(matches!(all(b"", None).1, Err(Broken::NotOne)));
    let mut newer = written(1, None);
    newer[8] = 2;
    assert!(matches!(all(&newer, None).1, Err(Broken::Newer(2))));
    // A key too many is no mistake.
    assert_eq!(all(&written(1, None), Some(&key(1))).0.len(), 1);
}

#[test]
fn keys_are_bytes_or_hexadecimal_digits() {
    let hex = "01".repeat(32);
    assert_eq!(Key::from_file(hex.as_bytes()), Ok(key(1)));
    assert_eq!(Key::from_file(format!("{hex}\n").as_bytes()), Ok(key(1)));
    for not in [&b""[..], b"short", &[1; 31], &[1; 33], "0g".repeat(32).as_bytes()] {
        assert_eq!(Key::from_file(not), Err(KeyError), "{not:?}");
    }
    assert!(!format!("{:?}", key(1)).contains('1'), "a key is not printed");
}

#[test]
fn a_file_cut_anywhere_gives_the_whole_records_before_the_cut() {
    for key in [None, Some(key(1))] {
        let bytes = written(3, key.as_ref());
        let ends: Vec<usize> = (0..=3).map(|count| written(count, key.as_ref()).len()).collect();
        for cut in ends[0]..bytes.len() {
            let (records, ended) = all(&bytes[..cut], key.as_ref());
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(records.len(), whole, "cut at {cut}");
            let how = if ends.contains(&cut) { Ended::Whole } else { Ended::InFrame };
            assert_eq!(ended.unwrap(), Some(how), "cut at {cut}");
        }
    }
}

#[test]
fn a_changed_byte_is_seen_and_nothing_behind_it_is_believed() {
    for key in [None, Some(key(1))] {
        let bytes = written(2, key.as_ref());
        let begin = written(0, key.as_ref()).len();
        for at in begin..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let (records, ended) = all(&changed, key.as_ref());
            assert!(records.len() < 2, "byte {at}");
            let seen = matches!(ended, Err(Broken::Damaged(_)) | Ok(Some(Ended::InFrame)));
            assert!(seen, "byte {at}: {ended:?}");
            records.iter().for_each(|read| assert_eq!(*read, record(0), "byte {at}"));
        }
    }
}

#[test]
fn a_sealed_frame_holds_only_in_its_own_place_of_its_own_file() {
    let key = key(1);
    let bytes = written(2, Some(&key));
    let ends: Vec<usize> = (0..=2).map(|count| written(count, Some(&key)).len()).collect();
    // The second record in place of the first.
    let moved = [&bytes[..ends[0]], &bytes[ends[1]..]].concat();
    assert!(matches!(all(&moved, Some(&key)), (records, Err(Broken::Damaged(_))) if records.is_empty()));
    // Another file's head.
    let mut other = bytes.clone();
    other[12] ^= 1;
    assert!(matches!(RecordingFile::read(&other[..], Some(&key)), Err(Broken::WrongKey)));
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    let mut bytes = written(0, None);
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend([0; 4]);
    assert!(matches!(all(&bytes, None).1, Err(Broken::Damaged(_))));
    let mut bytes = written(0, None);
    bytes.extend((60u32 << 20).to_le_bytes());
    bytes.extend([0; 4]);
    assert!(matches!(all(&bytes, None).1, Ok(Some(Ended::InFrame))));
}

fn start(folder: &Folder, age: Duration, bytes_max: u64, key: Option<Key>) -> Recorder {
    let bounds = RecordBounds { age, bytes_max };
    Recorder::start(&folder.0, bounds, key, Box::new(|_| {})).unwrap()
}

fn to_record(record: Recorded) -> ToRecord {
    ToRecord { record, redactor: Redactor::new(), form: BodyForm::Form }
}

/// All records of a folder.
fn read(folder: &Folder, key: Option<&Key>) -> Vec<Recorded> {
    let files = recordings(&folder.0).unwrap();
    let mut records = Vec::new();
    for file in files {
        let mut file = RecordingFile::open(&file, key).unwrap();
        while let Some(record) = file.next_record().unwrap() {
            records.push(record);
        }
    }
    records
}

#[test]
fn a_recorder_masks_seals_and_writes_for_its_owner_alone() {
    let folder = Folder::new("seals");
    let recorder = start(&folder, Duration::from_secs(3600), 1 << 20, Some(key(3)));
    (0..50).for_each(|number| recorder.record(to_record(record(number))));
    assert!(recorder.end_within(Duration::from_secs(20)));
    assert_eq!(recorder.counts().written, 50);
    let records = read(&folder, Some(&key(3)));
    assert_eq!(records.len(), 50);
    for read in &records {
        assert_eq!(read.target, Text(b"/login?password=maskeda1".to_vec()));
        assert_eq!(read.masked, ["target", "header:cookie", "body"]);
        assert_eq!(read.not_plain, ["header:cookie"], "it had quotes");
        assert!(!format!("{read:?}").contains("hunter2"));
    }
    for file in recordings(&folder.0).unwrap() {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            !bytes
                .windows(6)
                .any(|window| window == b"marker" || window == b"id-1\"," || window == b"/login")
        );
    }
    assert_eq!(std::fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o700);
    // Another process writes another file, and what was there stays.
    let again = start(&folder, Duration::from_secs(3600), 1 << 20, Some(key(3)));
    again.record(to_record(record(99)));
    assert!(again.end_within(Duration::from_secs(20)));
    assert_eq!(read(&folder, Some(&key(3))).len(), 51);
}

#[test]
fn the_oldest_go_where_there_are_too_many_bytes_and_where_their_time_is_over() {
    let folder = Folder::new("bounds");
    std::fs::create_dir_all(&folder.0).unwrap();
    // One of a process before, long over; and something that is not ours.
    let old = folder.0.join(name_of(1_000, 0));
    std::fs::write(&old, written(1, None)).unwrap();
    std::fs::write(folder.0.join("notes.txt"), "mine").unwrap();
    let bytes_max = 200 * 1024;
    let recorder = start(&folder, Duration::from_secs(3600), bytes_max, None);
    let body = vec![b'x'; 4096];
    for number in 0..200 {
        recorder.record(to_record(Recorded { body: body.clone(), ..record(number) }));
    }
    assert!(recorder.end_within(Duration::from_secs(20)));
    assert!(!old.exists(), "its time is over");
    assert!(folder.0.join("notes.txt").exists());
    let files = recordings(&folder.0).unwrap();
    let bytes: u64 = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    assert!(bytes <= bytes_max + bytes_max / 8, "{bytes}");
    let kept = read(&folder, None);
    assert!(kept.len() >= 20 && kept.len() < 60, "{}", kept.len());
    assert_eq!(kept.last().unwrap().id, "id-199", "the newest are there");
}

#[test]
fn a_disk_that_cannot_be_written_loses_copies_and_nothing_else_and_is_tried_again() {
    let folder = Folder::new("disk");
    let recorder = start(&folder, Duration::from_secs(3600), 1 << 20, None);
    std::fs::remove_dir_all(&folder.0).unwrap();
    // A file where the folder was: nothing can be made in it.
    std::fs::write(&folder.0, "").unwrap();
    recorder.record(to_record(record(0)));
    let until = Instant::now() + Duration::from_secs(30);
    while recorder.counts().failed < 1 {
        assert!(Instant::now() < until, "{:?}", recorder.counts());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(&folder.0).unwrap();
    std::fs::create_dir_all(&folder.0).unwrap();
    while recorder.counts().written < 1 {
        assert!(Instant::now() < until, "{:?}", recorder.counts());
        recorder.record(to_record(record(1)));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(recorder.end_within(Duration::from_secs(20)));
    assert!(!read(&folder, None).is_empty());
}

#[test]
fn a_queue_that_is_full_drops_and_counts() {
    let folder = Folder::new("queue");
    let recorder = start(&folder, Duration::from_secs(3600), 1 << 30, None);
    let body = vec![b'x'; 3 << 20];
    let all = 200;
    for number in 0..all {
        recorder.record(to_record(Recorded { body: body.clone(), ..record(number) }));
    }
    assert!(recorder.end_within(Duration::from_secs(60)));
    let counts = recorder.counts();
    assert_eq!(counts.written + counts.dropped, u64::from(all), "{counts:?}");
    assert!(counts.dropped > 0 && counts.written > 0, "{counts:?}");
}

proptest! {
    #[test]
    fn any_record_reads_as_it_was(
        target: Vec<u8>, headers: Vec<(Vec<u8>, Vec<u8>)>, body: Vec<u8>, id: String, rules: Vec<u64>, sealed: bool,
    ) {
        let headers = headers.into_iter().map(|(name, value)| (Text(name), Text(value))).collect();
        let decided = Decided { rules, ..Decided::default() };
        let record = Recorded { target: Text(target), headers, body, id, decided, ..Recorded::default() };
        let key = sealed.then(|| key(9));
        let mut bytes = Vec::new();
        let mut frames = Frames::begin(&mut bytes, key.as_ref(), [1; 32], 12_345).unwrap();
        frames.write(&record.to_bytes()).unwrap();
        let (records, ended) = all(&bytes, key.as_ref());
        prop_assert_eq!(records, [record]);
        prop_assert_eq!(ended.unwrap(), Some(Ended::Whole));
    }

    #[test]
    fn masking_keeps_what_is_no_secret(path in "/[a-z]{0,20}", value in "[ -~]{0,40}") {
        let record = Recorded {
            target: Text(path.clone().into_bytes()),
            headers: vec![(Text(b"X-Note".to_vec()), Text(value.clone().into_bytes()))],
            ..Recorded::default()
        };
        let redactor = Redactor::new();
        let secret = redactor.finds_secrets_in(value.as_bytes());
        let masked = mask(ToRecord { record: record.clone(), redactor, form: BodyForm::Text });
        prop_assert_eq!(&masked.target, &record.target);
        prop_assert_eq!(masked.headers == record.headers, !secret || masked.masked.is_empty());
    }
}
