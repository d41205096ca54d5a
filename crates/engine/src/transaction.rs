//! One exchange in the engine: what comes in, phase by phase, and what the rules made of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use palisade_http::{
    BodyKind, BodyLimits, BodyParser, CookieFormat, Fields, ParsedBody, RequestHead, ResponseHead,
    Target as RequestTarget, parse_cookies, parse_form_reusing,
};
use palisade_seclang::ast::{
    AllowScope, AuditEngine, BodyProcessor, LimitAction, OperatorName, ParseXmlIntoArgs, Phase, RuleEngine,
    Template,
};

use crate::caps::{BodyBound, Caps};
use crate::debug_log::DebugLog;
use crate::evaluate::{Hits, WORK_SHARE_BYTES};
use crate::exceptions::{Excepted, Exceptions};
use crate::lookup::{Answer, Lookup};
use crate::operator::Evaluation;
use crate::persistent::{Operation, StoredVariable};
use crate::plan::{FilterCounts, PlanState};
use crate::recycle::Buffers;
use crate::recycle::empty;
use crate::ruleset::{Exclusion, PHASES, RuleId, RuleIndex, RuleSelection, RuleSet, phase_slot};
use crate::store::VarStore;
use crate::variables::{Clock, Connection, Item, List, OpenCollection, Variables};

/// Whether rules may stop the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// As `SecRuleEngine` says.
    AsWritten,
    /// Rules never stop it, whatever they say: what they would have done is kept.
    DetectOnly,
}

/// How far a call got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The phase has run, or it was not due. [`Transaction::interruption`] says whether the exchange goes on.
    Done,
    /// The answer is needed first: [`Transaction::answer`], then [`Transaction::resume`].
    Need(Lookup),
    /// A share of work was done; [`Transaction::resume`] goes on. Other exchanges may run in between.
    Yield,
}

/// What a rule did, or would have done, to the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// How it ends.
    pub action: InterruptionAction,
    /// The status of the answer; `None` for a drop.
    pub status: Option<u16>,
    /// The rule; `None` when a limit of the engine decided.
    pub rule: Option<RuleId>,
    /// The phase in which it was decided.
    pub phase: Phase,
    /// In words, for logs: the rule's message, or the limit.
    pub reason: String,
}

/// How an interrupted exchange ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterruptionAction {
    /// With an answer of ours.
    Deny,
    /// Without an answer.
    Drop,
    /// With a redirect.
    Redirect {
        /// The Location.
        location: String,
    },
}

/// One rule that matched, all links of it. Each of its texts is cut at [`MATCH_TEXT_BYTES_MAX`].
#[derive(Clone, Debug)]
pub struct Match {
    /// The rule.
    pub rule: RuleIndex,
    /// Its id.
    pub id: RuleId,
    /// The phase.
    pub phase: Phase,
    /// `msg`, expanded.
    pub msg: Vec<u8>,
    /// `logdata`, expanded.
    pub data: Vec<u8>,
    /// `severity`.
    pub severity: Option<u8>,
    /// `tag`s, expanded.
    pub tags: Vec<Vec<u8>>,
    /// What MATCHED_VAR_NAME says: `ARGS:q`. Empty for a `SecAction`.
    pub target: Vec<u8>,
    /// The value that matched, after its transformations.
    pub value: Vec<u8>,
    /// The transformations that the last link did.
    pub transformations: Vec<&'static str>,
    /// Operator and argument of the last link, the argument expanded; `None` for a `SecAction`.
    pub operator: Option<(OperatorName, bool, String)>,
    /// Variables of TX that the rule set, with their values after it; only kept with
    /// [`Transaction::keep_silent_matches`].
    pub assigned: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether it goes to the error log.
    pub logged: bool,
    /// What it did to the exchange, when that was more than passing. Under [`Enforcement::DetectOnly`] and in
    /// DetectionOnly it is `None`.
    pub interrupted: Option<InterruptionAction>,
    /// The status of that.
    pub status: Option<u16>,
}

/// Longest piece of any text that a [`Match`] keeps. Logs cut at 200; a person who reads an explanation sees
/// enough of it. CRS's `logdata` holds the whole value, and one value can match a hundred rules.
pub const MATCH_TEXT_BYTES_MAX: usize = 4096;

