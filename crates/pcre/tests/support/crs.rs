//! The `@rx` patterns of the OWASP CRS at hand, and the texts of its regression tests.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::{Path, PathBuf};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/crs");

pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) pattern: Vec<u8>,
}

pub(crate) fn folder(version: &str) -> Option<PathBuf> {
    let folder = Path::new(SHARED).join(version);
    if folder.join("rules").is_dir() {
        return Some(folder);
    }
    println!("skipped: CRS {version} is not at ../shared/crs");
    None
}

/// The `@rx` operators of all rule files, macros aside. Reads just enough of the language for CRS.
pub(crate) fn rules(folder: &Path) -> Vec<Rule> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("rules"))
        .expect("the folder can be read")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "conf"))
        .collect();
    files.sort();
    let mut rules = Vec::new();
    for file in files {
        let text = std::fs::read(&file).expect("the file can be read");
        let text: Vec<u8> = text.iter().copied().filter(|b| *b != b'\r').collect();
        let mut id = String::new();
        for line in joined_lines(&text) {
            let line = line.trim_ascii_start();
            let Some(rest) = line.strip_prefix(b"SecRule ") else { continue };
            let Some(open) = rest.iter().position(|b| *b == b'"') else { continue };
            let mut operator = Vec::new();
            let mut i = open + 1;
            while i < rest.len() && rest[i] != b'"' {
                if rest[i] == b'\\' && rest.get(i + 1) == Some(&b'"') {
                    i += 1;
                }
                operator.push(rest[i]);
                i += 1;
            }
            let text = String::from_utf8_lossy(&rest[i.min(rest.len())..]).into_owned();
            if let Some(at) = text.find("id:") {
                id = text[at + 3..].chars().take_while(char::is_ascii_digit).collect();
            }
            let operator = operator.strip_prefix(b"!").unwrap_or(&operator);
            let Some(pattern) = operator.strip_prefix(b"@rx ") else { continue };
            if pattern.windows(2).any(|w| w == b"%{") {
                continue;
            }
            rules.push(Rule { id: id.clone(), pattern: pattern.to_vec() });
        }
    }
    rules
}

fn joined_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    for part in text.split(|b| *b == b'\n') {
        match part.strip_suffix(b"\\") {
            Some(part) => line.extend_from_slice(part),
            None => {
                line.extend_from_slice(part);
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    lines
}

/// The texts of CRS's regression tests: every scalar of every file, also percent-decoded.
pub(crate) fn test_texts(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut texts = Vec::new();
    let Ok(groups) = std::fs::read_dir(folder.join("tests")) else { return texts };
    let mut files: Vec<PathBuf> = groups
        .filter_map(Result::ok)
        .filter_map(|group| std::fs::read_dir(group.path()).ok())
        .flat_map(|files| files.filter_map(Result::ok).map(|file| file.path()))
        .collect();
    files.sort();
    for file in files {
        let rule = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read(&file).expect("the file can be read");
        for line in text.split(|b| *b == b'\n') {
            let Some(colon) = line.windows(2).position(|w| w == b": ") else { continue };
            let value = line[colon + 2..].trim_ascii();
            let value = match value {
                [quote @ (b'"' | b'\''), inner @ .., last] if quote == last => inner,
                value => value,
            };
            if value.len() < 2 {
                continue;
            }
            texts.push((rule.clone(), value.to_vec()));
            let decoded = percent_decoded(value);
            if decoded != value {
                texts.push((rule.clone(), decoded));
            }
        }
    }
    texts
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        let digits = text.get(i + 1..i + 3).and_then(|d| std::str::from_utf8(d).ok());
        match (text[i], digits.and_then(|d| u8::from_str_radix(d, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                i += 1;
            }
            (byte, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    out
}
