//! The syntax tree: what a rule file says, with the place where it says it.
//!
//! Nothing here is resolved: an `Include` is still an `Include`, an update directive has not been applied,
//! `block` has not become a verdict. Texts are bytes, because rule files are (CRS spells UTF-8 quotes as
//! byte escapes, older site files hold Latin-1).

use bstr::BString;

/// One rule file of a loaded program; the index into [`crate::SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A byte range in one file. Equality of syntax trees ignores spans (see [`Spanned`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

/// A node and where it stands. Two nodes are equal when they say the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// What is said.
    pub node: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a node at a place.
    pub fn new(node: T, span: Span) -> Self {
        Self { node, span }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl<T: Eq> Eq for Spanned<T> {}

/// A text with macros, `Found %{MATCHED_VAR} in %{tx.name}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Template {
    /// Literal and macro parts in order; adjacent literals are one.
    pub parts: Vec<TemplatePart>,
}

impl Template {
    /// The text, when there is no macro in it.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [TemplatePart::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TemplatePart {
    /// Bytes as they are.
    Literal(BString),
    /// `%{VARIABLE}`, `%{COLLECTION.key}` or `%{COLLECTION:key}`. The key is kept as written.
    Macro {
        /// The variable or collection.
        variable: Variable,
        /// The key, absent for a plain variable.
        key: Option<BString>,
        /// The text between the braces as it was written (what an unknown name prints as).
        text: BString,
    },
}

/// One directive, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `SecRule`, or `SecAction` (no targets and no operator).
    Rule(Box<Rule>),
    /// `SecMarker LABEL`.
    Marker(Spanned<BString>),
    /// `SecDefaultAction "..."`.
    DefaultAction(Vec<Spanned<Action>>),
    /// `SecComponentSignature TEXT`.
    ComponentSignature(BString),
    /// `Include PATH`, with `optional` for `IncludeOptional`.
    Include {
        /// Path or glob as written.
        path: Spanned<BString>,
        /// No match is not an error.
        optional: bool,
    },
    /// `SecRuleRemoveById 1 2-5`.
    RemoveById(Vec<Spanned<IdRange>>),
    /// `SecRuleRemoveByTag PATTERN`: a regular expression.
    RemoveByTag(Spanned<BString>),
    /// `SecRuleRemoveByMsg PATTERN`: a regular expression.
    RemoveByMsg(Spanned<BString>),
    /// `SecRuleUpdateTargetBy{Id,Tag,Msg} WHICH "TARGETS" [REPLACED]`.
    UpdateTarget {
        /// Which rules.
        selection: Spanned<Selection>,
        /// Targets to add, or to exclude (`!ARGS:x`).
        targets: Vec<Spanned<Target>>,
        /// With a third argument: this target is replaced by the new ones.
        replaced: Option<Vec<Spanned<Target>>>,
    },
    /// `SecRuleUpdateActionById ID[:CHAIN_OFFSET] "ACTIONS"`.
    UpdateAction {
        /// The rule.
        id: Spanned<u64>,
        /// Link of the chain, 0 for the starter.
        chain_offset: u32,
        /// Actions that replace or join those of the rule.
        actions: Vec<Spanned<Action>>,
    },
    /// An engine setting.
    Setting(Spanned<Setting>),
    /// A directive of the manual that has no meaning here; it was accepted with a named warning.
    Ignored {
        /// Its name as written.
        name: BString,
        /// Its arguments as written.
        arguments: Vec<BString>,
    },
}

/// Which rules an update or removal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// By id or ranges.
    Ids(Vec<IdRange>),
    /// By a regular expression on any tag.
    Tag(BString),
    /// By a regular expression on the message.
    Msg(BString),
}

/// An inclusive range of rule ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// First id.
    pub first: u64,
    /// Last id; equal to `first` for a single one.
    pub last: u64,
}

