//! What actions come to: which one of a rule and its defaults decides, which one takes another's place, and what
//! they say about the rule as a whole.

use palisade_codec::transform::Transformation;
use palisade_seclang::ast::{Action, Spanned, TransformationName};

use super::draft::Draft;
use super::lossy;
use crate::interner::Interner;
use crate::ruleset::{Disruptive, Rule};

/// What the rule's disruptive action comes to: its own; `block`, or none at all, is that of its defaults.
pub(super) fn disruptive(draft: &Draft<'_>) -> Disruptive {
    let of = |actions: &[Spanned<Action>]| {
        actions.iter().rev().map(|action| &action.node).find(|a| a.is_disruptive()).cloned()
    };
    let status_of = |actions: &[Spanned<Action>]| {
        actions.iter().rev().find_map(|action| match action.node {
            Action::Status(status) => Some(status),
            _ => None,
        })
    };
    let own = of(&draft.links[0].actions).filter(|action| *action != Action::Block);
    let action = own.or_else(|| of(&draft.defaults)).unwrap_or(Action::Pass);
    let status = status_of(&draft.links[0].actions).or_else(|| status_of(&draft.defaults));
    match action {
        Action::Allow(scope) => Disruptive::Allow(scope),
        Action::Deny | Action::Proxy(_) => Disruptive::Deny(status.unwrap_or(403)),
        Action::Drop => Disruptive::Drop,
        Action::Redirect(location) => {
            let status = status.filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308)).unwrap_or(302);
            Disruptive::Redirect { location, status }
        }
        _ => Disruptive::Pass,
    }
}

/// Whether an action of `SecRuleUpdateActionById` takes the place of one that the rule has.
pub(super) fn supersedes(new: &Action, old: &Action) -> bool {
    match (new, old) {
        (Action::Transformation(TransformationName::None), Action::Transformation(_)) => true,
        (Action::Log | Action::NoLog, Action::Log | Action::NoLog) => true,
        (Action::AuditLog | Action::NoAuditLog, Action::AuditLog | Action::NoAuditLog) => true,
        // Of these a rule may have several.
        (
            Action::Transformation(_)
            | Action::Tag(_)
            | Action::Ctl(_)
            | Action::SetVar(_)
            | Action::SetEnv { .. }
            | Action::InitCol { .. }
            | Action::ExpireVar { .. }
            | Action::DeprecateVar { .. }
            | Action::SanitiseArg(_)
            | Action::SanitiseRequestHeader(_)
            | Action::SanitiseResponseHeader(_)
            | Action::XmlNs { .. },
            _,
        ) => false,
        (new, old) if new.is_disruptive() => old.is_disruptive(),
        (new, old) => std::mem::discriminant(new) == std::mem::discriminant(old),
    }
}

/// Meta-data and logging flags; later actions win over earlier ones, the rule's over its defaults.
pub(super) fn describe(rule: &mut Rule, action: &Action, interner: &Interner) {
    match action {
        Action::Msg(text) => rule.msg = Some(interner.template(text)),
        Action::LogData(text) => rule.logdata = Some(interner.template(text)),
        Action::Severity(severity) => rule.severity = Some(*severity),
        Action::Rev(text) => rule.rev = lossy(text),
        Action::Ver(text) => rule.ver = lossy(text),
        Action::Maturity(value) => rule.maturity = *value,
        Action::Accuracy(value) => rule.accuracy = *value,
        Action::Tag(text) => rule.tags.push(interner.template(text)),
        Action::Log => (rule.logs, rule.audits) = (true, true),
        Action::NoLog => (rule.logs, rule.audits) = (false, false),
        Action::AuditLog => rule.audits = true,
        Action::NoAuditLog => rule.audits = false,
        _ => {}
    }
}

pub(super) fn add_transformation(chain: &mut Vec<Transformation>, name: TransformationName) {
    match transformation(name) {
        Some(step) => chain.push(step),
        None => chain.clear(),
    }
}

/// The transformation of a name; `none` has none.
fn transformation(name: TransformationName) -> Option<Transformation> {
    (name != TransformationName::None).then(|| {
        Transformation::from_name(name.as_str())
            .expect("the codec knows every name of the language, see the test")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transformation_of_the_language_is_there() {
        let known = TransformationName::ALL.iter().filter_map(|name| transformation(*name)).count();
        assert_eq!(known, Transformation::ALL.len());
        assert_eq!(known, TransformationName::ALL.len() - 1);
    }
}
