//! Attacks, one a line: `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH` are escapes, `## ` begins a comment, `@place` says where the
//! following ones stand (`@` alone: wherever values stand), and what follows `@known-misses` is known to pass.

use std::path::Path;

use crate::places::Place;

/// The attacks of one kind.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}

pub(crate) struct Case {
    /// As it is written.
    pub(crate) shown: String,
    pub(crate) payload: Vec<u8>,
    /// Its only place; everywhere when absent.
    pub(crate) place: Option<Place>,
    pub(crate) is_known_miss: bool,
}

pub(crate) fn read(folder: &Path) -> Vec<File> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the variants").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).unwrap();
        let (mut cases, mut place, mut is_known_miss) = (Vec::new(), None, false);
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("## ")) {
            match line.strip_prefix('@') {
                Some("known-misses") => (is_known_miss, place) = (true, None),
                Some("") => place = None,
                Some(name) if name.bytes().all(|byte| byte.is_ascii_lowercase() || b"- ".contains(&byte)) => {
                    place = Some(Place::from_name(name));
                }
                _ => cases.push(Case { shown: line.into(), payload: unescaped(line), place, is_known_miss }),
            }
        }
        File { name: path.file_stem().unwrap().to_str().unwrap().to_owned(), cases }
    });
    files.collect()
}

fn unescaped(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let (value, taken) = match (byte, tail) {
            (b'\\', [b'n', ..]) => (b'\n', 1),
            (b'\\', [b'r', ..]) => (b'\r', 1),
            (b'\\', [b't', ..]) => (b'\t', 1),
            (b'\\', [b'0', ..]) => (0, 1),
            (b'\\', [b'\\', ..]) => (b'\\', 1),
            (b'\\', [b'x', high, low, ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two digits");
                (u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("\\x{digits} in {line}")), 3)
            }
            _ => (*byte, 0),
        };
        out.push(value);
        rest = &rest[taken..];
    }
    out
}
