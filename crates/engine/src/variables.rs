//! What a rule can look at: the variables and collections of one transaction.
//!
//! A rule's targets become a list of [`Item`]s, small handles that name a value without copying it. Names such
//! as `ARGS:q` are built only when somebody asks, after a match.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use palisade_codec::transform::{Context, Effect, Transformation};
use palisade_http::{Fields, ParsedBody, RequestHead, ResponseHead, Target as RequestTarget, XmlDocument};
use palisade_model::Calendar;
use palisade_seclang::ast::{PersistentCollection, RuleEngine, Variable};

use crate::keys::{Key, KeyIndex, KeyTable};
use crate::lookup::GeoRecord;
use crate::matched::Matched;
use crate::number::Digits;
use crate::persistent::{CollectionKey, UnixMillis};
use crate::recycle::Buffers;
use crate::ruleset::{RuleIndex, RuleSet};
use crate::settings::Settings;
use crate::store::VarStore;

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

impl Item {
    /// Whether its value, unless it is empty, stays as it is for the rest of the transaction.
    pub(crate) fn lasts(self) -> bool {
        match self.kind {
            ItemKind::Field { .. } | ItemKind::Number(_) | ItemKind::Count { .. } => true,
            // The body comes between two phases, and may be large.
            ItemKind::Scalar => self.variable == Variable::ResponseBody,
            _ => false,
        }
    }
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

/// How many [`List`]s there are.
pub(crate) const LISTS: usize = List::PartHeaders as usize + 1;

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

/// A persistent collection that a transaction has opened.
#[derive(Debug)]
pub(crate) struct OpenCollection {
    pub(crate) key: CollectionKey,
    pub(crate) variables: VarStore,
    /// When variables that this transaction has not changed were changed last, by their lower-case names.
    pub(crate) changed: HashMap<Vec<u8>, UnixMillis>,
}

/// Everything that rules of one transaction can see, but for the rules themselves.
#[derive(Debug)]
pub(crate) struct Variables {
    pub(crate) connection: Connection,
    pub(crate) clock: Clock,
    pub(crate) started: Clock,
    pub(crate) engine: RuleEngine,
    pub(crate) settings: Arc<Settings>,

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

    /// Where the keys that rules mention are in each [`List`].
    keys: Arc<[KeyTable<Key>; LISTS]>,
    pub(crate) key_indexes: [KeyIndex; LISTS],

    pub(crate) tx: VarStore,
    pub(crate) env: VarStore,
    pub(crate) persistent: Vec<OpenCollection>,
    pub(crate) geo: Fields,
    pub(crate) xpath_values: Vec<Option<Vec<Vec<u8>>>>,

