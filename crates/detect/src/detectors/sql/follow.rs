//! Where a text can land in a query, and what it reads there.

use std::ops::Range;

use palisade_codec::ByteSet;

use super::marks::{Mark, Marks};
use super::parser::{Parsed, Parser, Shape, Stop};
use super::statements::Statement;
use super::tokens::{Kind, Manner, Says};
use super::words::{self, Use, Word};
use crate::Confidence;
use crate::detectors::breakout::ends_of_string;

/// A place in a query, and where in the text it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landing {
    place: Place,
    at: usize,
}

/// A place in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where a number or name stands: nothing has to be left.
    Bare,
    /// In quotes of this kind.
    Quoted(u8),
    /// In `/* */`.
    Comment,
}

/// What a text reads as from one landing.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) confidence: Confidence,
    pub(super) at: Range<usize>,
    pub(super) why: String,
}

/// Segments of a path that are tried.
const SEGMENTS_MAX: usize = 12;

impl Landing {
    /// Every place to try: few, whatever the text.
    pub(super) fn all(text: &[u8], set: &ByteSet) -> impl Iterator<Item = Self> {
        let mut landings = [None; 8];
        landings[0] = Some(Self { place: Place::Bare, at: 0 });
        for (number, quote) in [b'\'', b'"', b'`'].into_iter().enumerate() {
            if set.contains(quote) {
                let [first, second] = ends_of_string(text, quote);
                let landing = |at| Self { place: Place::Quoted(quote), at };
                landings[2 * number + 1] = first.map(landing);
                landings[2 * number + 2] = second.map(landing);
            }
        }
        if set.contains(b'*') {
            let end = memchr::memmem::find(text, b"*/");
            landings[7] = end
                .filter(|end| memchr::memmem::find(&text[..*end], b"/*").is_none())
                .map(|end| Self { place: Place::Comment, at: end + 2 });
        }
        landings.into_iter().flatten()
    }

    /// Places in a whole path: its segments, where a comment's slashes would cut them.
    pub(super) fn in_path(text: &[u8]) -> impl Iterator<Item = Self> {
        memchr::memchr_iter(b'/', text)
            .filter(|slash| !text[slash + 1..].starts_with(b"*") && !text[..*slash].ends_with(b"*"))
            .take(SEGMENTS_MAX)
            .map(|slash| Self { place: Place::Bare, at: slash + 1 })
    }

    /// Reads on from here. `None` where nothing was met that injections do.
    pub(super) fn read(self, text: &[u8]) -> Option<Reading> {
        let mut parser = Parser::new(text, self.at);
        let number = matches!(parser.kind(), Kind::Number)
            || parser.kind() == Kind::Arithmetic
                && text[parser.token.end..].first().is_some_and(u8::is_ascii_digit);
        let symbol = self.place == Place::Bare && parser.kind() == Kind::Logic;
        let (headless, read) = match self.place {
            Place::Bare => parser.bare(),
            Place::Quoted(_) => (false, parser.follow(true)),
            Place::Comment => (false, parser.follow(false)),
        };
        let end = parser.token.start.max(self.at);
        let manner = parser.tokens.manner;
        let verdict = Verdict {
            place: self.place,
            prefix: &text[..self.at],
            open: &text[manner.open_text.map_or(text.len(), |open| open.start)..],
            marks: &parser.marks,
            manner: &manner,
            read,
            number: number && self.place == Place::Bare,
            headless,
            symbol,
            closed: parser.closed,
            led: parser.led,
            compared: parser.compared,
            ended: parser.ended,
        };
        let confidence = verdict.confidence()?;
        Some(Reading { confidence, at: self.at.saturating_sub(1)..end, why: verdict.why() })
    }
}

