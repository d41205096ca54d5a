//! From a loaded program to a [`RuleSet`].
//!
//! Two passes. The first walks the directives in load order and gathers drafts: which rules there are, with the
//! defaults in force where each stands; then every update and removal is applied. The second makes each draft
//! final: operators compiled, labels resolved, selections turned into rule numbers.

mod actions;
mod draft;

use std::collections::HashMap;
use std::sync::Arc;

use palisade_codec::transform::{Transformation, UnicodeMap};
use palisade_http::XPath;
use palisade_pcre::Pattern;
use palisade_seclang::ast::{
    self, Action, Ctl, Directive, FileId, OperatorName, PersistentCollection, Phase, Selection, Setting,
    Span, Spanned, TargetMode, TemplatePart, Variable,
};
use palisade_seclang::{Diagnostic, Loader, Program, SourceMap};

use crate::effects::SetVariable;
use crate::expand::Text;
use crate::interner::Interner;
use crate::keys::{Key, KeyTable};
use crate::operator::{DataFiles, Operator};
use crate::plan::Plan;
use crate::recycle::Spares;
use crate::ruleset::{
    Assignment, Condition, Effect, Exclusion, Link, OperatorSource, PHASES, Place, Removed, Rule, RuleId,
    RuleIndex, RuleSelection, RuleSet, Selector, SkipTo, Target, XPathQuery, described, phase_slot,
    written_text,
};
use crate::settings::Settings;
use crate::store::{NamePattern, Names};
use crate::variables::{LISTS, lists_of};

use actions::{add_transformation, describe, disruptive, supersedes};
use draft::{Draft, DraftLink, DraftSelector, phase_of};

/// Compiles a program; what it has in common with other rule sets of the interner is shared. Gives the rule set when
/// nothing in it is an error, and everything there is to say about it in any case; what the loader has said already is
/// not repeated.
pub fn compile(
    program: &Program,
    sources: &SourceMap,
    loader: &dyn Loader,
    interner: &Interner,
) -> (Option<RuleSet>, Vec<Diagnostic>) {
    let mut compiler = Compiler::new(sources, loader, interner);
    for directive in program.iter() {
        compiler.take(directive);
    }
    compiler.finish()
}

/// Codes of the compiler's diagnostics; those of the loader are in [`palisade_seclang::codes`].
mod codes {
    /// An operator does not compile: its pattern, its numbers, its data file.
    pub(super) const OPERATOR: &str = "E0601";
    /// A regular expression of a selector, tag or message does not compile.
    pub(super) const PATTERN: &str = "E0602";
    /// An XPath does not compile.
    pub(super) const XPATH: &str = "E0603";
    /// The code page file cannot be used.
    pub(super) const UNICODE_MAP: &str = "W0604";
    /// Updates add more targets than a rule set may have by them.
    pub(super) const TOO_MANY_TARGETS: &str = "E0606";
    /// Selections by tag or message look at too many rules.
    pub(super) const TOO_MANY_LOOKS: &str = "E0607";
    /// Transformations multiply the length of a value.
    pub(super) const GROWTH: &str = "E0608";
    /// An update or removal names no rule.
    pub(super) const NO_SUCH_RULE: &str = "W0605";
}

/// Targets that all updates together may add: directives and the rules that each is about multiply. Over it the
/// update is an error.
const UPDATED_TARGETS_MAX: usize = 1_000_000;

/// Rules that all selections together may look at: directives and rules multiply. CRS's own
/// exclusion packages stay below a hundredth of it. Over it the directive is an error.
const LOOKED_AT_MAX: usize = 5_000_000;

/// Rules that were taken away and are told of.
const REMOVED_MAX: usize = 10_000;

struct Compiler<'a> {
    sources: &'a SourceMap,
    loader: &'a dyn Loader,
    interner: &'a Interner,
    diagnostics: Vec<Diagnostic>,
    settings: Settings,
    drafts: Vec<Draft<'a>>,
    /// Labels, with how many drafts stood before each.
    markers: Vec<(&'a [u8], usize)>,
    defaults: [Arc<Vec<Spanned<Action>>>; PHASES],
    chain_open: bool,
    /// Directives that change rules, in order.
    updates: Vec<&'a Directive>,
    updated_targets: usize,
    /// Ids with the numbers of their drafts, ascending.
    ids: Vec<(u64, usize)>,
    /// Rules that selections have looked at.
    looked_at: usize,
    components: Vec<String>,
    operators: HashMap<(OperatorName, Vec<u8>, String), Arc<Operator>>,
    patterns: HashMap<Vec<u8>, Arc<Pattern>>,
    xpaths: HashMap<(Vec<u8>, Namespaces), (usize, Arc<XPathQuery>)>,
    unicode_map: Option<UnicodeMap>,
    files: Vec<String>,
    /// Positions in `files`.
    file_numbers: HashMap<FileId, usize>,
    names: Names,
    /// Numbers of the keys of fields that rules mention, lower case, and the lists for which they do.
    field_keys: HashMap<Vec<u8>, u32>,
    keys: [KeyTable<Key>; LISTS],
    /// By source, numbered.
    tx_patterns: HashMap<Vec<u8>, (u32, Pattern)>,
    selections: HashMap<SelectionKey, Arc<RuleSelection>>,
}

