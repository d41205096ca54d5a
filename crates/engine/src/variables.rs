//! What a rule can look at: the variables and collections of one transaction.
//!
//! A rule's targets become a list of [`Item`]s, small handles that name a value without copying it. Names such
//! as `ARGS:q` are built only when somebody asks, after a match.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use palisade_codec::transform::{Context, Effect, Transformation};
use palisade_http::{Fields, ParsedBody, RequestHead, ResponseHead, Target as RequestTarget, XmlDocument};
use palisade_seclang::ast::{PersistentCollection, RuleEngine, Variable};

use crate::lookup::GeoRecord;
use crate::persistent::{CollectionKey, UnixMillis};
use crate::settings::Settings;

/// Who talks to whom, as the caller knows it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// REMOTE_ADDR and REMOTE_PORT: the client, after trusted hops were taken away.
    pub client: SocketAddr,
    /// SERVER_ADDR and SERVER_PORT.
    pub server: SocketAddr,
    /// UNIQUE_ID.
    pub unique_id: String,
}

/// The time at which something happens to a transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Wall clock, for TIME_* and expiry.
    pub now: UnixMillis,
    /// Local time minus UTC, for TIME_*.
    pub utc_offset_seconds: i32,
    /// A monotonic clock in microseconds, for DURATION.
    pub monotonic_micros: u64,
}

/// A handle to one value of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The variable that the target names, `ARGS` also for a query argument.
    pub(crate) variable: Variable,
    pub(crate) kind: ItemKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// Member of a list of fields.
    Field { list: List, index: u32, part: Part },
    /// Member of FILES*.
    File { index: u32, what: FilePart },
    /// A variable that is one text.
    Scalar,
    /// A variable that is a number.
    Number(u64),
    /// How many members the target of this number in its link has.
    Count { members: u32, target: u32 },
    /// Member of TX, ENV or a persistent collection.
    Var { store: Store, slot: u32 },
    /// Member of MATCHED_VARS.
    Matched { index: u32, part: Part },
    /// A value of an XPath.
    XPath { number: u32, index: u32 },
    /// Member of GEO or RULE.
    Record { index: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Query,
    Body,
    Cookies,
    RequestHeaders,
    ResponseHeaders,
    PartHeaders,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Name,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilePart {
    FileName,
    FieldName,
    Size,
    Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Tx,
    Env,
    Persistent(PersistentCollection),
}

/// Named values that rules write. Keys ignore ASCII case; slots keep their number while the transaction lives.
#[derive(Debug, Default)]
pub(crate) struct VarStore {
    slots: Vec<VarSlot>,
    by_name: HashMap<Vec<u8>, u32, rustc_hash::FxBuildHasher>,
    key_buffer: Vec<u8>,
    /// Bytes of all values and names, against [`STORE_BYTES_MAX`].
    bytes: usize,
}

#[derive(Debug)]
struct VarSlot {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Names in one store. Rules that build names from the request (`setvar:tx.a_%{matched_var}`) stop adding here.
const VARIABLES_MAX: usize = 20_000;
/// Bytes of all values and names in one store. A rule that copies a large value under, or into, a name for each
/// argument stops here: later values are not written. Large enough for the largest body in a few variables.
const STORE_BYTES_MAX: usize = 64 << 20;

impl VarStore {
    pub(crate) fn slot(&self, name: &[u8]) -> Option<u32> {
        // Names in rules are short; a stack buffer spares an allocation for each lookup.
        let mut small = [0u8; 64];
        let slot = if let Some(buffer) = small.get_mut(..name.len()) {
            buffer.copy_from_slice(name);
            buffer.make_ascii_lowercase();
            *self.by_name.get(&*buffer)?
        } else {
            *self.by_name.get(&name.to_ascii_lowercase())?
        };
        self.slots[slot as usize].value.is_some().then_some(slot)
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.slot(name).and_then(|slot| self.value(slot))
    }

    pub(crate) fn value(&self, slot: u32) -> Option<&[u8]> {
        self.slots.get(slot as usize)?.value.as_deref()
    }

    pub(crate) fn name(&self, slot: u32) -> &[u8] {
        &self.slots[slot as usize].name
    }

    /// Writes a value. Returns false, and changes nothing, when the store is full.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.key_buffer.clear();
        self.key_buffer.extend(name.iter().map(u8::to_ascii_lowercase));
        let slot = self.by_name.get(&self.key_buffer).copied();
        let held = slot.and_then(|slot| self.value(slot)).map_or(0, <[u8]>::len);
        // A name is held twice, as it was written and as it is found, for as long as the store lives.
        let named = if slot.is_some() { 0 } else { 2 * name.len() };
        let bytes = self.bytes - held + named + value.len();
        if bytes > STORE_BYTES_MAX {
            return false;
        }
        if let Some(slot) = slot {
            self.bytes = bytes;
            let held = self.slots[slot as usize].value.get_or_insert_default();
            held.clear();
            held.extend_from_slice(value);
            return true;
        }
        if self.slots.len() >= VARIABLES_MAX {
            return false;
        }
        self.bytes = bytes;
        self.by_name.insert(self.key_buffer.clone(), self.slots.len() as u32);
        self.slots.push(VarSlot { name: name.to_vec(), value: Some(value.to_vec()) });
        true
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        if let Some(slot) = self.slot(name) {
            let held = self.slots[slot as usize].value.take();
            self.bytes -= held.map_or(0, |value| value.len());
        }
    }

    /// Slots in use, in the order of their first assignment.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.value.is_some()).map(|(n, _)| n as u32)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.slots.iter().filter_map(|slot| Some((slot.name.as_slice(), slot.value.as_deref()?)))
    }
}

