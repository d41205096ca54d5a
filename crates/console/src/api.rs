//! `/api/v1/...`: what is in force, what has happened, and changes. Pages are `{"items": [...], "next": cursor or null}`;
//! errors are `{"error": "..."}`.

mod alerts;
mod entries;
mod events;
mod exceptions;
mod graph;
mod inventory;
mod policy_hits;
mod policy_suggestions;
mod replays;
pub(crate) mod request;
mod stats;
mod time;
mod tuning;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use palisade_lists::{EntryId, Listing, Query, Subject};
use palisade_model::{EventId, Mode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::request::{Parameters, read_body};
use crate::answer::{Answer, JSON, respond};
use crate::control::{Author, Control, ControlError};
use crate::records::Records;
use crate::routes::Operation;
use crate::stream::ConnectionLife;

/// A path of this API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Services,
    Mode(String),
    Exceptions(String),
    Exception(String, u64),
    List(Listing),
    ListChanges,
    Replays,
    Replay(u64),
    Dismissals,
    Alerts,
    Alert(String),
    OfEvents(OfEvents),
}

/// What is read from events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OfEvents {
    Page,
    One(EventId),
    Allowance(EventId),
    Tuning(String),
    Inventory(String),
    InventoryDocument(String),
    FiredAlerts,
    PolicyHits,
    PolicySuggestions,
    Stats,
    Graph,
    Stream,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// The address of a client.
    pub(crate) from: std::net::SocketAddr,
    /// Who logged in, where somebody did.
    pub(crate) user: Option<String>,
}

/// Why a request is not served.
pub(crate) type Refused = (StatusCode, String);

/// Changes at a time: each holds its body in memory.
static CHANGES: Semaphore = Semaphore::const_new(2);

/// Answers a request that the guard let in.
pub(crate) async fn answer(
    request: Request<Incoming>,
    resource: Resource,
    operation: &'static Operation,
    asker: Asker,
    control: Arc<dyn Control>,
    records: Option<Arc<Records>>,
) -> Answer {
    if let Resource::OfEvents(what) = resource {
        let answered = match records {
            Some(records) => read_events(&request, what, operation, control, &records).await,
            None => Err((StatusCode::NOT_FOUND, "there are no events: `events.enabled` is false".to_owned())),
        };
        return answered.unwrap_or_else(refused);
    }
    let served = match operation.method {
        "GET" => read(&request, resource, operation, control).await,
        _ => change(request, resource, operation, asker, control).await,
    };
    match served {
        Ok(value) => respond(StatusCode::OK, JSON, format!("{value}\n")),
        Err(why) => refused(why),
    }
}

fn refused((status, why): Refused) -> Answer {
    respond(status, JSON, format!("{}\n", json!({ "error": why })))
}

async fn read(
    request: &Request<Incoming>,
    resource: Resource,
    operation: &'static Operation,
    control: Arc<dyn Control>,
) -> Result<Value, Refused> {
    let parameters = Parameters::of(request.uri().query())?;
    parameters.are_among(operation.query)?;
    off_thread(move || match resource {
        Resource::Services => Ok(json!({ "items": control.services(), "next": null })),
        Resource::Mode(name) => {
            let service = control.services().into_iter().find(|service| service.name == name);
            let service = service.ok_or_else(|| no_service(&name))?;
            Ok(json!({ "service": service, "changes": control.mode_changes(&name) }))
        }
        Resource::Exceptions(name) => exceptions::all(&name, &parameters, control.as_ref()),
        Resource::List(list) => {
            let reason = parameters.one("q")?;
            let query = Query {
                address: parameters.parsed("address", "an IP address")?,
                origin: match parameters.one("origin")? {
                    Some(word) => Some(
                        palisade_lists::Origin::from_word(word)
                            .ok_or_else(|| bad("`origin` is file, api, automatic or console"))?,
                    ),
                    None => None,
                },
                application: parameters.parsed("application", "a number")?,
                reason,
                before: parameters.parsed("cursor", "the `next` of a page")?,
                limit: parameters.limit()?,
                ..Query::of(list)
            };
            let page = control.page(&query);
            let items: Vec<Value> = page.entries.iter().map(entries::shown).collect();
            Ok(json!({ "items": items, "next": page.next.map(|number| number.to_string()) }))
        }
        Resource::ListChanges => {
            let changes = control.list_changes(parameters.limit()?);
            let items: Vec<Value> = changes.iter().map(entries::shown_change).collect();
            Ok(json!({ "items": items, "next": null }))
        }
        Resource::Replays => replays::all(control.as_ref()),
        Resource::Replay(id) => replays::one(id, control.as_ref()),
        Resource::Alerts => alerts::all(&parameters, control.as_ref()),
        Resource::Alert(name) => alerts::one(&name, &parameters, control.as_ref()),
        Resource::Exception(..) | Resource::Dismissals | Resource::OfEvents(_) => {
            Err(bad("this is read another way"))
        }
    })
    .await
}

