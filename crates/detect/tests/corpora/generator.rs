//! Benign texts from templates: each slot `⟨name⟩` is a word of a list, or made up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::places::Place;

/// Templates and words.
pub(crate) struct Corpus {
    kinds: Vec<(String, Kind)>,
    words: BTreeMap<String, Vec<String>>,
    sentences: Vec<String>,
}

/// One file of templates.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    /// Where they stand, in turn; every place for values when absent.
    places: Option<Vec<String>>,
    templates: Vec<String>,
    /// Templates that are stopped, with the reason why that is right.
    #[serde(default)]
    stopped: Vec<Stopped>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopped {
    template: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentences {
    sentences: Vec<String>,
}

/// A text at a place.
pub(crate) struct Instance {
    pub(crate) kind: String,
    pub(crate) template: String,
    pub(crate) text: String,
    pub(crate) place: Place,
    /// Why it is stopped, if it is.
    pub(crate) stopped: Option<String>,
}

/// Texts of each template.
const INSTANCES: usize = 12;

/// Texts that are longer, or have several lines, stand in no header, cookie or path.
const LINE_BYTES_MAX: usize = 200;

impl Corpus {
    pub(crate) fn read(folder: &Path) -> Self {
        let mut corpus = Self { kinds: Vec::new(), words: BTreeMap::new(), sentences: Vec::new() };
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).expect("the templates").map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let fail = |error: toml::de::Error| panic!("{}: {error}", path.display());
            match path.file_stem().unwrap().to_str().unwrap() {
                "words" => corpus.words = toml::from_str(&text).unwrap_or_else(fail),
                "sentences" => {
                    let read: Sentences =
                        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    corpus.sentences = read.sentences;
                }
                kind => {
                    let read: Kind =
                        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    corpus.kinds.push((kind.to_owned(), read));
                }
            }
        }
        assert!(!corpus.kinds.is_empty() && !corpus.words.is_empty() && !corpus.sentences.is_empty());
        corpus
    }

    /// Every text, always the same.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Instance> {
        self.kinds.iter().flat_map(move |(name, kind)| {
            let places: Vec<Place> = match &kind.places {
                Some(names) => names.iter().map(|name| Place::from_name(name)).collect(),
                None => Place::FOR_VALUES.to_vec(),
            };
            let (named, templates) = (kind.places.is_some(), kind.all().enumerate());
            templates.flat_map(move |(number, (template, stopped))| {
                let places = places.clone();
                (0..INSTANCES).map(move |turn| {
                    let mut random = Random::new(&format!("{name} {number} {turn}"));
                    let text = self.fill(template, &mut random);
                    let is_line = text.len() <= LINE_BYTES_MAX && !text.contains('\n');
                    let fits = |place: &Place| named || is_line || !place.is_one_line();
                    let fitting: Vec<Place> = places.iter().copied().filter(fits).collect();
                    let place = fitting[(turn + number) % fitting.len()];
                    let (kind, template) = (name.clone(), template.to_owned());
                    Instance { kind, template, text, place, stopped: stopped.map(str::to_owned) }
                })
            })
        })
    }

    fn fill(&self, template: &str, random: &mut Random) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('⟨') {
            out.push_str(before);
            let (slot, after) =
                after.split_once('⟩').unwrap_or_else(|| panic!("an open slot in {template:?}"));
            out.push_str(&self.slot(slot, random));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn slot(&self, slot: &str, random: &mut Random) -> String {
        if let Some(words) = self.words.get(slot) {
            return random.pick(words).clone();
        }
        match slot {
            "sentence" => {
                let sentence = random.pick(&self.sentences).clone();
                // In JSON bodies a sentence stands between quotes.
                self.fill(&sentence, random).replace('"', "”")
            }
            "sentence-xml" => self.slot("sentence", random).replace('&', "&amp;").replace('<', "&lt;"),
            "product-json" => self.slot("product", random).replace('"', "''"),
            "path-xml" => self.slot("path", random).replace('&', "&amp;"),
            "passjson" => random.password().replace(['"', '\\'], "'"),
            "pass" => random.password(),
            "small" => random.below(60).to_string(),
            "int" => random.below(100_000).to_string(),
            "float" => format!("{}.{}", random.below(200), random.below(1000)),
            "day" => format!("{:02}", 1 + random.below(28)),
            "year" => format!("20{:02}", 10 + random.below(17)),
            "date" => format!(
                "20{:02}-{:02}-{:02}",
                10 + random.below(17),
                1 + random.below(12),
                1 + random.below(28)
            ),
            "time" => format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60)),
            "iso" => format!(
                "{}T{}.{:03}Z",
                self.slot("date", random),
                self.slot("time", random),
                random.below(1000)
            ),
            "version" => format!("{}.{}.{}", random.below(20), random.below(30), random.below(40)),
            "ip" => format!("203.0.113.{}", random.below(256)),
            "phone" => format!(
                "+{} {} {}-{}",
                1 + random.below(90),
                random.below(1000),
                random.below(1000),
                random.below(10_000)
            ),
            "hex4" => random.letters("0123456789ABCDEF", 4),
            "hex6" => random.letters("0123456789abcdef", 6),
            "hex8" => random.letters("0123456789abcdef", 8),
            "hex32" => random.letters("0123456789abcdef", 32),
            "uuid" => [8, 4, 4, 4, 12].map(|length| random.letters("0123456789abcdef", length)).join("-"),
            "b64" => random.letters(BASE64, 24),
            "handle" => format!("{}{}", random.letters("abcdefghijklmnopqrstuvwxyz", 6), random.below(100)),
            "email" => format!("{}@{}", self.slot("handle", random), self.slot("host", random)),
            "jwt" => format!(
                "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsIm5hbWUiOiJPJ0JyaWVuIn0.{}",
                random.letters(BASE64URL, 43)
            ),
            _ => panic!("there is no slot {slot}"),
        }
    }
}

const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Kind {
    /// Its templates, and why those that are stopped are.
    fn all(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let passing = self.templates.iter().map(|template| (template.as_str(), None));
        let stopped =
            self.stopped.iter().map(|stopped| (stopped.template.as_str(), Some(stopped.why.as_str())));
        passing.chain(stopped)
    }
}

/// Numbers that look random, always the same ones for a name.
struct Random(u64);

impl Random {
    fn new(name: &str) -> Self {
        // FNV-1a.
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[usize::try_from(self.below(of.len() as u64)).expect("an index")]
    }

    fn letters(&mut self, of: &str, length: usize) -> String {
        let of = of.as_bytes();
        (0..length).map(|_| char::from(*self.pick(of))).collect()
    }

    /// What a generator of passwords makes: 8 to 19 printable characters.
    fn password(&mut self) -> String {
        let mut out = String::new();
        for _ in 0..8 + self.below(12) {
            let byte = u8::try_from(b'!' as u64 + self.below(94)).expect("printable");
            let _ = write!(out, "{}", char::from(byte));
        }
        out
    }
}