/// A persistent collection that a transaction has opened.
#[derive(Debug)]
pub(crate) struct OpenCollection {
    pub(crate) key: CollectionKey,
    pub(crate) variables: VarStore,
    /// When variables that this transaction has not changed were changed last, by their lower-case names.
    pub(crate) changed: HashMap<Vec<u8>, UnixMillis>,
}

/// A match that rules can look at.
#[derive(Debug)]
pub(crate) struct MatchedVar {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Everything that rules of one transaction can see, but for the rules themselves.
#[derive(Debug)]
pub(crate) struct Variables {
    pub(crate) connection: Connection,
    pub(crate) clock: Clock,
    pub(crate) started: Clock,
    pub(crate) engine: RuleEngine,
    pub(crate) settings_web_app_id: String,

    pub(crate) request: RequestHead,
    pub(crate) target: Option<RequestTarget>,
    pub(crate) request_uri: Vec<u8>,
    pub(crate) request_filename: Vec<u8>,
    pub(crate) query: Fields,
    pub(crate) query_invalid_encoding: bool,
    pub(crate) cookies: Fields,

    pub(crate) request_body: Vec<u8>,
    /// REQUEST_BODY shows the body.
    pub(crate) request_body_visible: bool,
    pub(crate) request_body_length: u64,
    pub(crate) body: ParsedBody,
    pub(crate) processor: &'static str,
    pub(crate) body_error: Option<String>,
    pub(crate) inbound_data_error: bool,

    pub(crate) response: Option<ResponseHead>,
    pub(crate) response_body: Vec<u8>,
    pub(crate) response_body_length: u64,
    pub(crate) outbound_data_error: bool,

    pub(crate) tx: VarStore,
    pub(crate) env: VarStore,
    pub(crate) persistent: Vec<OpenCollection>,
    pub(crate) geo: Fields,
    pub(crate) xpath_values: Vec<Option<Vec<Vec<u8>>>>,

