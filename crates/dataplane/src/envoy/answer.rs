//! What we answer Envoy with: the same pages and headers as everywhere, in its messages.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};
use palisade_inspect::{Action, Cause, Outcome};
use palisade_model::Verdict;

use crate::block_page::{AnswerForm, OwnAnswer};
use crate::site::{HeaderChanges, Site};

/// Why a request does not pass, as the `x-palisade-reason` field of its answer says it: so that a block can be told
/// from what went wrong, by people and by monitors. What was found is for the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// A rule or a finding stopped it.
    Blocked,
    /// It is not known who it is from.
    Unauthenticated,
    /// It can be read in more than one way.
    Framing,
    /// No route takes it.
    NoRoute,
    /// The inspection failed in us.
    Failed,
    /// It cannot be held.
    OverBudget,
    /// A message of its call is larger than what is held of one.
    TooLarge,
    /// Judging it took too long.
    Late,
    /// What decides is not in force yet.
    NotReady,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Unauthenticated => "unauthenticated",
            Self::Framing => "framing",
            Self::NoRoute => "no-route",
            Self::Failed => "failed",
            Self::OverBudget => "over-budget",
            Self::TooLarge => "too-large",
            Self::Late => "late",
            Self::NotReady => "not-ready",
        }
    }
}

/// An answer of ours in place of the service's.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// As text: a rule's or a service's own may hold any character but controls.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Refusal {
    /// What a check's word comes to. Envoy cannot close a connection for us: a drop is a bare 403.
    pub(super) fn of_action(action: Action, form: &AnswerForm<'_>, reason: Reason) -> Self {
        match action {
            Action::Answer { status } => {
                let is_block = reason != Reason::Unauthenticated;
                Self::new(&OwnAnswer { is_block, ..OwnAnswer::status(status) }, form, reason)
            }
            Action::Redirect { status, location } => {
                let answer = OwnAnswer { location: Some(location), ..OwnAnswer::status(status) };
                Self::new(&answer, form, reason)
            }
            Action::Close => Self { body: String::new(), ..Self::new(&OwnAnswer::status(403), form, reason) },
            // Forwarding is no refusal; were it asked for here, it would be a bug, and must not pass.
            Action::Forward => Self::new(&OwnAnswer::status(500), form, Reason::Failed),
        }
    }

    /// An answer of ours for a reason that is no check's.
    pub(super) fn of_status(status: u16, form: &AnswerForm<'_>, reason: Reason) -> Self {
        Self::new(&OwnAnswer::status(status), form, reason)
    }

    /// The same to who calls by gRPC. Envoy makes the status and the message of it: of a page nobody could read anything.
    pub(super) fn for_call(mut self, is_grpc: bool, request_id: &str) -> Self {
        if is_grpc {
            self.headers.retain(|(name, _)| name != "content-type");
            self.body = format!("request {request_id}");
        }
        self
    }

    fn new(answer: &OwnAnswer, form: &AnswerForm<'_>, reason: Reason) -> Self {
        let page = answer.page(form);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // Envoy counts the body and dates the answer itself.
        let is_envoys =
            |name: &[u8]| name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"date");
        let fields = page.fields.iter().filter(|(name, _)| !is_envoys(name));
        let mut headers: Vec<_> =
            fields.map(|(name, value)| (text(&name.to_ascii_lowercase()), text(value))).collect();
        headers.push(("x-palisade-reason".to_owned(), reason.word().to_owned()));
        Self { status: page.status, headers, body: text(&page.body) }
    }
}

/// A field that replaces those of its name. ext_authz reads the one form of a value, ext_proc the other.
pub(super) fn set(name: &str, value: &str, form: ValueForm) -> HeaderValueOption {
    let key = name.to_owned();
    let header = match form {
        ValueForm::Text => HeaderValue { key, value: value.to_owned(), raw_value: Vec::new() },
        ValueForm::Raw => HeaderValue { key, value: String::new(), raw_value: value.as_bytes().to_vec() },
    };
    HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
        ..HeaderValueOption::default()
    }
}

