//! What the `Sec*` directives set, with ModSecurity's defaults.

use palisade_seclang::ast::{
    AuditEngine, AuditLogFormat, AuditLogType, LimitAction, ParseXmlIntoArgs, RuleEngine, Setting,
};

use crate::audit::RelevantStatus;
use crate::operator::CompileOptions;

/// Engine settings after all directives of a program. Sizes are bytes.
///
/// Defaults are those of the reference manual, with one exception: `SecRuleEngine` is On when it is absent. A
/// rule file that somebody hands to a firewall is meant to act.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field is the directive of its name")]
pub struct Settings {
    pub rule_engine: RuleEngine,
    pub request_body_access: bool,
    pub request_body_limit: u64,
    pub request_body_no_files_limit: u64,
    pub request_body_limit_action: LimitAction,
    pub request_body_json_depth_limit: u64,
    pub response_body_access: bool,
    pub response_body_limit: u64,
    pub response_body_limit_action: LimitAction,
    /// Lower-case media types whose bodies phase 4 sees.
    pub response_body_mime_types: Vec<String>,
    pub arguments_limit: u64,
    pub argument_separator: u8,
    pub cookie_format: u8,
    pub cookie_v0_separator: u8,
    pub collection_timeout_seconds: u64,
    pub pcre_match_limit: Option<u64>,
    pub parse_xml_into_args: ParseXmlIntoArgs,
    pub upload_file_limit: u64,
    pub web_app_id: String,
    pub sensor_id: String,
    pub audit: AuditSettings,
    pub debug_log: Option<String>,
    pub debug_log_level: u8,
    pub http_bl_key: Option<String>,
    pub geo_lookup_db: Option<String>,
}

/// `SecAuditEngine` and `SecAuditLog*`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field is the directive of its name")]
pub struct AuditSettings {
    pub engine: AuditEngine,
    pub log: Option<String>,
    pub log2: Option<String>,
    pub dir_mode: Option<String>,
    pub file_mode: Option<String>,
    pub format: AuditLogFormat,
    pub kind: AuditLogType,
    pub parts: String,
    pub prefix: String,
    /// A regular expression on the response status.
    pub relevant_status: Option<RelevantStatus>,
    pub storage_dir: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rule_engine: RuleEngine::On,
            request_body_access: false,
            request_body_limit: 134_217_728,
            request_body_no_files_limit: 1_048_576,
            request_body_limit_action: LimitAction::Reject,
            request_body_json_depth_limit: 10_000,
            response_body_access: false,
            response_body_limit: 524_288,
            response_body_limit_action: LimitAction::Reject,
            response_body_mime_types: vec!["text/plain".into(), "text/html".into()],
            arguments_limit: 1_000,
            argument_separator: b'&',
            cookie_format: 0,
            cookie_v0_separator: b';',
            collection_timeout_seconds: 3_600,
            pcre_match_limit: None,
            parse_xml_into_args: ParseXmlIntoArgs::Off,
            upload_file_limit: 100,
            web_app_id: "default".into(),
            sensor_id: String::new(),
            audit: AuditSettings {
                engine: AuditEngine::Off,
                log: None,
                log2: None,
                dir_mode: None,
                file_mode: None,
                format: AuditLogFormat::Native,
                kind: AuditLogType::Serial,
                parts: "ABCFHZ".into(),
                prefix: String::new(),
                relevant_status: None,
                storage_dir: None,
            },
            debug_log: None,
            debug_log_level: 0,
            http_bl_key: None,
            geo_lookup_db: None,
        }
    }
}

impl Settings {
    /// What the settings say about how operators are compiled.
    pub(crate) fn operator_options(&self) -> CompileOptions {
        let mut options = CompileOptions::default();
        if let Some(steps) = self.pcre_match_limit {
            options.pattern.step_limit = steps;
        }
        options.http_bl_key = self.http_bl_key.as_ref().map(|key| key.clone().into_bytes());
        options
    }

