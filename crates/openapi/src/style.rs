//! How parameters are written: every style of OpenAPI, undone into a [`Tree`].
//!
//! Pieces are cut before escapes are undone, so that `a%2Cb` is one value with a comma. Where 3.0's table and RFC 6570
//! differ (`label` without explode: dots, or commas) both are read.

use crate::Limits;
use crate::json::{self, NotRead};
use crate::operation::{Parameter, Shape, Style};
use crate::percent::{Plus, decode};
use crate::tree::{Full, ItemId, Tree};

/// How a text came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// As it is: a header, a segment of a normal path, a part of a multipart body.
    Plain,
    /// With escapes.
    Escaped,
    /// With escapes, and `+` for a space: a query or form.
    Form,
}

/// Why a text is no value of its parameter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not written in its style; in words.
    Malformed(String),
    /// More than is looked at.
    Limit(&'static str),
}

impl From<Full> for Unfit {
    fn from(_: Full) -> Self {
        Self::Limit("it has more values than are looked at")
    }
}

fn malformed(why: &str) -> Unfit {
    Unfit::Malformed(why.to_owned())
}

/// Reads a parameter from the texts that were given under its name; there is at least one.
pub(crate) fn read(
    parameter: &Parameter,
    texts: &[&[u8]],
    written: Written,
    limits: &Limits,
    tree: &mut Tree,
) -> Result<ItemId, Unfit> {
    let reader = Reader { written, tree };
    let [text, more @ ..] = texts else { return Err(malformed("is not there")) };
    let repeats = match parameter.style {
        Style::Form | Style::SpaceDelimited | Style::PipeDelimited => parameter.explode,
        // Lines of one header are one list.
        Style::Simple => written == Written::Plain,
        Style::Label | Style::Matrix | Style::DeepObject => false,
    };
    let may_repeat = repeats && matches!(parameter.shape, Shape::List | Shape::Either) && !parameter.is_json;
    if !more.is_empty() && !may_repeat {
        // Of two, one server reads the first and another the last.
        return Err(malformed("is given more than once"));
    }
    if parameter.is_json {
        let text = reader.decoded(text);
        return json::read(&text, limits, reader.tree).map_err(|error| match error {
            NotRead::Invalid(why) => Unfit::Malformed(why),
            NotRead::Limit(why) => Unfit::Limit(why),
        });
    }
    match parameter.style {
        Style::Simple => reader.simple(parameter, texts),
        Style::Label => reader.label(parameter, text),
        Style::Matrix => reader.matrix(parameter, text),
        Style::Form => reader.delimited(parameter, texts, &[b","]),
        Style::SpaceDelimited => {
            let spaces = reader.spaces();
            reader.delimited(parameter, texts, spaces)
        }
        Style::PipeDelimited => reader.delimited(parameter, texts, &[b"|", b"%7C", b"%7c"]),
        Style::DeepObject => Err(malformed("is written without brackets")),
    }
}

struct Reader<'t> {
    written: Written,
    tree: &'t mut Tree,
}