/// One value that one rule looked at, for `explain --debug-rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The rule.
    pub id: RuleId,
    /// The name of the value.
    pub target: Vec<u8>,
    /// The value after the rule's transformations.
    pub value: Vec<u8>,
}

/// A value that logs must not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sanitised {
    /// An argument.
    Argument(Vec<u8>),
    /// A request header.
    RequestHeader(Vec<u8>),
    /// A response header.
    ResponseHeader(Vec<u8>),
    /// What matched, with this many bytes kept at both ends.
    MatchedBytes {
        /// The name of the variable.
        target: Vec<u8>,
        /// Bytes kept at its start.
        keep_start: u32,
        /// Bytes kept at its end.
        keep_end: u32,
    },
}

/// Something that kept the engine from looking at everything. The caller decides what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// A pattern that needs backtracking gave up at its step limit.
    StepLimit {
        /// The rule.
        rule: RuleId,
        /// The name of the value.
        target: Vec<u8>,
    },
    /// A bound of a parser, by its name.
    Limit(&'static str),
    /// Rules asked for more lookups than one transaction may.
    TooManyLookups,
    /// A lookup failed.
    LookupFailed,
    /// An operator whose argument was expanded from macros does not compile.
    ArgumentInvalid {
        /// The rule.
        rule: RuleId,
        /// Why.
        message: String,
    },
}

impl Shortfall {
    /// Whether a rule may have missed what it would have found: a value that it did not judge, or a variable that
    /// another rule could not write. The parsers' bounds show in `REQBODY_ERROR` and the bodies' in
    /// `INBOUND_DATA_ERROR`, where rules decide; a lookup that fails is the world's fault and not the client's.
    pub fn blinds_rules(&self) -> bool {
        match self {
            Self::StepLimit { .. } | Self::ArgumentInvalid { .. } | Self::TooManyLookups => true,
            Self::Limit(name) => [VARIABLES_FULL, XPATH_VALUES_FULL].contains(name),
            Self::LookupFailed => false,
        }
    }
}

/// The bounds of the engine that [`Shortfall::Limit`] names.
pub(crate) const VARIABLES_FULL: &str = "variables_max";
pub(crate) const XPATH_VALUES_FULL: &str = "xpath_values_bytes_max";

/// Shortfalls kept of one transaction; the first ones tell the story.
const SHORTFALLS_MAX: usize = 64;

/// One exchange in the engine. Owned and `Send`.
///
/// The caller's part: [`request_head`](Self::request_head), run phase 1, feed the body, end it, run phase 2, the
/// same for the response, and run phase 5 whatever happened before.
#[derive(Debug)]
pub struct Transaction {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) vars: Variables,
    pub(crate) control: Control,
    pub(crate) cursor: Cursor,
    pub(crate) scratch: Scratch,
    pub(crate) plan: PlanState,
    pub(crate) matches: Vec<Match>,
    pub(crate) keeps_silent_matches: bool,
    pub(crate) trace: Option<Vec<Evaluated>>,
    pub(crate) debug: Option<Box<DebugLog>>,
    pub(crate) observer: Option<Observer>,
    pub(crate) interruption: Option<Interruption>,
    pub(crate) would_interrupt: Option<Interruption>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) sanitised: Vec<Sanitised>,
    pub(crate) shortfalls: Vec<Shortfall>,
    request_body: BodyState,
    response_body_open: bool,
    /// Where its memory came from and goes back to; none only while it is dropped.
    pub(crate) buffers: Option<Box<Buffers>>,
    /// Memory for the target and the body's arguments.
    pub(crate) target_memory: Vec<u8>,
    pub(crate) arguments: Fields,
}

/// Somebody who wants to know when a rule is done.
pub(crate) struct Observer(pub(crate) Box<dyn FnMut(Option<RuleIndex>) + Send>);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

