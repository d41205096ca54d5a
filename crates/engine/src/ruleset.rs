//! The compiled rule program: immutable, shared between transactions, valid by construction.
//!
//! This is the intermediate form. The reference evaluator (`evaluate`) walks it as it stands; a faster plan
//! may be derived from it, and has to agree with it.

use std::ops::Range;
use std::sync::Arc;

use palisade_codec::transform::{Context as TransformContext, Transformation, UnicodeMap};
use palisade_http::Fields;
use palisade_http::xpath::XPath;
use palisade_pcre::Pattern;
use palisade_seclang::ast::{
    AllowScope, Ctl, PersistentCollection, Phase, SetVar, Template, TemplatePart, VarChange, Variable,
};

use crate::effects::SetVariable;
use crate::expand::Text;
use crate::keys::{Key, KeyTable};
use crate::operator::Operator;
use crate::plan::Plan;
use crate::recycle::Spares;
use crate::settings::Settings;
use crate::store::{NamePattern, Names, TextId};
use crate::variables::LISTS;

/// The number that a rule carries in its `id` action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u64);

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Position of a rule in [`RuleSet::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u32);

/// A compiled rule program.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) settings: Arc<Settings>,
    pub(crate) plan: Plan,
    /// Shared with other rule sets that have the same ones.
    pub(crate) rules: Vec<Arc<Rule>>,
    /// The rules of each phase in load order.
    pub(crate) programs: [Vec<RuleIndex>; PHASES],
    pub(crate) spares: Spares,
    pub(crate) components: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) removed: Vec<Removed>,
    pub(crate) unicode_map: Option<UnicodeMap>,
    /// How many distinct XPath expressions there are; [`Selector::XPath`] numbers them.
    pub(crate) xpath_count: usize,
    /// Names of TX and texts that rules mention.
    pub(crate) names: Arc<Names>,
    /// [`Place::TxPattern`] numbers them.
    pub(crate) tx_patterns: Vec<NamePattern>,
    /// Keys of fields that rules mention, for each [`List`](crate::variables::List).
    pub(crate) keys: Arc<[KeyTable<Key>; LISTS]>,
    /// For each rule what RULE shows while it runs: made once, since few rules ask and each transaction runs hundreds.
    pub(crate) rule_fields: Arc<[Arc<Fields>]>,
    /// Some rule looks at FULL_REQUEST, so the body is kept whatever its type.
    pub(crate) keeps_full_request: bool,
    /// Some rule looks at FILES_TMP_CONTENT, so that what is uploaded is kept.
    pub(crate) keeps_file_content: bool,
}

impl RuleSet {
    /// Looks at every value each time, as if none had come before: for whoever measures what remembering names and recurring
    /// headers saves.
    pub fn remember_nothing(&mut self) {
        self.plan.remembers = false;
    }

    /// Engine settings after all directives.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Rules that directives have taken away, in load order.
    pub fn removed(&self) -> &[Removed] {
        &self.removed
    }

    /// Rules that switch another off for a request (`ctl:ruleRemove*`), in load order.
    pub fn switched_off_by(&self, index: RuleIndex) -> impl Iterator<Item = &Rule> {
        let switches_off =
            move |effect: &Effect| matches!(effect, Effect::RemoveRules(rules) if rules.contains(index));
        self.rules().filter(move |rule| rule.links.iter().flat_map(|link| &link.effects).any(switches_off))
    }

    /// The text that a TX variable has once set-up is over: what the last rule without a condition gives it, else the first
    /// with one, as defaults are given. `None` where no rule gives it a text without macros.
    pub fn tx_after_setup(&self, name: &str) -> Option<String> {
        let mut default = None;
        let mut given = None;
        for rule in self.rules() {
            let is_certain = rule.links.len() == 1 && rule.links[0].condition.is_none();
            for assignment in rule.links.iter().flat_map(|link| &link.assignments) {
                let Assignment::Set(assignment) = assignment else { continue };
                let SetVar { collection, key, change: VarChange::Set(text) } = assignment.written() else {
                    continue;
                };
                let is_it = collection.as_str().eq_ignore_ascii_case("tx")
                    && key.as_literal().is_some_and(|key| key.eq_ignore_ascii_case(name.as_bytes()));
                let Some(text) = text.as_literal().filter(|_| is_it) else { continue };
                let text = String::from_utf8_lossy(text).into_owned();
                if is_certain {
                    given = Some(text);
                } else {
                    default.get_or_insert(text);
                }
            }
        }
        given.or(default)
    }

    /// All rules that are in force, in load order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|rule| &**rule)
    }

    /// The rule at a position.
    pub fn rule(&self, index: RuleIndex) -> &Rule {
        &self.rules[index.0 as usize]
    }

    /// Names given by `SecComponentSignature`.
    pub fn components(&self) -> &[String] {
        &self.components
    }

    /// The file that a rule stands in.
    pub fn file_of(&self, rule: &Rule) -> &str {
        &self.files[rule.file]
    }

    pub(crate) fn transform_context(&self) -> TransformContext<'_> {
        TransformContext { unicode_map: self.unicode_map.as_ref() }
    }

    pub(crate) fn program(&self, phase: Phase) -> &[RuleIndex] {
        &self.programs[phase_slot(phase)]
    }
}

/// A rule that `SecRuleRemoveBy*` took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub id: RuleId,
    /// Its phase.
    pub phase: Phase,
    /// `msg` as written; empty without.
    pub msg: String,
    /// `tag`s as written.
    pub tags: Vec<String>,
    /// Its file.
    pub file: String,
    /// First line, from 1.
    pub line: u32,
    /// File and line of the directive that took it away; the first of several.
    pub by: (String, u32),
}

/// How many phases there are.
pub(crate) const PHASES: usize = 5;

pub(crate) fn phase_slot(phase: Phase) -> usize {
    phase as usize - 1
}

/// One rule with all links of its chain.
#[derive(Debug, PartialEq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its phase.
    pub phase: Phase,
    /// Index of its file, see [`RuleSet::file_of`].
    pub(crate) file: usize,
    /// First line, from 1.
    pub line: u32,
    /// `msg`.
    pub msg: Option<Arc<Template>>,
    /// `logdata`.
    pub logdata: Option<Arc<Template>>,
    /// `severity`, 0 EMERGENCY to 7 DEBUG.
    pub severity: Option<u8>,
    /// `rev`.
    pub rev: String,
    /// `ver`.
    pub ver: String,
    /// `maturity`.
    pub maturity: u8,
    /// `accuracy`.
    pub accuracy: u8,
    /// `tag`s in order.
    pub tags: Vec<Arc<Template>>,
    /// What a match of the whole chain does to the transaction.
    pub disruptive: Disruptive,
    /// Whether a match writes an error-log line.
    pub logs: bool,
    /// Whether a match makes the transaction relevant to the audit log.
    pub audits: bool,
    /// `skip:N`.
    pub skip: u32,
    /// `skipAfter:LABEL`.
    pub skip_after: Option<SkipTo>,
    /// The starter, then the chained rules.
    pub links: Vec<Link>,
}

impl Eq for Rule {}

impl std::hash::Hash for Rule {
    /// By where it stands, which hardly any two rules have in common that are not the same.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.id, self.file, self.line).hash(state);
    }
}

impl Rule {
    /// The members of RULE: texts as they are written, macros unexpanded.
    pub(crate) fn describe(&self) -> Fields {
        let mut fields = Fields::new();
        fields.push(b"id", self.id.to_string().as_bytes());
        for (name, text) in [(&b"msg"[..], &self.msg), (b"logdata", &self.logdata)] {
            if let Some(text) = text {
                fields.push(name, &written(text));
            }
        }
        if let Some(severity) = self.severity {
            fields.push(b"severity", severity.to_string().as_bytes());
        }
        for (name, text) in [(&b"rev"[..], &self.rev), (b"ver", &self.ver)] {
            if !text.is_empty() {
                fields.push(name, text.as_bytes());
            }
        }
        fields
    }
}

/// Where `skipAfter` goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct SkipTo {
    /// The label as written.
    pub label: String,
    /// Index into the phase's program of the first rule after the label; the program's length when no label
    /// of that name follows (a missing marker skips to the end of the phase, as ModSecurity 2 does).
    pub step: usize,
}

/// What a rule does to the transaction when all of its links matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disruptive {
    /// Nothing.
    Pass,
    /// The rest of some phases is not run.
    Allow(AllowScope),
    /// An answer with this status.
    Deny(u16),
    /// The connection is closed without an answer.
    Drop,
    /// A redirect.
    Redirect {
        /// Where to; macros expand.
        location: Template,
        /// 301, 302, 303 or 307.
        status: u16,
    },
}

/// One condition of a chain and what its match does.
#[derive(Debug, PartialEq)]
pub struct Link {
    /// What is looked at; empty for `SecAction`.
    pub(crate) targets: Vec<Target>,
    /// Members that are not looked at.
    pub(crate) exclusions: Vec<Exclusion>,
    /// How; `None` matches always.
    pub(crate) condition: Option<Condition>,
    /// Done to each value before the operator sees it.
    pub(crate) transformations: Vec<Transformation>,
    /// `multiMatch`: the operator sees the value before and after each transformation.
    pub(crate) multi_match: bool,
    /// `capture`.
    pub(crate) captures: bool,
    /// `setvar` and what opens collections, in order, done for each value that matches.
    pub(crate) assignments: Vec<Assignment>,
    /// What else is done, once the whole chain has matched.
    pub(crate) effects: Vec<Effect>,
}

impl Link {
    pub(crate) fn open(&mut self, collection: PersistentCollection, key: &Template) {
        self.assignments.push(Assignment::Open { collection, key: key.clone() });
    }

    /// The link in words: pairs of a heading and a text, for people.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let list = |targets: Vec<String>| targets.join(" | ");
        let mut lines = Vec::new();
        if !self.targets.is_empty() {
            let targets = self.targets.iter().map(|target| {
                let count = if target.count { "&" } else { "" };
                format!("{count}{}", target.describe())
            });
            lines.push(("looks at", list(targets.collect())));
        }
        if !self.exclusions.is_empty() {
            let exclusions =
                self.exclusions.iter().map(|e| format!("{}{}", e.variable, e.selector.describe()));
            lines.push(("but not", list(exclusions.collect())));
        }
        if !self.transformations.is_empty() {
            let steps: Vec<&str> = self.transformations.iter().map(|step| step.name()).collect();
            let each = if self.multi_match { " (tried before and after each)" } else { "" };
            lines.push(("through", steps.join(", ") + each));
        }
        match &self.condition {
            Some(condition) => {
                let not = if condition.negated { "!" } else { "" };
                lines.push(("matches", format!("{not}@{} {}", condition.name, condition.argument)));
            }
            None => lines.push(("matches", "always".to_owned())),
        }
        for assignment in &self.assignments {
            let SetVar { collection, key, change } = match assignment {
                Assignment::Set(assignment) => assignment.written(),
                Assignment::Open { collection, key } => {
                    let text =
                        format!("{} of {}", format!("{collection:?}").to_lowercase(), written_text(key));
                    lines.push(("opens", text));
                    continue;
                }
            };
            let name = format!("{}.{}", collection.as_str().to_lowercase(), written_text(key));
            lines.push((
                "sets",
                match change {
                    VarChange::Set(text) => format!("{name} = {}", written_text(text)),
                    VarChange::Add(text) => format!("{name} += {}", written_text(text)),
                    VarChange::Subtract(text) => format!("{name} -= {}", written_text(text)),
                    VarChange::Unset => format!("no {name}"),
                },
            ));
        }
        lines
    }
}

/// A text as its rule has it, macros unexpanded.
pub fn written_text(template: &Template) -> String {
    String::from_utf8_lossy(&written(template)).into_owned()
}

pub(crate) fn written(template: &Template) -> Vec<u8> {
    let mut out = Vec::new();
    for part in &template.parts {
        match part {
            TemplatePart::Literal(text) => out.extend_from_slice(text),
            TemplatePart::Macro { text, .. } => {
                out.extend_from_slice(b"%{");
                out.extend_from_slice(text);
                out.push(b'}');
            }
        }
    }
    out
}

/// An operator with its sign.
#[derive(Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) negated: bool,
    pub(crate) name: palisade_seclang::ast::OperatorName,
    pub(crate) operator: OperatorSource,
    /// The argument as written, for logs.
    pub(crate) argument: Arc<str>,
}

/// An operator's argument is known at load time, or holds macros.
#[derive(Debug)]
pub(crate) enum OperatorSource {
    Fixed(Arc<Operator>),
    /// Compiled from the expanded text when a rule runs.
    Expanded(Text),
}

impl PartialEq for OperatorSource {
    /// Operators that are alike are one: an interner makes them.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fixed(one), Self::Fixed(other)) => Arc::ptr_eq(one, other),
            (Self::Expanded(one), Self::Expanded(other)) => one == other,
            _ => false,
        }
    }
}

/// A target of a link.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) variable: Variable,
    /// `&`: how many members instead of the members.
    pub(crate) count: bool,
    pub(crate) selector: Selector,
    /// [`Target::describe`] as a text of the rule set.
    pub(crate) name: TextId,
    pub(crate) place: Place,
}

/// Where the members of a target are, as far as that is known since the rule set was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To be looked for.
    Unknown,
    /// A slot of TX.
    Tx(u32),
    /// Those of TX that the pattern of this number finds.
    TxPattern(u32),
    /// The fields with a key in the lists of the variable.
    Fields(Key),
}

impl Target {
    /// As it is written, without the `&`.
    pub(crate) fn describe(&self) -> String {
        described(self.variable, &self.selector)
    }
}

pub(crate) fn described(variable: Variable, selector: &Selector) -> String {
    format!("{variable}{}", selector.describe())
}

/// Members of a collection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selector {
    All,
    /// A key, ASCII case ignored.
    Key(Vec<u8>),
    /// A key with macros.
    ExpandedKey(Text),
    Regex(Arc<Pattern>),
    XPath {
        number: usize,
        query: Arc<XPathQuery>,
    },
}

/// An XPath with the prefixes that its rule binds (`xmlns`).
#[derive(Debug, PartialEq)]
pub(crate) struct XPathQuery {
    pub(crate) path: XPath,
    pub(crate) namespaces: Vec<(String, String)>,
}

impl Selector {
    /// As it is written after the variable.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Key(key) => format!(":{}", String::from_utf8_lossy(key)),
            Self::ExpandedKey(text) => format!(":{}", written_text(text.written())),
            Self::Regex(pattern) => format!(":/{}/", String::from_utf8_lossy(pattern.source())),
            Self::XPath { query, .. } => format!(":{}", query.path.text()),
        }
    }
}

/// Members that are not looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exclusion {
    pub(crate) variable: Variable,
    pub(crate) selector: Selector,
}

/// A set of rules chosen at load time; sorted, so that membership is a binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuleSelection(pub(crate) Vec<Range<u32>>);

impl RuleSelection {
    pub(crate) fn from_sorted(indices: impl IntoIterator<Item = u32>) -> Self {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for index in indices {
            match ranges.last_mut() {
                Some(last) if last.end == index => last.end += 1,
                _ => ranges.push(index..index + 1),
            }
        }
        Self(ranges)
    }

    pub(crate) fn contains(&self, rule: RuleIndex) -> bool {
        let at = self.0.partition_point(|range| range.end <= rule.0);
        self.0.get(at).is_some_and(|range| range.start <= rule.0)
    }
}

/// A non-disruptive action that acts for each value that matches, before the rest of a chain is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Assignment {
    Set(SetVariable),
    /// `initcol`, `setsid`, `setuid`, `setrsc`: in order with `setvar`, so that one rule can make a key, open the
    /// collection and count in it, as in ModSecurity 2.
    Open {
        collection: PersistentCollection,
        key: Template,
    },
}

/// A non-disruptive action that acts once, when the whole chain has matched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    Ctl(Ctl),
    /// `ctl:ruleRemoveBy*`, resolved to rules.
    RemoveRules(Arc<RuleSelection>),
    /// `ctl:ruleRemoveTargetBy*`, resolved to rules.
    RemoveTargets {
        rules: Arc<RuleSelection>,
        exclusion: Arc<Exclusion>,
    },
    ExpireVariable {
        collection: Variable,
        key: Template,
        seconds: Template,
    },
    DeprecateVariable {
        collection: PersistentCollection,
        key: Template,
        amount: u64,
        period_seconds: u64,
    },
    SetEnvironment {
        name: Template,
        value: Template,
    },
    SanitiseArgument(Template),
    SanitiseMatched,
    SanitiseMatchedBytes {
        keep_start: u32,
        keep_end: u32,
    },
    SanitiseRequestHeader(Template),
    SanitiseResponseHeader(Template),
}