/// Reads what the event store has, and what comes.
async fn read_events(
    request: &Request<Incoming>,
    what: OfEvents,
    operation: &'static Operation,
    control: Arc<dyn Control>,
    records: &Arc<Records>,
) -> Result<Answer, Refused> {
    let parameters = Parameters::of(request.uri().query())?;
    parameters.are_among(operation.query)?;
    let text = match what {
        OfEvents::Page => events::page(parameters, records).await?,
        OfEvents::FiredAlerts => {
            let dismissals = off_thread(move || Ok(control.dismissals())).await?;
            events::fired(parameters, dismissals, records).await?
        }
        OfEvents::PolicyHits => policy_hits::policy_hits(&parameters, records).await?.to_string(),
        OfEvents::PolicySuggestions => {
            policy_suggestions::policy_suggestions(&parameters, control.as_ref(), records).await?.to_string()
        }
        OfEvents::One(id) => events::event(id, records).await?,
        OfEvents::Allowance(id) => events::allowance(id, records).await?,
        OfEvents::Tuning(service) => tuning::tuning(service, &parameters, records).await?.to_string(),
        OfEvents::Inventory(service) => {
            let limit = parameters.limit()?;
            let (inventory, after) = inventory::inventory(service, &parameters, records).await?;
            inventory.shown(after, limit).to_string()
        }
        OfEvents::InventoryDocument(service) => {
            let (inventory, _) = inventory::inventory(service, &parameters, records).await?;
            inventory::document(&inventory).to_string()
        }
        OfEvents::Stats => stats::stats(parameters, records).await?.to_string(),
        OfEvents::Graph => {
            let places = off_thread(move || Ok(control.places())).await?;
            graph::graph(parameters, places, records).await?.to_string()
        }
        OfEvents::Stream if *request.method() == Method::HEAD => {
            return Ok(respond(StatusCode::OK, operation.media_type, ""));
        }
        OfEvents::Stream => {
            let life = request.extensions().get::<Arc<ConnectionLife>>().cloned().unwrap_or_default();
            return events::stream(request.headers(), life, records).await;
        }
    };
    Ok(respond(StatusCode::OK, JSON, text + "\n"))
}

