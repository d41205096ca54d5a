//! Memory that one transaction leaves to the next.
//!
//! Everything that says something about an exchange is made anew for each transaction; what is handed on are buffers,
//! empty ones. They are emptied here, in one place, and cut to a bounded size before anybody else has them. The one
//! exception is a bounded number of names and of headers that come with every request, which `plan/memo.rs` lists.

use std::sync::Arc;

use palisade_http::{Fields, Target};

use crate::keys::KeyIndex;
use crate::matched::Matched;
use crate::plan::PlanState;
use crate::ruleset::{Exclusion, RuleSelection};
use crate::store::VarStore;
use crate::transaction::{Scratch, Transaction};
use crate::variables::LISTS;

/// The buffers of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// TX, with the names of the rule set; `None` before there was a transaction.
    pub(crate) tx: Option<VarStore>,
    pub(crate) env: VarStore,
    pub(crate) target: Vec<u8>,
    pub(crate) request_uri: Vec<u8>,
    pub(crate) request_filename: Vec<u8>,
    pub(crate) query: Fields,
    pub(crate) cookies: Fields,
    pub(crate) arguments: Fields,
    pub(crate) request_body: Vec<u8>,
    pub(crate) response_body: Vec<u8>,
    pub(crate) key_indexes: [KeyIndex; LISTS],
    pub(crate) xpath_values: Vec<Option<Vec<Vec<u8>>>>,
    pub(crate) matched: Matched,
    pub(crate) removed_rules: Vec<Arc<RuleSelection>>,
    pub(crate) removed_targets: Vec<(Arc<RuleSelection>, Arc<Exclusion>)>,
    pub(crate) scratch: Scratch,
    pub(crate) plan: PlanState,
}

/// Bytes that one buffer keeps. Larger ones come from large requests, and memory of their size is not held for good.
const KEPT_BYTES_MAX: usize = 16 << 10;

impl Buffers {
    fn clear(&mut self) {
        // Each by its name: a buffer that is added has to be emptied too.
        let Self {
            tx,
            env,
            target,
            request_uri,
            request_filename,
            query,
            cookies,
            arguments,
            request_body,
            response_body,
            key_indexes,
            xpath_values,
            matched,
            removed_rules,
            removed_targets,
            scratch,
            plan,
        } = self;
        if let Some(tx) = tx {
            tx.clear();
        }
        env.clear();
        for bytes in [target, request_uri, request_filename, request_body, response_body] {
            empty(bytes);
        }
        for fields in [query, cookies, arguments] {
            fields.reset(KEPT_BYTES_MAX);
        }
        for index in key_indexes {
            index.clear();
        }
        xpath_values.fill(None);
        matched.clear();
        removed_rules.clear();
        removed_targets.clear();
        scratch.clear();
        plan.clear();
    }
}

/// Empties a buffer and gives back what a large request made of it.
pub(crate) fn empty<T>(buffer: &mut Vec<T>) {
    buffer.clear();
    buffer.shrink_to(KEPT_BYTES_MAX / size_of::<T>().max(1));
}

/// Buffers of transactions that have ended, for those that will begin: as many as run rules at the same time on a large
/// machine.
#[derive(Debug, Default)]
pub(crate) struct Spares(palisade_model::Spares<Box<Buffers>>);

impl Spares {
    /// Empty buffers, with memory in them if there were some to have. Never waits.
    pub(crate) fn take(&self) -> Box<Buffers> {
        self.0.take().unwrap_or_default()
    }