impl Parser<'_> {
    /// Reads a text that landed where a number or name stands. Also answers whether it went on without one.
    fn bare(&mut self) -> (bool, Parsed<()>) {
        let headless = self.continues();
        if headless {
            return (true, self.follow(false));
        }
        let read = self.expression().and_then(|_| self.follow(false));
        (false, read)
    }

    /// Whether the token goes on with a query rather than beginning a value.
    fn continues(&self) -> bool {
        match self.kind() {
            Kind::Logic | Kind::Compare | Kind::Comma | Kind::Close | Kind::Semicolon | Kind::Star => true,
            Kind::Word(word) => matches!(
                word,
                Word::And
                    | Word::Or
                    | Word::Xor
                    | Word::Union
                    | Word::Intersect
                    | Word::Except
                    | Word::Minus
                    | Word::Having
                    | Word::Group
                    | Word::Order
                    | Word::Where
                    | Word::As
                    | Word::Limit
                    | Word::Offset
                    | Word::Procedure
                    | Word::Into
                    | Word::Rlike
                    | Word::Regexp
                    | Word::Like
                    | Word::In
                    | Word::Is
                    | Word::Between
                    | Word::Div
            ),
            _ => false,
        }
    }

    /// Reads on after a value: operators, clauses, list items, statements, in any order that a server takes. After a
    /// closed quote a call may follow at once: tools send it, and no name goes on like that.
    fn follow(&mut self, after_quote: bool) -> Parsed<()> {
        if after_quote {
            self.call_at_once()?;
        }
        loop {
            match self.kind() {
                Kind::End => return Ok(()),
                Kind::Name if self.is(b"desc") || self.is(b"asc") => self.advance(),
                Kind::Close => {
                    self.closed += 1;
                    self.advance();
                    if self.eat(Word::As) {
                        if !matches!(self.kind(), Kind::Name | Kind::Text { .. }) {
                            return self.stop();
                        }
                        self.advance();
                    }
                }
                Kind::Semicolon => {
                    self.advance();
                    match self.kind() {
                        Kind::End | Kind::Semicolon => self.ended = true,
                        Kind::Text { closed: false } if self.token.end - self.token.start == 1 => {
                            self.ended = true;
                            self.advance();
                        }
                        Kind::Open => {
                            self.operand()?;
                        }
                        // A server that drops the semicolon goes on with the query; whoever sends this has seen one.
                        Kind::Word(Word::Union | Word::Intersect | Word::Except | Word::Minus) => {}
                        _ => self.stacked(true)?,
                    }
                }
                Kind::Comma => {
                    self.advance();
                    self.expression()?;
                }
                Kind::Word(Word::As) => {
                    self.advance();
                    if !self.eat_kind(Kind::Name) || !matches!(self.kind(), Kind::Word(_)) {
                        return self.stop();
                    }
                }
                Kind::Logic
                | Kind::Compare
                | Kind::Arithmetic
                | Kind::Star
                | Kind::Cast
                | Kind::Assign
                | Kind::Word(
                    Word::And
                    | Word::Or
                    | Word::Xor
                    | Word::Like
                    | Word::Ilike
                    | Word::Rlike
                    | Word::Regexp
                    | Word::Glob
                    | Word::Match
                    | Word::Similar
                    | Word::Sounds
                    | Word::In
                    | Word::Between
                    | Word::Is
                    | Word::IsNull
                    | Word::NotNull
                    | Word::Not
                    | Word::Div
                    | Word::Mod
                    | Word::Collate
                    | Word::Escape,
                ) => {
                    let joins = self.kind() == Kind::Logic
                        || matches!(self.spelled(), b"+" | b"-" | b"|" | b"&" | b"^" | b"*" | b"/" | b"%");
                    let start = self.token.start;
                    let logic = self.kind() == Kind::Logic;
                    let shape = self.tail(Shape::Constant, start)?;
                    if joins && self.last_open_empty && (logic || shape == Shape::Calculated) {
                        self.marks.note(Mark::Joined);
                    }
                }
                Kind::Word(Word::Union | Word::Intersect | Word::Except | Word::Minus) => {
                    self.set_operation()?
                }
                Kind::Word(Word::From) if self.closed > 0 => {
                    self.clauses()?;
                }
                Kind::Word(
                    Word::Having
                    | Word::Group
                    | Word::Order
                    | Word::Where
                    | Word::Limit
                    | Word::Offset
                    | Word::Procedure
                    | Word::Into
                    | Word::For,
                ) => {
                    self.clause()?;
                }
                // A query needs its semicolon; tools leave it out where they read what the server says of itself.
                Kind::Word(_) => self.stacked(false)?,
                // `(select ..)` after what was closed: nothing that runs, but tools send it.
                Kind::Open
                    if self.closed > 0 || self.tokens.clone().next().kind == Kind::Word(Word::Select) =>
                {
                    self.operand()?;
                }
                _ => return self.stop(),
            }
        }
    }

    fn call_at_once(&mut self) -> Parsed<()> {
        let call = matches!(self.kind(), Kind::Name | Kind::Word(Word::If))
            && self.tokens.clone().next().kind == Kind::Open
            && words::function(&super::parser::lower(self.spelled())).is_some();
        if call {
            let start = self.token.start;
            let shape = self.operand()?;
            self.tail(shape, start)?;
            if self.marks.heaviest() < 2 {
                return Err(Stop::Junk);
            }
        }
        Ok(())
    }

    /// Another statement. Without a semicolon it has to be code: `waitfor delay '0:0:5'`.
    fn stacked(&mut self, separated: bool) -> Parsed<()> {
        if separated && self.kind() == Kind::Name {
            // One that we do not know.
            return self.rest(Statement::Phrase).map(|_| ());
        }
        let word = self.spelled();
        let name = || String::from_utf8_lossy(word).to_ascii_uppercase();
        let statement = self.statements()?;
        let telling = self.marks.any(|mark| match mark {
            Mark::Call(usage, _) => *usage != Use::Text,
            Mark::System(_) => true,
            _ => false,
        });
        let query = [&b"select"[..], b"values", b"with", b"table"]
            .iter()
            .any(|query| word.eq_ignore_ascii_case(query));
        if !separated && (statement < Statement::Code || query && !telling) {
            return Err(Stop::Junk);
        } else if statement >= Statement::Code || telling {
            self.marks.note(Mark::Stacked(name()));
        } else if statement == Statement::Words {
            self.marks.note(Mark::PlainStacked(name()));
        }
        Ok(())
    }
}

