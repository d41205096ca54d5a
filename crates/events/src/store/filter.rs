//! Which records are asked for, as text and as SQL.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value as Sql;

use super::columns::EventColumns;
use super::{NUMBER_MASK, Table, first_row_at, schema};
use crate::query::{Comparison, Expr, Key, Query};

/// Which records. What is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// From when, in milliseconds since 1970.
    pub from_unix_millis: Option<u64>,
    /// Until when, not included.
    pub to_unix_millis: Option<u64>,
    /// Of this service.
    pub service: Option<String>,
    /// From this data plane, as a collector knows it.
    pub dataplane: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// From this address; of L7 records from this workload, `namespace/name`.
    pub source: Option<String>,
    /// With this kind of attack, as what decided or was found first.
    pub attack: Option<String>,
    /// With this rule.
    pub rule: Option<u64>,
    /// With all of these words; `sel*` is any that begins so. ASCII case does not matter.
    pub text: Option<String>,
    /// And what the query language says.
    pub query: Query,
}

/// Whether the newest come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// Where a page ended. What is added later does not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(crate) i64);

impl Cursor {
    /// What was there before this time is on the one side, what is there from then on is on the other.
    #[must_use]
    pub fn at(unix_millis: u64) -> Self {
        Self(first_row_at(unix_millis) - 1)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| i64::from_str_radix(text, 16).ok()).flatten();
        number
            .map(Self)
            .ok_or_else(|| FilterError(format!("`{text}` is no cursor: use `next` of the page before")))
    }
}

/// A part of a filter that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(pub(crate) String);

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Sql>,
}

impl Filter {
    /// Rows that can be meant, from the first to the last.
    pub(super) fn rows(&self, order: Order, after: Option<Cursor>) -> (i64, i64) {
        let mut first = self.from_unix_millis.map_or(0, first_row_at);
        let mut last = match self.to_unix_millis {
            Some(0) => -1,
            Some(to) => first_row_at(to - 1) | NUMBER_MASK,
            None => i64::MAX,
        };
        match (order, after) {
            (Order::NewestFirst, Some(Cursor(row))) => last = last.min(row.saturating_sub(1)),
            (Order::OldestFirst, Some(Cursor(row))) => first = first.max(row.saturating_add(1)),
            (_, None) => {}
        }
        (first, last)
    }

    /// The same with what the query says about columns: an index finds those, and the query decides about the rest.
    pub(super) fn narrowed(&self) -> Self {
        let mut narrowed = self.clone();
        match self.query.expr() {
            Some(Expr::And(parts)) => parts.iter().for_each(|part| narrowed.narrow(part)),
            Some(expr) => narrowed.narrow(expr),
            None => {}
        }
        narrowed
    }

    fn narrow(&mut self, expr: &Expr) {
        let Expr::Compare { key: Key { name, .. }, is: Comparison::Equal, value } = expr else { return };
        // What reads as a number, an address or a time is equal to other texts as well.
        let is_word = value.text().starts_with(|first: char| first.is_ascii_alphabetic())
            && !value.text().contains(':');
        if !is_word {
            return;
        }
        let column = match &**name {
            "service" => &mut self.service,
            "kind" => &mut self.kind,
            "action" => &mut self.action,
            "dataplane" => &mut self.dataplane,
            _ => return,
        };
        if column.is_none() {
            *column = Some(value.text().to_owned());
        }
    }

    /// Rows and JSON of what is meant in a file of a version, as far as SQL can tell.
    pub(super) fn select(
        &self,
        (table, version): (Table, i64),
        rows: (i64, i64),
        order: Order,
        limit: usize,
    ) -> Statement {
        let json = schema::json_of(table.name(), version);
        let direction = match order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        let (from, mut conditions, mut values, row) = self.from(table);
        conditions.push(format!("{row} BETWEEN ? AND ?"));
        values.extend([rows.0.into(), rows.1.into()]);
        let conditions = conditions.join(" AND ");
        let sql = format!(
            "SELECT r.seq, r.id, {json} FROM {from} WHERE {conditions} ORDER BY {row} {direction} LIMIT {limit}"
        );
        Statement { sql, values }
    }

    /// How many have which value of a field in a file of a version, as far as SQL can tell.
    pub(super) fn group(
        &self,
        (table, version): (Table, i64),
        rows: (i64, i64),
        json_path: &str,
        limit: usize,
    ) -> Statement {
        let json = schema::json_of(table.name(), version);
        let (from, mut conditions, mut values, row) = self.from(table);
        conditions.push(format!("{row} BETWEEN ? AND ?"));
        values.extend([rows.0.into(), rows.1.into()]);
        values.insert(0, json_path.to_owned().into());
        let conditions = conditions.join(" AND ");
        let sql = format!(
            "SELECT CAST(coalesce(json_extract({json}, ?), '') AS TEXT) AS value, count(*) AS count FROM {from}
             WHERE {conditions} GROUP BY value ORDER BY count DESC, value LIMIT {limit}"
        );
        Statement { sql, values }
    }

