//! Random small patterns on random small haystacks, against PCRE2.
//!
//! `PALISADE_PCRE_PAIRS=3000000` makes a long run of it, `PALISADE_PCRE_SEED` another one.

mod support;

use palisade_oracle::pcre2::{
    CASELESS, DOLLAR_ENDONLY, DOTALL, MULTILINE, NO_AUTO_POSSESS, NO_DOTSTAR_ANCHOR, NO_START_OPTIMIZE,
};
use palisade_pcre::{Kind, Options, Pattern};
use support::{Comparison, Random, compare};

/// PCRE2 10.42's optimisations lose matches of odd patterns, mostly around `{0}`: `(?<!|^){0}(?s-m:a|^)a{1,3}` does not
/// match `aa` with them and does without. CRS's patterns are compared with optimisations, as ModSecurity has them.
const UNOPTIMISED: u32 = NO_AUTO_POSSESS | NO_DOTSTAR_ANCHOR | NO_START_OPTIMIZE;

const HAYSTACKS_PER_PATTERN: usize = 12;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[derive(Default, Debug)]
struct Tally {
    patterns: usize,
    refused_by_both: usize,
    not_supported: usize,
    linear: usize,
    backtracking: usize,
    matches: usize,
    no_matches: usize,
    undecided: usize,
}

#[test]
fn generated_patterns_match_as_in_pcre2() {
    run(number("PALISADE_PCRE_PAIRS", 150_000), 1, structured);
}

#[test]
fn random_text_is_a_pattern_here_when_it_is_one_in_pcre2() {
    run(number("PALISADE_PCRE_PAIRS", 150_000), 2, soup);
}

fn run(pairs: usize, stream: u64, generate: fn(&mut Random) -> Vec<u8>) {
    let Some(pcre2) = support::pcre2() else { return };
    let seed = number("PALISADE_PCRE_SEED", 1) as u64;
    let mut random = Random::new(seed * 1000 + stream);
    let mut tally = Tally::default();
    let mut differences = Vec::new();
    let mut done = 0;
    while done < pairs {
        let source = generate(&mut random);
        let (options, flags) = options(&mut random);
        tally.patterns += 1;
        let theirs = pcre2.compile(&source, flags | UNOPTIMISED);
        let ours = Pattern::new(&source, options);
        let (pattern, mut code) = match (ours, theirs) {
            (Ok(pattern), Ok(code)) => (pattern, code),
            (Err(_), Err(_)) => {
                tally.refused_by_both += 1;
                done += 1;
                continue;
            }
            (Err(error), Ok(_)) if deliberately_refused(&error.message) => {
                tally.not_supported += 1;
                done += 1;
                continue;
            }
            (Ok(_), Err(error)) if deliberately_accepted(&error.message) => {
                done += 1;
                continue;
            }
            (Ok(_), Err(error)) => {
                differences.push(format!("\"{}\": accepted, PCRE2 says {error}", source.escape_ascii()));
                done += 1;
                continue;
            }
            (Err(error), Ok(_)) => {
                differences.push(format!("\"{}\": refused ({error}), PCRE2 takes it", source.escape_ascii()));
                done += 1;
                continue;
            }
        };
        match pattern.kind() {
            Kind::Linear => tally.linear += 1,
            Kind::Backtracking => tally.backtracking += 1,
        }
        let mut cache = pattern.create_cache();
        for _ in 0..HAYSTACKS_PER_PATTERN {
            let haystack = haystack(&mut random);
            let start = if random.one_in(4) { random.below(haystack.len() + 1) } else { 0 };
            done += 1;
            match compare(&pattern, &mut cache, &mut code, &haystack, start) {
                Ok(Comparison::Match) => tally.matches += 1,
                Ok(Comparison::NoMatch) => tally.no_matches += 1,
                Ok(Comparison::Undecided) => tally.undecided += 1,
                Err(difference) => {
                    differences.push(format!("{difference} (flags {flags:#x})"));
                    break;
                }
            }
        }
        if differences.len() >= 20 {
            break;
        }
    }
    println!("{done} pairs: {tally:?}");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(
        tally.matches > pairs / 50 && tally.no_matches > pairs / 50,
        "the generator is worth something: {tally:?}"
    );
}

/// What the crate's documentation lists as refused, by the words of the refusal.
fn deliberately_refused(message: &str) -> bool {
    message.contains("not supported")
        || message.contains("must have a fixed length")
        || message.contains("limits cannot be set")
        || message.contains("too large")
}

/// What the crate's documentation lists as accepted, by PCRE2's words.
fn deliberately_accepted(message: &str) -> bool {
    message.contains("invalid range in character class")
}

