//! `/api/v1/events`, `/api/v1/events/{id}`, `/api/v1/alerts/fired` and `/api/v1/stream`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http_body_util::Either;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use palisade_events::query::{Query, moment, parse};
use palisade_events::store::{Cursor, Filter, Order, Page, Table};
use palisade_model::EventId;

use super::request::Parameters;
use super::{Refused, bad, time};
use crate::allowance::Allowance;
use crate::answer::{Answer, JSON, respond};
use crate::control::Dismissal;
use crate::records::Records;
use crate::stream::{ConnectionLife, push};

/// Bytes of the events of a page, about: further ones are on the next.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Events that somebody missed and is sent when coming again.
const MISSED_MAX: usize = 1000;

/// A page as JSON, the newest first.
pub(super) async fn page(parameters: Parameters, records: &Arc<Records>) -> Result<String, Refused> {
    let text = parameters.one("text")?;
    let (query, words) = asked(parameters.one("q")?, text)?;
    let filter = Filter {
        service: owned(&parameters, "service")?,
        dataplane: owned(&parameters, "dataplane")?,
        kind: owned(&parameters, "kind")?,
        action: owned(&parameters, "action")?,
        source: owned(&parameters, "source")?,
        attack: owned(&parameters, "attack")?,
        rule: parameters.parsed("rule", "the number of a rule")?,
        text: words,
        query,
        ..range(&parameters)?
    };
    newest(filter, &parameters, records).await
}

/// A page of alerts that fired, the newest first, and which of them were put aside.
pub(super) async fn fired(
    parameters: Parameters,
    dismissals: BTreeMap<String, Dismissal>,
    records: &Arc<Records>,
) -> Result<String, Refused> {
    let origin = parameters.one("name")?.map(|name| {
        let quote = if name.contains('"') { '\'' } else { '"' };
        parse(&format!("origin = {quote}{name}{quote}")).map_err(|_| bad("`name` is no name of an alert"))
    });
    let wanted = match parameters.one("dismissed")? {
        None | Some("all") => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(_) => return Err(bad("`dismissed` is yes, no or all")),
    };
    let filter = Filter {
        kind: Some(palisade_events::alerts::ALERT_KIND.to_owned()),
        query: origin.transpose()?.unwrap_or_default(),
        ..range(&parameters)?
    };
    let mut page = found(filter, &parameters, records).await?;
    let is_dismissed = |id: EventId| dismissals.contains_key(&id.to_string());
    page.items.retain(|record| wanted.is_none_or(|wanted| is_dismissed(record.id) == wanted));
    let here = page.items.iter().map(|record| record.id.to_string());
    let here: BTreeMap<String, &Dismissal> =
        here.filter_map(|id| dismissals.get(&id).map(|dismissal| (id, dismissal))).collect();
    let here = serde_json::to_string(&here).expect("texts and numbers are JSON");
    let mut text = shown(page);
    text.truncate(text.len() - 1);
    Ok(format!("{text},\"dismissed\":{here}}}"))
}

async fn newest(filter: Filter, parameters: &Parameters, records: &Arc<Records>) -> Result<String, Refused> {
    found(filter, parameters, records).await.map(shown)
}

async fn found(filter: Filter, parameters: &Parameters, records: &Arc<Records>) -> Result<Page, Refused> {
    let after: Option<Cursor> = parameters.parsed("cursor", "the `next` of a page")?;
    let limit = parameters.limit()?;
    records.read(move |store| store.page(Table::Events, &filter, Order::NewestFirst, after, limit)).await
}

/// Records are JSON already.
fn shown(page: Page) -> String {
    let mut text = String::from("{\"items\":[");
    let mut next = page.next;
    for (number, record) in page.items.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&record.json);
        // No cursor stands between records that share a row.
        let goes_on = page.places.get(number + 1).is_some_and(|next| *next != page.places[number]);
        if text.len() > PAGE_BYTES_MAX && goes_on {
            next = Some(page.places[number]);
            break;
        }
    }
    text.push_str("],\"next\":");
    match next {
        Some(next) => text.push_str(&format!("\"{next}\"")),
        None => text.push_str("null"),
    }
    text.push('}');
    text
}

