//! Folding: tokens that do not change the shape of a statement are dropped or merged until at most five are left.
//!
//! What lives here: a window of tokens and the rules on two and on three neighbours in it. What deliberately does not:
//! any judgement on the result.
//!
//! The window is read from `left`, the first token not yet settled. A rule on tokens at `left` and behind it drops from
//! the *end* of the window, as libinjection does. Where the window holds more than the rule looked at, that forgets
//! tokens that have been read; verdicts hang on it.

use super::super::keywords;
use super::token::{Kind, SqlToken, SqlTokens};

/// The tokens of a folded statement.
#[derive(Clone, Debug)]
pub struct Folded<'a> {
    slots: [SqlToken<'a>; WINDOW],
    len: usize,
}

impl<'a> Folded<'a> {
    /// The most tokens that folding leaves, unless the last is [`Kind::Evil`].
    pub const LEN_MAX: usize = 5;

    /// The tokens, at most [`Folded::LEN_MAX`], or one more if that one is [`Kind::Evil`].
    pub fn tokens(&self) -> &[SqlToken<'a>] {
        &self.slots[..self.len]
    }

    /// Takes a backtick that ends a statement of three tokens or more for the start of a comment, as PHP's MySQL did.
    pub(super) fn end_at_open_backtick(&mut self) {
        if let [_, _, .., last] = &mut self.slots[..self.len]
            && (last.kind, last.open, last.close, last.text) == (Kind::Bareword, Some(b'`'), None, b"")
        {
            last.kind = Kind::Comment;
        }
    }
}

/// Reads `tokens` as far as needed and folds them.
pub fn fold<'a>(tokens: &mut SqlTokens<'a>) -> Folded<'a> {
    let mut window =
        Window { tokens, slots: [SqlToken::EMPTY; WINDOW], len: 0, left: 0, more: true, comment: None };
    let len = if window.skip_prefix() { window.run() } else { 0 };
    Folded { slots: window.slots, len }
}

/// One token more than are kept helps to judge the last one kept.
const WINDOW: usize = Folded::LEN_MAX + 1;

struct Window<'t, 'a> {
    tokens: &'t mut SqlTokens<'a>,
    slots: [SqlToken<'a>; WINDOW],
    /// How many slots are in use.
    len: usize,
    /// The first slot not yet settled; never above `len`.
    left: usize,
    /// Whether the input may have more tokens.
    more: bool,
    /// A comment that nothing has followed so far.
    comment: Option<SqlToken<'a>>,
}

/// What a rule on two neighbours came to.
enum Pair {
    /// The window changed: look at it again.
    Changed,
    /// Nothing to fold: look at three neighbours.
    Settled,
    /// Not to be parsed reliably: stop and call it an attack.
    Evil,
}

impl<'a> Window<'_, 'a> {
    /// Skips comments, opening parentheses, types and unary operators up front. False if nothing else came.
    fn skip_prefix(&mut self) -> bool {
        for token in self.tokens.by_ref() {
            if !matches!(token.kind, Kind::Comment | Kind::LeftParenthesis | Kind::SqlType)
                && !token.is_unary()
            {
                self.slots[0] = token;
                self.len = 1;
                return true;
            }
        }
        false
    }

    /// Folds to the end; returns how many tokens stay.
    fn run(&mut self) -> usize {
        loop {
            self.shorten_full_window();
            if !self.more || self.left >= Folded::LEN_MAX {
                break;
            }
            self.read_until(2);
            if self.len - self.left < 2 {
                self.left = self.len;
                continue;
            }
            match self.fold_pair() {
                Pair::Changed => continue,
                Pair::Settled => {}
                Pair::Evil => return self.left + 2,
            }
            self.read_until(3);
            if self.len - self.left < 3 {
                self.left = self.len;
            } else if !self.fold_triple() {
                self.left += 1;
            }
        }
        if self.len < Folded::LEN_MAX
            && let Some(comment) = self.comment
        {
            self.slots[self.len] = comment;
            return self.len + 1;
        }
        self.len.min(Folded::LEN_MAX)
    }

