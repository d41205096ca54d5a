//! Targets for recordings: files and archives that somebody else may have written.

use palisade_events::recording::{Broken, Har, Key, Recorded, RecordingFile};

/// One byte of options (bit 0: there is a key), the bytes of a recording's file.
pub fn recording_file(input: &[u8]) {
    let Some((options, bytes)) = input.split_first() else { return };
    let key = (options & 1 == 1).then(|| Key::from_file(&[7; 32]).expect("32 bytes are a key"));
    let mut file = match RecordingFile::read(bytes, key.as_ref()) {
        Ok(file) => file,
        Err(broken) => {
            assert!(!matches!(broken, Broken::Io(_)), "bytes in memory can be read: {broken}");
            return;
        }
    };
    let mut before = file.bytes_read();
    loop {
        match file.next_record() {
            Ok(Some(record)) => {
                assert!(file.bytes_read() > before && file.bytes_read() <= bytes.len() as u64);
                before = file.bytes_read();
                again(&record);
            }
            Ok(None) => {
                assert!(file.ended().is_some());
                return;
            }
            Err(broken) => {
                assert!(matches!(broken, Broken::Damaged(at) if at <= bytes.len() as u64), "{broken}");
                assert!(matches!(file.next_record(), Ok(None)), "nothing behind it is believed");
                return;
            }
        }
    }
}

/// The text of an HTTP archive.
pub fn har(input: &[u8]) {
    let Ok(mut har) = Har::read(input) else { return };
    let entries = har.entries();
    let mut requests = 0;
    for record in har.by_ref() {
        requests += 1;
        assert!(record.target.0.starts_with(b"/"), "{record:?}");
        assert!(record.body.len() <= 4 * input.len(), "a body of {} bytes", record.body.len());
        again(&record);
    }
    assert_eq!(requests + har.no_requests(), entries);
    assert_eq!(har.entries_read(), entries);
}

fn again(record: &Recorded) {
    let bytes = record.to_bytes();
    assert_eq!(Recorded::from_bytes(&bytes).as_ref(), Some(record), "it reads as what it is");
}