/// What `ctl` and flow actions have changed for this transaction.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) enforcement: Enforcement,
    pub(crate) caps: Caps,
    pub(crate) removed_rules: Vec<Arc<RuleSelection>>,
    pub(crate) removed_targets: Vec<(Arc<RuleSelection>, Arc<Exclusion>)>,
    pub(crate) excepted: Excepted,
    pub(crate) allowed: Option<AllowScope>,
    pub(crate) allowed_in: Phase,
    pub(crate) request_body_access: bool,
    pub(crate) request_body_limit: u64,
    pub(crate) request_body_processor: Option<BodyProcessor>,
    pub(crate) force_request_body_variable: bool,
    pub(crate) response_body_access: bool,
    pub(crate) response_body_limit: u64,
    pub(crate) parse_xml_into_args: ParseXmlIntoArgs,
    pub(crate) audit_engine: AuditEngine,
    /// As `ctl:auditLogParts` has changed them; `None` before that.
    pub(crate) audit_parts: Option<String>,
    /// A rule that audits has matched.
    pub(crate) relevant: bool,
    pub(crate) debug_log_level: u8,
}

/// Where the program stands, so that it can stop for a lookup and go on.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) phase: Option<Phase>,
    /// The next step of the phase's program.
    pub(crate) step: usize,
    /// Rules still to be skipped.
    pub(crate) skip: u32,
    /// A rule that stopped in the middle.
    pub(crate) paused: Option<Paused>,
    /// The lookup that it stopped for.
    pub(crate) asked: Option<Lookup>,
    pub(crate) lookups: usize,
    /// Phases that have run; none runs twice.
    pub(crate) ran: [bool; PHASES],
    /// Bytes that operators have seen since the last yield.
    pub(crate) work: usize,
    /// How many of them lead to one.
    pub(crate) work_share: usize,
}

/// Where in a rule: an operator or an assignment of this link asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paused {
    pub(crate) link: usize,
    /// This many matches of the link have had their assignments done,
    pub(crate) assigned: usize,
    /// and the next one this many of its.
    pub(crate) begun: usize,
}

/// Buffers that rules share, kept so that they need not be allocated anew.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) items: Vec<Item>,
    pub(crate) members: Vec<Item>,
    pub(crate) value: Vec<u8>,
    pub(crate) transformed: [Vec<u8>; 2],
    /// Expanded texts.
    pub(crate) text: Vec<u8>,
    /// The expanded name of a variable.
    pub(crate) name: Vec<u8>,
    /// The expanded argument of the operator at work.
    pub(crate) argument: Vec<u8>,
    pub(crate) hits: Hits,
    pub(crate) evaluation: Evaluation,
    pub(crate) assigned: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Scratch {
    /// Empties all of it, and gives back what a large request took.
    pub(crate) fn clear(&mut self) {
        let Self {
            items,
            members,
            value,
            transformed: [current, next],
            name,
            text,
            argument,
            hits,
            evaluation,
            assigned,
        } = self;
        empty(items);
        empty(members);
        for bytes in [value, current, next, name, text, argument] {
            empty(bytes);
        }
        hits.empty();
        evaluation.clear();
        assigned.clear();
    }
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the form parser is the one that many requests need; no memory of its own"
)]
enum BodyState {
    /// Nothing of it came yet.
    Waiting,
    /// It comes.
    Open { parser: Option<BodyParser>, no_files_length: u64 },
    /// It is not looked at (any more).
    Closed,
}

