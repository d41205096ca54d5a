//! What each construct means, and what is refused. The differential tests in `tests/` ask PCRE2 the same and more.

use std::time::{Duration, Instant};

use crate::{Captures, Kind, Options, Pattern, PatternError, StepLimit};

fn pattern(source: &[u8]) -> Pattern {
    Pattern::new(source, Options::default())
        .unwrap_or_else(|error| panic!("\"{}\": {error}", source.escape_ascii()))
}

fn refused(source: &[u8]) -> PatternError {
    match Pattern::new(source, Options::default()) {
        Ok(pattern) => panic!("{pattern:?} was to be refused"),
        Err(error) => error,
    }
}

/// The groups of the first match as text: `None` for a group that took no part.
fn groups(pattern: &Pattern, haystack: &[u8]) -> Option<Vec<Option<String>>> {
    let mut captures = Captures::new();
    let text = |i| captures_text(&captures_of(pattern, haystack, &mut Captures::new()), haystack, i);
    let matched = pattern.captures(haystack, &mut captures).expect("no limit is reached");
    assert_eq!(pattern.is_match(haystack), Ok(matched), "{pattern:?}");
    matched.then(|| (0..pattern.group_count()).map(text).collect())
}

fn captures_of(pattern: &Pattern, haystack: &[u8], captures: &mut Captures) -> Captures {
    pattern.captures(haystack, captures).expect("no limit is reached");
    captures.clone()
}

fn captures_text(captures: &Captures, haystack: &[u8], index: usize) -> Option<String> {
    captures.get(index).map(|range| haystack[range].escape_ascii().to_string())
}

