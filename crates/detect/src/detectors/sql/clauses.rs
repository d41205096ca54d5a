//! Queries and their clauses.

use super::marks::Mark;
use super::parser::{Parsed, Parser, Shape, Stop, lower, quoted};
use super::tokens::Kind;
use super::words::{self, Word};

/// What a list of columns or tables looked like.
#[derive(Clone, Copy, Debug, Default)]
struct List {
    items: usize,
    /// Items that are more than plain words.
    code: usize,
}

/// What a query was made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query {
    /// Its list of columns or its clauses are more than plain words: `select one from list` is English.
    pub(super) code: bool,
    /// It says where from.
    pub(super) from: bool,
    /// Its list holds nothing but constants and calls of functions that are known, one at least.
    pub(super) calculates: bool,
}

impl Parser<'_> {
    /// A query, its first word being the current token.
    pub(super) fn query(&mut self) -> Parsed<Query> {
        self.within(|parser| {
            let before = parser.marks.weight();
            let list = parser.query_body()?;
            let calculates = list.code == list.items && parser.marks.weight() > before;
            let from = parser.at(Word::From);
            let clauses = parser.clauses()?;
            Ok(Query { code: list.code > 0 || clauses || parser.marks.weight() > before, from, calculates })
        })
    }

    /// A query up to its clauses.
    fn query_body(&mut self) -> Parsed<List> {
        match self.kind() {
            Kind::Word(Word::With) => {
                self.advance();
                self.with()?;
                self.query_body()
            }
            Kind::Word(Word::Values) => {
                self.advance();
                let list = self.list()?;
                Ok(List { code: list.items, ..list })
            }
            Kind::Word(Word::Table) => {
                self.advance();
                self.operand()?;
                Ok(List { items: 1, code: 0 })
            }
            Kind::Word(Word::Select) => {
                self.advance();
                self.select_list()
            }
            Kind::Open => {
                self.advance();
                let list = self.deeper(|parser| {
                    let list = parser.query_body()?;
                    parser.clauses()?;
                    Ok(list)
                })?;
                self.close()?;
                Ok(list)
            }
            _ => self.stop(),
        }
    }

    /// `x as (query), y as (query)`.
    fn with(&mut self) -> Parsed<()> {
        if self.is(b"recursive") {
            self.advance();
        }
        loop {
            self.operand()?;
            if !self.eat(Word::As) || self.kind() != Kind::Open {
                return self.stop();
            }
            self.operand()?;
            if !self.eat_kind(Kind::Comma) {
                return Ok(());
            }
        }
    }

    fn select_list(&mut self) -> Parsed<List> {
        loop {
            match self.kind() {
                Kind::Word(Word::All | Word::Distinct | Word::DistinctRow) => self.advance(),
                Kind::Word(Word::Top) => {
                    self.advance();
                    match self.kind() {
                        Kind::Number => self.advance(),
                        Kind::Open => {
                            self.operand()?;
                        }
                        _ => return self.stop(),
                    }
                }
                _ => break,
            }
        }
        self.list()
    }

    /// Expressions with their aliases, separated by commas.
    fn list(&mut self) -> Parsed<List> {
        let mut list = List::default();
        // `select from t` names nothing; tools send it.
        if self.at(Word::From) {
            return Ok(list);
        }
        loop {
            let (before, start) = (self.marks.weight(), self.token.start);
            let plain = !self.eat_kind(Kind::Star) && self.expression()? == Shape::Name;
            let spelled = &self.tokens.whole()[start..self.token.start];
            list.items += 1;
            list.code += usize::from(
                !plain
                    || self.marks.weight() > before
                    || spelled.iter().any(|byte| b".@'\"=*`".contains(byte)),
            );
            self.alias();
            if !self.eat_kind(Kind::Comma) {
                return Ok(list);
            }
        }
    }

    fn alias(&mut self) {
        if self.eat(Word::As) {
            if matches!(self.kind(), Kind::Name | Kind::Text { .. } | Kind::Word(_)) {
                self.advance();
            }
        } else if matches!(self.kind(), Kind::Name | Kind::Text { closed: true }) && self.inner > 0 {
            self.advance();
        }
    }

    /// Clauses, in any order. Answers whether there was one that English does not have.
    pub(super) fn clauses(&mut self) -> Parsed<bool> {
        let mut code = false;
        loop {
            code |= match self.kind() {
                Kind::Word(Word::From) => {
                    self.advance();
                    self.tables()?
                }
                Kind::Word(Word::Where) => {
                    self.advance();
                    let before = self.token.start;
                    self.deeper(Self::expression)?;
                    self.tokens.whole()[before..self.token.start].iter().any(|byte| b"=<>('".contains(byte))
                }
                Kind::Word(Word::Union | Word::Intersect | Word::Except | Word::Minus) => {
                    self.set_operation()?;
                    true
                }
                Kind::Word(
                    Word::Group
                    | Word::Order
                    | Word::Having
                    | Word::Limit
                    | Word::Offset
                    | Word::Fetch
                    | Word::Into
                    | Word::Procedure
                    | Word::For,
                ) => self.clause()?,
                Kind::Name
                    if self.is(b"rownum") || self.is(b"option") || self.is(b"lock") || self.is(b"start") =>
                {
                    return Ok(code);
                }
                _ => return Ok(code),
            };
        }
    }

    /// One clause that may also follow where a text landed. Answers whether it is more than English.
    pub(super) fn clause(&mut self) -> Parsed<bool> {
        let Kind::Word(word) = self.kind() else { return self.stop() };
        let outer = self.inner == 0;
        self.advance();
        match word {
            Word::Group | Word::Order => {
                if !self.eat(Word::By) {
                    return self.stop();
                }
                let name = if word == Word::Group { "GROUP BY" } else { "ORDER BY" };
                let numbered = self.kind() == Kind::Number;
                if outer {
                    self.marks.note(if numbered { Mark::Numbered(name) } else { Mark::Clause(name) });
                }
                self.ordering()?;
                Ok(numbered)
            }
            Word::Having | Word::Where => {
                if outer {
                    self.marks.note(Mark::Clause(if word == Word::Having { "HAVING" } else { "WHERE" }));
                    self.led = true;
                }
                self.expression()?;
                Ok(false)
            }
            Word::Limit | Word::Offset => {
                self.expression()?;
                if self.eat_kind(Kind::Comma) {
                    self.expression()?;
                }
                if outer {
                    self.marks.note(Mark::Clause("LIMIT"));
                }
                Ok(true)
            }
            Word::Fetch => {
                while matches!(self.kind(), Kind::Name | Kind::Number) {
                    self.advance();
                }
                Ok(false)
            }
            Word::Into => self.target_of_into(),
            Word::Procedure => {
                if !self.is(b"analyse") {
                    return self.stop();
                }
                self.marks.note(Mark::Procedure);
                self.operand()?;
                Ok(true)
            }
            Word::For => {
                if !(self.at(Word::Update) || self.is(b"share") || self.is(b"xml") || self.is(b"json")) {
                    return self.stop();
                }
                self.advance();
                while matches!(self.kind(), Kind::Name) {
                    self.advance();
                }
                Ok(true)
            }
            _ => self.stop(),
        }
    }

    fn ordering(&mut self) -> Parsed<()> {
        loop {
            self.expression()?;
            while self.is(b"asc")
                || self.is(b"desc")
                || self.is(b"nulls")
                || self.is(b"first")
                || self.is(b"last")
            {
                self.advance();
            }
            if self.eat(Word::With) {
                self.advance();
            }
            if !self.eat_kind(Kind::Comma) {
                return Ok(());
            }
        }
    }

    fn target_of_into(&mut self) -> Parsed<bool> {
        match self.kind() {
            Kind::Word(Word::Outfile | Word::Dumpfile) => {
                self.advance();
                if !matches!(self.kind(), Kind::Text { .. } | Kind::Number | Kind::Variable) {
                    return self.stop();
                }
                self.marks.note(Mark::IntoFile);
                self.advance();
                // FIELDS TERMINATED BY '..' LINES STARTING BY '..'
                while matches!(
                    self.kind(),
                    Kind::Name | Kind::Word(Word::By) | Kind::Text { .. } | Kind::Number
                ) {
                    self.advance();
                }
                Ok(true)
            }
            Kind::Variable | Kind::Name => {
                self.operand()?;
                while self.eat_kind(Kind::Comma) {
                    self.operand()?;
                }
                Ok(false)
            }
            _ => self.stop(),
        }
    }

    /// `UNION [ALL] query` and its kin.
    pub(super) fn set_operation(&mut self) -> Parsed<()> {
        self.advance();
        while self.eat(Word::All) || self.eat(Word::Distinct) || self.eat(Word::DistinctRow) {}
        let begins = self.is_query() || matches!(self.kind(), Kind::Open | Kind::Word(Word::Values));
        if !begins {
            // Inside brackets nobody speaks of unions.
            if self.inner > 0 && self.kind() != Kind::End {
                self.marks.note(Mark::BareUnion);
                return self.expression().map(|_| ());
            }
            return self.stop();
        }
        let (start, before, place) = (self.token.start, self.marks.weight(), self.marks.len());
        let result = self.within(|parser| {
            let list = match parser.query_body() {
                Ok(list) => list,
                Err(stop) => {
                    // What was read of the columns may be enough.
                    let read = &parser.tokens.whole()[start..parser.token.start];
                    let commas = read.iter().filter(|byte| **byte == b',').count();
                    let code = read.iter().any(|byte| byte.is_ascii_digit() || b"(@'".contains(byte));
                    if parser.marks.weight() > before || commas > 0 && code {
                        parser.marks.note_at(place, Mark::Union(commas + 1));
                    }
                    return Err(stop);
                }
            };
            let from = parser.at(Word::From);
            let clauses = parser.clauses();
            let runs = match list.items {
                0 => false,
                items => list.code == items || list.code > 1 || from && (list.code > 0 || items > 1),
            };
            parser.marks.note_at(
                place,
                match clauses {
                    _ if runs => Mark::Union(list.items),
                    Ok(true) => Mark::Union(list.items),
                    Ok(false) if from => Mark::PlainUnion,
                    _ => Mark::BareUnion,
                },
            );
            clauses.map(|_| ())
        });
        if result == Err(Stop::Unfinished) && !self.marks.any(|mark| matches!(mark, Mark::Union(_))) {
            self.marks.note(Mark::OpenUnion);
        }
        result
    }

    /// Tables after FROM, joins included. Answers whether one is more than a plain word.
    fn tables(&mut self) -> Parsed<bool> {
        let mut code = false;
        loop {
            code |= self.table()?;
            loop {
                match self.kind() {
                    Kind::Word(
                        Word::Left
                        | Word::Right
                        | Word::Full
                        | Word::Inner
                        | Word::Outer
                        | Word::Cross
                        | Word::Natural,
                    ) => self.advance(),
                    Kind::Word(Word::Join) => {
                        self.advance();
                        self.table()?;
                        code = true;
                    }
                    Kind::Word(Word::On) => {
                        self.advance();
                        self.expression()?;
                        code = true;
                    }
                    Kind::Word(Word::Using) if code => {
                        self.advance();
                        self.operand()?;
                    }
                    _ => break,
                }
            }
            if !self.eat_kind(Kind::Comma) {
                return Ok(code);
            }
        }
    }

    fn table(&mut self) -> Parsed<bool> {
        let start = self.token.start;
        let plain = matches!(self.kind(), Kind::Name);
        if matches!(self.kind(), Kind::Word(_)) && !self.is(b"values") {
            // Tables are called `user`, `order`, `table` ... in payloads that name no table yet.
            self.advance();
            self.alias();
            return Ok(false);
        }
        self.operand()?;
        let path = lower(&self.tokens.whole()[start..self.token.start]);
        let system = plain && words::is_system_name(&path);
        if system {
            self.marks.note(Mark::System(quoted(&path)));
        }
        self.alias();
        if self.eat(Word::With) {
            self.operand()?;
        }
        Ok(system || !plain || path.contains(&b'.') || path.contains(&b'_') || path.contains(&b'('))
    }
}