impl Transaction {
    /// A transaction of a connection.
    pub fn new(rules: Arc<RuleSet>, connection: Connection, enforcement: Enforcement, clock: Clock) -> Self {
        let mut buffers = rules.spares.take();
        let settings = &rules.settings;
        let control = Control {
            enforcement,
            caps: Caps::NONE,
            removed_rules: std::mem::take(&mut buffers.removed_rules),
            removed_targets: std::mem::take(&mut buffers.removed_targets),
            excepted: Excepted::default(),
            allowed: None,
            allowed_in: Phase::RequestHeaders,
            request_body_access: settings.request_body_access,
            request_body_limit: settings.request_body_limit,
            request_body_processor: None,
            force_request_body_variable: false,
            response_body_access: settings.response_body_access,
            response_body_limit: settings.response_body_limit,
            parse_xml_into_args: settings.parse_xml_into_args,
            audit_engine: settings.audit.engine,
            audit_parts: None,
            relevant: false,
            debug_log_level: settings.debug_log_level,
        };
        let mut transaction = Self {
            vars: Variables::new(connection, clock, &rules, &mut buffers),
            rules,
            control,
            cursor: Cursor {
                phase: None,
                step: 0,
                skip: 0,
                paused: None,
                asked: None,
                lookups: 0,
                ran: [false; PHASES],
                work: 0,
                work_share: WORK_SHARE_BYTES,
            },
            scratch: std::mem::take(&mut buffers.scratch),
            plan: std::mem::take(&mut buffers.plan),
            target_memory: std::mem::take(&mut buffers.target),
            arguments: std::mem::take(&mut buffers.arguments),
            buffers: Some(buffers),
            matches: Vec::new(),
            keeps_silent_matches: false,
            trace: None,
            debug: None,
            observer: None,
            interruption: None,
            would_interrupt: None,
            operations: Vec::new(),
            sanitised: Vec::new(),
            shortfalls: Vec::new(),
            request_body: BodyState::Waiting,
            response_body_open: false,
        };
        transaction.follow_debug_level();
        transaction
    }

    /// Sets outer bounds. Before anything of the exchange is taken.
    pub fn cap(&mut self, caps: Caps) {
        self.control.caps = caps;
    }

    /// Sets a variable of the ENV collection, as a server's modules do for ModSecurity. Before the request's head is taken.
    pub fn set_environment(&mut self, name: &[u8], value: &[u8]) {
        if !self.vars.env.set(name, value) {
            self.note(Shortfall::Limit(VARIABLES_FULL));
        }
    }

    /// Passes over what is excepted. Before the request's head is taken; the exceptions are those of its rule set.
    pub fn except(&mut self, exceptions: Arc<Exceptions>) {
        self.control.excepted = Excepted::of(exceptions);
    }

    fn request_body_bound(&self) -> BodyBound {
        let rules = BodyBound {
            bytes_max: self.control.request_body_limit,
            action: self.rules.settings.request_body_limit_action,
            whose: "request body limit",
            status: 413,
        };
        let Caps { request_body_bytes_max: bytes_max, on_request_body: action, .. } = self.control.caps;
        let cap = BodyBound { bytes_max, action, whose: "the profile's request body limit", status: 413 };
        BodyBound::stricter(rules, cap)
    }

    fn no_files_bound(&self) -> BodyBound {
        BodyBound {
            bytes_max: self.rules.settings.request_body_no_files_limit,
            action: self.rules.settings.request_body_limit_action,
            whose: "request body limit without files",
            status: 413,
        }
    }

    fn response_body_bound(&self) -> BodyBound {
        let rules = BodyBound {
            bytes_max: self.control.response_body_limit,
            action: self.rules.settings.response_body_limit_action,
            whose: "response body limit",
            status: 500,
        };
        let Caps { response_body_bytes_max: bytes_max, on_response_body: action, .. } = self.control.caps;
        let cap = BodyBound { bytes_max, action, whose: "the profile's response body limit", status: 502 };
        BodyBound::stricter(rules, cap)
    }

    /// Also keeps matches of `nolog` rules. For explanations; a request to CRS has dozens.
    pub fn keep_silent_matches(&mut self) {
        self.keeps_silent_matches = true;
    }

    /// Also keeps every value that every rule looks at. For explanations of single requests only: it copies all.
    pub fn keep_evaluated(&mut self) {
        self.trace = Some(Vec::new());
        self.use_reference();
    }

    /// Runs the rules as the reference evaluator does, without the plan. What comes out is the same.
    pub fn use_reference(&mut self) {
        self.plan.off = true;
    }

    /// How many pairs of value and rule each filter of the plan left.
    pub fn filter_counts(&self) -> FilterCounts {
        self.plan.filters
    }

    /// Calls this after each rule that is looked at, and with `None` once a phase's values have been looked at for all
    /// rules together. For profiles: whoever measures brings the clock.
    pub fn observe_rules(&mut self, observer: Box<dyn FnMut(Option<RuleIndex>) + Send>) {
        self.observer = Some(Observer(observer));
    }