    /// Reads until `count` tokens are unsettled, the input ends or the window is full. Comments take no slot.
    fn read_until(&mut self, count: usize) {
        while self.more && self.len < WINDOW && self.len - self.left < count {
            match self.tokens.next() {
                None => self.more = false,
                Some(token) if token.kind == Kind::Comment => self.comment = Some(token),
                Some(token) => {
                    self.comment = None;
                    self.slots[self.len] = token;
                    self.len += 1;
                }
            }
        }
    }

    /// Arithmetic and lists that fill the window say no more than their first operand.
    fn shorten_full_window(&mut self) {
        use Kind::{Bareword, Comma, LeftParenthesis as Left, Number, Operator, RightParenthesis as Right};
        if self.len < Folded::LEN_MAX {
            return;
        }
        let [a, b, c, d, e, _] = self.slots.map(|token| token.kind);
        if matches!(
            (a, b, c, d, e),
            (Number, Operator | Comma, Left, Number, Right)
                | (Bareword, Operator, Left, Bareword | Number, Right)
                | (Number, Right, Comma, Left, Number)
                | (Bareword, Right, Operator, Left, Bareword)
        ) {
            let sixth = self.len > Folded::LEN_MAX;
            if sixth {
                self.slots[1] = self.slots[Folded::LEN_MAX];
            }
            self.len = 1 + usize::from(sixth);
            self.left = 0;
        }
    }

    /// The first rule that fits the two tokens at `left`, in libinjection's order.
    fn fold_pair(&mut self) -> Pair {
        let left = self.left;
        let (a, b) = (self.slots[left], self.slots[left + 1]);
        match (a.kind, b.kind) {
            (Kind::String, Kind::String) | (Kind::Semicolon, Kind::Semicolon) => {
                self.len -= 1;
                return Pair::Changed;
            }
            (Kind::Operator | Kind::LogicOperator, _) if b.is_unary() || b.kind == Kind::SqlType => {
                return self.drop_and_restart(1);
            }
            (Kind::LeftParenthesis, _) if b.is_unary() => {
                self.len -= 1;
                self.left = left.saturating_sub(1);
                return Pair::Changed;
            }
            _ => {}
        }
        if let Some(merged) = merge(&a, &b) {
            self.slots[left] = merged;
            self.len -= 1;
            self.left = left.saturating_sub(1);
            return Pair::Changed;
        }
        match (a.kind, b.kind) {
            // A function elsewhere, IF (also IF EXISTS, IF NOT) starts a statement in Transact-SQL.
            (Kind::Semicolon, Kind::Function)
                if b.text.get(..2).is_some_and(|word| word.eq_ignore_ascii_case(b"IF")) =>
            {
                self.slots[left + 1].kind = Kind::Tsql;
                Pair::Changed
            }
            (Kind::Bareword | Kind::Variable, Kind::LeftParenthesis) if is_function_when_called(&a) => {
                self.slots[left].kind = Kind::Function;
                Pair::Changed
            }
            (Kind::Keyword, _) if a.is("IN") || a.is("NOT IN") => {
                let listed = b.kind == Kind::LeftParenthesis;
                self.slots[left].kind = if listed { Kind::Operator } else { Kind::Bareword };
                Pair::Changed
            }
            (Kind::Operator, _) if a.is("LIKE") || a.is("NOT LIKE") => {
                if b.kind == Kind::LeftParenthesis {
                    self.slots[left].kind = Kind::Function;
                }
                Pair::Settled
            }
            (
                Kind::SqlType,
                Kind::Bareword
                | Kind::Number
                | Kind::SqlType
                | Kind::LeftParenthesis
                | Kind::Function
                | Kind::Variable
                | Kind::String,
            ) => {
                self.slots[left] = b;
                self.drop_and_restart(1)
            }
            // There are too many collations to list, but all of them have an underscore.
            (Kind::Collate, Kind::Bareword) => {
                if b.text.iter().take_while(|&&byte| byte != 0).any(|&byte| byte == b'_') {
                    self.slots[left + 1].kind = Kind::SqlType;
                    self.left = 0;
                }
                Pair::Settled
            }
            // Transact-SQL reads `\%1` as `0 % 1` and `\1` as `1`.
            (Kind::Backslash, _) if b.is_arithmetic() => {
                self.slots[left].kind = Kind::Number;
                self.left = 0;
                Pair::Changed
            }
            (Kind::Backslash, _) => {
                self.slots[left] = b;
                self.drop_and_restart(1)
            }
            (Kind::LeftParenthesis, Kind::LeftParenthesis)
            | (Kind::RightParenthesis, Kind::RightParenthesis) => self.drop_and_restart(1),
            // MySQL takes {``.``.id} for a column of the current table.
            (Kind::LeftBrace, Kind::Bareword) if b.text.is_empty() => {
                self.slots[left + 1].kind = Kind::Evil;
                Pair::Evil
            }
            // ODBC: `{name expression}` is the expression.
            (Kind::LeftBrace, Kind::Bareword) => self.drop_and_restart(2),
            (_, Kind::RightBrace) => self.drop_and_restart(1),
            _ => Pair::Settled,
        }
    }

