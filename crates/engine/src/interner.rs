//! What rule sets share: compiled operators, the filters made of them, patterns that choose members, texts, and rules that are the
//! same.
//!
//! Most of a rule set's memory and load time are its patterns, then the texts that rules log. Services that differ in a
//! few exclusions, and a rule set that is loaded anew, have nearly all of them in common. An interner holds nothing by itself: what no rule set
//! uses any more goes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use palisade_http::Fields;
use palisade_pcre::{Options as PatternOptions, Pattern, PatternError};
use palisade_seclang::ast::{OperatorName, SetVar, Template};

use crate::operator::{CompileError, CompileOptions, DataFiles, Operator};
use crate::plan::{OperatorSieve, SievedOperator};
use crate::ruleset::Rule;

/// Operators and filters of all rule sets that were compiled with it.
#[derive(Debug, Default)]
pub struct Interner {
    operators: Mutex<Shared<OperatorKey, Operator>>,
    sieves: Mutex<Vec<Weak<OperatorSieve>>>,
    /// Of selectors, by their text.
    patterns: Mutex<Shared<Vec<u8>, Pattern>>,
    templates: Mutex<Equals<Template>>,
    assignments: Mutex<Equals<SetVar>>,
    texts: Mutex<Equals<str>>,
    fields: Mutex<Equals<Fields>>,
    rules: Mutex<Equals<Rule>>,
}

/// All that an operator is made of. Data files count by what is in them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OperatorKey {
    name: OperatorName,
    argument: Vec<u8>,
    files: ReadFiles,
    step_limit: u64,
    http_bl_key: Option<Vec<u8>>,
}

/// Data files as they were read, so that an operator is made of what its key says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ReadFiles(Vec<(String, Result<Vec<u8>, String>)>);

impl DataFiles for ReadFiles {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or_else(|| Err(format!("`{name}` is not read")), |(_, text)| text.clone())
    }
}

impl Interner {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn operator(
        &self,
        name: OperatorName,
        argument: &[u8],
        options: &CompileOptions,
        files: &dyn DataFiles,
    ) -> Result<Arc<Operator>, CompileError> {
        // An argument over its limit is refused; it is not kept for that.
        if argument.len() > options.limits.argument_bytes_max {
            return Operator::compile(name, argument, options, files).map(Arc::new);
        }
        let named = matches!(name, OperatorName::PmFromFile | OperatorName::IpMatchFromFile);
        let names = String::from_utf8_lossy(argument);
        let names = names.split_ascii_whitespace().filter(|_| named);
        let read = ReadFiles(names.map(|file| (file.to_owned(), files.read(file))).collect());
        let key = OperatorKey {
            name,
            argument: argument.to_vec(),
            files: read.clone(),
            step_limit: options.pattern.step_limit,
            http_bl_key: options.http_bl_key.clone(),
        };
        locked(&self.operators).get_or_make(key, || Operator::compile(name, argument, options, &read))
    }

    /// A pattern that chooses members of a collection by their names.
    pub(crate) fn pattern(&self, source: &[u8]) -> Result<Arc<Pattern>, PatternError> {
        let options = PatternOptions { case_insensitive: true, ..PatternOptions::default() };
        locked(&self.patterns).get_or_make(source.to_vec(), || Pattern::new(source, options))
    }

    /// A text with macros.
    pub(crate) fn template(&self, template: &Template) -> Arc<Template> {
        locked(&self.templates).of(template, || Arc::new(template.clone()))
    }

    /// A `setvar`.
    pub(crate) fn assignment(&self, assignment: &SetVar) -> Arc<SetVar> {
        locked(&self.assignments).of(assignment, || Arc::new(assignment.clone()))
    }

    /// What RULE shows of a rule.
    pub(crate) fn fields(&self, fields: &Fields) -> Arc<Fields> {
        locked(&self.fields).of(fields, || Arc::new(fields.clone()))
    }

    /// A rule. Rule sets number the names that rules mention in the order in which they come to them: those that have the
    /// same files up to a rule have that rule in common, whatever comes behind.
    pub(crate) fn rule(&self, rule: Rule) -> Arc<Rule> {
        let rule = Arc::new(rule);
        locked(&self.rules).of(&rule, || rule.clone())
    }

    /// A text.
    pub(crate) fn text(&self, text: &str) -> Arc<str> {
        locked(&self.texts).of(text, || text.into())
    }

    /// A sieve for some distinct operators, and the number of each of them: the one that knows most of them, or a new one.
    pub(crate) fn sieve(&self, operators: &[SievedOperator]) -> (Arc<OperatorSieve>, Vec<u32>) {
        let mut known = locked(&self.sieves);
        let fit = |sieve: Arc<OperatorSieve>| {
            let (numbers, missing) = sieve.numbers_of(operators)?;
            Some((missing, sieve, numbers))
        };
        let fits = known.iter().filter_map(Weak::upgrade).filter_map(fit);
        if let Some((_, sieve, numbers)) = fits.min_by_key(|(missing, ..)| *missing) {
            return (sieve, numbers);
        }
        let sieve = Arc::new(OperatorSieve::new(operators));
        known.retain(|sieve| sieve.strong_count() > 0);
        known.push(Arc::downgrade(&sieve));
        let (numbers, _) = sieve.numbers_of(operators).expect("a sieve knows what it was made of");
        (sieve, numbers)
    }
}

/// Equal values, one of each, that live as long as somebody else holds them.
#[derive(Debug)]
struct Equals<T: ?Sized> {
    values: HashMap<u64, Vec<Weak<T>>, Hashed>,
    hasher: RandomState,
    /// As in [`Shared`].
    sweep_at: usize,
}

/// Keys are hashes already.
type Hashed = std::hash::BuildHasherDefault<rustc_hash::FxHasher>;

impl<T: ?Sized> Default for Equals<T> {
    fn default() -> Self {
        Self { values: HashMap::default(), hasher: RandomState::new(), sweep_at: SWEEP_AT_LEAST }
    }
}

impl<T: Hash + Eq + ?Sized> Equals<T> {
    /// The one that is equal to `value`, or a new one.
    fn of(&mut self, value: &T, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        if self.values.len() >= self.sweep_at {
            self.values.retain(|_, equal| {
                equal.retain(|value| value.strong_count() > 0);
                !equal.is_empty()
            });
            self.sweep_at = (self.values.len() * 2).max(SWEEP_AT_LEAST);
        }
        let known = self.values.entry(self.hasher.hash_one(value)).or_default();
        if let Some(equal) = known.iter().filter_map(Weak::upgrade).find(|known| **known == *value) {
            return equal;
        }
        let new = make();
        known.retain(|value| value.strong_count() > 0);
        known.push(Arc::downgrade(&new));
        new
    }
}

/// Values that live as long as somebody else holds them.
#[derive(Debug)]
struct Shared<K, V> {
    values: HashMap<K, Weak<V>>,
    /// With so many entries those whose value is gone are taken out.
    sweep_at: usize,
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), sweep_at: SWEEP_AT_LEAST }
    }
}

const SWEEP_AT_LEAST: usize = 1024;

impl<K: std::hash::Hash + Eq, V> Shared<K, V> {
    fn get_or_make<E>(&mut self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        if let Some(value) = self.values.get(&key).and_then(Weak::upgrade) {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        if self.values.len() >= self.sweep_at {
            self.values.retain(|_, value| value.strong_count() > 0);
            self.sweep_at = (self.values.len() * 2).max(SWEEP_AT_LEAST);
        }
        self.values.insert(key, Arc::downgrade(&value));
        Ok(value)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