/// `SecRule TARGETS "OPERATOR" "ACTIONS"`, or `SecAction "ACTIONS"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What is looked at; empty for `SecAction`.
    pub targets: Vec<Spanned<Target>>,
    /// How; `None` for `SecAction`, which matches always.
    pub operator: Option<Spanned<Operator>>,
    /// What is done, in order.
    pub actions: Vec<Spanned<Action>>,
}

/// One item of a target list: `ARGS`, `&ARGS:x`, `!ARGS:/^x/`, `XML:/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Value, count, or exclusion.
    pub mode: TargetMode,
    /// The variable or collection.
    pub variable: Variable,
    /// Which members of the collection; `None` for all.
    pub selector: Option<Selector>,
}

/// How a target is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetMode {
    /// `ARGS`: the values.
    Value,
    /// `&ARGS`: how many there are.
    Count,
    /// `!ARGS:x`: not these.
    Exclude,
}

/// A choice of members of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `ARGS:name` or `ARGS:'name'`: one key, case-insensitive; macros expand.
    Key(Template),
    /// `ARGS:/pattern/`: keys that the regular expression finds, case-insensitive.
    Regex(BString),
    /// `XML:/*`, `XML://@*`: an XPath expression.
    XPath(BString),
}

/// `!@rx argument`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// `!` before it.
    pub negated: bool,
    /// Which; `Rx` when none is written.
    pub name: OperatorName,
    /// The argument with quoting undone. For `Rx` and data-file operators this is the text itself; operators
    /// that expand macros use [`Operator::template`].
    pub argument: BString,
    /// The argument split at macros.
    pub template: Template,
}

