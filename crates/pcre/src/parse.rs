//! Pattern text to syntax tree.
//!
//! The reference is PCRE2 10.42 without UTF, asked rather than remembered: what it accepts and means is accepted and
//! means the same here, except for the constructs listed in the crate's documentation. Nesting is bounded, and every
//! loop advances, so parsing is linear in the length of the pattern.

use crate::Options;
use crate::ast::{Look, Node};
use crate::bytes::ByteSet;
use crate::error::PatternError;
use crate::program::{PROGRAM_MAX, too_large};

/// Groups may be nested this deep; PCRE2's own default. Every recursion over a tree is bounded by it.
pub(crate) const DEPTH_MAX: usize = 250;
/// The longest pattern, in bytes. The longest of CRS 4.28 has 12 281.
pub(crate) const PATTERN_BYTES_MAX: usize = 128 * 1024;
/// The largest count of a quantifier, as in PCRE.
const COUNT_MAX: u32 = 65_535;
/// The longest name of a group, as in PCRE2.
const NAME_BYTES_MAX: usize = 32;
/// Named groups of one pattern: looking up a name is linear in them.
const NAMES_MAX: usize = 1_000;

/// A parsed pattern.
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// Capture groups, without group 0.
    pub(crate) group_count: u32,
    /// In the order of their groups.
    pub(crate) names: Vec<(String, u32)>,
    /// Atomic groups and possessive quantifiers, and look-arounds: ids run from 0.
    pub(crate) id_count: u32,
}

pub(crate) fn parse(source: &[u8], options: &Options) -> Result<Parsed, PatternError> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::new(PATTERN_BYTES_MAX, "the pattern is too long"));
    }
    let flags = Flags {
        ignore_case: options.case_insensitive,
        multi_line: options.multi_line,
        dot_all: options.dot_all,
        ..Flags::default()
    };
    let mut parser = Parser {
        source,
        at: 0,
        depth: 0,
        flags,
        dollar_end_only: options.dollar_end_only,
        newline_bsr: false,
        group_count: 0,
        names: Vec::new(),
        references: Vec::new(),
        named_references: Vec::new(),
        id_count: 0,
        around_depth: 0,
    };
    parser.leading_verbs()?;
    let node = alternation(parser.alternatives()?);
    if parser.at < source.len() {
        return Err(parser
            .error_at(parser.at, "unmatched closing parenthesis")
            .help("write `\\)` for a literal"));
    }
    parser.resolve(node)
}

#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    extended: bool,
    extended_more: bool,
    no_auto_capture: bool,
    ungreedy: bool,
}

struct Parser<'a> {
    source: &'a [u8],
    at: usize,
    depth: usize,
    flags: Flags,
    dollar_end_only: bool,
    /// `(*BSR_ANYCRLF)`: `\R` is CR, LF or CRLF only.
    newline_bsr: bool,
    group_count: u32,
    names: Vec<(String, u32)>,
    /// Back-references by number, with their places: the group must exist in the end.
    references: Vec<(u32, usize)>,
    /// Back-references by name, which stand in the tree as `u32::MAX - index` until the end.
    named_references: Vec<(String, usize)>,
    id_count: u32,
    around_depth: usize,
}

/// What the last thing in a sequence allows to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A quantifier would have nothing to repeat.
    Nothing,
    /// A quantifier may follow.
    Item,
    /// `+` or `?` may follow: the last item is a fresh repetition.
    Quantifier,
}

/// One escape sequence.
enum Escape {
    Byte(u8),
    Set(ByteSet),
    Look(Look),
    Newlines,
    Keep,
    Backref(Reference),
}

enum Reference {
    Group(u32),
    Name(String),
}

