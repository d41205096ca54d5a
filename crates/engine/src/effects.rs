//! What a match does: assignments for each value, then, when the whole chain has matched, its other actions, the
//! log entry and the disruptive action.

use std::borrow::Cow;
use std::sync::Arc;

use palisade_codec::transform::{Context, Transformation};
use palisade_seclang::ast::{self, Ctl, PersistentCollection, Phase, RuleEngine, SetVar, Template};

use crate::evaluate::Asked;
use crate::expand::Text;
use crate::interner::Interner;
use crate::lookup::{Answer, Lookup};
use crate::number::{Digits, leading_integer};
use crate::operator;
use crate::persistent::{Change, CollectionKey, Operation, decayed};
use crate::ruleset::{Assignment, Disruptive, Effect, Link, OperatorSource, Rule, RuleIndex, RuleSet};
use crate::store::{Name, Names, VarStore};
use crate::transaction::{
    Interruption, InterruptionAction, MATCH_TEXT_BYTES_MAX, Match, Sanitised, Shortfall, Transaction,
    VARIABLES_FULL,
};
use crate::variables::{Store, store_of};

/// Changes to persistent collections that one transaction may ask for. Over it the collection is changed for
/// this transaction only, and the shortfall is noted.
const OPERATIONS_MAX: usize = 10_000;

/// A `setvar`, its name and texts looked up when the rule set was compiled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetVariable {
    written: Arc<SetVar>,
    store: Store,
    key: Key,
    change: VarChange,
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    /// In TX.
    Numbered(Name),
    Written(Vec<u8>),
    Expanded(Text),
}

/// [`ast::VarChange`] with its texts looked up.
#[derive(Clone, Debug, PartialEq)]
enum VarChange {
    Set(Text),
    Add(Text),
    Subtract(Text),
    Unset,
}

impl SetVariable {
    /// `None` for a collection that rules cannot write.
    pub(crate) fn new(written: &SetVar, names: &mut Names, interner: &Interner) -> Option<Self> {
        let store = store_of(written.collection)?;
        let key = match written.key.as_literal() {
            Some(key) if store == Store::Tx => Key::Numbered(names.name(key)),
            Some(key) => Key::Written(key.to_vec()),
            None => Key::Expanded(Text::new(&written.key, names, interner)),
        };
        let change = match &written.change {
            ast::VarChange::Set(text) => VarChange::Set(Text::new(text, names, interner)),
            ast::VarChange::Add(text) => VarChange::Add(Text::new(text, names, interner)),
            ast::VarChange::Subtract(text) => VarChange::Subtract(Text::new(text, names, interner)),
            ast::VarChange::Unset => VarChange::Unset,
        };
        Some(Self { written: interner.assignment(written), store, key, change })
    }

    /// The slot of TX that it changes, when that is known.
    pub(crate) fn slot(&self) -> Option<u32> {
        match self.key {
            Key::Numbered(name) => Some(name.slot),
            Key::Written(_) | Key::Expanded(_) => None,
        }
    }

    /// Whether nothing but TX decides what it does, and it changes nothing else.
    pub(crate) fn is_closed(&self) -> bool {
        let text_is_closed = match &self.change {
            VarChange::Set(text) | VarChange::Add(text) | VarChange::Subtract(text) => text.is_closed(),
            VarChange::Unset => true,
        };
        self.slot().is_some() && text_is_closed
    }

    /// As its rule has it.
    pub(crate) fn written(&self) -> &SetVar {
        &self.written
    }
}

impl Transaction {
    /// The assignments of a link, from the one at `begun`, which counts them on as they are done and ends at 0.
    pub(crate) fn assign(&mut self, link: &Link, begun: &mut usize) -> Result<(), Asked> {
        for assignment in link.assignments.get(*begun..).unwrap_or_default() {
            match assignment {
                Assignment::Set(assignment) => self.set_variable(assignment),
                Assignment::Open { collection, key } => {
                    let key = self.expand(key);
                    self.open_collection(*collection, key.into_owned())?;
                }
            }
            *begun += 1;
        }
        *begun = 0;
        Ok(())
    }

    /// The assignments of a link that opens no collection.
    pub(crate) fn set_all(&mut self, link: &Link) {
        for assignment in &link.assignments {
            if let Assignment::Set(assignment) = assignment {
                self.set_variable(assignment);
            }
        }
    }

