//! Expressions and clauses, as a server's parser would go on reading from where an injected text landed.
//!
//! The parser only moves forward, one token of lookahead, nesting bounded: it costs one pass. It notes what injections are
//! made of ([`Mark`]) and stops where no dialect could go on.

use super::marks::{Mark, Marks};
use super::tokens::{Kind, Token, Tokens};
use super::words::{Use, Word};

/// Brackets, queries and cases inside one another. Servers stop at some hundred; payloads need a dozen.
const DEPTH_MAX: usize = 64;

/// Bytes of a name or condition that a reading quotes.
const QUOTED_BYTES_MAX: usize = 40;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something that cannot follow.
    Junk,
    /// The text ended where something must follow.
    Unfinished,
}

pub(super) type Parsed<T> = Result<T, Stop>;

/// What an operand is, as far as comparisons care; of two that are combined, the later one here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// A constant.
    Constant,
    /// A column or variable.
    Name,
    /// What a function or query gives.
    Calculated,
}

/// How operands are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Infix {
    Logic,
    Compare,
    Arithmetic,
}

/// A parser at some place of a text.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) tokens: Tokens<'a>,
    pub(super) token: Token,
    pub(super) marks: Marks,
    depth: usize,
    /// Queries and calls around this place: conditions in them are not the injection's own.
    pub(super) inner: usize,
    /// Whether a logical operator was met at the outermost level: what follows is a condition of the injection's own.
    pub(super) led: bool,
    /// Where the last operand begins, for readings.
    pub(super) operand_start: usize,
    /// Where the last operator that compares begins.
    operator_start: usize,
    /// Where what it compares with begins.
    right_start: usize,
    /// Brackets of the text around that were closed.
    pub(super) closed: usize,
    /// A comparison came before any logical operator: the text is a condition itself.
    pub(super) compared: bool,
    /// A semicolon ends all: what the text around adds is another statement.
    pub(super) ended: bool,
    /// The last text that was read is an open one with nothing in it: a quote for the text around to close.
    pub(super) last_open_empty: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8], at: usize) -> Self {
        let mut tokens = Tokens::new(text, at);
        let token = tokens.next();
        Self {
            tokens,
            token,
            marks: Marks::default(),
            depth: 0,
            inner: 0,
            led: false,
            operand_start: at,
            operator_start: at,
            right_start: at,
            closed: 0,
            compared: false,
            ended: false,
            last_open_empty: false,
        }
    }

    pub(super) fn advance(&mut self) {
        self.token = self.tokens.next();
    }

    pub(super) fn kind(&self) -> Kind {
        self.token.kind
    }

    pub(super) fn spelled(&self) -> &'a [u8] {
        self.tokens.spelled(self.token.start..self.token.end)
    }

    /// Whether the token is this word or name, which is written in lower case here.
    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.spelled().eq_ignore_ascii_case(word)
    }

    pub(super) fn at(&self, word: Word) -> bool {
        self.kind() == Kind::Word(word)
    }

    pub(super) fn eat(&mut self, word: Word) -> bool {
        self.eat_kind(Kind::Word(word))
    }

    pub(super) fn eat_kind(&mut self, kind: Kind) -> bool {
        let found = self.kind() == kind;
        if found {
            self.advance();
        }
        found
    }

    /// The token after this one, without moving.
    pub(super) fn ahead(&self) -> Kind {
        self.tokens.clone().next().kind
    }

    pub(super) fn stop<T>(&self) -> Parsed<T> {
        Err(if self.kind() == Kind::End { Stop::Unfinished } else { Stop::Junk })
    }

    /// Reads something one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            return Err(Stop::Junk);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads a query or the arguments of a call.
    pub(super) fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.inner += 1;
        let result = self.deeper(read);
        self.inner -= 1;
        result
    }

    /// A closing bracket, or the text's end: brackets that stay open are for the text around to close.
    pub(super) fn close(&mut self) -> Parsed<()> {
        // A semicolon ends the statement and with it all brackets, whatever the server makes of that.
        if self.eat_kind(Kind::Close) || matches!(self.kind(), Kind::End | Kind::Semicolon) {
            Ok(())
        } else {
            Err(Stop::Junk)
        }
    }

    /// Operands joined by operators.
    pub(super) fn expression(&mut self) -> Parsed<Shape> {
        let left = self.operand()?;
        self.tail(left, self.operand_start)
    }

    /// What may follow an operand: operators and more operands.
    pub(super) fn tail(&mut self, mut side: Shape, mut start: usize) -> Parsed<Shape> {
        // The left side of a comparison, while its right side is read.
        let mut against: Option<Shape> = None;
        let mut whole = side;
        let mut condition = false;
        loop {
            if self.postfix(side)? {
                continue;
            }
            let Some(infix) = self.infix() else {
                self.settle(against, side, start, condition);
                return Ok(whole);
            };
            match infix {
                Infix::Logic => {
                    self.settle(against, side, start, condition);
                    if self.inner == 0 {
                        self.led = true;
                    }
                    condition = true;
                    against = None;
                    self.advance();
                    while self.eat(Word::Not) || self.eat_kind(Kind::Not) {}
                    side = self.operand()?;
                    start = self.operand_start;
                }
                Infix::Compare => {
                    if against.is_some() {
                        self.settle(against, side, start, condition);
                    }
                    self.operator_start = self.token.start;
                    self.comparison()?;
                    self.right_start = self.token.start;
                    self.compared |= self.inner == 0 && !self.led;
                    against = Some(side);
                    side = self.operand()?;
                }
                Infix::Arithmetic => {
                    self.advance();
                    side = side.max(self.operand()?);
                }
            }
            whole = whole.max(side);
        }
    }

    /// Notes what a condition was, at its end.
    fn settle(&mut self, against: Option<Shape>, side: Shape, start: usize, condition: bool) {
        if self.inner > 0 || !condition && !self.led {
            return;
        }
        let end = self.token.start.min(self.tokens.whole().len());
        let text = || quoted(self.tokens.spelled(start.min(end)..end));
        let mark = match against {
            None if condition && side == Shape::Constant => {
                let operand = self.tokens.spelled(start.min(end)..end).trim_ascii();
                let quoted = operand.first().is_some_and(|byte| b"'\"`".contains(byte));
                // The rest of a quoted word is no condition, nor is nothing: `dogs' and 'cats`, `'or'`.
                if quoted && !(2..=4).contains(&operand.len()) {
                    return;
                }
                Mark::Condition
            }
            None if condition && side == Shape::Calculated && !self.marks.is_empty() => Mark::CompareCall,
            None if condition && side == Shape::Calculated => Mark::Condition,
            None => return,
            Some(against) => match against.max(side) {
                Shape::Constant => Mark::Constant(text()),
                // A column compared with itself.
                Shape::Name if self.is_same(start, end) => Mark::Constant(text()),
                Shape::Name => Mark::Compare,
                Shape::Calculated => Mark::CompareCall,
            },
        };
        self.marks.note(mark);
    }

    /// Whether both sides of the comparison that ends here are spelled alike.
    fn is_same(&self, start: usize, end: usize) -> bool {
        let spelled = |from: usize, to: usize| self.tokens.spelled(from.min(to)..to).trim_ascii();
        let left = spelled(start, self.operator_start);
        !left.is_empty() && left.eq_ignore_ascii_case(spelled(self.right_start, end))
    }

    fn infix(&self) -> Option<Infix> {
        Some(match self.kind() {
            Kind::Logic | Kind::Word(Word::And | Word::Or | Word::Xor) => Infix::Logic,
            Kind::Compare => Infix::Compare,
            Kind::Not if self.spelled() == b"~" => Infix::Compare,
            Kind::Word(
                Word::Like
                | Word::Ilike
                | Word::Rlike
                | Word::Regexp
                | Word::Glob
                | Word::Match
                | Word::Similar
                | Word::Sounds
                | Word::Not,
            ) => Infix::Compare,
            Kind::Word(Word::Div | Word::Mod) => Infix::Arithmetic,
            Kind::Arithmetic | Kind::Star | Kind::Assign => Infix::Arithmetic,
            _ => return None,
        })
    }

    /// An operator that compares, of one word or several.
    fn comparison(&mut self) -> Parsed<()> {
        self.eat(Word::Not);
        match self.kind() {
            Kind::Not => self.advance(),
            Kind::Word(Word::Similar) => {
                self.advance();
                if !self.is(b"to") {
                    return self.stop();
                }
                self.advance();
            }
            Kind::Word(Word::Sounds) => {
                self.advance();
                if !self.eat(Word::Like) {
                    return self.stop();
                }
            }
            Kind::Compare => {
                self.advance();
                // `= all(...)`, `> = 1` in dialects that allow the blank.
                while self.kind() == Kind::Compare {
                    self.advance();
                }
            }
            Kind::Word(Word::Like | Word::Ilike | Word::Rlike | Word::Regexp | Word::Glob | Word::Match) => {
                self.advance();
                self.eat(Word::Binary);
            }
            _ => return self.stop(),
        }
        Ok(())
    }

    /// Operators after an operand that take no ordinary second one. Answers whether there was one.
    fn postfix(&mut self, side: Shape) -> Parsed<bool> {
        match self.kind() {
            Kind::Word(Word::Is) => {
                self.advance();
                self.eat(Word::Not);
                let known = matches!(self.kind(), Kind::Word(Word::Null | Word::True | Word::False))
                    || self.is(b"unknown")
                    || self.is(b"json");
                if known {
                    self.advance();
                } else if self.eat(Word::Distinct) {
                    if !self.eat(Word::From) {
                        return self.stop();
                    }
                    self.operand()?;
                } else {
                    return self.stop();
                }
                self.null_test();
            }
            Kind::Word(Word::IsNull | Word::NotNull) => {
                self.advance();
                self.null_test();
            }
            Kind::Word(Word::Between) => {
                self.advance();
                let low = self.operand()?;
                if !self.eat(Word::And) {
                    return self.stop();
                }
                let high = self.operand()?;
                self.compared(side.max(low).max(high));
            }
            Kind::Word(Word::In) => self.in_list(side)?,
            Kind::Word(Word::Not) => match self.ahead() {
                Kind::Word(Word::In | Word::Between) => self.advance(),
                Kind::Word(Word::Null) => {
                    self.advance();
                    self.advance();
                    self.null_test();
                }
                _ => return Ok(false),
            },
            Kind::Word(Word::Escape | Word::Collate) => {
                self.advance();
                self.operand()?;
            }
            Kind::Cast => {
                self.advance();
                if side == Shape::Calculated && self.is_number_type() {
                    self.marks.note(Mark::Call(Use::Errs, "a conversion to a number".into()));
                }
                self.type_name()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn null_test(&mut self) {
        if self.inner == 0 {
            self.marks.note(if self.led { Mark::Compare } else { Mark::NullTest });
        }
    }

    /// A comparison that is no infix one is complete.
    fn compared(&mut self, shape: Shape) {
        if self.inner == 0 && self.led {
            self.marks.note(match shape {
                Shape::Constant => Mark::Constant("in a range or list".into()),
                Shape::Name => Mark::Compare,
                Shape::Calculated => Mark::CompareCall,
            });
        }
    }

    fn in_list(&mut self, side: Shape) -> Parsed<()> {
        self.advance();
        // `IN BOOLEAN MODE)`: the end of a full-text search that was broken out of.
        if self.is(b"boolean") || self.is(b"natural") {
            while matches!(self.kind(), Kind::Name | Kind::Word(_)) {
                self.advance();
            }
            self.marks.note(Mark::Clause("IN BOOLEAN MODE"));
            return Ok(());
        }
        // English has `in` before words.
        if !matches!(self.kind(), Kind::Open | Kind::Variable) {
            return self.stop();
        }
        let shape = self.operand()?;
        self.compared(side.max(shape));
        Ok(())
    }
}

/// A name in lower case, quotes and brackets taken off, bounded.
pub(super) fn lower(name: &[u8]) -> Vec<u8> {
    name.iter()
        .filter(|byte| !b"`[]\" ".contains(byte))
        .take(2 * QUOTED_BYTES_MAX)
        .map(u8::to_ascii_lowercase)
        .collect()
}

/// A piece of the text as a reading quotes it.
pub(super) fn quoted(text: &[u8]) -> String {
    let text = text.trim_ascii();
    let mut shown = String::from_utf8_lossy(&text[..text.len().min(QUOTED_BYTES_MAX)]).into_owned();
    if text.len() > QUOTED_BYTES_MAX {
        shown.push_str("...");
    }
    shown
}