    pub(crate) matched: Option<Arc<MatchedVar>>,
    pub(crate) matched_vars: Vec<Arc<MatchedVar>>,
    pub(crate) highest_severity: u8,
    /// RULE: the texts of the rule at work.
    pub(crate) rule: Arc<Fields>,
    pub(crate) pcre_limits_exceeded: bool,
    pub(crate) session_id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    pub(crate) resource_id: Vec<u8>,
}

impl Variables {
    pub(crate) fn new(connection: Connection, clock: Clock, settings: &Settings, xpaths: usize) -> Self {
        Self {
            connection,
            clock,
            started: clock,
            engine: settings.rule_engine,
            settings_web_app_id: settings.web_app_id.clone(),
            request: RequestHead::default(),
            target: None,
            request_uri: Vec::new(),
            request_filename: Vec::new(),
            query: Fields::new(),
            query_invalid_encoding: false,
            cookies: Fields::new(),
            request_body: Vec::new(),
            request_body_visible: false,
            request_body_length: 0,
            body: ParsedBody::default(),
            processor: "",
            body_error: None,
            inbound_data_error: false,
            response: None,
            response_body: Vec::new(),
            response_body_length: 0,
            outbound_data_error: false,
            tx: VarStore::default(),
            env: VarStore::default(),
            persistent: Vec::new(),
            geo: Fields::new(),
            xpath_values: vec![None; xpaths],
            matched: None,
            matched_vars: Vec::new(),
            // What ModSecurity starts from: larger than any severity.
            highest_severity: 255,
            rule: Arc::default(),
            pcre_limits_exceeded: false,
            session_id: Vec::new(),
            user_id: Vec::new(),
            resource_id: Vec::new(),
        }
    }

    pub(crate) fn xml(&self) -> Option<&XmlDocument> {
        self.body.xml.as_ref()
    }

    pub(crate) fn open_collection(&self, collection: PersistentCollection) -> Option<&OpenCollection> {
        self.persistent.iter().find(|open| open.key.collection == collection)
    }

    pub(crate) fn open_collection_mut(
        &mut self,
        collection: PersistentCollection,
    ) -> Option<&mut OpenCollection> {
        self.persistent.iter_mut().find(|open| open.key.collection == collection)
    }

    pub(crate) fn store(&self, store: Store) -> Option<&VarStore> {
        match store {
            Store::Tx => Some(&self.tx),
            Store::Env => Some(&self.env),
            Store::Persistent(collection) => self.open_collection(collection).map(|open| &open.variables),
        }
    }

    pub(crate) fn list(&self, list: List) -> &Fields {
        match list {
            List::Query => &self.query,
            List::Body => &self.body.fields,
            List::Cookies => &self.cookies,
            List::RequestHeaders => &self.request.headers,
            List::ResponseHeaders => self.response.as_ref().map_or(EMPTY_FIELDS, |head| &head.headers),
            List::PartHeaders => &self.body.part_headers,
        }
    }