impl<'a> Parser<'a> {
    fn error_at(&self, offset: usize, message: impl Into<std::borrow::Cow<'static, str>>) -> PatternError {
        PatternError::new(offset.min(self.source.len()), message)
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        &self.source[self.at..]
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn next_id(&mut self) -> u32 {
        self.id_count += 1;
        self.id_count - 1
    }

    /// `(*NAME)` items that stand before everything else.
    fn leading_verbs(&mut self) -> Result<(), PatternError> {
        while self.rest().starts_with(b"(*") {
            let start = self.at;
            let Some(len) = self.rest().iter().position(|&b| b == b')') else { return Ok(()) };
            let verb = &self.rest()[2..len];
            match verb {
                // Tuning of PCRE's own matcher, without an effect on what is matched. Ours is bounded by itself.
                b"NO_JIT" | b"NO_START_OPT" | b"NO_AUTO_POSSESS" | b"NO_DOTSTAR_ANCHOR" | b"LF" => {}
                b"BSR_UNICODE" => self.newline_bsr = false,
                b"BSR_ANYCRLF" => self.newline_bsr = true,
                b"UTF8" | b"UTF" | b"UCP" => {
                    return Err(self
                        .error_at(start, "patterns match bytes: UTF and Unicode properties are not supported")
                        .help(
                            "remove the verb and spell other characters as their UTF-8 bytes, `\\xc3\\xa9`",
                        ));
                }
                b"CR" | b"CRLF" | b"ANYCRLF" | b"ANY" | b"NUL" => {
                    return Err(self
                        .error_at(start, "only the newline convention LF is supported")
                        .help("remove the verb and name the line ends you mean, for example `\\r?$`"));
                }
                _ if verb.starts_with(b"LIMIT_") => {
                    return Err(self
                        .error_at(start, "limits cannot be set inside a pattern")
                        .help("remove the verb: matching is bounded by the engine's step limit"));
                }
                b"NOTEMPTY" | b"NOTEMPTY_ATSTART" => {
                    return Err(self.error_at(start, "this verb is not supported"));
                }
                // One that may stand anywhere; the group parser judges it.
                _ => return Ok(()),
            }
            self.at += len + 1;
        }
        Ok(())
    }

    /// Alternatives up to the end or to a closing parenthesis, which stays.
    fn alternatives(&mut self) -> Result<Vec<Node>, PatternError> {
        let mut alternatives = Vec::new();
        let mut items: Vec<Node> = Vec::new();
        let mut last = Last::Nothing;
        let mut quoted = false;
        while let Some(byte) = self.peek() {
            let start = self.at;
            if quoted {
                if self.eat(b"\\E") {
                    quoted = false;
                } else {
                    self.at += 1;
                    items.push(self.literal(byte));
                    last = Last::Item;
                }
                continue;
            }
            if self.skip_ignored()? {
                continue;
            }
            if self.eat(b"\\Q") {
                quoted = true;
                continue;
            }
            match byte {
                b')' => break,
                b'|' => {
                    self.at += 1;
                    alternatives.push(concat(std::mem::take(&mut items)));
                    last = Last::Nothing;
                }
                b'*' | b'+' | b'?' | b'{' => {
                    if last == Last::Quantifier && matches!(byte, b'+' | b'?') {
                        self.at += 1;
                        let item = items.pop().expect("a quantifier was just applied to it");
                        items.push(self.modified(item, byte));
                        last = Last::Nothing;
                        continue;
                    }
                    let Some((min, max)) = self.quantifier()? else {
                        // A brace that opens no quantifier is a literal.
                        self.at += 1;
                        items.push(self.literal(byte));
                        last = Last::Item;
                        continue;
                    };
                    if last != Last::Item {
                        return Err(self
                            .error_at(start, "the quantifier has nothing to repeat")
                            .help("escape it with `\\` if it is meant literally"));
                    }
                    let item = items.pop().expect("the last thing was an item");
                    let item = self.repeated(item, min, max);
                    if item.expanded_size() > PROGRAM_MAX {
                        return Err(too_large(start));
                    }
                    items.push(item);
                    last = Last::Quantifier;
                }
                b'(' => last = self.group(&mut items)?,
                b'[' => {
                    items.push(self.class()?);
                    last =
                        if matches!(items.last(), Some(Node::Look(_))) { Last::Nothing } else { Last::Item };
                }
                b'\\' => {
                    let (node, repeatable) = self.escape_outside()?;
                    items.push(node);
                    last = if repeatable { Last::Item } else { Last::Nothing };
                }
                b'^' => {
                    self.at += 1;
                    items.push(Node::Look(if self.flags.multi_line { Look::LineStart } else { Look::Start }));
                    last = Last::Nothing;
                }
                b'$' => {
                    self.at += 1;
                    items.push(Node::Look(match (self.flags.multi_line, self.dollar_end_only) {
                        (true, _) => Look::LineEnd,
                        (false, true) => Look::End,
                        (false, false) => Look::EndOrFinalNewline,
                    }));
                    last = Last::Nothing;
                }
                b'.' => {
                    self.at += 1;
                    items.push(Node::Set(if self.flags.dot_all {
                        ByteSet::ALL
                    } else {
                        ByteSet::not_newline()
                    }));
                    last = Last::Item;
                }
                _ => {
                    self.at += 1;
                    items.push(self.literal(byte));
                    last = Last::Item;
                }
            }
        }
        alternatives.push(concat(items));
        Ok(alternatives)
    }

    /// Skips one comment, one stray `\E` or one stretch of ignorable white space.
    fn skip_ignored(&mut self) -> Result<bool, PatternError> {
        let start = self.at;
        if self.eat(b"\\E") {
            return Ok(true);
        }
        if self.eat(b"(?#") {
            let Some(len) = self.rest().iter().position(|&b| b == b')') else {
                return Err(self.error_at(start, "the comment has no end").help("close it with `)`"));
            };
            self.at += len + 1;
            return Ok(true);
        }
        if self.flags.extended {
            match self.peek() {
                Some(b) if ByteSet::space().contains(b) => {
                    self.at += 1;
                    return Ok(true);
                }
                Some(b'#') => {
                    let len =
                        self.rest().iter().position(|&b| b == b'\n').map_or(self.rest().len(), |i| i + 1);
                    self.at += len;
                    return Ok(true);
                }
                _ => {}
            }
        }
        Ok(false)
    }

    fn literal(&self, byte: u8) -> Node {
        let set = ByteSet::of(&[byte]);
        Node::Set(if self.flags.ignore_case { set.folded() } else { set })
    }

    /// Reads a quantifier; `None` for a brace that opens none.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let bounds = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            _ => return self.counted_quantifier(),
        };
        self.at += 1;
        Ok(Some(bounds))
    }

    /// `{n}`, `{n,}`, `{n,m}`. Anything else, `{,m}` among it, is text.
    fn counted_quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let start = self.at;
        let digits = |text: &'a [u8]| &text[..text.iter().take_while(|b| b.is_ascii_digit()).count()];
        let inner = &self.rest()[1..];
        let first = digits(inner);
        let after = &inner[first.len()..];
        let second = after.strip_prefix(b",").map(digits);
        let len = 1 + first.len() + second.map_or(0, |text| text.len() + 1);
        if first.is_empty() || self.rest().get(len) != Some(&b'}') {
            return Ok(None);
        }
        let count = |text: &[u8]| {
            text.iter()
                .try_fold(0u32, |n, b| Some(n * 10 + u32::from(b - b'0')).filter(|n| *n <= COUNT_MAX))
                .ok_or_else(|| {
                    self.error_at(start + 1, format!("a quantifier counts to {COUNT_MAX} at most"))
                })
        };
        let min = count(first)?;
        let max = match second {
            None => Some(min),
            Some(b"") => None,
            Some(text) => Some(count(text)?),
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.error_at(start, "the counts of the quantifier are out of order"));
        }
        self.at += len + 1;
        Ok(Some((min, max)))
    }

    fn repeated(&self, node: Node, min: u32, max: Option<u32>) -> Node {
        // A look-around asked again answers the same, but for what its groups captured: PCRE2 asks once more and no
        // further.
        let max = match node {
            Node::Around { .. } => Some(max.unwrap_or(min + 1)),
            _ => max,
        };
        Node::Repeat { node: Box::new(node), min, max, greedy: !self.flags.ungreedy }
    }

    /// Applies the `+` or `?` that follows a quantifier.
    fn modified(&mut self, node: Node, modifier: u8) -> Node {
        let Node::Repeat { node, min, max, greedy } = node else { return node };
        if modifier == b'?' {
            return Node::Repeat { node, min, max, greedy: !greedy };
        }
        let id = self.next_id();
        Node::Atomic { id, node: Box::new(Node::Repeat { node, min, max, greedy: true }) }
    }

    /// One parenthesis, whatever it opens.
    fn group(&mut self, items: &mut Vec<Node>) -> Result<Last, PatternError> {
        let start = self.at;
        self.at += 1;
        if self.rest().starts_with(b"*")
            && self.source.get(self.at + 1).is_some_and(|b| b.is_ascii_alphabetic() || *b == b':')
        {
            return self.verb(start, items);
        }
        if !self.eat(b"?") {
            let index = (!self.flags.no_auto_capture).then(|| self.next_group());
            let node = self.nested(start)?;
            items.push(captured(index, node));
            return Ok(Last::Item);
        }
        let node = match self.peek() {
            None => return Err(self.unclosed(start)),
            Some(b':') => {
                self.at += 1;
                self.nested(start)?
            }
            Some(b'>') => {
                self.at += 1;
                self.atomic(start)?
            }
            Some(b'=') => {
                self.at += 1;
                self.around(start, false, false)?
            }
            Some(b'!') => {
                self.at += 1;
                self.around(start, true, false)?
            }
            Some(b'<') if self.rest().starts_with(b"<=") => {
                self.at += 2;
                self.around(start, false, true)?
            }
            Some(b'<') if self.rest().starts_with(b"<!") => {
                self.at += 2;
                self.around(start, true, true)?
            }
            Some(b'*') => {
                return Err(self.unsupported(start, "non-atomic look-around").help("write `(?=` or `(?<=`"));
            }
            Some(b'<') if self.rest().starts_with(b"<*") => {
                return Err(self.unsupported(start, "non-atomic look-around").help("write `(?=` or `(?<=`"));
            }
            Some(b'<') => {
                self.at += 1;
                self.named_group(start, b'>')?
            }
            Some(b'\'') => {
                self.at += 1;
                self.named_group(start, b'\'')?
            }
            Some(b'P') => {
                self.at += 1;
                if self.eat(b"<") {
                    self.named_group(start, b'>')?
                } else if self.eat(b"=") {
                    let name = self.name(b')')?;
                    let node = self.backref(Reference::Name(name), start)?;
                    items.push(node);
                    return Ok(Last::Item);
                } else if self.eat(b">") {
                    return Err(self.recursion(start));
                } else {
                    return Err(self.error_at(self.at, "`(?P` is followed by `<`, `=` or `>`"));
                }
            }
            Some(b'R' | b'&' | b'0'..=b'9' | b'+') => return Err(self.recursion(start)),
            Some(b'-') if self.source.get(self.at + 1).is_some_and(u8::is_ascii_digit) => {
                return Err(self.recursion(start));
            }
            Some(b'|') => {
                return Err(self
                    .unsupported(start, "branch reset `(?|`")
                    .help("give each alternative its own group, or use a non-capturing group `(?:`"));
            }
            Some(b'(') => {
                return Err(self
                    .unsupported(start, "a conditional group")
                    .help("write the two cases as alternatives: `(?:..|..)`"));
            }
            Some(b'C') => return Err(self.unsupported(start, "a callout").help("remove it")),
            Some(_) => match self.flags_of_group(start)? {
                None => return Ok(Last::Nothing),
                Some(node) => node,
            },
        };
        items.push(node);
        Ok(Last::Item)
    }

    fn unsupported(&self, offset: usize, what: &str) -> PatternError {
        self.error_at(offset, format!("{what} is not supported"))
    }

    fn recursion(&self, offset: usize) -> PatternError {
        self.unsupported(offset, "a call of a group (recursion)").help("write the group's pattern out")
    }

    fn unclosed(&self, offset: usize) -> PatternError {
        self.error_at(offset, "the parenthesis is never closed")
            .help("close it with `)`, or write `\\(` for a literal")
    }

    fn next_group(&mut self) -> u32 {
        self.group_count += 1;
        self.group_count
    }

    /// The inside of a group up to and with its closing parenthesis. Flags set inside end there.
    fn nested(&mut self, start: usize) -> Result<Node, PatternError> {
        self.nested_alternatives(start).map(alternation)
    }

    fn nested_alternatives(&mut self, start: usize) -> Result<Vec<Node>, PatternError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error_at(start, format!("groups are nested more than {DEPTH_MAX} deep")));
        }
        let outer = self.flags;
        self.depth += 1;
        let alternatives = self.alternatives()?;
        self.depth -= 1;
        self.flags = outer;
        if !self.eat(b")") {
            return Err(self.unclosed(start));
        }
        Ok(alternatives)
    }

    fn atomic(&mut self, start: usize) -> Result<Node, PatternError> {
        let id = self.next_id();
        Ok(Node::Atomic { id, node: Box::new(self.nested(start)?) })
    }

    fn around(&mut self, start: usize, negate: bool, behind: bool) -> Result<Node, PatternError> {
        let id = self.next_id();
        self.around_depth += 1;
        let mut alternatives = self.nested_alternatives(start)?;
        self.around_depth -= 1;
        if behind {
            let stepped: Option<Vec<Node>> = alternatives
                .into_iter()
                .map(|n| Some(concat(vec![Node::StepBack(n.fixed_len()?), n])))
                .collect();
            alternatives = stepped.ok_or_else(|| {
                self.error_at(start, "a look-behind must have a fixed length")
                    .help("only its top-level alternatives may differ in length: `(?<=a|bc)`")
            })?;
        }
        Ok(Node::Around { id, negate, node: Box::new(alternation(alternatives)) })
    }

    fn named_group(&mut self, start: usize, terminator: u8) -> Result<Node, PatternError> {
        let name_at = self.at;
        let name = self.name(terminator)?;
        if self.names.iter().any(|(other, _)| *other == name) {
            return Err(self
                .error_at(name_at, format!("two groups are named `{name}`"))
                .help("give each group its own name"));
        }
        if self.names.len() == NAMES_MAX {
            return Err(self.error_at(name_at, format!("a pattern has {NAMES_MAX} named groups at most")));
        }
        let index = self.next_group();
        self.names.push((name, index));
        let node = self.nested(start)?;
        Ok(captured(Some(index), node))
    }

    /// A group's name and its terminator.
    fn name(&mut self, terminator: u8) -> Result<String, PatternError> {
        let start = self.at;
        let len = self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let name = &self.rest()[..len];
        if len == 0 {
            return Err(self.error_at(start, "a group's name is missing"));
        }
        if name[0].is_ascii_digit() {
            return Err(self.error_at(start, "a group's name must not start with a digit"));
        }
        if len > NAME_BYTES_MAX {
            return Err(self.error_at(start, format!("a group's name has {NAME_BYTES_MAX} bytes at most")));
        }
        self.at += len;
        if self.peek() != Some(terminator) {
            return Err(self
                .error_at(
                    self.at,
                    format!("the group's name is not followed by `{}`", char::from(terminator)),
                )
                .help("names consist of letters, digits and `_`"));
        }
        self.at += 1;
        Ok(name.iter().map(|&b| char::from(b)).collect())
    }

    /// `(?i)` and `(?i:..)`. `None`: the flags hold for the rest of the enclosing group.
    fn flags_of_group(&mut self, start: usize) -> Result<Option<Node>, PatternError> {
        let mut flags = self.flags;
        let mut on = true;
        let mut hyphen = false;
        if self.eat(b"^") {
            flags = Flags { ungreedy: flags.ungreedy, ..Flags::default() };
            hyphen = true;
        }
        loop {
            let here = self.at;
            let Some(byte) = self.peek() else { return Err(self.unclosed(start)) };
            self.at += 1;
            match byte {
                b')' => {
                    self.flags = flags;
                    return Ok(None);
                }
                b':' => {
                    let outer = std::mem::replace(&mut self.flags, flags);
                    let node = self.nested(start)?;
                    self.flags = outer;
                    return Ok(Some(node));
                }
                b'-' if !hyphen => {
                    hyphen = true;
                    on = false;
                }
                b'-' => return Err(self.error_at(here, "a second hyphen among the flags")),
                b'i' => flags.ignore_case = on,
                b'm' => flags.multi_line = on,
                b's' => flags.dot_all = on,
                b'n' => flags.no_auto_capture = on,
                b'U' => flags.ungreedy = on,
                b'x' => {
                    flags.extended = on;
                    flags.extended_more = on && self.eat(b"x");
                    if !on {
                        self.eat(b"x");
                    }
                }
                b'J' => {
                    return Err(self
                        .unsupported(here, "the flag `J` (duplicate names)")
                        .help("give each group its own name"));
                }
                _ => {
                    return Err(self
                        .error_at(here, "unknown flag or group type after `(?`")
                        .help("flags are i, m, s, x, xx, n and U; write `\\(` for a literal parenthesis"));
                }
            }
        }
    }

    /// `(*FAIL)` and the spelled-out look-arounds; `start` is the parenthesis.
    fn verb(&mut self, start: usize, items: &mut Vec<Node>) -> Result<Last, PatternError> {
        self.at += 1;
        let len = self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let name = &self.rest()[..len];
        self.at += len;
        let node = match (name, self.peek()) {
            (b"F" | b"FAIL", Some(b')')) => {
                self.at += 1;
                items.push(Node::Fail);
                return Ok(Last::Nothing);
            }
            (_, Some(b':')) => {
                self.at += 1;
                match name {
                    b"pla" | b"positive_lookahead" => self.around(start, false, false)?,
                    b"nla" | b"negative_lookahead" => self.around(start, true, false)?,
                    b"plb" | b"positive_lookbehind" => self.around(start, false, true)?,
                    b"nlb" | b"negative_lookbehind" => self.around(start, true, true)?,
                    b"atomic" => self.atomic(start)?,
                    _ => return Err(self.unsupported(start, "this verb")),
                }
            }
            _ => {
                return Err(self
                    .unsupported(start, "a verb that steers backtracking")
                    .help("remove it; (*UTF) and its like may only stand at the start of a pattern"));
            }
        };
        items.push(node);
        Ok(Last::Item)
    }

    /// An escape outside of a class, and whether a quantifier may follow it.
    fn escape_outside(&mut self) -> Result<(Node, bool), PatternError> {
        let start = self.at;
        Ok(match self.escape(false)? {
            Escape::Byte(byte) => (self.literal(byte), true),
            Escape::Set(set) => (Node::Set(set), true),
            Escape::Look(look) => (Node::Look(look), false),
            Escape::Keep if self.around_depth > 0 => {
                return Err(self.error_at(start, "`\\K` is not allowed inside look-around"));
            }
            Escape::Keep => (Node::Keep, false),
            Escape::Newlines => (self.newlines(), true),
            Escape::Backref(reference) => (self.backref(reference, start)?, true),
        })
    }

    /// `\R`. PCRE never gives back half of a CRLF, so a lone CR is one without LF behind it.
    fn newlines(&self) -> Node {
        let set = |bytes: &[u8]| Node::Set(ByteSet::of(bytes));
        Node::Alt(vec![
            Node::Concat(vec![set(b"\r"), set(b"\n")]),
            if self.newline_bsr { set(b"\n") } else { set(b"\n\x0b\x0c\x85") },
            Node::Concat(vec![set(b"\r"), Node::Look(Look::NotInsideCrLf)]),
        ])
    }

    fn backref(&mut self, reference: Reference, start: usize) -> Result<Node, PatternError> {
        let group = match reference {
            Reference::Group(group) => {
                self.references.push((group, start));
                group
            }
            Reference::Name(name) => {
                self.named_references.push((name, start));
                u32::MAX - (self.named_references.len() as u32 - 1)
            }
        };
        Ok(Node::Backref { group, ignore_case: self.flags.ignore_case })
    }

    /// Reads one escape. The backslash is next.
    fn escape(&mut self, in_class: bool) -> Result<Escape, PatternError> {
        let start = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self
                .error_at(start, "the pattern ends with a backslash")
                .help("write `\\\\` for a literal"));
        };
        self.at += 1;
        let literal = |byte: u8| Ok(Escape::Byte(byte));
        let set = |set: ByteSet| Ok(Escape::Set(set));
        match byte {
            b'a' => literal(0x07),
            b'e' => literal(0x1b),
            b'f' => literal(0x0c),
            b'n' => literal(b'\n'),
            b'r' => literal(b'\r'),
            b't' => literal(b'\t'),
            b'b' if in_class => literal(0x08),
            b'c' => {
                let Some(control) = self.peek().filter(|b| matches!(b, b' '..=b'~')) else {
                    return Err(self.error_at(start, "`\\c` must be followed by a printable ASCII character"));
                };
                self.at += 1;
                literal(control.to_ascii_uppercase() ^ 0x40)
            }
            b'x' => self.hexadecimal(start).map(Escape::Byte),
            b'o' => {
                if !self.eat(b"{") {
                    return Err(self
                        .error_at(start, "`\\o` must be followed by `{`")
                        .help("write `\\o{101}`"));
                }
                self.braced_number(start, 8).map(Escape::Byte)
            }
            b'0' => {
                self.at -= 1;
                self.octal(start).map(Escape::Byte)
            }
            b'1'..=b'9' => self.digits(start, in_class),
            b'd' => set(ByteSet::digit()),
            b'D' => set(ByteSet::digit().negated()),
            b'w' => set(ByteSet::word()),
            b'W' => set(ByteSet::word().negated()),
            b's' => set(ByteSet::space()),
            b'S' => set(ByteSet::space().negated()),
            b'h' => set(ByteSet::horizontal()),
            b'H' => set(ByteSet::horizontal().negated()),
            b'v' => set(ByteSet::vertical()),
            b'V' => set(ByteSet::vertical().negated()),
            // PCRE2 leaves these two alone in a class.
            b'g' if in_class => literal(b'g'),
            b'p' | b'P' | b'X' => Err(self
                .unsupported(start, "a Unicode property (patterns match bytes)")
                .help("name the bytes: `[a-zA-Z]` or `[[:alpha:]]`")),
            b'L' | b'l' | b'U' | b'u' | b'F' => Err(self
                .error_at(start, format!("PCRE has no escape `\\{}`", char::from(byte)))
                .help("write `\\xHH` for a byte, or the letter alone")),
            b'A' | b'Z' | b'z' | b'G' | b'B' | b'b' | b'K' | b'R' | b'N' | b'C' | b'k' if in_class => {
                Err(self
                    .error_at(start, format!("`\\{}` has no meaning in a class", char::from(byte)))
                    .help("write the letter alone if it is meant literally"))
            }
            b'A' => Ok(Escape::Look(Look::Start)),
            b'Z' => Ok(Escape::Look(Look::EndOrFinalNewline)),
            b'z' => Ok(Escape::Look(Look::End)),
            b'G' => Ok(Escape::Look(Look::SearchStart)),
            b'b' => Ok(Escape::Look(Look::Word)),
            b'B' => Ok(Escape::Look(Look::NotWord)),
            b'K' => Ok(Escape::Keep),
            b'R' => Ok(Escape::Newlines),
            b'C' => set(ByteSet::ALL),
            b'N' => {
                if self.peek() == Some(b'{') && self.counted_quantifier_ahead()?.is_none() {
                    return Err(self
                        .unsupported(start, "`\\N{..}` (patterns match bytes)")
                        .help("spell the character as its UTF-8 bytes, `\\xc3\\xa9`"));
                }
                set(ByteSet::not_newline())
            }
            b'g' => self.group_reference(start),
            b'k' => {
                let terminator = match self.peek() {
                    Some(b'<') => b'>',
                    Some(b'\'') => b'\'',
                    Some(b'{') => b'}',
                    _ => {
                        return Err(self
                            .error_at(start, "`\\k` must be followed by a name in `<>`, `{}` or `''`")
                            .help("write `\\k<name>`"));
                    }
                };
                self.at += 1;
                Ok(Escape::Backref(Reference::Name(self.name(terminator)?)))
            }
            _ if byte.is_ascii_alphanumeric() => Err(self
                .error_at(start, format!("unknown escape `\\{}`", char::from(byte)))
                .help(format!("write `{}` for the letter itself", char::from(byte)))),
            _ => literal(byte),
        }
    }

    fn counted_quantifier_ahead(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let here = self.at;
        let found = self.counted_quantifier();
        self.at = here;
        found
    }

    /// After `\x`: up to two digits, or any number of them in braces.
    fn hexadecimal(&mut self, start: usize) -> Result<u8, PatternError> {
        if self.eat(b"{") {
            return self.braced_number(start, 16);
        }
        let mut value = 0;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else { break };
            value = value * 16 + digit as u8;
            self.at += 1;
        }
        Ok(value)
    }

    fn braced_number(&mut self, start: usize, radix: u32) -> Result<u8, PatternError> {
        let mut value = 0u32;
        let mut digits = 0;
        loop {
            match self.peek() {
                Some(b'}') if digits > 0 => {
                    self.at += 1;
                    return Ok(value as u8);
                }
                Some(byte) => {
                    let Some(digit) = char::from(byte).to_digit(radix) else {
                        return Err(self.error_at(self.at, "a digit and a closing `}` were expected"));
                    };
                    value = value * radix + digit;
                    if value > 0xff {
                        return Err(self
                            .error_at(start, "the character code is above FF (patterns match bytes)")
                            .help("spell the character as its UTF-8 bytes, `\\xc3\\xa9`"));
                    }
                    digits += 1;
                    self.at += 1;
                }
                None => {
                    return Err(self.error_at(start, "the character code is never closed").help("add `}`"));
                }
            }
        }
    }

    /// Up to three octal digits from here.
    fn octal(&mut self, start: usize) -> Result<u8, PatternError> {
        let mut value = 0u32;
        for _ in 0..3 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(8)) else { break };
            value = value * 8 + digit;
            self.at += 1;
        }
        u8::try_from(value)
            .map_err(|_| self.error_at(start, "the octal code is above 377 (patterns match bytes)"))
    }

    /// `\1`..`\9`: a back-reference or an octal code, by PCRE's rule.
    fn digits(&mut self, start: usize, in_class: bool) -> Result<Escape, PatternError> {
        self.at -= 1;
        let first = self.rest()[0];
        if !in_class {
            let len = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
            let number = self.rest()[..len]
                .iter()
                .try_fold(0u32, |n, b| n.checked_mul(10)?.checked_add(u32::from(b - b'0')))
                .unwrap_or(u32::MAX);
            if number < 10 || first >= b'8' || number <= self.group_count {
                self.at += len;
                return Ok(Escape::Backref(Reference::Group(number)));
            }
        }
        if first >= b'8' {
            self.at += 1;
            return Ok(Escape::Byte(first));
        }
        self.octal(start).map(Escape::Byte)
    }

    /// After `\g`: a number, a relative number or a name.
    fn group_reference(&mut self, start: usize) -> Result<Escape, PatternError> {
        if matches!(self.peek(), Some(b'<' | b'\'')) {
            return Err(self.recursion(start));
        }
        let braced = self.eat(b"{");
        let sign = self.peek().filter(|b| matches!(b, b'+' | b'-'));
        if sign.is_some() {
            self.at += 1;
        }
        let len = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        if len == 0 {
            if braced && sign.is_none() {
                return Ok(Escape::Backref(Reference::Name(self.name(b'}')?)));
            }
            return Err(self.error_at(start, "`\\g` must be followed by a group").help("write `\\g{1}`"));
        }
        let number = self.rest()[..len]
            .iter()
            .try_fold(0u32, |n, b| n.checked_mul(10)?.checked_add(u32::from(b - b'0')))
            .filter(|n| *n <= COUNT_MAX)
            .ok_or_else(|| self.error_at(start, "there is no such group"))?;
        self.at += len;
        if braced && !self.eat(b"}") {
            return Err(self.error_at(self.at, "the reference is not closed with `}`"));
        }
        let group = match sign {
            None => Some(number),
            Some(b'-') => (self.group_count + 1).checked_sub(number).filter(|_| number > 0),
            Some(_) => (number > 0).then_some(self.group_count + number),
        };
        match group {
            Some(group) if group > 0 => Ok(Escape::Backref(Reference::Group(group))),
            _ => Err(self.error_at(start, "there is no such group")),
        }
    }

    /// A bracketed class. The bracket is next.
    fn class(&mut self) -> Result<Node, PatternError> {
        let start = self.at;
        if self.eat(b"[[:<:]]") {
            return Ok(Node::Look(Look::WordStart));
        }
        if self.eat(b"[[:>:]]") {
            return Ok(Node::Look(Look::WordEnd));
        }
        if self.posix_len().is_some() {
            return Err(self
                .error_at(start, "a named class stands only inside a class")
                .help("write `[[:alpha:]]`, with two brackets"));
        }
        self.at += 1;
        let mut set = ByteSet::EMPTY;
        let mut quoted = self.skip_class_quotes(false);
        let negate = !quoted && self.eat(b"^");
        if negate {
            quoted = self.skip_class_quotes(quoted);
        }
        let mut first = true;
        // The last literal, when it may begin a range.
        let mut low: Option<u8> = None;
        loop {
            quoted = self.skip_class_quotes(quoted);
            let here = self.at;
            let Some(byte) = self.peek() else {
                return Err(self
                    .error_at(start, "the class is never closed")
                    .help("close it with `]`, or write `\\[` for a literal"));
            };
            if !quoted && byte == b']' && !first {
                self.at += 1;
                break;
            }
            if !quoted && self.flags.extended_more && matches!(byte, b' ' | b'\t') {
                self.at += 1;
                continue;
            }
            first = false;
            if !quoted
                && byte == b'-'
                && let Some(from) = low
                && let Some((to, next_quoted)) = self.range_end(here)?
            {
                quoted = next_quoted;
                low = None;
                if to < from {
                    return Err(self
                        .error_at(here, "the range is out of order")
                        .help("put the lower byte first, or escape the hyphen: `\\-`"));
                }
                set.insert_range(from, to);
                continue;
            }
            low = None;
            match self.class_item(quoted)? {
                ClassItem::Byte(byte) => {
                    set.insert(byte);
                    low = Some(byte);
                }
                ClassItem::Set(members) => set = set.union(&members),
            }
        }
        if self.flags.ignore_case {
            set = set.folded();
        }
        if negate {
            set = set.negated();
        }
        Ok(if set.is_empty() { Node::Fail } else { Node::Set(set) })
    }

    /// Skips `\Q` and `\E` in a class; answers whether what follows is quoted.
    fn skip_class_quotes(&mut self, mut quoted: bool) -> bool {
        loop {
            if self.eat(b"\\E") {
                quoted = false;
            } else if !quoted && self.eat(b"\\Q") {
                quoted = true;
            } else {
                return quoted;
            }
        }
    }

    /// At a hyphen that follows a literal: the end of the range, when it is one. Otherwise nothing is consumed and the
    /// hyphen is a literal, also before `\d` and before a named class, where PCRE2 gives up and PCRE1 did this.
    fn range_end(&mut self, hyphen: usize) -> Result<Option<(u8, bool)>, PatternError> {
        self.at = hyphen + 1;
        let mut quoted = self.skip_class_quotes(false);
        while !quoted && self.flags.extended_more && matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
            quoted = self.skip_class_quotes(quoted);
        }
        if self.peek().is_some()
            && (quoted || self.peek() != Some(b']'))
            && (quoted || self.posix_len().is_none())
            && let ClassItem::Byte(to) = self.class_item(quoted)?
        {
            return Ok(Some((to, quoted)));
        }
        self.at = hyphen;
        Ok(None)
    }

    /// One member of a class.
    fn class_item(&mut self, quoted: bool) -> Result<ClassItem, PatternError> {
        let start = self.at;
        let byte = self.source[self.at];
        if quoted {
            self.at += 1;
            return Ok(ClassItem::Byte(byte));
        }
        if byte == b'['
            && let Some(len) = self.posix_len()
        {
            let kind = self.source[start + 1];
            let mut name = &self.source[start + 2..start + len - 2];
            if kind != b':' {
                return Err(self
                    .unsupported(start, "a collating element")
                    .help("write the characters themselves"));
            }
            let negate = name.first() == Some(&b'^');
            if negate {
                name = &name[1..];
            }
            // Under (?i), upper and lower are alpha, also where they are negated.
            let folded: &[u8] = match name {
                b"upper" | b"lower" if self.flags.ignore_case => b"alpha",
                name => name,
            };
            let Some(set) = ByteSet::posix(folded) else {
                return Err(self
                    .error_at(start, "unknown named class")
                    .help("there are alpha, lower, upper, alnum, ascii, blank, cntrl, digit, graph, print, punct, space, word, xdigit"));
            };
            self.at += len;
            return Ok(ClassItem::Set(if negate { set.negated() } else { set }));
        }
        if byte != b'\\' {
            self.at += 1;
            return Ok(ClassItem::Byte(byte));
        }
        match self.escape(true)? {
            Escape::Byte(byte) => Ok(ClassItem::Byte(byte)),
            Escape::Set(set) => Ok(ClassItem::Set(set)),
            _ => Err(self.error_at(start, "the escape has no meaning in a class")),
        }
    }

    /// The length of the `[:name:]`, `[.x.]` or `[=x=]` that begins here, when one does.
    fn posix_len(&self) -> Option<usize> {
        let rest = self.rest();
        let terminator = *rest.get(1).filter(|b| rest[0] == b'[' && matches!(b, b':' | b'.' | b'='))?;
        let mut i = 2;
        while i + 1 < rest.len() {
            match rest[i] {
                b'\\' if matches!(rest[i + 1], b']' | b'\\') => i += 1,
                b'[' if rest[i + 1] == terminator => return None,
                b']' => return None,
                byte if byte == terminator && rest[i + 1] == b']' => return Some(i + 2),
                _ => {}
            }
            i += 1;
        }
        None
    }

    /// Checks back-references, now that all groups are known, and resolves those by name.
    fn resolve(self, mut node: Node) -> Result<Parsed, PatternError> {
        if let Some((_, at)) =
            self.references.iter().find(|(group, _)| *group == 0 || *group > self.group_count)
        {
            return Err(self
                .error_at(*at, "the back-reference is to a group that does not exist")
                .help("write `\\xHH` if a character code is meant"));
        }
        let mut groups = Vec::new();
        for (name, at) in &self.named_references {
            let Some((_, group)) = self.names.iter().find(|(other, _)| other == name) else {
                return Err(self.error_at(*at, format!("no group is named `{name}`")));
            };
            groups.push(*group);
        }
        if !groups.is_empty() {
            resolve_names(&mut node, &groups);
        }
        Ok(Parsed { node, group_count: self.group_count, names: self.names, id_count: self.id_count })
    }
}

enum ClassItem {
    Byte(u8),
    Set(ByteSet),
}

fn concat(mut items: Vec<Node>) -> Node {
    match items.len() {
        0 => Node::Empty,
        1 => items.pop().expect("there is one"),
        _ => Node::Concat(items),
    }
}

fn alternation(mut alternatives: Vec<Node>) -> Node {
    match alternatives.len() {
        1 => alternatives.pop().expect("there is one"),
        _ => Node::Alt(alternatives),
    }
}

fn captured(index: Option<u32>, node: Node) -> Node {
    match index {
        Some(index) => Node::Capture { index, node: Box::new(node) },
        None => node,
    }
}

fn resolve_names(node: &mut Node, groups: &[u32]) {
    match node {
        Node::Backref { group, .. } => {
            if let Some(resolved) = groups.get((u32::MAX - *group) as usize) {
                *group = *resolved;
            }
        }
        Node::Concat(nodes) | Node::Alt(nodes) => nodes.iter_mut().for_each(|n| resolve_names(n, groups)),
        Node::Repeat { node, .. }
        | Node::Capture { node, .. }
        | Node::Atomic { node, .. }
        | Node::Around { node, .. } => resolve_names(node, groups),
        _ => {}
    }
}