fn options(random: &mut Random) -> (Options, u32) {
    let options = match random.below(10) {
        0 => Options { multi_line: false, ..Options::default() },
        1 => Options { multi_line: false, dollar_end_only: true, ..Options::default() },
        2 => Options { dot_all: false, ..Options::default() },
        3 => Options { case_insensitive: true, ..Options::default() },
        _ => Options::default(),
    };
    let mut flags = 0;
    for (set, flag) in [
        (options.dot_all, DOTALL),
        (options.multi_line, MULTILINE),
        (options.case_insensitive, CASELESS),
        (options.dollar_end_only, DOLLAR_ENDONLY),
    ] {
        flags |= if set { flag } else { 0 };
    }
    (options, flags)
}

fn haystack(random: &mut Random) -> Vec<u8> {
    let alphabet: &[u8] = match random.below(4) {
        0 => b"ab",
        1 => b"ab\n",
        2 => b"abAB_ \n\r-",
        _ => b"aab\n\r\x0b\x85\xa0 \\]{}1",
    };
    let len = random.below(10);
    let mut haystack: Vec<u8> = (0..len).map(|_| random.pick(alphabet)).collect();
    if random.one_in(5) {
        haystack.push(b'\n');
    }
    haystack
}

/// A pattern from the grammar, mostly one that both accept.
fn structured(random: &mut Random) -> Vec<u8> {
    let mut generator = Generator { random, groups: 0, out: Vec::new() };
    if generator.random.one_in(12) {
        let flags: &[u8] = generator.random.pick(&[
            &b"(?i)"[..],
            b"(?s)",
            b"(?-s)",
            b"(?m)",
            b"(?-m)",
            b"(?x)",
            b"(?U)",
            b"(?n)",
        ]);
        generator.out.extend_from_slice(flags);
    }
    generator.alternation(3);
    generator.out
}

struct Generator<'a> {
    random: &'a mut Random,
    groups: usize,
    out: Vec<u8>,
}

impl Generator<'_> {
    fn alternation(&mut self, depth: usize) {
        let branches = if self.random.one_in(3) { 2 + self.random.below(2) } else { 1 };
        // Now and then all begin alike, in more than one way: engines like to factor that out.
        let shared: &[u8] = match self.random.below(8) {
            0 => self.random.pick(&[&b"a*"[..], b"b*?", b"a?", b"(?:a|ab)", b"[ab]+", b"a{1,2}", b"ab*"]),
            _ => b"",
        };
        for i in 0..branches {
            if i > 0 {
                self.out.push(b'|');
            }
            self.push(shared);
            self.sequence(depth);
        }
    }

    fn sequence(&mut self, depth: usize) {
        for _ in 0..self.random.below(4) {
            self.item(depth);
        }
    }

    fn push(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    fn item(&mut self, depth: usize) {
        let start = self.out.len();
        let repeatable = self.atom(depth);
        let around =
            [&b"(?="[..], b"(?!", b"(?<", b"(*n"].iter().any(|open| self.out[start..].starts_with(open));
        if repeatable && self.random.one_in(2) {
            let quantifier = self.random.pick(&[
                "*", "+", "?", "*", "+", "{2}", "{1,2}", "{0,2}", "{2,}", "{0}", "{1}", "{0,1}", "{,2}",
                "{1,3}",
            ]);
            // PCRE2 takes an anchor inside a group that never runs for an anchor, optimised or not.
            let anchored = [&b"^"[..], b"\\A", b"\\G"]
                .iter()
                .any(|a| self.out[start..].windows(a.len()).any(|w| w == *a));
            let quantifier = if quantifier == "{0}" && (around || anchored) { "?" } else { quantifier };
            self.push(quantifier.as_bytes());
            if self.random.one_in(3) {
                let modifier = self.random.pick(&["?", "?", "+"]);
                self.push(modifier.as_bytes());
            }
        }
    }

    fn atom(&mut self, depth: usize) -> bool {
        let choice = self.random.below(if depth == 0 { 11 } else { 20 });
        match choice {
            0..=5 => {
                let text = self.random.pick(&["a", "b", "a", "b", "ab", "A"]);
                self.push(text.as_bytes());
                true
            }
            6 => {
                let text = self.random.pick(&[
                    ".", "\\w", "\\W", "\\s", "\\S", "\\d", "\\D", "\\h", "\\v", "\\V", "\\N", "\\R", "\\n",
                    "\\x61", "\\H", "\\C",
                ]);
                self.push(text.as_bytes());
                true
            }
            7 | 8 => {
                self.class();
                true
            }
            9 => {
                let text = self.random.pick(&[
                    "^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\G", "^", "$", "[[:<:]]", "[[:>:]]",
                ]);
                self.push(text.as_bytes());
                false
            }
            10 => {
                if self.groups > 0 && self.random.one_in(2) {
                    let group = 1 + self.random.below(self.groups);
                    let text = match self.random.below(3) {
                        0 => format!("\\{group}"),
                        1 => format!("\\g{{{group}}}"),
                        _ => format!("(?i:\\g{group})"),
                    };
                    self.push(text.as_bytes());
                    return true;
                }
                let text = self.random.pick(&[
                    "\\Ka", "(?#x)a", "\\Qab\\E", "\\Q*\\E", "{", "]", "}", "\\E", "(?i)", "(?-i)", "(*F)",
                    "a",
                ]);
                self.push(text.as_bytes());
                !text.starts_with("(?i")
                    && !text.starts_with("(?-")
                    && text != "(*F)"
                    && text != "{"
                    && text != "\\E"
            }
            11..=14 => {
                self.groups += 1;
                self.push(b"(");
                self.alternation(depth - 1);
                self.push(b")");
                true
            }
            15 | 16 => {
                let open = self.random.pick(&["(?:", "(?:", "(?i:", "(?s-m:", "(?^:"]);
                self.push(open.as_bytes());
                self.alternation(depth - 1);
                self.push(b")");
                true
            }
            17 => {
                self.push(b"(?>");
                self.alternation(depth - 1);
                self.push(b")");
                true
            }
            18 => {
                let open = self.random.pick(&["(?=", "(?!", "(*nla:"]);
                self.push(open.as_bytes());
                self.alternation(depth - 1);
                self.push(b")");
                true
            }
            _ => {
                let open = self.random.pick(&["(?<=", "(?<!"]);
                self.push(open.as_bytes());
                for i in 0..1 + self.random.below(2) {
                    if i > 0 {
                        self.push(b"|");
                    }
                    for _ in 0..self.random.below(3) {
                        let text =
                            self.random.pick(&["a", "b", "\\n", ".", "[ab]", "\\b", "^", "(a)", "(?=a)"]);
                        if text == "(a)" {
                            self.groups += 1;
                        }
                        self.push(text.as_bytes());
                    }
                }
                self.push(b")");
                true
            }
        }
    }

    fn class(&mut self) {
        self.push(b"[");
        if self.random.one_in(3) {
            self.push(b"^");
        }
        if self.random.one_in(8) {
            self.push(b"]");
        }
        for _ in 0..1 + self.random.below(3) {
            let text = self.random.pick(&[
                "a",
                "b",
                "a-b",
                "A-C",
                "\\n",
                "-",
                "[",
                "&&",
                "\\w",
                "\\s",
                "\\d",
                "\\W",
                "[:alpha:]",
                "[:^alpha:]",
                "[:upper:]",
                "[:^lower:]",
                "[:space:]",
                "^",
                "\\b",
                "\\]",
                "\\x61-\\x62",
                "+--",
                "~~",
                "\\h",
                "\\v",
                "\\H",
                "\\Qa]\\E",
                "[:punct:]",
                ".",
                "$",
            ]);
            self.push(text.as_bytes());
        }
        self.push(b"]");
    }
}