async fn change(
    request: Request<Incoming>,
    resource: Resource,
    operation: &'static Operation,
    asker: Asker,
    control: Arc<dyn Control>,
) -> Result<Value, Refused> {
    let Ok(_room) = CHANGES.acquire().await else { return Err(bad("ending")) };
    let parameters = Parameters::of(request.uri().query())?;
    parameters.are_among(operation.query)?;
    let method = request.method().clone();
    let bytes_max = match resource {
        Resource::Mode(_) => 4 * 1024,
        Resource::Alert(_) => alerts::BODY_BYTES_MAX,
        Resource::Exceptions(_) => exceptions::BODY_BYTES_MAX,
        Resource::Replays => replays::BODY_BYTES_MAX,
        Resource::Dismissals => alerts::BODY_BYTES_MAX,
        _ => entries::BODY_BYTES_MAX,
    };
    let body = read_body(request, bytes_max).await?;
    off_thread(move || match resource {
        Resource::Mode(name) => {
            let mut author = author(&parameters, &asker)?;
            let mode = match method {
                Method::PUT => Some(mode_of(&body, &mut author, &asker)?),
                _ => None,
            };
            let service = match parameters.one("dataplane")?.filter(|name| !name.is_empty()) {
                Some(dataplane) => control.set_mode_at(dataplane, &name, mode, author),
                None => control.set_mode(&name, mode, author),
            };
            let service = service.map_err(failed)?;
            Ok(json!({ "service": service, "changes": control.mode_changes(&name) }))
        }
        Resource::Replays => replays::start(&body, author(&parameters, &asker)?, control.as_ref()),
        Resource::Replay(id) => replays::remove(id, control.as_ref()),
        Resource::Dismissals => {
            let ids = alerts::fired_ids(&parameters, &body)?;
            let author = author(&parameters, &asker)?;
            let changed = control.dismiss(&ids, method == Method::POST, &author).map_err(failed)?;
            Ok(json!({ "changed": changed }))
        }
        Resource::Exceptions(name) => {
            let author = author(&parameters, &asker)?;
            exceptions::add(&name, &body, author, &asker, control.as_ref())
        }
        Resource::Exception(name, id) => {
            control.remove_exception(&name, id, author(&parameters, &asker)?).map_err(failed)?;
            Ok(json!({ "removed": 1 }))
        }
        Resource::List(list) if method == Method::POST => {
            let author = author(&parameters, &asker)?;
            let entries = entries::read(list, &body, time::now())?;
            let ids: Vec<String> = entries.iter().take(100).map(|entry| entry.id().to_string()).collect();
            let counts = control.add(entries, &author).map_err(failed)?;
            let mut answer = json!({ "added": counts.added, "replaced": counts.replaced, "ids": ids });
            if !counts.notes.is_empty() {
                answer["notes"] = counts.notes.into();
            }
            Ok(answer)
        }
        Resource::List(list) => {
            let author = author(&parameters, &asker)?;
            let ids = removed(list, &parameters, &body, control.as_ref())?;
            let removed = control.remove(ids, &author).map_err(failed)?;
            Ok(json!({ "removed": removed }))
        }
        Resource::Alert(name) if method == Method::PUT => {
            alerts::put(&name, &body, &author(&parameters, &asker)?, control.as_ref())
        }
        Resource::Alert(name) => {
            alerts::delete(&name, &parameters, &author(&parameters, &asker)?, control.as_ref())
        }
        _ => Err(bad("this path is only read")),
    })
    .await
}

/// The ids of what is to be taken away: by `id`, by `address` (or country, or ASN), all of it, or a body's `ids`.
fn removed(
    list: Listing,
    parameters: &Parameters,
    body: &[u8],
    control: &dyn Control,
) -> Result<Vec<EntryId>, Refused> {
    let mut ids = Vec::new();
    for id in parameters.all("id") {
        ids.push(entries::id_of(list, id)?);
    }
    ids.extend(entries::ids(list, body)?);
    for subject in parameters.all("address") {
        let subject: Subject = subject.parse().map_err(|error| bad(format!("`address`: {error}")))?;
        ids.extend(everything(list, control, |entry| entry.subject == subject));
    }
    match parameters.one("all")? {
        Some("true") => ids.extend(everything(list, control, |_| true)),
        Some(_) => return Err(bad("`all` is true, or left out")),
        None if ids.is_empty() && parameters.all("address").next().is_none() => {
            return Err(bad(
                "say what goes: ?id=ID, ?address=192.0.2.0/24, ?all=true, or a body {\"ids\": [...]}",
            ));
        }
        None => {}
    }
    if let Some(id) = ids.iter().find(|id| id.in_file) {
        let why = format!("{id} stands in the configuration file: take it away there");
        return Err((StatusCode::CONFLICT, why));
    }
    Ok(ids)
}

