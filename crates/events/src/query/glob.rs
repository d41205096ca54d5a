//! Wildcards: `*` any run of characters, `?` one.
//!
//! Between two stars stands a piece that is looked for once, leftmost: nothing is ever tried again further left, so a
//! pattern without `?` costs the text's length, whatever it says, and a piece with `?` its own length times the text's.

use memchr::memmem;

/// A pattern with at least one wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the stars; two or more where there is a star.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// A text.
    Plain(Box<str>),
    /// Characters, of which `None` is any.
    Gaps(Box<[Option<char>]>),
}

impl Glob {
    /// The pattern that a text is; `None` where it has no wildcard.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if !text.contains(['*', '?']) {
            return None;
        }
        let piece = |piece: &str| match piece.contains('?') {
            false => Piece::Plain(piece.into()),
            true => Piece::Gaps(piece.chars().map(|char| (char != '?').then_some(char)).collect()),
        };
        Some(Self { pieces: text.split('*').map(piece).collect() })
    }

    /// Whether the whole text fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else { return text.is_empty() };
        let Some(mut rest) = first.strip_from(text) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for piece in middle {
            match piece.find_in(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        last.ends(rest)
    }
}

impl Piece {
    /// What follows it where the text begins with it.
    fn strip_from<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Plain(piece) => text.strip_prefix(&**piece),
            Self::Gaps(piece) => {
                let mut chars = text.chars();
                let fits = piece.iter().all(|wanted| {
                    chars.next().is_some_and(|char| wanted.is_none_or(|wanted| wanted == char))
                });
                fits.then_some(chars.as_str())
            }
        }
    }

    /// What follows its first place in the text.
    fn find_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Plain(piece) => {
                let at = memmem::find(text.as_bytes(), piece.as_bytes())?;
                text.get(at + piece.len()..)
            }
            Self::Gaps(_) => {
                let mut rest = text;
                loop {
                    if let Some(after) = self.strip_from(rest) {
                        return Some(after);
                    }
                    let mut chars = rest.chars();
                    chars.next()?;
                    rest = chars.as_str();
                }
            }
        }
    }

    /// Whether the text ends with it.
    fn ends(&self, text: &str) -> bool {
        match self {
            Self::Plain(piece) => text.ends_with(&**piece),
            Self::Gaps(piece) => {
                let mut chars = text.chars();
                piece.iter().rev().all(|wanted| {
                    chars.next_back().is_some_and(|char| wanted.is_none_or(|wanted| wanted == char))
                })
            }
        }
    }
}