type Namespaces = Vec<(String, String)>;

#[derive(PartialEq, Eq, Hash)]
enum SelectionKey {
    Ids(Vec<(u64, u64)>),
    Tag(Vec<u8>),
    Msg(Vec<u8>),
}

impl<'a> Compiler<'a> {
    fn new(sources: &'a SourceMap, loader: &'a dyn Loader, interner: &'a Interner) -> Self {
        Self {
            sources,
            loader,
            interner,
            diagnostics: Vec::new(),
            settings: Settings::default(),
            drafts: Vec::new(),
            markers: Vec::new(),
            defaults: std::array::from_fn(|_| Arc::new(Vec::new())),
            chain_open: false,
            updates: Vec::new(),
            updated_targets: 0,
            ids: Vec::new(),
            looked_at: 0,
            components: Vec::new(),
            operators: HashMap::new(),
            patterns: HashMap::new(),
            xpaths: HashMap::new(),
            unicode_map: None,
            files: Vec::new(),
            file_numbers: HashMap::new(),
            names: Names::new(),
            field_keys: HashMap::new(),
            keys: Default::default(),
            tx_patterns: HashMap::new(),
            selections: HashMap::new(),
        }
    }

    fn take(&mut self, directive: &'a Spanned<Directive>) {
        match &directive.node {
            Directive::Rule(rule) => self.take_rule(rule, directive.span),
            Directive::Marker(label) => self.markers.push((&label.node, self.drafts.len())),
            Directive::DefaultAction(actions) => {
                let phase = phase_of(actions).unwrap_or(Phase::RequestBody);
                self.defaults[phase_slot(phase)] = Arc::new(actions.clone());
            }
            Directive::ComponentSignature(text) => self.components.push(lossy(text)),
            // As in ModSecurity 3 they act on all rules, wherever they stand.
            Directive::RemoveById(_)
            | Directive::RemoveByTag(_)
            | Directive::RemoveByMsg(_)
            | Directive::UpdateTarget { .. }
            | Directive::UpdateAction { .. } => self.updates.push(&directive.node),
            Directive::Setting(setting) => {
                if let Setting::UnicodeMapFile { path, code_page } = &setting.node {
                    self.load_unicode_map(path, *code_page);
                }
                self.settings.apply(&setting.node);
            }
            // Includes have been replaced by what they include; the rest was reported when it was loaded.
            Directive::Include { .. } | Directive::Ignored { .. } => {}
        }
    }

    /// Applies one of the directives that change rules.
    fn update(&mut self, directive: &Directive) {
        match directive {
            Directive::RemoveById(ranges) => {
                for range in ranges {
                    self.remove(&DraftSelector::Ids(vec![range.node]), range.span);
                }
            }
            Directive::RemoveByTag(pattern) => {
                if let Some(found) = self.pattern(&pattern.node, pattern.span) {
                    self.remove(&DraftSelector::Tag(found), pattern.span);
                }
            }
            Directive::RemoveByMsg(pattern) => {
                if let Some(found) = self.pattern(&pattern.node, pattern.span) {
                    self.remove(&DraftSelector::Msg(found), pattern.span);
                }
            }
            Directive::UpdateTarget { selection, targets, replaced } => {
                self.update_targets(selection, targets, replaced.as_deref());
            }
            Directive::UpdateAction { id, chain_offset, actions } => {
                self.update_actions(id, *chain_offset, actions);
            }
            _ => {}
        }
    }

    fn take_rule(&mut self, rule: &'a ast::Rule, span: Span) {
        let link = DraftLink {
            targets: rule.targets.clone(),
            operator: rule.operator.as_ref(),
            actions: rule.actions.clone(),
        };
        let chains = rule.actions.iter().any(|action| action.node == Action::Chain);
        let chained = std::mem::replace(&mut self.chain_open, chains);
        if chained {
            if let Some(draft) = self.drafts.last_mut() {
                draft.links.push(link);
            }
            return;
        }
        let id = rule.actions.iter().find_map(|action| match action.node {
            Action::Id(id) => Some(id),
            _ => None,
        });
        // The loader has reported a rule without an id; the number only has to be one that nobody uses.
        let id = RuleId(id.unwrap_or(0));
        // The manual's default; ModSecurity 3 takes phase 1, the loader warns.
        let phase = phase_of(&rule.actions).unwrap_or(Phase::RequestBody);
        let defaults = self.defaults[phase_slot(phase)].clone();
        self.drafts.push(Draft { id, phase, span, links: vec![link], defaults, removed: None });
    }

