//! Our verdicts against libinjection's own, asked through libmodsecurity3's `@detectSQLi` and `@detectXSS`.
//!
//! Inputs: the texts of `../shared` (attacks and ordinary traffic, as written and percent-decoded), then mutations of
//! them and statements and tags thrown together from fragments. `PALISADE_ORACLE_CASES` sets how many of the latter
//! (default a million, some 15 seconds). The goal is no
//! difference at all, in verdict or fingerprint.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use palisade_codec::libinjection::{sqli, sqli_ungated, xss, xss_ungated};
use palisade_oracle::modsecurity::{ModSecurity, Rules};

/// Values asked in one transaction: each has a header and two rules of its own.
const BATCH: usize = 64;

/// Longer texts would only slow the mutations down.
const INPUT_LEN_MAX: usize = 600;

#[test]
fn verdicts_are_libinjections() {
    let Some(mut oracle) = Oracle::load() else { return };
    let corpus = corpus();
    let corpus_tally = oracle.compare(corpus.iter().cloned());

    let cases: usize =
        std::env::var("PALISADE_ORACLE_CASES").map_or(1_000_000, |n| n.parse().expect("a number"));
    let mut mutator = Mutator { random: Random(0x9E37_79B9_7F4A_7C15), corpus: &corpus };
    let mutated_tally = oracle
        .compare(std::iter::repeat_with(|| mutator.input()).filter(|input| !input.is_empty()).take(cases));

    println!("texts at hand: {corpus_tally:?}");
    println!("mutated: {mutated_tally:?}");
    for tally in [&corpus_tally, &mutated_tally] {
        assert_eq!(tally.differences, 0, "see above");
    }
    // A run in which the oracle says yes to nothing, or to everything, would prove nothing.
    let asked = mutated_tally.asked;
    assert_eq!(asked, cases);
    for attacks in [mutated_tally.sqli, mutated_tally.xss] {
        assert!(attacks * 200 > asked && attacks * 2 < asked, "{attacks} of {asked} are attacks");
    }
}

#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    /// How many the oracle calls SQL injection.
    sqli: usize,
    /// How many the oracle calls cross-site scripting.
    xss: usize,
    differences: usize,
}

struct Oracle {
    rules: Rules,
}

impl Oracle {
    fn load() -> Option<Self> {
        let modsecurity = ModSecurity::load().inspect_err(|why| println!("skipped: {why}")).ok()?;
        let mut text = String::from("SecRuleEngine On\n");
        for slot in 0..BATCH {
            let (sqli, xss) = (2 * slot + 1, 2 * slot + 2);
            let actions = "phase:1,pass,log,t:none";
            text += &format!(
                "SecRule REQUEST_HEADERS:x{slot} \"@detectSQLi\" \"id:{sqli},{actions},capture,logdata:'%{{TX.0}}'\"\n\
                 SecRule REQUEST_HEADERS:x{slot} \"@detectXSS\" \"id:{xss},{actions}\"\n"
            );
        }
        Some(Self { rules: modsecurity.rules(&text).expect("the rules are valid") })
    }

    fn compare(&mut self, inputs: impl Iterator<Item = Vec<u8>>) -> Tally {
        let mut tally = Tally::default();
        let mut inputs = inputs.filter(|input| !input.is_empty()).peekable();
        while inputs.peek().is_some() {
            let batch: Vec<Vec<u8>> = inputs.by_ref().take(BATCH).collect();
            for (input, theirs) in batch.iter().zip(self.ask(&batch)) {
                tally.asked += 1;
                tally.sqli += usize::from(theirs.fingerprint.is_some());
                tally.xss += usize::from(theirs.xss);
                let ours =
                    Verdict { fingerprint: sqli(input).map(|found| found.to_string()), xss: xss(input) };
                let ungated = Verdict {
                    fingerprint: sqli_ungated(input).map(|found| found.to_string()),
                    xss: xss_ungated(input),
                };
                if ours != theirs || ungated != theirs {
                    tally.differences += 1;
                    if tally.differences <= 20 {
                        println!(
                            "{}\n  libinjection {theirs:?}\n  ours {ours:?}\n  ungated {ungated:?}",
                            input.escape_ascii()
                        );
                    }
                }
            }
        }
        tally
    }