/// Declares an enum of names that rule files use, with the table between both.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal $(| $alias:literal)*,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The canonical spelling.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// Finds a name, ignoring ASCII case; aliases are known.
            pub fn from_name(text: &[u8]) -> Option<Self> {
                $(if text.eq_ignore_ascii_case($text.as_bytes()) $(|| text.eq_ignore_ascii_case($alias.as_bytes()))* {
                    return Some($name::$variant);
                })*
                None
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

names! {
    /// The operators of the language, without the `@`.
    #[allow(missing_docs, reason = "the manual's names say what they are")]
    OperatorName {
        BeginsWith = "beginsWith",
        Contains = "contains",
        ContainsWord = "containsWord",
        DetectSqli = "detectSQLi",
        DetectXss = "detectXSS",
        EndsWith = "endsWith",
        Eq = "eq",
        FuzzyHash = "fuzzyHash",
        Ge = "ge",
        GeoLookup = "geoLookup",
        GsbLookup = "gsbLookup",
        Gt = "gt",
        InspectFile = "inspectFile",
        IpMatch = "ipMatch",
        IpMatchFromFile = "ipMatchFromFile" | "ipMatchF",
        Le = "le",
        Lt = "lt",
        NoMatch = "noMatch",
        Pm = "pm",
        PmFromFile = "pmFromFile" | "pmf",
        Rbl = "rbl",
        Rsub = "rsub",
        Rx = "rx",
        RxGlobal = "rxGlobal",
        StrEq = "streq",
        StrMatch = "strmatch",
        UnconditionalMatch = "unconditionalMatch",
        ValidateByteRange = "validateByteRange",
        ValidateDtd = "validateDTD",
        ValidateHash = "validateHash",
        ValidateSchema = "validateSchema",
        ValidateUrlEncoding = "validateUrlEncoding",
        ValidateUtf8Encoding = "validateUtf8Encoding",
        VerifyCc = "verifyCC",
        VerifyCpf = "verifyCPF",
        VerifySsn = "verifySSN",
        VerifySvnr = "verifySVNR",
        Within = "within",
    }
}

names! {
    /// Variables and collections. Those that hold members take a selector.
    #[allow(missing_docs, reason = "the manual's names say what they are")]
    Variable {
        Args = "ARGS",
        ArgsCombinedSize = "ARGS_COMBINED_SIZE",
        ArgsGet = "ARGS_GET",
        ArgsGetNames = "ARGS_GET_NAMES",
        ArgsNames = "ARGS_NAMES",
        ArgsPost = "ARGS_POST",
        ArgsPostNames = "ARGS_POST_NAMES",
        AuthType = "AUTH_TYPE",
        Duration = "DURATION",
        Env = "ENV",
        Files = "FILES",
        FilesCombinedSize = "FILES_COMBINED_SIZE",
        FilesNames = "FILES_NAMES",
        FilesSizes = "FILES_SIZES",
        FilesTmpContent = "FILES_TMP_CONTENT",
        FilesTmpNames = "FILES_TMPNAMES" | "FILES_TMP_NAMES",
        FullRequest = "FULL_REQUEST",
        FullRequestLength = "FULL_REQUEST_LENGTH",
        Geo = "GEO",
        Global = "GLOBAL",
        HighestSeverity = "HIGHEST_SEVERITY",
        InboundDataError = "INBOUND_DATA_ERROR",
        InboundErrorData = "INBOUND_ERROR_DATA",
        Ip = "IP",
        MatchedVar = "MATCHED_VAR",
        MatchedVarName = "MATCHED_VAR_NAME",
        MatchedVars = "MATCHED_VARS",
        MatchedVarsNames = "MATCHED_VARS_NAMES",
        ModsecBuild = "MODSEC_BUILD",
        MscPcreError = "MSC_PCRE_ERROR",
        MscPcreLimitsExceeded = "MSC_PCRE_LIMITS_EXCEEDED",
        MultipartBoundaryQuoted = "MULTIPART_BOUNDARY_QUOTED",
        MultipartBoundaryWhitespace = "MULTIPART_BOUNDARY_WHITESPACE",
        MultipartCrlfLfLines = "MULTIPART_CRLF_LF_LINES",
        MultipartDataAfter = "MULTIPART_DATA_AFTER",
        MultipartDataBefore = "MULTIPART_DATA_BEFORE",
        MultipartFileLimitExceeded = "MULTIPART_FILE_LIMIT_EXCEEDED",
        MultipartFilename = "MULTIPART_FILENAME",
        MultipartHeaderFolding = "MULTIPART_HEADER_FOLDING",
        MultipartInvalidHeaderFolding = "MULTIPART_INVALID_HEADER_FOLDING",
        MultipartInvalidPart = "MULTIPART_INVALID_PART",
        MultipartInvalidQuoting = "MULTIPART_INVALID_QUOTING",
        MultipartLfLine = "MULTIPART_LF_LINE",
        MultipartMissingSemicolon = "MULTIPART_MISSING_SEMICOLON" | "MULTIPART_SEMICOLON_MISSING",
        MultipartName = "MULTIPART_NAME",
        MultipartPartHeaders = "MULTIPART_PART_HEADERS",
        MultipartStrictError = "MULTIPART_STRICT_ERROR",
        MultipartUnmatchedBoundary = "MULTIPART_UNMATCHED_BOUNDARY",
        OutboundDataError = "OUTBOUND_DATA_ERROR",
        PathInfo = "PATH_INFO",
        QueryString = "QUERY_STRING",
        RemoteAddr = "REMOTE_ADDR",
        RemoteHost = "REMOTE_HOST",
        RemotePort = "REMOTE_PORT",
        RemoteUser = "REMOTE_USER",
        ReqbodyError = "REQBODY_ERROR",
        ReqbodyErrorMsg = "REQBODY_ERROR_MSG",
        ReqbodyProcessor = "REQBODY_PROCESSOR",
        ReqbodyProcessorError = "REQBODY_PROCESSOR_ERROR",
        ReqbodyProcessorErrorMsg = "REQBODY_PROCESSOR_ERROR_MSG",
        RequestBasename = "REQUEST_BASENAME",
        RequestBody = "REQUEST_BODY",
        RequestBodyLength = "REQUEST_BODY_LENGTH",
        RequestCookies = "REQUEST_COOKIES",
        RequestCookiesNames = "REQUEST_COOKIES_NAMES",
        RequestFilename = "REQUEST_FILENAME",
        RequestHeaders = "REQUEST_HEADERS",
        RequestHeadersNames = "REQUEST_HEADERS_NAMES",
        RequestLine = "REQUEST_LINE",
        RequestMethod = "REQUEST_METHOD",
        RequestProtocol = "REQUEST_PROTOCOL",
        RequestUri = "REQUEST_URI",
        RequestUriRaw = "REQUEST_URI_RAW",
        Resource = "RESOURCE",
        ResponseArgs = "RESPONSE_ARGS",
        ResponseBody = "RESPONSE_BODY",
        ResponseContentLength = "RESPONSE_CONTENT_LENGTH",
        ResponseContentType = "RESPONSE_CONTENT_TYPE",
        ResponseHeaders = "RESPONSE_HEADERS",
        ResponseHeadersNames = "RESPONSE_HEADERS_NAMES",
        ResponseProtocol = "RESPONSE_PROTOCOL",
        ResponseStatus = "RESPONSE_STATUS",
        Rule = "RULE",
        ScriptBasename = "SCRIPT_BASENAME",
        ScriptFilename = "SCRIPT_FILENAME",
        ScriptGid = "SCRIPT_GID",
        ScriptGroupname = "SCRIPT_GROUPNAME",
        ScriptMode = "SCRIPT_MODE",
        ScriptUid = "SCRIPT_UID",
        ScriptUsername = "SCRIPT_USERNAME",
        ServerAddr = "SERVER_ADDR",
        ServerName = "SERVER_NAME",
        ServerPort = "SERVER_PORT",
        Session = "SESSION",
        SessionId = "SESSIONID",
        StatusLine = "STATUS_LINE",
        Time = "TIME",
        TimeDay = "TIME_DAY",
        TimeEpoch = "TIME_EPOCH",
        TimeHour = "TIME_HOUR",
        TimeMin = "TIME_MIN",
        TimeMon = "TIME_MON",
        TimeSec = "TIME_SEC",
        TimeWday = "TIME_WDAY",
        TimeYear = "TIME_YEAR",
        Tx = "TX",
        UniqueId = "UNIQUE_ID",
        UrlencodedError = "URLENCODED_ERROR",
        User = "USER",
        UserAgent = "USERAGENT_IP" | "USERAGENT_ADDR",
        UserId = "USERID",
        WebappId = "WEBAPPID",
        WebserverErrorLog = "WEBSERVER_ERROR_LOG",
        Xml = "XML",
    }
}

names! {
    /// Transformations, without the `t:`.
    #[allow(missing_docs, reason = "the manual's names say what they are")]
    TransformationName {
        None = "none",
        Base64Decode = "base64Decode",
        Base64DecodeExt = "base64DecodeExt",
        Base64Encode = "base64Encode",
        CmdLine = "cmdLine",
        CompressWhitespace = "compressWhitespace",
        CssDecode = "cssDecode",
        EscapeSeqDecode = "escapeSeqDecode",
        HexDecode = "hexDecode",
        HexEncode = "hexEncode",
        HtmlEntityDecode = "htmlEntityDecode",
        JsDecode = "jsDecode",
        Length = "length",
        Lowercase = "lowercase",
        Md5 = "md5",
        NormalizePath = "normalizePath" | "normalisePath",
        NormalizePathWin = "normalizePathWin" | "normalisePathWin",
        ParityEven7Bit = "parityEven7bit",
        ParityOdd7Bit = "parityOdd7bit",
        ParityZero7Bit = "parityZero7bit",
        PhpArgsNames = "phpArgsNames",
        RemoveComments = "removeComments",
        RemoveCommentsChar = "removeCommentsChar",
        RemoveNulls = "removeNulls",
        RemoveWhitespace = "removeWhitespace",
        ReplaceComments = "replaceComments",
        ReplaceNulls = "replaceNulls",
        Sha1 = "sha1",
        SqlHexDecode = "sqlHexDecode",
        Trim = "trim",
        TrimLeft = "trimLeft",
        TrimRight = "trimRight",
        Uppercase = "uppercase",
        UrlDecode = "urlDecode",
        UrlDecodeUni = "urlDecodeUni",
        UrlEncode = "urlEncode",
        Utf8ToUnicode = "utf8toUnicode",
    }
}

/// A phase of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// 1: the request's head.
    RequestHeaders = 1,
    /// 2, `request`: the request's body.
    RequestBody = 2,
    /// 3: the response's head.
    ResponseHeaders = 3,
    /// 4, `response`: the response's body.
    ResponseBody = 4,
    /// 5, `logging`.
    Logging = 5,
}