    /// The members of a collection, or the one value of a plain variable, in order. A variable that does not exist
    /// (RESPONSE_STATUS in phase 1) gives none.
    pub(crate) fn members(&self, variable: Variable, out: &mut Vec<Item>) {
        use Part::{Name, Value};
        match variable {
            Variable::Args => self.fields(variable, &[List::Query, List::Body], Value, out),
            Variable::ArgsGet => self.fields(variable, &[List::Query], Value, out),
            Variable::ArgsPost => self.fields(variable, &[List::Body], Value, out),
            Variable::ArgsNames => self.fields(variable, &[List::Query, List::Body], Name, out),
            Variable::ArgsGetNames => self.fields(variable, &[List::Query], Name, out),
            Variable::ArgsPostNames => self.fields(variable, &[List::Body], Name, out),
            Variable::RequestCookies => self.fields(variable, &[List::Cookies], Value, out),
            Variable::RequestCookiesNames => self.fields(variable, &[List::Cookies], Name, out),
            Variable::RequestHeaders => self.fields(variable, &[List::RequestHeaders], Value, out),
            Variable::RequestHeadersNames => self.fields(variable, &[List::RequestHeaders], Name, out),
            Variable::ResponseHeaders => self.fields(variable, &[List::ResponseHeaders], Value, out),
            Variable::ResponseHeadersNames => self.fields(variable, &[List::ResponseHeaders], Name, out),
            Variable::MultipartPartHeaders => self.fields(variable, &[List::PartHeaders], Value, out),
            Variable::Files => self.files(variable, FilePart::FileName, out),
            Variable::FilesNames => self.files(variable, FilePart::FieldName, out),
            Variable::FilesSizes => self.files(variable, FilePart::Size, out),
            Variable::FilesTmpContent => self.files(variable, FilePart::Content, out),
            Variable::Tx
            | Variable::Env
            | Variable::Ip
            | Variable::Session
            | Variable::User
            | Variable::Global
            | Variable::Resource => {
                let store = store_of(variable).expect("these are the stores");
                if let Some(values) = self.store(store) {
                    out.extend(
                        values.slots().map(|slot| Item { variable, kind: ItemKind::Var { store, slot } }),
                    );
                }
            }
            Variable::MatchedVars | Variable::MatchedVarsNames => {
                let part = if variable == Variable::MatchedVars { Value } else { Name };
                out.extend(
                    (0..self.matched_vars.len() as u32)
                        .map(|index| Item { variable, kind: ItemKind::Matched { index, part } }),
                );
            }
            Variable::Geo => out.extend(
                (0..self.geo.len() as u32).map(|index| Item { variable, kind: ItemKind::Record { index } }),
            ),
            Variable::Rule => out.extend(
                (0..self.rule.len() as u32).map(|index| Item { variable, kind: ItemKind::Record { index } }),
            ),
            // Its values come through the selector only.
            Variable::Xml => {}
            _ => out.extend(self.single(variable)),
        }
    }

    /// The one value of a variable that is no collection.
    pub(crate) fn single(&self, variable: Variable) -> Option<Item> {
        if let Some(number) = self.number(variable) {
            return Some(Item { variable, kind: ItemKind::Number(number) });
        }
        self.scalar(variable).map(|_| Item { variable, kind: ItemKind::Scalar })
    }

    fn fields(&self, variable: Variable, lists: &[List], part: Part, out: &mut Vec<Item>) {
        for &list in lists {
            out.extend(
                (0..self.list(list).len() as u32)
                    .map(|index| Item { variable, kind: ItemKind::Field { list, index, part } }),
            );
        }
    }

    fn files(&self, variable: Variable, what: FilePart, out: &mut Vec<Item>) {
        out.extend(
            (0..self.body.files.len() as u32)
                .map(|index| Item { variable, kind: ItemKind::File { index, what } }),
        );
    }

    /// The key by which a selector chooses a member; `None` for a plain variable.
    pub(crate) fn key(&self, item: Item) -> Option<&[u8]> {
        match item.kind {
            ItemKind::Field { list, index, .. } => self.list(list).get(index as usize).map(|(name, _)| name),
            ItemKind::File { index, what } => {
                let file = self.body.files.get(index as usize)?;
                Some(if what == FilePart::Content { &file.file_name } else { &file.name })
            }
            ItemKind::Var { store, slot } => self.store(store).map(|store| store.name(slot)),
            ItemKind::Matched { index, .. } => {
                self.matched_vars.get(index as usize).map(|var| var.name.as_slice())
            }
            ItemKind::Record { index } => {
                self.record(item.variable).get(index as usize).map(|(name, _)| name)
            }
            ItemKind::Scalar | ItemKind::Number(_) | ItemKind::Count { .. } | ItemKind::XPath { .. } => None,
        }
    }

    fn record(&self, variable: Variable) -> &Fields {
        if variable == Variable::Geo { &self.geo } else { &self.rule }
    }

