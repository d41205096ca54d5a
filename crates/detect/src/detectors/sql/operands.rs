//! Operands: constants, names, calls, queries and cases, and all that stands in brackets.

use super::marks::Mark;
use super::parser::{Parsed, Parser, Shape, lower, quoted};
use super::tokens::Kind;
use super::words::{self, Use, Word};

impl Parser<'_> {
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
                | Word::IsNull
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
            Kind::Word(Word::Values) => self.ahead() == Kind::Open,
            Kind::Word(Word::Table) => self.ahead() == Kind::Name,
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
        let query = self.query()?;
        self.marks.note(if query.code { Mark::Subquery } else { Mark::PlainSubquery });
        Ok(())
    }

    fn case(&mut self) -> Parsed<Shape> {
        self.advance();
        let before = self.marks.weight();
        let constant = self.deeper(|parser| {
            let mut constant = false;
            if !parser.at(Word::When) {
                parser.expression()?;
            }
            if !parser.at(Word::When) {
                return parser.stop();
            }
            while parser.eat(Word::When) {
                constant |= parser.expression()? == Shape::Constant;
                if !parser.eat(Word::Then) {
                    return parser.stop();
                }
                parser.expression()?;
            }
            if parser.eat(Word::Else) {
                parser.expression()?;
            }
            if parser.eat(Word::End) { Ok(constant) } else { parser.stop() }
        })?;
        let asks = constant || self.marks.weight() > before;
        self.marks.note(if asks { Mark::Case } else { Mark::PlainCase });
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
        let spelled = self.tokens.spelled(start..end);
        if self.kind() != Kind::Open {
            return Ok(self.column(spelled));
        }
        let path = lower(spelled);
        let known = words::function(&path);
        let last = path.rsplit(|byte| *byte == b'.').next().unwrap_or(&path);
        // `floor(rand(0)*2)`: with one seed the same numbers each time, two of which are the same key of a group.
        let repeats = last == b"floor" && self.repeats_a_number();
        let arguments = self.call(last)?;
        self.operand_start = start;
        if repeats {
            self.marks.note(Mark::Call(Use::Errs, "floor(rand())".into()));
        }
        let fits = match known {
            // English has them, and other languages.
            Some(Use::Waits) if matches!(last, b"sleep" | b"generate_series") => {
                !arguments.loose && (arguments.constant || arguments.count == 1 && self.inner > 0)
            }
            Some(Use::Waits) if last == b"benchmark" => !arguments.loose && arguments.count > 1,
            Some(Use::Files) if matches!(last, b"readfile" | b"writefile") => self.inner > 0,
            _ => true,
        };
        if let Some(usage) = known.filter(|_| fits) {
            if usage == Use::Text && self.marks.any(|mark| matches!(mark, Mark::Call(..))) {
                self.marks.note(Mark::Nested);
            }
            self.marks.note(Mark::Call(usage, quoted(&path)));
        }
        self.over()?;
        let character = arguments.constant && matches!(last, b"char" | b"chr");
        Ok(if character { Shape::Constant } else { Shape::Calculated })
    }

    /// Whether `(rand(0)` follows.
    fn repeats_a_number(&self) -> bool {
        let mut tokens = self.tokens.clone();
        let (name, open, seed) = (tokens.next(), tokens.next(), tokens.next());
        name.kind == Kind::Name
            && self.tokens.spelled(name.start..name.end).eq_ignore_ascii_case(b"rand")
            && open.kind == Kind::Open
            && seed.kind == Kind::Number
    }

    /// A name that is no call: a column, or a register that tells about the server.
    fn column(&mut self, spelled: &[u8]) -> Shape {
        // Db2's registers are two words: `current user`.
        if spelled.eq_ignore_ascii_case(b"current") && matches!(self.kind(), Kind::Name | Kind::Word(_)) {
            let registers = [&b"user"[..], b"schema", b"server", b"sqlid", b"date", b"timestamp", b"path"];
            if registers.iter().any(|name| self.is(name)) {
                self.advance();
                self.marks.note(Mark::System("a register".into()));
                return Shape::Name;
            }
        }
        if self.inner > 0 || self.kind() == Kind::Cast || self.led && memchr::memchr(b'_', spelled).is_some()
        {
            let path = lower(spelled);
            let register = matches!(&path[..], b"current_user" | b"session_user" | b"system_user" | b"user")
                || path.contains(&b'.') && !path.starts_with(b"sys.") && words::is_system_name(&path);
            if register {
                self.marks.note(Mark::System(quoted(&path)));
                return Shape::Calculated;
            }
        }
        // `a[1]` of an array.
        while self.kind() == Kind::Name && self.spelled().starts_with(b"[") {
            self.advance();
        }
        Shape::Name
    }

    /// `over (...)` and `filter (...)` after a call.
    fn over(&mut self) -> Parsed<()> {
        while self.kind() == Kind::Name
            && (self.is(b"over") || self.is(b"filter"))
            && self.ahead() == Kind::Open
        {
            self.advance();
            self.call(b"")?;
        }
        while self.eat_kind(Kind::Dot) {
            // `xmltype(x).getstringval()`.
            if !matches!(self.kind(), Kind::Name | Kind::Word(_)) {
                return self.stop();
            }
            self.advance();
            if self.kind() == Kind::Open {
                self.call(b"")?;
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

    /// The arguments of a call, the opening bracket being the current token. Answers what the first one is. What a
    /// conversion, `convert(int, x)` or `cast(x as int)`, cannot make a number of shows in its error message.
    fn call(&mut self, name: &[u8]) -> Parsed<Arguments> {
        self.advance();
        let arguments = self.within(|parser| {
            let mut arguments = Arguments::default();
            while !matches!(parser.kind(), Kind::Close | Kind::End) {
                let argument = parser.argument()?;
                if name == b"convert" && argument == Argument::Type {
                    parser.marks.note(Mark::Call(Use::Errs, "a conversion to a number".into()));
                }
                arguments.constant |= arguments.count == 0 && argument == Argument::Constant;
                arguments.count += 1;
                match parser.kind() {
                    Kind::Comma | Kind::Semicolon => parser.advance(),
                    Kind::Word(Word::As | Word::Using) => {
                        parser.advance();
                        if name == b"cast" && parser.is_number_type() {
                            parser.marks.note(Mark::Call(Use::Errs, "a conversion to a number".into()));
                        }
                        parser.type_name()?;
                    }
                    Kind::Word(Word::From | Word::For | Word::In | Word::Separator) => parser.advance(),
                    // `sleep (8 hours)`.
                    Kind::Name | Kind::Number => arguments.loose = true,
                    _ => {}
                }
                if matches!(parser.kind(), Kind::Word(Word::Order | Word::Limit | Word::Where)) {
                    parser.clauses()?;
                }
            }
            Ok(arguments)
        })?;
        self.close()?;
        Ok(arguments)
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
    pub(super) fn is_number_type(&self) -> bool {
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

/// The arguments of a call.
#[derive(Clone, Copy, Debug, Default)]
struct Arguments {
    count: usize,
    /// The first is a constant.
    constant: bool,
    /// Two follow each other without anything between, as words do.
    loose: bool,
}

/// What an argument of a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    Constant,
    /// The name of a type of numbers.
    Type,
    Other,
}
