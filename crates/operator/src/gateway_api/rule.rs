//! One rule of an HTTPRoute: which requests it takes, what becomes of them on their way, and where they go.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::objects::{
    Filter, Header, HeaderModifier, Match, NamedMatch, PathModifier, RequestRedirect, Rule,
};
use super::status::Wrong;
use crate::draft::Way;

/// What filters come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Shaped {
    request: HeaderModifier,
    response: HeaderModifier,
    host: Option<String>,
    path: Option<PathModifier>,
    pub(super) redirect: Option<RequestRedirect>,
    /// Group, kind and name of what inspects.
    pub(super) extension: Option<(String, String, String)>,
}

impl Shaped {
    /// Reads filters, after those of the rule where they are a backend's.
    ///
    /// # Errors
    /// Why the route cannot be accepted.
    pub(super) fn of(filters: &[Filter], before: Option<&Self>) -> Result<Self, Wrong> {
        let mut shaped = before.cloned().unwrap_or_default();
        let mut seen = Vec::new();
        for filter in filters {
            let kind = filter.kind.as_str();
            if seen.contains(&kind) && kind != "ExtensionRef" {
                return Err(("IncompatibleFilters", format!("{kind} stands there twice")));
            }
            seen.push(kind);
            match kind {
                "RequestHeaderModifier" => {
                    shaped.request.extend(needed(kind, &filter.request_header_modifier)?)
                }
                "ResponseHeaderModifier" => {
                    shaped.response.extend(needed(kind, &filter.response_header_modifier)?)
                }
                "RequestRedirect" if before.is_none() => {
                    shaped.redirect = Some(needed(kind, &filter.request_redirect)?.clone());
                }
                "URLRewrite" if before.is_none() => {
                    let rewrite = needed(kind, &filter.url_rewrite)?;
                    shaped.host.clone_from(&rewrite.hostname);
                    shaped.path.clone_from(&rewrite.path);
                }
                "ExtensionRef" => {
                    let named = needed(kind, &filter.extension_ref)?;
                    let text = |field: &Option<String>| field.clone().unwrap_or_default();
                    let extension = (text(&named.group), text(&named.kind), named.name.clone());
                    if shaped.extension.replace(extension).is_some() {
                        return Err((
                            "IncompatibleFilters",
                            "one profile inspects a request, not two".to_owned(),
                        ));
                    }
                }
                other => {
                    return Err(("UnsupportedValue", format!("filters of type {other} are not known here")));
                }
            }
        }
        if shaped.redirect.is_some() && (shaped.host.is_some() || shaped.path.is_some()) {
            return Err(("IncompatibleFilters", "RequestRedirect beside URLRewrite".to_owned()));
        }
        Ok(shaped)
    }

    /// The same, inspected by what says more.
    pub(super) fn without_extension(&self) -> Self {
        Self { extension: None, ..self.clone() }
    }

    /// Puts what filters say into a service.
    pub(super) fn shape(&self, service: &mut Value, way: &Way) -> Result<(), Wrong> {
        let mut request = self.request.clone();
        let mut rewrite = Map::new();
        // The one header that says whom a request is for.
        let host = request.set.iter().find(|header| header.name.eq_ignore_ascii_case("host"));
        if let Some(host) = self.host.clone().or_else(|| host.map(|header| header.value.clone())) {
            rewrite.insert("host".to_owned(), json!(host));
        }
        request.set.retain(|header| !header.name.eq_ignore_ascii_case("host"));
        if let Some(path) = &self.path {
            rewrite.insert("path".to_owned(), changed(path, way)?);
        }
        if !rewrite.is_empty() {
            service["rewrite"] = Value::Object(rewrite);
        }
        for (key, modifier) in [("requestHeaders", &request), ("responseHeaders", &self.response)] {
            let value = modifier.configured();
            if !value.is_empty() {
                service[key] = Value::Object(value);
            }
        }
        Ok(())
    }

    /// The answer of a rule that sends elsewhere. `port` is the listener's.
    pub(super) fn elsewhere(
        &self,
        redirect: &RequestRedirect,
        way: &Way,
        secured: bool,
        port: u16,
    ) -> Result<Value, Wrong> {
        let own = if secured { "https" } else { "http" };
        let scheme = redirect.scheme.as_deref().unwrap_or(own);
        let usual = if scheme == "https" { 443 } else { 80 };
        // Of another scheme the usual port, unless one is written; else the listener's.
        let port = redirect.port.unwrap_or(if redirect.scheme.is_some() { usual } else { port });
        let mut moved = json!({"scheme": scheme, "port": port});
        if let Some(host) = &redirect.hostname {
            moved["host"] = json!(host);
        }
        if let Some(path) = &redirect.path {
            moved["path"] = changed(path, way)?;
        }
        let mut service = json!({"answer": {"status": redirect.status_code.unwrap_or(302), "moved": moved}});
        let response = self.response.configured();
        if !response.is_empty() {
            service["responseHeaders"] = Value::Object(response);
        }
        Ok(service)
    }
}

