//! What only the whole program shows: ids, chains, labels, defaults, updates.

use std::collections::HashMap;

use crate::ast::{Action, Directive, Phase, Rule, Selection, Span, Spanned};
use crate::diagnostic::{Diagnostic, Sink, codes, quoted};
use crate::limits::Limits;

/// Checks a program: its directives in order, without includes. O(directives).
pub fn check(program: &[Spanned<Directive>], limits: &Limits) -> Vec<Diagnostic> {
    let mut sink = Sink::new(limits);
    check_into(program, &mut sink);
    sink.finish()
}

/// [`check`] with the diagnostics collected by the caller.
pub(crate) fn check_into(program: &[Spanned<Directive>], sink: &mut Sink) {
    let mut check = Check {
        sink,
        chain: None,
        ids: HashMap::new(),
        markers: HashMap::new(),
        jumps: Vec::new(),
        defaults: HashMap::new(),
        updates: Vec::new(),
    };
    for (index, directive) in program.iter().enumerate() {
        check.directive(index, directive);
    }
    check.finish();
}

struct Check<'a> {
    sink: &'a mut Sink,
    /// The chain that the next rule continues.
    chain: Option<Chain>,
    ids: HashMap<u64, (usize, Span)>,
    /// The last place of each label.
    markers: HashMap<&'a [u8], usize>,
    /// `skipAfter`s: where they stand and where they lead.
    jumps: Vec<(usize, &'a [u8], Span)>,
    defaults: HashMap<Phase, Span>,
    /// Single ids that are updated, and where.
    updates: Vec<(usize, u64, Span)>,
}

#[derive(Clone, Copy)]
struct Chain {
    /// The rule that starts it.
    starter: Span,
    /// The `chain` that promised another rule.
    link: Span,
}

impl<'a> Check<'a> {
    fn directive(&mut self, index: usize, directive: &'a Spanned<Directive>) {
        if let Directive::Rule(rule) = &directive.node {
            self.rule(index, rule, directive.span);
            return;
        }
        if let Some(chain) = self.chain.take() {
            self.broken(chain, Some(head(&directive.node, directive.span)));
        }
        match &directive.node {
            Directive::Marker(label) => {
                self.markers.insert(&label.node, index);
            }
            Directive::DefaultAction(actions) => {
                let phase = phase_of(actions).unwrap_or(Phase::RequestBody);
                if let Some(&first) = self.defaults.get(&phase) {
                    self.sink.push(
                        Diagnostic::error(
                            codes::BAD_DEFAULT_ACTION,
                            directive.span,
                            format!("the defaults of phase {} are given twice", phase as u8),
                        )
                        .help("keep one; CRS gives its own in crs-setup.conf")
                        .related(first, "first given here"),
                    );
                } else {
                    self.defaults.insert(phase, directive.span);
                }
            }
            Directive::UpdateTarget { selection, .. } => {
                if let Selection::Ids(ranges) = &selection.node {
                    let single = ranges.iter().filter(|range| range.first == range.last);
                    self.updates.extend(single.map(|range| (index, range.first, selection.span)));
                }
            }
            Directive::UpdateAction { id, .. } => self.updates.push((index, id.node, id.span)),
            _ => {}
        }
    }

    fn rule(&mut self, index: usize, rule: &'a Rule, span: Span) {
        let chain = self.chain.take();
        for action in &rule.actions {
            match &action.node {
                Action::SkipAfter(label) => self.jumps.push((index, label, action.span)),
                Action::Chain => {
                    let starter = chain.map_or(rule_head(rule, span), |chain| chain.starter);
                    self.chain = Some(Chain { starter, link: action.span });
                }
                Action::Id(id) if chain.is_none() => self.id(index, *id, action.span),
                _ => {}
            }
            if let Some(chain) = chain {
                self.link_action(action, chain);
            }
        }
        if chain.is_none() {
            if !rule.actions.iter().any(|action| matches!(action.node, Action::Id(_))) {
                self.missing_id(rule, span);
            } else if phase_of(&rule.actions).is_none() {
                self.sink.push(
                    Diagnostic::warning(
                        codes::MISSING_PHASE,
                        rule_head(rule, span),
                        "this rule names no phase",
                    )
                    .label("it runs in phase 2")
                    .help("add `phase:2`, or the phase that is meant: ModSecurity 3 would run it in phase 1"),
                );
            }
        }
    }

    fn id(&mut self, index: usize, id: u64, span: Span) {
        if let Some(&(_, first)) = self.ids.get(&id) {
            self.sink.push(
                Diagnostic::error(codes::DUPLICATE_ID, span, format!("rule {id} is declared twice"))
                    .help("give one of them another id, or include the file only once")
                    .related(first, "first declared here"),
            );
        } else {
            self.ids.insert(id, (index, span));
        }
    }