    /// Tables in the order in which they are to be read, conditions with their values, and the row that orders. What
    /// narrows most comes first: words, a rule, then columns, each by its index and in the order of rows.
    fn from(&self, table: Table) -> (String, Vec<String>, Vec<Sql>, &'static str) {
        let mut conditions = Vec::new();
        let mut values: Vec<Sql> = Vec::new();
        let columns: &[(&str, &Option<String>)] = match table {
            Table::Events => &[
                ("source", &self.source),
                ("attack", &self.attack),
                ("service", &self.service),
                ("kind", &self.kind),
                ("action", &self.action),
                ("dataplane", &self.dataplane),
            ],
            Table::Traffic => {
                &[("source", &self.source), ("service", &self.service), ("dataplane", &self.dataplane)]
            }
        };
        let given: Vec<(&str, &String)> =
            columns.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?))).collect();
        let words = self.text.as_deref().filter(|_| table == Table::Events).and_then(match_of);
        let rule = self.rule.filter(|_| table == Table::Events);
        let (from, row) = if let Some(words) = words {
            conditions.push("event_text MATCH ?".to_owned());
            values.push(words.into());
            if let Some(rule) = rule {
                conditions.push(
                    "EXISTS (SELECT 1 FROM event_rule x WHERE x.rule = ? AND x.seq = r.seq)".to_owned(),
                );
                values.push((rule as i64).into());
            }
            ("event_text t CROSS JOIN event r ON r.seq = t.rowid".to_owned(), "t.rowid")
        } else if let Some(rule) = rule {
            conditions.push("x.rule = ?".to_owned());
            values.push((rule as i64).into());
            ("event_rule x CROSS JOIN event r ON r.seq = x.seq".to_owned(), "x.seq")
        } else {
            let index = match &given[..] {
                [] => "NOT INDEXED".to_owned(),
                [("service", _), ("action", _)] => "INDEXED BY event_service_action".to_owned(),
                // What is empty in nearly all rows is in no index there: `schema`.
                [("attack" | "dataplane", value), ..] if value.is_empty() => "NOT INDEXED".to_owned(),
                [(column, _), ..] => format!("INDEXED BY {}_{column}", table.name()),
            };
            (format!("{} r {index}", table.name()), "r.seq")
        };
        for (column, value) in given {
            conditions.push(format!("r.{column} = ?"));
            if matches!(column, "attack" | "dataplane") && !value.is_empty() {
                // Without a word SQLite does not know that the index has it.
                conditions.push(format!("r.{column} != ''"));
            }
            values.push(value.clone().into());
        }
        (from, conditions, values, row)
    }

    /// Whether what SQL cannot tell is so as well.
    pub(super) fn admits(&self, table: Table, json: &str) -> bool {
        let words = || {
            let Some(text) = &self.text else { return true };
            let own = match table {
                Table::Events => EventColumns::of(json).text().to_ascii_lowercase(),
                Table::Traffic => json.to_ascii_lowercase(),
            };
            let words = text.split_whitespace().map(|word| word.trim_end_matches('*'));
            words.into_iter().all(|word| own.contains(&word.to_ascii_lowercase()))
        };
        let asked = || {
            self.query.expr().is_none()
                || serde_json::from_str(json).is_ok_and(|record| self.query.matches(&record))
        };
        words() && asked()
    }

    /// Whether SQL tells everything.
    pub(super) fn is_all_sql(&self) -> bool {
        self.text.is_none() && self.query.expr().is_none()
    }
}

/// Words as FTS5 wants them. A word is split as its tokenizer does, at everything but letters and digits; before a `*` its last
/// part is the beginning of one. Not without being asked: FTS5 puts together all that has words with a beginning before it gives
/// the first, and of a whole word it gives the newest at once. `None` where there is no word in it.
fn match_of(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    for word in text.split_whitespace().take(WORDS_MAX) {
        let tokens = word.split(|character: char| !character.is_alphanumeric());
        let tokens: Vec<&str> = tokens.filter(|token| !token.is_empty()).take(WORDS_MAX).collect();
        let last = tokens.len().saturating_sub(1);
        let begins = word.ends_with('*');
        for (at, token) in tokens.iter().enumerate() {
            parts.push(format!("\"{token}\"{}", if at == last && begins { "*" } else { "" }));
        }
    }
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

/// Words of one question.
const WORDS_MAX: usize = 32;