    fn set_variable(&mut self, SetVariable { store, key, change, .. }: &SetVariable) {
        match key {
            Key::Numbered(name) => self.set_numbered(*name, change),
            Key::Written(key) => self.set_named(*store, key, change),
            Key::Expanded(key) => {
                let mut name = std::mem::take(&mut self.scratch.name);
                name.clear();
                key.expand_into(&self.vars, &mut name);
                self.set_named(*store, &name, change);
                self.scratch.name = name;
            }
        }
    }

    /// Changes a variable of TX whose name is known since the rule set was compiled.
    fn set_numbered(&mut self, name: Name, change: &VarChange) {
        let stored = match change {
            VarChange::Set(text) => match text.literal() {
                Some(text) => self.vars.tx.set_text(name, text),
                None => {
                    let mut buffer = std::mem::take(&mut self.scratch.text);
                    buffer.clear();
                    text.expand_into(&self.vars, &mut buffer);
                    let stored = self.vars.tx.set_at(name, &buffer);
                    self.scratch.text = buffer;
                    stored
                }
            },
            VarChange::Add(text) => self.vars.tx.add_at(name, text.integer(&self.vars)),
            VarChange::Subtract(text) => self.vars.tx.add_at(name, text.integer(&self.vars).saturating_neg()),
            VarChange::Unset => {
                self.vars.tx.remove_at(name.slot);
                return;
            }
        };
        self.debug_numbered(name);
        if !stored {
            self.note(Shortfall::Limit(VARIABLES_FULL));
        } else if self.keeps_silent_matches {
            let (key, value) = (self.vars.tx.names().text(name.written), self.vars.tx.value(name.slot));
            keep_assigned(&mut self.scratch.assigned, key, value.unwrap_or_default());
        }
    }

    fn set_named(&mut self, store: Store, key: &[u8], change: &VarChange) {
        match change {
            VarChange::Set(text) => {
                let mut value = std::mem::take(&mut self.scratch.text);
                value.clear();
                text.expand_into(&self.vars, &mut value);
                self.write(store, key, &value);
                self.record(store, key, || Change::Set(value.clone()));
                self.scratch.text = value;
            }
            VarChange::Add(text) => self.add(store, key, text.integer(&self.vars)),
            VarChange::Subtract(text) => self.add(store, key, text.integer(&self.vars).saturating_neg()),
            VarChange::Unset => {
                if let Some(values) = self.store_mut(store) {
                    values.remove(key);
                }
                self.record(store, key, || Change::Delete);
            }
        }
    }

    fn add(&mut self, store: Store, key: &[u8], delta: i64) {
        let held = self.vars.store(store).and_then(|values| values.get(key)).map_or(0, leading_integer);
        self.write(store, key, Digits::of_signed(held.saturating_add(delta)).as_bytes());
        self.record(store, key, || Change::Add(delta));
    }

    fn write(&mut self, store: Store, key: &[u8], value: &[u8]) {
        self.debug_saved(store, key, value);
        if self.keeps_silent_matches && store == Store::Tx {
            keep_assigned(&mut self.scratch.assigned, key, value);
        }
        if let Some(values) = self.store_mut(store)
            && !values.set(key, value)
        {
            self.note(Shortfall::Limit(VARIABLES_FULL));
        }
    }

    fn store_mut(&mut self, store: Store) -> Option<&mut VarStore> {
        match store {
            Store::Tx => Some(&mut self.vars.tx),
            Store::Env => Some(&mut self.vars.env),
            Store::Persistent(collection) => {
                self.vars.open_collection_mut(collection).map(|open| &mut open.variables)
            }
        }
    }

    /// Asks for a change of a persistent collection, when the store is one and is open.
    fn record(&mut self, store: Store, key: &[u8], change: impl FnOnce() -> Change) {
        let Store::Persistent(collection) = store else { return };
        let Some(open) = self.vars.open_collection_mut(collection) else { return };
        let change = change();
        if matches!(change, Change::Set(_) | Change::Add(_) | Change::Delete) {
            open.changed.remove(&key.to_ascii_lowercase());
        }
        if self.operations.len() >= OPERATIONS_MAX {
            self.note(Shortfall::Limit("operations_max"));
            return;
        }
        let target = open.key.clone();
        self.operations.push(Operation {
            target,
            name: key.to_ascii_lowercase(),
            change,
            at: self.vars.clock.now,
            timeout_seconds: self.rules.settings.collection_timeout_seconds,
        });
    }