/// The ids of entries that do not stand in the file.
fn everything(
    list: Listing,
    control: &dyn Control,
    wanted: impl Fn(&palisade_lists::Entry) -> bool,
) -> Vec<EntryId> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let page = control.page(&Query { before, limit: 10_000, ..Query::of(list) });
        let runtime = page.entries.iter().filter(|entry| entry.origin != palisade_lists::Origin::File);
        ids.extend(runtime.filter(|entry| wanted(entry)).map(palisade_lists::Entry::id));
        before = page.next;
        if before.is_none() {
            return ids;
        }
    }
}

/// Reads `{"mode": "block", "by": "...", "reason": "..."}`.
fn mode_of(body: &[u8], author: &mut Author, asker: &Asker) -> Result<Mode, Refused> {
    let example = "write {\"mode\": \"block\"}";
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is no JSON ({error}): {example}")))?;
    let object = value.as_object().ok_or_else(|| bad(example))?;
    if let Some(key) = object.keys().find(|key| !["mode", "by", "reason"].contains(&key.as_str())) {
        return Err(bad(format!("the key `{key}` is not known here: {example}")));
    }
    let text = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= entries::REASON_BYTES_MAX => Ok(Some(text.as_str())),
        Some(_) => Err(bad(format!("`{key}` is a text of at most {} bytes", entries::REASON_BYTES_MAX))),
    };
    if let Some(by) = text("by")? {
        author.name = name_of(Some(by), asker);
    }
    if let Some(reason) = text("reason")? {
        author.reason = entries::one_line(reason);
    }
    let mode = text("mode")?.ok_or_else(|| bad(example))?;
    mode.parse().map_err(|error| bad(format!("{error}")))
}

fn author(parameters: &Parameters, asker: &Asker) -> Result<Author, Refused> {
    let name = name_of(parameters.one("by")?, asker);
    let reason = parameters.one("reason")?.unwrap_or_default();
    Ok(Author { name, reason: entries::one_line(reason) })
}

/// Who asks: what it says, which nobody checks, and where it is.
fn name_of(says: Option<&str>, Asker { from, user }: &Asker) -> String {
    let way = user.as_deref().unwrap_or("api");
    match says.map(entries::one_line).filter(|says| !says.is_empty()) {
        Some(says) => format!("{says} ({way}, {})", from.ip()),
        None => format!("{way}, {}", from.ip()),
    }
}

fn failed(error: ControlError) -> Refused {
    let status = match error {
        ControlError::NotFound(_) => StatusCode::NOT_FOUND,
        ControlError::Refused(_) => StatusCode::CONFLICT,
        ControlError::Invalid(_) => StatusCode::BAD_REQUEST,
        ControlError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
        ControlError::NotKept(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string())
}

/// The time that is asked about, and how many come before the page, where pages are made anew each time: a cursor
/// `FROM.TO.AFTER` keeps to the time of the first.
fn window_and_place(parameters: &Parameters) -> Result<(u64, u64, usize), Refused> {
    let Some(cursor) = parameters.one("cursor")? else {
        let (from, to) = stats::between(parameters)?;
        return Ok((from, to, 0));
    };
    let mut numbers = cursor.split('.').map(|number| number.parse::<u64>().ok());
    let read = (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten(), numbers.next());
    match read {
        (Some(from), Some(to), Some(after), None) if stats::is_range(from, to) => {
            Ok((from, to, after as usize))
        }
        _ => Err(bad("`cursor` is the `next` of a page")),
    }
}

pub(crate) fn bad(why: impl Into<String>) -> Refused {
    (StatusCode::BAD_REQUEST, why.into())
}

fn no_service(name: &str) -> Refused {
    (StatusCode::NOT_FOUND, format!("there is no service `{name}`"))
}

/// Runs what may wait for a lock or the disk beside the thread that answers probes.
pub(crate) async fn off_thread<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|_| Err((StatusCode::INTERNAL_SERVER_ERROR, "the request failed in us".to_owned())))
}
