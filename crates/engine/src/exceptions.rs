//! What a transaction does not look at because its configuration says so: rules, or points of the request that rules
//! pass over.
//!
//! ```text
//!  Exception (ids, tags; points; paths)  --compile, with a rule set-->  Exceptions  --begin, with a path-->  Excepted
//!                                          which rules are meant                      which of it holds here
//! ```
//!
//! A mask over a rule set, not another rule set: what is excepted is passed over when a rule is visited, as after a
//! `ctl:ruleRemoveById` or `ctl:ruleRemoveTargetById` that was the first thing to run. So services with different
//! exceptions share their rules, and a change of one compiles nothing else.
//!
//! Where it differs from `ctl`: a point is a place in the request, not a variable, so one name covers ARGS, ARGS_GET and
//! whatever else a rule calls it; and it holds for every link of a chain, where `ctl` knows its starter only. Variables
//! that hold more than the point (REQUEST_URI, REQUEST_BODY, FULL_REQUEST, MATCHED_VARS) are looked at all the same: a
//! body is excepted by `body`, not by a field of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use palisade_http::{BodyKind, normal_path};
use palisade_model::{self as model, Point, PointPattern, Root, Wildcard};
use palisade_seclang::ast::{Template, Variable};

use crate::ruleset::{Rule, RuleIndex, RuleSelection, RuleSet, written};
use crate::transaction::Control;
use crate::variables::{FilePart, Item, ItemKind, List, Part, Variables};

/// One exception, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// Ids of rules.
    pub ids: Vec<RangeInclusive<u64>>,
    /// Tags of rules, as rules write them.
    pub tags: Vec<Wildcard>,
    /// What the rules pass over; they are not run at all when empty.
    pub points: Vec<PointPattern>,
    /// Where: paths in their normal form without a slash at their end (`/` is the empty text), each with all that is
    /// below it, segment by segment. Everywhere when empty.
    pub paths: Vec<String>,
}

/// Exceptions from one rule set.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// Those that hold everywhere come first.
    clauses: Vec<Clause>,
    everywhere: usize,
    /// Rules that some clause is about: most are about none.
    affected: RuleSelection,
}

/// What some rules pass over.
#[derive(Debug)]
struct Clause {
    rules: Arc<RuleSelection>,
    /// Everything when empty.
    points: Vec<PointPattern>,
    paths: Vec<String>,
}

impl Exceptions {
    /// Finds the rules that exceptions mean. Also says which exceptions mean none, by their place in the list. Takes
    /// rules times exceptions; a rule set has some hundreds, with a few tags each.
    pub fn compile(rules: &RuleSet, written: &[Exception]) -> (Self, Vec<usize>) {
        let mut clauses = Vec::new();
        let mut idle = Vec::new();
        let mut affected = BTreeSet::new();
        for (number, exception) in written.iter().enumerate() {
            let meant = (0..).zip(&rules.rules).filter(|(_, rule)| exception.means(rule));
            let meant: Vec<u32> = meant.map(|(index, _)| index).collect();
            if meant.is_empty() {
                idle.push(number);
                continue;
            }
            affected.extend(&meant);
            clauses.push(Clause {
                rules: Arc::new(RuleSelection::from_sorted(meant)),
                points: exception.points.clone(),
                paths: exception.paths.clone(),
            });
        }
        clauses.sort_by_key(|clause| !clause.paths.is_empty());
        let everywhere = clauses.partition_point(|clause| clause.paths.is_empty());
        (Self { clauses, everywhere, affected: RuleSelection::from_sorted(affected) }, idle)
    }

    /// Whether nothing is excepted.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }
}

impl Exception {
    fn means(&self, rule: &Rule) -> bool {
        let meant = |tag: &Template| {
            // A rule set has thousands of tags, a process thousands of exceptions: few tags hold macros.
            let text = tag.as_literal().map_or_else(|| Cow::Owned(written(tag)), Cow::Borrowed);
            self.tags.iter().any(|wanted| wanted.matches(&text))
        };
        self.ids.iter().any(|ids| ids.contains(&rule.id.0))
            || !self.tags.is_empty() && rule.tags.iter().any(|tag| meant(tag))
    }
}

