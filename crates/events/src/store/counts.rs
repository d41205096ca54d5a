//! The counts of one family of sums as bytes: its actions by name, then each value with how many of which action.
//!
//! ```text
//!  how many actions, then for each: its length, its bytes
//!  for each value: its length, its bytes, how many actions it has, then for each: which, how many
//! ```
//!
//! All numbers are varints. The empty value is all others together.

use super::packed::{push_number, take_number};
use super::sums::Actions;

/// Counts as bytes.
pub(super) fn to_bytes<'c>(values: impl Iterator<Item = (&'c str, &'c Actions)> + Clone) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    for (action, _) in values.clone().flat_map(|(_, actions)| actions) {
        if !names.contains(&&**action) {
            names.push(action);
        }
    }
    let mut bytes = Vec::with_capacity(256);
    let push_text = |bytes: &mut Vec<u8>, text: &str| {
        push_number(bytes, text.len());
        bytes.extend_from_slice(text.as_bytes());
    };
    push_number(&mut bytes, names.len());
    names.iter().for_each(|name| push_text(&mut bytes, name));
    for (value, actions) in values {
        push_text(&mut bytes, value);
        push_number(&mut bytes, actions.len());
        for (action, count) in actions {
            push_number(&mut bytes, names.iter().position(|name| *name == &**action).unwrap_or_default());
            push_number(&mut bytes, *count as usize);
        }
    }
    bytes
}

/// Does something with each value, action and count; `None` where bytes are damaged, after those before.
pub(super) fn each(mut bytes: &[u8], mut work: impl FnMut(&str, &str, u64)) -> Option<()> {
    let actions = take_number(&mut bytes)?;
    let mut names = Vec::new();
    for _ in 0..actions {
        names.push(take_text(&mut bytes)?);
    }
    while !bytes.is_empty() {
        let value = take_text(&mut bytes)?;
        for _ in 0..take_number(&mut bytes)? {
            let name = names.get(take_number(&mut bytes)?)?;
            work(value, name, take_number(&mut bytes)? as u64);
        }
    }
    Some(())
}

fn take_text<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    let length = take_number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_what_they_were_and_what_is_cut_is_told() {
        let actions = |of: &[(&str, u64)]| -> Actions {
            of.iter().map(|(action, count)| ((*action).into(), *count)).collect()
        };
        let values = [
            ("", actions(&[("deny", 1)])),
            ("192.0.2.7", actions(&[("pass", 300), ("deny", u64::MAX >> 1)])),
        ];
        let bytes = to_bytes(values.iter().map(|(value, actions)| (*value, actions)));
        let read = |bytes: &[u8]| {
            let mut read = Vec::new();
            let whole =
                each(bytes, |value, action, count| read.push((value.to_owned(), action.to_owned(), count)));
            (whole, read.len(), read)
        };
        let (whole, count, all) = read(&bytes);
        assert_eq!((whole, count), (Some(()), 3));
        assert_eq!(all[2], ("192.0.2.7".into(), "deny".into(), u64::MAX >> 1));
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).1 <= 3);
        }
        assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f").0, None);
    }
}