/// A parse and its surroundings, to be judged.
struct Verdict<'v> {
    place: Place,
    prefix: &'v [u8],
    /// The string that is open at the end.
    open: &'v [u8],
    marks: &'v Marks,
    manner: &'v Manner,
    read: Parsed<()>,
    /// The value begins with a number.
    number: bool,
    /// The value begins with an operator or clause.
    headless: bool,
    /// That operator is `&&` or `||`, which most languages have.
    symbol: bool,
    closed: usize,
    led: bool,
    /// The value begins with a comparison.
    compared: bool,
    /// A semicolon stands at the end.
    ended: bool,
}

/// Words before a quote from which on they are prose rather than a value.
const PROSE_WORDS: usize = 4;

impl Verdict<'_> {
    fn confidence(&self) -> Option<Confidence> {
        let quoted = matches!(self.place, Place::Quoted(_) | Place::Comment);
        let complete = self.read == Ok(());
        let said = self.manner.cut.map(|cut| cut.says);
        if self.marks.is_empty() {
            // `admin'--`: all it does is to hide the rest.
            let hides = complete && said == Some(Says::Nothing) && !self.opens_here();
            return (quoted && hides && self.is_word()).then_some(if self.closed > 0 {
                Confidence::STRONG
            } else {
                Confidence::LIKELY
            });
        }
        let hides = said.is_some_and(|says| says != Says::Text);
        let cut = self.read != Err(Stop::Junk) && (hides || self.ended && quoted);
        let reopened = complete && self.reopens();
        let mut weight = self.marks.weight();
        weight += u32::from(quoted) + u32::from(self.number) + u32::from(cut) + u32::from(reopened);
        weight += u32::from(quoted && self.closed > 0) + u32::from(self.headless && cut);
        weight += 2 * u32::from(self.manner.versioned) + 3 * u32::from(self.manner.split_word);
        weight += u32::from(self.manner.blank_comments) + u32::from(self.manner.mixed_case);
        // Conditions that a language of filters has as well.
        let conditions =
            self.compared && !self.marks.any(|mark| !matches!(mark, Mark::Constant(_) | Mark::Compare));
        let filter = !quoted
            && (!self.headless || self.symbol || self.one_call())
            && !cut
            && (self.marks.heaviest() <= 2 && !self.number || conditions);
        // A call alone is a line of many languages.
        let call = !quoted && !self.led && !self.headless && self.only_calls();
        let ended = call && self.ended;
        // A soft mark is one only where somebody took care of what follows.
        let disguised = self.manner.versioned || self.manner.split_word;
        let careless = self.marks.heaviest() <= 1 && !cut && !reopened && !disguised;
        let against = match self.read {
            Ok(()) => 0,
            Err(Stop::Unfinished) => 1,
            Err(Stop::Junk) => 2,
        } + u32::from(call)
            + u32::from(ended)
            + u32::from(self.place == Place::Quoted(b'`'))
            + u32::from(complete && said == Some(Says::Text)) * if quoted && self.is_apart() { 2 } else { 1 }
            + u32::from(reopened && self.opens_text()) * 3
            + u32::from(quoted && self.opens_here())
            + u32::from(quoted && self.is_prose()) * 2;
        let weight = weight.saturating_sub(against);
        let most = match (careless, filter) {
            (true, _) if !quoted => 1,
            (true, _) | (_, true) => 2,
            _ => u32::MAX,
        };
        let weight = weight.min(most);
        Some(match weight {
            0 => return None,
            1 => Confidence::HINT,
            2 => Confidence::POSSIBLE,
            3 => Confidence::LIKELY,
            4 => Confidence::STRONG,
            _ => Confidence::CERTAIN,
        })
    }

    /// Whether all there is to it is a condition on one call, as scripts have on a line.
    fn one_call(&self) -> bool {
        !self.marks.any(|mark| {
            !matches!(mark, Mark::Call(Use::Text, _) | Mark::CompareCall | Mark::Compare | Mark::Condition)
        })
    }

    fn only_calls(&self) -> bool {
        !self.marks.any(|mark| !matches!(mark, Mark::Call(_, _) | Mark::Compare))
            && !self.marks.any(|mark| matches!(mark, Mark::Call(Use::Runs | Use::Calls, _)))
    }

    /// Whether what stands before the quote is one word, or nothing.
    fn is_word(&self) -> bool {
        let before = &self.prefix[..self.prefix.len().saturating_sub(1)];
        before.len() <= 64
            && !before.iter().any(|byte| byte.is_ascii_whitespace() || b"'\"<>{".contains(byte))
    }

    fn is_prose(&self) -> bool {
        self.prefix.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(PROSE_WORDS).count()
            >= PROSE_WORDS
    }

    /// Whether a blank stands between a word and the quote: so people quote, and values seldom end.
    fn is_apart(&self) -> bool {
        matches!(self.prefix, [.., before, blank, _] if blank.is_ascii_whitespace() && before.is_ascii_alphabetic())
    }

    /// Whether the string that it leaves open goes on as a text or as code: an injection leaves what a value holds.
    fn opens_text(&self) -> bool {
        let content = self.open.get(1..).unwrap_or_default();
        let blanks = content.iter().filter(|byte| byte.is_ascii_whitespace()).count();
        let value = |byte: &u8| byte.is_ascii_alphanumeric() || b"%_-.@ ".contains(byte) || *byte >= 0x80;
        blanks >= PROSE_WORDS - 1 || !content.iter().all(value)
    }

    /// Whether the quote is one that opens: a bracket, comma or blank stands before it.
    fn opens_here(&self) -> bool {
        matches!(self.prefix, [.., before, _] if before.is_ascii_whitespace() || b"(,=[{:<".contains(before))
    }

    /// Whether it leaves a string open that the text after it closes.
    fn reopens(&self) -> bool {
        matches!(self.place, Place::Quoted(quote) if self.manner.open_text.is_some_and(|open| open.quote == quote))
    }

    fn why(&self) -> String {
        let mut why = String::from(match self.place {
            Place::Bare if self.headless => "goes on with a query",
            Place::Bare if self.number => "stands for a number",
            Place::Bare => "stands for a value",
            Place::Quoted(b'\'') => "closes the string",
            Place::Quoted(b'`') => "closes the quoted name",
            Place::Quoted(_) => "closes the quoted text",
            Place::Comment => "closes the comment",
        });
        match self.closed {
            0 => {}
            1 => why.push_str(" and 1 bracket"),
            brackets => why.push_str(&format!(" and {brackets} brackets")),
        }
        self.marks.read(&mut why);
        if self.manner.versioned {
            why.push_str(", in comments that MySQL runs");
        }
        if self.manner.split_word {
            why.push_str(", a word split by comments");
        }
        match self.read {
            Ok(()) if self.manner.cut.is_some() => why.push_str(", and comments out the rest"),
            Ok(()) if self.reopens() => why.push_str(", and leaves a quote for the rest to close"),
            Err(Stop::Junk) => why.push_str(", then goes astray"),
            _ => {}
        }
        why
    }
}