impl HeaderModifier {
    fn extend(&mut self, more: &Self) {
        self.set.extend_from_slice(&more.set);
        self.add.extend_from_slice(&more.add);
        self.remove.extend_from_slice(&more.remove);
    }

    fn configured(&self) -> Map<String, Value> {
        let pairs = |headers: &[Header]| -> Map<String, Value> {
            headers.iter().map(|header| (header.name.clone(), json!(header.value))).collect()
        };
        let mut value = Map::new();
        for (key, headers) in [("set", &self.set), ("add", &self.add)] {
            if !headers.is_empty() {
                value.insert(key.to_owned(), Value::Object(pairs(headers)));
            }
        }
        if !self.remove.is_empty() {
            value.insert("remove".to_owned(), json!(self.remove));
        }
        value
    }
}

fn needed<'f, T>(kind: &str, field: &'f Option<T>) -> Result<&'f T, Wrong> {
    field.as_ref().ok_or_else(|| ("UnsupportedValue", format!("a filter of type {kind} without its field")))
}

fn changed(path: &PathModifier, way: &Way) -> Result<Value, Wrong> {
    let slashed = |text: &str| if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    match (path.kind.as_str(), &path.replace_full_path, &path.replace_prefix_match) {
        ("ReplaceFullPath", Some(to), _) => Ok(json!({"to": slashed(to)})),
        ("ReplacePrefixMatch", _, Some(_)) if way.exact => {
            Err(("IncompatibleFilters", "ReplacePrefixMatch needs a match of type PathPrefix".to_owned()))
        }
        ("ReplacePrefixMatch", _, Some(to)) => Ok(json!({"prefix": way.path, "to": slashed(to)})),
        (other, ..) => Err(("UnsupportedValue", format!("paths are not changed by {other}"))),
    }
}

/// Which requests a rule takes, but for their hosts.
///
/// # Errors
/// Why the route cannot be accepted.
pub(super) fn ways(rule: &Rule) -> Result<Vec<Way>, Wrong> {
    let all = [Match::default()];
    let matches = if rule.matches.is_empty() { &all[..] } else { &rule.matches };
    matches.iter().map(way).collect()
}

fn way(told: &Match) -> Result<Way, Wrong> {
    let unknown = |what: &str, kind: &str| ("UnsupportedValue", format!("{what} are not matched by {kind}"));
    let (kind, path) = match &told.path {
        Some(path) => (path.kind.as_deref().unwrap_or("PathPrefix"), path.value.as_deref().unwrap_or("/")),
        None => ("PathPrefix", "/"),
    };
    let exact = match kind {
        "Exact" => true,
        "PathPrefix" => false,
        other => return Err(unknown("paths", other)),
    };
    let named = |what: &str, all: &[NamedMatch], lower: bool| {
        let mut wanted = BTreeMap::new();
        for one in all {
            if !matches!(one.kind.as_deref(), None | Some("Exact")) {
                return Err(unknown(what, one.kind.as_deref().unwrap_or_default()));
            }
            let name = if lower { one.name.to_ascii_lowercase() } else { one.name.clone() };
            // Of equal names the first counts.
            wanted.entry(name).or_insert_with(|| one.value.clone());
        }
        Ok(wanted)
    };
    Ok(Way {
        host: String::new(),
        path: path.to_owned(),
        exact,
        method: told.method.clone(),
        headers: named("headers", &told.headers, true)?,
        query: named("arguments", &told.query_params, false)?,
        more: Map::new(),
    })
}

/// How long a response may take, where a rule says so.
///
/// # Errors
/// Why the route cannot be accepted.
pub(super) fn response_time(rule: &Rule) -> Result<Option<String>, Wrong> {
    let Some(told) = &rule.timeouts else { return Ok(None) };
    let times = [told.request.as_deref(), told.backend_request.as_deref()].into_iter().flatten();
    let mut shortest: Option<u64> = None;
    for text in times {
        let millis = milliseconds(text)
            .ok_or_else(|| ("UnsupportedValue", format!("`{}` is no time", text.escape_debug())))?;
        // Zero is no bound.
        if millis > 0 {
            shortest = Some(shortest.map_or(millis, |before| before.min(millis)));
        }
    }
    Ok(shortest.map(|millis| format!("{millis}ms")))
}

/// `1h30m`, `10s`, `500ms`: up to four numbers of up to five digits, as GEP-2257 has it.
fn milliseconds(text: &str) -> Option<u64> {
    let (mut rest, mut all) = (text, 0u64);
    while !rest.is_empty() {
        let digits =
            rest.find(|char: char| !char.is_ascii_digit()).filter(|digits| (1..=5).contains(digits))?;
        let number: u64 = rest[..digits].parse().ok()?;
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let (unit, factor) = units.into_iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        all = all.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[digits + unit.len()..];
    }
    (!text.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_api() {
        for (text, expected) in [
            ("10s", Some(10_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("s", None),
            ("1.5s", None),
            ("123456s", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