    /// The bytes of a value. Numbers and computed texts are written to the buffer.
    pub(crate) fn value<'a>(&'a self, item: Item, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match item.kind {
            ItemKind::Field { list, index, part } => {
                let (name, value) = self.list(list).get(index as usize)?;
                Some(if part == Part::Name { name } else { value })
            }
            ItemKind::File { index, what } => {
                let file = self.body.files.get(index as usize)?;
                Some(match what {
                    FilePart::FileName => &file.file_name,
                    FilePart::FieldName => &file.name,
                    FilePart::Content => &file.content,
                    FilePart::Size => return Some(write_number(file.size, buffer)),
                })
            }
            ItemKind::Number(number) => Some(write_number(number, buffer)),
            ItemKind::Count { members, .. } => Some(write_number(u64::from(members), buffer)),
            ItemKind::Var { store, slot } => self.store(store)?.value(slot),
            ItemKind::Matched { index, part } => {
                let var = self.matched_vars.get(index as usize)?;
                Some(if part == Part::Name { &var.name } else { &var.value })
            }
            ItemKind::XPath { number, index } => self
                .xpath_values
                .get(number as usize)?
                .as_ref()?
                .get(index as usize)
                .map(|value| value.as_slice()),
            ItemKind::Record { index } => {
                self.record(item.variable).get(index as usize).map(|(_, value)| value)
            }
            ItemKind::Scalar => match self.scalar(item.variable)? {
                Cow::Borrowed(text) => Some(text),
                Cow::Owned(text) => {
                    *buffer = text;
                    Some(buffer)
                }
            },
        }
    }

    /// What MATCHED_VAR_NAME says: `ARGS:q`, `REQUEST_URI`.
    pub(crate) fn name(&self, item: Item) -> Vec<u8> {
        let variable = item.variable.as_str().as_bytes();
        match self.key(item) {
            Some(key) => [variable, b":", key].concat(),
            None => variable.to_vec(),
        }
    }

    /// Variables that are numbers.
    pub(crate) fn number(&self, variable: Variable) -> Option<u64> {
        let flags = self.body.multipart.as_ref();
        let flag =
            |pick: fn(&palisade_http::MultipartFlags) -> bool| Some(u64::from(flags.is_some_and(pick)));
        match variable {
            Variable::ArgsCombinedSize => Some(
                [&self.query, &self.body.fields]
                    .into_iter()
                    .flat_map(Fields::iter)
                    .map(|(name, value)| (name.len() + value.len()) as u64)
                    .sum(),
            ),
            Variable::FilesCombinedSize => Some(self.body.files.iter().map(|file| file.size).sum()),
            Variable::Duration => {
                Some(self.clock.monotonic_micros.saturating_sub(self.started.monotonic_micros))
            }
            Variable::HighestSeverity => Some(u64::from(self.highest_severity)),
            Variable::InboundDataError => Some(u64::from(self.inbound_data_error)),
            Variable::OutboundDataError => Some(u64::from(self.outbound_data_error)),
            Variable::MscPcreLimitsExceeded | Variable::MscPcreError => {
                Some(u64::from(self.pcre_limits_exceeded))
            }
            Variable::ReqbodyError | Variable::ReqbodyProcessorError => {
                Some(u64::from(self.body_error.is_some()))
            }
            Variable::UrlencodedError => {
                Some(u64::from(self.query_invalid_encoding || self.body.invalid_encoding))
            }
            Variable::RequestBodyLength => Some(self.request_body_length),
            Variable::FullRequestLength => Some(self.request_head_length() + self.request_body.len() as u64),
            Variable::ResponseContentLength => self.response.as_ref().map(|_| self.response_body_length),
            Variable::RemotePort => Some(u64::from(self.connection.client.port())),
            Variable::ServerPort => Some(u64::from(self.connection.server.port())),
            Variable::ResponseStatus => self.response.as_ref().map(|head| u64::from(head.status)),
            Variable::MultipartBoundaryQuoted => flag(|f| f.boundary_quoted),
            Variable::MultipartBoundaryWhitespace => flag(|f| f.boundary_whitespace),
            Variable::MultipartCrlfLfLines => flag(|f| f.crlf_lf_lines()),
            Variable::MultipartDataAfter => flag(|f| f.data_after),
            Variable::MultipartDataBefore => flag(|f| f.data_before),
            Variable::MultipartFileLimitExceeded => flag(|f| f.file_limit_exceeded),
            Variable::MultipartHeaderFolding => flag(|f| f.header_folding),
            Variable::MultipartInvalidHeaderFolding => flag(|f| f.invalid_header_folding),
            Variable::MultipartInvalidPart => flag(|f| f.invalid_part),
            Variable::MultipartInvalidQuoting => flag(|f| f.invalid_quoting),
            Variable::MultipartLfLine => flag(|f| f.lf_line),
            Variable::MultipartMissingSemicolon => flag(|f| f.missing_semicolon),
            Variable::MultipartStrictError => flag(|f| f.strict_error()),
            Variable::MultipartUnmatchedBoundary => {
                Some(flags.map_or(0, |f| u64::from(f.unmatched_boundary)))
            }
            Variable::TimeEpoch => Some(self.clock.now.0 / 1000),
            Variable::TimeDay
            | Variable::TimeHour
            | Variable::TimeMin
            | Variable::TimeMon
            | Variable::TimeSec
            | Variable::TimeWday
            | Variable::TimeYear => Some(self.local_time().field(variable)),
            _ => None,
        }
    }

