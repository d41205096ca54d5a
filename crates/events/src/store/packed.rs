//! Records as they lie in a file: what repeats is said once.
//!
//! A record's JSON says much that the records before it said: keys, messages of rules, names of files, the client's program.
//! Each file has a dictionary of each table, the first records that were written to it, and a record is a sequence of pieces:
//! bytes of its own, and runs that stood in the dictionary or earlier in itself (LZ77, laid out as LZ4 does). A fifth of its
//! bytes is left, as a rule. Whoever has the file has the dictionary, and each record is read by itself.
//!
//! ```text
//!  record    form (1 byte: 1, or 2 with the dictionary), length of the text (varint), pieces
//!  piece     own bytes (high nibble) and run - 4 (low nibble) in one byte; 15: a varint follows that is added to it;
//!            own bytes; distance back to the run (varint). The last piece ends with its own bytes.
//! ```
//!
//! What is read is not taken on trust: a file may be damaged, and nothing in it makes a text longer than [`TEXT_BYTES_MAX`].

use std::fmt;

const FORM_ALONE: u8 = 1;
const FORM_WITH_DICTIONARY: u8 = 2;
/// A run is at least so long.
const RUN_MIN: usize = 4;
/// Bytes of a dictionary at most: what finds runs in it stays in a processor's cache.
const DICTIONARY_BYTES_MAX: usize = 32 * 1024;
/// So many records make a dictionary, unless they are large.
const DICTIONARY_RECORDS: usize = 24;
/// A text is no longer; records are bounded far below it.
const TEXT_BYTES_MAX: usize = 64 << 20;
const SLOT_BITS: u32 = 14;
const OWN_SLOT_BITS: u32 = 10;
const EMPTY: u32 = u32::MAX;

/// Packs the records of a table in a file.
pub(super) struct Packer {
    dictionary: Vec<u8>,
    /// Where in the dictionary four bytes stood last, by their hash.
    slots: Box<[u32]>,
    /// The same in the record.
    own_slots: Box<[u32]>,
    /// Records that are to become the dictionary, where there is none.
    sample: Vec<u8>,
    sampled: usize,
}

impl Packer {
    /// With the file's dictionary, which is empty where it has none yet.
    pub(super) fn new(dictionary: Vec<u8>) -> Self {
        let mut slots = vec![EMPTY; 1 << SLOT_BITS].into_boxed_slice();
        for at in 0..dictionary.len().saturating_sub(RUN_MIN - 1) {
            slots[slot(&dictionary[at..], SLOT_BITS)] = at as u32;
        }
        let own_slots = vec![EMPTY; 1 << OWN_SLOT_BITS].into_boxed_slice();
        Self { dictionary, slots, own_slots, sample: Vec::new(), sampled: 0 }
    }

    /// Learns from a record that is to be packed. Gives the dictionary, once: whoever gets it puts it into the file.
    pub(super) fn learn(&mut self, text: &str) -> Option<&[u8]> {
        if !self.dictionary.is_empty() {
            return None;
        }
        let room = DICTIONARY_BYTES_MAX - self.sample.len();
        self.sample.extend_from_slice(&text.as_bytes()[..text.len().min(room)]);
        self.sampled += 1;
        if self.sampled < DICTIONARY_RECORDS && self.sample.len() < DICTIONARY_BYTES_MAX {
            return None;
        }
        *self = Self::new(std::mem::take(&mut self.sample));
        Some(&self.dictionary)
    }

    /// Packs a text. O(n), but for runs that are looked at twice.
    pub(super) fn pack(&mut self, text: &str) -> Vec<u8> {
        let text = text.as_bytes();
        self.own_slots.fill(EMPTY);
        let mut packed = Vec::with_capacity(text.len() / 4 + 16);
        packed.push(if self.dictionary.is_empty() { FORM_ALONE } else { FORM_WITH_DICTIONARY });
        push_number(&mut packed, text.len());
        let (mut at, mut own_from) = (0, 0);
        while at + RUN_MIN <= text.len() {
            let Some((run, distance)) = self.run_at(text, at) else {
                at += 1;
                continue;
            };
            push_piece(&mut packed, &text[own_from..at], Some((run, distance)));
            let next = at + run;
            // So many of a run's own bytes are found again as are worth it.
            for known in (at + 1..next.min(text.len().saturating_sub(RUN_MIN - 1))).step_by(2) {
                self.own_slots[slot(&text[known..], OWN_SLOT_BITS)] = known as u32;
            }
            (at, own_from) = (next, next);
        }
        push_piece(&mut packed, &text[own_from..], None);
        packed
    }

    /// The longest of the runs that are known for this place, and how far back it is.
    fn run_at(&mut self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let own = &mut self.own_slots[slot(&text[at..], OWN_SLOT_BITS)];
        let earlier = std::mem::replace(own, at as u32);
        let mut found = None;
        if earlier != EMPTY {
            let earlier = earlier as usize;
            let run = common(&text[earlier..], &text[at..]);
            found = (run >= RUN_MIN).then_some((run, at - earlier));
        }
        let place = self.slots[slot(&text[at..], SLOT_BITS)];
        if place != EMPTY {
            let place = place as usize;
            let run = common(&self.dictionary[place..], &text[at..]);
            if run >= RUN_MIN && found.is_none_or(|(longest, _)| run > longest) {
                found = Some((run, at + self.dictionary.len() - place));
            }
        }
        found
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("dictionary_bytes", &self.dictionary.len()).finish_non_exhaustive()
    }
}

