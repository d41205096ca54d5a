use palisade_codec::transform::UnicodeMap;
use palisade_seclang::{LoadError, Loader, glob_matches};
use proptest::prelude::*;

use super::*;

/// What the reference evaluator does with a list: each step on the result of the one before it.
fn reference(value: &[u8], list: &[Transformation], context: &Context<'_>) -> Vec<u8> {
    let (mut current, mut next) = (value.to_vec(), Vec::new());
    for step in list {
        if step.apply(&current, &mut next, context) == Effect::Changed {
            std::mem::swap(&mut current, &mut next);
        }
    }
    current
}

/// What all chains of a walk make of a value.
fn evaluate<'s>(
    walk: &Walk,
    value: &'s [u8],
    scratch: &'s mut ChainScratch,
    context: &Context<'_>,
) -> Outputs<'s> {
    walk.evaluate(walk.select(u64::MAX), value, &ByteSet::of(value), scratch, context)
}

/// Holds the outputs of a value to the reference, for all chains.
fn check(lists: &[Vec<Transformation>], value: &[u8], scratch: &mut ChainScratch, context: &Context<'_>) {
    let chains = Chains::new(lists);
    let mut yielded = vec![0; lists.len()];
    for walk in chains.walks() {
        let outputs = evaluate(walk, value, scratch, context);
        for output in outputs.iter() {
            assert_eq!(*output.bytes, ByteSet::of(output.text), "the set of {}", output.text.escape_ascii());
            assert_eq!(output.chains & !walk.chains(), 0);
            for bit in (0..u64::BITS).filter(|bit| output.chains >> bit & 1 == 1) {
                let list = &lists[walk.first_chain() + bit as usize];
                let expected = reference(value, list, context);
                assert_eq!(
                    output.text.escape_ascii().to_string(),
                    expected.escape_ascii().to_string(),
                    "{} by {list:?}",
                    value.escape_ascii()
                );
                assert_eq!(outputs.of_chain(bit).map(|found| found.number), Some(output.number));
                yielded[walk.first_chain() + bit as usize] += 1;
            }
        }
    }
    assert!(yielded.iter().all(|&times| times == 1), "{yielded:?}");
}

fn step() -> impl Strategy<Value = Transformation> {
    use Transformation::*;
    prop_oneof![
        1 => prop::sample::select(Transformation::ALL),
        // Those of CRS, which meet each other in its lists.
        4 => prop::sample::select(vec![
            UrlDecodeUni, Lowercase, JsDecode, HtmlEntityDecode, Utf8ToUnicode, RemoveNulls, CssDecode, CmdLine,
            RemoveWhitespace, ReplaceComments, NormalizePath, CompressWhitespace,
        ]),
    ]
}