    /// Variables that are one text; `None` where the variable does not exist at this time.
    pub(crate) fn scalar(&self, variable: Variable) -> Option<Cow<'_, [u8]>> {
        let borrowed = |text: &'static str| Some(Cow::Borrowed(text.as_bytes()));
        match variable {
            Variable::AuthType => {
                let value = self.request.headers.first(b"authorization")?;
                Some(Cow::Borrowed(value.split(|byte| *byte == b' ').next().unwrap_or_default()))
            }
            Variable::FullRequest => Some(Cow::Owned(self.full_request())),
            // Before the first match they are there, and empty.
            Variable::MatchedVar => {
                Some(Cow::Borrowed(self.matched.as_ref().map_or(&[][..], |matched| &matched.value)))
            }
            Variable::MatchedVarName => {
                Some(Cow::Borrowed(self.matched.as_ref().map_or(&[][..], |matched| &matched.name)))
            }
            Variable::ModsecBuild => borrowed("030000000"),
            Variable::InboundErrorData => None,
            Variable::MultipartName => {
                self.body.multipart.as_ref().map(|_| Cow::Borrowed(&*self.body.multipart_name))
            }
            Variable::MultipartFilename => {
                self.body.multipart.as_ref().map(|_| Cow::Borrowed(&*self.body.multipart_file_name))
            }
            Variable::PathInfo | Variable::RequestFilename | Variable::ScriptFilename => {
                Some(Cow::Borrowed(&self.request_filename))
            }
            Variable::QueryString => Some(Cow::Borrowed(self.target.as_ref()?.query().unwrap_or_default())),
            Variable::RemoteAddr | Variable::RemoteHost | Variable::UserAgent => {
                Some(Cow::Owned(self.connection.client.ip().to_string().into_bytes()))
            }
            Variable::ServerAddr => Some(Cow::Owned(self.connection.server.ip().to_string().into_bytes())),
            Variable::RemoteUser => self.remote_user().map(Cow::Owned),
            Variable::ReqbodyErrorMsg | Variable::ReqbodyProcessorErrorMsg => {
                Some(Cow::Borrowed(self.body_error.as_deref().unwrap_or_default().as_bytes()))
            }
            Variable::ReqbodyProcessor => borrowed(self.processor),
            Variable::RequestBasename | Variable::ScriptBasename => {
                Some(Cow::Borrowed(RequestTarget::basename(&self.request_filename)))
            }
            Variable::RequestBody => {
                self.request_body_visible.then_some(Cow::Borrowed(self.request_body.as_slice()))
            }
            Variable::RequestLine => Some(Cow::Borrowed(&self.request.line)),
            Variable::RequestMethod => Some(Cow::Borrowed(&self.request.method)),
            // A request line without a version is one of HTTP/0.9, and so says Apache.
            Variable::RequestProtocol if self.request.version.is_empty() && self.target.is_some() => {
                borrowed("HTTP/0.9")
            }
            Variable::RequestProtocol => Some(Cow::Borrowed(&self.request.version)),
            Variable::RequestUri => Some(Cow::Borrowed(&self.request_uri)),
            Variable::RequestUriRaw => Some(Cow::Borrowed(&self.request.target)),
            Variable::ResponseBody => {
                self.response.as_ref().map(|_| Cow::Borrowed(self.response_body.as_slice()))
            }
            Variable::ResponseContentType => self.response_media_type().map(Cow::Borrowed),
            Variable::ResponseProtocol => Some(Cow::Borrowed(&self.response.as_ref()?.version)),
            Variable::StatusLine => Some(Cow::Borrowed(&self.response.as_ref()?.line)),
            Variable::ServerName => {
                let host = self.request.headers.first(b"host").unwrap_or_default();
                Some(Cow::Borrowed(without_port(host)))
            }
            Variable::SessionId => Some(Cow::Borrowed(&self.session_id)),
            Variable::UserId => Some(Cow::Borrowed(&self.user_id)),
            Variable::WebappId => Some(Cow::Borrowed(self.settings_web_app_id.as_bytes())),
            Variable::UniqueId => Some(Cow::Borrowed(self.connection.unique_id.as_bytes())),
            Variable::Time => {
                let time = self.local_time();
                Some(Cow::Owned(
                    format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second).into_bytes(),
                ))
            }
            _ => None,
        }
    }

    /// The response's media type without its parameters, empty when it names none.
    pub(crate) fn response_media_type(&self) -> Option<&[u8]> {
        let value = self.response.as_ref()?.headers.first(b"content-type").unwrap_or_default();
        Some(value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
    }

    fn request_head_length(&self) -> u64 {
        let headers: usize =
            self.request.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        (self.request.line.len() + 2 + headers + 2) as u64
    }

    fn full_request(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.request_head_length() as usize + self.request_body.len());
        text.extend_from_slice(&self.request.line);
        text.extend_from_slice(b"\r\n");
        for (name, value) in self.request.headers.iter() {
            text.extend_from_slice(name);
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&self.request_body);
        text
    }

    fn remote_user(&self) -> Option<Vec<u8>> {
        let value = self.request.headers.first(b"authorization")?;
        let credentials = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case(b"basic "))?;
        let encoded = value[credentials.len()..].trim_ascii();
        let mut decoded = Vec::new();
        if Transformation::Base64Decode.apply(encoded, &mut decoded, &Context::default()) == Effect::Unchanged
        {
            decoded.extend_from_slice(encoded);
        }
        let end = decoded.iter().position(|byte| *byte == b':')?;
        decoded.truncate(end);
        Some(decoded)
    }

    fn local_time(&self) -> LocalTime {
        LocalTime::new(self.clock)
    }

    /// Takes what an address lookup gave into GEO.
    pub(crate) fn set_geo(&mut self, record: &GeoRecord) {
        self.geo.clear();
        for (name, value) in &record.fields {
            self.geo.push(name.as_bytes(), value.as_bytes());
        }
    }
}

