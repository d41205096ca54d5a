//! Specifications of services' APIs: read from their files, the last good one of each service kept.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_config::{Config, Diagnostic, Name, OpenApi, Service, Style};
use palisade_inspect::{Enforcement, Specification, SpecificationRead, read_specification};
use palisade_seclang::Loader;

use crate::files::FileSystem;
use crate::rules::{Warnings, plural};
use crate::watch::{Digest, Seen, Watched};

/// Specifications by service.
pub(crate) type Specifications = HashMap<Name, Specified>;

/// A specification, enforced as its service says.
#[derive(Clone, Debug)]
pub(crate) struct Specified {
    pub(crate) enforcement: Enforcement,
    /// Of the file that it was read from.
    pub(crate) digest: Digest,
}

/// Reads specifications, and remembers the last good ones.
#[derive(Debug, Default)]
pub(crate) struct SpecificationFiles {
    good: HashMap<Name, Good>,
    /// What was read for those that are good, so that nothing is compiled again that has not changed.
    read: HashMap<(String, Option<String>), (Seen, Good)>,
    seen: Seen,
    /// Warnings that were shown.
    warned: BTreeSet<String>,
}

/// What a file held when it was good.
type Good = (Arc<Specification>, Digest);

impl SpecificationFiles {
    /// Reads all that a configuration names. What is wrong with some comes back by service; those stay as they were, and one
    /// that never was is missing from the result.
    pub(crate) fn load(&mut self, config: &Config) -> (Specifications, Vec<(Name, String)>) {
        let (mut made, mut wrong) = (Specifications::new(), Vec::new());
        let mut read = HashMap::new();
        self.seen = Seen::default();
        for service in &config.services {
            let Some(told) = &service.openapi else { continue };
            let name = (*service.name).clone();
            let key = key(told);
            let specification = match read.get(&key) {
                Some((_, good)) => Ok(Good::clone(good)),
                None => self.specification(told, &key).map(|(seen, good)| {
                    read.insert(key.clone(), (seen, good.clone()));
                    good
                }),
            };
            match specification {
                Ok(specification) => {
                    self.good.insert(name.clone(), specification);
                }
                Err(error) => wrong.push((name.clone(), format!("{error:#}"))),
            }
            if let Some((specification, digest)) = self.good.get(&name) {
                let enforcement = Enforcement::new(specification.clone(), told);
                made.insert(name, Specified { enforcement, digest: *digest });
            }
        }
        let specified = config.services.iter().filter(|service| service.openapi.is_some());
        let specified: HashSet<&Name> = specified.map(|service| &*service.name).collect();
        self.good.retain(|name, _| specified.contains(name));
        self.read = read;
        (made, wrong)
    }

    fn specification(&mut self, told: &OpenApi, key: &(String, Option<String>)) -> Result<(Seen, Good)> {
        if let Some((seen, good)) = self.read.get(key)
            && seen.now(&FileSystem) == *seen
        {
            self.seen.add(seen);
            return Ok((seen.clone(), good.clone()));
        }
        let watched = Watched::new(&FileSystem);
        let read = read(told, &watched);
        let digest = watched.digest();
        let seen = watched.into_seen();
        self.seen.add(&seen);
        let (text, read) = read?;
        let errors = show(told, &text, &read.diagnostics, &mut self.warned, Warnings::Shown);
        match read.specification {
            Some(specification) => Ok((seen, (Arc::new(specification), digest))),
            None => bail!("the specification `{}` is not usable: {}", *told.file, plural(errors, "error")),
        }
    }

    /// What was read, for a watcher.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

/// Shows what is wrong with the specification of a service, if it has one. Whether nothing is; of warnings that is `strict`'s
/// to say.
pub(crate) fn is_clean(service: &Service, strict: bool) -> Result<Option<(bool, String)>> {
    let Some(told) = &service.openapi else { return Ok(None) };
    let (text, read) = match read(told, &FileSystem) {
        Ok(read) => read,
        Err(error) => {
            say!("error: service {}: {error:#}", *service.name);
            return Ok(Some((false, format!("the specification `{}` is not usable", *told.file))));
        }
    };
    let errors = show(told, &text, &read.diagnostics, &mut BTreeSet::new(), Warnings::Shown);
    let warnings = read.diagnostics.len() - errors;
    let total = format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"));
    let line = match &read.specification {
        Some(specification) => format!(
            "the specification `{}` of service {} is usable ({}): {total}",
            *told.file,
            *service.name,
            plural(specification.operations(), "operation")
        ),
        None => {
            format!("the specification `{}` of service {} is not usable: {total}", *told.file, *service.name)
        }
    };
    Ok(Some((read.specification.is_some() && (warnings == 0 || !strict), line)))
}

/// A specification that a flag names, every breach blocking.
///
/// # Errors
/// When it cannot be used; what is wrong was shown then.
pub(crate) fn named(file: &Path) -> Result<Enforcement> {
    let file = file.to_str().with_context(|| format!("--openapi `{}` is not UTF-8", file.display()))?;
    let told = OpenApi::of_file(file).with_context(|| format!("--openapi `{file}` is no path"))?;
    let (text, read) = read(&told, &FileSystem)?;
    let errors = show(&told, &text, &read.diagnostics, &mut BTreeSet::new(), Warnings::Shown);
    match read.specification {
        Some(specification) => Ok(Enforcement::new(Arc::new(specification), &told)),
        None => bail!("the specification `{file}` is not usable: {}", plural(errors, "error")),
    }
}

fn key(told: &OpenApi) -> (String, Option<String>) {
    (told.file.as_str().to_owned(), told.base_path.as_ref().map(|path| path.as_str().to_owned()))
}

fn read(told: &OpenApi, loader: &dyn Loader) -> Result<(Vec<u8>, SpecificationRead)> {
    let file = told.file.as_str();
    let text = loader.read(file).map_err(|error| match error.not_found {
        true => anyhow!("the specification `{file}` does not exist"),
        false => anyhow!("the specification `{file}` cannot be read: {error}"),
    })?;
    let base = told.base_path.as_ref().map(|path| path.as_str());
    let read = read_specification(&text, base);
    Ok((text, read))
}

/// Shows diagnostics, warnings once. How many are errors.
fn show(
    told: &OpenApi,
    text: &[u8],
    diagnostics: &[Diagnostic],
    warned: &mut BTreeSet<String>,
    warnings: Warnings,
) -> usize {
    let style = if std::io::stderr().is_terminal() { Style::Color } else { Style::Plain };
    for diagnostic in diagnostics {
        let rendered = diagnostic.render(Some((told.file.as_str(), text)), style);
        if diagnostic.is_error() || warnings == Warnings::Shown && warned.insert(rendered.clone()) {
            say!("{}", rendered.trim_end());
        }
    }
    diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count()
}
