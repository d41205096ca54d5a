//! The way of a decision through tiers and profiles: what a rule that matches does to it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::clause::{Doubt, Match};
use crate::decision::{Decision, Reason, Speaker, Stop, Verdict};
use crate::object::DefaultAction;
use crate::rule::Action;

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// With the next rule.
    Rule,
    /// With the next tier.
    Tier,
    /// It is decided.
    Nowhere,
}

/// A rule that was asked.
pub(crate) struct Asked<'r> {
    pub(crate) tier: &'r Arc<str>,
    pub(crate) speaker: &'r dyn Fn() -> Speaker,
    pub(crate) index: usize,
    pub(crate) action: Action,
    /// Where its clauses cannot all be decided: one of them is the request or the certificate, which is yet to come.
    pub(crate) hangs_on_more: bool,
}

pub(crate) struct Walk {
    trace: Vec<Stop>,
    verdict: Option<(Verdict, Reason)>,
    /// Something was passed over because an address or account is not known yet.
    hangs_on_news: bool,
    /// Whose address is awaited.
    peer: Option<IpAddr>,
}

impl Walk {
    pub(crate) fn of(peer: Option<IpAddr>) -> Self {
        Self { trace: Vec::new(), verdict: None, hangs_on_news: false, peer }
    }

    pub(crate) fn rule(&mut self, asked: &Asked<'_>, matched: Match) -> Next {
        let doubt = match matched {
            Match::No(_) => return Next::Rule,
            Match::Yes => None,
            Match::Open(clause, doubt) => Some((clause, doubt)),
        };
        match (doubt, asked.action) {
            // Log changes nothing, so there is nothing to be unsure of.
            (Some(_), Action::Log) => Next::Rule,
            (Some((_, Doubt::RequestExpected)), _) => self.end(asked, Verdict::NeedsHttp, Reason::NeedsHttp),
            // Where it is passed over, the rest of the tier would decide instead; news may say that it should not.
            (Some((clause, doubt)), Action::Pass) if doubt.may_pass() && self.peer.is_some() => {
                self.hangs_on_news = true;
                self.end(asked, Verdict::Deny, Reason::Undecided(clause, doubt))
            }
            (Some((_, doubt)), Action::Allow | Action::Pass) => {
                self.hangs_on_news |= doubt.may_pass();
                Next::Rule
            }
            (Some(_), Action::Deny) if asked.hangs_on_more => {
                self.end(asked, Verdict::NeedsHttp, Reason::NeedsHttp)
            }
            (Some((clause, doubt)), Action::Deny) => {
                self.hangs_on_news |= doubt.may_pass();
                self.end(asked, Verdict::Deny, Reason::Undecided(clause, doubt))
            }
            (None, Action::Log) => {
                self.stop(asked);
                Next::Rule
            }
            (None, Action::Pass) => {
                self.stop(asked);
                Next::Tier
            }
            (None, Action::Allow) => self.end(asked, Verdict::Allow, Reason::Rule),
            (None, Action::Deny) => self.end(asked, Verdict::Deny, Reason::Rule),
        }
    }

    /// No rule of a tier matched.
    pub(crate) fn tier_end(&mut self, tier: &Arc<str>, first: Speaker, default: DefaultAction) -> Next {
        let action = match default {
            DefaultAction::Deny => Action::Deny,
            DefaultAction::Pass => Action::Pass,
        };
        self.trace.push(Stop { tier: tier.clone(), policy: first, rule_index: None, action });
        if default == DefaultAction::Pass {
            return Next::Tier;
        }
        self.verdict = Some((Verdict::Deny, Reason::TierDefault));
        Next::Nowhere
    }

    /// All were asked.
    pub(crate) fn finish(self) -> Decision {
        let (verdict, reason) = self.verdict.unwrap_or((Verdict::Deny, Reason::NoProfileMatched));
        let awaits = self.peer.filter(|_| self.hangs_on_news && verdict == Verdict::Deny);
        Decision { verdict, reason, trace: self.trace, awaits }
    }

    /// What comes next is missing. News may still find an answer in what was passed over before.
    pub(crate) fn missing(self) -> Decision {
        Decision {
            awaits: self.peer.filter(|_| self.hangs_on_news),
            ..Decision::denied(Reason::MissingPolicy)
        }
    }

    fn end(&mut self, asked: &Asked<'_>, verdict: Verdict, reason: Reason) -> Next {
        self.stop(asked);
        self.verdict = Some((verdict, reason));
        Next::Nowhere
    }

    fn stop(&mut self, asked: &Asked<'_>) {
        self.trace.push(Stop {
            tier: asked.tier.clone(),
            policy: (asked.speaker)(),
            rule_index: Some(asked.index),
            action: asked.action,
        });
    }
}
