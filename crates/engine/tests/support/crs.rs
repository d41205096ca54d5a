//! The operators of a CRS release at hand, and values to ask them about.
#![allow(dead_code, reason = "each test and bench uses a part")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use palisade_engine::Phase;
use palisade_engine::operator::{CompileOptions, DataFiles, Operator};
use palisade_seclang::ast::{Action, Directive, OperatorName, TargetMode, TemplatePart, Variable};
use palisade_seclang::{MemoryLoader, Source, load};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");

pub(crate) struct CrsOperator {
    pub(crate) rule: u64,
    pub(crate) paranoia: u8,
    pub(crate) phase: Phase,
    pub(crate) negated: bool,
    pub(crate) variables: HashSet<Variable>,
    pub(crate) operator: Operator,
}

struct Folder(PathBuf);

impl DataFiles for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(name)).map_err(|error| error.to_string())
    }
}

pub(crate) fn folder(version: &str) -> Option<PathBuf> {
    let folder = Path::new(SHARED).join("crs").join(version);
    if folder.join("rules").is_dir() {
        return Some(folder);
    }
    println!("skipped: CRS {version} is not at ../shared/crs");
    None
}

/// All operators of the rules, chained ones too, but those whose argument has macros.
pub(crate) fn operators(folder: &Path) -> Vec<CrsOperator> {
    let rules = folder.join("rules");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&rules)
        .expect("the folder can be read")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    files.sort();
    let data = Folder(rules);
    let options = CompileOptions::default();
    let mut operators = Vec::new();
    for file in files {
        let text = std::fs::read(&file).expect("the file can be read");
        let source = Source::Text { name: file.display().to_string(), text, directory: String::new() };
        let program = load(&[source], &MemoryLoader::default()).program;
        let (mut rule, mut paranoia, mut phase) = (0, 1, Phase::RequestBody);
        for directive in program {
            let Directive::Rule(written) = directive.node else { continue };
            for action in &written.actions {
                match &action.node {
                    Action::Id(id) => (rule, paranoia) = (*id, 1),
                    Action::Phase(of) => phase = *of,
                    Action::Tag(tag) => {
                        if let [TemplatePart::Literal(text)] = &tag.parts[..]
                            && let Some(level) = text.strip_prefix(b"paranoia-level/")
                        {
                            paranoia = level[0] - b'0';
                        }
                    }
                    _ => {}
                }
            }
            let Some(written_operator) = &written.operator else { continue };
            let operator = &written_operator.node;
            let has_macros =
                operator.template.parts.iter().any(|part| !matches!(part, TemplatePart::Literal(_)));
            if has_macros && operator.name != OperatorName::Rx {
                continue;
            }
            let compiled = Operator::compile(operator.name, &operator.argument, &options, &data);
            operators.push(CrsOperator {
                rule,
                paranoia,
                phase,
                negated: operator.negated,
                variables: written
                    .targets
                    .iter()
                    .filter(|target| target.node.mode == TargetMode::Value)
                    .map(|target| target.node.variable)
                    .collect(),
                operator: compiled.unwrap_or_else(|error| panic!("rule {rule}: {error}")),
            });
        }
    }
    operators
}

/// The texts of CRS's regression tests, as written and percent-decoded; every text once.
pub(crate) fn attacks() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let tests = Path::new(SHARED).join("crs/4.28.0/tests");
    let groups = std::fs::read_dir(&tests).into_iter().flatten().filter_map(Result::ok);
    for file in groups
        .filter_map(|group| std::fs::read_dir(group.path()).ok())
        .flat_map(|files| files.filter_map(Result::ok))
    {
        let text = std::fs::read(file.path()).unwrap_or_default();
        for line in text.split(|byte| *byte == b'\n') {
            let value = line.trim_ascii();
            let value = value.windows(2).position(|pair| pair == b": ").map_or(value, |at| &value[at + 2..]);
            let value = value.trim_ascii().trim_suffix_quotes();
            if value.len() >= 2 {
                texts.push(value.to_vec());
                // Parameters one by one, as the engine would see them.
                for part in value.split(|byte| matches!(byte, b'&' | b'=' | b'?')) {
                    texts.push(percent_decoded(part));
                }
                texts.push(percent_decoded(value));
            }
        }
    }
    for (file, key) in [("conformance/libinjection-tests.jsonl", "input"), ("detection/dev.jsonl", "payload")]
    {
        let text = std::fs::read_to_string(Path::new(SHARED).join(file)).unwrap_or_default();
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
            if let Some(text) = value.get(key).and_then(|value| value.as_str()) {
                texts.push(text.as_bytes().to_vec());
                texts.push(percent_decoded(text.as_bytes()));
            }
        }
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

