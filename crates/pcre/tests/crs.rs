//! Every `@rx` pattern of the OWASP CRS at hand, against PCRE2 with the flags of ModSecurity 3.
//!
//! Haystacks come from CRS's own regression tests, from the patterns themselves, and from random changes to both.
//! `PALISADE_PCRE_ROUNDS=200` makes a long run of it.

mod support;

use std::time::Instant;

use palisade_oracle::pcre2::{DOTALL, MULTILINE};
use palisade_pcre::{Hir, Kind, Options, Pattern};
use regex_syntax::hir::{Class, HirKind};
use support::{Comparison, Random, compare, crs};

/// A string that the automaton's pattern describes, conditions on positions aside.
fn example(hir: &Hir, random: &mut Random, out: &mut Vec<u8>) {
    if out.len() > 2_000 {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            if !class.ranges().is_empty() {
                let range = class.ranges()[random.below(class.ranges().len())];
                // Prefer what one can read, so that neighbours in a rule have a chance to fit together.
                let span = usize::from(range.end() - range.start()) + 1;
                let mut byte = range.start() + random.below(span) as u8;
                for _ in 0..3 {
                    if !byte.is_ascii_graphic() {
                        byte = range.start() + random.below(span) as u8;
                    }
                }
                out.push(byte);
            }
        }
        // Alternatives of single ASCII characters.
        HirKind::Class(Class::Unicode(class)) => {
            if !class.ranges().is_empty() {
                let range = class.ranges()[random.below(class.ranges().len())];
                out.push(random.pick(&[range.start(), range.end()]) as u8);
            }
        }
        HirKind::Repetition(repetition) => {
            let extra = match random.below(4) {
                0 => 0,
                1 => 1,
                2 => random.below(3),
                _ => random.below(9),
            };
            let room = repetition.max.map_or(usize::MAX, |max| (max - repetition.min) as usize);
            for _ in 0..(repetition.min as usize).saturating_add(extra.min(room)).min(1_100) {
                example(&repetition.sub, random, out);
            }
        }
        HirKind::Capture(capture) => example(&capture.sub, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| example(part, random, out)),
        HirKind::Alternation(parts) => example(&parts[random.below(parts.len())], random, out),
    }
}

/// A near miss, or another match.
fn changed(text: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(text.len() + 1);
        match random.below(9) {
            0 if !text.is_empty() => {
                text.remove(at.min(text.len() - 1));
            }
            1 if !text.is_empty() => {
                let at = at.min(text.len() - 1);
                text[at] = random.pick(b" \n\r\t'\"/\\;:,.-_=()<>[]{}$`|&%#a1A\0\xa0\xc2\x85");
            }
            2 => text.insert(at, random.pick(b" \n\r\t'\"/\\;:,.-_=()<>[]{}$`|&%#a1A\0\xa0\xc2\x85")),
            3 if !text.is_empty() => {
                let at = at.min(text.len() - 1);
                text[at] ^= 0x20;
            }
            4 => text.truncate(at),
            5 => text.push(b'\n'),
            6 => {
                let cut = random.below(other.len() + 1);
                let end = (cut + 20).min(other.len());
                text.splice(at..at, other[cut..end].iter().copied());
            }
            7 => {
                let end = (at + 1 + random.below(8)).min(text.len());
                let piece = text[at.min(end)..end].to_vec();
                text.splice(at..at, piece);
            }
            _ => {
                text.drain(..at);
            }
        }
    }
    text
}

#[test]
fn every_crs_pattern_compiles() {
    for (version, least, backtracking) in [("4.28.0", 310, &[][..]), ("3.3.9", 260, &["942130"][..])] {
        let Some(folder) = crs::folder(version) else { continue };
        let rules = crs::rules(&folder);
        assert!(rules.len() >= least, "CRS {version} has more patterns than {}", rules.len());
        let started = Instant::now();
        let mut slowest = (0.0, String::new());
        let (mut bytes, mut largest, mut not_exact, mut cache_bytes) = (0, 0, 0, 0);
        let mut kinds = Vec::new();
        for rule in &rules {
            let begun = Instant::now();
            let pattern = Pattern::new(&rule.pattern, Options::default())
                .unwrap_or_else(|e| panic!("CRS {version} rule {}: {e}", rule.id));
            let seconds = begun.elapsed().as_secs_f64();
            if seconds > slowest.0 {
                slowest = (seconds, rule.id.clone());
            }
            bytes += pattern.memory_usage();
            cache_bytes += pattern.create_cache().memory_usage();
            largest = largest.max(pattern.memory_usage());
            not_exact += usize::from(!pattern.hir_is_exact());
            if pattern.kind() == Kind::Backtracking {
                kinds.push(rule.id.as_str());
            }
        }
        println!(
            "CRS {version}: {} patterns in {:.0} ms (slowest {}: {:.0} ms), {bytes} bytes, the largest {largest}, \
             fresh caches {cache_bytes}, {not_exact} not exact, backtracking {kinds:?}",
            rules.len(),
            started.elapsed().as_secs_f64() * 1e3,
            slowest.1,
            slowest.0 * 1e3,
        );
        assert_eq!(kinds, backtracking);
    }
}