    fn missing_id(&mut self, rule: &Rule, span: Span) {
        let what = if rule.operator.is_some() { "rule" } else { "action" };
        self.sink.push(
            Diagnostic::error(codes::MISSING_ID, rule_head(rule, span), format!("this {what} has no id")).help(
                "add `id:NUMBER` to its actions; if it was to continue a chain, the rule before it lacks `chain`",
            ),
        );
    }

    fn link_action(&mut self, action: &Spanned<Action>, chain: Chain) {
        let name = match &action.node {
            node if node.is_disruptive() => {
                self.sink.push(
                    Diagnostic::error(
                        codes::DISRUPTIVE_IN_CHAIN,
                        action.span,
                        "a disruptive action can only stand on the first rule of a chain",
                    )
                    .help("move it there: it acts when the whole chain matches")
                    .related(chain.starter, "the first rule"),
                );
                return;
            }
            Action::Id(_) => "id",
            Action::Phase(_) => "phase",
            Action::Skip(_) => "skip",
            Action::SkipAfter(_) => "skipAfter",
            Action::Msg(_) => "msg",
            Action::Severity(_) => "severity",
            Action::Rev(_) => "rev",
            Action::Ver(_) => "ver",
            Action::Maturity(_) => "maturity",
            Action::Accuracy(_) => "accuracy",
            Action::Tag(_) => "tag",
            _ => return,
        };
        self.sink.push(
            Diagnostic::warning(
                codes::ACTION_IN_CHAIN,
                action.span,
                format!("`{name}` belongs to the first rule of a chain"),
            )
            .related(chain.starter, "the first rule"),
        );
    }

    fn broken(&mut self, chain: Chain, by: Option<Span>) {
        let message = match by {
            Some(_) => "the chain does not go on: what follows is no rule",
            None => "the chain does not go on: nothing follows",
        };
        let mut diagnostic = Diagnostic::error(codes::BROKEN_CHAIN, chain.link, message)
            .label("promises another rule")
            .help("remove `chain` from the last rule of the chain, or add the rule that is missing");
        if let Some(by) = by {
            diagnostic = diagnostic.related(by, "this follows");
        }
        self.sink.push(diagnostic);
    }

    fn finish(mut self) {
        if let Some(chain) = self.chain.take() {
            self.broken(chain, None);
        }
        for &(index, label, span) in &self.jumps {
            // The label may also be the id of a later rule.
            let place = self.markers.get(label).copied().or_else(|| {
                let id = std::str::from_utf8(label).ok()?.parse().ok()?;
                self.ids.get(&id).map(|&(index, _)| index)
            });
            let message = match place {
                Some(place) if place > index => continue,
                Some(_) => format!("the label {} stands before this rule", quoted(label)),
                None => format!("there is no label {}", quoted(label)),
            };
            self.sink.push(
                Diagnostic::warning(codes::UNKNOWN_LABEL, span, message)
                    .label("skips all the rest of the phase")
                    .help("add `SecMarker` with this label after the last rule to skip"),
            );
        }
        for &(index, id, span) in &self.updates {
            if let Some(&(declared, rule)) = self.ids.get(&id)
                && declared > index
            {
                self.sink.push(
                    Diagnostic::warning(
                        codes::UPDATE_TOO_EARLY,
                        span,
                        format!(
                            "rule {id} is declared after this update, which ModSecurity 2 would not apply to it"
                        ),
                    )
                    .help("load this file after the rules, as RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf is")
                    .related(rule, "declared here"),
                );
            }
        }
    }
}

fn phase_of(actions: &[Spanned<Action>]) -> Option<Phase> {
    actions.iter().rev().find_map(|action| match action.node {
        Action::Phase(phase) => Some(phase),
        _ => None,
    })
}

/// Rules are long; their name is enough to point at.
fn head(directive: &Directive, span: Span) -> Span {
    let length = match directive {
        Directive::Rule(rule) => rule_name_len(rule),
        Directive::Marker(_) => "SecMarker".len() as u32,
        _ => return span,
    };
    Span { end: span.end.min(span.start + length), ..span }
}

fn rule_head(rule: &Rule, span: Span) -> Span {
    Span { end: span.end.min(span.start + rule_name_len(rule)), ..span }
}

fn rule_name_len(rule: &Rule) -> u32 {
    if rule.operator.is_some() { "SecRule".len() as u32 } else { "SecAction".len() as u32 }
}
