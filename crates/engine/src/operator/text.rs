//! Comparison with a plain text: beginsWith, contains, containsWord, endsWith, streq, strmatch, within.
//!
//! All of them compare bytes and mind case. `@within` turns the question around: the value is looked for in the
//! argument. `@strmatch` is `@contains` that leaves no reference in the log.

use memchr::memmem;
use palisade_seclang::ast::OperatorName;

use super::Evaluation;
use super::prefilter::Needle;

#[derive(Clone, Debug)]
pub(super) struct Text {
    relation: Relation,
    argument: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    BeginsWith,
    Contains,
    ContainsWord,
    EndsWith,
    Equals,
    /// Contains, unlogged.
    StrMatch,
    Within,
}

impl Text {
    /// `name` is one of the seven.
    pub(super) fn compile(name: OperatorName, argument: &[u8]) -> Self {
        Self { relation: Relation::of(name), argument: argument.into() }
    }

    pub(super) fn evaluate(&self, value: &[u8], context: &mut Evaluation) -> bool {
        compare(self.relation, &self.argument, value, context)
    }

    pub(super) fn needle(&self) -> Option<Needle<'_>> {
        let bytes = &*self.argument;
        Some(match self.relation {
            Relation::BeginsWith => Needle::Prefix(bytes),
            Relation::EndsWith => Needle::Suffix(bytes),
            Relation::Equals => Needle::Whole(bytes),
            Relation::Contains | Relation::ContainsWord | Relation::StrMatch => Needle::Part(bytes),
            Relation::Within => return None,
        })
    }

    pub(super) fn length_max(&self) -> Option<usize> {
        matches!(self.relation, Relation::Within | Relation::Equals).then_some(self.argument.len())
    }
}

impl Relation {
    fn of(name: OperatorName) -> Self {
        match name {
            OperatorName::BeginsWith => Relation::BeginsWith,
            OperatorName::ContainsWord => Relation::ContainsWord,
            OperatorName::EndsWith => Relation::EndsWith,
            OperatorName::StrEq => Relation::Equals,
            OperatorName::StrMatch => Relation::StrMatch,
            OperatorName::Within => Relation::Within,
            _ => Relation::Contains,
        }
    }
}

/// What [`Text`] of this name and argument says, without a copy of the argument.
pub(super) fn evaluate(name: OperatorName, argument: &[u8], value: &[u8], context: &mut Evaluation) -> bool {
    compare(Relation::of(name), argument, value, context)
}

fn compare(relation: Relation, argument: &[u8], value: &[u8], context: &mut Evaluation) -> bool {
    let found = match relation {
        Relation::Equals => return value == argument,
        Relation::StrMatch => return memmem::find(value, argument).is_some(),
        // Both say yes before they look, so there is nothing to refer to.
        Relation::Within if value.is_empty() => return true,
        Relation::ContainsWord if argument.is_empty() || value == argument => return true,
        Relation::BeginsWith => value.starts_with(argument).then_some(0),
        Relation::EndsWith => value.ends_with(argument).then(|| value.len() - argument.len()),
        Relation::Contains => memmem::find(value, argument),
        Relation::ContainsWord => find_word(value, argument),
        Relation::Within => find(argument, value),
    };
    let length = if matches!(relation, Relation::Within) { value.len() } else { argument.len() };
    if let Some(offset) = found {
        context.refer(offset, length);
    }
    found.is_some()
}

/// [`memmem::find`] of a needle that is not empty. In a short text the search itself costs less than its preparation.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    if text.len() > SHORT_BYTES_MAX || needle.len() > text.len() {
        return memmem::find(text, needle);
    }
    let commonness = |at: &usize| COMMONNESS[usize::from(needle[*at])];
    let rarest = (0..needle.len()).min_by_key(commonness).unwrap_or_default();
    let last = text.len() - needle.len();
    let places = memchr::memchr_iter(needle[rarest], &text[rarest..=rarest + last]);
    places.into_iter().find(|start| text[*start..*start + needle.len()] == *needle)
}

/// How common a byte is in lists of names: what separates them most of all.
static COMMONNESS: [u8; 256] = {
    let common = b"zqjxkvbwyg0123456789fpmuhldcrsnioatZQJXKVBWYGFPMUHLDCRSNIOATe_.-/ |,";
    let mut ranks = [0; 256];
    let mut rank = 0;
    while rank < common.len() {
        ranks[common[rank] as usize] = rank as u8 + 1;
        rank += 1;
    }
    ranks
};

/// Some hundred bytes compared at some hundred places, at worst.
const SHORT_BYTES_MAX: usize = 256;

/// The first occurrence of `word` (not empty) with no ASCII letter on either side. Digits, `_` and bytes from
/// 0x80 are no letters.
///
/// Occurrences may overlap (`a-a` in `xa-a-a`) and the word may come from a macro, so from the first occurrence
/// that does not stand alone this goes on with Knuth, Morris and Pratt's automaton: O(value + word) whatever
/// they hold.
fn find_word(value: &[u8], word: &[u8]) -> Option<usize> {
    let stands_alone = |start: usize| {
        let before = start.checked_sub(1).and_then(|index| value.get(index));
        let after = value.get(start + word.len());
        !before.is_some_and(u8::is_ascii_alphabetic) && !after.is_some_and(u8::is_ascii_alphabetic)
    };
    let first = memmem::find(value, word)?;
    if stands_alone(first) {
        return Some(first);
    }
    let borders = borders(word);
    let mut matched = 0;
    for (index, byte) in value.iter().enumerate().skip(first + 1) {
        while matched > 0 && (matched == word.len() || word[matched] != *byte) {
            matched = borders[matched - 1];
        }
        if word[matched] == *byte {
            matched += 1;
        }
        if matched == word.len() && stands_alone(index + 1 - word.len()) {
            return Some(index + 1 - word.len());
        }
        if matched == word.len() {
            matched = borders[matched - 1];
        }
    }
    None
}

/// For each prefix of `word`, the length of its longest proper prefix that is also its suffix.
fn borders(word: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; word.len()];
    let mut length = 0;
    for index in 1..word.len() {
        while length > 0 && word[index] != word[length] {
            length = borders[length - 1];
        }
        if word[index] == word[length] {
            length += 1;
        }
        borders[index] = length;
    }
    borders
}

#[cfg(test)]
mod tests {
    use memchr::memmem;

    use super::find;

    #[test]
    fn a_short_text_is_searched_alike() {
        let texts = ["", "a", "aa", "/a/ /ab/ /abc/", "aaaaaaaaab", "/x/", "abcabcabd"];
        let mut found = 0;
        for text in texts.map(str::as_bytes) {
            for needle in ["a", "aa", "/", "/ab/", "/abc", "ab", "abd", "aab", "/ab/ ", "x", "c/", "/x/"] {
                let expected = memmem::find(text, needle.as_bytes());
                assert_eq!(find(text, needle.as_bytes()), expected, "{text:?} {needle}");
                found += usize::from(expected.is_some());
            }
        }
        assert!(found > 10, "{found}");
    }
}