/// The text of a packed record; `None` of what is none, or was packed with another dictionary that is shorter.
pub(super) fn unpack(packed: &[u8], dictionary: &[u8]) -> Option<String> {
    let (form, mut rest) = packed.split_first()?;
    let dictionary = match *form {
        FORM_ALONE => &[],
        FORM_WITH_DICTIONARY => dictionary,
        _ => return None,
    };
    let length = take_number(&mut rest).filter(|length| *length <= TEXT_BYTES_MAX)?;
    // What a head promises is not taken before it comes.
    let mut text: Vec<u8> = Vec::with_capacity(length.min(1 << 14));
    loop {
        let (both, after) = rest.split_first()?;
        rest = after;
        let own = take_length(usize::from(both >> 4), &mut rest)?;
        let run = take_length(usize::from(both & 15), &mut rest)?.checked_add(RUN_MIN)?;
        text.extend_from_slice(rest.get(..own)?);
        rest = &rest[own..];
        if rest.is_empty() {
            return (text.len() == length).then(|| String::from_utf8(text).ok())?;
        }
        let distance = take_number(&mut rest).filter(|distance| *distance > 0)?;
        if text.len() + run > length {
            return None;
        }
        match distance.checked_sub(text.len()) {
            None | Some(0) => copy_own(&mut text, distance, run),
            Some(into_dictionary) => {
                let from = dictionary.len().checked_sub(into_dictionary)?;
                text.extend_from_slice(dictionary.get(from..from + run)?);
            }
        }
    }
}

/// Repeats what stands so far back; a run may be longer than its distance.
fn copy_own(text: &mut Vec<u8>, distance: usize, run: usize) {
    let from = text.len() - distance;
    if distance >= run {
        text.extend_from_within(from..from + run);
    } else {
        (from..from + run).for_each(|at| text.push(text[at]));
    }
}

fn push_piece(packed: &mut Vec<u8>, own: &[u8], run: Option<(usize, usize)>) {
    let beyond = run.map_or(0, |(run, _)| run - RUN_MIN);
    packed.push((own.len().min(15) << 4 | beyond.min(15)) as u8);
    for length in [own.len(), beyond] {
        if length >= 15 {
            push_number(packed, length - 15);
        }
    }
    packed.extend_from_slice(own);
    if let Some((_, distance)) = run {
        push_number(packed, distance);
    }
}

fn take_length(nibble: usize, from: &mut &[u8]) -> Option<usize> {
    if nibble < 15 { Some(nibble) } else { take_number(from)?.checked_add(15) }
}

/// Seven bits a byte, the least first.
pub(super) fn push_number(to: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

pub(super) fn take_number(from: &mut &[u8]) -> Option<usize> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

fn slot(bytes: &[u8], bits: u32) -> usize {
    let four = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes are four"));
    // Knuth's multiplicative hashing: the upper bits are those that are well mixed.
    (four.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8));
    let same = words.take_while(|(a, b)| a == b).count() * 8;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn learnt(records: &[String]) -> Packer {
        let mut packer = Packer::new(Vec::new());
        records.iter().for_each(|record| {
            packer.learn(record);
        });
        packer
    }

    fn event(number: usize) -> String {
        format!(
            "{{\"kind\":\"waf\",\"source\":{{\"ip\":\"203.0.{}.{}\"}},\"path\":\"/item/{number:x}\",\"rules\":[{{\"id\":\"942100\",\
             \"message\":\"SQL Injection Attack Detected via libinjection\"}}],\"request_id\":\"{:032x}\"}}",
            number / 256,
            number % 256,
            number * 7919
        )
    }

    #[test]
    fn records_like_those_before_them_take_a_fraction() {
        let mut packer = learnt(&(0..DICTIONARY_RECORDS).map(event).collect::<Vec<_>>());
        let text = event(4711);
        let packed = packer.pack(&text);
        assert_eq!(unpack(&packed, &packer.dictionary).as_ref(), Some(&text));
        assert!(packed.len() * 3 < text.len(), "{} of {}", packed.len(), text.len());
        // Another file's dictionary gives another text or none, and no panic.
        assert_ne!(unpack(&packed, b""), Some(text));
    }

    #[test]
    fn a_dictionary_is_learnt_once_and_never_too_large() {
        let mut packer = Packer::new(Vec::new());
        assert!(packer.learn("short").is_none());
        let long = "x".repeat(DICTIONARY_BYTES_MAX * 2);
        assert_eq!(packer.learn(&long).map(<[u8]>::len), Some(DICTIONARY_BYTES_MAX));
        assert!(packer.learn(&long).is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(records in prop::collection::vec("([a-c]{0,9}|\\PC{0,40}){0,12}", 0..40), text in "([a-c]{0,9}|\\PC{0,40}){0,12}") {
            let mut packer = learnt(&records);
            for text in records.iter().chain([&text]) {
                let packed = packer.pack(text);
                prop_assert_eq!(unpack(&packed, &packer.dictionary), Some(text.clone()));
            }
        }

        #[test]
        fn what_is_damaged_is_nothing_or_another_text(flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6), cut in any::<usize>()) {
            let mut packer = learnt(&(0..DICTIONARY_RECORDS).map(event).collect::<Vec<_>>());
            let mut packed = packer.pack(&event(99));
            for (at, byte) in flips {
                let at = at % packed.len();
                packed[at] ^= byte;
            }
            let _ = unpack(&packed, &packer.dictionary);
            let _ = unpack(&packed[..cut % packed.len()], &packer.dictionary);
        }
    }
}