/// How far an `allow` reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowScope {
    /// `allow`: all phases but logging.
    Transaction,
    /// `allow:phase`: the rest of this phase.
    Phase,
    /// `allow:request`: phases 1 and 2.
    Request,
}

/// The persistent collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum PersistentCollection {
    Global,
    Ip,
    Resource,
    Session,
    User,
}

/// One action of a list. An action that the language knows and we refuse never gets here: it is a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum Action {
    // Meta-data.
    Id(u64),
    Phase(Phase),
    Msg(Template),
    LogData(Template),
    /// 0 EMERGENCY to 7 DEBUG.
    Severity(u8),
    Rev(BString),
    Ver(BString),
    Maturity(u8),
    Accuracy(u8),
    Tag(Template),

    // Disruptive.
    Allow(AllowScope),
    Block,
    Deny,
    Drop,
    Pass,
    Redirect(Template),
    /// `proxy:URL`, known to the language; a load-time warning says that it acts as `deny`.
    Proxy(Template),
    /// `pause:MS`: a delay is a lever for whoever wants to exhaust us, so it is accepted with a warning and not done.
    Pause(Template),

    // Data of a disruptive action, and flow.
    Status(u16),
    Chain,
    Skip(u32),
    SkipAfter(BString),

    // Non-disruptive.
    Append(Template),
    Prepend(Template),
    AuditLog,
    NoAuditLog,
    Log,
    NoLog,
    Capture,
    MultiMatch,
    Ctl(Ctl),
    /// `deprecatevar:ip.score=60/300`: subtract `amount` every `period_seconds`.
    DeprecateVar {
        collection: PersistentCollection,
        key: Template,
        amount: u64,
        period_seconds: u64,
    },
    /// `expirevar:ip.score=3600`; also on TX in practice.
    ExpireVar {
        collection: Variable,
        key: Template,
        seconds: Template,
    },
    InitCol {
        collection: PersistentCollection,
        key: Template,
    },
    SetEnv {
        name: Template,
        value: Template,
    },
    SetRsc(Template),
    SetSid(Template),
    SetUid(Template),
    SetVar(SetVar),
    SanitiseArg(Template),
    SanitiseMatched,
    /// `sanitiseMatchedBytes[:keep_start/keep_end]`.
    SanitiseMatchedBytes {
        keep_start: u32,
        keep_end: u32,
    },
    SanitiseRequestHeader(Template),
    SanitiseResponseHeader(Template),
    Transformation(TransformationName),
    /// `xmlns:prefix=uri`.
    XmlNs {
        prefix: BString,
        uri: BString,
    },
}

