//! Expressions and clauses, as a server's parser would go on reading from where an injected text landed.
//!
//! The parser only moves forward, one token of lookahead, nesting bounded: it costs one pass. It notes what injections are
//! made of ([`Mark`]) and stops where no dialect could go on.

use super::marks::{Mark, Marks};
use super::tokens::{Kind, Token, Tokens};
use super::words::{self, Use, Word};

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
    operand_start: usize,
    /// Brackets of the text around that were closed.
    pub(super) closed: usize,
    /// A semicolon ends all: what the text around adds is another statement.
    pub(super) ended: bool,
    /// The last operand read at the outermost level was joined by an operator that makes text of it.
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
            closed: 0,
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
    fn ahead(&self) -> Kind {
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
                    self.comparison()?;
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
            // The rest of a quoted word is no condition: `dogs' and 'cats`.
            None if condition && side == Shape::Constant => {
                let operand = self.tokens.spelled(start.min(end)..end).trim_ascii();
                if operand.len() > 4 && b"'\"".contains(&operand[0]) {
                    return;
                }
                Mark::Condition
            }
            None if condition && side == Shape::Calculated && !self.marks.is_empty() => Mark::CompareCall,
            None if condition && side == Shape::Calculated => Mark::Condition,
            None => return,
            Some(against) => match against.max(side) {
                Shape::Constant => Mark::Constant(text()),
                Shape::Name => Mark::Compare,
                Shape::Calculated => Mark::CompareCall,
            },
        };
        self.marks.note(mark);
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
        let shape = self.operand()?;
        self.compared(side.max(shape));
        Ok(())
    }

    /// A constant, column, call, query, or any of them in brackets.
    pub(super) fn operand(&mut self) -> Parsed<Shape> {
        while matches!(
            self.kind(),
            Kind::Not | Kind::Word(Word::Not | Word::Binary | Word::Distinct | Word::All)
        ) || self.kind() == Kind::Arithmetic && matches!(self.spelled(), b"+" | b"-")
        {
            self.advance();
        }
        self.operand_start = self.token.start;
        match self.kind() {
            Kind::Number | Kind::Word(Word::Null | Word::True | Word::False) => {
                self.advance();
                Ok(Shape::Constant)
            }
            Kind::Text { .. } => {
                // Texts side by side are one.
                while let Kind::Text { closed } = self.kind() {
                    self.last_open_empty = !closed && self.token.end - self.token.start <= 1;
                    self.advance();
                }
                Ok(Shape::Constant)
            }
            Kind::Variable => self.variable(),
            Kind::Open => self.bracket(),
            Kind::Word(Word::Case) => self.case(),
            Kind::Word(Word::Exists | Word::Any | Word::Some) => {
                self.advance();
                self.operand()
            }
            Kind::Word(Word::Interval) if self.ahead() != Kind::Open => {
                self.advance();
                self.operand()?;
                if self.kind() == Kind::Name {
                    self.advance();
                }
                Ok(Shape::Constant)
            }
            Kind::Word(
                Word::Left
                | Word::Right
                | Word::Replace
                | Word::If
                | Word::Insert
                | Word::Mod
                | Word::Like
                | Word::Glob
                | Word::Values
                | Word::Match
                | Word::Interval
                | Word::Truncate
                | Word::Regexp,
            ) => {
                if self.ahead() == Kind::Open {
                    self.name()
                } else {
                    self.stop()
                }
            }
            Kind::Name => self.name(),
            Kind::OpenBrace => self.braces(),
            _ => self.stop(),
        }
    }

    /// `@x`, `@@x`, and an assignment to it.
    fn variable(&mut self) -> Parsed<Shape> {
        if self.spelled().starts_with(b"@@") && self.spelled().len() > 3 {
            self.marks.note(Mark::System(quoted(self.spelled())));
        } else if self.led
            && self.inner == 0
            && self.spelled().len() > 2
            && b"'\"`".contains(&self.spelled()[1])
        {
            self.marks.note(Mark::Variable);
        }
        self.advance();
        while self.eat_kind(Kind::Dot) {
            self.advance();
        }
        Ok(Shape::Name)
    }

    /// A query or operands in brackets.
    fn bracket(&mut self) -> Parsed<Shape> {
        let start = self.token.start;
        self.advance();
        let shape = self.deeper(|parser| {
            if parser.is_query() {
                parser.subquery()?;
                return Ok(Shape::Calculated);
            }
            let mut shape = parser.expression()?;
            while parser.eat_kind(Kind::Comma) {
                shape = shape.max(parser.expression()?);
            }
            Ok(shape)
        })?;
        self.close()?;
        self.operand_start = start;
        Ok(shape)
    }

    /// Whether a query begins here.
    pub(super) fn is_query(&self) -> bool {
        match self.kind() {
            Kind::Word(Word::Select | Word::Union | Word::With) => true,
            Kind::Word(Word::Values | Word::Table) => self.ahead() != Kind::Open,
            // `((select 1))` is a bracket first; its inside is asked again.
            _ => false,
        }
    }

    /// A query inside brackets.
    fn subquery(&mut self) -> Parsed<()> {
        if self.at(Word::Union) {
            // Nothing that runs, but nothing else either: tools send it.
            return self.within(Self::set_operation);
        }
        let plain = self.query()?;
        self.marks.note(if plain { Mark::PlainSubquery } else { Mark::Subquery });
        Ok(())
    }

    fn case(&mut self) -> Parsed<Shape> {
        self.advance();
        self.deeper(|parser| {
            if !parser.at(Word::When) {
                parser.expression()?;
            }
            if !parser.at(Word::When) {
                return parser.stop();
            }
            while parser.eat(Word::When) {
                parser.expression()?;
                if !parser.eat(Word::Then) {
                    return parser.stop();
                }
                parser.expression()?;
            }
            if parser.eat(Word::Else) {
                parser.expression()?;
            }
            if parser.eat(Word::End) { Ok(()) } else { parser.stop() }
        })?;
        self.marks.note(Mark::Case);
        Ok(Shape::Calculated)
    }

    /// `{d '2020-01-01'}`, and `{x 1}` for which one family of servers takes any name.
    fn braces(&mut self) -> Parsed<Shape> {
        self.advance();
        if !matches!(self.kind(), Kind::Name | Kind::Word(_)) {
            return self.stop();
        }
        self.advance();
        let shape = self.deeper(Self::expression)?;
        if self.eat_kind(Kind::CloseBrace) { Ok(shape) } else { self.stop() }
    }

    /// A name with dots, and a call if brackets follow.
    fn name(&mut self) -> Parsed<Shape> {
        let start = self.token.start;
        let end = self.path()?;
        let path = lower(self.tokens.spelled(start..end));
        // Db2's registers are two words: `current user`.
        if &path[..] == b"current" && matches!(self.kind(), Kind::Name | Kind::Word(_)) {
            let register = [&b"user"[..], b"schema", b"server", b"sqlid", b"date", b"timestamp", b"path"];
            if register.iter().any(|name| self.is(name)) {
                self.advance();
                self.marks.note(Mark::System("a register".into()));
                return Ok(Shape::Name);
            }
        }
        if self.kind() != Kind::Open {
            let bare_call = matches!(&path[..], b"current_user" | b"session_user" | b"system_user" | b"user")
                || words::is_system_name(&path) && path.contains(&b'.');
            if bare_call && (self.inner > 0 || self.kind() == Kind::Cast) {
                self.marks.note(Mark::System(quoted(&path)));
                return Ok(Shape::Calculated);
            }
            // `a[1]` of an array.
            while self.kind() == Kind::Name && self.spelled().starts_with(b"[") {
                self.advance();
            }
            return Ok(Shape::Name);
        }
        let known = words::function(&path);
        let last = path.rsplit(|byte| *byte == b'.').next().unwrap_or(&path);
        let first = self.call(matches!(last, b"convert" | b"cast"))?;
        self.operand_start = start;
        match known {
            Some(usage) if usage != Use::Text => {
                // `user(name)` and `edit(1)` are anybody's; what takes text apart needs an argument.
                let fits = match usage {
                    Use::Tells => true,
                    Use::Waits if last == b"generate_series" || last == b"sleep" => first.is_some(),
                    _ => true,
                };
                if fits {
                    self.marks.note(Mark::Call(usage, quoted(&path)));
                }
            }
            Some(_) => {
                self.marks.note(Mark::Call(Use::Text, quoted(&path)));
            }
            None => {}
        }
        self.over()?;
        Ok(
            if known == Some(Use::Text)
                && first == Some(Argument::Constant)
                && matches!(last, b"char" | b"chr")
            {
                Shape::Constant
            } else {
                Shape::Calculated
            },
        )
    }

    /// `over (...)` and `filter (...)` after a call.
    fn over(&mut self) -> Parsed<()> {
        while self.kind() == Kind::Name
            && (self.is(b"over") || self.is(b"filter"))
            && self.ahead() == Kind::Open
        {
            self.advance();
            self.call(false)?;
        }
        while self.eat_kind(Kind::Dot) {
            // `xmltype(x).getstringval()`.
            if !matches!(self.kind(), Kind::Name | Kind::Word(_)) {
                return self.stop();
            }
            self.advance();
            if self.kind() == Kind::Open {
                self.call(false)?;
            }
        }
        Ok(())
    }

    /// A name with dots; answers where it ends. The parts after a dot may be words of the language, and one may be
    /// missing: `master..xp_cmdshell`.
    pub(super) fn path(&mut self) -> Parsed<usize> {
        let mut end = self.token.end;
        self.advance();
        while self.kind() == Kind::Dot {
            end = self.token.end;
            self.advance();
            match self.kind() {
                Kind::Name | Kind::Word(_) | Kind::Star | Kind::Number => {
                    end = self.token.end;
                    self.advance();
                }
                Kind::Dot => {}
                _ => return self.stop(),
            }
        }
        Ok(end)
    }

    /// The arguments of a call, the opening bracket being the current token. Answers what the first one is. What a call
    /// that `converts` makes a number of shows in its error message.
    fn call(&mut self, converts: bool) -> Parsed<Option<Argument>> {
        self.advance();
        let first = self.within(|parser| {
            let mut first = None;
            while !matches!(parser.kind(), Kind::Close | Kind::End) {
                let argument = parser.argument()?;
                if converts && argument == Argument::Type {
                    parser.marks.note(Mark::Call(Use::Errs, "a conversion to a number".into()));
                }
                first = first.or(Some(argument));
                match parser.kind() {
                    Kind::Comma | Kind::Semicolon => parser.advance(),
                    Kind::Word(Word::As | Word::Using) => {
                        parser.advance();
                        if converts && parser.is_number_type() {
                            parser.marks.note(Mark::Call(Use::Errs, "a conversion to a number".into()));
                        }
                        parser.type_name()?;
                    }
                    Kind::Word(Word::From | Word::For | Word::In | Word::Separator) => parser.advance(),
                    _ => {}
                }
                if matches!(parser.kind(), Kind::Word(Word::Order | Word::Limit | Word::Where)) {
                    parser.clauses()?;
                }
            }
            Ok(first)
        })?;
        self.close()?;
        Ok(first)
    }

    fn argument(&mut self) -> Parsed<Argument> {
        if self.kind() == Kind::Star {
            self.advance();
            return Ok(Argument::Other);
        }
        if self.is_query() {
            self.subquery()?;
            return Ok(Argument::Other);
        }
        if self.is(b"both") || self.is(b"leading") || self.is(b"trailing") {
            self.advance();
            if self.eat(Word::From) {
                self.expression()?;
                return Ok(Argument::Other);
            }
        }
        if self.is_number_type() && matches!(self.ahead(), Kind::Comma | Kind::Open) {
            self.type_name()?;
            return Ok(Argument::Type);
        }
        let shape = self.expression()?;
        Ok(if shape == Shape::Constant { Argument::Constant } else { Argument::Other })
    }

    /// Whether a type of numbers is named: a text that is made one of fails, and the error shows the text.
    fn is_number_type(&self) -> bool {
        [&b"int"[..], b"integer", b"bigint", b"numeric", b"decimal", b"float", b"real", b"money", b"signed"]
            .iter()
            .any(|name| self.is(name))
    }

    /// A type: words, and sizes in brackets.
    pub(super) fn type_name(&mut self) -> Parsed<()> {
        if !matches!(self.kind(), Kind::Name | Kind::Word(_)) {
            return self.stop();
        }
        while self.kind() == Kind::Name || matches!(self.kind(), Kind::Word(Word::Binary | Word::Interval)) {
            self.advance();
        }
        if self.kind() == Kind::Open {
            while !matches!(self.kind(), Kind::Close | Kind::End) {
                self.advance();
                if !matches!(self.kind(), Kind::Number | Kind::Comma | Kind::Close | Kind::Name | Kind::End) {
                    return self.stop();
                }
            }
            self.close()?;
        }
        Ok(())
    }
}

/// What an argument of a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    Constant,
    /// The name of a type of numbers.
    Type,
    Other,
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