/// Whether a path in its normal form is one of some, or below one.
pub fn path_is_below(path: &[u8], tops: &[String]) -> bool {
    tops.iter().any(|top| {
        path.strip_prefix(top.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

/// The exceptions of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Excepted {
    exceptions: Option<Arc<Exceptions>>,
    /// Clauses with points that hold for this path.
    here: Vec<u32>,
}

impl Excepted {
    /// A number for what is excepted: another one while other exceptions are in use.
    pub(crate) fn owner(&self) -> usize {
        self.exceptions.as_ref().map_or(0, |exceptions| Arc::as_ptr(exceptions) as usize)
    }

    pub(crate) fn of(exceptions: Arc<Exceptions>) -> Self {
        Self { exceptions: Some(exceptions), here: Vec::new() }
    }

    /// Whether a rule passes over a value.
    fn covers(&self, rule: RuleIndex, item: Item, vars: &Variables) -> bool {
        let Some(exceptions) = &self.exceptions else { return false };
        if !exceptions.affected.contains(rule) {
            return false;
        }
        let mut buffer = Vec::new();
        let Some(point) = point_of(item, vars, &mut buffer) else { return false };
        let mut clauses = self.here.iter().map(|clause| &exceptions.clauses[*clause as usize]);
        clauses.any(|clause| {
            clause.rules.contains(rule) && clause.points.iter().any(|points| points.matches(&point))
        })
    }
}

impl Control {
    /// Begins what is excepted: `path` is the target's, as it was sent.
    pub(crate) fn begin_exceptions(&mut self, path: &[u8]) {
        let Some(exceptions) = &self.excepted.exceptions else { return };
        // A path without a normal form is below nothing.
        let conditional = exceptions.everywhere < exceptions.clauses.len();
        let path = if conditional { normal_path(path) } else { None };
        for (clause, number) in exceptions.clauses.iter().zip(0..) {
            let holds = (number as usize) < exceptions.everywhere
                || path.as_ref().is_some_and(|path| path_is_below(path, &clause.paths));
            match clause.points.is_empty() {
                _ if !holds => {}
                true => self.removed_rules.push(clause.rules.clone()),
                false => self.excepted.here.push(number),
            }
        }
    }

    /// Whether the rule at work passes over a value.
    pub(crate) fn excepts(&self, item: Item, vars: &Variables) -> bool {
        !self.excepted.here.is_empty() && self.excepted.covers(vars.rule, item, vars)
    }
}

/// Where a value stands in the request. `None` for what stands nowhere in it, or holds more than one point.
fn point_of<'a>(item: Item, vars: &'a Variables, buffer: &'a mut Vec<u8>) -> Option<Point<'a>> {
    let whole = |root| Some(Point { root, part: model::Part::Value, path: b"" });
    match item.kind {
        ItemKind::Field { list, index, part } => {
            let (name, _) = vars.list(list).get(index as usize)?;
            let part = match part {
                Part::Name => model::Part::Name,
                Part::Value => model::Part::Value,
            };
            let processor = |kind: BodyKind| vars.processor == kind.name();
            let root = match list {
                List::Query => Root::Query,
                List::Cookies => Root::Cookie,
                List::RequestHeaders => Root::Header,
                List::ResponseHeaders => Root::ResponseHeader,
                List::Body if processor(BodyKind::Json) => {
                    json_pointer(name, buffer);
                    return Some(Point { root: Root::Json, part, path: buffer });
                }
                List::Body if processor(BodyKind::Xml) => return whole(Root::Xml),
                List::Body if processor(BodyKind::Multipart) => Root::Multipart,
                List::Body => Root::Form,
                List::PartHeaders => return None,
            };
            Some(Point { root, part, path: name })
        }
        ItemKind::File { index, what } => {
            let path = &vars.body.files.get(index as usize)?.name;
            let (root, part) = match what {
                FilePart::FileName => (Root::FileName, model::Part::Value),
                FilePart::FieldName => (Root::File, model::Part::Name),
                FilePart::Size | FilePart::Content => (Root::File, model::Part::Value),
            };
            Some(Point { root, part, path })
        }
        ItemKind::XPath { .. } => whole(Root::Xml),
        ItemKind::Scalar => match item.variable {
            Variable::RequestMethod => whole(Root::Method),
            Variable::RequestFilename | Variable::RequestBasename => whole(Root::Path),
            Variable::QueryString => whole(Root::Query),
            Variable::RequestBody => whole(Root::Body),
            Variable::ResponseBody => whole(Root::ResponseBody),
            _ => None,
        },
        ItemKind::Number(_)
        | ItemKind::Count { .. }
        | ItemKind::Var { .. }
        | ItemKind::Matched { .. }
        | ItemKind::Record { .. } => None,
    }
}

/// The JSON pointer of an argument's name: `json.a.array_0` is `/a/0`. Such names do not tell `{"a.b":1}` from
/// `{"a":{"b":1}}`, nor `{"array_0":1}` from `[1]`; neither do pointers made of them.
fn json_pointer(name: &[u8], out: &mut Vec<u8>) {
    let rest = name.strip_prefix(b"json").unwrap_or(name);
    for part in rest.split(|byte| *byte == b'.').skip(1) {
        out.push(b'/');
        let number = part.strip_prefix(b"array_").filter(|number| number.iter().all(u8::is_ascii_digit));
        match number {
            Some(number) if !number.is_empty() => out.extend_from_slice(number),
            _ if part == b"empty-key" => {}
            _ => part.iter().for_each(|byte| match byte {
                b'~' => out.extend_from_slice(b"~0"),
                b'/' => out.extend_from_slice(b"~1"),
                byte => out.push(*byte),
            }),
        }
    }
}
