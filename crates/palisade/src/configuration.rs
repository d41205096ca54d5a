//! The configuration as a command was told it: a file, flags, or both; read, with its diagnostics shown.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use palisade_config::{Config, Diagnostic, File, Overrides, ProfileChange, Style, read_changed};
use palisade_seclang::Loader;

use crate::rules::{Warnings, plural};

/// What a command was told. Kept, because a reload reads it again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The configuration file.
    pub(crate) file: Option<PathBuf>,
    /// What flags say.
    pub(crate) overrides: Overrides,
}

/// A configuration as it was read, with all there is to say about it.
pub(crate) struct Reading {
    pub(crate) config: Option<Config>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    file: Option<(String, Vec<u8>)>,
}

impl Told {
    /// Reads it. The file comes through the loader, so that it can be watched.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub(crate) fn read(&self, loader: &dyn Loader) -> Result<Reading> {
        self.read_with(loader, None)
    }

    /// The same with a profile changed.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub(crate) fn read_with(
        &self,
        loader: &dyn Loader,
        change: Option<ProfileChange<'_>>,
    ) -> Result<Reading> {
        let file = match &self.file {
            None => None,
            Some(path) => {
                let name =
                    path.to_str().with_context(|| format!("--config `{}` is not UTF-8", path.display()))?;
                let text = loader.read(name).map_err(|error| match error.not_found {
                    true => anyhow::anyhow!("--config `{name}` does not exist"),
                    false => anyhow::anyhow!("--config `{name}` cannot be read: {error}"),
                })?;
                Some((name.to_owned(), text))
            }
        };
        let as_file = file.as_ref().map(|(name, text)| {
            let folder =
                name.rsplit_once('/').map_or("", |(folder, _)| if folder.is_empty() { "/" } else { folder });
            File { text, folder }
        });
        let read = read_changed(as_file, &self.overrides, change);
        Ok(Reading { config: read.config, diagnostics: read.diagnostics, file })
    }

    /// Reads it, shows what is wrong, and fails when it cannot be used.
    ///
    /// # Errors
    /// When there is no usable configuration.
    pub(crate) fn load(&self, loader: &dyn Loader) -> Result<Config> {
        let reading = self.read(loader)?;
        reading.show(Warnings::Shown);
        match reading.config {
            Some(config) => Ok(config),
            None => {
                let errors = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
                bail!("the configuration is not usable: {}", plural(errors, "error"))
            }
        }
    }
}

impl Reading {
    /// Shows what was found out later.
    pub(crate) fn show_also(&self, diagnostics: &[Diagnostic]) {
        self.render(diagnostics.iter());
    }

    /// Shows diagnostics on standard error.
    pub(crate) fn show(&self, warnings: Warnings) {
        let shown = |diagnostic: &&Diagnostic| diagnostic.is_error() || warnings == Warnings::Shown;
        self.render(self.diagnostics.iter().filter(shown));
    }

    fn render<'d>(&self, diagnostics: impl Iterator<Item = &'d Diagnostic>) {
        let style = if std::io::stderr().is_terminal() { Style::Color } else { Style::Plain };
        let file = self.file.as_ref().map(|(name, text)| (name.as_str(), text.as_slice()));
        for diagnostic in diagnostics {
            say!("{}", diagnostic.render(file, style).trim_end());
        }
    }
}