    fn drop_and_restart(&mut self, count: usize) -> Pair {
        self.len -= count;
        self.left = 0;
        Pair::Changed
    }

    /// Whether a rule fits the three tokens at `left`; if so the window has changed.
    fn fold_triple(&mut self) -> bool {
        use Kind::{
            Bareword, Comma, Dot, Expression, Function, Group, Keyword, LeftParenthesis, LogicOperator,
            Number, Operator, RightParenthesis, SqlType, String, Variable,
        };
        let left = self.left;
        let (a, b, c) = (self.slots[left], self.slots[left + 1], self.slots[left + 2]);
        let unary = b.is_unary();
        let (dropped, replaces_middle) = match (a.kind, b.kind, c.kind) {
            // An operation or a list of plain operands is as good as its first.
            (Operator, kind, Operator) if kind != LeftParenthesis => (2, false),
            (LogicOperator, _, LogicOperator) => (2, false),
            (Variable, Operator, Variable | Number | Bareword) => (2, false),
            (Bareword | Number, Operator, Number | Bareword) => (2, false),
            (Bareword | Number | Variable | String, Operator, SqlType) if b.text == b"::" => (2, false),
            (Bareword | Number | String | Variable, Comma, Number | Bareword | String | Variable) => {
                (2, false)
            }
            // A sign is dropped; before a plain operand after a comma the operand goes with it.
            (Expression | Group | Comma, _, LeftParenthesis) if unary => (1, true),
            (Keyword | Expression | Group, _, Number | Bareword | Variable | String | Function) if unary => {
                (1, true)
            }
            (Comma, _, Number | Bareword | Variable | String) if unary => (3, true),
            (Comma, _, Function) if unary => (1, true),
            // Qualified names.
            (Bareword, Dot, Bareword) => (2, false),
            (Expression, Dot, Bareword) => (1, true),
            // USER takes no arguments; with some it is a name of the input's own.
            (Function, LeftParenthesis, kind) if kind != RightParenthesis && a.is("USER") => {
                self.slots[left].kind = Bareword;
                return false;
            }
            _ => return false,
        };
        if replaces_middle {
            self.slots[left + 1] = c;
        }
        self.len -= dropped;
        self.left = 0;
        true
    }
}

/// The phrase that two words make, if it is a known one. Its text is in capitals, whatever the input had.
fn merge<'a>(first: &SqlToken<'a>, second: &SqlToken<'a>) -> Option<SqlToken<'a>> {
    use Kind::{Bareword, Expression, Function, Keyword, LogicOperator, Operator, SqlType, Tsql, Union};
    let starts =
        matches!(first.kind, Keyword | Bareword | Operator | Union | Function | Expression | Tsql | SqlType);
    let follows = matches!(
        second.kind,
        Keyword | Bareword | Operator | Union | Function | Expression | Tsql | SqlType | LogicOperator
    );
    if !starts || !follows {
        return None;
    }
    let (text, kind) = keywords::phrase(first.text, second.text)?;
    Some(SqlToken { kind, text, ..*first })
}

/// Names that are values on their own and functions before a parenthesis.
fn is_function_when_called(token: &SqlToken<'_>) -> bool {
    const NAMES: [&str; 11] = [
        "USER_ID",
        "USER_NAME",
        "DATABASE",
        "PASSWORD",
        "USER",
        "CURRENT_USER",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "LOCALTIME",
        "LOCALTIMESTAMP",
    ];
    NAMES.iter().any(|name| token.is(name))
}