    /// The whole chain has matched. Effects run from the innermost link outwards, as in ModSecurity 3.
    pub(crate) fn complete(&mut self, rules: &RuleSet, index: RuleIndex, rule: &Rule) {
        for link in rule.links.iter().rev() {
            for effect in &link.effects {
                self.act(effect);
            }
        }
        if let Some(severity) = rule.severity {
            self.vars.highest_severity = self.vars.highest_severity.min(severity);
        }
        let ending = self.disrupt(rule);
        self.keep_match(rules, index, rule, ending);
    }

    /// Does what the rule does to the exchange; gives what stopped it, or would have.
    fn disrupt(&mut self, rule: &Rule) -> Option<Interruption> {
        let phase = self.cursor.phase?;
        let (action, status) = match &rule.disruptive {
            Disruptive::Pass => return None,
            Disruptive::Allow(scope) => {
                // It stops nothing, so it also acts under a profile that only monitors: what that records has to
                // be what block mode would do.
                if self.vars.engine == RuleEngine::On {
                    self.control.allowed = Some(*scope);
                    self.control.allowed_in = phase;
                }
                return None;
            }
            Disruptive::Deny(status) => (InterruptionAction::Deny, Some(*status)),
            Disruptive::Drop => (InterruptionAction::Drop, None),
            Disruptive::Redirect { location, status } => {
                let location = String::from_utf8_lossy(&self.expand(location)).into_owned();
                (InterruptionAction::Redirect { location }, Some(*status))
            }
        };
        // By then the answer is out; ModSecurity ignores disruptive actions in the logging phase as well.
        if phase == Phase::Logging {
            return None;
        }
        let reason = rule.msg.as_ref().map_or_else(Cow::default, |msg| self.expand(msg));
        let interruption = Interruption {
            action,
            status,
            rule: Some(rule.id),
            phase,
            reason: String::from_utf8_lossy(&reason).into_owned(),
        };
        if self.enforces() {
            self.interruption.get_or_insert_with(|| interruption.clone());
            Some(interruption)
        } else {
            // Under a profile that only monitors, the rule set says On: this is what block mode would have done.
            // A rule set that itself says DetectionOnly would not have stopped it in any mode.
            if self.vars.engine == RuleEngine::On {
                self.would_interrupt.get_or_insert(interruption);
            }
            None
        }
    }

    fn keep_match(&mut self, rules: &RuleSet, index: RuleIndex, rule: &Rule, ending: Option<Interruption>) {
        self.control.relevant |= rule.audits;
        if !rule.logs && !rule.audits && !self.keeps_silent_matches {
            return;
        }
        let assigned = std::mem::take(&mut self.scratch.assigned);
        let expand = |text: &Arc<Template>| beginning(&self.expand(text));
        let (mut name_buffer, mut value_buffer) = (Vec::new(), Vec::new());
        let last = rule.links.last().expect("a rule has a link");
        let conditional = rule.links.iter().any(|link| link.condition.is_some());
        let matched = self.vars.matched.var().filter(|_| conditional);
        let operator = last.condition.as_ref().map(|condition| {
            let argument = match &condition.operator {
                OperatorSource::Fixed(_) => condition.argument.to_string(),
                OperatorSource::Expanded(text) => {
                    String::from_utf8_lossy(&beginning(&text.expand(&self.vars))).into_owned()
                }
            };
            (condition.name, condition.negated, argument)
        });
        let kept = Match {
            rule: index,
            id: rule.id,
            phase: self.cursor.phase.unwrap_or(rule.phase),
            msg: rule.msg.as_ref().map(expand).unwrap_or_default(),
            data: rule.logdata.as_ref().map(expand).unwrap_or_default(),
            severity: rule.severity,
            tags: rule.tags.iter().map(expand).collect(),
            target: matched.map_or_else(Vec::new, |var| beginning(var.name(&self.vars, &mut name_buffer))),
            value: matched.map_or_else(Vec::new, |var| beginning(var.value(&self.vars, &mut value_buffer))),
            transformations: last.transformations.iter().map(|step| step.name()).collect(),
            operator,
            assigned,
            logged: rule.logs,
            status: ending.as_ref().and_then(|ending| ending.status),
            interrupted: ending.map(|ending| ending.action),
        };
        debug_assert_eq!(rules.rule(index).id, kept.id);
        self.matches.push(kept);
    }

