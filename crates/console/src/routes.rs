//! Every path of an admin address in one table: what it is, how it may be asked and by whom, in the words that
//! `/api/v1/openapi.json` describes it with.
//!
//! The router, answers to wrong methods and unknown parameters, roles and the description are all made of this table, so
//! that none of them can tell another story. Not here: what is answered (`answer`, `api`).

mod table;

use crate::answer::Page;
use crate::api::request::unescaped;

pub(crate) use self::table::ROUTES;

/// A path, and what may be asked of it.
#[derive(Debug)]
pub(crate) struct Route {
    /// As a description writes it: `{name}` stands for one segment.
    pub(crate) path: &'static str,
    /// What it is, by the texts that stand for its `{...}`; none where those are nothing that we know.
    page: fn(&[String]) -> Option<Page>,
    /// How it may be asked.
    pub(crate) operations: &'static [Operation],
}

/// One way to ask a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// In capitals. `GET` stands for `HEAD` as well.
    pub(crate) method: &'static str,
    /// What it does, in a few words.
    pub(crate) summary: &'static str,
    /// Parameters of the query; others are refused below `/api/`.
    pub(crate) query: &'static [Parameter],
    /// What the body says; none where none is read.
    pub(crate) body: Option<&'static str>,
    /// What comes back with 200.
    pub(crate) answer: &'static str,
    /// The media type of that.
    pub(crate) media_type: &'static str,
    /// Who may.
    pub(crate) asks: Role,
}

/// A parameter of a query: its name and what it means.
pub(crate) type Parameter = (&'static str, &'static str);

/// Who somebody is to us. Each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Anybody who reaches the address.
    Anybody,
    /// Reads, and asks what would be.
    Viewer,
    /// Changes as well.
    Operator,
}

impl Role {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

impl Route {
    /// The route of a path, and what the path is.
    pub(crate) fn of(path: &str) -> Option<(&'static Self, Page)> {
        ROUTES.iter().find_map(|route| Some((route, (route.page)(&captured(route.path, path)?)?)))
    }

    /// How a method asks it.
    pub(crate) fn operation(&self, method: &str) -> Option<&'static Operation> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.operations.iter().find(|operation| operation.method == method)
    }

    /// Its methods, as `Allow` lists them.
    pub(crate) fn methods(&self) -> String {
        let named = self.operations.iter().map(|operation| operation.method);
        let named = named.map(|method| if method == "GET" { "GET, HEAD" } else { method });
        named.collect::<Vec<_>>().join(", ")
    }
}

impl Operation {
    const fn get(summary: &'static str, query: &'static [Parameter], answer: &'static str) -> Self {
        let (method, asks) = ("GET", Role::Viewer);
        Self { method, summary, query, body: None, answer, media_type: "application/json", asks }
    }

    const fn change(
        method: &'static str,
        summary: &'static str,
        query: &'static [Parameter],
        body: Option<&'static str>,
        answer: &'static str,
    ) -> Self {
        let asks = Role::Operator;
        Self { method, summary, query, body, answer, media_type: "application/json", asks }
    }

    /// The same for another role.
    const fn by(self, asks: Role) -> Self {
        Self { asks, ..self }
    }

    /// The same with an answer that is no JSON.
    const fn speaks(self, media_type: &'static str) -> Self {
        Self { media_type, ..self }
    }
}

/// The texts that stand for the `{...}` of a path, where it is like that.
fn captured(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut parts, mut segments) = (pattern.split('/'), path.split('/'));
    let mut captured = Vec::new();
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return Some(captured),
            (Some(part), Some(segment)) if part.starts_with('{') => captured.push(unescaped(segment)?),
            (Some(part), Some(segment)) if part == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_told_apart_before_they_are_unescaped() {
        let names = |path| captured("/api/v1/services/{name}/mode", path);
        assert_eq!(names("/api/v1/services/web/mode"), Some(vec!["web".to_owned()]));
        assert_eq!(names("/api/v1/services/a%2Fb/mode"), Some(vec!["a/b".to_owned()]));
        for other in ["/api/v1/services/mode", "/api/v1/services/a/b/mode", "/api/v1/services/%zz/mode", "/"]
        {
            assert_eq!(names(other), None, "{other}");
        }
    }

    #[test]
    fn no_path_stands_there_twice_and_no_change_is_open_to_anybody() {
        for (at, route) in ROUTES.iter().enumerate() {
            assert!(ROUTES[..at].iter().all(|before| before.path != route.path), "{}", route.path);
            assert!(!route.operations.is_empty(), "{}", route.path);
        }
        assert!(Route::of("/api/v1/lists/changes").is_some_and(|(route, _)| !route.path.contains('{')));
        assert!(Route::of("/api/v1/lists/other").is_none());
    }
}
