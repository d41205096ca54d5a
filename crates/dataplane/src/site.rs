//! What a service wants its answers to look like: pages for blocked requests, changes to headers.

use std::borrow::Cow;
use std::sync::Arc;

use palisade_http::normal_path;
use palisade_inspect::path_is_below;
use palisade_model::reason_phrase;

/// The look of a service's answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The page of a blocked request, for browsers; ours when `None`.
    pub html: Option<Page>,
    /// The same for clients that want JSON.
    pub json: Option<Page>,
    /// Changes to headers.
    pub headers: HeaderChanges,
    /// Further changes, of answers to requests below some paths; everywhere where there are none.
    pub below: Vec<(Vec<String>, HeaderChanges)>,
}

impl Site {
    /// The look of the answer to a request for a path, which is given as it was sent.
    pub(crate) fn at(self: Arc<Self>, path: &[u8]) -> Arc<Self> {
        if self.below.is_empty() {
            return self;
        }
        // A path without a normal form is below nothing.
        let path: Option<Cow<'_, [u8]>> = normal_path(path);
        let holds = |paths: &[String]| {
            paths.is_empty() || path.as_ref().is_some_and(|path| path_is_below(path, paths))
        };
        let mut headers = self.headers.clone();
        for (_, changes) in self.below.iter().filter(|(paths, _)| holds(paths)) {
            // The later of two that set one header has the word.
            headers.set.retain(|(name, _)| !changes.drops(name.as_bytes()));
            headers.add.retain(|(name, _)| !changes.drops(name.as_bytes()));
            headers.set.extend_from_slice(&changes.set);
            headers.add.extend_from_slice(&changes.add);
            headers.remove.extend_from_slice(&changes.remove);
        }
        Arc::new(Self { html: self.html.clone(), json: self.json.clone(), headers, below: Vec::new() })
    }
}

/// A page with places for what is known only then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    parts: Arc<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    RequestId,
    Status,
    Reason,
}

/// Why a file is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It is too large: it is held in memory and sent to attackers.
    #[error("it has {bytes} bytes; a page has at most {PAGE_BYTES_MAX}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// It is not UTF-8, which its Content-Type promises.
    #[error("it is not UTF-8 (byte {at})")]
    NotUtf8 {
        /// Where the first wrong byte is.
        at: usize,
    },
    /// A placeholder that is none.
    #[error(
        "line {line}: there is no `{{{{{name}}}}}`; a page may hold {{{{request_id}}}}, {{{{status}}}} and {{{{reason}}}}"
    )]
    Placeholder {
        /// Its name.
        name: String,
        /// Its line, from 1.
        line: usize,
    },
}

/// Bytes of a page.
pub const PAGE_BYTES_MAX: usize = 64 * 1024;

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &[u8]) -> Result<Self, PageError> {
        if text.len() > PAGE_BYTES_MAX {
            return Err(PageError::TooLarge { bytes: text.len() });
        }
        let text =
            std::str::from_utf8(text).map_err(|error| PageError::NotUtf8 { at: error.valid_up_to() })?;
        let mut parts: Vec<Part> = Vec::new();
        let (mut rest, mut plain) = (text, String::new());
        while let Some((before, after)) = rest.split_once("{{") {
            plain.push_str(before);
            let Some((name, behind)) = after.split_once("}}").filter(|(name, _)| is_name(name.trim())) else {
                // Braces of a style sheet or a script.
                plain.push_str("{{");
                rest = after;
                continue;
            };
            let part = match name.trim() {
                "request_id" => Part::RequestId,
                "status" => Part::Status,
                "reason" => Part::Reason,
                name => {
                    let line = 1 + text[..text.len() - after.len()].matches('\n').count();
                    return Err(PageError::Placeholder { name: name.to_owned(), line });
                }
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(part);
            rest = behind;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self { parts: parts.into() })
    }

    /// Whether it shows the request's id, by which a person finds it in the logs.
    pub fn shows_request_id(&self) -> bool {
        self.parts.contains(&Part::RequestId)
    }

    /// The page of an answer.
    pub fn render(&self, status: u16, request_id: &str) -> String {
        let mut out = String::new();
        for part in self.parts.iter() {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::RequestId => out.push_str(request_id),
                Part::Status => out.push_str(&status.to_string()),
                Part::Reason => out.push_str(reason_phrase(status)),
            }
        }
        out
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Changes to the headers of a response. Names and values are those of a header; none frames a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// In place of those that are there.
    pub set: Vec<(String, String)>,
    /// Beside those that are there.
    pub add: Vec<(String, String)>,
    /// Taken away.
    pub remove: Vec<String>,
}

impl HeaderChanges {
    /// Whether a header that is there goes.
    pub(crate) fn drops(&self, name: &[u8]) -> bool {
        let set = self.set.iter().map(|(name, _)| name);
        self.remove.iter().chain(set).any(|gone| name.eq_ignore_ascii_case(gone.as_bytes()))
    }

    /// Those that come.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().chain(&self.add).map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_and_other_braces_stay() {
        let page = Page::parse(b"<style>a{{b}\n</style>{{request_id}} {{ status }} {{reason}}{{").unwrap();
        assert_eq!(page.render(403, "0f"), "<style>a{{b}\n</style>0f 403 Forbidden{{");
        assert!(page.shows_request_id() && !Page::parse(b"x").unwrap().shows_request_id());
        assert_eq!(Page::parse(b"").unwrap().render(403, "0f"), "");
        assert_eq!(Page::parse(b"{{{{request_id}}}}").unwrap().render(403, "0f"), "{{0f}}");
    }

    #[test]
    fn what_is_no_page_says_why() {
        for (text, said) in [
            (&b"a\n\xff"[..], "it is not UTF-8 (byte 2)"),
            (
                b"a\nb {{requestid}}",
                "line 2: there is no `{{requestid}}`; a page may hold {{request_id}}, {{status}} and {{reason}}",
            ),
            (&[b'a'; PAGE_BYTES_MAX + 1], "it has 65537 bytes; a page has at most 65536"),
        ] {
            assert_eq!(Page::parse(text).unwrap_err().to_string(), said);
        }
    }
}