    fn ask(&self, batch: &[Vec<u8>]) -> Vec<Verdict> {
        let mut transaction = self.rules.transaction();
        for (slot, input) in batch.iter().enumerate() {
            transaction.add_request_header(format!("x{slot}").as_bytes(), input);
        }
        transaction.process_request_headers();
        let mut verdicts = vec![Verdict::default(); batch.len()];
        for line in transaction.log() {
            let id: usize =
                field(line, "id").and_then(|id| id.parse().ok()).expect("each line names its rule");
            let verdict = &mut verdicts[(id - 1) / 2];
            if id % 2 == 1 {
                verdict.fingerprint = Some(field(line, "data").unwrap_or_default().to_owned());
            } else {
                verdict.xss = true;
            }
        }
        verdicts
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Verdict {
    fingerprint: Option<String>,
    xss: bool,
}

/// The value of `[name "value"]` in a log line.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!(" [{name} \""))?;
    rest.split_once("\"]").map(|(value, _)| value)
}

/// The texts at hand, each also percent-decoded and cut at `&` and `=`.
fn corpus() -> Vec<Vec<u8>> {
    let mut texts: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut add = |text: &[u8]| {
        let decoded = percent_decode(text);
        let parts = text.split(|byte| matches!(byte, b'&' | b'='));
        texts.extend(parts.flat_map(|part| [part.to_vec(), percent_decode(part)]));
        texts.insert(percent_decode(&decoded));
        texts.insert(decoded);
        texts.insert(text.to_vec());
    };

    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = repository.join("../shared");
    for (file, key) in [
        ("detection/dev.jsonl", "payload"),
        ("detection/dev.jsonl", "req"),
        ("conformance/libinjection-tests.jsonl", "input"),
    ] {
        let lines = std::fs::read_to_string(shared.join(file)).unwrap_or_default();
        let before = lines.lines().count();
        for line in lines.lines() {
            let case: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            add_strings(&case[key], &mut add);
        }
        println!("{file} {key}: {before} lines{}", if before == 0 { " (absent, skipped)" } else { "" });
    }

    let mut files = Vec::new();
    yaml_files(&shared.join("crs/4.28.0/tests"), &mut files);
    println!(
        "crs/4.28.0/tests: {} files{}",
        files.len(),
        if files.is_empty() { " (absent, skipped)" } else { "" }
    );
    for file in files {
        // One scalar a line is all that matters here; a broken string is an input like any other.
        for line in std::fs::read(file).expect("listed a moment ago").split(|&byte| byte == b'\n') {
            if let Some(colon) = line.windows(2).position(|pair| pair == b": ") {
                let value = line[colon + 2..].trim_ascii();
                add(value);
                add(value
                    .strip_prefix(b"\"")
                    .and_then(|value| value.strip_suffix(b"\""))
                    .unwrap_or_default());
            } else {
                add(line.trim_ascii());
            }
        }
    }

    for line in include_str!("../../../testdata/libinjection/inputs.txt")
        .lines()
        .filter(|line| !line.starts_with("## "))
    {
        add(&percent_decode(line.as_bytes()));
    }
    texts.into_iter().filter(|text| text.len() < 20_000).collect()
}

fn add_strings(value: &serde_json::Value, add: &mut impl FnMut(&[u8])) {
    match value {
        serde_json::Value::String(text) => add(text.as_bytes()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| add_strings(item, add)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| add_strings(field, add)),
        _ => {}
    }
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// Decodes `%HH` and `+`; what is no escape stays.
fn percent_decode(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escape = (byte == b'%').then(|| digit(text.get(at + 1)).zip(digit(text.get(at + 2)))).flatten();
        match escape {
            Some((high, low)) => decoded.push((high << 4 | low) as u8),
            None => decoded.push(if byte == b'+' { b' ' } else { byte }),
        }
        at += if escape.is_some() { 3 } else { 1 };
    }
    decoded
}

struct Mutator<'c> {
    random: Random,
    corpus: &'c [Vec<u8>],
}