#[test]
fn crs_patterns_match_as_in_pcre2() {
    let Some(pcre2) = support::pcre2() else { return };
    let rounds: usize =
        std::env::var("PALISADE_PCRE_ROUNDS").ok().map_or(1, |text| text.parse().expect("a number"));
    let texts = crs::folder("4.28.0").map(|folder| crs::test_texts(&folder)).unwrap_or_default();
    let mut random = Random::new(3 + rounds as u64);
    let mut differences = Vec::new();
    for version in ["4.28.0", "3.3.9"] {
        let Some(folder) = crs::folder(version) else { continue };
        let (mut pairs, mut matches, mut undecided, mut never) = (0, 0, 0, 0);
        for rule in crs::rules(&folder) {
            let pattern = Pattern::new(&rule.pattern, Options::default()).expect("another test says so");
            let mut code = pcre2.compile(&rule.pattern, DOTALL | MULTILINE).expect("PCRE2 takes CRS");
            let mut cache = pattern.create_cache();
            let hir = pattern.hir();
            let mut haystacks: Vec<Vec<u8>> =
                texts.iter().filter(|(id, _)| *id == rule.id).map(|(_, text)| text.clone()).collect();
            for _ in 0..40 * rounds {
                let mut text = Vec::new();
                example(&hir, &mut random, &mut text);
                haystacks.push(text);
            }
            for _ in 0..40 * rounds {
                if !texts.is_empty() {
                    haystacks.push(texts[random.below(texts.len())].1.clone());
                }
            }
            for _ in 0..80 * rounds {
                let (one, other) = (random.below(haystacks.len()), random.below(haystacks.len()));
                let text = changed(&haystacks[one], &haystacks[other], &mut random);
                haystacks.push(text);
            }
            let mut matched = 0;
            for haystack in &haystacks {
                pairs += 1;
                match compare(&pattern, &mut cache, &mut code, haystack, 0) {
                    Ok(Comparison::Match) => matched += 1,
                    Ok(Comparison::NoMatch) => {}
                    Ok(Comparison::Undecided) => undecided += 1,
                    Err(difference) => {
                        differences.push(format!("rule {}: {difference}", rule.id));
                        break;
                    }
                }
            }
            matches += matched;
            never += usize::from(matched == 0);
        }
        println!(
            "CRS {version}: {pairs} pairs, {matches} matches, {undecided} undecided, {never} patterns never matched"
        );
        assert!(matches > pairs / 10, "the haystacks are worth something");
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// The three patterns of CRS 3.3 with look-around. Two of them look only a few bytes far and are matched in linear
/// time; 942130 refers back to a word and is under the step limit.
#[test]
fn the_patterns_of_crs_3_3_with_look_around_stay_within_bounds() {
    let Some(folder) = crs::folder("3.3.9") else { return };
    let rules = crs::rules(&folder);
    let source = |id: &str| &rules.iter().find(|rule| rule.id == id).expect("CRS 3.3 has it").pattern;
    let compile = |id: &str, options| Pattern::new(source(id), options).expect("it compiles");
    let size = 1 << 20;
    let repeated = |text: &[u8]| text.iter().copied().cycle().take(size).collect::<Vec<u8>>();
    let evil: [(&str, &[u8]); 12] = [
        ("920120", b"&amp;"),
        ("920120", b"&auml;&ccedil;"),
        ("920120", b"aaaa"),
        ("953120", b"<?xml "),
        ("953120", b"<?xml<"),
        ("953120", b"<<<<"),
        ("942130", b"(((((((((("),
        ("942130", b"a=b "),
        ("942130", b"a((( <"),
        ("942130", b"ab<=>'''(((("),
        ("942130", b"not like a is not (b) "),
        ("942130", b"The quick brown fox jumps over the lazy dog. "),
    ];
    for (id, text) in evil {
        let pattern = compile(id, Options::default());
        for tail in [&b""[..], b"=x", b"aaaa = bbbb", b" a<"] {
            let haystack = [&repeated(text)[..], tail].concat();
            let started = Instant::now();
            let result = pattern.is_match(&haystack);
            let elapsed = started.elapsed();
            println!(
                "{id} on 1 MiB of \"{}\", then \"{}\": {result:?} in {elapsed:?}",
                text.escape_ascii(),
                tail.escape_ascii()
            );
            assert!(elapsed.as_secs() < 10, "{id}: {elapsed:?}");
            if pattern.kind() == Kind::Linear {
                assert!(result.is_ok());
            }
        }
    }
    // The limit is reported, not swallowed.
    let tight = Options { step_limit: 100_000, steps_per_byte: 0, ..Options::default() };
    let haystack = [&repeated(b"a=b ")[..], b"a=c"].concat();
    let error = compile("942130", tight).is_match(&haystack).expect_err("1 MiB takes more");
    assert_eq!(error.limit, 100_000);
}
