//! One whole exchange in one call: what most comparisons want.

use std::ffi::NulError;

use super::{Intervention, Rules};

/// A request and, if there is one, its response, as bytes. [`Exchange::run`] drives the library over it in a
/// connector's order.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// REMOTE_ADDR and REMOTE_PORT.
    pub client: (String, u16),
    /// SERVER_ADDR and SERVER_PORT.
    pub server: (String, u16),
    /// The method, as sent.
    pub method: String,
    /// The request target, as sent.
    pub uri: Vec<u8>,
    /// `1.1`, without `HTTP/`.
    pub http_version: String,
    /// Request headers in order, names and values as sent.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The request body; empty for none.
    pub body: Vec<u8>,
    /// The response, when phases 3 and 4 shall see one. Without it they do not run.
    pub response: Option<Response>,
    /// UNIQUE_ID; drawn by the library when absent.
    pub unique_id: Option<String>,
    /// What to do after a disruptive intervention.
    pub on_deny: OnDeny,
}

/// The response half of an [`Exchange`].
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// Whether phases still run after a disruptive intervention. The library leaves that to its connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDeny {
    /// Only phase 5 runs, as behind nginx and Apache.
    #[default]
    Stop,
    /// All phases run, to see what each would say.
    GoOn,
}

/// What the library said about an [`Exchange`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Interventions in order, each with the phase (1 to 5) after which it was pending. Those of the connection and
    /// the request line count as phase 1; one by a body limit counts as the phase of that body.
    pub interventions: Vec<(u8, Intervention)>,
    /// All log lines in order: those of [`super::Transaction::log`], and at its place the one of each intervention.
    /// The library hands the line of a disruptive rule to the connector only, which writes it, even for `nolog`.
    pub log: Vec<String>,
    /// The ids of the log lines, in order: one for each match that is logged. Rules with `nolog` leave none unless
    /// they are disruptive.
    pub matched: Vec<u64>,
}

impl Exchange {
    /// A request without headers, body and response, from 192.0.2.1 to 192.0.2.2.
    #[must_use]
    pub fn new(method: &str, uri: impl Into<Vec<u8>>) -> Self {
        Self {
            client: ("192.0.2.1".to_owned(), 40_000),
            server: ("192.0.2.2".to_owned(), 80),
            method: method.to_owned(),
            uri: uri.into(),
            http_version: "1.1".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            response: None,
            unique_id: None,
            on_deny: OnDeny::Stop,
        }
    }

    /// The same with one more request header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with this body. Adds no header: a Content-Type or Content-Length is the caller's to say.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Runs it through the library, phase by phase.
    ///
    /// # Errors
    /// When method, target, version, an address or the id has a NUL byte, which the C interface cannot carry.
    pub fn run(&self, rules: &Rules) -> Result<Outcome, NulError> {
        let mut transaction = match &self.unique_id {
            Some(id) => rules.transaction_with_id(id)?,
            None => rules.transaction(),
        };
        let mut outcome = Outcome::default();
        let mut lines_seen = 0;

        for step in Step::ALL {
            if step != Step::Logging && outcome.denied() && self.on_deny == OnDeny::Stop {
                continue;
            }
            match (step, &self.response) {
                (Step::Connection, _) => transaction
                    .connection((&self.client.0, self.client.1), (&self.server.0, self.server.1))?,
                (Step::Uri, _) => transaction.uri(&self.method, &self.uri, &self.http_version)?,
                (Step::RequestHeaders, _) => {
                    for (name, value) in &self.headers {
                        transaction.add_request_header(name, value);
                    }
                    transaction.process_request_headers();
                }
                (Step::RequestBodyBytes, _) if self.body.is_empty() => {}
                (Step::RequestBodyBytes, _) => transaction.append_request_body(&self.body),
                (Step::RequestBody, _) => transaction.process_request_body(),
                (Step::ResponseHeaders, Some(response)) => {
                    for (name, value) in &response.headers {
                        transaction.add_response_header(name, value);
                    }
                    let protocol = format!("HTTP/{}", self.http_version);
                    transaction.process_response_headers(response.status, &protocol)?;
                }
                (Step::ResponseBodyBytes, Some(response)) if !response.body.is_empty() => {
                    transaction.append_response_body(&response.body);
                }
                (Step::ResponseBody, Some(_)) => transaction.process_response_body(),
                (Step::ResponseHeaders | Step::ResponseBodyBytes | Step::ResponseBody, _) => {}
                (Step::Logging, _) => transaction.process_logging(),
            }
            outcome.log.extend_from_slice(&transaction.log()[lines_seen..]);
            lines_seen = transaction.log().len();
            if let Some(due) = transaction.intervention() {
                outcome.log.extend(due.log.clone());
                outcome.interventions.push((step.phase(), due));
            }
        }

        outcome.matched = outcome.log.iter().filter_map(|line| rule_id_of_line(line)).collect();
        Ok(outcome)
    }
}

impl Outcome {
    /// Whether any intervention was disruptive.
    #[must_use]
    pub fn denied(&self) -> bool {
        self.first_denial().is_some()
    }

    /// The first disruptive intervention and its phase.
    #[must_use]
    pub fn first_denial(&self) -> Option<(u8, &Intervention)> {
        self.interventions.iter().map(|(phase, due)| (*phase, due)).find(|(_, due)| due.disruptive)
    }
}

/// The rule id of a log line, from its `[line "..."] [id "..."] [rev "` part, which the library writes after the
/// matched value and before message and data. A value that holds this very text can mislead it.
#[must_use]
pub fn rule_id_of_line(line: &str) -> Option<u64> {
    const BEFORE: &str = "[id \"";
    let details = line.find("[line \"").map_or(line, |start| &line[start..]);
    let (_, rest) = details.split_once(BEFORE)?;
    let (id, _) = rest.split_once('"')?;
    id.parse().ok()
}

/// What a connector does, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connection,
    Uri,
    RequestHeaders,
    RequestBodyBytes,
    RequestBody,
    ResponseHeaders,
    ResponseBodyBytes,
    ResponseBody,
    Logging,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Connection,
        Self::Uri,
        Self::RequestHeaders,
        Self::RequestBodyBytes,
        Self::RequestBody,
        Self::ResponseHeaders,
        Self::ResponseBodyBytes,
        Self::ResponseBody,
        Self::Logging,
    ];

    fn phase(self) -> u8 {
        match self {
            Self::Connection | Self::Uri | Self::RequestHeaders => 1,
            Self::RequestBodyBytes | Self::RequestBody => 2,
            Self::ResponseHeaders => 3,
            Self::ResponseBodyBytes | Self::ResponseBody => 4,
            Self::Logging => 5,
        }
    }
}
