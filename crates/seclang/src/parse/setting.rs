//! Engine settings, and the directives that are known and not done.

use bstr::{BString, ByteSlice};

use super::ctl::{AUDIT_ENGINE, ON_OFF, PARSE_XML, RULE_ENGINE, are_audit_parts};
use super::operator::number;
use super::{Line, Parser, Word};
use crate::ast::{self, Directive, LimitAction, Setting, Spanned};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::text::is_blank;

impl Parser<'_> {
    /// Reads a setting by its name in lower case. `None` when there is no such name; `Some(None)` when it was reported.
    pub(super) fn setting(&mut self, lower: &[u8], line: &Line<'_>) -> Option<Option<Directive>> {
        if let Some(&(_, why)) = IGNORED.iter().find(|(name, _)| lower.eq_ignore_ascii_case(name.as_bytes()))
        {
            return Some(self.ignored(line, why));
        }
        if let Some(&(_, why, instead)) =
            REFUSED.iter().find(|(name, _, _)| lower.eq_ignore_ascii_case(name.as_bytes()))
        {
            self.sink.push(
                Diagnostic::error(
                    codes::REFUSED_DIRECTIVE,
                    line.name.span(),
                    format!("`{}` is not supported: {why}", line.name.bytes().as_bstr()),
                )
                .help(instead),
            );
            return Some(None);
        }
        use Setting::*;
        let setting = match lower {
            b"secruleengine" => {
                self.one(line).and_then(|word| self.word_choice(word, RULE_ENGINE)).map(RuleEngine)
            }
            b"secrequestbodyaccess" => self.on_off(line).map(RequestBodyAccess),
            b"secresponsebodyaccess" => self.on_off(line).map(ResponseBodyAccess),
            b"secrequestbodylimit" => self.bytes(line).map(RequestBodyLimit),
            b"secrequestbodynofileslimit" => self.bytes(line).map(RequestBodyNoFilesLimit),
            b"secrequestbodylimitaction" => self.limit_action(line).map(RequestBodyLimitAction),
            b"secrequestbodyjsondepthlimit" => self.number(line).map(RequestBodyJsonDepthLimit),
            b"secresponsebodylimit" => self.bytes(line).map(ResponseBodyLimit),
            b"secresponsebodylimitaction" => self.limit_action(line).map(ResponseBodyLimitAction),
            b"secresponsebodymimetype" => self.mime_types(line).map(ResponseBodyMimeType),
            b"secresponsebodymimetypesclear" => {
                if line.words.is_empty() {
                    Some(ResponseBodyMimeTypesClear)
                } else {
                    self.count(line, "no argument");
                    None
                }
            }
            b"secargumentslimit" => self.number(line).map(ArgumentsLimit),
            b"secargumentseparator" => self.separator(line).map(ArgumentSeparator),
            b"seccookieformat" => {
                let choices = [("0", 0), ("1", 1)];
                self.one(line).and_then(|word| self.word_choice(word, &choices)).map(CookieFormat)
            }
            b"seccookiev0separator" => self.separator(line).map(CookieV0Separator),
            b"secauditengine" => {
                self.one(line).and_then(|word| self.word_choice(word, AUDIT_ENGINE)).map(AuditEngine)
            }
            b"secauditlog" => self.text(line).map(AuditLog),
            b"secauditlog2" => self.text(line).map(AuditLog2),
            b"secauditlogdirmode" => self.file_mode(line).map(AuditLogDirMode),
            b"secauditlogfilemode" => self.file_mode(line).map(AuditLogFileMode),
            b"secauditlogformat" => {
                let choices = [("Native", ast::AuditLogFormat::Native), ("JSON", ast::AuditLogFormat::Json)];
                self.one(line).and_then(|word| self.word_choice(word, &choices)).map(AuditLogFormat)
            }
            b"secauditlogparts" => self.filled(line).and_then(|word| {
                if are_audit_parts(word.bytes()) {
                    return Some(AuditLogParts(word.bytes().into()));
                }
                self.bad_word(word, "audit log parts", "letters A-K and Z, for example `ABIJDEFHZ`")
            }),
            b"secauditlogprefix" => self.one(line).map(|word| AuditLogPrefix(word.bytes().into())),
            b"secauditlogrelevantstatus" => self.text(line).map(AuditLogRelevantStatus),
            b"secauditlogstoragedir" => self.text(line).map(AuditLogStorageDir),
            b"secauditlogtype" => {
                let choices = [
                    ("Serial", ast::AuditLogType::Serial),
                    ("Concurrent", ast::AuditLogType::Concurrent),
                    ("Parallel", ast::AuditLogType::Concurrent),
                    ("HTTPS", ast::AuditLogType::Https),
                ];
                self.one(line).and_then(|word| self.word_choice(word, &choices)).map(AuditLogType)
            }
            b"secdebuglog" => self.text(line).map(DebugLog),
            b"secdebugloglevel" => self.one(line).and_then(|word| match number(word.bytes()) {
                Some(level @ 0..=9) => Some(DebugLogLevel(level as u8)),
                _ => self.bad_word(word, "a level from 0 to 9", "for example `SecDebugLogLevel 3`"),
            }),
            b"seccollectiontimeout" => self.number(line).map(CollectionTimeout),
            b"secdatadir" => self.text(line).map(DataDir),
            b"sectmpdir" => self.text(line).map(TmpDir),
            b"secuploaddir" => self.text(line).map(UploadDir),
            b"secuploadfilelimit" => self.number(line).map(UploadFileLimit),
            b"secuploadfilemode" => self.file_mode(line).map(UploadFileMode),
            b"secuploadkeepfiles" => self.keep_files(line).map(UploadKeepFiles),
            b"sectmpsaveuploadedfiles" => self.on_off(line).map(TmpSaveUploadedFiles),
            b"secgeolookupdb" => self.text(line).map(GeoLookupDb),
            b"sechttpblkey" => self.text(line).map(HttpBlKey),
            b"secpcrematchlimit" => self.number(line).map(PcreMatchLimit),
            b"secpcrematchlimitrecursion" => self.number(line).map(PcreMatchLimitRecursion),
            b"secunicodemapfile" => self.unicode_map(line),
            b"secwebappid" => self.text(line).map(WebAppId),
            b"secserversignature" => self.text(line).map(ServerSignature),
            b"secsensorid" => self.text(line).map(SensorId),
            b"secxmlexternalentity" => self.on_off(line).map(XmlExternalEntity),
            b"secparsexmlintoargs" => {
                self.one(line).and_then(|word| self.word_choice(word, PARSE_XML)).map(ParseXmlIntoArgs)
            }
            b"secruleinheritance" => self.on_off(line).map(RuleInheritance),
            b"secinterceptonerror" => self.on_off(line).map(InterceptOnError),
            // Off is what we do; On would be a protection that is not there.
            b"sechashengine" | b"secencryptionengine" => {
                if let Some(word) = self.one(line)
                    && let Some(on) = self.word_choice(word, ON_OFF)
                {
                    if !on {
                        return Some(
                            self.ignored(line, "links are not hashed here, which is what `Off` asks for"),
                        );
                    }
                    self.sink.push(
                        Diagnostic::error(
                            codes::REFUSED_DIRECTIVE,
                            line.span,
                            format!(
                                "`{} On` is not supported: links are not hashed here",
                                line.name.bytes().as_bstr()
                            ),
                        )
                        .help("set it to Off, and remove the rules that use `@validateHash`"),
                    );
                }
                return Some(None);
            }
            _ => return None,
        };
        Some(setting.map(|setting| Directive::Setting(Spanned::new(setting, line.span))))
    }

    fn ignored(&mut self, line: &Line<'_>, why: &str) -> Option<Directive> {
        for word in &line.words {
            self.check_word(word);
        }
        self.sink.push(
            Diagnostic::warning(
                codes::IGNORED_DIRECTIVE,
                line.name.span(),
                format!("`{}` has no effect here", line.name.bytes().as_bstr()),
            )
            .label(why),
        );
        Some(Directive::Ignored {
            name: line.name.bytes().into(),
            arguments: line.words.iter().map(|word| word.bytes().into()).collect(),
        })
    }

    fn on_off(&mut self, line: &Line<'_>) -> Option<bool> {
        self.one(line).and_then(|word| self.word_choice(word, ON_OFF))
    }

    fn text(&mut self, line: &Line<'_>) -> Option<BString> {
        self.filled(line).map(|word| word.bytes().into())
    }

    fn number(&mut self, line: &Line<'_>) -> Option<u64> {
        let word = self.one(line)?;
        number(word.bytes()).or_else(|| self.bad_word(word, "a number", "decimal digits alone"))
    }

    /// A number of bytes. Units are not of the language, but what they mean is plain.
    fn bytes(&mut self, line: &Line<'_>) -> Option<u64> {
        let word = self.one(line)?;
        let bytes = word.bytes();
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let shift = match bytes[digits..].trim_ascii().to_ascii_lowercase().as_slice() {
            b"" => {
                return number(bytes)
                    .or_else(|| self.bad_word(word, "a number of bytes", "for example 13107200"));
            }
            b"k" | b"kb" | b"kib" => 10,
            b"m" | b"mb" | b"mib" => 20,
            b"g" | b"gb" | b"gib" => 30,
            _ => return self.bad_word(word, "a number of bytes", "for example 13107200"),
        };
        match number(&bytes[..digits]).and_then(|count| count.checked_mul(1 << shift)) {
            Some(count) => {
                self.bad_word(word, "a number of bytes without a unit", &format!("write `{count}`"))
            }
            None => self.bad_word(word, "a number of bytes", "for example 13107200"),
        }
    }

    fn limit_action(&mut self, line: &Line<'_>) -> Option<LimitAction> {
        let choices = [("Reject", LimitAction::Reject), ("ProcessPartial", LimitAction::ProcessPartial)];
        self.one(line).and_then(|word| self.word_choice(word, &choices))
    }

    fn mime_types(&mut self, line: &Line<'_>) -> Option<Vec<BString>> {
        let types: Vec<BString> = line
            .words
            .iter()
            .flat_map(|word| word.bytes().split(|&byte| is_blank(byte)))
            .filter(|item| !item.is_empty())
            .map(BString::from)
            .collect();
        if types.is_empty() {
            self.count(line, "MIME types");
            return None;
        }
        for word in &line.words {
            self.check_word(word);
        }
        Some(types)
    }

    fn separator(&mut self, line: &Line<'_>) -> Option<u8> {
        let word = self.one(line)?;
        match word.bytes() {
            &[separator] => Some(separator),
            _ => self.bad_word(word, "one character", "for example `&` or `;`"),
        }
    }

    fn file_mode(&mut self, line: &Line<'_>) -> Option<BString> {
        let word = self.filled(line)?;
        let bytes = word.bytes();
        let octal = (3..=5).contains(&bytes.len()) && bytes.iter().all(|byte| (b'0'..=b'7').contains(byte));
        if octal || bytes.eq_ignore_ascii_case(b"default") {
            return Some(bytes.into());
        }
        self.bad_word(word, "an octal file mode or `default`", "for example `0640`")
    }

    fn keep_files(&mut self, line: &Line<'_>) -> Option<bool> {
        let word = self.one(line)?;
        if word.bytes().eq_ignore_ascii_case(b"RelevantOnly") {
            self.sink.push(
                Diagnostic::warning(
                    codes::IGNORED_DIRECTIVE,
                    word.span,
                    "`RelevantOnly` is not supported: uploaded files are not kept",
                )
                .help("write `Off`, or `On` to keep all of them"),
            );
            return Some(false);
        }
        self.word_choice(word, ON_OFF)
    }

    /// `SecUnicodeMapFile FILE CODE_PAGE`, also with both in one pair of quotes.
    fn unicode_map(&mut self, line: &Line<'_>) -> Option<Setting> {
        let (path, page): (&Word, Option<&[u8]>) = match line.words.as_slice() {
            [path] => (path, None),
            [path, page] => (path, Some(page.bytes())),
            _ => {
                self.count(line, "a file and a code page");
                return None;
            }
        };
        self.check_word(path);
        let view = path.view().trim();
        let (file, page) = match (page, view.bytes().rfind_byteset(b" \t")) {
            (None, Some(blank)) => (view.slice(0, blank).trim(), Some(view.from(blank + 1).bytes())),
            (page, _) => (view, page),
        };
        if file.is_empty() {
            return self.bad_word(
                path,
                "the name of a file",
                "for example `SecUnicodeMapFile unicode.mapping 20127`",
            );
        }
        let code_page = match page.map(|page| number(page).map(u32::try_from)) {
            Some(Some(Ok(page))) => page,
            Some(_) => {
                let span = line.words.last().map_or(path.span, |word| word.span);
                self.sink.push(
                    Diagnostic::error(
                        codes::BAD_ARGUMENT,
                        span,
                        format!("expected a code page, found {}", quoted(page.unwrap_or_default())),
                    )
                    .help("for example 20127"),
                );
                return None;
            }
            None => {
                self.sink.push(
                    Diagnostic::warning(codes::SUSPICIOUS, path.span, "no code page is given")
                        .label("20127 is meant")
                        .help("add 20127 (US-ASCII) or the code page of your applications"),
                );
                20127
            }
        };
        Some(Setting::UnicodeMapFile { path: Spanned::new(file.bytes().into(), path.span), code_page })
    }
}