    /// Yields between rules once their operators have seen more bytes than this, instead of after 8 MiB. With 0 it
    /// yields after every rule that looks at something; what the rules make of the exchange stays the same.
    pub fn yield_after(&mut self, bytes: usize) {
        self.cursor.work_share = bytes;
    }

    /// Takes the request's head, before phase 1.
    pub fn request_head(&mut self, head: RequestHead) {
        let limits = self.body_limits();
        let settings = &self.rules.settings;
        let memory = std::mem::take(&mut self.target_memory);
        let target = RequestTarget::reusing(&head.target, &head.method, memory);
        let vars = &mut self.vars;
        target.write_request_uri(&mut vars.request_uri);
        target.write_filename(&mut vars.request_filename);
        self.control.begin_exceptions(target.path());
        if let Some(query) = target.query() {
            let form = parse_form_reusing(query, &limits, std::mem::take(&mut vars.query));
            vars.query = form.fields;
            vars.query_invalid_encoding = form.invalid_encoding;
            for hit in form.limit_hits {
                // As ModSecurity 3 has it: arguments over the limit are an error of the request's parsing, which
                // the recommended rule 200002 refuses.
                vars.body_error.get_or_insert_with(|| format!("query string: limit {} met", hit.name()));
                note_shortfall(&mut self.shortfalls, Shortfall::Limit(hit.name()));
            }
        }
        let format = if settings.cookie_format == 1 { CookieFormat::V1 } else { CookieFormat::V0 };
        for value in head.headers.values(b"cookie") {
            parse_cookies(value, format, settings.cookie_v0_separator, &mut vars.cookies);
        }
        vars.target = Some(target);
        vars.request = head;
        for list in [List::Query, List::Cookies, List::RequestHeaders] {
            vars.index_keys(list);
        }
        self.name_processor();
    }

    /// Takes the response's head, before phase 3.
    pub fn response_head(&mut self, head: ResponseHead) {
        self.vars.response_body_length = head
            .headers
            .first(b"content-length")
            .map_or(0, |value| crate::number::leading_integer(value).max(0) as u64);
        self.vars.response = Some(head);
        self.vars.index_keys(List::ResponseHeaders);
    }

    /// Whether the request's body is to be fed at all. Known after phase 1.
    pub fn wants_request_body(&self) -> bool {
        self.vars.engine != RuleEngine::Off
            && self.control.request_body_access
            && !matches!(self.request_body, BodyState::Closed)
    }

    /// Whether the response's body is to be fed. Known after phase 3.
    pub fn wants_response_body(&self) -> bool {
        self.vars.engine != RuleEngine::Off
            && self.control.response_body_access
            && self.interruption.is_none()
            && self.vars.response_media_type().is_some_and(|kind| {
                let mut wanted = self.rules.settings.response_body_mime_types.iter();
                wanted.any(|wanted| kind.eq_ignore_ascii_case(wanted.as_bytes()))
            })
    }

    /// Feeds a piece of the request's body, between phases 1 and 2. A limit may interrupt the exchange.
    pub fn request_body_chunk(&mut self, chunk: &[u8]) {
        if !self.wants_request_body() || self.interruption.is_some() {
            return;
        }
        self.open_request_body();
        let seen = self.vars.request_body_length;
        let bound = self.request_body_bound();
        let room = bound.bytes_max.saturating_sub(seen);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(chunk.len());
        self.take_request_body(&chunk[..fits]);
        if fits < chunk.len() && self.wants_request_body() {
            self.request_body_over(bound);
        }
    }

    fn take_request_body(&mut self, chunk: &[u8]) {
        let limit = self.rules.settings.request_body_no_files_limit;
        let BodyState::Open { parser, no_files_length } = &mut self.request_body else { return };
        let mut fits = chunk.len();
        if let Some(parser) = parser {
            // File contents do not count, but only the parser can tell: multipart is judged by its fields, at
            // the end.
            if self.vars.processor != BodyKind::Multipart.name() {
                fits = fits.min(usize::try_from(limit - *no_files_length).unwrap_or(usize::MAX));
                *no_files_length += fits as u64;
            }
            parser.feed(&chunk[..fits]);
        }
        self.vars.request_body_length += fits as u64;
        if self.vars.request_body_visible || self.rules.keeps_full_request {
            self.vars.request_body.extend_from_slice(&chunk[..fits]);
        }
        if fits < chunk.len() {
            self.request_body_over(self.no_files_bound());
        }
    }

