//! What answers of services look like: their pages read from files, their header changes as the configuration has them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use palisade_config::{BlockPage, Config, FilePath, HeaderName, Headers, Name, Service};
use palisade_dataplane::{HeaderChanges, Page, Site};
use palisade_seclang::Loader;

/// Sites by service; `None` where answers go out as they are.
pub(crate) type Sites = HashMap<Name, Option<Arc<Site>>>;

/// Pages that were read for one configuration, by path: services share them.
pub(crate) struct Pages<'l> {
    loader: &'l dyn Loader,
    read: HashMap<(FilePath, Form), Result<Page, String>>,
}

/// What a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Html,
    Json,
}

impl<'l> Pages<'l> {
    pub(crate) fn new(loader: &'l dyn Loader) -> Self {
        Self { loader, read: HashMap::new() }
    }

    /// The site of a service.
    ///
    /// # Errors
    /// When one of its pages cannot be used.
    pub(crate) fn site_of(&mut self, config: &Config, service: &Service) -> Result<Option<Arc<Site>>> {
        let BlockPage { html, json } = service.block_page.as_ref().unwrap_or(&config.block_page);
        let mut page = |path: &Option<_>, form| -> Result<Option<Page>> {
            let path: &Option<palisade_config::Located<FilePath>> = path;
            path.as_ref().map(|path| self.page(path, form)).transpose()
        };
        let site = Site {
            html: page(html, Form::Html)?,
            json: page(json, Form::Json)?,
            headers: of_service(service),
            ..Site::default()
        };
        Ok((site != Site::default()).then(|| Arc::new(site)))
    }

    fn page(&mut self, path: &FilePath, form: Form) -> Result<Page> {
        let loader = self.loader;
        let read = self
            .read
            .entry((path.clone(), form))
            .or_insert_with(|| read(loader, path.as_str(), form).map_err(|error| format!("{error:#}")));
        match read {
            Ok(page) => Ok(page.clone()),
            Err(error) => bail!("blockPage `{path}`: {error}"),
        }
    }
}

fn read(loader: &dyn Loader, path: &str, form: Form) -> Result<Page> {
    let text = loader.read(path).context("it cannot be read")?;
    let page = Page::parse(&text)?;
    if form == Form::Json {
        // As a client would get it.
        serde_json::from_str::<serde_json::Value>(&page.render(403, "0f")).context("it is not JSON")?;
    }
    Ok(page)
}

fn of_service(service: &Service) -> HeaderChanges {
    let told = &service.response_headers;
    changes(&told.set, &told.add, &told.remove)
}

/// Changes to headers as they are configured.
pub(crate) fn changes(set: &Headers, add: &Headers, remove: &[HeaderName]) -> HeaderChanges {
    let pairs = |headers: &Headers| {
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect()
    };
    HeaderChanges {
        set: pairs(set),
        add: pairs(add),
        remove: remove.iter().map(|name| name.as_str().to_owned()).collect(),
    }
}