    pub(crate) matched: Matched,
    pub(crate) highest_severity: u8,
    /// The rule at work, which RULE shows.
    pub(crate) rule: RuleIndex,
    pub(crate) rule_fields: Arc<[Arc<Fields>]>,
    pub(crate) pcre_limits_exceeded: bool,
    pub(crate) session_id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    pub(crate) resource_id: Vec<u8>,
}

impl Variables {
    /// Those of a new transaction, in memory of an old one.
    pub(crate) fn new(connection: Connection, clock: Clock, rules: &RuleSet, buffers: &mut Buffers) -> Self {
        use std::mem::take;
        let settings = &rules.settings;
        let mut xpath_values = take(&mut buffers.xpath_values);
        xpath_values.resize(rules.xpath_count, None);
        Self {
            connection,
            clock,
            started: clock,
            engine: settings.rule_engine,
            settings: Arc::clone(settings),
            request: RequestHead::default(),
            target: None,
            request_uri: take(&mut buffers.request_uri),
            request_filename: take(&mut buffers.request_filename),
            query: take(&mut buffers.query),
            query_invalid_encoding: false,
            cookies: take(&mut buffers.cookies),
            request_body: take(&mut buffers.request_body),
            request_body_visible: false,
            request_body_length: 0,
            body: ParsedBody::default(),
            processor: "",
            body_error: None,
            inbound_data_error: false,
            response: None,
            response_body: take(&mut buffers.response_body),
            response_body_length: 0,
            outbound_data_error: false,
            keys: Arc::clone(&rules.keys),
            key_indexes: take(&mut buffers.key_indexes),
            tx: buffers.tx.take().unwrap_or_else(|| VarStore::new(Arc::clone(&rules.names))),
            env: take(&mut buffers.env),
            persistent: Vec::new(),
            geo: Fields::new(),
            xpath_values,
            matched: take(&mut buffers.matched),
            // What ModSecurity starts from: larger than any severity.
            highest_severity: 255,
            rule: RuleIndex(0),
            rule_fields: Arc::clone(&rules.rule_fields),
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

    /// To be called when the fields of a list have changed.
    pub(crate) fn index_keys(&mut self, list: List) {
        let mut index = std::mem::take(&mut self.key_indexes[list as usize]);
        index.build(&self.keys[list as usize], self.list(list));
        self.key_indexes[list as usize] = index;
    }

    /// The fields with a key that rules mention, in the lists of a variable.
    pub(crate) fn keyed(&self, variable: Variable, key: Key) -> impl Iterator<Item = ItemKind> + '_ {
        let (lists, part) = lists_of(variable).unwrap_or((&[], Part::Value));
        lists.iter().flat_map(move |list| {
            let fields = self.key_indexes[*list as usize].fields(key);
            fields.map(move |index| ItemKind::Field { list: *list, index, part })
        })
    }

    /// How many [`Variables::keyed`] gives.
    pub(crate) fn count_keyed(&self, variable: Variable, key: Key) -> usize {
        let (lists, _) = lists_of(variable).unwrap_or((&[], Part::Value));
        lists.iter().map(|list| self.key_indexes[*list as usize].fields(key).len()).sum()
    }

    /// The members of a collection, or the one value of a plain variable, in order. A variable that does not exist
    /// (RESPONSE_STATUS in phase 1) gives none.
    pub(crate) fn members(&self, variable: Variable, out: &mut Vec<Item>) {
        self.visit(variable, &mut |kind| {
            out.push(Item { variable, kind });
            false
        });
    }

    /// The first member that is chosen. The chooser gets a buffer for the member's key.
    pub(crate) fn first_member(
        &self,
        variable: Variable,
        mut chooses: impl FnMut(Item, &mut Vec<u8>) -> bool,
    ) -> Option<Item> {
        let mut chosen = None;
        let mut buffer = Vec::new();
        self.visit(variable, &mut |kind| {
            let item = Item { variable, kind };
            let ends = chooses(item, &mut buffer);
            if ends {
                chosen = Some(item);
            }
            ends
        });
        chosen
    }

    /// Shows the members in order until the visitor has seen enough; tells whether it has.
    fn visit(&self, variable: Variable, enough: &mut impl FnMut(ItemKind) -> bool) -> bool {
        use Part::{Name, Value};
        if let Some((lists, part)) = lists_of(variable) {
            return lists.iter().any(|list| {
                (0..self.list(*list).len() as u32)
                    .any(|index| enough(ItemKind::Field { list: *list, index, part }))
            });
        }
        let files = 0..self.body.files.len() as u32;
        let matches = 0..self.matched.len() as u32;
        let mut file = |what| files.clone().any(|index| enough(ItemKind::File { index, what }));
        match variable {
            Variable::Files => file(FilePart::FileName),
            Variable::FilesNames => file(FilePart::FieldName),
            Variable::FilesSizes => file(FilePart::Size),
            Variable::FilesTmpContent => file(FilePart::Content),
            Variable::MatchedVars => {
                matches.clone().any(|index| enough(ItemKind::Matched { index, part: Value }))
            }
            Variable::MatchedVarsNames => {
                matches.clone().any(|index| enough(ItemKind::Matched { index, part: Name }))
            }
            Variable::Geo | Variable::Rule => {
                let mut members = 0..self.record(variable).len() as u32;
                members.any(|index| enough(ItemKind::Record { index }))
            }
            // Its values come through the selector only.
            Variable::Xml => false,
            _ => {
                if let Some(store) = store_of(variable) {
                    self.store(store).is_some_and(|values| {
                        values.slots().any(|slot| enough(ItemKind::Var { store, slot }))
                    })
                } else {
                    self.single(variable).is_some_and(|item| enough(item.kind))
                }
            }
        }
    }

    /// The one value of a variable that is no collection.
    pub(crate) fn single(&self, variable: Variable) -> Option<Item> {
        if let Some(number) = self.number(variable) {
            return Some(Item { variable, kind: ItemKind::Number(number) });
        }
        self.has_scalar(variable).then_some(Item { variable, kind: ItemKind::Scalar })
    }

    /// The key by which a selector chooses a member; `None` for a plain variable. One that has to be made is written
    /// to the buffer.
    pub(crate) fn key<'a>(&'a self, item: Item, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match item.kind {
            ItemKind::Field { list, index, .. } => self.list(list).get(index as usize).map(|(name, _)| name),
            ItemKind::File { index, what } => {
                let file = self.body.files.get(index as usize)?;
                Some(if what == FilePart::Content { &file.file_name } else { &file.name })
            }
            ItemKind::Var { store, slot } => self.store(store).map(|store| store.name(slot)),
            ItemKind::Matched { index, .. } => {
                self.matched.get(index as usize).map(|var| var.name(self, buffer))
            }
            ItemKind::Record { index } => {
                self.record(item.variable).get(index as usize).map(|(name, _)| name)
            }
            ItemKind::Scalar | ItemKind::Number(_) | ItemKind::Count { .. } | ItemKind::XPath { .. } => None,
        }
    }