/// Pattern, haystack, and the text of the match, if there is one.
type Case = (&'static [u8], &'static [u8], Option<&'static str>);

#[track_caller]
fn check(cases: &[Case]) {
    for (source, haystack, expected) in cases {
        let found =
            groups(&pattern(source), haystack).map(|groups| groups[0].clone().expect("group 0 is set"));
        assert_eq!(
            found.as_deref(),
            *expected,
            "\"{}\" on \"{}\"",
            source.escape_ascii(),
            haystack.escape_ascii()
        );
    }
}

/// Rows of the table in the specification: patterns that another engine takes too, and understands otherwise.
#[test]
fn silent_differences_follow_pcre() {
    check(&[
        // A byte, not the UTF-8 of a character.
        (br"\x{bc}", b"\xbc", Some(r"\xbc")),
        (br"\x{bc}", b"\xc2\xbc", Some(r"\xbc")),
        (br"^\x{c2}\x{b4}$", b"\xc2\xb4", Some(r"\xc2\xb4")),
        (br"[\x{e2}]", b"\xe2", Some(r"\xe2")),
        // Literals, not word boundaries.
        (br"\<a\>", b"<a>", Some("<a>")),
        (br"\<a\>", b"a", None),
        // Members and ranges, not set operations.
        (br"[a&&b]+", b"a&b", Some("a&b")),
        (br"[+--]+", b"+,-", Some("+,-")),
        (br"[~~]", b"~", Some("~")),
        (br"[a[b]]", b"b]", Some("b]")),
        // Possessive, not a repetition of a repetition.
        (br"a++a", b"aa", None),
        (br"a{1,3}+a", b"aaa", None),
        (br"a{1,3}+a", b"aaaa", Some("aaaa")),
        // All vertical space.
        (br"\v+", b"\n\x0b\x0c\r\x85", Some(r"\n\x0b\x0c\r\x85")),
        // Line breaks.
        (br"^b$", b"a\nb\nc", Some("b")),
        (br"a.b", b"a\nb", Some(r"a\nb")),
        // PCRE's own exception: not after a newline that ends the subject.
        (br"\n^", b"a\n", None),
        (br"\n^", b"a\nb", Some(r"\n")),
        (br"^$", b"a\n", None),
        (br"^$", b"", Some("")),
        (br"^$", b"a\n\nb", Some("")),
        (br"a$\n", b"a\n", Some(r"a\n")),
    ]);
}

#[test]
fn options_change_what_anchors_and_dots_mean() {
    let find = |source: &[u8], options: Options, haystack: &[u8]| {
        let pattern = Pattern::new(source, options).expect("it compiles");
        groups(&pattern, haystack).and_then(|groups| groups[0].clone())
    };
    let single = || Options { multi_line: false, ..Options::default() };
    assert_eq!(find(br"^b", single(), b"a\nb"), None);
    assert_eq!(find(br"a$", single(), b"a\n").as_deref(), Some("a"));
    assert_eq!(find(br"a$", single(), b"a\n\n"), None);
    assert_eq!(find(br"a$", single(), b"a\nb"), None);
    assert_eq!(find(br"(?m)^b", single(), b"a\nb").as_deref(), Some("b"));
    let end_only = || Options { dollar_end_only: true, ..single() };
    assert_eq!(find(br"a$", end_only(), b"a\n"), None);
    assert_eq!(find(br"a\Z", end_only(), b"a\n").as_deref(), Some("a"));
    assert_eq!(find(br"(?m)a$", end_only(), b"a\n").as_deref(), Some("a"));
    let no_dot_all = || Options { dot_all: false, ..Options::default() };
    assert_eq!(find(br"a.", no_dot_all(), b"a\nab").as_deref(), Some("ab"));
    assert_eq!(find(br"(?s)a.", no_dot_all(), b"a\nab").as_deref(), Some(r"a\n"));
    let caseless = || Options { case_insensitive: true, ..Options::default() };
    assert_eq!(find(br"[b-c]K", caseless(), b"Bk").as_deref(), Some("Bk"));
    assert_eq!(find(br"(?-i)a", caseless(), b"A"), None);
}

#[test]
fn escapes() {
    check(&[
        (br"\x", b"\0", Some(r"\x00")),
        (br"\xA\xg", b"\x0a\0g", Some(r"\n\x00g")),
        (br"\x61\x{0062}\o{143}\0144", b"abc\x0c4", Some(r"abc\x0c4")),
        (br"\0\01\011\11\377", b"\0\x01\t\t\xff", Some(r"\x00\x01\t\t\xff")),
        (br"\cA\ca\c{\c?", b"\x01\x01;\x7f", Some(r"\x01\x01;\x7f")),
        (br"\a\e\f\n\r\t", b"\x07\x1b\x0c\n\r\t", Some(r"\x07\x1b\x0c\n\r\t")),
        (br"\h+\H", b"\t \xa0\x0b", Some(r"\t \xa0\x0b")),
        (br"\V", b"\n\x85a", Some("a")),
        (br"\d\D\w\W\s\S", b"1a_- \x85", Some(r"1a_- \x85")),
        (br"\s", b"\x0b", Some(r"\x0b")),
        (br"\w", b"\xe9", None),
        (br"\N", b"\n", None),
        (br"\N{2}", b"ab", Some("ab")),
        (br"\C", b"\n", Some(r"\n")),
        (br"\R", b"a\r\nb", Some(r"\r\n")),
        (br"\R\n", b"\r\n", None),
        (br"\R{2}", b"\r\n\x85", Some(r"\r\n\x85")),
        (br"(*BSR_ANYCRLF)\R", b"\x85\r", Some(r"\r")),
        (br"\Aa\z", b"a", Some("a")),
        (br"a\Z", b"a\n", Some("a")),
        (br"a\z", b"a\n", None),
        (br"\bb\b", b"ab b", Some("b")),
        (br"\Bb", b"b ab", Some("b")),
        (br"[[:<:]]b[[:>:]]", b"ab b", Some("b")),
        (br"\Qa*\E+", b"a**", Some("a**")),
        (br"a\Q\E*", b"aa", Some("aa")),
        (br"\E\Qa", b"a", Some("a")),
        (br"a\Kb", b"ab", Some("b")),
        (br"\/\_\%\-\ ", b"/_%- ", Some("/_%- ")),
        (b"\\\xe9\\\0", b"\xe9\0", Some(r"\xe9\x00")),
        (b"\xc3\xa9+", b"\xc3\xa9\xa9", Some(r"\xc3\xa9\xa9")),
    ]);
}

#[test]
fn classes() {
    check(&[
        (br"[]a]+", b"]a", Some("]a")),
        (br"[^]a]", b"]ab", Some("b")),
        (br"[a\]]+", b"a]", Some("a]")),
        (br"[[:alpha:][:digit:]]+", b"a1-", Some("a1")),
        (br"[[:^alpha:]]+", b"a1-", Some("1-")),
        (br"[[:punct:]]+", b"a_-!", Some("_-!")),
        (br"[[:alpha]+", b"[:alph", Some("[:alph")),
        (br"[\w-.]+", b"a-.", Some("a-.")),
        (br"[\d-z]+", b"1-z", Some("1-z")),
        (br"[a-\d]+", b"a-1", Some("a-1")),
        (br"[a-]+", b"a-", Some("a-")),
        (br"[-a]+", b"a-", Some("a-")),
        (br"[a-c-e]+", b"b-d", Some("b-")),
        (br"[--/]+", b"-./", Some("-./")),
        (br"[\x61-\x{63}]+", b"abcd", Some("abc")),
        (br"[\b]", b"\x08", Some(r"\x08")),
        (br"[\101\8]+", b"A8", Some("A8")),
        (br"[\Qa]\E-\Qc\E]+", b"a]bc", Some("a]bc")),
        (br"[a\Q-\Ec]+", b"a-cb", Some("a-c")),
        (br"[\E]]+", b"]", Some("]")),
        (br"[^a]", b"\n", Some(r"\n")),
        (br"(?i)[^a]", b"Ab", Some("b")),
        (br"(?i)[A-c]+", b"[_aB", Some("[_aB")),
        (br"(?i)[[:upper:]]", b"a", Some("a")),
        (br"(?i)[[:^upper:]]", b"ab1", Some("1")),
        (br"[$^.|?*+(){}]+", b"$^.|?*+(){}", Some("$^.|?*+(){}")),
        (br"(?xx)[a b]+", b" ab", Some("ab")),
        (br"[^\s\S]", b"a", None),
        (br"[\x80-\xff]+", b"a\x80\xff", Some(r"\x80\xff")),
    ]);
}

#[test]
fn quantifiers_and_braces() {
    check(&[
        (br"a{2}", b"aaa", Some("aa")),
        (br"a{2,}", b"aaa", Some("aaa")),
        (br"a{1,2}?", b"aaa", Some("a")),
        (br"a{0}b", b"ab", Some("b")),
        (br"a{,3}", b"a{,3}", Some("a{,3}")),
        (br"a{1,2", b"a{1,2", Some("a{1,2")),
        (br"{{", b"{{", Some("{{")),
        (br"}{a}", b"}{a}", Some("}{a}")),
        (br"a{x}", b"a{x}", Some("a{x}")),
        (br"a*?b", b"aab", Some("aab")),
        (br"a??b", b"ab", Some("ab")),
        (br"(?U)a+", b"aa", Some("a")),
        (br"(?U)a+?", b"aa", Some("aa")),
        (br"(?x) a + +a", b"aaa", None),
        (br"a+(?#x)+a", b"aaa", None),
        (br"a(?#x)*", b"aa", Some("aa")),
        (br"(?>a*)a", b"aa", None),
        (br"(?>a|ab)c", b"abc", None),
        (br"(?>ab|a)c", b"abc", Some("abc")),
        (br"a?+a", b"a", None),
    ]);
}

#[test]
fn groups_flags_and_comments() {
    check(&[
        (br"(?i)aB", b"Ab", Some("Ab")),
        (br"a(?i)b|c", b"C", Some("C")),
        (br"(?:a(?i)b)c", b"aBC", None),
        (br"(?i:a)b", b"Ab", Some("Ab")),
        (br"(?s-i:.)", b"\n", Some(r"\n")),
        (br"(?-s).", b"\n", None),
        (br"(?^:.)", b"\na", Some("a")),
        (br"(?-m)^b", b"a\nb", None),
        (br"(?x) a b # comment", b"ab", Some("ab")),
        (b"(?x)a#c)\nb", b"ab", Some("ab")),
        (br"(?x)a\ b[ ]c", b"a b c", Some("a b c")),
        (br"a(?#comment)b", b"ab", Some("ab")),
        (br"a||b", b"b", Some("")),
        (br"()a", b"a", Some("a")),
        (br"(*NO_JIT)(*LF)a", b"a", Some("a")),
        (br"a(*F)|b", b"ab", Some("b")),
        (br"(*pla:a)a(*nlb:a)|c", b"ac", Some("c")),
    ]);
    let named = pattern(br"(?<year>\d+)-(?P<month>\d+)-(?'day'\d+)(x)?");
    assert_eq!(named.group_names().collect::<Vec<_>>(), [("year", 1), ("month", 2), ("day", 3)]);
    assert_eq!(named.group_count(), 5);
    let expected = ["2026-11-21", "2026", "11", "21"].map(|text| Some(text.to_owned()));
    assert_eq!(groups(&named, b"on 2026-11-21"), Some([&expected[..], &[None]].concat()));
    assert_eq!(pattern(br"(?n)(a)(?<x>b)").group_count(), 2);
}

#[test]
fn look_around_and_back_references() {
    check(&[
        (br"a(?=b)", b"acab", Some("a")),
        (br"a(?!b)", b"ab", None),
        (br"(?<=a)b", b"bab", Some("b")),
        (br"(?<!a)b", b"ab", None),
        (br"(?<=a|bc)d", b"bcd", Some("d")),
        (br"(?<!^)a", b"aa", Some("a")),
        (br"(?!)", b"", None),
        (br"(?=a*b)a", b"aac aab", Some("a")),
        (br"(a)\1", b"aa", Some("aa")),
        (br"(a)(?i:\1)", b"aA", Some("aA")),
        (br"(a)\g1\g{1}\g{-1}", b"aaaa", Some("aaaa")),
        (br"(?<n>a)\k<n>\k'n'\k{n}\g{n}(?P=n)", b"aaaaaa", Some("aaaaaa")),
        (br"(a)?\1b", b"b", None),
        (br"\1(a)", b"aa", None),
        (br"(a\1?)+b", b"aaab", Some("aaab")),
        (br"(?:(a)|b\1)+", b"aba", Some("aba")),
        (br"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10\11", b"abcdefghijj\t", Some(r"abcdefghijj\t")),
        (br"(?=(a+))a*b\1", b"baaabac", Some("aba")),
        (br"(?!(a)b)a\1?", b"ac", Some("a")),
        (br"(?>(a+))b\1", b"aabaa", Some("aabaa")),
    ]);
}

/// Found by long runs of the differential test.
#[test]
fn differences_once_found_stay_away() {
    check(&[
        // The linear matcher took what it had seen at an earlier position for seen.
        (br"\n{0,1}\Z[[:^alpha:]]{1,3}", b"\nabb\n", Some(r"\n")),
        // The automaton's builder factors out what alternatives share, and with it their order.
        (br"a*(?i:(*F))*ab?+|a*\wb", b"babbabbab", Some("ab")),
        (br"a*ab?|a*\wb", b"babbabbab", Some("ab")),
        (br"ca*a|(?:ca*ab|ca*aab)", b"caab", Some("caa")),
        // The automaton's search for literals inside a pattern reports wrong ends.
        (br"a?b{1,3}[^ab]*", b"abbb", Some("abbb")),
        (br"a*b{2}[^b]*b", b"aaabbbbb", Some("aaabbb")),
        (br".bb|b", b"zabb", Some("abb")),
        (br"(?:a|c)a*ab?|a{0}[ac]a*\wb", b"cabb", Some("cab")),
    ]);
}

#[test]
fn groups_of_repeated_groups_are_pcres() {
    for (source, haystack, expected) in [
        // The last, empty iteration captures.
        (&br"(a*)*"[..], &b"aa"[..], &[Some("aa"), Some("")][..]),
        (br"(a*)+", b"aa", &[Some("aa"), Some("")]),
        (br"(a|b*)*", b"ab", &[Some("ab"), Some("")]),
        (br"(a?){3}", b"a", &[Some("a"), Some("")]),
        (br"(a*)*?b", b"aab", &[Some("aab"), Some("aa")]),
        // An earlier iteration's group stays.
        (br"(?:(a)|b)*", b"ab", &[Some("ab"), Some("a")]),
        // An iteration that consumed nothing ends the loop, here before the second alternative is tried.
        (br"(?:|a)+b?", b"ab", &[Some("")]),
        (br"(?:[ab]*|c)*a??", b"abc", &[Some("ab")]),
    ] {
        let found = groups(&pattern(source), haystack).expect("it matches");
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{}", source.escape_ascii());
    }
}

#[test]
fn refusals_name_the_place_and_a_remedy() {
    for (source, offset, message, help) in [
        (&br"a(b"[..], 1, "the parenthesis is never closed", true),
        (br"a)b", 1, "unmatched closing parenthesis", true),
        (br"a[b", 1, "the class is never closed", true),
        (br"[b-a]", 2, "the range is out of order", true),
        (br"*a", 0, "the quantifier has nothing to repeat", true),
        (br"a**", 2, "the quantifier has nothing to repeat", true),
        (br"^*", 1, "the quantifier has nothing to repeat", true),
        (br"\b+", 2, "the quantifier has nothing to repeat", true),
        (br"a{2}{3}", 4, "the quantifier has nothing to repeat", true),
        (br"a{3,2}", 1, "the counts of the quantifier are out of order", false),
        (br"a{65536}", 2, "a quantifier counts to 65535 at most", false),
        (br"a\", 1, "the pattern ends with a backslash", true),
        (br"\i", 0, "unknown escape `\\i`", true),
        (br"\u0041", 0, "PCRE has no escape `\\u`", true),
        (br"\x{100}", 0, "the character code is above FF (patterns match bytes)", true),
        (br"\x{", 0, "the character code is never closed", true),
        (br"\400", 0, "the octal code is above 377 (patterns match bytes)", false),
        (br"\p{L}", 0, "a Unicode property (patterns match bytes) is not supported", true),
        (br"\N{U+41}", 0, "`\\N{..}` (patterns match bytes) is not supported", true),
        (br"[\R]", 1, "`\\R` has no meaning in a class", true),
        (br"[[:foo:]]", 1, "unknown named class", true),
        (br"[:alpha:]", 0, "a named class stands only inside a class", true),
        (br"[[.a.]]", 1, "a collating element is not supported", true),
        (br"\1", 0, "the back-reference is to a group that does not exist", true),
        (br"(a)\2", 3, "the back-reference is to a group that does not exist", true),
        (br"\k<n>", 0, "no group is named `n`", false),
        (br"(?<n>a)(?<n>b)", 10, "two groups are named `n`", true),
        (br"(?<1>a)", 3, "a group's name must not start with a digit", false),
        (br"(?|(a)|(b))", 0, "branch reset `(?|` is not supported", true),
        (br"a(?R)", 1, "a call of a group (recursion) is not supported", true),
        (br"(a)(?1)", 3, "a call of a group (recursion) is not supported", true),
        (br"(a)?(?(1)b|c)", 4, "a conditional group is not supported", true),
        (br"(?C1)a", 0, "a callout is not supported", true),
        (br"(?J)a", 2, "the flag `J` (duplicate names) is not supported", true),
        (br"(?z)a", 2, "unknown flag or group type after `(?`", true),
        (br"(?#a", 0, "the comment has no end", true),
        (br"(?<=a+)b", 0, "a look-behind must have a fixed length", true),
        (br"(?=a\Kb)", 4, "`\\K` is not allowed inside look-around", false),
        (br"(*UTF8)a", 0, "patterns match bytes: UTF and Unicode properties are not supported", true),
        (br"(*CRLF)a", 0, "only the newline convention LF is supported", true),
        (br"(*LIMIT_MATCH=9)a", 0, "limits cannot be set inside a pattern", true),
        (br"a(*SKIP)b", 1, "a verb that steers backtracking is not supported", true),
    ] {
        let error = refused(source);
        let found = (error.offset, error.message.as_ref(), error.help.is_some());
        assert_eq!(found, (offset, message, help), "\"{}\"", source.escape_ascii());
    }
    let error = refused(br"x(?:(?:ab){300}){300}y");
    assert_eq!((error.offset, error.help.is_some()), (16, true), "{error}");
    assert_eq!(refused(b"a(").to_string(), "the parenthesis is never closed at byte 1 of the pattern");
}

#[test]
fn only_what_needs_it_backtracks() {
    for (source, kind, exact) in [
        (&br"^[^;\s]+a.*b$"[..], Kind::Linear, true),
        (br"^$", Kind::Linear, false),
        (br"(a*)*b", Kind::Linear, true),
        (br"a\R+b", Kind::Linear, true),
        (br"<\?(?!xml)", Kind::Linear, false),
        (br"(?<!&amp|&lt);", Kind::Linear, false),
        (br"a\G", Kind::Linear, false),
        (br"(?=a+b)a", Kind::Backtracking, false),
        (br"(?=(a))a", Kind::Backtracking, false),
        (br"(a)\1", Kind::Backtracking, false),
        // Atomic and possessive: nothing behind it can fail.
        (br"a*+", Kind::Linear, true),
        (br"(?:x(?>a|ab))*", Kind::Linear, true),
        // What follows cannot begin with what could be given back.
        (br"\s*+=\s*+\d", Kind::Linear, true),
        (br"a{1,3}+b", Kind::Linear, true),
        (br"a*+$", Kind::Linear, true),
        (br"(?:a*+b)+c", Kind::Linear, true),
        // There is one way only.
        (br"(?>foo|bar)baz", Kind::Linear, true),
        (br"(?>[ab]{3})b", Kind::Linear, true),
        // One byte set: a condition behind it says the same.
        (br"\w++\d", Kind::Linear, false),
        (br"\w{1,3}+\d", Kind::Linear, false),
        (br"\n*+$", Kind::Linear, false),
        // The rest.
        (br"(?>a|ab)c", Kind::Backtracking, false),
        (br"(?:ab)*+a", Kind::Backtracking, false),
        (br"(?:(?>a*b?)b)c", Kind::Backtracking, false),
    ] {
        let pattern = pattern(source);
        assert_eq!((pattern.kind(), pattern.hir_is_exact()), (kind, exact), "{pattern:?}");
    }
}

#[test]
fn matches_are_iterated_as_pcre_does() {
    let all = |source: &[u8], haystack: &[u8]| -> Vec<(usize, usize)> {
        pattern(source)
            .captures_iter(haystack)
            .map(|m| m.expect("no limit is reached").get(0).expect("group 0 is set"))
            .map(|range| (range.start, range.end))
            .collect()
    };
    assert_eq!(all(b"a+", b"aabaa"), [(0, 2), (3, 5)]);
    assert_eq!(all(b"a*", b"baa"), [(0, 0), (1, 3), (3, 3)]);
    assert_eq!(all(b"", b"ab"), [(0, 0), (1, 1), (2, 2)]);
    assert_eq!(all(br"\b", b"ab c"), [(0, 0), (2, 2), (3, 3), (4, 4)]);
    assert_eq!(all(b"^", b"a\nb\n"), [(0, 0), (2, 2)]);
    assert_eq!(all(br"\Ga", b"aab"), [(0, 1), (1, 2)]);
    assert_eq!(all(br"(?<=a)b|a", b"ab"), [(0, 1), (1, 2)]);
    assert_eq!(all(br"(.)\1", b"aabb"), [(0, 2), (2, 4)]);
    assert_eq!(all(br"a\Kb", b"abab"), [(1, 2), (3, 4)]);
}

#[test]
fn iterating_stops_before_it_is_quadratic() {
    // Each of many matches looks to the end for the preferred one, which is not there.
    let haystack = vec![b'a'; 1 << 20];
    let started = Instant::now();
    let results: Vec<_> = pattern(b".*?b|a").captures_iter(&haystack).collect();
    assert!(matches!(results.last(), Some(Err(StepLimit { .. }))));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // Where matches are short, the same number of bytes and of matches is no trouble.
    assert_eq!(pattern(b"a").captures_iter(&haystack).filter(Result::is_ok).count(), 1 << 20);
}

#[test]
fn a_search_can_begin_inside() {
    let mut captures = Captures::new();
    let word = pattern(br"\bb");
    assert_eq!(word.captures_at(b"ab b", 1, &mut captures), Ok(true));
    assert_eq!(captures.get(0), Some(3..4));
    assert_eq!(word.captures_at(b"ab b", 5, &mut captures), Ok(false));
    assert_eq!(captures.get(0), None);
    let mut cache = word.create_cache();
    assert_eq!(word.captures_at_with(&mut cache, b"ab b", 3, &mut captures), Ok(true));
    assert_eq!(pattern(br"(?<=a)b").captures_at(b"ab", 1, &mut captures), Ok(true));
    assert_eq!(pattern(br"^b").captures_at(b"ab", 1, &mut captures), Ok(false));
}

#[test]
fn ten_groups_are_reported() {
    let pattern = pattern(b"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)");
    let mut captures = Captures::new();
    assert_eq!(pattern.captures(b"abcdefghijk", &mut captures), Ok(true));
    assert_eq!((captures.get(9), captures.get(10)), (Some(8..9), None));
    assert_eq!(captures.iter().filter(Option::is_some).count(), 10);
}

#[test]
fn patterns_are_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let pattern = pattern(br"(?=a)a+b");
    shared(&pattern);
    let other = pattern.clone();
    assert_eq!(std::thread::spawn(move || other.is_match(b"aab")).join().expect("it ends"), Ok(true));
    assert_eq!(pattern.source(), br"(?=a)a+b");
}

#[test]
fn bombs_are_refused_at_once() {
    let started = Instant::now();
    let bombs: Vec<Vec<u8>> = vec![
        b"((a{1000}){1000}){1000}".to_vec(),
        b"(((a{1,65535}){1,65535}){1,65535}){1,65535}".to_vec(),
        b"(?:a?){65535}{1}(?:(?:a{60000}){60000})".to_vec(),
        b"(?:(?>a|ab){60000}c){60000}".to_vec(),
        b"(?:(?=(a{60000})){60000}){60000}".to_vec(),
        // Above the memory of the automaton: half of all bytes, in ranges of one.
        [
            b"[".to_vec(),
            (0..=255u8).step_by(2).flat_map(|b| format!("\\x{b:02x}").into_bytes()).collect(),
            b"]{60000}".to_vec(),
        ]
        .concat(),
        vec![b'('; 100_000],
        b"(?:".repeat(300),
        b"(?=".repeat(30_000),
        [b"(a|".repeat(251), b"b".to_vec(), b")".repeat(251)].concat(),
        vec![b'a'; 200_000],
        b"(?<a>".repeat(20_000),
        b"[[:".repeat(40_000),
        b"a{1".repeat(40_000),
        b"\\1".repeat(60_000),
    ];
    for bomb in &bombs {
        let begun = Instant::now();
        let error = Pattern::new(bomb, Options::default());
        let start = String::from_utf8_lossy(&bomb[..bomb.len().min(40)]).into_owned();
        if let Ok(pattern) = &error {
            assert!(start.starts_with("a{1"), "{start} is refused, not {:?}", pattern.kind());
        }
        println!(
            "{start}..: {:?}, {}",
            begun.elapsed(),
            error.map_or_else(|e| e.to_string(), |_| "taken".into())
        );
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn deep_and_wide_patterns_that_are_allowed_compile() {
    let deep = [b"(".repeat(250), b"a".to_vec(), b")*".repeat(250)].concat();
    let started = Instant::now();
    for source in [
        deep,
        [b"(?:a|".repeat(250), b"b".to_vec(), b")".repeat(250)].concat(),
        b".{0,65535}".to_vec(),
        b"(?:ab|cd|ef){0,5000}x".to_vec(),
        b"abcdefgh|".repeat(12_000),
        b"(?>a|b)".repeat(18_000),
        b"(?=a+)".repeat(20_000),
        b"\\s*+".repeat(30_000),
    ] {
        let begun = Instant::now();
        let pattern = Pattern::new(&source, Options::default());
        let start = String::from_utf8_lossy(&source[..source.len().min(20)]).into_owned();
        println!("{start}..: {:?}, {:?}", begun.elapsed(), pattern.as_ref().map(Pattern::memory_usage));
        if let Ok(pattern) = pattern {
            let _ = pattern.is_match(b"aaaabaaab");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn backtracking_ends_at_the_step_limit() {
    // Each ends in what lets the automaton hope, so that the backtracker has to try.
    let evil: &[(&[u8], Vec<u8>)] = &[
        (br"(a+)+\1c", [&[b'a'; 5_000][..], b"bc"].concat()),
        (br"(?:a|a)*(b?)\1c", [&[b'a'; 5_000][..], b"dd"].concat()),
        (br"(x?)(?:a*)*\1b(?=a*a)", [&[b'a'; 5_000][..], b"b"].concat()),
        (br"(.*)(.*)(.*)(.*)x\1y\2", [&[b'a'; 2_000][..], b"x", &[b'b'; 2_000][..], b"y"].concat()),
        (br"(?=(a+)+b)a", vec![b'a'; 2_000]),
        (br"(?>(?:a|a)+)\s(b)\1", [&[b'a'; 100_000][..], b" bc"].concat()),
        (br"(?i)(a.*)\1z", b"aAbz".repeat(25_000)),
    ];
    for (source, haystack) in evil {
        let pattern = pattern(source);
        assert_eq!(pattern.kind(), Kind::Backtracking);
        let started = Instant::now();
        let result = pattern.is_match(haystack);
        println!("{pattern:?} on {} bytes: {result:?} after {:?}", haystack.len(), started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(2), "{pattern:?}: {:?}", started.elapsed());
        assert_ne!(result, Ok(true));
    }
    assert!(matches!(pattern(evil[0].0).is_match(&evil[0].1), Err(StepLimit { .. })));
    assert!(matches!(pattern(evil[6].0).is_match(&evil[6].1), Err(StepLimit { .. })));
    let few = Options { step_limit: 10, steps_per_byte: 0, ..Options::default() };
    let pattern = Pattern::new(br"(a)*\1b", few).expect("it compiles");
    let error = pattern.is_match(b"aaaaaaaaaab").expect_err("ten steps are not enough");
    assert_eq!(error.to_string(), "matching was given up at the limit of 10 steps");
}

#[test]
fn waiting_alternatives_are_bounded_on_long_haystacks() {
    // Without a bound, eight million alternatives would wait, and the step limit of so long a haystack allows them.
    let haystack = [vec![b'a'; 8 << 20], b"xd".to_vec()].concat();
    let pattern = pattern(br"(?:a|b)*(c?)\1d");
    let mut cache = pattern.create_cache();
    let started = Instant::now();
    let result = pattern.is_match_with(&mut cache, &haystack);
    println!("{result:?} after {:?}", started.elapsed());
    assert!(matches!(result, Err(StepLimit { .. })));
    assert_eq!(pattern.is_match_with(&mut cache, b"aad"), Ok(true));
}
