//! A rule between its directive and its final form: what updates and removals choose and change.

use std::sync::Arc;

use palisade_pcre::Pattern;
use palisade_seclang::ast::{self, Action, IdRange, Phase, Span, Spanned, Template};

use crate::ruleset::{RuleId, written};

/// A rule before it is final.
pub(super) struct Draft<'a> {
    pub(super) id: RuleId,
    pub(super) phase: Phase,
    pub(super) span: Span,
    pub(super) links: Vec<DraftLink<'a>>,
    /// The actions of the `SecDefaultAction` in force for it.
    pub(super) defaults: Arc<Vec<Spanned<Action>>>,
    /// The directive that takes it away, where one does.
    pub(super) removed: Option<Span>,
}

pub(super) struct DraftLink<'a> {
    pub(super) targets: Vec<Spanned<ast::Target>>,
    pub(super) operator: Option<&'a Spanned<ast::Operator>>,
    pub(super) actions: Vec<Spanned<Action>>,
}

impl Draft<'_> {
    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.links[0].actions.iter().map(|action| &action.node)
    }

    pub(super) fn has_tag(&self, pattern: &Pattern) -> bool {
        self.actions().any(|action| matches!(action, Action::Tag(tag) if finds_in(pattern, tag)))
    }

    pub(super) fn has_msg(&self, pattern: &Pattern) -> bool {
        self.actions().any(|action| matches!(action, Action::Msg(msg) if finds_in(pattern, msg)))
    }
}

/// Rules that an update or `ctl` is about.
pub(super) enum DraftSelector {
    Ids(Vec<IdRange>),
    Tag(Arc<Pattern>),
    Msg(Arc<Pattern>),
}

impl DraftSelector {
    pub(super) fn selects(&self, draft: &Draft<'_>) -> bool {
        match self {
            Self::Ids(ranges) => ranges.iter().any(|range| contains(range, draft.id)),
            Self::Tag(pattern) => draft.has_tag(pattern),
            Self::Msg(pattern) => draft.has_msg(pattern),
        }
    }
}

pub(super) fn phase_of(actions: &[Spanned<Action>]) -> Option<Phase> {
    actions.iter().rev().find_map(|action| match action.node {
        Action::Phase(phase) => Some(phase),
        _ => None,
    })
}

pub(super) fn contains(range: &IdRange, id: RuleId) -> bool {
    (range.first..=range.last).contains(&id.0)
}

fn finds_in(pattern: &Pattern, text: &Template) -> bool {
    pattern.is_match(&written(text)).unwrap_or(false)
}