/// Pieces of pattern text in any order, mostly wrong.
fn soup(random: &mut Random) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "a",
        "b",
        "(",
        ")",
        "[",
        "]",
        "*",
        "+",
        "?",
        "{",
        "}",
        "{1}",
        "{1,",
        "{,2}",
        "{2,1}",
        "|",
        "^",
        "$",
        ".",
        "-",
        "\\",
        "\\Q",
        "\\E",
        "(?:",
        "(?i)",
        "(?x)",
        "(?",
        "(?#",
        "(?P<n>",
        "(?<n>",
        "(?P=n)",
        "\\k<n>",
        "\\g1",
        "\\g{-1}",
        "\\1",
        "\\2",
        "\\11",
        "\\8",
        "\\0",
        "\\x",
        "\\x6",
        "\\x{61}",
        "\\o{141}",
        "\\c",
        "\\cA",
        "\\d",
        "\\w",
        "\\R",
        "\\N",
        "\\i",
        "\\K",
        "\\A",
        "\\b",
        "[:alpha:]",
        "[:",
        ":]",
        "[^",
        "[]",
        "#",
        " ",
        "\n",
        "\\n",
        "(*",
        "(*F)",
        "(*pla:",
        "(?=",
        "(?!",
        "(?<=",
        "(?>",
        "(?|",
        "(?R)",
        "(?1)",
        "(?(1)",
        "a-b",
        "b-a",
        "\\400",
        "\\e",
        "&&",
        "\\\n",
        "\\L",
        "\\u",
        "\\p{L}",
        "\\X",
        "\\C",
        "\\G",
        "\\z",
        "(?xx)",
        "(?^",
        "(?-",
        ":",
        "=",
        "<",
        ">",
        "!",
        "\\G",
        "1",
        "0",
        ",",
        "\\v",
        "\u{e9}",
        "\0",
    ];
    let mut text = Vec::new();
    for _ in 0..1 + random.below(7) {
        text.extend_from_slice(random.pick(PIECES).as_bytes());
    }
    text
}