    fn record(&self, variable: Variable) -> &Fields {
        if variable == Variable::Geo {
            return &self.geo;
        }
        self.rule_fields.get(self.rule.0 as usize).map_or(EMPTY_FIELDS, |fields| fields)
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
                let var = self.matched.get(index as usize)?;
                Some(if part == Part::Name { var.name(self, buffer) } else { var.value(self, buffer) })
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
            ItemKind::Scalar => self.scalar(item.variable, buffer),
        }
    }

    /// What MATCHED_VAR_NAME says: `ARGS:q`, `REQUEST_URI`.
    pub(crate) fn name(&self, item: Item) -> Vec<u8> {
        let mut name = Vec::new();
        self.write_name(item, &mut name);
        name
    }

    /// [`Variables::name`] behind what the buffer holds.
    pub(crate) fn write_name(&self, item: Item, out: &mut Vec<u8>) {
        out.extend_from_slice(item.variable.as_str().as_bytes());
        let mut buffer = Vec::new();
        if let Some(key) = self.key(item, &mut buffer) {
            out.push(b':');
            out.extend_from_slice(key);
        }
    }

    /// Variables that are numbers.
    pub(crate) fn number(&self, variable: Variable) -> Option<u64> {
        let flags = self.body.multipart.as_ref();
        let flag =
            |pick: fn(&palisade_http::MultipartFlags) -> bool| Some(u64::from(flags.is_some_and(pick)));
        match variable {
            Variable::ArgsCombinedSize => {
                Some((self.query.byte_count() + self.body.fields.byte_count()) as u64)
            }
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
            | Variable::TimeYear => Some(field_of(&self.local_time(), variable)),
            _ => None,
        }
    }

    /// Whether [`Variables::scalar`] has a text to give.
    fn has_scalar(&self, variable: Variable) -> bool {
        match variable {
            // These are made anew each time, and are always there.
            Variable::FullRequest
            | Variable::MatchedVar
            | Variable::MatchedVarName
            | Variable::RemoteAddr
            | Variable::RemoteHost
            | Variable::UserAgent
            | Variable::ServerAddr
            | Variable::Time => true,
            other => self.scalar(other, &mut Vec::new()).is_some(),
        }
    }