    /// Applies one directive. A later one of the same name wins, but for the MIME types, which add up.
    pub(crate) fn apply(&mut self, setting: &Setting) {
        fn text(bytes: &bstr::BString) -> String {
            String::from_utf8_lossy(bytes).into_owned()
        }
        match setting {
            Setting::RuleEngine(value) => self.rule_engine = *value,
            Setting::RequestBodyAccess(value) => self.request_body_access = *value,
            Setting::ResponseBodyAccess(value) => self.response_body_access = *value,
            Setting::RequestBodyLimit(value) => self.request_body_limit = *value,
            Setting::RequestBodyNoFilesLimit(value) => self.request_body_no_files_limit = *value,
            Setting::RequestBodyLimitAction(value) => self.request_body_limit_action = *value,
            Setting::RequestBodyJsonDepthLimit(value) => self.request_body_json_depth_limit = *value,
            Setting::ResponseBodyLimit(value) => self.response_body_limit = *value,
            Setting::ResponseBodyLimitAction(value) => self.response_body_limit_action = *value,
            Setting::ResponseBodyMimeType(types) => {
                for kind in types {
                    let kind = text(kind).to_ascii_lowercase();
                    if !self.response_body_mime_types.contains(&kind) {
                        self.response_body_mime_types.push(kind);
                    }
                }
            }
            Setting::ResponseBodyMimeTypesClear => self.response_body_mime_types.clear(),
            Setting::ArgumentsLimit(value) => self.arguments_limit = *value,
            Setting::ArgumentSeparator(value) => self.argument_separator = *value,
            Setting::CookieFormat(value) => self.cookie_format = *value,
            Setting::CookieV0Separator(value) => self.cookie_v0_separator = *value,
            Setting::AuditEngine(value) => self.audit.engine = *value,
            Setting::AuditLog(value) => self.audit.log = Some(text(value)),
            Setting::AuditLog2(value) => self.audit.log2 = Some(text(value)),
            Setting::AuditLogDirMode(value) => self.audit.dir_mode = Some(text(value)),
            Setting::AuditLogFileMode(value) => self.audit.file_mode = Some(text(value)),
            Setting::AuditLogFormat(value) => self.audit.format = *value,
            Setting::AuditLogParts(value) => self.audit.parts = text(value),
            Setting::AuditLogPrefix(value) => self.audit.prefix = text(value),
            Setting::AuditLogRelevantStatus(value) => {
                self.audit.relevant_status = Some(RelevantStatus::new(&text(value)));
            }
            Setting::AuditLogStorageDir(value) => self.audit.storage_dir = Some(text(value)),
            Setting::AuditLogType(value) => self.audit.kind = *value,
            Setting::DebugLog(value) => self.debug_log = Some(text(value)),
            Setting::DebugLogLevel(value) => self.debug_log_level = *value,
            Setting::CollectionTimeout(value) => self.collection_timeout_seconds = *value,
            Setting::PcreMatchLimit(value) => self.pcre_match_limit = Some(*value),
            Setting::UploadFileLimit(value) => self.upload_file_limit = *value,
            Setting::GeoLookupDb(value) => self.geo_lookup_db = Some(text(value)),
            Setting::HttpBlKey(value) => self.http_bl_key = Some(text(value)),
            Setting::WebAppId(value) => self.web_app_id = text(value),
            Setting::SensorId(value) => self.sensor_id = text(value),
            Setting::ParseXmlIntoArgs(value) => self.parse_xml_into_args = *value,
            // Where files go and how they are kept is the program's business, not a rule's: uploads are never
            // written by the engine. The loader has said so already, by name.
            Setting::DataDir(_)
            | Setting::TmpDir(_)
            | Setting::UploadDir(_)
            | Setting::UploadFileMode(_)
            | Setting::UploadKeepFiles(_)
            | Setting::TmpSaveUploadedFiles(_)
            | Setting::PcreMatchLimitRecursion(_)
            | Setting::UnicodeMapFile { .. }
            | Setting::ServerSignature(_)
            | Setting::XmlExternalEntity(_)
            | Setting::RuleInheritance(_)
            | Setting::InterceptOnError(_) => {}
        }
    }
}