impl Action {
    /// Whether it decides a transaction; one of these is a rule's at most.
    pub fn is_disruptive(&self) -> bool {
        matches!(
            self,
            Action::Allow(_)
                | Action::Block
                | Action::Deny
                | Action::Drop
                | Action::Pass
                | Action::Redirect(_)
                | Action::Proxy(_)
        )
    }
}

/// `setvar:collection.key=value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetVar {
    /// TX, a persistent collection or ENV.
    pub collection: Variable,
    /// The key; may hold macros.
    pub key: Template,
    /// What happens to it.
    pub change: VarChange,
}

/// What `setvar` does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VarChange {
    /// `=text` (a bare `tx.x` sets `1`).
    Set(Template),
    /// `=+number`: the expanded text, read as an integer, is added.
    Add(Template),
    /// `=-number`.
    Subtract(Template),
    /// `!tx.x`.
    Unset,
}

/// `ctl:NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum Ctl {
    AuditEngine(AuditEngine),
    /// `+E`, `-E` or `ABCFHZ`, as written.
    AuditLogParts(BString),
    DebugLogLevel(u8),
    ForceRequestBodyVariable(bool),
    RequestBodyAccess(bool),
    RequestBodyLimit(u64),
    RequestBodyProcessor(BodyProcessor),
    ResponseBodyAccess(bool),
    ResponseBodyLimit(u64),
    RuleEngine(RuleEngine),
    RuleRemoveById(Vec<IdRange>),
    RuleRemoveByMsg(BString),
    RuleRemoveByTag(BString),
    RuleRemoveTargetById {
        ids: IdRange,
        target: Target,
    },
    RuleRemoveTargetByMsg {
        pattern: BString,
        target: Target,
    },
    RuleRemoveTargetByTag {
        pattern: BString,
        target: Target,
    },
    ParseXmlIntoArgs(ParseXmlIntoArgs),
    /// `hashEngine`, `hashEnforcement`: accepted with a warning, no effect.
    Ignored {
        name: BString,
        value: BString,
    },
}