fn lists(most: usize) -> impl Strategy<Value = Vec<Vec<Transformation>>> {
    prop::collection::vec(prop::collection::vec(step(), 0..7), 1..most)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => "[a-z]{1,6}".prop_map(String::into_bytes),
        2 => "[A-Z]{1,3}".prop_map(String::into_bytes),
        4 => prop::sample::select(
            &["%41", "%2541", "+", "%", "&lt;", "&#x41;", "\\u0041", "\\", "\\41 ", "/*", "*/", "//", "/../", ".", "  ",
             "\t", " /", ";", "^", "\0", "\u{e9}", "--", "0x41", "YWJj", "'"]
        ).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn unicode_map() -> UnicodeMap {
    UnicodeMap::parse("20127 (US-ASCII)\n00c0:41 0041:25 ff1c:3c", 20127).expect("a valid map")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_chain_yields_what_its_list_makes(lists in lists(40), values in prop::collection::vec(value(), 1..6)) {
        let map = unicode_map();
        let mut scratch = ChainScratch::default();
        // One scratch for all: what one value leaves behind must not show in the next.
        for (number, value) in values.iter().enumerate() {
            let context = Context { unicode_map: (number % 2 == 1).then_some(&map) };
            check(&lists, value, &mut scratch, &context);
        }
    }

    #[test]
    fn a_selection_keeps_numbers_and_results(lists in lists(150), value in value(), wanted in any::<[bool; 7]>()) {
        let is_wanted = |chain: usize| wanted[chain % wanted.len()];
        let chains = Chains::of_wanted(&lists, |chain| is_wanted(chain).then_some(Want::ALL));
        let mut scratch = ChainScratch::default();
        let mut yielded = vec![false; lists.len()];
        for walk in chains.walks() {
            let outputs = evaluate(walk, &value, &mut scratch, &Context::default());
            for output in outputs.iter() {
                for bit in (0..64).filter(|bit| output.chains >> bit & 1 == 1) {
                    let chain = walk.first_chain() + bit;
                    prop_assert_eq!(output.text, reference(&value, &lists[chain], &Context::default()));
                    yielded[chain] = true;
                }
            }
        }
        prop_assert_eq!(yielded, (0..lists.len()).map(is_wanted).collect::<Vec<_>>());
    }

    #[test]
    fn a_walk_of_some_chains_yields_theirs_and_no_others(
        lists in lists(60),
        value in value(),
        selected in prop::collection::vec(any::<u64>(), 1..4),
    ) {
        let chains = Chains::new(&lists);
        let [walk] = chains.walks() else { panic!("few chains, one walk") };
        let mut scratch = ChainScratch::default();
        // Few of them, and as many as two selections have together.
        let few = selected.iter().fold(u64::MAX, |few, mask| few & mask);
        let both = walk.select(few).union(walk.select(selected[0]));
        for (mask, selection) in [(few, walk.select(few)), (few | selected[0], both)] {
            let outputs =
                walk.evaluate(selection, &value, &ByteSet::of(&value), &mut scratch, &Context::default());
            for (chain, list) in lists.iter().enumerate() {
                let expected = (mask >> chain & 1 == 1).then(|| reference(&value, list, &Context::default()));
                prop_assert_eq!(outputs.of_chain(chain as u32).map(|output| output.text), expected.as_deref());
            }
        }
    }

    #[test]
    fn only_results_without_a_telling_byte_are_left_out(
        lists in lists(40),
        value in value(),
        telling in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let telling = ByteSet::of(&telling);
        let chains = Chains::of_wanted(&lists, |_| Some(Want { telling, ..Want::ALL }));
        let mut scratch = ChainScratch::default();
        let [walk] = chains.walks() else { panic!("few chains, one walk") };
        let outputs = evaluate(walk, &value, &mut scratch, &Context::default());
        for (chain, list) in lists.iter().enumerate() {
            let expected = reference(&value, list, &Context::default());
            match outputs.of_chain(chain as u32) {
                Some(output) => prop_assert_eq!(output.text, &expected[..]),
                None => prop_assert!(!telling.intersects(&ByteSet::of(&expected))),
            }
        }
    }

    #[test]
    fn only_results_that_are_too_short_are_left_out(lists in lists(40), value in value(), len_min in 0..12_usize) {
        let chains =
            Chains::of_wanted(&lists, |chain| Some(Want { len_min: len_min + chain % 3, ..Want::ALL }));
        let mut scratch = ChainScratch::default();
        let [walk] = chains.walks() else { panic!("few chains, one walk") };
        let outputs = evaluate(walk, &value, &mut scratch, &Context::default());
        for (chain, list) in lists.iter().enumerate() {
            let expected = reference(&value, list, &Context::default());
            match outputs.of_chain(chain as u32) {
                Some(output) => prop_assert_eq!(output.text, expected),
                None => prop_assert!(expected.len() < len_min + chain % 3, "{list:?}"),
            }
        }
    }

    /// The rule sees the value, and after each step that changed it the result.
    #[test]
    fn prefixes_tell_what_multi_match_sees(list in prop::collection::vec(step(), 0..7), value in value()) {
        let mut expected = vec![value.clone()];
        let mut current = value.clone();
        for step in &list {
            let mut next = Vec::new();
            if step.apply(&current, &mut next, &Context::default()) == Effect::Changed {
                expected.push(next.clone());
                current = next;
            }
        }
        let prefixes: Vec<&[Transformation]> = prefixes(&list).collect();
        let chains = Chains::new(&prefixes);
        let mut scratch = ChainScratch::default();
        let [walk] = chains.walks() else { panic!("few chains, one walk") };
        let outputs = evaluate(walk, &value, &mut scratch, &Context::default());
        let mut seen: Vec<Output<'_>> = Vec::new();
        for bit in 0..prefixes.len() {
            let output = outputs.of_chain(bit as u32).expect("each chain yields an output");
            if seen.last().is_none_or(|last| last.number != output.number) {
                seen.push(output);
            }
        }
        prop_assert_eq!(seen.iter().map(|output| output.text.to_vec()).collect::<Vec<_>>(), expected);
    }
}

/// A few chains as CRS has them.
fn ordinary() -> Vec<Vec<Transformation>> {
    use Transformation::*;
    vec![
        vec![],
        vec![UrlDecodeUni],
        vec![UrlDecodeUni, Lowercase],
        vec![Lowercase],
        vec![Utf8ToUnicode, UrlDecodeUni, HtmlEntityDecode, JsDecode, CssDecode, RemoveNulls],
        vec![UrlDecodeUni, CmdLine],
        vec![UrlDecodeUni, NormalizePath],
        vec![CmdLine],
    ]
}

#[test]
fn unchanged_values_are_one_output_and_equal_results_too() {
    let chains = Chains::new(&ordinary());
    let mut scratch = ChainScratch::default();
    let mut outputs = |value: &[u8]| -> Vec<(String, u64)> {
        let outputs = evaluate(&chains.walks()[0], value, &mut scratch, &Context::default());
        let shown = |output: Output<'_>| (output.text.escape_ascii().to_string(), output.chains);
        outputs.iter().map(shown).collect()
    };
    assert_eq!(outputs(b"joe.smith/x=1"), [("joe.smith/x=1".to_owned(), 0xff)]);
    assert_eq!(outputs(b""), [(String::new(), 0xff)]);
    // Of the command line only the case changes, as by the two that lower it.
    assert_eq!(outputs(b"Joe"), [("Joe".to_owned(), 0b0101_0011), ("joe".to_owned(), 0b1010_1100)]);
    // Decoded by five lists, and one of them lowers it.
    assert_eq!(
        outputs(b"a%41"),
        [("a%41".to_owned(), 0b1000_1001), ("aA".to_owned(), 0b0101_0010), ("aa".to_owned(), 0b0010_0100),]
    );
}

#[test]
fn a_walk_repeats_without_new_room() {
    let chains = Chains::new(&ordinary());
    let mut scratch = ChainScratch::default();
    let rooms = |scratch: &ChainScratch| -> Vec<(usize, *const u8)> {
        scratch.slots.iter().map(|slot| (slot.text.capacity(), slot.text.as_ptr())).collect()
    };
    let value = b"%41 A//b &lt; \\u0041 ^%00";
    let mut before = None;
    for _ in 0..3 {
        let _ = evaluate(&chains.walks()[0], value, &mut scratch, &Context::default());
        if let Some(before) = before.replace(rooms(&scratch)) {
            assert_eq!(rooms(&scratch), before);
        }
    }
    scratch.release_over(8);
    assert!(scratch.slots.iter().all(|slot| slot.text.capacity() <= 8));
    check(&ordinary(), value, &mut scratch, &Context::default());
}

/// Long lists, many lists, and a value on which each step does something: the work stays in proportion.
#[test]
fn thousands_of_chains_are_walked_in_shares() {
    use Transformation::*;
    let lists: Vec<Vec<Transformation>> = (0..4_000_usize)
        .map(|number| (0..12).map(|place| [Lowercase, ReplaceNulls][number >> place & 1]).collect())
        .collect();
    let chains = Chains::new(&lists);
    assert_eq!(chains.walks().len(), lists.len().div_ceil(WALK_CHAINS));
    check(&lists, b"A\0Bc", &mut ChainScratch::default(), &Context::default());

    let long: Vec<Transformation> = (0..20_000).map(|at| [HexEncode, HexDecode][at % 2]).collect();
    check(&[long, vec![]], b"value", &mut ChainScratch::default(), &Context::default());
}

/// Files as they lie on disk.
struct Files;

impl Loader for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        std::fs::read(path).map_err(|error| LoadError { not_found: true, message: error.to_string() })
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        let folder = pattern.rsplit_once('/').map_or(".", |(folder, _)| folder);
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path().to_str()?.to_owned()));
        Ok(paths.filter(|path| glob_matches(pattern, path)).collect())
    }
}