/// Directives without effect here, and why.
const IGNORED: &[(&str, &str)] = &[
    ("SecCacheTransformations", "transformations are shared between rules without it"),
    ("SecChrootDir", "the container or the service manager confines the process"),
    ("SecConnEngine", "connections are limited by the proxy's own limits"),
    ("SecConnReadStateLimit", "slow clients are limited by the proxy's own timeouts"),
    ("SecConnWriteStateLimit", "slow clients are limited by the proxy's own timeouts"),
    ("SecReadStateLimit", "slow clients are limited by the proxy's own timeouts"),
    ("SecWriteStateLimit", "slow clients are limited by the proxy's own timeouts"),
    ("SecContentInjection", "`append` and `prepend` say themselves what they do"),
    ("SecDisableBackendCompression", "compressed responses are a matter of the proxy's configuration"),
    ("SecEncryptionKey", "links are not hashed here"),
    ("SecEncryptionMethodPm", "links are not hashed here"),
    ("SecEncryptionMethodRx", "links are not hashed here"),
    ("SecEncryptionParam", "links are not hashed here"),
    ("SecHashKey", "links are not hashed here"),
    ("SecHashMethodPm", "links are not hashed here"),
    ("SecHashMethodRx", "links are not hashed here"),
    ("SecHashParam", "links are not hashed here"),
    ("SecGsbLookupDb", "the Google Safe Browsing v1 service is gone"),
    ("SecGuardianLog", "alerts come from the audit log and from events"),
    ("SecIgnoreRuleCompilationErrors", "a rule set is used whole or not at all"),
    ("SecPdfProtect", "browsers no longer have the flaw that it covers"),
    ("SecPdfProtectInterceptGETOnly", "browsers no longer have the flaw that it covers"),
    ("SecPdfProtectMethod", "browsers no longer have the flaw that it covers"),
    ("SecPdfProtectSecret", "browsers no longer have the flaw that it covers"),
    ("SecPdfProtectTimeout", "browsers no longer have the flaw that it covers"),
    ("SecPdfProtectTokenName", "browsers no longer have the flaw that it covers"),
    ("SecRemoteRulesFailAction", "rules are never fetched by a rule file"),
    ("SecRequestBodyInMemoryLimit", "all bodies share one budget of memory"),
    ("SecRequestEncoding", "texts are bytes; transformations decode them"),
    ("SecRulePerfTime", "`palisade profile` shows what rules cost"),
    ("SecStatusEngine", "nothing is reported to anybody"),
    ("SecStreamInBodyInspection", "bodies are inspected whole"),
    ("SecStreamOutBodyInspection", "bodies are inspected whole"),
    ("SecUnicodeCodePage", "the code page is the second argument of `SecUnicodeMapFile`"),
];

/// Directives that are refused: ignoring them would leave a protection out. Each with why, and what to do instead.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "SecRemoteRules",
        "rules are not fetched while loading, and rules that are not loaded do not protect",
        "download the file, check it, and `Include` it",
    ),
    (
        "SecRuleScript",
        "there is no Lua here, and a rule that does not run does not protect",
        "write the check as SecRule lines",
    ),
    (
        "SecDataset",
        "it belongs to another engine",
        "put the entries in a file and use `@pmFromFile` or `@ipMatchFromFile`",
    ),
];
