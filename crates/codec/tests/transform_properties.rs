//! What holds for every transformation and every value.

use std::time::{Duration, Instant};

use palisade_codec::transform::{base64, hex, percent};
use palisade_codec::{ByteSet, Context, Effect, Transformation, UnicodeMap};
use proptest::prelude::*;

use support::value;

mod support;

fn transformation() -> impl Strategy<Value = Transformation> {
    prop::sample::select(Transformation::ALL)
}

fn unicode_map() -> UnicodeMap {
    UnicodeMap::parse("20127 (US-ASCII)\n00c0:41 0041:25 ff1c:3c", 20127).expect("a valid map")
}

fn result_of(transformation: Transformation, input: &[u8], context: &Context<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match transformation.apply(input, &mut out, context) {
        Effect::Unchanged => input.to_vec(),
        Effect::Changed => out,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn effect_length_and_buffer_keep_their_promises(
        transformation in transformation(),
        input in value(),
        left_over in value(),
        wanted in any::<u8>(),
        with_map in any::<bool>(),
    ) {
        let map = unicode_map();
        let context = Context { unicode_map: with_map.then_some(&map) };
        let mut fresh = Vec::new();
        let effect = transformation.apply(&input, &mut fresh, &context);
        match effect {
            Effect::Changed => {
                prop_assert_ne!(&fresh, &input, "reported as a change");
                prop_assert!(fresh.len() <= transformation.output_len_max(input.len()));
                prop_assert!(transformation.may_change(&ByteSet::of(&input)), "a plan would have skipped it");
            }
            Effect::Unchanged => prop_assert!(input.len() <= transformation.output_len_max(input.len())),
        }
        let bytes = ByteSet::of(&input);
        if transformation.leaves(&bytes, &input) {
            prop_assert_eq!(effect, Effect::Unchanged, "a plan would have skipped it");
        } else {
            prop_assert!(transformation.may_change(&bytes));
        }
        let result: &[u8] = if effect == Effect::Changed { &fresh } else { &input };
        if let Some(after) = transformation.bytes_after(&bytes) {
            prop_assert_eq!(after, ByteSet::of(result));
        }
        let of_result = ByteSet::of(result);
        for wanted in [of_result, ByteSet::of(&[wanted]), ByteSet::of(&[wanted]).union(ByteSet::of(b"aZ"))] {
            let before = transformation.bytes_before(wanted);
            prop_assert!(!of_result.intersects(&wanted) || before == ByteSet::FULL || bytes.intersects(&before));
        }
        if transformation.may_change(&bytes) && let Some(needed) = transformation.unchanged_without() {
            prop_assert!(bytes.intersects(&needed));
        }
        let mut used = left_over;
        prop_assert_eq!(transformation.apply(&input, &mut used, &context), effect);
        if effect == Effect::Changed {
            prop_assert_eq!(used, fresh, "what the buffer held before shows through");
        }
    }

    #[test]
    fn a_second_time_changes_nothing(
        transformation in prop::sample::select(IDEMPOTENT),
        input in value(),
    ) {
        let once = result_of(transformation, &input, &Context::default());
        let mut twice = Vec::new();
        let effect = transformation.apply(&once, &mut twice, &Context::default());
        prop_assert_eq!(effect, Effect::Unchanged, "{} became {}", once.escape_ascii(), twice.escape_ascii());
    }

    #[test]
    fn decoders_undo_their_encoders(input in value()) {
        use Transformation::*;
        for (encode, decode) in [
            (Base64Encode, Base64Decode), (Base64Encode, Base64DecodeExt), (HexEncode, HexDecode),
            (UrlEncode, UrlDecode), (UrlEncode, UrlDecodeUni),
        ] {
            let encoded = result_of(encode, &input, &Context::default());
            prop_assert_eq!(&result_of(decode, &encoded, &Context::default()), &input, "{:?}", encode);
        }
    }

    /// The same without a map, so that what a detector decodes is what a rule decodes.
    #[test]
    fn without_plus_and_unicode_escapes_all_percent_decoders_agree(input in value()) {
        let input: Vec<u8> = input.into_iter().filter(|byte| !matches!(byte, b'+' | b'u' | b'U')).collect();
        let mut plain = Vec::new();
        let mut url = Vec::new();
        let effect = percent::percent_decode(&input, &mut plain);
        prop_assert_eq!(percent::url_decode(&input, &mut url), effect);
        prop_assert_eq!(&plain, &url);
        let mut uni = Vec::new();
        prop_assert_eq!(percent::url_decode_uni(&input, &mut uni, None), effect);
        prop_assert_eq!(&plain, &uni);
    }

    #[test]
    fn any_text_is_a_unicode_map_or_an_error(text in "[ \t\n#:0-9a-fA-F()x-]{0,80}", page in 0..30_u32) {
        if let Ok(map) = UnicodeMap::parse(&text, page) {
            prop_assert!(map.len() >= 4 && !map.is_empty());
        }
    }
}

/// Not among them although one might think so: `normalizePath`, which can join what a second run takes for
/// `..`; the parities, which count the top bit that they set; `removeCommentsChar`, which does not look at
/// what a gap joins.
const IDEMPOTENT: &[Transformation] = &[
    Transformation::CmdLine,
    Transformation::CompressWhitespace,
    Transformation::Lowercase,
    Transformation::ParityZero7Bit,
    Transformation::RemoveNulls,
    Transformation::RemoveWhitespace,
    Transformation::ReplaceComments,
    Transformation::ReplaceNulls,
    Transformation::Trim,
    Transformation::TrimLeft,
    Transformation::TrimRight,
    Transformation::Uppercase,
];

#[test]
fn a_plain_word_is_skipped_by_all_but_the_encoders() {
    let word = ByteSet::of(b"username");
    let touched: Vec<_> =
        Transformation::ALL.iter().filter(|t| t.may_change(&word)).map(|t| t.name()).collect();
    assert_eq!(
        touched,
        [
            "base64Decode",
            "base64DecodeExt",
            "base64Encode",
            "hexDecode",
            "hexEncode",
            "length",
            "md5",
            "parityEven7bit",
            "parityOdd7bit",
            "sha1",
            "uppercase",
        ]
    );
}

/// Values of ordinary traffic and the transformations of CRS that see at once that nothing is to be done.
#[test]
fn harmless_bytes_wake_nothing() {
    use Transformation::*;
    let cases: [(&[u8], &[Transformation]); 12] = [
        (b"/shop/products/item-1234.html", &[NormalizePath, NormalizePathWin, UrlDecodeUni, ReplaceComments]),
        (b"text/html,application/xml;q=0.9,*/*;q=0.8", &[NormalizePath, NormalizePathWin, HtmlEntityDecode]),
        (b"https:/www.example.com/a/b?c=d", &[NormalizePath, NormalizePathWin]),
        (b"the quick brown fox", &[CompressWhitespace, Trim, TrimLeft, TrimRight, Lowercase, RemoveNulls]),
        (b"a trailing tab is one side only\t", &[TrimLeft]),
        (b"\n and a leading line feed", &[TrimRight]),
        (b"well-known/spec-sheet.v1.2", &[RemoveComments, RemoveCommentsChar, NormalizePath]),
        (b"3 * 4 / 2", &[ReplaceComments, RemoveComments, RemoveCommentsChar, UrlDecode]),
        (b"50 percent: 50% of it", &[JsDecode, CssDecode, EscapeSeqDecode, Utf8ToUnicode, SqlHexDecode]),
        (b"100%", &[HtmlEntityDecode, Lowercase]),
        (b"rock & roll", &[UrlDecodeUni, UrlDecode]),
        (b"", &[NormalizePath, Base64Decode, HexDecode, HexEncode, Base64Encode, Trim, CmdLine]),
    ];
    for (value, left) in cases {
        for transformation in left {
            let bytes = ByteSet::of(value);
            assert!(
                transformation.leaves(&bytes, value),
                "{} of {}",
                transformation.name(),
                value.escape_ascii()
            );
        }
    }
}

/// The same soundness for every transformation and every value of two bytes of those that matter, which is where
/// pairs are seen.
#[test]
fn what_is_said_to_stay_stays_for_all_short_values() {
    const BYTES: &[u8] = b"\0\t\n\r \"#%&'()*+,-./0;<=>AXZ[\\]^_axz\x0b\xa0\xc2\xff";
    let mut out = Vec::new();
    let mut left = 0;
    for &a in BYTES {
        for &b in BYTES {
            for &c in BYTES {
                let long: Vec<u8> = b"abcdefghijklmnopqrs".iter().chain(&[a, b, c]).copied().collect();
                for value in [&[a, b, c][..], &[a, b], &[a], &long] {
                    let bytes = ByteSet::of(value);
                    for &transformation in Transformation::ALL {
                        if transformation.leaves(&bytes, value) {
                            let effect = transformation.apply(value, &mut out, &Context::default());
                            assert_eq!(
                                effect,
                                Effect::Unchanged,
                                "{transformation:?} {}",
                                value.escape_ascii()
                            );
                            left += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(left > 1_000_000, "{left}");
}

#[test]
fn an_unchanged_value_needs_no_buffer() {
    for &transformation in Transformation::ALL {
        let input = b"user.name=joe/x%zz&foo;a-b";
        let mut out = Vec::new();
        if transformation.apply(input, &mut out, &Context::default()) == Effect::Unchanged
            && !matches!(transformation, Transformation::PhpArgsNames)
        {
            assert_eq!(out.capacity(), 0, "{} has allocated", transformation.name());
        }
    }
}

/// A quadratic step would take minutes for each of these.
#[test]
fn a_mebibyte_of_the_worst_takes_well_under_a_second() {
    const SIZE: usize = 1 << 20;
    const UNITS: &[&[u8]] = &[
        b"%",
        b"%u",
        b"%41",
        b"%uff1c",
        b"&",
        b"&#",
        b"&#1",
        b"&a",
        b"&lt",
        b"\\",
        b"\\1",
        b"\\\n",
        b"/*",
        b"/**/",
        b"<!--",
        b"*",
        b"-",
        b"*/",
        b"/",
        b"../",
        b"a/../",
        b"./",
        b".",
        b"\\..",
        b" ",
        b"0x",
        b"0x41",
        b"0x4",
        b"=",
        b"A=",
        b"[",
        b"[]",
        b"[ ]",
        b"]",
        b"\0",
        b"\xc3",
        b"\xc0\xaf",
        b"\xf7\xbf\xbf\xbf",
        b"\xff",
        b"a",
        b"A",
    ];
    let map = unicode_map();
    let context = Context { unicode_map: Some(&map) };
    let mut slowest = (Duration::ZERO, "", "".to_owned());
    let mut out = Vec::new();
    for unit in UNITS {
        // Once from the start, and once behind an opening that the rest must not make it search for again and
        // again.
        for lead in [b"".as_slice(), b"/a/", b"a[", b"&#", b"/*"] {
            let input: Vec<u8> = lead.iter().chain(unit.iter().cycle()).copied().take(SIZE).collect();
            for &transformation in Transformation::ALL {
                let start = Instant::now();
                let _ = transformation.apply(&input, &mut out, &context);
                let took = start.elapsed();
                if took > slowest.0 {
                    let value = lead.escape_ascii().chain(unit.escape_ascii()).map(char::from).collect();
                    slowest = (took, transformation.name(), value);
                }
            }
        }
    }
    let (took, name, value) = slowest;
    println!("slowest: {name} on `{value}`.. with {took:?}");
    assert!(took < Duration::from_secs(1), "{name} took {took:?} for a mebibyte of `{value}`");
}

#[test]
fn parts_serve_detectors() {
    assert_eq!(hex::hex_pair(b"3c/"), Some(b'<'));
    assert_eq!(hex::hex_quad(b"ff1c"), Some(0xff1c));
    assert_eq!((hex::hex_pair(b"3"), hex::hex_quad(b"ff1"), hex::hex_pair(b"3g")), (None, None, None));
    let mut out = Vec::new();
    assert_eq!(base64::decode_lenient(b"PHN2Zz4", &mut out), Effect::Changed);
    assert_eq!(out, b"<svg>");
}
