//! `policies`, `rules` and `explain`: what is in force, and what it would do.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::answer::{Answer, JSON, respond};
use crate::api::request::{Parameters, read_body};
use crate::api::{Refused, bad, off_thread};
use crate::explainer::{Explainer, PolicyShown, Question, RuleQuery};
use crate::routes::Operation;
use crate::subject::Subject;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Policies,
    Rules,
    Explain,
}

/// Bytes of a request that is to be explained.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Requests that are explained at a time: each inspects as much as a worker does.
static EXPLAINING: Semaphore = Semaphore::const_new(1);

/// That something is asked at a data plane.
pub(crate) fn elsewhere(what: &str) -> String {
    format!("{what} at the data planes: a console for many has no rules itself. Ask the admin address of one")
}

/// Answers a question that the guard let in.
pub(crate) async fn answer(
    request: Request<Incoming>,
    asking: Asking,
    operation: &'static Operation,
    subject: &dyn Subject,
) -> Answer {
    if subject.collects() {
        return refused((StatusCode::NOT_FOUND, elsewhere("rules, policies and explanations are")));
    }
    let Some(explainer) = subject.explainer() else {
        return refused((StatusCode::SERVICE_UNAVAILABLE, "starting: this is not there yet".to_owned()));
    };
    let answered = match asking {
        Asking::Policies => policies(&request, operation, &subject.policies()),
        Asking::Rules => rules(&request, operation, explainer).await,
        Asking::Explain => explain(request, operation, explainer).await,
    };
    match answered {
        Ok(value) => respond(StatusCode::OK, JSON, format!("{value}\n")),
        Err(why) => refused(why),
    }
}

fn policies<B>(
    request: &Request<B>,
    operation: &Operation,
    policies: &[PolicyShown],
) -> Result<Value, Refused> {
    let parameters = Parameters::of(request.uri().query())?;
    parameters.are_among(operation.query)?;
    let (limit, after) = (parameters.limit()?, parameters.after()?);
    let page = policies.get(after..).unwrap_or_default();
    let next = (page.len() > limit).then(|| (after + limit).to_string());
    Ok(json!({ "items": &page[..limit.min(page.len())], "next": next }))
}

async fn rules<B>(
    request: &Request<B>,
    operation: &Operation,
    explainer: Arc<dyn Explainer>,
) -> Result<Value, Refused> {
    let parameters = Parameters::of(request.uri().query())?;
    parameters.are_among(operation.query)?;
    off_thread(move || {
        let text = parameters.one("q")?.unwrap_or_default();
        let query = RuleQuery { text, after: parameters.after()?, limit: parameters.limit()? };
        let page = explainer.rules(&query);
        Ok(json!({ "items": page.rules, "next": page.next.map(|next| next.to_string()) }))
    })
    .await
}

async fn explain(
    request: Request<Incoming>,
    operation: &Operation,
    explainer: Arc<dyn Explainer>,
) -> Result<Value, Refused> {
    let parameters = Parameters::of(request.uri().query())?;
    parameters.are_among(operation.query)?;
    let Ok(_room) = EXPLAINING.acquire().await else { return Err(bad("ending")) };
    let body = read_body(request, REQUEST_BYTES_MAX).await?;
    off_thread(move || {
        let mode = parameters.parsed("mode", "off, monitoring, safe_blocking or block")?;
        let question = Question { service: parameters.one("service")?, mode, request: &body };
        explainer.explain(&question).map_err(|why| (StatusCode::NOT_FOUND, why))
    })
    .await
}

fn refused((status, why): Refused) -> Answer {
    respond(status, JSON, format!("{}\n", json!({ "error": why })))
}
