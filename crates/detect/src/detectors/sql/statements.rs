//! Whole statements: what follows a semicolon, and what stands alone.

use super::marks::Mark;
use super::parser::{Parsed, Parser, Shape};
use super::tokens::Kind;
use super::words::Word;

/// How much a statement that was read to its end is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Statement {
    /// Plain words in an order that English has: `select one`, `use both`.
    Phrase,
    /// Plain words that are a statement by their order: `select size from menu`, `delete from cart`.
    Words,
    /// More than words: `select * from t where a = 1`, `drop table users`.
    Code,
    /// One that does harm by itself: `exec xp_cmdshell '..'`, `waitfor delay '..'`.
    Harm,
}

/// Statements that some dialects begin without a semicolon before them.
const BY_THEMSELVES: &[Word] =
    &[Word::Exec, Word::Execute, Word::Waitfor, Word::Set, Word::Declare, Word::Select, Word::If];

impl Parser<'_> {
    /// A statement, its first word being the current token.
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        let Kind::Word(word) = self.kind() else {
            // Inside a block a procedure is called by its name.
            if self.inner > 0 && self.kind() == Kind::Name {
                let jump = self.is(b"goto");
                let called = self.within(Self::operand)? == Shape::Calculated;
                let label = self.spelled() == b":" || jump && self.eat_kind(Kind::Name);
                return if called || label { Ok(Statement::Words) } else { self.stop() };
            }
            return self.stop();
        };
        match word {
            Word::Select | Word::With | Word::Values | Word::Table => {
                let query = self.query()?;
                Ok(match (query.code, query.from) {
                    (true, true) => Statement::Code,
                    _ if query.calculates => Statement::Code,
                    (false, false) => Statement::Phrase,
                    _ => Statement::Words,
                })
            }
            Word::Explain | Word::Describe => {
                self.advance();
                while self.kind() == Kind::Name {
                    self.advance();
                }
                if self.kind() == Kind::End { Ok(Statement::Phrase) } else { self.statement() }
            }
            Word::Insert | Word::Replace => self.insert(),
            Word::Update => self.update(),
            Word::Delete => self.delete(),
            Word::Drop | Word::Truncate => self.drop_object(),
            Word::Create | Word::Alter | Word::Rename => self.define(),
            Word::Exec | Word::Execute | Word::Call => self.execute(),
            Word::Declare => self.declare(),
            Word::Set => self.set(),
            Word::Waitfor => self.waitfor(),
            Word::Shutdown => {
                self.advance();
                if self.eat(Word::With) && self.is(b"nowait") {
                    self.advance();
                    return Ok(Statement::Harm);
                }
                Ok(Statement::Words)
            }
            Word::Begin => self.block(),
            Word::If | Word::While => {
                self.advance();
                let constant = self.within(Self::expression)? == Shape::Constant;
                self.eat(Word::Then);
                let mut statement = self.within(Self::statement)?;
                if constant && statement > Statement::Phrase {
                    statement = Statement::Code;
                }
                while self.eat_kind(Kind::Semicolon) || self.eat(Word::Else) {
                    if self.eat(Word::End) {
                        self.eat(Word::If);
                        break;
                    }
                    if matches!(self.kind(), Kind::Word(_) | Kind::Name) && !self.at(Word::Else) {
                        self.within(Self::statement)?;
                    }
                }
                Ok(statement)
            }
            Word::Grant | Word::Revoke => self.grant(),
            Word::Copy => self.copy(),
            Word::Load => self.load(),
            Word::Attach => {
                self.advance();
                let database = self.is(b"database");
                if database {
                    self.advance();
                }
                let named = matches!(self.kind(), Kind::Text { .. });
                self.operand()?;
                if !database && !named || !self.eat(Word::As) {
                    return self.stop();
                }
                self.operand()?;
                Ok(Statement::Harm)
            }
            Word::Pragma | Word::Show | Word::Use | Word::Kill | Word::Print | Word::Prepare | Word::Do => {
                self.advance();
                self.operand()?;
                while matches!(
                    self.kind(),
                    Kind::Name | Kind::Word(_) | Kind::Text { .. } | Kind::Number | Kind::Variable
                ) {
                    self.advance();
                }
                Ok(Statement::Phrase)
            }
            Word::Backup | Word::Restore => {
                self.advance();
                let known = [&b"database"[..], b"log", b"filelistonly", b"headeronly", b"verifyonly"];
                let known = known.iter().any(|what| self.is(what));
                self.rest(if known { Statement::Words } else { Statement::Phrase })
            }
            Word::Merge | Word::Bulk => {
                self.advance();
                if !self.eat(Word::Into) && !self.eat(Word::Insert) {
                    return self.stop();
                }
                self.operand()?;
                let known = matches!(self.kind(), Kind::Word(Word::Using | Word::From | Word::As));
                self.rest(if known { Statement::Code } else { Statement::Phrase })
            }
            Word::Handler | Word::Commit | Word::Rollback | Word::Reconfigure | Word::Vacuum => {
                self.advance();
                self.rest(Statement::Phrase)
            }
            _ => self.stop(),
        }
    }

    /// Statements after semicolons, and others that need none in some dialects. Answers the strongest.
    pub(super) fn statements(&mut self) -> Parsed<Statement> {
        let mut strongest = self.statement()?;
        loop {
            let separated = self.eat_kind(Kind::Semicolon);
            match self.kind() {
                Kind::End => return Ok(strongest),
                Kind::Word(Word::End | Word::Commit) if separated => {
                    self.advance();
                }
                Kind::Word(word) if separated || BY_THEMSELVES.contains(&word) => {
                    let next = self.statement()?;
                    // Two statements in a row are no English, unless each could be a phrase.
                    let both = if next > Statement::Phrase { Statement::Code } else { next };
                    strongest = strongest.max(next).max(both);
                }
                Kind::Semicolon => {}
                _ => return Ok(strongest),
            }
        }
    }

    fn insert(&mut self) -> Parsed<Statement> {
        self.advance();
        self.eat(Word::All);
        if self.is(b"ignore") || self.is(b"overwrite") {
            self.advance();
        }
        if !self.eat(Word::Into) {
            return self.stop();
        }
        self.eat(Word::Table);
        self.operand()?;
        match self.kind() {
            Kind::Word(Word::Values) => {
                self.advance();
                self.within(Self::expression)?;
                while self.eat_kind(Kind::Comma) {
                    self.within(Self::expression)?;
                }
                self.rest(Statement::Code)
            }
            Kind::Word(Word::Select | Word::With) => {
                self.query()?;
                Ok(Statement::Code)
            }
            Kind::Open => {
                self.operand()?;
                if self.eat(Word::Values) {
                    self.within(Self::expression)?;
                    while self.eat_kind(Kind::Comma) {
                        self.within(Self::expression)?;
                    }
                } else {
                    self.query()?;
                }
                self.rest(Statement::Code)
            }
            Kind::Word(Word::Set) => self.assignments(),
            Kind::Name if self.is(b"default") => self.rest(Statement::Code),
            _ => self.stop(),
        }
    }

    fn update(&mut self) -> Parsed<Statement> {
        self.advance();
        self.operand()?;
        if self.kind() == Kind::Name {
            self.advance();
        }
        if !self.at(Word::Set) {
            return self.stop();
        }
        self.assignments()
    }

    /// `SET a = 1, b = 2 WHERE ..`.
    fn assignments(&mut self) -> Parsed<Statement> {
        self.advance();
        loop {
            let start = self.token.start;
            self.within(Self::expression)?;
            if !self.tokens.whole()[start..self.token.start].contains(&b'=') {
                return self.stop();
            }
            if !self.eat_kind(Kind::Comma) {
                break;
            }
        }
        self.within(Self::clauses)?;
        Ok(Statement::Code)
    }

    fn delete(&mut self) -> Parsed<Statement> {
        self.advance();
        if !self.eat(Word::From) {
            return self.stop();
        }
        self.operand()?;
        let code = self.within(Self::clauses)?;
        Ok(if code || self.kind() == Kind::Semicolon { Statement::Code } else { Statement::Words })
    }

    fn drop_object(&mut self) -> Parsed<Statement> {
        self.advance();
        if !self.object_kind() {
            return self.stop();
        }
        self.if_exists();
        self.operand()?;
        while self.eat_kind(Kind::Comma) {
            self.operand()?;
        }
        if self.is(b"cascade") || self.is(b"restrict") {
            self.advance();
        }
        Ok(Statement::Code)
    }

    fn define(&mut self) -> Parsed<Statement> {
        self.advance();
        while matches!(self.kind(), Kind::Word(Word::Or | Word::Replace))
            || [&b"temporary"[..], b"temp", b"unique", b"global"].iter().any(|word| self.is(word))
        {
            self.advance();
        }
        if !self.object_kind() {
            return self.stop();
        }
        self.if_exists();
        if !matches!(self.kind(), Kind::Name | Kind::Text { .. } | Kind::Variable) {
            return self.stop();
        }
        self.path()?;
        // What a table is made of, or what changes in it.
        let code = matches!(
            self.kind(),
            Kind::Open
                | Kind::Semicolon
                | Kind::Word(Word::As | Word::Drop | Word::Alter | Word::Rename | Word::Replace | Word::With)
        ) || [&b"add"[..], b"modify", b"change", b"identified", b"password", b"owner"]
            .iter()
            .any(|word| self.is(word));
        self.rest(if code { Statement::Code } else { Statement::Words })
    }

    /// What can be dropped and created.
    fn object_kind(&mut self) -> bool {
        let known = self.at(Word::Table)
            || self.at(Word::Procedure)
            || [
                &b"database"[..],
                b"schema",
                b"view",
                b"index",
                b"function",
                b"trigger",
                b"user",
                b"login",
                b"role",
                b"sequence",
                b"alias",
                b"extension",
                b"assembly",
                b"tablespace",
                b"library",
                b"column",
                b"package",
            ]
            .iter()
            .any(|kind| self.is(kind));
        if known {
            self.advance();
        }
        known
    }

    fn if_exists(&mut self) {
        if self.eat(Word::If) {
            self.eat(Word::Not);
            self.eat(Word::Exists);
        }
    }

    /// `EXEC name args`, `EXEC('..')`, `CALL name(..)`, `EXECUTE IMMEDIATE '..'`.
    fn execute(&mut self) -> Parsed<Statement> {
        self.advance();
        if self.eat_kind(Kind::Open) {
            // Other languages have a function of the name, with more arguments than a text.
            if !matches!(self.kind(), Kind::Text { .. } | Kind::Variable) {
                return self.stop();
            }
            self.within(Self::expression)?;
            self.close()?;
            return Ok(Statement::Code);
        }
        if self.is(b"immediate") {
            self.advance();
            self.within(Self::expression)?;
            return Ok(Statement::Code);
        }
        if self.kind() == Kind::Variable {
            self.advance();
            if self.kind() == Kind::Compare {
                self.advance();
            } else {
                return Ok(Statement::Code);
            }
        }
        if self.kind() != Kind::Name {
            return self.stop();
        }
        let start = self.token.start;
        let end = self.path()?;
        let name = super::parser::lower(&self.tokens.whole()[start..end]);
        let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or(&name);
        let system = [&b"xp_"[..], b"sp_"].iter().any(|prefix| last.starts_with(prefix));
        if system {
            self.marks.note(Mark::Call(super::words::Use::Runs, super::parser::quoted(&name)));
        }
        let called = self.kind() == Kind::Open;
        let mut arguments = 0;
        while !matches!(self.kind(), Kind::End | Kind::Semicolon | Kind::Word(_)) {
            self.within(Self::expression)?;
            arguments += 1;
            if !self.eat_kind(Kind::Comma) {
                break;
            }
        }
        if system {
            return Ok(Statement::Harm);
        }
        let procedure = name.iter().any(|byte| b"_.".contains(byte));
        Ok(if (called || arguments > 0) && procedure { Statement::Code } else { Statement::Words })
    }

    fn declare(&mut self) -> Parsed<Statement> {
        self.advance();
        if self.kind() != Kind::Variable {
            return self.stop();
        }
        while self.kind() == Kind::Variable {
            self.advance();
            self.eat(Word::As);
            self.type_name()?;
            if matches!(self.kind(), Kind::Compare | Kind::Assign) {
                self.advance();
                self.within(Self::expression)?;
            }
            if !self.eat_kind(Kind::Comma) {
                break;
            }
        }
        self.marks.note(Mark::Stacked("DECLARE".into()));
        Ok(Statement::Code)
    }

    fn set(&mut self) -> Parsed<Statement> {
        self.advance();
        if self.is(b"global") || self.is(b"session") || self.is(b"local") {
            self.advance();
        }
        let variable = self.kind() == Kind::Variable;
        let start = self.token.start;
        self.within(Self::expression)?;
        let assigned = self.tokens.whole()[start..self.token.start].contains(&b'=');
        if variable && assigned {
            Ok(Statement::Code)
        } else if assigned || matches!(self.kind(), Kind::Word(Word::On) | Kind::Name) {
            self.rest(Statement::Words)
        } else {
            self.stop()
        }
    }

    fn waitfor(&mut self) -> Parsed<Statement> {
        self.advance();
        if !self.is(b"delay") && !self.is(b"time") {
            return self.stop();
        }
        self.advance();
        if !matches!(self.kind(), Kind::Text { .. } | Kind::Variable | Kind::Number) && !self.is(b"__time__")
        {
            return self.stop();
        }
        self.advance();
        self.marks.note(Mark::WaitFor);
        Ok(Statement::Harm)
    }

    /// `BEGIN .. END`, of procedural dialects.
    fn block(&mut self) -> Parsed<Statement> {
        self.advance();
        if self.is(b"transaction") || self.is(b"tran") || self.kind() == Kind::End {
            return self.rest(Statement::Phrase);
        }
        let mut strongest = Statement::Phrase;
        while !self.at(Word::End) && self.kind() != Kind::End {
            strongest = strongest.max(self.within(Self::statement)?);
            // After a label.
            if self.spelled() == b":" {
                self.advance();
            }
            self.eat_kind(Kind::Semicolon);
        }
        self.eat(Word::End);
        Ok(strongest)
    }

    fn grant(&mut self) -> Parsed<Statement> {
        self.advance();
        let (mut words, mut on) = (0, false);
        while words < 24 && !self.is(b"to") && !self.at(Word::From) {
            if !matches!(self.kind(), Kind::Name | Kind::Word(_) | Kind::Comma | Kind::Star | Kind::Dot) {
                return self.stop();
            }
            on |= self.at(Word::On);
            self.advance();
            words += 1;
        }
        self.advance();
        self.operand()?;
        self.rest(if on { Statement::Code } else { Statement::Phrase })
    }

    fn copy(&mut self) -> Parsed<Statement> {
        self.advance();
        self.operand()?;
        if self.kind() == Kind::Open {
            self.operand()?;
        }
        if !self.at(Word::From) && !self.is(b"to") {
            return self.stop();
        }
        self.advance();
        if self.is(b"program") {
            self.advance();
            self.operand()?;
            return Ok(Statement::Harm);
        }
        self.rest(Statement::Words)
    }

    fn load(&mut self) -> Parsed<Statement> {
        self.advance();
        if !self.is(b"data") && !self.is(b"xml") {
            return self.stop();
        }
        self.advance();
        if self.is(b"local") {
            self.advance();
        }
        if !self.is(b"infile") {
            return self.stop();
        }
        self.advance();
        self.operand()?;
        self.rest(Statement::Harm)
    }

    /// Whatever follows in a statement whose beginning told what it is, to its semicolon or the text's end.
    pub(super) fn rest(&mut self, statement: Statement) -> Parsed<Statement> {
        let mut open = 0_usize;
        loop {
            match self.kind() {
                Kind::End => return Ok(statement),
                Kind::Semicolon if open == 0 => return Ok(statement),
                Kind::Open => open += 1,
                Kind::Close if open == 0 => return Ok(statement),
                Kind::Close => open -= 1,
                Kind::Other => return self.stop(),
                _ => {}
            }
            self.advance();
        }
    }
}
