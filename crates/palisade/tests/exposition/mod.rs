//! A strict reader of Prometheus's text format 0.0.4, written from its description and not from our writer: what it
//! lets pass every scraper reads.

use std::collections::{BTreeMap, BTreeSet};

/// What a page says under one name.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) help: String,
    pub(crate) kind: String,
    /// Label pairs with `le`, the sample's suffix first, and the value.
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A page, by name.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) BTreeMap<String, Family>);

impl Metrics {
    /// Reads a page; panics at what is not allowed.
    pub(crate) fn parse(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line ends");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        for line in page.lines() {
            let wrong = |why: &str| -> ! { panic!("{why}: {line}") };
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| wrong("no help"));
                if !is_name(name, true) || help.trim() != help || help.is_empty() {
                    wrong("name or help");
                }
                let unescaped = help.replace("\\\\", "").replace("\\n", "");
                if unescaped.contains('\\') {
                    wrong("escape in a help");
                }
                current = name.to_owned();
                let family = Family { help: help.to_owned(), ..Family::default() };
                if families.insert(current.clone(), family).is_some() {
                    wrong("a name twice: its samples do not follow each other");
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| wrong("no type"));
                let family = families.get_mut(name).unwrap_or_else(|| wrong("a type without a help"));
                if name != current || !family.kind.is_empty() || !family.samples.is_empty() {
                    wrong("a type in the wrong place");
                }
                if !["counter", "gauge", "histogram"].contains(&kind) {
                    wrong("an unknown type");
                }
                family.kind = kind.to_owned();
            } else {
                let sample = Sample::parse(line);
                let family = families.get_mut(&current).unwrap_or_else(|| wrong("a sample before its type"));
                let suffix =
                    sample.name.strip_prefix(&current).unwrap_or_else(|| wrong("a sample of another name"));
                match (&*family.kind, suffix) {
                    ("counter" | "gauge", "") => {}
                    ("histogram", "_bucket") if sample.labels.contains_key("le") => {}
                    ("histogram", "_sum" | "_count") => {}
                    _ => wrong("a sample that does not fit its type"),
                }
                if family.kind != "gauge" && !(sample.value >= 0.0 && sample.value.is_finite()) {
                    wrong("a value that no counter can have");
                }
                family.samples.push(sample);
            }
        }
        for (name, family) in &families {
            family.check(name);
        }
        Self(families)
    }

    /// The value of the one sample of this name whose labels are these.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let mut found = self.0.values().flat_map(|family| &family.samples).filter(|sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        });
        let sample = found.next().unwrap_or_else(|| panic!("no {name} {labels:?}"));
        assert!(found.next().is_none(), "{name} {labels:?} twice");
        sample.value
    }
}

impl Family {
    fn check(&self, name: &str) {
        assert!(!self.samples.is_empty(), "{name} has no samples");
        assert!(self.help.ends_with('.'), "{name}: a help is a sentence: {}", self.help);
        assert_eq!(self.kind == "counter", name.ends_with("_total"), "{name}: {}", self.kind);
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            assert!(seen.insert((&sample.name, &sample.labels)), "{name}: twice: {sample:?}");
        }
        if self.kind != "histogram" {
            return;
        }
        let mut series: BTreeMap<Vec<(&String, &String)>, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.samples {
            let labels = sample.labels.iter().filter(|(label, _)| *label != "le").collect();
            series.entry(labels).or_default().push(sample);
        }
        for samples in series.values() {
            let (buckets, rest) = samples.split_at(samples.len() - 2);
            assert_eq!(rest[0].name, format!("{name}_sum"), "after the buckets");
            assert_eq!(rest[1].name, format!("{name}_count"), "after the sum");
            let bound = |sample: &Sample| number(&sample.labels["le"]);
            assert!(buckets.windows(2).all(|two| bound(two[0]) < bound(two[1])), "{name}: bounds grow");
            assert!(
                buckets.windows(2).all(|two| two[0].value <= two[1].value),
                "{name}: counts are of all below"
            );
            let last = buckets.last().unwrap();
            assert_eq!(
                (&*last.labels["le"], last.value),
                ("+Inf", rest[1].value),
                "{name}: the last has all"
            );
        }
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name, true), "{line}");
        let mut labels = BTreeMap::new();
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                let (label, after) = inside.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
                assert!(is_name(label, false) && !label.starts_with("__"), "{line}");
                let (value, after) = quoted(after).unwrap_or_else(|| panic!("an open value: {line}"));
                assert!(labels.insert(label.to_owned(), value).is_none(), "a label twice: {line}");
                match after.split_at(1) {
                    (",", after) => inside = after,
                    ("}", after) => {
                        rest = after;
                        break;
                    }
                    _ => panic!("after a label: {line}"),
                }
            }
        }
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
        Self { name: name.to_owned(), labels, value: number(value) }
    }
}

/// A label's value up to its quote, unescaped, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                char @ ('\\' | '"') => char,
                _ => return None,
            }),
            char => value.push(char),
        }
    }
    None
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        text => {
            assert!(text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)), "{text}");
            text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
        }
    }
}

fn is_name(name: &str, colons: bool) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || colons && byte == b':';
    name.bytes().all(word) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[test]
fn the_reader_is_strict() {
    let good =
        "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\\\"\\\\\\n\"} 1\na_total{b=\"\"} 2e3\n";
    assert_eq!(Metrics::parse(good).value("a_total", &[("b", "c\"\\\n")]), 1.0);
    let histogram = "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    assert_eq!(Metrics::parse(histogram).value("h_count", &[]), 2.0);
    for (from, to) in [
        ("a_total{b=\"\"} 2e3\n", "a_total{b=\"\"} 2e3"),
        ("# HELP a_total A.\n", ""),
        ("# TYPE a_total counter\n", ""),
        ("counter", "summary"),
        ("a_total{b=\"\"}", "a_total{b=\"c\\\"\\\\\\n\"}"),
        ("a_total{b=\"\"}", "b_total{b=\"\"}"),
        ("a_total{b=\"\"}", "a_total{b=\"}"),
        ("a_total{b=\"\"}", "a_total{0=\"\"}"),
        ("2e3", "-1"),
        ("2e3", "NaN"),
        ("2e3", "two"),
        ("2e3", "2 3"),
        (" 2e3", "2e3"),
        ("a_total", "a"),
        ("\\n\"", "\\t\""),
        ("a_total{b=\"\"} 2e3\n", "a_total{b=\"\"} 2e3\n# HELP a_total A.\n"),
        ("A.", "A\\t."),
    ] {
        let bad = good.replace(from, to);
        assert!(bad != good && std::panic::catch_unwind(|| Metrics::parse(&bad)).is_err(), "{from} -> {to}");
    }
    for (from, to) in [
        ("+Inf", "9"),
        ("h_count 2", "h_count 3"),
        ("0.5\"} 1", "0.5\"} 3"),
        ("h_sum 3\n", ""),
        ("0.5", "+Inf"),
    ] {
        let bad = histogram.replace(from, to);
        assert!(
            bad != histogram && std::panic::catch_unwind(|| Metrics::parse(&bad)).is_err(),
            "{from} -> {to}"
        );
    }
}