    /// Variables that are one text; `None` where the variable does not exist at this time. A text that has to be made
    /// is written to the buffer.
    pub(crate) fn scalar<'a>(&'a self, variable: Variable, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        Some(match variable {
            Variable::AuthType => {
                let value = self.request.headers.first(b"authorization")?;
                value.split(|byte| *byte == b' ').next().unwrap_or_default()
            }
            Variable::FullRequest => {
                self.write_full_request(buffer);
                buffer
            }
            // Before the first match they are there, and empty.
            Variable::MatchedVar => self.matched.var().map_or(b"", |matched| matched.value(self, buffer)),
            Variable::MatchedVarName => self.matched.var().map_or(b"", |matched| matched.name(self, buffer)),
            Variable::ModsecBuild => b"030000000",
            Variable::InboundErrorData => return None,
            Variable::MultipartName => {
                self.body.multipart.as_ref()?;
                &self.body.multipart_name
            }
            Variable::MultipartFilename => {
                self.body.multipart.as_ref()?;
                &self.body.multipart_file_name
            }
            Variable::PathInfo | Variable::RequestFilename | Variable::ScriptFilename => {
                &self.request_filename
            }
            Variable::QueryString => self.target.as_ref()?.query().unwrap_or_default(),
            Variable::RemoteAddr | Variable::RemoteHost | Variable::UserAgent => {
                write_shown(self.connection.client.ip(), buffer)
            }
            Variable::ServerAddr => write_shown(self.connection.server.ip(), buffer),
            Variable::RemoteUser => {
                self.write_remote_user(buffer)?;
                buffer
            }
            Variable::ReqbodyErrorMsg | Variable::ReqbodyProcessorErrorMsg => {
                self.body_error.as_deref().unwrap_or_default().as_bytes()
            }
            Variable::ReqbodyProcessor => self.processor.as_bytes(),
            Variable::RequestBasename | Variable::ScriptBasename => {
                RequestTarget::basename(&self.request_filename)
            }
            Variable::RequestBody if self.request_body_visible => &self.request_body,
            Variable::RequestBody => return None,
            Variable::RequestLine => &self.request.line,
            Variable::RequestMethod => &self.request.method,
            // A request line without a version is one of HTTP/0.9, and so says Apache.
            Variable::RequestProtocol if self.request.version.is_empty() && self.target.is_some() => {
                b"HTTP/0.9"
            }
            Variable::RequestProtocol => &self.request.version,
            Variable::RequestUri => &self.request_uri,
            Variable::RequestUriRaw => &self.request.target,
            Variable::ResponseBody => {
                self.response.as_ref()?;
                &self.response_body
            }
            Variable::ResponseContentType => self.response_media_type()?,
            Variable::ResponseProtocol => &self.response.as_ref()?.version,
            Variable::StatusLine => &self.response.as_ref()?.line,
            Variable::ServerName => without_port(self.request.headers.first(b"host").unwrap_or_default()),
            Variable::SessionId => &self.session_id,
            Variable::UserId => &self.user_id,
            Variable::WebappId => self.settings.web_app_id.as_bytes(),
            Variable::UniqueId => self.connection.unique_id.as_bytes(),
            Variable::Time => {
                let time = self.local_time();
                write_shown(format_args!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second), buffer)
            }
            _ => return None,
        })
    }

    /// The response's media type without its parameters, empty when it names none.
    pub(crate) fn response_media_type(&self) -> Option<&[u8]> {
        let value = self.response.as_ref()?.headers.first(b"content-type").unwrap_or_default();
        Some(value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
    }

    fn request_head_length(&self) -> u64 {
        let headers = self.request.headers.byte_count() + 4 * self.request.headers.len();
        (self.request.line.len() + 2 + headers + 2) as u64
    }

    fn write_full_request(&self, text: &mut Vec<u8>) {
        text.clear();
        text.reserve(self.request_head_length() as usize + self.request_body.len());
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
    }

    fn write_remote_user(&self, decoded: &mut Vec<u8>) -> Option<()> {
        let value = self.request.headers.first(b"authorization")?;
        let credentials = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case(b"basic "))?;
        let encoded = value[credentials.len()..].trim_ascii();
        decoded.clear();
        if Transformation::Base64Decode.apply(encoded, decoded, &Context::default()) == Effect::Unchanged {
            decoded.clear();
            decoded.extend_from_slice(encoded);
        }
        let end = decoded.iter().position(|byte| *byte == b':')?;
        decoded.truncate(end);
        Some(())
    }

    fn local_time(&self) -> Calendar {
        Calendar::new(self.clock.now.0, self.clock.utc_offset_seconds)
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

/// The lists of fields behind a collection, and which part of a field it shows.
pub(crate) fn lists_of(variable: Variable) -> Option<(&'static [List], Part)> {
    use Part::{Name, Value};
    Some(match variable {
        Variable::Args => (&[List::Query, List::Body], Value),
        Variable::ArgsGet => (&[List::Query], Value),
        Variable::ArgsPost => (&[List::Body], Value),
        Variable::ArgsNames => (&[List::Query, List::Body], Name),
        Variable::ArgsGetNames => (&[List::Query], Name),
        Variable::ArgsPostNames => (&[List::Body], Name),
        Variable::RequestCookies => (&[List::Cookies], Value),
        Variable::RequestCookiesNames => (&[List::Cookies], Name),
        Variable::RequestHeaders => (&[List::RequestHeaders], Value),
        Variable::RequestHeadersNames => (&[List::RequestHeaders], Name),
        Variable::ResponseHeaders => (&[List::ResponseHeaders], Value),
        Variable::ResponseHeadersNames => (&[List::ResponseHeaders], Name),
        Variable::MultipartPartHeaders => (&[List::PartHeaders], Value),
        _ => return None,
    })
}

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
    buffer.extend_from_slice(Digits::of(number).as_bytes());
    buffer
}