    fn remove(&mut self, selector: &DraftSelector, span: Span) {
        let Some(chosen) = self.chosen_drafts(selector, span) else { return };
        if chosen.is_empty() {
            self.warn_no_such_rule(span);
        }
        for number in chosen {
            self.drafts[number].removed.get_or_insert(span);
        }
    }

    fn chosen_drafts(&mut self, selector: &DraftSelector, span: Span) -> Option<Vec<usize>> {
        let drafts = std::mem::take(&mut self.drafts);
        let chosen = self.chosen(selector, span, &drafts);
        self.drafts = drafts;
        chosen
    }

    /// The numbers of the rules that a selection means, in order; `None`, and an error, when looking for them has
    /// cost too much.
    fn chosen(&mut self, selector: &DraftSelector, span: Span, drafts: &[Draft<'_>]) -> Option<Vec<usize>> {
        // Said once.
        if self.looked_at > LOOKED_AT_MAX {
            return None;
        }
        let chosen: Vec<usize> = if let DraftSelector::Ids(ranges) = selector {
            let mut chosen = Vec::new();
            for range in ranges {
                let first = self.ids.partition_point(|(id, _)| *id < range.first);
                let meant = self.ids[first..].iter().take_while(|(id, _)| *id <= range.last);
                chosen.extend(meant.map(|(_, number)| *number));
            }
            chosen.sort_unstable();
            chosen.dedup();
            self.looked_at += chosen.len();
            chosen
        } else {
            self.looked_at += drafts.len();
            (0..drafts.len()).filter(|number| selector.selects(&drafts[*number])).collect()
        };
        if self.looked_at > LOOKED_AT_MAX {
            let message = format!("updates, removals and ctl look at more than {LOOKED_AT_MAX} rules in all");
            let help = "name rules by their ids, or more of them by one pattern";
            self.diagnostics.push(Diagnostic::error(codes::TOO_MANY_LOOKS, span, message).help(help));
            return None;
        }
        Some(chosen)
    }

    /// Makes rules found by their ids.
    fn index_ids(&mut self, drafts: &[Draft<'_>]) {
        self.ids = drafts.iter().enumerate().map(|(number, draft)| (draft.id.0, number)).collect();
        self.ids.sort_unstable();
    }

    fn warn_no_such_rule(&mut self, span: Span) {
        self.diagnostics.push(
            Diagnostic::warning(codes::NO_SUCH_RULE, span, "no rule is meant by this")
                .help("look the rule up by `palisade rules list`, or remove the line"),
        );
    }

    fn update_targets(
        &mut self,
        selection: &Spanned<Selection>,
        targets: &[Spanned<ast::Target>],
        replaced: Option<&[Spanned<ast::Target>]>,
    ) {
        // Said once.
        if self.updated_targets > UPDATED_TARGETS_MAX {
            return;
        }
        let Some(selects) = self.selector_of(&selection.node, selection.span) else { return };
        let Some(chosen) = self.chosen_drafts(&selects, selection.span) else { return };
        if chosen.is_empty() {
            self.warn_no_such_rule(selection.span);
        }
        for number in chosen {
            self.updated_targets += targets.len();
            if self.updated_targets > UPDATED_TARGETS_MAX {
                let message = format!("updates add more than {UPDATED_TARGETS_MAX} targets to rules");
                let help = "name fewer rules at a time, or one pattern instead of many keys";
                let diagnostic = Diagnostic::error(codes::TOO_MANY_TARGETS, selection.span, message);
                self.diagnostics.push(diagnostic.help(help));
                return;
            }
            let own = &mut self.drafts[number].links[0].targets;
            if let Some(replaced) = replaced {
                own.retain(|target| !replaced.contains(target));
            }
            own.extend(targets.iter().cloned());
        }
    }

    fn selector_of(&mut self, selection: &Selection, span: Span) -> Option<DraftSelector> {
        Some(match selection {
            Selection::Ids(ranges) => DraftSelector::Ids(ranges.clone()),
            Selection::Tag(pattern) => DraftSelector::Tag(self.pattern(pattern, span)?),
            Selection::Msg(pattern) => DraftSelector::Msg(self.pattern(pattern, span)?),
        })
    }

    fn update_actions(&mut self, id: &Spanned<u64>, chain_offset: u32, actions: &[Spanned<Action>]) {
        let known = self.ids.partition_point(|(known, _)| *known < id.node);
        let number = self.ids.get(known).filter(|(known, _)| *known == id.node).map(|(_, number)| *number);
        let link = number.and_then(|number| self.drafts[number].links.get_mut(chain_offset as usize));
        let Some(link) = link else {
            self.warn_no_such_rule(id.span);
            return;
        };
        for action in actions {
            match &action.node {
                // What a rule is and where it runs does not change.
                Action::Id(_) | Action::Phase(_) | Action::Chain => continue,
                new => link.actions.retain(|old| !supersedes(new, &old.node)),
            }
            link.actions.push(action.clone());
        }
    }

    fn load_unicode_map(&mut self, path: &Spanned<bstr::BString>, code_page: u32) {
        let file = self.sources.resolve(path.span.file, &lossy(&path.node));
        let map =
            self.loader.read(&file).map_err(|error| error.message).and_then(|text| {
                UnicodeMap::parse(&lossy(&text), code_page).map_err(|error| error.to_string())
            });
        match map {
            Ok(map) => self.unicode_map = Some(map),
            // As the first article's rule folder has it: named, and not there.
            Err(error) => self.diagnostics.push(
                Diagnostic::warning(codes::UNICODE_MAP, path.span, format!("the code page is not used: {error}"))
                    .help("without it t:urlDecodeUni folds full-width characters only; remove the line, or give it a file"),
            ),
        }
    }

    fn pattern(&mut self, source: &[u8], span: Span) -> Option<Arc<Pattern>> {
        if let Some(pattern) = self.patterns.get(source) {
            return Some(pattern.clone());
        }
        match self.interner.pattern(source) {
            Ok(pattern) => {
                self.patterns.insert(source.to_vec(), pattern.clone());
                Some(pattern)
            }
            Err(error) => {
                let place = self.place_in(span, source, error.offset);
                let mut diagnostic = Diagnostic::error(codes::PATTERN, place, error.message.into_owned());
                if let Some(help) = error.help {
                    diagnostic = diagnostic.help(help);
                }
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    fn finish(mut self) -> (Option<RuleSet>, Vec<Diagnostic>) {
        let drafts = std::mem::take(&mut self.drafts);
        self.index_ids(&drafts);
        self.drafts = drafts;
        for directive in std::mem::take(&mut self.updates) {
            self.update(directive);
        }
        let drafts = std::mem::take(&mut self.drafts);
        let mut kept: Vec<Draft<'a>> = Vec::with_capacity(drafts.len());
        let mut removed = Vec::new();
        // Markers count the drafts before them; removed ones go.
        let mut kept_before = Vec::with_capacity(drafts.len() + 1);
        for draft in drafts {
            kept_before.push(kept.len());
            match draft.removed {
                None => kept.push(draft),
                Some(by) if removed.len() < REMOVED_MAX => removed.push(self.removed(&draft, by)),
                Some(_) => {}
            }
        }
        kept_before.push(kept.len());
        self.index_ids(&kept);
        let markers: Vec<(&[u8], usize)> =
            self.markers.iter().map(|(label, before)| (*label, kept_before[*before])).collect();

        let mut programs: [Vec<RuleIndex>; PHASES] = Default::default();
        for (number, draft) in kept.iter().enumerate() {
            programs[phase_slot(draft.phase)].push(RuleIndex(number as u32));
        }
        let labels = Labels::new(&markers, &kept);
        let mut rules = Vec::with_capacity(kept.len());
        for (number, draft) in kept.iter().enumerate() {
            rules.push(self.rule(number, draft, &kept, &labels, &programs));
        }
        let looks_at = |variables: &[Variable]| {
            let mut targets = rules.iter().flat_map(|rule| &rule.links).flat_map(|link| &link.targets);
            targets.any(|target| variables.contains(&target.variable))
        };
        let keeps_full_request = looks_at(&[Variable::FullRequest, Variable::FullRequestLength]);
        let keeps_file_content = looks_at(&[Variable::FilesTmpContent]);
        let failed = self.diagnostics.iter().any(Diagnostic::is_error);
        let plan = Plan::new(&rules, &programs, self.interner);
        self.names.watch(plan.watched());
        let rule_fields = rules.iter().map(|rule| self.interner.fields(&rule.describe())).collect();
        // Not collected: that would keep the memory of the rules for their addresses.
        let mut shared = Vec::with_capacity(rules.len());
        shared.extend(rules.into_iter().map(|rule| self.interner.rule(rule)));
        let rule_set = RuleSet {
            settings: Arc::new(self.settings),
            tx_patterns: NamePattern::all(self.tx_patterns.into_values(), &self.names),
            names: Arc::new(self.names),
            keys: Arc::new(self.keys),
            rule_fields,
            rules: shared,
            plan,
            spares: Spares::default(),
            programs,
            components: self.components,
            files: self.files,
            removed,
            unicode_map: self.unicode_map,
            xpath_count: self.xpaths.len(),
            keeps_full_request,
            keeps_file_content,
        };
        ((!failed).then_some(rule_set), self.diagnostics)
    }

    /// What is told of a rule that a directive takes away.
    fn removed(&self, draft: &Draft<'a>, by: Span) -> Removed {
        let place = |span: Span| (self.sources.name(span.file).to_owned(), self.sources.line(span) as u32);
        let (file, line) = place(draft.span);
        let (mut msg, mut tags) = (String::new(), Vec::new());
        for action in &draft.links[0].actions {
            match &action.node {
                Action::Msg(text) => msg = written_text(text),
                Action::Tag(text) => tags.push(written_text(text)),
                _ => {}
            }
        }
        Removed { id: draft.id, phase: draft.phase, msg, tags, file, line, by: place(by) }
    }

    fn rule(
        &mut self,
        number: usize,
        draft: &Draft<'a>,
        all: &[Draft<'a>],
        labels: &Labels,
        programs: &[Vec<RuleIndex>; PHASES],
    ) -> Rule {
        let name = self.sources.name(draft.span.file);
        let file = *self.file_numbers.entry(draft.span.file).or_insert_with(|| {
            self.files.push(name.to_owned());
            self.files.len() - 1
        });
        let mut rule = Rule {
            id: draft.id,
            phase: draft.phase,
            file,
            line: self.sources.line(draft.span) as u32,
            msg: None,
            logdata: None,
            severity: None,
            rev: String::new(),
            ver: String::new(),
            maturity: 0,
            accuracy: 0,
            tags: Vec::new(),
            disruptive: disruptive(draft),
            logs: true,
            audits: true,
            skip: 0,
            skip_after: None,
            links: Vec::with_capacity(draft.links.len()),
        };
        for action in draft.defaults.iter().chain(&draft.links[0].actions) {
            describe(&mut rule, &action.node, self.interner);
        }
        rule.tags.shrink_to_fit();
        for action in draft.links.iter().flat_map(|link| &link.actions) {
            match &action.node {
                Action::Skip(count) => rule.skip = *count,
                Action::SkipAfter(label) => {
                    let program = &programs[phase_slot(draft.phase)];
                    let to = labels.after(label, number).map_or(u32::MAX, |rule| rule as u32);
                    let step = program.partition_point(|index| index.0 < to);
                    rule.skip_after = Some(SkipTo { label: lossy(label), step });
                }
                _ => {}
            }
        }
        for link in &draft.links {
            let link = self.link(draft, link, all);
            rule.links.push(link);
        }
        rule
    }

    fn link(&mut self, draft: &Draft<'a>, link: &DraftLink<'a>, all: &[Draft<'a>]) -> Link {
        let namespaces: Namespaces = link
            .actions
            .iter()
            .filter_map(|action| match &action.node {
                Action::XmlNs { prefix, uri } => Some((lossy(prefix), lossy(uri))),
                _ => None,
            })
            .collect();
        let mut targets = Vec::new();
        let mut exclusions = Vec::new();
        for target in &link.targets {
            let ast::Target { mode, variable, selector } = &target.node;
            let Some(selector) = self.selector(selector.as_ref(), target.span, &namespaces) else { continue };
            match mode {
                TargetMode::Exclude => exclusions.push(Exclusion { variable: *variable, selector }),
                TargetMode::Value | TargetMode::Count => {
                    let name = self.names.keep(described(*variable, &selector).as_bytes());
                    let place = match &selector {
                        Selector::Key(key) => self.place(*variable, key),
                        Selector::Regex(pattern) if *variable == Variable::Tx => {
                            Place::TxPattern(self.tx_pattern(pattern))
                        }
                        _ => Place::Unknown,
                    };
                    let count = *mode == TargetMode::Count;
                    targets.push(Target { variable: *variable, count, selector, name, place });
                }
            }
        }
        let mut compiled = Link {
            targets,
            exclusions,
            condition: link.operator.and_then(|operator| self.condition(operator)),
            transformations: Vec::new(),
            multi_match: false,
            captures: false,
            assignments: Vec::new(),
            effects: Vec::new(),
        };
        for action in draft.defaults.iter() {
            if let Action::Transformation(name) = action.node {
                add_transformation(&mut compiled.transformations, name);
            }
        }
        for action in &link.actions {
            self.add_action(&mut compiled, action, all);
        }
        // Most lists have one or two members, and room for four when they have grown.
        compiled.targets.shrink_to_fit();
        compiled.exclusions.shrink_to_fit();
        compiled.transformations.shrink_to_fit();
        compiled.assignments.shrink_to_fit();
        compiled.effects.shrink_to_fit();
        if growth(&compiled.transformations) > GROWTH_MAX {
            let message =
                format!("the transformations can make a value more than {GROWTH_MAX} times as long");
            let help = "encode once; a value that grows with each step takes memory that a client chooses";
            self.diagnostics.push(Diagnostic::error(codes::GROWTH, draft.span, message).help(help));
        }
        compiled
    }

    fn tx_pattern(&mut self, pattern: &Pattern) -> u32 {
        let next = self.tx_patterns.len() as u32;
        let (number, _) =
            self.tx_patterns.entry(pattern.source().to_vec()).or_insert_with(|| (next, pattern.clone()));
        *number
    }

    fn place(&mut self, variable: Variable, key: &[u8]) -> Place {
        if variable == Variable::Tx {
            return Place::Tx(self.names.name(key).slot);
        }
        let Some((lists, _)) = lists_of(variable) else { return Place::Unknown };
        let next = self.field_keys.len() as u32;
        let number = *self.field_keys.entry(key.to_ascii_lowercase()).or_insert(next);
        for list in lists {
            self.keys[*list as usize].entry(key, || Key(number));
        }
        Place::Fields(Key(number))
    }

    fn add_action(&mut self, link: &mut Link, action: &Spanned<Action>, all: &[Draft<'a>]) {
        let effect = match &action.node {
            Action::Transformation(name) => return add_transformation(&mut link.transformations, *name),
            Action::MultiMatch => return link.multi_match = true,
            Action::Capture => return link.captures = true,
            Action::SetVar(written) => {
                if let Some(assignment) = SetVariable::new(written, &mut self.names, self.interner) {
                    link.assignments.push(Assignment::Set(assignment));
                }
                return;
            }
            Action::InitCol { collection, key } => return link.open(*collection, key),
            Action::SetSid(key) => return link.open(PersistentCollection::Session, key),
            Action::SetUid(key) => return link.open(PersistentCollection::User, key),
            Action::SetRsc(key) => return link.open(PersistentCollection::Resource, key),
            Action::Ctl(ctl) => match self.ctl(ctl, action.span, all) {
                Some(effect) => effect,
                None => return,
            },
            Action::ExpireVar { collection, key, seconds } => {
                Effect::ExpireVariable { collection: *collection, key: key.clone(), seconds: seconds.clone() }
            }
            Action::DeprecateVar { collection, key, amount, period_seconds } => Effect::DeprecateVariable {
                collection: *collection,
                key: key.clone(),
                amount: *amount,
                period_seconds: *period_seconds,
            },
            Action::SetEnv { name, value } => {
                Effect::SetEnvironment { name: name.clone(), value: value.clone() }
            }
            Action::SanitiseArg(name) => Effect::SanitiseArgument(name.clone()),
            Action::SanitiseMatched => Effect::SanitiseMatched,
            Action::SanitiseMatchedBytes { keep_start, keep_end } => {
                Effect::SanitiseMatchedBytes { keep_start: *keep_start, keep_end: *keep_end }
            }
            Action::SanitiseRequestHeader(name) => Effect::SanitiseRequestHeader(name.clone()),
            Action::SanitiseResponseHeader(name) => Effect::SanitiseResponseHeader(name.clone()),
            // Of the rule as a whole, or without effect here (the loader has said so).
            _ => return,
        };
        link.effects.push(effect);
    }

    fn ctl(&mut self, ctl: &Ctl, span: Span, all: &[Draft<'a>]) -> Option<Effect> {
        let (selection, target) = match ctl {
            Ctl::RuleRemoveById(ranges) => (Selection::Ids(ranges.clone()), None),
            Ctl::RuleRemoveByTag(pattern) => (Selection::Tag(pattern.clone()), None),
            Ctl::RuleRemoveByMsg(pattern) => (Selection::Msg(pattern.clone()), None),
            Ctl::RuleRemoveTargetById { ids, target } => (Selection::Ids(vec![*ids]), Some(target)),
            Ctl::RuleRemoveTargetByTag { pattern, target } => (Selection::Tag(pattern.clone()), Some(target)),
            Ctl::RuleRemoveTargetByMsg { pattern, target } => (Selection::Msg(pattern.clone()), Some(target)),
            other => return Some(Effect::Ctl(other.clone())),
        };
        let rules = self.selection(&selection, span, all)?;
        let Some(target) = target else { return Some(Effect::RemoveRules(rules)) };
        let selector = self.selector(target.selector.as_ref(), span, &Vec::new())?;
        Some(Effect::RemoveTargets {
            rules,
            exclusion: Arc::new(Exclusion { variable: target.variable, selector }),
        })
    }

    fn selection(
        &mut self,
        selection: &Selection,
        span: Span,
        all: &[Draft<'a>],
    ) -> Option<Arc<RuleSelection>> {
        let key = match selection {
            Selection::Ids(ranges) => {
                SelectionKey::Ids(ranges.iter().map(|range| (range.first, range.last)).collect())
            }
            Selection::Tag(pattern) => SelectionKey::Tag(pattern.to_vec()),
            Selection::Msg(pattern) => SelectionKey::Msg(pattern.to_vec()),
        };
        if let Some(found) = self.selections.get(&key) {
            return Some(found.clone());
        }
        let selects = self.selector_of(selection, span)?;
        let chosen = self.chosen(&selects, span, all)?;
        let rules = Arc::new(RuleSelection::from_sorted(chosen.into_iter().map(|number| number as u32)));
        self.selections.insert(key, rules.clone());
        Some(rules)
    }

    fn selector(
        &mut self,
        selector: Option<&ast::Selector>,
        span: Span,
        namespaces: &Namespaces,
    ) -> Option<Selector> {
        Some(match selector {
            None => Selector::All,
            Some(ast::Selector::Key(template)) => match template.as_literal() {
                Some(key) => Selector::Key(key.to_vec()),
                None => Selector::ExpandedKey(Text::new(template, &mut self.names, self.interner)),
            },
            Some(ast::Selector::Regex(pattern)) => Selector::Regex(self.pattern(pattern, span)?),
            Some(ast::Selector::XPath(text)) => {
                let key = (text.to_vec(), namespaces.clone());
                if let Some((number, query)) = self.xpaths.get(&key) {
                    return Some(Selector::XPath { number: *number, query: query.clone() });
                }
                match XPath::parse(&lossy(text)) {
                    Ok(path) => {
                        let number = self.xpaths.len();
                        let query = Arc::new(XPathQuery { path, namespaces: namespaces.clone() });
                        self.xpaths.insert(key, (number, query.clone()));
                        Selector::XPath { number, query }
                    }
                    Err(error) => {
                        self.diagnostics.push(Diagnostic::error(codes::XPATH, span, error.to_string()));
                        return None;
                    }
                }
            }
        })
    }

    fn condition(&mut self, operator: &'a Spanned<ast::Operator>) -> Option<Condition> {
        let ast::Operator { negated, name, argument, template } = &operator.node;
        // A pattern is taken as it is written unless it names a macro; `%{` may also be a part of a pattern, but
        // the loader only makes a macro of what has the name of a variable.
        let expands = template.parts.iter().any(|part| matches!(part, TemplatePart::Macro { .. }));
        let source = if expands {
            OperatorSource::Expanded(Text::new(template, &mut self.names, self.interner))
        } else {
            OperatorSource::Fixed(self.operator(*name, argument, operator.span)?)
        };
        Some(Condition {
            negated: *negated,
            name: *name,
            operator: source,
            argument: self.interner.text(&lossy(argument)),
        })
    }

    fn operator(&mut self, name: OperatorName, argument: &[u8], span: Span) -> Option<Arc<Operator>> {
        // Only file operators mean something else in another folder.
        let folder = match name {
            OperatorName::PmFromFile | OperatorName::IpMatchFromFile => {
                self.sources.directory(span.file).to_owned()
            }
            _ => String::new(),
        };
        let key = (name, argument.to_vec(), folder);
        if let Some(operator) = self.operators.get(&key) {
            return Some(operator.clone());
        }
        let files = BesideRuleFile { loader: self.loader, sources: self.sources, file: span.file };
        let options = self.settings.operator_options();
        match self.interner.operator(name, argument, &options, &files) {
            Ok(operator) => {
                self.operators.insert(key, operator.clone());
                Some(operator)
            }
            Err(error) => {
                let place = error.offset.map_or(span, |offset| self.place_in(span, argument, offset));
                let mut diagnostic = Diagnostic::error(codes::OPERATOR, place, error.message.clone());
                if let Some(help) = &error.help {
                    diagnostic = diagnostic.help(help.clone());
                }
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// The place of one byte of a text that stands somewhere in a span. Where the file writes the text with
    /// escapes, offsets mean nothing to the reader, and the whole span is shown.
    fn place_in(&self, span: Span, text: &[u8], offset: usize) -> Span {
        let written = &self.sources.text(span.file)[span.start as usize..span.end as usize];
        let Some(begins) = memchr::memmem::find(written, text).filter(|_| !text.is_empty()) else {
            return span;
        };
        let start = span.start + (begins + offset.min(text.len() - 1)) as u32;
        Span { file: span.file, start, end: start + 1 }
    }
}

/// How many times as long a list of transformations can make a value.
fn growth(transformations: &[Transformation]) -> u64 {
    transformations.iter().fold(1, |growth: u64, transformation| match transformation {
        Transformation::Base64Encode | Transformation::HexEncode => growth.saturating_mul(2),
        Transformation::UrlEncode => growth.saturating_mul(3),
        // A byte becomes `%uhhhh`.
        Transformation::Utf8ToUnicode => growth.saturating_mul(6),
        // Of one length whatever came in.
        Transformation::Length | Transformation::Md5 | Transformation::Sha1 => 1,
        _ => growth,
    })
}

/// CRS stays at 6.
const GROWTH_MAX: u64 = 256;

/// Where `skipAfter` can go: markers and rule ids.
struct Labels {
    /// For each label the rules before which it stands, ascending.
    positions: HashMap<Vec<u8>, Vec<usize>>,
}

impl Labels {
    fn new(markers: &[(&[u8], usize)], rules: &[Draft<'_>]) -> Self {
        let mut positions: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (number, draft) in rules.iter().enumerate() {
            // `skipAfter:ID` goes on after the rule of that id.
            positions.entry(draft.id.to_string().into_bytes()).or_default().push(number + 1);
        }
        for (label, before) in markers {
            positions.entry(label.to_vec()).or_default().push(*before);
        }
        for places in positions.values_mut() {
            places.sort_unstable();
        }
        Self { positions }
    }

    /// The first rule after the label's next place behind a rule.
    fn after(&self, label: &[u8], rule: usize) -> Option<usize> {
        let places = self.positions.get(label)?;
        places.get(places.partition_point(|place| *place <= rule)).copied()
    }
}

/// Data files lie beside the rule file that names them.
struct BesideRuleFile<'a> {
    loader: &'a dyn Loader,
    sources: &'a SourceMap,
    file: FileId,
}

impl DataFiles for BesideRuleFile<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let path = self.sources.resolve(self.file, name);
        self.loader.read(&path).map_err(|error| format!("cannot read `{path}`: {}", error.message))
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use palisade_seclang::{MemoryLoader, Source, load};

    use super::{Interner, codes, compile};

    #[test]
    fn what_a_directive_takes_away_is_told_with_both_places() {
        let text = "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.level=2\"\n\
                    SecRule &TX:level \"@eq 0\" \"id:2,phase:1,pass,nolog,setvar:tx.level=1,setvar:tx.other=4\"\n\
                    SecRule ARGS \"@rx a\" \"id:3,phase:2,pass,msg:'Three %{TX.level}',tag:'x/y'\"\n\
                    SecRule REQUEST_URI \"@rx b\" \"id:4,phase:1,pass,nolog,ctl:ruleRemoveById=5\"\n\
                    SecRule ARGS \"@rx c\" \"id:5,phase:2,pass,setvar:tx.macro=%{TX.level}\"\n\
                    SecRuleRemoveByTag ^x/\nSecRuleRemoveById 3\n";
        let loader = MemoryLoader::new().with("a.conf", text);
        let loaded = load(&[Source::File("a.conf".into())], &loader);
        let (set, diagnostics) = compile(&loaded.program, &loaded.sources, &loader, &Interner::new());
        let set = set.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let ids: Vec<u64> = set.rules().map(|rule| rule.id.0).collect();
        assert_eq!(ids, [1, 2, 4, 5]);
        let [removed] = set.removed() else { panic!("{:?}", set.removed()) };
        assert_eq!((removed.id.0, removed.file.as_str(), removed.line), (3, "a.conf", 3));
        assert_eq!((removed.msg.as_str(), &removed.tags[..]), ("Three %{TX.level}", &["x/y".to_owned()][..]));
        assert_eq!(removed.by, ("a.conf".to_owned(), 6), "the first of the two");
        let switches = |index| set.switched_off_by(super::RuleIndex(index)).map(|rule| rule.id.0).collect();
        let (fifth, second): (Vec<u64>, Vec<u64>) = (switches(3), switches(1));
        assert_eq!((fifth, second), (vec![4], vec![]));
        let level = |name| set.tx_after_setup(name);
        assert_eq!(
            (level("LEVEL").as_deref(), level("other").as_deref(), level("macro")),
            (Some("2"), Some("4"), None)
        );
    }

    #[test]
    fn transformations_that_multiply_are_an_error() {
        for (list, expected) in [
            ("t:hexEncode,".repeat(8), None),
            ("t:hexEncode,".repeat(9), Some(codes::GROWTH)),
            (
                "t:utf8toUnicode,t:urlEncode,t:utf8toUnicode,t:hexEncode,t:base64Encode,".to_owned(),
                Some(codes::GROWTH),
            ),
            ("t:hexEncode,t:sha1,".repeat(100), None),
            ("t:urlDecodeUni,t:lowercase,".repeat(100), None),
        ] {
            let rule = format!("SecRule ARGS \"@rx a\" \"id:1,phase:2,{list}pass\"\n");
            let loader = MemoryLoader::new().with("a.conf", rule);
            let loaded = load(&[Source::File("a.conf".into())], &loader);
            let (_, diagnostics) = compile(&loaded.program, &loaded.sources, &loader, &Interner::new());
            let found = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
            assert_eq!(found.map(|diagnostic| diagnostic.code), expected, "{list}");
        }
    }

    #[test]
    fn selections_that_multiply_are_an_error() {
        let rules: String =
            (1..=5_000).map(|id| format!("SecAction \"id:{id},phase:1,pass,tag:'a'\"\n")).collect();
        let tags: String = (0..1_500).map(|n| format!("SecRuleRemoveByTag x{n}\n")).collect();
        let ids = "SecRuleRemoveById 1-999999\n".repeat(1_500);
        for (updates, expected) in
            [(tags, Some(codes::TOO_MANY_LOOKS)), (ids, Some(codes::TOO_MANY_LOOKS)), (String::new(), None)]
        {
            let loader = MemoryLoader::new().with("a.conf", format!("{rules}{updates}"));
            let loaded = load(&[Source::File("a.conf".into())], &loader);
            let (_, diagnostics) = compile(&loaded.program, &loaded.sources, &loader, &Interner::new());
            let found = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
            assert_eq!(found.map(|diagnostic| diagnostic.code), expected);
        }
    }
}