    fn request_body_over(&mut self, bound: BodyBound) {
        self.vars.inbound_data_error = true;
        self.note(Shortfall::Limit("request_body"));
        self.finish_request_body(BodyParser::finish);
        self.interrupt_by_bound(bound, Phase::RequestBody);
    }

    /// Says that the request's body goes on, but that nobody hands over more of it. Before phase 2, in place of
    /// [`request_body_end`](Self::request_body_end). The profile's word on bodies over its limit holds.
    pub fn request_body_cut(&mut self) {
        if self.wants_request_body() {
            self.open_request_body();
            self.finish_request_body(BodyParser::finish_cut);
            self.request_body_over(BodyBound {
                bytes_max: self.vars.request_body_length,
                action: self.control.caps.on_request_body,
                whose: "what is handed over",
                status: 413,
            });
        }
        self.request_body = BodyState::Closed;
    }

    /// Says that the request's body is whole, or that there is none. Before phase 2.
    pub fn request_body_end(&mut self) {
        if self.wants_request_body() {
            self.open_request_body();
            self.finish_request_body(BodyParser::finish);
        }
        self.request_body = BodyState::Closed;
    }

    fn open_request_body(&mut self) {
        if !matches!(self.request_body, BodyState::Waiting) {
            return;
        }
        let kind = self.body_kind();
        // ModSecurity 2 and Coraza, and what CRS's tests expect; ModSecurity 3 shows REQUEST_BODY always.
        self.vars.request_body_visible =
            kind == Some(BodyKind::UrlEncoded) || self.control.force_request_body_variable;
        let limits = self.body_limits();
        let parser = kind.map(|kind| {
            let memory = std::mem::take(&mut self.arguments);
            BodyParser::reusing(kind, self.content_type(), &limits, memory)
        });
        self.request_body = BodyState::Open { parser, no_files_length: 0 };
    }

    /// What reads the body: as `ctl` says, else by the Content-Type.
    fn body_kind(&self) -> Option<BodyKind> {
        match self.control.request_body_processor {
            Some(BodyProcessor::UrlEncoded) => Some(BodyKind::UrlEncoded),
            Some(BodyProcessor::Multipart) => Some(BodyKind::Multipart),
            Some(BodyProcessor::Json) => Some(BodyKind::Json),
            Some(BodyProcessor::Xml) => Some(BodyKind::Xml),
            Some(BodyProcessor::Raw) => None,
            None => BodyKind::from_content_type(self.content_type()),
        }
    }

    fn content_type(&self) -> &[u8] {
        self.vars.request.headers.first(b"content-type").unwrap_or_default()
    }

    /// REQBODY_PROCESSOR shows what will read the body as soon as it is known.
    pub(crate) fn name_processor(&mut self) {
        self.vars.processor = self.body_kind().map_or("", BodyKind::name);
    }

    fn finish_request_body(&mut self, finish: fn(BodyParser) -> ParsedBody) {
        let BodyState::Open { parser, .. } = std::mem::replace(&mut self.request_body, BodyState::Closed)
        else {
            return;
        };
        // A request without a body has no body to be malformed: an empty text is not JSON, and is not an error.
        let Some(parser) = parser.filter(|_| self.vars.request_body_length > 0) else { return };
        let mut body = finish(parser);
        if let Some(xml) =
            body.xml.as_ref().filter(|_| self.control.parse_xml_into_args != ParseXmlIntoArgs::Off)
        {
            let (fields, hits) = xml.arguments(&self.body_limits());
            body.fields = fields;
            body.limit_hits.extend(hits);
            if self.control.parse_xml_into_args == ParseXmlIntoArgs::OnlyArgs {
                body.xml = None;
            }
        }
        for hit in &body.limit_hits {
            note_shortfall(&mut self.shortfalls, Shortfall::Limit(hit.name()));
        }
        if let Some(error) = &body.error {
            self.vars.body_error = Some(error.clone());
        } else if let Some(hit) = body.limit_hits.first() {
            self.vars.body_error.get_or_insert_with(|| format!("limit {} met", hit.name()));
        }
        let no_files: usize = body.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.vars.body = body;
        self.vars.index_keys(List::Body);
        self.vars.index_keys(List::PartHeaders);
        let limit = self.rules.settings.request_body_no_files_limit;
        if self.vars.processor == BodyKind::Multipart.name() && no_files as u64 > limit {
            self.request_body_over(self.no_files_bound());
        }
    }