fn write_shown(shown: impl std::fmt::Display, buffer: &mut Vec<u8>) -> &[u8] {
    buffer.clear();
    write!(buffer, "{shown}").expect("writing to memory");
    buffer
}

fn without_port(host: &[u8]) -> &[u8] {
    let port_begins = match host.iter().rposition(|byte| *byte == b']') {
        Some(bracket) => host[bracket..].iter().position(|byte| *byte == b':').map(|at| bracket + at),
        None => host.iter().position(|byte| *byte == b':'),
    };
    &host[..port_begins.unwrap_or(host.len())]
}

/// What a TIME_* variable says of a time.
fn field_of(time: &Calendar, variable: Variable) -> u64 {
    match variable {
        Variable::TimeDay => time.day.into(),
        Variable::TimeHour => time.hour.into(),
        Variable::TimeMin => time.minute.into(),
        // As C's tm_mon, which is what ModSecurity prints: January is 0.
        Variable::TimeMon => u64::from(time.month) - 1,
        Variable::TimeSec => time.second.into(),
        Variable::TimeWday => time.weekday.into(),
        _ => time.year.unsigned_abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_variables_count_as_those_of_modsecurity() {
        // 22:59:59 on Saturday, 21 November 2026, an hour east.
        let time = Calendar::new(1_795_298_399_000, 3_600);
        let of = |variable| field_of(&time, variable);
        assert_eq!([Variable::TimeYear, Variable::TimeMon, Variable::TimeDay].map(of), [2026, 10, 21]);
        assert_eq!([Variable::TimeHour, Variable::TimeMin, Variable::TimeSec].map(of), [22, 59, 59]);
        assert_eq!(of(Variable::TimeWday), 6);
    }

    #[test]
    fn hosts_lose_their_port() {
        for (host, name) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")] {
            assert_eq!(without_port(host.as_bytes()), name.as_bytes());
        }
    }
}
