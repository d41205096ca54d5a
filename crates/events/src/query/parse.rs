//! Text to tree.

use std::fmt;

use super::Query;
use super::literal::{Literal, is_number_token};
use super::syntax::{Comparison, Expr, Key, Pattern, Set};

/// A query may be this long.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;
/// Brackets and `NOT` may nest this deep.
pub const DEPTH_MAX: usize = 64;
/// A set, or a substitution, may have this many items.
pub const SET_ITEMS_MAX: usize = 1024;
/// The name of a substitution may be this long.
pub const NAME_BYTES_MAX: usize = 128;

/// Values that `${name}` stands for, by name.
pub type Substitutions<'s> = [(&'s str, &'s [String])];

/// Why a text is no query, where, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The character at which it goes wrong, from 0.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at column {}; {}", self.message, self.at + 1, self.help)
    }
}

impl std::error::Error for QueryError {}

/// Reads a query without substitutions.
///
/// # Errors
/// Where it is none.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    parse_with(text, &[])
}

/// Reads a query whose sets may come from substitutions.
///
/// # Errors
/// Where it is none, or names a substitution that is not there.
pub fn parse_with(text: &str, substitutions: &Substitutions<'_>) -> Result<Query, QueryError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(QueryError {
            at: 0,
            message: format!("the query has {} bytes and may have {QUERY_BYTES_MAX}", text.len()),
            help: "put long sets into `substitutions`".to_owned(),
        });
    }
    let mut parser = Parser { text, at: 0, depth: 0, substitutions };
    if parser.peek()? == Token::End {
        return Ok(Query::all());
    }
    let expr = parser.or()?;
    match parser.peek()? {
        Token::End => Ok(expr.into()),
        Token::Close => Err(parser.error("`)` without `(`", "remove it")),
        other => Err(parser.error(
            format!("AND, OR or the end is expected, not {}", other.name()),
            "join two selections by AND or OR",
        )),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'t> {
    Open,
    Close,
    SetOpen,
    SetClose,
    Comma,
    Is(Comparison),
    Substitution(&'t str),
    Word(&'t str),
    Number(&'t str),
    Quoted(&'t str),
    End,
}

impl Token<'_> {
    fn name(&self) -> String {
        match self {
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::SetOpen => "`{`".to_owned(),
            Self::SetClose => "`}`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::Is(is) => format!("`{}`", is.as_str()),
            Self::Substitution(_) => "a substitution".to_owned(),
            Self::Word(text) | Self::Number(text) | Self::Quoted(text) => palisade_yaml::quoted(text),
            Self::End => "the end".to_owned(),
        }
    }

    /// A keyword, in capitals.
    fn keyword(&self) -> Option<&'static str> {
        let Self::Word(word) = self else { return None };
        KEYWORDS.into_iter().find(|keyword| keyword.eq_ignore_ascii_case(word))
    }
}

const KEYWORDS: [&str; 6] = ["AND", "OR", "NOT", "IN", "NOTIN", "EMPTY"];

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.into_iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

pub(super) fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

type Parsed<T> = Result<T, QueryError>;

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    substitutions: &'t Substitutions<'t>,
}

impl<'t> Parser<'t> {
    fn or(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.and()?];
        while self.take_keyword("OR")? {
            parts.push(self.and()?);
        }
        Ok(Expr::or(parts))
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.unary()?];
        while self.take_keyword("AND")? {
            parts.push(self.unary()?);
        }
        Ok(Expr::and(parts))
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.skip_blanks();
        if self.depth == DEPTH_MAX {
            return Err(self.error(
                format!("brackets and NOT nest deeper than {DEPTH_MAX}"),
                "write it with fewer brackets",
            ));
        }
        self.depth += 1;
        let open = self.at;
        let expr = if self.take_keyword("NOT")? {
            Expr::Not(Box::new(self.unary()?))
        } else if self.peek()? == Token::Open {
            self.next()?;
            let expr = self.or()?;
            match self.peek()? {
                Token::Close => self.next()?,
                Token::End => {
                    self.at = open;
                    return Err(self.error("`(` without `)`", "close it"));
                }
                other => {
                    let message = format!("AND, OR or `)` is expected, not {}", other.name());
                    return Err(self.error(message, "join two selections by AND or OR"));
                }
            };
            expr
        } else {
            self.selection()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn selection(&mut self) -> Parsed<Expr> {
        let key = self.key()?;
        let token = self.peek()?;
        match (token, token.keyword()) {
            (Token::Is(is), _) => {
                self.next()?;
                Ok(Expr::Compare { key, is, value: self.value()? })
            }
            (_, Some(word @ ("IN" | "NOTIN"))) => {
                self.next()?;
                Ok(Expr::In { key, negated: word == "NOTIN", set: self.set()? })
            }
            (_, Some("EMPTY")) => {
                self.next()?;
                Ok(Expr::Empty { key })
            }
            (_, Some("NOT")) => {
                let (message, help) =
                    ("`NOT` does not stand after a key", "write `key NOTIN {...}` or `NOT key EMPTY`");
                Err(self.error(message, help))
            }
            (token, _) => {
                let message = format!("a comparison is expected after {key}, not {}", token.name());
                Err(self.error(message, "write =, !=, <, <=, >, >=, IN, NOTIN or EMPTY"))
            }
        }
    }

    fn key(&mut self) -> Parsed<Key> {
        let token = self.peek()?;
        let at = self.column(self.at);
        let name = match token {
            Token::Word(_) if token.keyword().is_some() => {
                let message = format!("{} is a keyword, and a key is expected", token.name());
                return Err(self.error(message, "put a key of that name in quotes"));
            }
            Token::Quoted("") => {
                return Err(self.error("a key without a name", "name a field of the records"));
            }
            Token::Word(name) | Token::Quoted(name) => name,
            Token::Number(_) => {
                let message = format!("a key is expected, not the number {}", token.name());
                return Err(self.error(message, "put a key that begins with a digit in quotes"));
            }
            other => {
                let message = format!("a key is expected, not {}", other.name());
                return Err(self.error(message, "write a selection such as method = \"GET\""));
            }
        };
        self.next()?;
        Ok(Key { name: name.into(), at })
    }

    fn value(&mut self) -> Parsed<Literal> {
        let token = self.peek()?;
        let literal = match token {
            Token::Word(_) if token.keyword().is_some() => {
                let message = format!("{} is a keyword, and a value is expected", token.name());
                return Err(self.error(message, "put a value of that name in quotes"));
            }
            Token::Word(text) | Token::Quoted(text) => Literal::text_of(text),
            Token::Number(text) => match Literal::number_of(text) {
                Some(number) => number,
                None => return Err(self.error("the number is too large", "write a smaller one")),
            },
            Token::SetOpen | Token::Substitution(_) => {
                return Err(self.error("a set after a comparison", "sets follow IN or NOTIN"));
            }
            other => {
                let message = format!("a value is expected, not {}", other.name());
                return Err(self.error(message, "write a text in quotes or a number"));
            }
        };
        self.next()?;
        Ok(literal)
    }

    fn set(&mut self) -> Parsed<Set> {
        match self.peek()? {
            Token::Substitution(name) => {
                let Some((_, values)) = self.substitutions.iter().find(|(there, _)| *there == name) else {
                    let known: Vec<&str> = self.substitutions.iter().map(|(name, _)| *name).collect();
                    let help = match palisade_yaml::nearest(name, known.iter().copied()) {
                        Some(near) => format!("did you mean ${{{near}}}?"),
                        None => "add it to `substitutions` with its values".to_owned(),
                    };
                    let message = format!("no substitution has the name {}", palisade_yaml::quoted(name));
                    return Err(self.error(message, help));
                };
                if values.len() > SET_ITEMS_MAX {
                    let message =
                        format!("the substitution has {} values and may have {SET_ITEMS_MAX}", values.len());
                    return Err(self.error(message, "make two of it, joined by OR"));
                }
                self.next()?;
                let patterns = values.iter().map(|value| Literal::text_of(value).into()).collect();
                Ok(Set { name: Some(name.into()), patterns })
            }
            Token::SetOpen => {
                self.next()?;
                let mut patterns: Vec<Pattern> = Vec::new();
                loop {
                    if patterns.len() == SET_ITEMS_MAX {
                        let message = format!("a set has at most {SET_ITEMS_MAX} items");
                        return Err(self.error(message, "use wildcards, or two sets joined by OR"));
                    }
                    if self.peek()? == Token::SetClose {
                        let (message, help) = match patterns.is_empty() {
                            true => ("a set without items", "write at least one: {\"*942100*\"}"),
                            false => ("`,` before `}`", "remove it"),
                        };
                        return Err(self.error(message, help));
                    }
                    patterns.push(self.value()?.into());
                    match self.peek()? {
                        Token::Comma => self.next()?,
                        Token::SetClose => break,
                        other => {
                            let message = format!("`,` or `}}` is expected, not {}", other.name());
                            return Err(
                                self.error(message, "separate items by commas, and put texts in quotes")
                            );
                        }
                    };
                }
                self.next()?;
                Ok(Set { name: None, patterns })
            }
            other => {
                let message = format!("a set is expected, not {}", other.name());
                Err(self.error(message, "write {\"one\", \"two\"} or ${name}"))
            }
        }
    }

    fn take_keyword(&mut self, keyword: &str) -> Parsed<bool> {
        let there = self.peek()?.keyword() == Some(keyword);
        if there {
            self.next()?;
        }
        Ok(there)
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// The token here; the parser stands at its begin then.
    fn peek(&mut self) -> Parsed<Token<'t>> {
        self.skip_blanks();
        self.token().map(|(token, _)| token)
    }

    fn next(&mut self) -> Parsed<Token<'t>> {
        self.skip_blanks();
        let (token, length) = self.token()?;
        self.at += length;
        Ok(token)
    }

    /// The token here and its length in bytes.
    fn token(&self) -> Parsed<(Token<'t>, usize)> {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok((Token::End, 0)) };
        let one = |token| Ok((token, 1));
        match first {
            '(' => one(Token::Open),
            ')' => one(Token::Close),
            '{' => one(Token::SetOpen),
            '}' => one(Token::SetClose),
            ',' => one(Token::Comma),
            '=' if rest.starts_with("==") => Err(self.error("`==` is no comparison", "write =")),
            '=' => one(Token::Is(Comparison::Equal)),
            '!' if rest.starts_with("!=") => Ok((Token::Is(Comparison::NotEqual), 2)),
            '<' if rest.starts_with("<>") => Err(self.error("`<>` is no comparison", "write !=")),
            '<' if rest.starts_with("<=") => Ok((Token::Is(Comparison::LessOrEqual), 2)),
            '<' => one(Token::Is(Comparison::Less)),
            '>' if rest.starts_with(">=") => Ok((Token::Is(Comparison::GreaterOrEqual), 2)),
            '>' => one(Token::Is(Comparison::Greater)),
            '"' | '\'' => match rest[1..].find(first) {
                Some(end) => Ok((Token::Quoted(&rest[1..=end]), end + 2)),
                None => Err(self.error(format!("`{first}` without its end"), "close the text")),
            },
            '$' => self.substitution(rest),
            '0'..='9' | '-' => self.number(rest),
            'A'..='Z' | 'a'..='z' | '_' => self.word(rest),
            '!' => Err(self.error("`!` is no keyword", "write NOT")),
            '&' => Err(self.error("`&` is no keyword", "write AND")),
            '|' => Err(self.error("`|` is no keyword", "write OR")),
            _ => {
                let message =
                    format!("{} stands outside of quotes", palisade_yaml::quoted(&first.to_string()));
                Err(self.error(message, "put keys and values with other characters in quotes"))
            }
        }
    }

    fn substitution(&self, rest: &'t str) -> Parsed<(Token<'t>, usize)> {
        let inner = rest.strip_prefix("${").and_then(|inner| inner.split_once('}')).map(|(name, _)| name);
        match inner {
            Some(name) if is_word(name) && name.len() <= NAME_BYTES_MAX => {
                Ok((Token::Substitution(name), name.len() + 3))
            }
            _ => Err(self
                .error("`$` begins no substitution", "write ${name} with a name of letters, digits and _")),
        }
    }

    fn number(&self, rest: &'t str) -> Parsed<(Token<'t>, usize)> {
        let unsigned = rest.strip_prefix('-').unwrap_or(rest);
        let mut before = ' ';
        let length = unsigned.find(|char: char| {
            let sign_of_exponent = matches!(char, '+' | '-') && matches!(before, 'e' | 'E');
            before = char;
            !(char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | ':' | '/') || sign_of_exponent)
        });
        let length = length.unwrap_or(unsigned.len()) + (rest.len() - unsigned.len());
        let text = &rest[..length];
        if is_number_token(text) {
            return Ok((Token::Number(text), length));
        }
        Err(self.error(
            format!("{} is no number", palisade_yaml::quoted(text)),
            "put it in quotes if it is a text",
        ))
    }

    fn word(&self, rest: &'t str) -> Parsed<(Token<'t>, usize)> {
        let end =
            rest.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(rest.len());
        let word = &rest[..end];
        if rest[end..].starts_with(['.', '-', '/', ':', '*', '?']) {
            let long = rest.find(|char: char| !(char.is_ascii_alphanumeric() || "_.-/:*?".contains(char)));
            let long = &rest[..long.unwrap_or(rest.len())];
            let message = format!(
                "{} needs quotes: a word has letters, digits and _ only",
                palisade_yaml::quoted(long)
            );
            return Err(self.error(message, format!("write \"{long}\"")));
        }
        Ok((Token::Word(word), end))
    }

    fn column(&self, byte: usize) -> usize {
        self.text[..byte].chars().count()
    }

    fn error(&self, message: impl Into<String>, help: impl Into<String>) -> QueryError {
        QueryError { at: self.column(self.at), message: message.into(), help: help.into() }
    }
}
