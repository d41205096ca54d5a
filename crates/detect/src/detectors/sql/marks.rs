//! What a parse has met that an injection is made of, in the order in which it was met.

use std::fmt::Write as _;

use super::words::Use;

/// Something that injections do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A set operation with a query that could run; its columns.
    Union(usize),
    /// A set operation of plain words: `union select name from list`.
    PlainUnion,
    /// A set operation at the end of the text: `union select`.
    OpenUnion,
    /// A set operation that goes astray, or could be English: `union select committee`.
    BareUnion,
    /// A statement after a semicolon; its first word.
    Stacked(String),
    /// A statement of plain words after a semicolon; its first word.
    PlainStacked(String),
    /// A query in brackets that names columns by more than plain words.
    Subquery,
    /// A query in brackets made of plain words.
    PlainSubquery,
    /// A call of a function known for something; its name.
    Call(Use, String),
    /// Another function that takes text apart.
    Nested,
    /// A table or variable in which the server describes itself.
    System(String),
    /// `CASE WHEN .. THEN .. END` that asks something of its own: a query, a call, constants.
    Case,
    /// `CASE WHEN .. THEN .. END` on columns.
    PlainCase,
    /// A comparison of constants, after a logical operator.
    Constant(String),
    /// A comparison of a column with something, after a logical operator.
    Compare,
    /// A comparison of what a function or query gives, after a logical operator.
    CompareCall,
    /// A constant as a condition, after a logical operator: `or 1`.
    Condition,
    /// `IS NULL` and its kin on what was closed.
    NullTest,
    /// A variable with a quoted name in a condition.
    Variable,
    /// A clause with a column's number: `ORDER BY 3`, `GROUP BY 1`.
    Numbered(&'static str),
    /// Another clause that continues a query.
    Clause(&'static str),
    /// `INTO OUTFILE`.
    IntoFile,
    /// `PROCEDURE ANALYSE`.
    Procedure,
    /// The result is joined to what stands around it: `'||x||'`.
    Joined,
    /// `WAITFOR DELAY`.
    WaitFor,
}

impl Mark {
    /// How much it says. 4: nobody writes this but to inject. 3: code that does something. 2: code that could be innocent
    /// in a language of filters. 1: fits an injection, and much else.
    fn weight(&self) -> u32 {
        match self {
            Self::Union(_) | Self::IntoFile | Self::Procedure | Self::WaitFor => 4,
            Self::Call(Use::Waits | Use::Errs | Use::Files | Use::Calls | Use::Runs, _) => 4,
            Self::OpenUnion | Self::Stacked(_) | Self::Subquery | Self::Constant(_) | Self::Case => 3,
            Self::Call(Use::Tells, _) | Self::System(_) | Self::Numbered(_) => 2,
            Self::CompareCall
            | Self::Variable
            | Self::PlainUnion
            | Self::PlainCase
            | Self::PlainStacked(_) => 2,
            Self::Call(Use::Text, _) | Self::Compare | Self::Condition | Self::NullTest => 1,
            Self::BareUnion | Self::PlainSubquery | Self::Clause(_) | Self::Joined => 1,
            Self::Nested => 0,
        }
    }

    fn read(&self, out: &mut String) {
        let _ = match self {
            Self::Union(1) => write!(out, "UNION SELECT of 1 column"),
            Self::Union(columns) => write!(out, "UNION SELECT of {columns} columns"),
            Self::PlainUnion => write!(out, "UNION SELECT"),
            Self::OpenUnion | Self::BareUnion => write!(out, "an unfinished UNION"),
            Self::Stacked(word) | Self::PlainStacked(word) => write!(out, "another statement, {word}"),
            Self::Subquery | Self::PlainSubquery => write!(out, "a query in brackets"),
            Self::Call(Use::Waits, name) => write!(out, "waits by {name}"),
            Self::Call(Use::Errs, name) => write!(out, "provokes an error by {name}"),
            Self::Call(Use::Files, name) => write!(out, "reaches files by {name}"),
            Self::Call(Use::Calls, name) => write!(out, "calls out by {name}"),
            Self::Call(Use::Runs, name) => write!(out, "runs commands by {name}"),
            Self::Call(_, name) => write!(out, "calls {name}"),
            Self::Nested => write!(out, "other functions"),
            Self::System(name) => write!(out, "reads {name}"),
            Self::Case | Self::PlainCase => write!(out, "CASE WHEN"),
            Self::Constant(text) => write!(out, "a condition on constants, {text}"),
            Self::Compare => write!(out, "one more condition"),
            Self::CompareCall => write!(out, "a condition on what is calculated"),
            Self::Condition => write!(out, "a constant for a condition"),
            Self::NullTest => write!(out, "IS NULL"),
            Self::Variable => write!(out, "a variable"),
            Self::Numbered(clause) => write!(out, "{clause} a column's number"),
            Self::Clause(clause) => write!(out, "{clause}"),
            Self::IntoFile => write!(out, "INTO a file"),
            Self::Procedure => write!(out, "PROCEDURE ANALYSE"),
            Self::Joined => write!(out, "joins its result to the text around it"),
            Self::WaitFor => write!(out, "WAITFOR"),
        };
    }
}

/// The marks of a parse.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    met: Vec<Mark>,
}

/// Marks that are kept: what a sentence can say, and more than a decision needs.
const MARKS_MAX: usize = 12;

/// Marks that a reading names.
const NAMED_MAX: usize = 4;

impl Marks {
    /// Notes one. Of each kind the first is kept.
    pub(super) fn note(&mut self, mark: Mark) {
        self.note_at(self.met.len(), mark);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.met.len()
    }

    /// Notes one that began when there were so many.
    pub(super) fn note_at(&mut self, place: usize, mark: Mark) {
        let known = |met: &Mark| match (met, &mark) {
            (Mark::Call(a, _), Mark::Call(b, _)) => a == b,
            (Mark::Clause(a), Mark::Clause(b)) => a == b,
            _ => std::mem::discriminant(met) == std::mem::discriminant(&mark),
        };
        if self.met.len() < MARKS_MAX && !self.met.iter().any(known) {
            self.met.insert(place.min(self.met.len()), mark);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.met.is_empty()
    }

    pub(super) fn any(&self, is: impl Fn(&Mark) -> bool) -> bool {
        self.met.iter().any(is)
    }

    /// How much they say together.
    pub(super) fn weight(&self) -> u32 {
        self.met.iter().map(Mark::weight).sum()
    }

    /// The weight of the heaviest.
    pub(super) fn heaviest(&self) -> u32 {
        self.met.iter().map(Mark::weight).max().unwrap_or(0)
    }

    /// The ones that say most, in order, as a list.
    pub(super) fn read(&self, out: &mut String) {
        let mut weights: Vec<u32> = self.met.iter().map(Mark::weight).collect();
        weights.sort_unstable_by(|a, b| b.cmp(a));
        let least = weights.get(NAMED_MAX - 1).copied().unwrap_or(0);
        for mark in self.met.iter().filter(|mark| mark.weight() >= least).take(NAMED_MAX) {
            out.push_str(", then ");
            mark.read(out);
        }
    }
}