/// A field beside those of its name.
pub(super) fn add(name: &str, value: &str, form: ValueForm) -> HeaderValueOption {
    HeaderValueOption {
        append_action: HeaderAppendAction::AppendIfExistsOrAdd as i32,
        ..set(name, value, form)
    }
}

/// Changes to the headers of a response that goes on, its request's id among them.
pub(super) fn response_changes(
    request_id: &str,
    site: Option<&Site>,
    form: ValueForm,
) -> Vec<HeaderValueOption> {
    let mut all = vec![set("x-request-id", request_id, form)];
    if let Some(HeaderChanges { set: over, add: beside, .. }) = site.map(|site| &site.headers) {
        all.extend(over.iter().map(|(name, value)| set(name, value, form)));
        all.extend(beside.iter().map(|(name, value)| add(name, value, form)));
    }
    all
}

/// Where a field's value stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueForm {
    Text,
    Raw,
}

/// What Envoy's access log may show of a judgement (`%DYNAMIC_METADATA(envoy.filters.http.ext_authz:verdict)%`).
/// Nothing of a request that passes and was seen whole.
pub(super) fn metadata(
    request_id: &str,
    service: &str,
    outcome: Option<&Outcome>,
    action: &Action,
    uninspected: bool,
) -> Option<Struct> {
    let verdict = match (action, outcome.map(|outcome| &outcome.verdict)) {
        (Action::Forward, None | Some(Verdict::Pass)) => "pass",
        (Action::Forward, Some(_)) => "would_block",
        _ => "block",
    };
    // Most requests are plain passes, and Envoy would carry this along for each.
    if verdict == "pass" && !uninspected {
        return None;
    }
    let mut fields = HashMap::from([
        ("request_id".to_owned(), text(request_id)),
        ("service".to_owned(), text(service)),
        ("verdict".to_owned(), text(verdict)),
    ]);
    match outcome.map(|outcome| outcome.cause) {
        Some(Cause::Rule(rule)) => {
            let rules = ListValue { values: vec![text(&rule.0.to_string())] };
            fields.insert("rules".to_owned(), Value { kind: Some(Kind::ListValue(rules)) });
        }
        Some(Cause::Patch) => {
            fields.insert("attack".to_owned(), text("virtual-patch"));
        }
        Some(Cause::Finding(attack) | Cause::Specification(attack)) => {
            fields.insert("attack".to_owned(), text(attack.name()));
        }
        Some(Cause::Limit) => {
            fields.insert("attack".to_owned(), text("limit"));
        }
        Some(Cause::Framing(finding)) => {
            fields.insert("attack".to_owned(), text(finding.name()));
        }
        Some(Cause::Policy) => {
            fields.insert("attack".to_owned(), text("policy"));
        }
        Some(Cause::Rate) => {
            fields.insert("attack".to_owned(), text("rate"));
        }
        Some(Cause::Authentication) => {
            fields.insert("attack".to_owned(), text("authentication"));
        }
        Some(Cause::List) => {
            fields.insert("list".to_owned(), text("deny"));
        }
        Some(Cause::None) | None => {}
    }
    if uninspected {
        fields.insert("partial".to_owned(), Value { kind: Some(Kind::BoolValue(true)) });
    }
    Some(Struct { fields })
}

/// What it may show of a request that does not pass for a reason that is no check's; `verdict` is the reason then.
pub(super) fn refused_metadata(request_id: &str, service: Option<&str>, reason: Reason) -> Struct {
    let mut fields = HashMap::from([
        ("request_id".to_owned(), text(request_id)),
        ("verdict".to_owned(), text(reason.word())),
    ]);
    fields.extend(service.map(|service| ("service".to_owned(), text(service))));
    Struct { fields }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}