static EMPTY_FIELDS: &Fields = &Fields::EMPTY;

/// The store behind a collection that rules write.
pub(crate) fn store_of(variable: Variable) -> Option<Store> {
    Some(match variable {
        Variable::Tx => Store::Tx,
        Variable::Env => Store::Env,
        Variable::Ip => Store::Persistent(PersistentCollection::Ip),
        Variable::Session => Store::Persistent(PersistentCollection::Session),
        Variable::User => Store::Persistent(PersistentCollection::User),
        Variable::Global => Store::Persistent(PersistentCollection::Global),
        Variable::Resource => Store::Persistent(PersistentCollection::Resource),
        _ => return None,
    })
}

fn write_number(number: u64, buffer: &mut Vec<u8>) -> &[u8] {
    buffer.clear();
    write!(buffer, "{number}").expect("writing to memory");
    buffer
}

fn without_port(host: &[u8]) -> &[u8] {
    let port_begins = match host.iter().rposition(|byte| *byte == b']') {
        Some(bracket) => host[bracket..].iter().position(|byte| *byte == b':').map(|at| bracket + at),
        None => host.iter().position(|byte| *byte == b':'),
    };
    &host[..port_begins.unwrap_or(host.len())]
}

/// A broken-down time in the zone that the caller named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LocalTime {
    year: u64,
    /// 1 to 12.
    month: u64,
    /// 1 to 31.
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    /// 0 is Sunday.
    weekday: u64,
}