    fn act(&mut self, effect: &Effect) {
        self.debug_effect(effect);
        match effect {
            Effect::Ctl(ctl) => self.control(ctl),
            Effect::RemoveRules(rules) => {
                if !self.control.removed_rules.iter().any(|removed| std::sync::Arc::ptr_eq(removed, rules)) {
                    self.control.removed_rules.push(rules.clone());
                }
            }
            Effect::RemoveTargets { rules, exclusion } => {
                // A rule completes once a transaction, so the rule set bounds this list.
                self.control.removed_targets.push((rules.clone(), exclusion.clone()));
            }
            Effect::ExpireVariable { collection, key, seconds } => {
                let key = self.expand(key);
                let seconds = leading_integer(&self.expand(seconds)).max(0) as u64;
                if let Some(store @ Store::Persistent(_)) = store_of(*collection) {
                    let at = self.vars.clock.now.plus_seconds(seconds);
                    self.record(store, &key, || Change::Expire(at));
                }
            }
            Effect::DeprecateVariable { collection, key, amount, period_seconds } => {
                let key = self.expand(key);
                self.deprecate(*collection, &key, *amount, *period_seconds);
            }
            Effect::SetEnvironment { name, value } => {
                let (name, value) = (self.expand(name), self.expand(value));
                self.write(Store::Env, &name, &value);
            }
            Effect::SanitiseArgument(name) => {
                let name = self.expand(name);
                self.sanitise(Sanitised::Argument(name.into_owned()));
            }
            Effect::SanitiseRequestHeader(name) => {
                let name = self.expand(name);
                self.sanitise(Sanitised::RequestHeader(name.into_owned()));
            }
            Effect::SanitiseResponseHeader(name) => {
                let name = self.expand(name);
                self.sanitise(Sanitised::ResponseHeader(name.into_owned()));
            }
            Effect::SanitiseMatched => self.sanitise_matched(0, 0),
            Effect::SanitiseMatchedBytes { keep_start, keep_end } => {
                self.sanitise_matched(*keep_start, *keep_end);
            }
        }
    }

    fn deprecate(&mut self, collection: PersistentCollection, key: &[u8], amount: u64, period_seconds: u64) {
        let now = self.vars.clock.now;
        if let Some(open) = self.vars.open_collection_mut(collection)
            && let Some(changed) = open.changed.get_mut(&key.to_ascii_lowercase())
            && let Some(value) = open.variables.get(key)
            && let Some(left) = decayed(value, *changed, now, amount, period_seconds)
        {
            *changed = now;
            open.variables.set(key, &left);
        }
        self.record(Store::Persistent(collection), key, || Change::Decay { amount, period_seconds });
    }

    fn sanitise_matched(&mut self, keep_start: u32, keep_end: u32) {
        if let Some(matched) = self.vars.matched.var() {
            let target = matched.name(&self.vars, &mut Vec::new()).to_vec();
            self.sanitise(Sanitised::MatchedBytes { target, keep_start, keep_end });
        }
    }

    fn sanitise(&mut self, what: Sanitised) {
        if !self.sanitised.contains(&what) {
            self.sanitised.push(what);
        }
    }

    fn open_collection(&mut self, collection: PersistentCollection, key: Vec<u8>) -> Result<(), Asked> {
        // The first `initcol` of a collection counts; a later one for the same transaction changes nothing.
        if self.vars.open_collection(collection).is_some() {
            return Ok(());
        }
        match collection {
            PersistentCollection::Session => self.vars.session_id = key.clone(),
            PersistentCollection::User => self.vars.user_id = key.clone(),
            PersistentCollection::Resource => self.vars.resource_id = key.clone(),
            PersistentCollection::Ip | PersistentCollection::Global => {}
        }
        Err(Asked(Lookup::Collection(CollectionKey { collection, key: stored_key(key) })))
    }

    /// An answer has come; the rule that asked is evaluated again and finds it.
    pub(crate) fn take_answer(&mut self, asked: Lookup, answer: Answer) {
        use operator::Answer as OperatorAnswer;
        self.cursor.lookups += 1;
        match (asked, answer) {
            (Lookup::Collection(key), Answer::Collection(stored)) => self.open(key, stored),
            (Lookup::Collection(key), _) => {
                self.note(Shortfall::LookupFailed);
                self.open(key, Vec::new());
            }
            (Lookup::Dns { name }, answer) => {
                let address = if let Answer::Dns(address) = answer {
                    address
                } else {
                    self.note(Shortfall::LookupFailed);
                    None
                };
                self.scratch.evaluation.answer(operator::Lookup::Dns { name }, OperatorAnswer::Dns(address));
            }
            (Lookup::Geo { address }, answer) => {
                let known = match answer {
                    Answer::Geo(record) => {
                        if let Some(record) = &record {
                            self.vars.set_geo(record);
                        }
                        record.is_some()
                    }
                    _ => {
                        self.note(Shortfall::LookupFailed);
                        false
                    }
                };
                self.scratch.evaluation.answer(operator::Lookup::Geo { address }, OperatorAnswer::Geo(known));
            }
        }
    }