    /// Feeds a piece of the response's body, between phases 3 and 4. A limit may interrupt the exchange.
    pub fn response_body_chunk(&mut self, chunk: &[u8]) {
        if !self.response_body_open {
            if !self.wants_response_body() {
                return;
            }
            self.response_body_open = true;
            self.vars.response_body_length = 0;
        }
        let bound = self.response_body_bound();
        let room = bound.bytes_max.saturating_sub(self.vars.response_body.len() as u64);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(chunk.len());
        self.vars.response_body.extend_from_slice(&chunk[..fits]);
        self.vars.response_body_length += fits as u64;
        if fits < chunk.len() && !self.vars.outbound_data_error {
            self.vars.outbound_data_error = true;
            self.note(Shortfall::Limit("response_body"));
            self.interrupt_by_bound(bound, Phase::ResponseBody);
        }
    }

    /// Runs a phase. Each runs once, in order; one that is not due (after an interruption, or phase 4 without a
    /// body to look at) does nothing.
    pub fn run(&mut self, phase: Phase, clock: Clock) -> Progress {
        self.vars.clock = clock;
        let slot = phase_slot(phase);
        if self.cursor.ran[slot] || !self.is_due(phase) {
            return Progress::Done;
        }
        self.cursor.ran[slot] = true;
        self.cursor.phase = Some(phase);
        self.cursor.step = 0;
        self.cursor.skip = 0;
        self.cursor.paused = None;
        self.debug_phase(phase);
        self.run_program(phase)
    }

    /// Goes on after [`Progress::Yield`] or an answer.
    pub fn resume(&mut self, clock: Clock) -> Progress {
        self.vars.clock = clock;
        match self.cursor.phase {
            Some(phase) => self.run_program(phase),
            None => Progress::Done,
        }
    }

    /// Gives the answer to the last [`Progress::Need`].
    pub fn answer(&mut self, answer: Answer) {
        if let Some(asked) = self.cursor.asked.take() {
            self.take_answer(asked, answer);
        }
    }

    fn is_due(&self, phase: Phase) -> bool {
        if self.vars.engine == RuleEngine::Off {
            return false;
        }
        if phase == Phase::Logging {
            return true;
        }
        if self.interruption.is_some() {
            return false;
        }
        let allowed = match self.control.allowed {
            Some(AllowScope::Transaction) => true,
            Some(AllowScope::Request) => matches!(phase, Phase::RequestHeaders | Phase::RequestBody),
            // It has ended with its phase.
            Some(AllowScope::Phase) | None => false,
        };
        // ModSecurity 3 does not run phase 4 for a body that it does not look at.
        let blind = phase == Phase::ResponseBody && !self.response_body_open && !self.wants_response_body();
        !allowed && !blind
    }

    /// What stopped the exchange.
    pub fn interruption(&self) -> Option<&Interruption> {
        self.interruption.as_ref()
    }

    /// What would have stopped the exchange first, where rules only detect.
    pub fn would_interrupt(&self) -> Option<&Interruption> {
        self.would_interrupt.as_ref()
    }