impl LocalTime {
    /// Days are counted from 0000-03-01, so that the leap day ends its year: the civil-from-days method of
    /// Howard Hinnant's paper "chrono-Compatible Low-Level Date Algorithms".
    fn new(clock: Clock) -> Self {
        let seconds = (clock.now.0 / 1000).saturating_add_signed(i64::from(clock.utc_offset_seconds));
        let days = seconds / 86_400;
        let of_day = seconds % 86_400;
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: of_day / 3_600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            weekday: (days + 4) % 7,
        }
    }

    fn field(self, variable: Variable) -> u64 {
        match variable {
            Variable::TimeDay => self.day,
            Variable::TimeHour => self.hour,
            Variable::TimeMin => self.minute,
            // As C's tm_mon, which is what ModSecurity prints: January is 0.
            Variable::TimeMon => self.month - 1,
            Variable::TimeSec => self.second,
            Variable::TimeWday => self.weekday,
            _ => self.year,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, offset: i32) -> LocalTime {
        LocalTime::new(Clock {
            now: UnixMillis(seconds * 1000),
            utc_offset_seconds: offset,
            monotonic_micros: 0,
        })
    }

    #[test]
    fn times_of_known_instants() {
        let epoch = at(0, 0);
        assert_eq!((epoch.year, epoch.month, epoch.day, epoch.weekday), (1970, 1, 1, 4));
        let leap = at(951_782_400, 0);
        assert_eq!((leap.year, leap.month, leap.day, leap.weekday), (2000, 2, 29, 2));
        let late = at(1_795_298_399, 3_600);
        assert_eq!((late.year, late.month, late.day, late.weekday), (2026, 11, 21, 6));
        assert_eq!((late.hour, late.minute, late.second), (22, 59, 59));
    }

    #[test]
    fn keys_ignore_case_and_slots_survive_removal() {
        let mut store = VarStore::default();
        store.set(b"Score", b"1");
        assert_eq!(store.get(b"sCORE"), Some(&b"1"[..]));
        store.remove(b"SCORE");
        assert_eq!(store.get(b"score"), None);
        store.set(b"score", b"2");
        assert_eq!(store.get(b"Score"), Some(&b"2"[..]));
        assert_eq!(store.slots().count(), 1);
    }

    #[test]
    fn a_store_is_bounded_by_its_names_as_well() {
        let mut store = VarStore::default();
        let name = |n: usize| [n.to_string().into_bytes(), vec![b'n'; 1 << 20]].concat();
        let kept = (0..100).take_while(|n| store.set(&name(*n), b"1")).count();
        assert_eq!(kept, 31, "names of a mebibyte, each held twice");
        assert!(store.set(&name(0), b"2"), "what is there can still change");
    }

    #[test]
    fn hosts_lose_their_port() {
        for (host, name) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")] {
            assert_eq!(without_port(host.as_bytes()), name.as_bytes());
        }
    }
}