    fn control(&mut self, ctl: &Ctl) {
        match ctl {
            Ctl::AuditEngine(engine) => self.control.audit_engine = *engine,
            Ctl::AuditLogParts(change) => {
                let written = &self.rules.settings.audit.parts;
                change_parts(self.control.audit_parts.get_or_insert_with(|| written.clone()), change);
            }
            Ctl::DebugLogLevel(level) => {
                self.control.debug_log_level = *level;
                self.follow_debug_level();
            }
            Ctl::ForceRequestBodyVariable(on) => self.control.force_request_body_variable = *on,
            Ctl::RequestBodyAccess(on) => self.control.request_body_access = *on,
            Ctl::RequestBodyLimit(limit) => self.control.request_body_limit = *limit,
            Ctl::RequestBodyProcessor(processor) => {
                self.control.request_body_processor = Some(*processor);
                self.name_processor();
            }
            Ctl::ResponseBodyAccess(on) => self.control.response_body_access = *on,
            Ctl::ResponseBodyLimit(limit) => self.control.response_body_limit = *limit,
            Ctl::ParseXmlIntoArgs(into) => self.control.parse_xml_into_args = *into,
            Ctl::RuleEngine(engine) => self.vars.engine = *engine,
            // Resolved to rules when the rule set was compiled, or without an effect here.
            Ctl::RuleRemoveById(_)
            | Ctl::RuleRemoveByMsg(_)
            | Ctl::RuleRemoveByTag(_)
            | Ctl::RuleRemoveTargetById { .. }
            | Ctl::RuleRemoveTargetByMsg { .. }
            | Ctl::RuleRemoveTargetByTag { .. }
            | Ctl::Ignored { .. } => {}
        }
    }
}

/// As much of a text as a [`Match`] keeps, in memory of its own size.
fn beginning(text: &[u8]) -> Vec<u8> {
    text[..text.len().min(MATCH_TEXT_BYTES_MAX)].to_vec()
}

/// The last value of a name is the one that is told.
fn keep_assigned(assigned: &mut Vec<(Vec<u8>, Vec<u8>)>, key: &[u8], value: &[u8]) {
    assigned.retain(|(name, _)| !name.eq_ignore_ascii_case(key));
    assigned.push((key.to_vec(), value.to_vec()));
}

/// A key as stores see it: a long one, which a client may have made up, becomes a digest.
fn stored_key(key: Vec<u8>) -> Vec<u8> {
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    let mut digest = Vec::new();
    let mut text = Vec::new();
    let context = Context::default();
    let _ = Transformation::Sha1.apply(&key, &mut digest, &context);
    let _ = Transformation::HexEncode.apply(&digest, &mut text, &context);
    [b"sha1:", text.as_slice()].concat()
}

/// Longest key of a collection that a store gets as it is. Session ids are shorter.
const KEY_BYTES_MAX: usize = 256;

/// `+EF`, `-C` or a whole new list.
fn change_parts(parts: &mut String, change: &[u8]) {
    let letters = |text: &[u8]| {
        text.iter().filter(|byte| byte.is_ascii_alphabetic()).map(|byte| *byte as char).collect::<String>()
    };
    match change {
        [b'+', added @ ..] => {
            for part in letters(added).chars() {
                if !parts.contains(part) {
                    // The closing part stays last.
                    let end = parts.find('Z').unwrap_or(parts.len());
                    parts.insert(end, part);
                }
            }
        }
        [b'-', removed @ ..] => {
            let removed = letters(removed);
            parts.retain(|part| !removed.contains(part));
        }
        whole => *parts = letters(whole),
    }
}

impl From<operator::Lookup> for Lookup {
    fn from(lookup: operator::Lookup) -> Self {
        match lookup {
            operator::Lookup::Dns { name } => Lookup::Dns { name },
            operator::Lookup::Geo { address } => Lookup::Geo { address },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::change_parts;

    #[test]
    fn audit_parts_are_added_before_the_closing_part() {
        let mut parts = "ABZ".to_owned();
        change_parts(&mut parts, b"+EA");
        assert_eq!(parts, "ABEZ");
        change_parts(&mut parts, b"-B");
        assert_eq!(parts, "AEZ");
        change_parts(&mut parts, b"ABCDZ");
        assert_eq!(parts, "ABCDZ");
    }
}