    fn give(&self, mut buffers: Box<Buffers>) {
        buffers.clear();
        self.0.give(buffers);
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        use std::mem::take;
        let Some(mut buffers) = self.buffers.take() else { return };
        let vars = &mut self.vars;
        let arguments = take(&mut vars.body.fields);
        *buffers = Buffers {
            tx: Some(take(&mut vars.tx)),
            env: take(&mut vars.env),
            target: vars.target.take().map_or_else(|| take(&mut self.target_memory), Target::into_memory),
            request_uri: take(&mut vars.request_uri),
            request_filename: take(&mut vars.request_filename),
            query: take(&mut vars.query),
            cookies: take(&mut vars.cookies),
            arguments: if arguments.is_empty() { take(&mut self.arguments) } else { arguments },
            request_body: take(&mut vars.request_body),
            response_body: take(&mut vars.response_body),
            key_indexes: take(&mut vars.key_indexes),
            xpath_values: take(&mut vars.xpath_values),
            matched: take(&mut vars.matched),
            removed_rules: take(&mut self.control.removed_rules),
            removed_targets: take(&mut self.control.removed_targets),
            scratch: take(&mut self.scratch),
            plan: take(&mut self.plan),
        };
        self.rules.spares.give(buffers);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use palisade_http::{HeadLimits, HeadParse, parse_request_head};
    use palisade_seclang::MemoryLoader;
    use palisade_seclang::ast::Phase;

    use super::*;
    use crate::{Answer, Clock, Connection, Enforcement, Lookup, Progress, RuleSet, RuleSources, load_rules};

    /// Rules that leave something in every buffer.
    const RULES: &str = r#"
        SecRequestBodyAccess On
        SecAuditLogParts ABZ
        SecRule REQUEST_URI "@rx (ind)(ex)" "id:1,phase:1,pass,capture,setvar:tx.a=%{matched_var},\
            setvar:tx.%{ARGS.name}=%{REQUEST_URI}%{REQUEST_URI},ctl:auditLogParts=+E,setenv:seen=%{ARGS.name},\
            ctl:ruleRemoveById=9,ctl:ruleRemoveTargetById=3;ARGS:name,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1"
        SecRule REQUEST_HEADERS:Host|REQUEST_COOKIES:c "@rx ." "id:2,phase:1,pass,t:hexEncode,multiMatch,setsid:%{ARGS.name}"
        SecRule ARGS|REQUEST_BODY|FULL_REQUEST "@rx b" "id:3,phase:2,pass,t:urlDecodeUni,t:base64Encode,multiMatch"
        SecRule ARGS "@contains %{tx.a}" "id:4,phase:2,pass"
        SecRule XML:/* "@rx ." "id:5,phase:2,pass"
        SecRule MATCHED_VARS "@rx ." "id:6,phase:2,deny,log"
        SecRule ARGS "@rx never" "id:9,phase:2,pass"
    "#;

    fn load() -> Arc<RuleSet> {
        let text = Some(("rules".to_owned(), RULES.as_bytes().to_vec(), String::new()));
        let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &MemoryLoader::new());
        loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    }

    fn begin(rules: &Arc<RuleSet>) -> Transaction {
        let address: SocketAddr = "192.0.2.7:80".parse().unwrap();
        let connection = Connection { client: address, server: address, unique_id: "id".into() };
        Transaction::new(rules.clone(), connection, Enforcement::AsWritten, Clock::default())
    }

    fn run(transaction: &mut Transaction, head: &str, body: &[u8]) {
        let limits = HeadLimits { head_bytes_max: 1 << 20, line_bytes_max: 1 << 20, ..HeadLimits::default() };
        let HeadParse::Complete { head, .. } = parse_request_head(head.as_bytes(), &limits) else {
            panic!("no head");
        };
        transaction.request_head(head);
        for phase in [Phase::RequestHeaders, Phase::RequestBody, Phase::Logging] {
            if phase == Phase::RequestBody {
                transaction.request_body_chunk(body);
                transaction.request_body_end();
            }
            let mut progress = transaction.run(phase, Clock::default());
            while progress != Progress::Done {
                if let Progress::Need(Lookup::Collection(_)) = progress {
                    transaction.answer(Answer::Collection(Vec::new()));
                }
                progress = transaction.resume(Clock::default());
            }
        }
    }

    /// All that a transaction knows, but for the rule set with its spares.
    fn shown(transaction: &Transaction) -> String {
        let Transaction { vars, control, cursor, scratch, plan, matches, sanitised, operations, .. } =
            transaction;
        let memory = (&transaction.target_memory, &transaction.arguments);
        format!(
            "{vars:#?}{control:#?}{cursor:#?}{scratch:#?}{plan:#?}{matches:?}{sanitised:?}{operations:?}{memory:?}"
        )
    }

    #[test]
    fn a_recycled_transaction_is_a_fresh_one() {
        let used = load();
        let secret = "x".repeat(100_000);
        let bodies = [
            ("application/x-www-form-urlencoded", format!("name=b{secret}&b=%62&c=a")),
            ("text/xml", format!("<a><b>{secret}</b></a>")),
            (
                "multipart/form-data; boundary=b",
                format!(
                    "--b\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b\"\r\n\r\n{secret}\r\n--b--\r\n"
                ),
            ),
        ];
        for (kind, body) in &bodies {
            let mut first = begin(&used);
            let head = format!(
                "POST /index?name=secret&b=2&{secret}=1 HTTP/1.1\r\nHost: b\r\nCookie: c={secret}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len(),
            );
            run(&mut first, &head, body.as_bytes());
            assert!(first.matches().len() > 2, "{kind}: {:?}", first.matches());
            assert_ne!(shown(&first), shown(&begin(&load())));
            drop(first);
            assert_eq!(used.spares.0.count(), 1);
            let (recycled, fresh) = (begin(&used), begin(&load()));
            assert_eq!(used.spares.0.count(), 0, "it has taken them");
            assert_eq!(shown(&recycled), shown(&fresh));
            // And what it comes to is the same.
            let [mut recycled, mut fresh] = [recycled, fresh];
            let head = "GET /index?name=n&b=3 HTTP/1.1\r\nHost: h\r\n\r\n";
            run(&mut recycled, head, b"");
            run(&mut fresh, head, b"");
            // But for how it came to it: one of them may know a name that the other one looks at.
            for transaction in [&mut recycled, &mut fresh] {
                transaction.plan.forget_looks();
                transaction.cursor.work = 0;
            }
            assert_eq!(shown(&recycled), shown(&fresh));
            assert!(!shown(&recycled).contains("secret") && !shown(&recycled).contains(&secret));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let rules = load();
        for _ in 0..3 {
            let many: Vec<Transaction> = (0..100).map(|_| begin(&rules)).collect();
            drop(many);
            assert_eq!(rules.spares.0.count(), palisade_model::Spares::<Box<Buffers>>::MAX);
        }
    }
}