impl Reader<'_> {
    fn decoded<'x>(&self, text: &'x [u8]) -> std::borrow::Cow<'x, [u8]> {
        match self.written {
            Written::Plain => std::borrow::Cow::Borrowed(text),
            Written::Escaped => decode(text, Plus::Itself),
            Written::Form => decode(text, Plus::Space),
        }
    }

    fn spaces(&self) -> &'static [&'static [u8]] {
        match self.written {
            Written::Plain => &[b" "],
            Written::Escaped | Written::Form => &[b"%20", b"+", b" "],
        }
    }

    fn one(self, text: &[u8]) -> Result<ItemId, Unfit> {
        let text = self.decoded(text);
        Ok(self.tree.raw(&text)?)
    }

    fn list<'x>(self, pieces: impl Iterator<Item = &'x [u8]>) -> Result<ItemId, Unfit> {
        let mut items = Vec::new();
        for piece in pieces {
            let piece = self.decoded(piece);
            items.push(self.tree.raw(&piece)?);
        }
        Ok(self.tree.list(items)?)
    }

    /// An object of `name, value, name, value`.
    fn alternating(self, pieces: &[&[u8]]) -> Result<ItemId, Unfit> {
        if pieces.len() % 2 == 1 {
            return Err(malformed("has a name without a value"));
        }
        let pairs = pieces.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        self.object(pairs)
    }

    /// An object of `name=value`.
    fn assigned(self, pieces: &[&[u8]]) -> Result<ItemId, Unfit> {
        let pair = |piece: &&[u8]| memchr::memchr(b'=', piece);
        if pieces.iter().any(|piece| pair(piece).is_none()) {
            return Err(malformed("has a name without a value"));
        }
        let pairs = pieces.iter().filter_map(|piece| pair(piece).map(|at| (&piece[..at], &piece[at + 1..])));
        self.object(pairs)
    }

    fn object<'x>(self, pairs: impl Iterator<Item = (&'x [u8], &'x [u8])>) -> Result<ItemId, Unfit> {
        let mut members: Vec<(Vec<u8>, ItemId)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (name, value) in pairs {
            let name = self.decoded(name).into_owned();
            if !seen.insert(name.clone()) {
                return Err(malformed("has a name twice"));
            }
            let value = self.decoded(value);
            members.push((name, self.tree.raw(&value)?));
        }
        Ok(self.tree.named(members)?)
    }

    /// `a,b`; headers come in several lines, which are one.
    fn simple(self, parameter: &Parameter, texts: &[&[u8]]) -> Result<ItemId, Unfit> {
        let pieces =
            || texts.iter().flat_map(|text| text.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        match &parameter.shape {
            Shape::One => self.one(texts[0]),
            Shape::Either if pieces().count() == 1 => self.one(texts[0]),
            Shape::List | Shape::Either if texts == [b""] => self.list(std::iter::empty()),
            Shape::List | Shape::Either => self.list(pieces()),
            Shape::Map { .. } if parameter.explode => self.assigned(&pieces().collect::<Vec<_>>()),
            Shape::Map { .. } => self.alternating(&pieces().collect::<Vec<_>>()),
        }
    }

    /// `.a.b` or `.a,b`.
    fn label(self, parameter: &Parameter, text: &[u8]) -> Result<ItemId, Unfit> {
        let Some(rest) = text.strip_prefix(b".") else {
            return Err(malformed("does not begin with a dot, as a label does"));
        };
        let comma = !parameter.explode && rest.contains(&b',');
        let cut = if comma { b',' } else { b'.' };
        let pieces: Vec<&[u8]> = rest.split(|byte| *byte == cut).collect();
        match &parameter.shape {
            Shape::One => self.one(rest),
            Shape::Either if pieces.len() == 1 => self.one(rest),
            Shape::List | Shape::Either => self.list(pieces.into_iter()),
            Shape::Map { .. } if parameter.explode => self.assigned(&pieces),
            Shape::Map { .. } => self.alternating(&pieces),
        }
    }

    /// `;name=a,b`, `;name=a;name=b`, `;R=100;G=200`.
    fn matrix(self, parameter: &Parameter, text: &[u8]) -> Result<ItemId, Unfit> {
        let Some(rest) = text.strip_prefix(b";") else {
            return Err(malformed("does not begin with a semicolon, as a matrix parameter does"));
        };
        let pieces: Vec<&[u8]> = rest.split(|byte| *byte == b';').collect();
        if let (Shape::Map { .. }, true) = (&parameter.shape, parameter.explode) {
            return self.assigned(&pieces);
        }
        let value = |piece: &&[u8]| {
            let name =
                self.decoded(piece.split(|byte| *byte == b'=').next().unwrap_or_default()).into_owned();
            (name == *parameter.name).then(|| memchr::memchr(b'=', piece).map_or(piece.len(), |at| at + 1))
        };
        let mut values = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            match value(piece) {
                Some(at) => values.push(&piece[at..]),
                None => return Err(malformed("has another name before its value than its own")),
            }
        }
        let commas = || values[0].split(|byte| *byte == b',').collect::<Vec<_>>();
        match &parameter.shape {
            Shape::List | Shape::Either if parameter.explode => self.list(values.into_iter()),
            _ if values.len() > 1 => Err(malformed("is given more than once")),
            Shape::One => self.one(values[0]),
            Shape::Either if commas().len() == 1 => self.one(values[0]),
            Shape::List | Shape::Either => self.list(commas().into_iter()),
            Shape::Map { .. } => self.alternating(&commas()),
        }
    }

    /// `a&a` where it is exploded, else one text with something between its pieces.
    fn delimited(self, parameter: &Parameter, texts: &[&[u8]], cuts: &[&[u8]]) -> Result<ItemId, Unfit> {
        match &parameter.shape {
            Shape::One => self.one(texts[0]),
            Shape::List if parameter.explode => self.list(texts.iter().copied()),
            Shape::Either if parameter.explode && texts.len() > 1 => self.list(texts.iter().copied()),
            Shape::Either if parameter.explode => self.one(texts[0]),
            shape => {
                let pieces = if texts[0].is_empty() { Vec::new() } else { cut(texts[0], cuts) };
                match shape {
                    Shape::Map { .. } => self.alternating(&pieces),
                    Shape::Either if pieces.len() == 1 => self.one(texts[0]),
                    _ => self.list(pieces.into_iter()),
                }
            }
        }
    }
}

/// Cuts a text at any of some marks. O(n) for few marks.
fn cut<'x>(text: &'x [u8], marks: &[&[u8]]) -> Vec<&'x [u8]> {
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        match marks.iter().find(|mark| text[at..].starts_with(mark)) {
            Some(mark) => {
                pieces.push(&text[start..at]);
                at += mark.len();
                start = at;
            }
            None => at += 1,
        }
    }
    pieces.push(&text[start..]);
    pieces
}