/// `SecRuleEngine`, `ctl:ruleEngine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum RuleEngine {
    On,
    Off,
    DetectionOnly,
}

/// `SecAuditEngine`, `ctl:auditEngine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum AuditEngine {
    On,
    Off,
    RelevantOnly,
}

/// What reads the request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum BodyProcessor {
    UrlEncoded,
    Multipart,
    Xml,
    Json,
    /// Any other name: the body is there as REQUEST_BODY and is not parsed (`RAW`, Coraza's word).
    Raw,
}

/// What happens at a body limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum LimitAction {
    Reject,
    ProcessPartial,
}

/// `SecParseXmlIntoArgs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum ParseXmlIntoArgs {
    On,
    Off,
    OnlyArgs,
}

/// Engine settings. Numbers are bytes unless the name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum Setting {
    RuleEngine(RuleEngine),
    RequestBodyAccess(bool),
    ResponseBodyAccess(bool),
    RequestBodyLimit(u64),
    RequestBodyNoFilesLimit(u64),
    RequestBodyLimitAction(LimitAction),
    RequestBodyJsonDepthLimit(u64),
    ResponseBodyLimit(u64),
    ResponseBodyLimitAction(LimitAction),
    /// MIME types joined to those there are.
    ResponseBodyMimeType(Vec<BString>),
    ResponseBodyMimeTypesClear,
    ArgumentsLimit(u64),
    ArgumentSeparator(u8),
    CookieFormat(u8),
    CookieV0Separator(u8),
    AuditEngine(AuditEngine),
    AuditLog(BString),
    AuditLog2(BString),
    AuditLogDirMode(BString),
    AuditLogFileMode(BString),
    AuditLogFormat(AuditLogFormat),
    AuditLogParts(BString),
    AuditLogPrefix(BString),
    /// A regular expression on the status.
    AuditLogRelevantStatus(BString),
    AuditLogStorageDir(BString),
    AuditLogType(AuditLogType),
    DebugLog(BString),
    DebugLogLevel(u8),
    CollectionTimeout(u64),
    DataDir(BString),
    TmpDir(BString),
    UploadDir(BString),
    UploadFileLimit(u64),
    UploadFileMode(BString),
    UploadKeepFiles(bool),
    TmpSaveUploadedFiles(bool),
    GeoLookupDb(BString),
    HttpBlKey(BString),
    PcreMatchLimit(u64),
    PcreMatchLimitRecursion(u64),
    UnicodeMapFile {
        path: Spanned<BString>,
        code_page: u32,
    },
    WebAppId(BString),
    ServerSignature(BString),
    SensorId(BString),
    XmlExternalEntity(bool),
    ParseXmlIntoArgs(ParseXmlIntoArgs),
    RuleInheritance(bool),
    InterceptOnError(bool),
}

/// `SecAuditLogFormat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum AuditLogFormat {
    Native,
    Json,
}

/// `SecAuditLogType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names say what they are")]
pub enum AuditLogType {
    Serial,
    Concurrent,
    Https,
}