trait TrimQuotes {
    fn trim_suffix_quotes(&self) -> &[u8];
}

impl TrimQuotes for [u8] {
    fn trim_suffix_quotes(&self) -> &[u8] {
        match self {
            [quote @ (b'"' | b'\''), inner @ .., last] if quote == last => inner,
            other => other,
        }
    }
}

/// Harmless values by kind: arguments of the detection set's requests by length, names, headers.
pub(crate) fn harmless() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let text = std::fs::read_to_string(Path::new(SHARED).join("detection/dev.jsonl")).unwrap_or_default();
    let (mut leaves, mut names, mut headers) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
        if value["label"] != "ben" || value["headline"] == false {
            continue;
        }
        if let Some(payload) = value["payload"].as_str() {
            if value["placement"] == "header" {
                headers.push(payload.as_bytes().to_vec());
            } else {
                leaves.push(payload.as_bytes().to_vec());
            }
        }
        walk(&value["req"], &mut leaves, &mut names);
    }
    let (short, long): (Vec<_>, Vec<_>) = leaves.into_iter().partition(|leaf| leaf.len() <= 40);
    vec![
        ("short values", short),
        ("longer values and prose", long),
        ("names", names),
        ("headers", headers),
        ("json leaves of the bench", bench_leaves()),
        ("headers of the bench", bench_headers()),
    ]
}

/// Draws a number below a bound.
type Random<'a> = dyn FnMut(usize) -> usize + 'a;

/// Values made to cost: a kilobyte each, never repeating.
pub(crate) fn hostile() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let attacks = attacks();
    let mut values = |of: &mut dyn FnMut(&mut Random<'_>) -> Vec<u8>| -> Vec<Vec<u8>> {
        (0..64)
            .map(|_| {
                let mut value = Vec::new();
                while value.len() < 1024 {
                    value.extend(of(&mut random));
                }
                value
            })
            .collect()
    };
    let printable = values(&mut |random| vec![b' ' + random(95) as u8]);
    let any = values(&mut |random| vec![random(256) as u8]);
    let signs = values(&mut |random| vec![b"\"'`;|&$()[]{}<>=/\\^%#@!,.:*-+~? \n"[random(33)]]);
    let parts = values(&mut |random| {
        let attack = &attacks[random(attacks.len())];
        let start = random(attack.len() + 1);
        attack[start..(start + 3 + random(6)).min(attack.len())].to_vec()
    });
    vec![
        ("random printable", printable),
        ("random bytes", any),
        ("signs", signs),
        ("parts of attacks", parts),
    ]
}

fn walk(value: &serde_json::Value, leaves: &mut Vec<Vec<u8>>, names: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                names.push(name.as_bytes().to_vec());
                walk(value, leaves, names);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| walk(value, leaves, names)),
        serde_json::Value::String(text) => leaves.push(text.as_bytes().to_vec()),
        serde_json::Value::Null => {}
        other => leaves.push(other.to_string().into_bytes()),
    }
}

/// Leaves shaped like those of `../shared/bench/engine`: words, numbers, identifiers, sentences.
fn bench_leaves() -> Vec<Vec<u8>> {
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    for number in 0..100u32 {
        leaves.push(number.wrapping_mul(2_654_435_761).to_string().into_bytes());
        leaves.push(format!("{}.{:02}", number * 7 % 400, number % 100).into_bytes());
        leaves.push(format!("SKU-{number:05}-{:x}", number.wrapping_mul(40_503)).into_bytes());
        leaves.push(
            format!("2026-{:02}-{:02}T10:{:02}:00Z", number % 12 + 1, number % 28 + 1, number % 60)
                .into_bytes(),
        );
        leaves.push(["true", "false", "EUR", "paid", "in_stock", "blue"][number as usize % 6].into());
        leaves.push(
            [
                "Please deliver to the back door",
                "A warm jumper of soft wool",
                "size 42 and the colour green",
                "Anna Meier",
            ][number as usize % 4]
                .into(),
        );
    }
    leaves
}

fn bench_headers() -> Vec<Vec<u8>> {
    [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "gzip, deflate, br, zstd",
        "en-US,en;q=0.5",
        "keep-alive",
        "shop.example.com",
        "https://shop.example.com/products?page=2&sort=price",
        "application/json",
        "application/x-www-form-urlencoded",
        "same-origin",
        "no-cache",
        "1024",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

pub(crate) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (text[at], digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}