/// One event as JSON.
pub(super) async fn event(id: EventId, records: &Arc<Records>) -> Result<String, Refused> {
    let found = records.read(move |store| store.event(id)).await?;
    let none =
        || (StatusCode::NOT_FOUND, format!("there is no event {id}: it may have been too old to keep"));
    Ok(found.ok_or_else(none)?.json.into())
}

/// What it takes to let the request of an event pass.
pub(super) async fn allowance(id: EventId, records: &Arc<Records>) -> Result<String, Refused> {
    let event: serde_json::Value = serde_json::from_str(&event(id, records).await?).unwrap_or_default();
    Ok(serde_json::to_string(&Allowance::of(&event)).expect("texts and numbers are JSON"))
}

/// A stream of what comes, and of what was missed since the event that `Last-Event-ID` names.
pub(super) async fn stream(
    headers: &HeaderMap,
    life: Arc<ConnectionLife>,
    records: &Arc<Records>,
) -> Result<Answer, Refused> {
    let last = match headers.get("last-event-id") {
        None => None,
        Some(id) => {
            let id = id.to_str().ok().and_then(EventId::parse);
            Some(id.ok_or_else(|| bad("`Last-Event-ID` is the id of an event"))?)
        }
    };
    let many = || {
        let why = "too many listen already: close one, or ask /api/v1/events";
        (StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
    };
    // Before the store is asked: what comes in between is sent twice rather than never.
    let (mut listening, went_on) = records.listeners.listen(life, last).ok_or_else(many)?;
    if let Some(last) = last.filter(|_| !went_on && records.keeps()) {
        let filter = Filter::default();
        let missed = records
            .read(move |store| {
                let after = Some(store.before(last)?);
                store.page(Table::Events, &filter, Order::OldestFirst, after, MISSED_MAX)
            })
            .await?;
        let mut text = String::new();
        missed.items.iter().filter(|record| record.id != last).for_each(|record| push(record, &mut text));
        if let (Some(_), Some(last)) = (missed.next, missed.items.last()) {
            text.push_str(&format!("event: gap\ndata: {{\"after\":\"{}\"}}\n\n", last.id));
        }
        listening.begin_with(text);
    }
    let mut answer = respond(StatusCode::OK, JSON, "").map(|_| Either::Right(listening));
    let headers = answer.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// From when until when.
pub(super) fn range(parameters: &Parameters) -> Result<Filter, Refused> {
    let now = time::now().0;
    let at = |name: &str| {
        let read = |text: &str| moment(text, now).map_err(|error| bad(format!("`{name}`: {error}")));
        parameters.one(name)?.map(read).transpose()
    };
    Ok(Filter { from_unix_millis: at("from")?, to_unix_millis: at("to")?, ..Filter::default() })
}

pub(super) fn owned(parameters: &Parameters, name: &str) -> Result<Option<String>, Refused> {
    Ok(parameters.one(name)?.filter(|value| !value.is_empty()).map(str::to_owned))
}

/// `q` is a question in the query language, or words where it has nothing of the language in it. `text` is words always.
fn asked(q: Option<&str>, text: Option<&str>) -> Result<(Query, Option<String>), Refused> {
    let words = text.filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let Some(q) = q.filter(|q| !q.trim().is_empty()) else { return Ok((Query::all(), words)) };
    match parse(q) {
        Ok(query) => Ok((query, words)),
        Err(_) if words.is_none() && !is_question(q) => Ok((Query::all(), Some(q.to_owned()))),
        Err(error) => {
            let why = format!("`q`: {} at column {}; {}", error.message, error.at + 1, error.help);
            Err(bad(why))
        }
    }
}

/// Whether it was meant in the query language.
fn is_question(q: &str) -> bool {
    q.contains(['=', '<', '>', '{', '"', '\''])
        || q.split_whitespace()
            .any(|word| ["in", "notin", "empty"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_words_or_a_question_and_a_broken_question_is_said() {
        let (query, words) = asked(Some("union select"), None).unwrap();
        assert!(query.expr().is_none() && words.as_deref() == Some("union select"));
        let (query, words) = asked(Some("status >= 400"), Some("evil")).unwrap();
        assert!(query.expr().is_some() && words.as_deref() == Some("evil"));
        let (status, why) = asked(Some("status >"), None).unwrap_err();
        assert!(status == StatusCode::BAD_REQUEST && why.contains("column"), "{why}");
        assert_eq!(asked(Some(" "), None).unwrap().1, None);
    }
}