impl<'c> Mutator<'c> {
    fn input(&mut self) -> Vec<u8> {
        let mut input = Vec::new();
        if self.random.below(3) == 0 {
            for _ in 0..=self.random.below(10) {
                input.extend_from_slice(self.fragment());
                if self.random.below(3) == 0 {
                    input.push(b' ');
                }
            }
        } else {
            input.extend_from_slice(self.text());
            if self.random.below(6) == 0 {
                input.truncate(self.random.below(input.len() + 1));
                let other = self.text();
                input.extend_from_slice(&other[self.random.below(other.len())..]);
            }
        }
        if input.len() > INPUT_LEN_MAX {
            let start = self.random.below(input.len() - INPUT_LEN_MAX);
            input = input[start..start + INPUT_LEN_MAX].to_vec();
        }
        for _ in 0..self.random.below(6) {
            self.mutate(&mut input);
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len());
        match self.random.below(8) {
            0 | 1 => drop(input.splice(at..at, self.fragment().iter().copied())),
            2 => input.insert(at, *self.random.pick(b"\0 \t\n\x0b\xa0\xff'\"`#-/*\\<>=&;().,$@")),
            _ if input.is_empty() => {}
            3 => input[at] = self.random.below(256) as u8,
            4 => drop(input.remove(at)),
            5 => input[at] ^= 0x20,
            6 => input.truncate(at + 1),
            _ => {
                let end = (at + 1 + self.random.below(12)).min(input.len());
                let piece = input[at..end].to_vec();
                let to = self.random.below(input.len());
                drop(input.splice(to..to, piece));
            }
        }
    }

    fn text(&mut self) -> &'c [u8] {
        self.random.pick::<Vec<u8>>(self.corpus)
    }

    fn fragment(&mut self) -> &'static [u8] {
        let texts = [SQL_FRAGMENTS, SQL_FRAGMENTS, HTML_FRAGMENTS];
        let text = texts[self.random.below(texts.len())];
        // Fragments are few: walking to the chosen one is cheap.
        let count = text.split(|&byte| byte == b' ').count();
        text.split(|&byte| byte == b' ').nth(self.random.below(count)).expect("below the count")
    }
}

const SQL_FRAGMENTS: &[u8] = b"' \" ` -- #  /* */ /*! /**/ ( ) (( )) { } [ ] ; , . = < > @ @@ $ $$ $a$ \\ \\N 0x 0b 1e 1. 1.e 1 2 12f x' \
b' n' e' q'( nq'[ u&' :: ! !! ~ + - % && || | & ^ ? : := <=> \0 \xa0 and or xor not in like is null union select all \
distinct from where group by order having limit insert into outfile dumpfile values update set delete drop table if \
exists exec execute as login begin declare goto try waitfor delay user user_name database password current_user \
localtime case when then else end sleep benchmark char concat version foo bar a_b collate utf8_bin binary int varchar \
cast convert similar to rlike regexp between lock share mode cross join natural left outer sp_password xp_cmdshell";

const HTML_FRAGMENTS: &[u8] = b"<script> <ScRiPt <svg <xsl <iframe <a <img <b </ /> < > <!-- --> --!> -!> -\0-> <! <? <% %> \
<!DOCTYPE <![CDATA[ ]]> <![if xml import entity onload= onerror=x on onx=1 on\0load= = href= src=' style=\" to= by= from= \
folder= formaction= xmlns xlink xlink:href= attributename= attributename=onclick javascript: java data: vbscript: \
view-source: &#x &# &#10; &#x6a; &#106; &#x14a; &#0; ; ' \" ` \0 \xff / \t \n x=y =onload a/b";

struct Random(u64);

impl Random {
    /// A number below `bound`, or 0 if there is none.
    fn below(&mut self, bound: usize) -> usize {
        // Xorshift64*: the same cases on every run.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % bound.max(1)
    }

    fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}