/// The lists of CRS's rules that look at arguments.
fn crs_lists(paranoia: u8) -> Option<Vec<Vec<Transformation>>> {
    const CRS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/crs/4.28.0");
    if !std::path::Path::new(CRS).exists() {
        println!("skipped: CRS is not at {CRS}");
        return None;
    }
    let from =
        crate::RuleSources { crs: Some(CRS.to_owned()), paranoia: Some(paranoia), ..Default::default() };
    let rules = crate::load_rules(&from, &Files).rules.expect("CRS loads");
    let is_gated = |rule: &crate::Rule| {
        rule.tags.iter().any(|tag| {
            let tag = crate::written_text(tag);
            tag.strip_prefix("paranoia-level/")
                .and_then(|level| level.parse().ok())
                .is_some_and(|level: u8| level > paranoia)
        })
    };
    let mut lists: Vec<Vec<Transformation>> = rules
        .rules()
        .filter(|rule| !is_gated(rule))
        .map(|rule| &rule.links[0])
        .filter(|link| link.targets.iter().any(|target| target.variable.to_string() == "ARGS"))
        .map(|link| link.transformations.clone())
        .collect();
    lists.sort();
    lists.dedup();
    Some(lists)
}

#[test]
fn crs_needs_one_walk_and_few_outputs() {
    let values: [&[u8]; 10] = [
        b"",
        b"42",
        b"username",
        b"Joe Smith",
        b"the quick brown fox, 3 times; it's (here)",
        b"/shop/products/item-1234.html?x=1&y=2",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
        b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        b"%3Cscript%3Ealert(1)%3C/script%3E",
        b"1' /**/ UNION  select \\x41 &lt; ..//..//etc/passwd -- %2541 %00",
    ];
    for paranoia in [1, 4] {
        let Some(lists) = crs_lists(paranoia) else { return };
        let chains = Chains::new(&lists);
        let [walk] = chains.walks() else { panic!("{} chains are one walk", lists.len()) };
        println!(
            "paranoia level {paranoia}: {} chains, {} nodes, {:?} kinds of bytes",
            lists.len(),
            walk.nodes.len(),
            walk.waking.each_ref().map(|kinds| kinds.len())
        );
        let mut scratch = ChainScratch::default();
        for value in values {
            check(&lists, value, &mut scratch, &Context::default());
            let outputs = evaluate(walk, value, &mut scratch, &Context::default());
            println!("  {} outputs: {}", outputs.iter().count(), value.escape_ascii());
        }
    }
}

/// For `valgrind --tool=callgrind --toggle-collect='*chains::tests::measured*'` on the test binary built with
/// White space that Base64 passes over need not be taken out before it; other white space has to be.
#[test]
fn base64_behind_white_space_is_that_of_the_list() {
    use Transformation::*;
    let lists = [
        vec![RemoveWhitespace, Base64Decode],
        vec![Base64Decode],
        vec![Lowercase, RemoveWhitespace, Base64Decode, UrlDecodeUni, RemoveWhitespace],
        vec![Lowercase, RemoveWhitespace, Base64Decode, Lowercase],
    ];
    let mut scratch = ChainScratch::default();
    let texts: &[&[u8]] = &[
        b"",
        b" ",
        b"  ",
        b"aGVs bG8=",
        b"aGVs\x0bbG8gd29ybGQ",
        b"aG Vs\xc2\xa0bG8gd29ybGQ",
        b"a\x0c",
        b"\xa0aGVsbG8gd29ybGQ",
        b"aGVsbG8lMjBX IA==",
        b"not base64, is it",
        b"a b c d e f g h",
        b"\r\naGVs\tbG8gd29ybGQ\n",
    ];
    for text in texts {
        check(&lists, text, &mut scratch, &Context::default());
    }
}