    /// Rules that matched, in order.
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }

    /// Values that rules looked at, when they were to be kept.
    pub fn evaluated(&self) -> &[Evaluated] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// What kept the engine from looking at everything.
    pub fn shortfalls(&self) -> &[Shortfall] {
        &self.shortfalls
    }

    /// Values that logs must not show.
    pub fn sanitised(&self) -> &[Sanitised] {
        &self.sanitised
    }

    /// Changes to persistent collections since the last call.
    pub fn take_operations(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }

    /// The variables of TX, in the order of their first assignment.
    pub fn tx(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.vars.tx.iter()
    }

    /// The rules it runs.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Client, server and id.
    pub fn connection(&self) -> &Connection {
        &self.vars.connection
    }

    /// The request's head.
    pub fn request(&self) -> &RequestHead {
        &self.vars.request
    }

    /// The path as REQUEST_FILENAME shows it.
    pub fn request_filename(&self) -> &[u8] {
        &self.vars.request_filename
    }

    /// What `SecAuditEngine` and `ctl:auditEngine` came to.
    pub fn audit_engine(&self) -> AuditEngine {
        self.control.audit_engine
    }

    /// What `SecAuditLogParts` and `ctl:auditLogParts` came to.
    pub fn audit_parts(&self) -> &str {
        self.control.audit_parts.as_deref().unwrap_or(&self.rules.settings.audit.parts)
    }

    /// Whether a rule that audits has matched.
    pub fn is_relevant(&self) -> bool {
        self.control.relevant
    }

    pub(crate) fn note(&mut self, shortfall: Shortfall) {
        note_shortfall(&mut self.shortfalls, shortfall);
    }

    /// Whether a rule that matches now stops the exchange.
    pub(crate) fn enforces(&self) -> bool {
        self.control.enforcement == Enforcement::AsWritten && self.vars.engine == RuleEngine::On
    }

    fn interrupt_by_limit(&mut self, reason: String, status: u16, phase: Phase) {
        let interruption = Interruption {
            action: InterruptionAction::Deny,
            status: Some(status),
            rule: None,
            phase,
            reason,
        };
        if self.enforces() {
            self.interruption.get_or_insert(interruption);
        } else if self.vars.engine == RuleEngine::On {
            // As for rules: a rule set that says DetectionOnly would not have stopped it in any mode.
            self.would_interrupt.get_or_insert(interruption);
        }
    }

    fn interrupt_by_bound(&mut self, bound: BodyBound, phase: Phase) {
        if bound.action == LimitAction::Reject {
            let reason = format!("{} of {} bytes exceeded", bound.whose, bound.bytes_max);
            self.interrupt_by_limit(reason, bound.status, phase);
        }
    }

    fn body_limits(&self) -> BodyLimits {
        let (settings, caps) = (&self.rules.settings, &self.control.caps);
        let stricter = |limit: u64, cap: usize| usize::try_from(limit).unwrap_or(usize::MAX).min(cap);
        BodyLimits {
            arguments_max: stricter(settings.arguments_limit, caps.arguments_max),
            argument_separator: settings.argument_separator,
            // A deeper document costs stack nowhere, but its keys grow with it.
            json_depth_max: stricter(settings.request_body_json_depth_limit, caps.json_depth_max),
            files_max: usize::try_from(settings.upload_file_limit).unwrap_or(usize::MAX),
            // All that the body limit lets in, when a rule looks at it.
            file_content_bytes_max: if self.rules.keeps_file_content { usize::MAX } else { 0 },
            ..BodyLimits::default()
        }
    }

    /// A collection was loaded, or starts empty.
    pub(crate) fn open(&mut self, key: crate::persistent::CollectionKey, stored: Vec<StoredVariable>) {
        let mut variables = VarStore::default();
        let mut changed = HashMap::new();
        for variable in stored {
            variables.set(&variable.name, &variable.value);
            changed.insert(variable.name.to_ascii_lowercase(), variable.changed);
        }
        self.vars.persistent.retain(|open| open.key.collection != key.collection);
        self.vars.persistent.push(OpenCollection { key, variables, changed });
    }

    /// A text with its macros replaced.
    pub(crate) fn expand<'t>(&self, template: &'t Template) -> Cow<'t, [u8]> {
        crate::expand::expand(&self.vars, template)
    }
}

pub(crate) fn note_shortfall(shortfalls: &mut Vec<Shortfall>, shortfall: Shortfall) {
    if shortfalls.len() < SHORTFALLS_MAX && !shortfalls.contains(&shortfall) {
        shortfalls.push(shortfall);
    }
}
