//! Named texts of a query, a form, a cookie header or a multipart body, and the parameters that are read from them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::Limits;
use crate::operation::{Parameter, Shape, Style};
use crate::style::{self, Unfit, Written};
use crate::tree::{ItemId, Tree};

/// Texts under names, in order.
pub(crate) struct Fields<'t> {
    all: Vec<(Cow<'t, [u8]>, &'t [u8])>,
    by_name: HashMap<Cow<'t, [u8]>, Vec<usize>>,
    written: Written,
}

/// Brackets inside one another that are read: `a[b][c]` has two.
const BRACKETS_MAX: usize = 8;

impl<'t> Fields<'t> {
    pub(crate) fn new(all: impl Iterator<Item = (Cow<'t, [u8]>, &'t [u8])>, written: Written) -> Self {
        let all: Vec<_> = all.collect();
        let mut by_name: HashMap<Cow<'t, [u8]>, Vec<usize>> = HashMap::with_capacity(all.len());
        for (at, (name, _)) in all.iter().enumerate() {
            by_name.entry(name.clone()).or_default().push(at);
        }
        Self { all, by_name, written }
    }

    /// What stands under a name, as it is written.
    pub(crate) fn texts(&self, name: &[u8]) -> Vec<&'t [u8]> {
        self.by_name.get(name).into_iter().flatten().map(|at| self.all[*at].1).collect()
    }

    /// Reads a parameter. `None` where it is not there. `others` are the parameters beside it: an object that may have
    /// any names has not theirs.
    pub(crate) fn read(
        &self,
        parameter: &Parameter,
        others: &[Parameter],
        limits: &Limits,
        tree: &mut Tree,
    ) -> Option<Result<ItemId, Unfit>> {
        match (&parameter.shape, parameter.style) {
            (_, Style::DeepObject) => self.deep(parameter, tree),
            (Shape::Map { names, open }, Style::Form) if parameter.explode && !parameter.is_json => {
                self.exploded(names, *open, others, tree)
            }
            _ => {
                let texts = self.texts(&parameter.name);
                if texts.is_empty() || texts == [b""] && parameter.allow_empty {
                    return None;
                }
                Some(style::read(parameter, &texts, self.written, limits, tree))
            }
        }
    }

    /// An object whose members stand beside other parameters.
    fn exploded(
        &self,
        names: &[Box<[u8]>],
        open: bool,
        others: &[Parameter],
        tree: &mut Tree,
    ) -> Option<Result<ItemId, Unfit>> {
        let mut members = Vec::new();
        let own: Vec<&Cow<'_, [u8]>> = match open {
            false => names
                .iter()
                .filter_map(|name| self.by_name.get_key_value(&**name))
                .map(|(name, _)| name)
                .collect(),
            true => {
                let taken: HashSet<&[u8]> = others.iter().map(|other| &*other.name).collect();
                let mut own: Vec<_> = self.by_name.keys().filter(|name| !taken.contains(&***name)).collect();
                own.sort();
                own
            }
        };
        for name in own {
            match self.leaf(&self.texts(name), tree) {
                Ok(item) => members.push((name.to_vec(), item)),
                Err(error) => return Some(Err(error)),
            }
        }
        if members.is_empty() { None } else { Some(tree.named(members).map_err(Unfit::from)) }
    }

    /// What stands under a name of which no parameter says how it is written.
    pub(crate) fn value(&self, name: &[u8], tree: &mut Tree) -> Result<ItemId, Unfit> {
        self.leaf(&self.texts(name), tree)
    }

    /// One value, or a list of several.
    fn leaf(&self, texts: &[&[u8]], tree: &mut Tree) -> Result<ItemId, Unfit> {
        let mut items = Vec::with_capacity(texts.len());
        for text in texts {
            items.push(tree.raw(&self.decoded(text))?);
        }
        match *items {
            [one] => Ok(one),
            _ => Ok(tree.list(items)?),
        }
    }

    fn decoded<'x>(&self, text: &'x [u8]) -> Cow<'x, [u8]> {
        use crate::percent::{Plus, decode};
        match self.written {
            Written::Plain => Cow::Borrowed(text),
            Written::Escaped => decode(text, Plus::Itself),
            Written::Form => decode(text, Plus::Space),
        }
    }

    /// `name[a]=1&name[b][c]=2`.
    fn deep(&self, parameter: &Parameter, tree: &mut Tree) -> Option<Result<ItemId, Unfit>> {
        let mut entries = Vec::new();
        for (name, text) in &self.all {
            let Some(rest) = name.strip_prefix(&*parameter.name).filter(|rest| rest.starts_with(b"[")) else {
                continue;
            };
            match brackets(rest) {
                Some(steps) => entries.push((steps, *text)),
                None => {
                    return Some(Err(Unfit::Malformed(
                        "has brackets that do not pair, or too many".to_owned(),
                    )));
                }
            }
        }
        if !self.texts(&parameter.name).is_empty() {
            return Some(Err(Unfit::Malformed("is written without brackets".to_owned())));
        }
        if entries.is_empty() { None } else { Some(self.nested(&entries, 0, tree)) }
    }

    /// At most [`BRACKETS_MAX`] deep; each text is looked at once a level.
    fn nested(
        &self,
        entries: &[(Vec<&[u8]>, &[u8])],
        depth: usize,
        tree: &mut Tree,
    ) -> Result<ItemId, Unfit> {
        if entries.iter().all(|(steps, _)| steps.len() == depth) {
            let texts: Vec<&[u8]> = entries.iter().map(|(_, text)| *text).collect();
            return self.leaf(&texts, tree);
        }
        let mut order: Vec<&[u8]> = Vec::new();
        let mut groups: HashMap<&[u8], Vec<Entry<'_>>> = HashMap::new();
        for entry in entries {
            let Some(step) = entry.0.get(depth) else {
                return Err(Unfit::Malformed("is a value and an object at once".to_owned()));
            };
            let group = groups.entry(step).or_default();
            if group.is_empty() {
                order.push(step);
            }
            group.push(entry.clone());
        }
        // `a[]=1&a[]=2`
        if order == [b""] {
            let item = self.nested(&groups[&b""[..]], depth + 1, tree)?;
            return Ok(match tree.item(item) {
                crate::tree::Item::List(_) => item,
                _ => tree.list([item])?,
            });
        }
        let mut members = Vec::with_capacity(order.len());
        for name in order {
            members.push((name.to_vec(), self.nested(&groups[name], depth + 1, tree)?));
        }
        Ok(tree.named(members)?)
    }

    /// Names that none of some parameters takes, each once.
    pub(crate) fn unknown(&self, parameters: &[Parameter], besides: &HashSet<Box<[u8]>>) -> Vec<&[u8]> {
        let open = |parameter: &Parameter| matches!(parameter.shape, Shape::Map { open: true, .. });
        let exploded = |parameter: &&Parameter| {
            parameter.style == Style::Form && parameter.explode && !parameter.is_json
        };
        if parameters.iter().filter(exploded).any(open) {
            return Vec::new();
        }
        let mut known: HashSet<&[u8]> = besides.iter().map(|name| &**name).collect();
        let mut deep: Vec<&[u8]> = Vec::new();
        for parameter in parameters {
            match &parameter.shape {
                Shape::Map { names, .. } if exploded(&parameter) => {
                    known.extend(names.iter().map(|name| &**name))
                }
                _ if parameter.style == Style::DeepObject => deep.push(&parameter.name),
                _ => {
                    known.insert(&parameter.name);
                }
            }
        }
        let is_deep = |name: &[u8]| {
            let mut prefixes = deep.iter();
            prefixes.any(|deep| {
                name == *deep || name.strip_prefix(*deep).is_some_and(|rest| rest.starts_with(b"["))
            })
        };
        let mut seen = HashSet::new();
        let unknown =
            self.all.iter().map(|(name, _)| &**name).filter(|name| !known.contains(name) && !is_deep(name));
        unknown.filter(|name| seen.insert(*name)).collect()
    }
}

/// The steps of a bracketed name, and its text.
type Entry<'e> = (Vec<&'e [u8]>, &'e [u8]);

/// `[a][b]` as its steps.
fn brackets(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut steps = Vec::new();
    while let Some(inside) = rest.strip_prefix(b"[") {
        let end = memchr::memchr(b']', inside)?;
        steps.push(&inside[..end]);
        rest = &inside[end + 1..];
    }
    (rest.is_empty() && steps.len() <= BRACKETS_MAX).then_some(steps)
}
