//! Small rule sets in which everything meets: the shapes of CRS (gates, scores, exclusions) and those that nobody
//! would write.

use std::fmt::Write as _;

use palisade_codec::Transformation;
use palisade_seclang::MemoryLoader;
use palisade_seclang::ast::Variable;

use super::choices::Choices;

/// A rule set and what its rules look for.
#[derive(Clone, Debug)]
pub struct Rules {
    /// SecLang.
    pub text: String,
    /// Texts that its rules look for: requests are made of them.
    pub examples: Vec<String>,
}

impl Rules {
    pub(super) fn new(choices: &mut Choices<'_>) -> Self {
        let theme = Theme::default();
        let mut writer = Writer {
            choices,
            text: String::new(),
            examples: Vec::new(),
            id: 0,
            label: 0,
            theme,
            losing: false,
        };
        writer.choose_theme();
        writer.settings();
        // Large ones are for operators beyond one word of a bit set.
        let most = match writer.choices.weighted(&[12, 3, 1]) {
            0 => 9,
            1 => 24,
            _ => 200,
        };
        for _ in 0..4 + writer.choices.below(most) {
            // A short input is a small rule set.
            if writer.choices.is_used_up() {
                break;
            }
            writer.piece();
        }
        writer.end();
        Self { text: writer.text, examples: writer.examples }
    }
}

/// The data files that generated rules name.
pub fn files() -> MemoryLoader {
    MemoryLoader::new()
        .with("words.data", *b"# words\nselect\nEtc/passwd\n<script\nab\n")
        .with("addresses.data", *b"192.0.2.0/24\n198.51.100.7\n")
}

/// A rule that makes one variable, `TX:probe`, of everything that a rule can still see at the end. MATCHED_* come first:
/// the rule itself changes them.
pub fn probe(id: u64) -> String {
    format!(
        "SecRule {PROBED} \"@unconditionalMatch\" \"id:{id},phase:5,pass,nolog,t:none,\
         setvar:'tx.probe=%{{tx.probe}}|%{{MATCHED_VAR_NAME}}=%{{MATCHED_VAR}}'\""
    )
}

struct Writer<'c, 'b> {
    choices: &'c mut Choices<'b>,
    text: String,
    examples: Vec<String>,
    id: usize,
    /// Labels up to this one have their markers.
    label: usize,
    theme: Theme,
    /// The next rule has what removals by tag and message name.
    losing: bool,
}

/// What the rules of one set prefer, so that they look at the same values in the same ways and meet.
#[derive(Default)]
struct Theme {
    operators: Vec<String>,
    targets: Vec<&'static str>,
    chains: Vec<&'static str>,
}

impl Writer<'_, '_> {
    fn choose_theme(&mut self) {
        for _ in 0..3 {
            let operator = self.any_operator();
            self.theme.operators.push(operator);
        }
        for _ in 0..2 {
            self.theme.targets.push(*self.choices.pick(TARGETS));
            self.theme.chains.push(*self.choices.pick(CHAINS));
        }
    }

    fn settings(&mut self) {
        self.text.push_str(
            "SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html application/json\n",
        );
        let mut settings = SETTINGS.to_vec();
        while !settings.is_empty() && self.choices.once_in(3) {
            let at = self.choices.below(settings.len());
            let setting = settings.swap_remove(at);
            // Defaults of one phase may be given once.
            settings.retain(|other| !(setting.contains("phase:2") && other.contains("phase:2")));
            self.line(setting);
        }
        if self.choices.below(4) > 0 {
            self.line("SecAction \"id:1,phase:1,pass,nolog,t:none,setvar:tx.pl=1,setvar:tx.crit=5,setvar:tx.limit=5,setvar:'tx.list=a ab <x> 1'\"");
        }
        if self.choices.once_in(3) {
            self.line("SecAction \"id:2,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},initcol:global=g\"");
        }
    }

    /// What follows every rule set: markers for all labels, and rules that show what there is.
    fn end(&mut self) {
        for label in self.label + 1..self.label + 3 {
            self.line(&format!("SecMarker M{label}"));
        }
        self.line("SecMarker END");
        for phase in 3..=5 {
            self.line(&format!(
                "SecRule TX:score \"@ge %{{tx.limit}}\" \"id:900{phase},phase:{phase},deny,log,t:none,msg:'score %{{TX.score}}'\""
            ));
        }
        self.line(&probe(9010));
        self.line("SecRule TX:limit \"!@eq 5\" \"id:9011,phase:5,pass,log,t:none,logdata:'%{MATCHED_VAR} %{TX.1} %{RULE.id} %{ENV.e}'\"");
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn piece(&mut self) {
        match self.choices.weighted(&[20, 6, 3, 4, 2, 3, 1, 5]) {
            0 => self.detection(),
            1 => self.state(),
            2 => self.action(),
            3 => self.gate(),
            4 => {
                self.label += 1;
                let label = self.label;
                self.line(&format!("SecMarker M{label}"));
            }
            5 => self.exclusion(),
            7 => self.set_up(),
            _ => {
                let id = self.some_id();
                let update = *self.choices.pick(UPDATES);
                self.line(&update.replace("ID", &id.to_string()));
            }
        }
    }

    /// A rule that looks at what the client sent.
    fn detection(&mut self) {
        let phase = self.phase();
        self.detection_of(phase, None);
    }

    fn detection_of(&mut self, phase: usize, target: Option<&str>) {
        let links = if self.choices.once_in(4) { 2 + self.choices.below(2) } else { 1 };
        for link in 0..links {
            let mut actions = if link == 0 { self.starter(phase) } else { self.link_base() };
            self.transformations(&mut actions);
            self.link_actions(&mut actions);
            if link + 1 < links {
                actions.push("chain".to_owned());
            }
            let targets = match target.filter(|_| link == 0) {
                Some(target) => target.to_owned(),
                None => self.targets(phase, link),
            };
            let operator = self.operator();
            self.rule(&targets, &operator, &actions);
        }
    }

    /// A rule that looks at what rules wrote.
    fn state(&mut self) {
        let phase = self.phase();
        let mut actions = self.starter(phase);
        self.link_actions(&mut actions);
        let targets = *self.choices.pick(STATE_TARGETS);
        let operator = *self.choices.pick(STATE_OPERATORS);
        if self.choices.once_in(4) {
            actions.push("chain".to_owned());
            self.rule(targets, operator, &actions);
            let mut actions = self.link_base();
            self.link_actions(&mut actions);
            let targets = self.targets(phase, 1);
            let operator = self.operator();
            self.rule(&targets, &operator, &actions);
        } else {
            self.rule(targets, operator, &actions);
        }
    }

    fn action(&mut self) {
        let phase = self.phase();
        let mut actions = self.starter(phase);
        for _ in 0..2 {
            self.link_actions(&mut actions);
        }
        self.line(&format!("SecAction \"{}\"", actions.join(",")));
    }

    /// As CRS has them in front of each paranoia level.
    fn gate(&mut self) {
        self.id += 1;
        let id = 100 + self.id;
        let phase = self.phase();
        let level = 1 + self.choices.weighted(&[4, 1, 1]);
        let to = match self.choices.below(3) {
            0 => "END".to_owned(),
            1 => format!("M{}", self.label + 1),
            _ => format!("M{}", self.label + 2),
        };
        let variable = *self.choices.pick(&["TX:pl", "TX:PL", "TX:n", "TX:s"]);
        self.line(&format!(
            "SecRule {variable} \"@lt {level}\" \"id:{id},phase:{phase},pass,nolog,skipAfter:{to}\""
        ));
    }

    /// As CRS gives its variables their defaults and sums up scores, in any order: rules that nobody hears of, with one
    /// among them that is heard of or taken away.
    fn set_up(&mut self) {
        let phase = self.phase();
        for _ in 0..2 + self.choices.below(5) {
            self.id += 1;
            let id = 100 + self.id;
            let log = *self.choices.pick(&["nolog", "nolog", "nolog", "nolog", "log", "nolog,auditlog"]);
            let mut actions = vec![format!("id:{id},phase:{phase},pass,{log}")];
            for _ in 0..self.choices.below(4) {
                let name = *self.choices.pick(SET_UP_NAMES);
                actions.push(self.choices.pick(SET_UP_CHANGES).replace("NAME", name));
            }
            if self.choices.once_in(6) {
                let to = self.label + 1 + self.choices.below(2);
                actions.push(match self.choices.below(3) {
                    0 => "skip:1".to_owned(),
                    1 => format!("skip:2,skipAfter:M{to}"),
                    _ => format!("skipAfter:M{to}"),
                });
            }
            if self.choices.once_in(8) {
                let next = 101 + self.id + self.choices.below(3);
                let name = *self.choices.pick(SET_UP_NAMES);
                actions.push(match self.choices.below(4) {
                    0 => format!("ctl:ruleRemoveById={next}"),
                    1 => format!("ctl:ruleRemoveTargetById={next};TX"),
                    2 => format!("ctl:ruleRemoveTargetById={next}-{};TX:{name}", next + 2),
                    _ => format!("ctl:ruleRemoveTargetById={next};ARGS:a"),
                });
            }
            match self.choices.below(12) {
                0 => actions.push("severity:3".to_owned()),
                1 => actions.push("capture".to_owned()),
                2 => actions.push("t:length".to_owned()),
                3 => actions.push("initcol:ip=%{tx.n}".to_owned()),
                _ => {}
            }
            if self.choices.once_in(6) {
                self.line(&format!("SecAction \"{}\"", actions.join(",")));
                continue;
            }
            let count = if self.choices.once_in(2) { "&" } else { "" };
            let name = *self.choices.pick(SET_UP_NAMES);
            let operator = *self.choices.pick(SET_UP_OPERATORS);
            let chained = self.choices.once_in(8);
            if chained {
                actions.push("chain".to_owned());
            }
            self.rule(&format!("{count}TX:{name}"), operator, &actions);
            if chained {
                self.rule("&TX:n|TX:s", operator, &["setvar:'tx.n=%{MATCHED_VAR_NAME}'".to_owned()]);
            }
        }
    }

    /// As sites have them in front of CRS.
    fn exclusion(&mut self) {
        self.id += 1;
        let id = 100 + self.id;
        let phase = self.phase();
        let mut actions = vec![format!("id:{id},phase:{phase},pass,nolog,t:none")];
        for _ in 0..1 + self.choices.below(2) {
            actions.push(self.removal());
        }
        // Mostly a rule follows that loses something by it.
        let follows = self.choices.below(4) > 0;
        let target = *self.choices.pick(REMOVED_TARGETS);
        if follows {
            let id = id + 1;
            let by = *self.choices.pick(&["ById=ID", "ById=ID-999", "ByTag=lost", "ByMsg=lost"]);
            actions.push(format!("ctl:ruleRemoveTarget{};{target}", by.replace("ID", &id.to_string())));
        }
        let (condition, operator) = *self.choices.pick(&[
            ("REQUEST_FILENAME", "@beginsWith /"),
            ("REQUEST_METHOD", "@rx ^[A-Z]+$"),
            ("REQUEST_METHOD", "@streq POST"),
            ("ARGS:a", "@rx ."),
            ("ARGS:b", "!@rx ^a"),
            ("REMOTE_ADDR", "@ipMatch 192.0.2.0/24"),
        ]);
        self.rule(condition, operator, &actions);
        if follows {
            let phase = phase + self.choices.below(6 - phase);
            self.losing = true;
            let whole = target.split(':').next().unwrap_or(target);
            let targets = *self.choices.pick(&[target, whole, "ARGS|REQUEST_COOKIES|REQUEST_HEADERS|XML:/*"]);
            self.detection_of(phase, Some(if targets == "XML" { "XML:/*" } else { targets }));
        }
    }

    fn rule(&mut self, targets: &str, operator: &str, actions: &[String]) {
        let _ = writeln!(
            self.text,
            "SecRule {targets} \"{}\" \"{}\"",
            operator.replace('"', "\\\""),
            actions.join(",")
        );
    }

    fn phase(&mut self) -> usize {
        1 + self.choices.weighted(&[6, 9, 2, 3, 2])
    }

    /// Mostly a rule that is yet to come.
    fn some_id(&mut self) -> usize {
        let id = if self.choices.once_in(4) {
            self.choices.below(self.id + 3)
        } else {
            self.id + self.choices.below(3)
        };
        101 + id
    }

    fn starter(&mut self, phase: usize) -> Vec<String> {
        self.id += 1;
        let id = 100 + self.id;
        let mut actions = vec![format!("id:{id}"), format!("phase:{phase}")];
        let disruptive = *self.choices.pick(DISRUPTIVE);
        actions.push(disruptive.to_owned());
        actions.push((*self.choices.pick(&["log", "log", "nolog", "nolog,auditlog"])).to_owned());
        if !self.choices.once_in(5) {
            actions.push("t:none".to_owned());
        }
        if std::mem::take(&mut self.losing) {
            actions.push("msg:'lost',tag:'lost'".to_owned());
        } else if self.choices.once_in(2) {
            actions.push((*self.choices.pick(MESSAGES)).to_owned());
        }
        for _ in 0..self.choices.below(3) {
            actions.push((*self.choices.pick(TAGS)).to_owned());
        }
        if self.choices.once_in(3) {
            actions.push((*self.choices.pick(LOGDATA)).to_owned());
        }
        if self.choices.once_in(4) {
            actions.push(format!("severity:{}", self.choices.below(8)));
        }
        if self.choices.once_in(2) {
            // Shows that it matched, and when, also where nothing is logged.
            actions.push(format!("setvar:'tx.h=%{{tx.h}} {id}'"));
        }
        if disruptive.starts_with("pass") && self.choices.once_in(6) {
            actions.push(match self.choices.below(4) {
                0 => "skip:1".to_owned(),
                1 => format!("skip:{}", 2 + self.choices.below(4)),
                2 => format!("skipAfter:M{}", self.label + 1),
                _ => (*self.choices.pick(&["skipAfter:END", "skipAfter:NOWHERE"])).to_owned(),
            });
        }
        actions
    }

    fn link_base(&mut self) -> Vec<String> {
        let none = !self.choices.once_in(3);
        if none { vec!["t:none".to_owned()] } else { Vec::new() }
    }

    fn transformations(&mut self, actions: &mut Vec<String>) {
        if self.choices.below(3) < 2 {
            let themed = self.choices.below(3) < 2;
            let chain = *self.choices.pick(if themed { &self.theme.chains } else { CHAINS });
            actions.extend(chain.split(',').filter(|step| !step.is_empty()).map(|step| format!("t:{step}")));
            return;
        }
        for _ in 0..self.choices.below(4) {
            actions.push(format!("t:{}", self.choices.pick(Transformation::ALL).name()));
        }
    }

    fn link_actions(&mut self, actions: &mut Vec<String>) {
        for _ in 0..self.choices.weighted(&[2, 4, 4, 2]) {
            let action = match self.choices.weighted(&[8, 6, 2, 4, 1, 2]) {
                0 => (*self.choices.pick(ASSIGNMENTS)).to_owned(),
                1 => "capture".to_owned(),
                2 => "multiMatch".to_owned(),
                3 => self.removal(),
                4 => (*self.choices.pick(CONTROLS)).to_owned(),
                _ => (*self.choices.pick(EFFECTS)).to_owned(),
            };
            // A starter has one of each of these at most.
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
    }

    /// `ctl` that takes rules or targets away.
    fn removal(&mut self) -> String {
        let by = match self.choices.below(4) {
            0 => format!("ById={}", self.some_id()),
            1 => {
                let first = self.some_id();
                format!("ById={first}-{}", first + self.choices.below(4))
            }
            2 => format!("ByTag={}", self.choices.pick(&["t0", "t1", "attack", "t[12]"])),
            _ => format!("ByMsg={}", self.choices.pick(&["hit", "other"])),
        };
        if self.choices.once_in(3) {
            return format!("ctl:ruleRemove{by}");
        }
        let mut target = *self.choices.pick(REMOVED_TARGETS);
        if self.choices.once_in(2) {
            let themed = *self.choices.pick(&self.theme.targets);
            target = themed.split('|').next_back().unwrap_or(themed).trim_start_matches('&');
        }
        format!("ctl:ruleRemoveTarget{by};{target}")
    }

    fn targets(&mut self, phase: usize, link: usize) -> String {
        let mut targets: Vec<String> = Vec::new();
        for _ in 0..1 + self.choices.weighted(&[5, 3, 1]) {
            let target = match (self.choices.weighted(&[14, 2, 2, 3, 10, 2]), phase) {
                (0, _) => *self.choices.pick(TARGETS),
                (4, _) => *self.choices.pick(&self.theme.targets),
                (1, _) => *self.choices.pick(RARE_TARGETS),
                (2, _) => *self.choices.pick(STATE_TARGETS),
                (5, _) => {
                    targets.push(self.any_target());
                    continue;
                }
                (_, 3..) => *self.choices.pick(RESPONSE_TARGETS),
                _ => *self.choices.pick(TARGETS),
            };
            targets.push(target.to_owned());
        }
        if link > 0 && self.choices.once_in(3) {
            targets.insert(0, (*self.choices.pick(MATCHED_TARGETS)).to_owned());
        }
        if targets.iter().any(|target| target.starts_with("ARGS")) && self.choices.once_in(3) {
            let excluded = self.choices.pick(&[
                "!ARGS:a",
                "!ARGS:/^b/",
                "!ARGS:json.a",
                "!ARGS_NAMES:b",
                "!ARGS:%{tx.n}",
            ]);
            targets.push((*excluded).to_owned());
        }
        targets.dedup();
        targets.join("|")
    }

    /// Any variable that there is, with a key where it takes one.
    fn any_target(&mut self) -> String {
        let variable = *self.choices.pick(Variable::ALL);
        let count = if self.choices.once_in(4) { "&" } else { "" };
        let key = match variable {
            Variable::Xml => *self.choices.pick(&[":/*", "://@*", ":/x/y"]),
            _ if variable.takes_selector() => {
                *self.choices.pick(&["", "", ":a", ":/a/", ":x-a", ":n", ":%{tx.n}"])
            }
            _ => "",
        };
        format!("{count}{variable}{key}")
    }

    fn operator(&mut self) -> String {
        if self.choices.below(5) < 3 {
            self.choices.pick(&self.theme.operators).clone()
        } else {
            self.any_operator()
        }
    }

    fn any_operator(&mut self) -> String {
        let not = if self.choices.once_in(8) { "!" } else { "" };
        let (name, argument, examples) = match self.choices.weighted(&[12, 4, 5, 3, 3, 2, 2]) {
            0 => {
                let (pattern, examples) = *self.choices.pick(PATTERNS);
                ("rx", pattern, examples)
            }
            1 => {
                let (phrases, examples) = *self.choices.pick(PHRASES);
                ("pm", phrases, examples)
            }
            2 => {
                let name = *self.choices.pick(TEXT_OPERATORS);
                let (text, examples) = *self.choices.pick(TEXTS);
                (name, text, examples)
            }
            3 => {
                let name = *self.choices.pick(&["eq", "ge", "gt", "le", "lt"]);
                let number = *self.choices.pick(&["0", "1", "2", "5", "12", "-3", "%{tx.s}", "%{tx.n}", "x"]);
                (name, number, &["1", "2", "12", "-3"][..])
            }
            4 => {
                let (name, argument, examples) = *self.choices.pick(SPECIAL);
                (name, argument, examples)
            }
            5 => (
                "within",
                *self.choices.pick(&["a ab <x> 1", "GET POST PUT", "%{tx.list}"]),
                &["a", "ab"][..],
            ),
            _ => {
                let (name, argument, examples) = *self.choices.pick(EXPANDED);
                (name, argument, examples)
            }
        };
        self.examples.extend(examples.iter().map(|example| (*example).to_owned()));
        format!("{not}@{name} {argument}").trim_end().to_owned()
    }
}

type Examples = &'static [&'static str];

const SETTINGS: &[&str] = &[
    "SecRuleEngine DetectionOnly",
    "SecRuleEngine On",
    "SecDefaultAction \"phase:2,log,auditlog,deny,status:409\"",
    "SecDefaultAction \"phase:1,nolog,pass,t:lowercase\"",
    "SecDefaultAction \"phase:2,log,pass,t:urlDecodeUni,tag:'t0'\"",
    "SecRequestBodyLimit 120\nSecRequestBodyLimitAction ProcessPartial",
    "SecRequestBodyLimit 200",
    "SecRequestBodyNoFilesLimit 60\nSecRequestBodyLimitAction ProcessPartial",
    "SecArgumentsLimit 3",
    "SecRequestBodyJsonDepthLimit 2",
    "SecParseXmlIntoArgs On",
    "SecParseXmlIntoArgs OnlyArgs",
    "SecResponseBodyLimit 20\nSecResponseBodyLimitAction ProcessPartial",
    "SecPcreMatchLimit 40",
    "SecCookieFormat 1",
    "SecArgumentSeparator \";\"",
    "SecCollectionTimeout 30",
    "SecUploadFileLimit 1",
];

const UPDATES: &[&str] = &[
    "SecRuleRemoveById ID",
    "SecRuleRemoveByTag t2",
    "SecRuleUpdateTargetById ID \"!ARGS:a\"",
    "SecRuleUpdateTargetById ID \"!REQUEST_HEADERS:/^x/\"",
    "SecRuleUpdateTargetById ID \"REQUEST_COOKIES\"",
    "SecRuleUpdateTargetByTag t1 \"!ARGS:/b/\"",
    "SecRuleUpdateTargetByMsg hit \"!ARGS:b\"",
    "SecRuleUpdateActionById ID \"pass,nolog\"",
    "SecRuleUpdateActionById ID \"deny,status:410,log\"",
    "SecRuleUpdateActionById ID \"t:none,t:lowercase\"",
];

const DISRUPTIVE: &[&str] = &[
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "block",
    "deny",
    "deny,status:418",
    "drop",
    "allow",
    "allow:phase",
    "allow:request",
    "redirect:'/%{MATCHED_VAR}'",
];
const MESSAGES: &[&str] = &["msg:'hit'", "msg:'hit %{MATCHED_VAR_NAME}'", "msg:'other %{tx.s}'", "msg:''"];
const TAGS: &[&str] = &["tag:'t0'", "tag:'t1'", "tag:'t2'", "tag:'attack-%{tx.n}'", "tag:'attack'"];
const LOGDATA: &[&str] = &[
    "logdata:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR} 0=%{tx.0} 1=%{tx.1} s=%{tx.s}'",
    "logdata:'%{RULE.id} %{tx.n} %{ARGS.a} %{REQUEST_HEADERS.x-a}'",
    "logdata:'%{MATCHED_VARS_NAMES} %{HIGHEST_SEVERITY} %{ip.n} %{env.e}'",
];

const SET_UP_NAMES: &[&str] = &["s", "n", "pl", "PL", "limit", "crit", "score", "u", "U"];

const SET_UP_CHANGES: &[&str] = &[
    "setvar:tx.NAME=0",
    "setvar:tx.NAME=1",
    "setvar:tx.NAME=5",
    "setvar:'tx.NAME=two'",
    "setvar:'tx.NAME=+%{tx.crit}'",
    "setvar:tx.NAME=+1",
    "setvar:'tx.NAME=%{MATCHED_VAR}'",
    "setvar:'tx.NAME=%{MATCHED_VAR_NAME}.%{RULE.id}'",
    "setvar:!tx.NAME",
    "setvar:'tx.t_%{tx.NAME}=%{MATCHED_VARS_NAMES}'",
    "setvar:'ip.n=+%{tx.NAME}'",
];

const SET_UP_OPERATORS: &[&str] = &[
    "@eq 0",
    "@eq 0",
    "@eq 1",
    "!@eq 0",
    "@lt 2",
    "@ge 1",
    "@gt 1",
    "!@le 4",
    "@ge %{tx.limit}",
    "@lt %{tx.u}",
    "!@gt %{tx.s}%{tx.pl}",
    "@eq -%{tx.n}",
    "@streq 1",
    "@rx ^(.)",
];

const ASSIGNMENTS: &[&str] = &[
    "setvar:tx.s=+1",
    "setvar:tx.s=-2",
    "setvar:'tx.score=+%{tx.crit}'",
    "setvar:'tx.score=+1'",
    "setvar:'tx.n=%{MATCHED_VAR}'",
    "setvar:'tx.n=%{tx.n}.%{MATCHED_VAR_NAME}'",
    "setvar:'tx.t_%{MATCHED_VAR_NAME}=%{tx.0}'",
    "setvar:'tx.t_%{tx.1}=%{MATCHED_VAR}'",
    "setvar:!tx.n",
    "setvar:!tx.pl",
    "setvar:tx.m",
    "setvar:tx.pl=2",
    "setvar:'tx.pl=%{ARGS.a}'",
    "setvar:'TX.PL=+1'",
    "setvar:'tx.limit=1'",
    "setvar:'tx.crit=0'",
    "setvar:'tx.list=%{tx.list} %{MATCHED_VAR}'",
    "setvar:'tx.s=+%{MATCHED_VAR}'",
    "setvar:'tx.0=x'",
    "setvar:'tx.p=b+'",
    "initcol:ip=%{REMOTE_ADDR}",
    "initcol:global=g",
    "initcol:ip=%{MATCHED_VAR}",
    "setsid:%{MATCHED_VAR}",
    "setuid:%{ARGS.a}",
    "setrsc:%{REQUEST_FILENAME}",
    "setvar:ip.n=+1",
    "setvar:'ip.n=+%{tx.n}'",
    "setvar:'global.x=%{MATCHED_VAR}'",
    "setvar:'session.y=%{tx.0}'",
    "setvar:!ip.n",
];

const CONTROLS: &[&str] = &[
    "ctl:requestBodyProcessor=JSON",
    "ctl:requestBodyProcessor=XML",
    "ctl:requestBodyProcessor=URLENCODED",
    "ctl:requestBodyProcessor=MULTIPART",
    "ctl:forceRequestBodyVariable=On",
    "ctl:requestBodyLimit=30",
    "ctl:requestBodyAccess=Off",
    "ctl:responseBodyAccess=Off",
    "ctl:responseBodyLimit=9",
    "ctl:ruleEngine=DetectionOnly",
    "ctl:ruleEngine=Off",
    "ctl:ruleEngine=On",
    "ctl:parseXmlIntoArgs=On",
    "ctl:auditLogParts=+E",
    "ctl:auditEngine=Off",
];

const EFFECTS: &[&str] = &[
    "expirevar:ip.n=20",
    "deprecatevar:ip.n=1/10",
    "setenv:'e=%{MATCHED_VAR}'",
    "sanitiseMatched",
    "sanitiseArg:a",
    "sanitiseMatchedBytes:1/1",
    "sanitiseRequestHeader:x-a",
];

const REMOVED_TARGETS: &[&str] = &[
    "ARGS",
    "ARGS:a",
    "ARGS:/^b/",
    "ARGS_NAMES",
    "REQUEST_HEADERS:x-a",
    "REQUEST_HEADERS",
    "REQUEST_COOKIES:c",
    "REQUEST_COOKIES",
    "TX:n",
    "REQUEST_URI",
    "XML:/*",
    "ARGS_GET:a",
    "REQUEST_BODY",
    "MATCHED_VARS",
];

const TARGETS: &[&str] = &[
    "ARGS",
    "ARGS",
    "ARGS",
    "REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*",
    "REQUEST_COOKIES|ARGS_NAMES|ARGS",
    "ARGS_NAMES|ARGS",
    "ARGS:a",
    "ARGS:A",
    "ARGS:b",
    "ARGS:json.a",
    "ARGS:/^[ab]/",
    "ARGS:/a$/",
    "ARGS:%{tx.n}",
    "ARGS_NAMES",
    "ARGS_GET",
    "ARGS_GET_NAMES",
    "ARGS_POST",
    "ARGS_POST_NAMES",
    "&ARGS",
    "&ARGS:a",
    "&ARGS:/b/",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS:x-a",
    "REQUEST_HEADERS:User-Agent",
    "REQUEST_HEADERS:/^x-/",
    "&REQUEST_HEADERS:x-a",
    "REQUEST_HEADERS_NAMES",
    "REQUEST_COOKIES",
    "REQUEST_COOKIES:c",
    "REQUEST_COOKIES_NAMES",
    "REQUEST_METHOD",
    "REQUEST_BASENAME",
    "REQUEST_FILENAME",
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "REQUEST_LINE",
    "REQUEST_PROTOCOL",
    "QUERY_STRING",
    "REQUEST_BODY",
    "FILES",
    "FILES_NAMES",
    "MULTIPART_PART_HEADERS",
    "XML:/*",
    "XML://@*",
];

const RARE_TARGETS: &[&str] = &[
    "ARGS_COMBINED_SIZE",
    "&FILES",
    "FILES_COMBINED_SIZE",
    "FILES_SIZES",
    "FILES_TMP_CONTENT",
    "FULL_REQUEST",
    "FULL_REQUEST_LENGTH",
    "INBOUND_DATA_ERROR",
    "MULTIPART_STRICT_ERROR",
    "MULTIPART_UNMATCHED_BOUNDARY",
    "MULTIPART_FILENAME",
    "MULTIPART_NAME",
    "PATH_INFO",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "REQBODY_ERROR",
    "REQBODY_ERROR_MSG",
    "REQBODY_PROCESSOR",
    "REQUEST_BODY_LENGTH",
    "SERVER_NAME",
    "SERVER_PORT",
    "UNIQUE_ID",
    "URLENCODED_ERROR",
    "TIME_EPOCH",
    "DURATION",
    "GEO",
    "GEO:COUNTRY_CODE",
    "RULE",
    "RULE:id",
    "MSC_PCRE_LIMITS_EXCEEDED",
    "&XML:/*",
    "XML:/x/y",
    "AUTH_TYPE",
    "SESSIONID",
    "USERID",
    "WEBAPPID",
];

const RESPONSE_TARGETS: &[&str] = &[
    "RESPONSE_BODY",
    "RESPONSE_STATUS",
    "RESPONSE_HEADERS",
    "RESPONSE_HEADERS:x-r",
    "RESPONSE_HEADERS_NAMES",
    "RESPONSE_CONTENT_TYPE",
    "RESPONSE_CONTENT_LENGTH",
    "RESPONSE_PROTOCOL",
    "OUTBOUND_DATA_ERROR",
    "STATUS_LINE",
];

const MATCHED_TARGETS: &[&str] = &[
    "MATCHED_VAR",
    "MATCHED_VARS",
    "MATCHED_VARS_NAMES",
    "MATCHED_VAR_NAME",
    "&MATCHED_VARS",
    "TX:0",
    "TX:1",
];

const STATE_TARGETS: &[&str] = &[
    "TX:s",
    "TX:n",
    "TX:score",
    "TX:pl",
    "TX:m",
    "TX:0",
    "TX:1",
    "TX:/^t_/",
    "TX:/^[0-9]$/",
    "TX:/./",
    "TX:t_ARGS:a",
    "TX:%{tx.n}",
    "&TX:s",
    "&TX:n",
    "&TX:pl",
    "&TX:/^t_/",
    "TX",
    "&TX",
    "IP:n",
    "&IP:n",
    "IP",
    "GLOBAL:x",
    "SESSION:y",
    "ENV:e",
    "HIGHEST_SEVERITY",
    "MATCHED_VAR",
    "MATCHED_VARS",
    "MATCHED_VARS_NAMES",
];

const STATE_OPERATORS: &[&str] = &[
    "@eq 0",
    "@ge 1",
    "@gt 1",
    "@ge %{tx.limit}",
    "@lt 3",
    "@le 0",
    "!@eq 0",
    "@rx a",
    "@rx ^(.)(.*)",
    "@rx ^$",
    "!@rx ^$",
    "@streq %{tx.n}",
    "@contains ARGS",
    "@unconditionalMatch",
    "@pm a 1 select",
];

const PROBED: &str = "MATCHED_VARS_NAMES|MATCHED_VARS|MATCHED_VAR_NAME|MATCHED_VAR|HIGHEST_SEVERITY|ENV|IP|GLOBAL|SESSION|\
    USER|RESOURCE|GEO|SESSIONID|USERID|REQBODY_PROCESSOR|REQBODY_ERROR|REQBODY_ERROR_MSG|INBOUND_DATA_ERROR|\
    OUTBOUND_DATA_ERROR|MSC_PCRE_LIMITS_EXCEEDED|ARGS|ARGS_NAMES|REQUEST_BODY|REQUEST_BODY_LENGTH|&TX|&ARGS|XML:/*|TX";

/// Chains that several rules share, and beginnings of each other.
const CHAINS: &[&str] = &[
    "",
    "lowercase",
    "urlDecodeUni",
    "urlDecodeUni,lowercase",
    "urlDecodeUni,htmlEntityDecode,jsDecode",
    "utf8toUnicode,urlDecodeUni,htmlEntityDecode,jsDecode,cssDecode,removeNulls",
    "urlDecodeUni,htmlEntityDecode,jsDecode,cssDecode",
    "urlDecodeUni,compressWhitespace",
    "urlDecodeUni,removeComments,lowercase",
    "base64Decode",
    "base64DecodeExt,lowercase",
    "hexDecode,trim",
    "removeWhitespace",
    "cmdLine",
    "cmdLine,normalizePath",
    "normalizePath,lowercase",
    "normalizePathWin",
    "length",
    "sha1,hexEncode",
    "md5,hexEncode,length",
    "removeNulls,trim",
    "uppercase",
    "escapeSeqDecode",
    "urlEncode,urlDecode",
];

const PATTERNS: &[(&str, Examples)] = &[
    ("a", &["a", "bab"]),
    ("^a", &["a", "ab"]),
    ("(a)(b)?", &["ab", "a"]),
    ("b$", &["ab", "b"]),
    ("^$", &[""]),
    ("[A-Z]", &["AB"]),
    (r"\d+", &["12"]),
    (r"(\d+)-(\d+)", &["12-34", "1-2"]),
    ("(.)X(.)", &["aXb"]),
    (r"^\w(\w*)", &["select"]),
    (".", &["x"]),
    ("^.*$", &["x", ""]),
    ("a|(1)", &["1", "a"]),
    (r"(?i)union.{1,20}select", &["union all select 1", "UNION/**/SELECT"]),
    (r"(?i)\bselect\b", &["select", "SeLeCt x", "xselect"]),
    (r"(?:etc|proc)/(?:passwd|self)", &["/etc/passwd", "../../proc/self/x"]),
    (r"\.\./", &["../x", "a/../b"]),
    ("[<>]", &["<x>", "1>2"]),
    (r"(?i)<script[^>]*>", &["<script>", "<SCRIPT src=x>"]),
    (r"on[a-z]{3,8}=", &["onload=x", "onerror=alert(1)"]),
    (r"\W{4}", &["!!!!", "a'--;-"]),
    (r"^[^;\s]+", &["abc", ";x"]),
    (r"(?:;|\||&&)\s*(?:cat|ls|id)\b", &["; cat /etc/passwd", "x|ls", "&& id"]),
    ("['\"`]", &["'", "`"]),
    (r"(?i)(?:sleep|benchmark)\s*\((\d+)", &["sleep(5)", "BENCHMARK (1"]),
    (r"x{2,4}", &["xx", "xxxxx"]),
    (r"(?:(?:s|S)(?:e|E)lect)", &["Select", "sElect"]),
    ("a|", &["", "b"]),
    ("()", &["z"]),
    ("[^a-z]", &["1", "A"]),
    (r"\x3cscript", &["<script"]),
    (r"[\r\n]", &["a\r\nb", "\n"]),
    (r"\x00", &["a\0b"]),
    (r"(?=.*a)b", &["ba", "b"]),
    (r"(.)\1", &["aa", "xyzz"]),
    (r"(?<!a)b(?!c)", &["b", "ab", "bc"]),
    (r"(?:a+)+\d(?=$)", &["aaaaaaaaaaaaaaaa", "aa1"]),
    (r"(?:javascript|data):", &["javascript:x", "data:y"]),
    (r"^(?i:file|ftps?)://(.*)", &["file://x", "FTP://y"]),
    (r"[\x80-\xff]{2}", &["\u{e9}", "\u{20ac}"]),
    (r"^[\w.-]+@[\w.-]+$", &["a@b.c"]),
    (r"(\w+)=(\w+)", &["a=b", "x1=y2"]),
    (r"^(?:ab|abc|abcd)$", &["abc", "abcd", "ab"]),
    (r"\$\{.*\}", &["${jndi:x}", "${}"]),
    (r"^0x[0-9a-f]+$", &["0x1f"]),
];

const PHRASES: &[(&str, Examples)] = &[
    ("a", &["a"]),
    ("ab xy", &["ab", "XY"]),
    ("select union insert", &["Select", "a union b"]),
    ("<script onload", &["<script>", "onload"]),
    ("etc/passwd .. |", &["/etc/passwd", "..", "|"]),
    ("|3c|script|3e| 1", &["<script>", "1"]),
];

const TEXT_OPERATORS: &[&str] = &[
    "contains",
    "contains",
    "containsWord",
    "beginsWith",
    "endsWith",
    "streq",
    "streq",
    "strmatch",
    "within",
];

const TEXTS: &[(&str, Examples)] = &[
    ("a", &["a", "bab"]),
    ("ab", &["ab", "abab", "x ab"]),
    ("1", &["1", "12"]),
    ("select", &["select", "a select b", "selected"]),
    ("/etc/passwd", &["/etc/passwd"]),
    ("<x>", &["<x>"]),
    ("X", &["X"]),
    ("POST", &["POST"]),
];

const SPECIAL: &[(&str, &str, Examples)] = &[
    ("detectSQLi", "", &["1' or '1'='1", "1 union select 1,2--"]),
    ("detectXSS", "", &["<script>alert(1)</script>", "<img src=x onerror=y>"]),
    ("validateByteRange", "32-126", &["a\tb", "a"]),
    ("validateByteRange", "1-255", &["a\0b", "a"]),
    ("validateUrlEncoding", "", &["%zz", "%41"]),
    ("validateUtf8Encoding", "", &["\u{e9}", "a"]),
    ("ipMatch", "192.0.2.0/24,2001:db8::/32", &["192.0.2.9", "2001:db8::1", "1.2.3.4"]),
    ("ipMatchFromFile", "addresses.data", &["192.0.2.9", "198.51.100.7"]),
    ("pmFromFile", "words.data", &["SELECT", "etc/passwd", "ab"]),
    ("verifyCC", r"\d{13,16}", &["4111111111111111", "4111111111111112"]),
    ("verifySSN", r"\d{3}-?\d{2}-?\d{4}", &["078-05-1120", "000-12-3456"]),
    ("verifyCPF", r"\d{11}", &["52998224725", "52998224726"]),
    ("rbl", "list.example", &["192.0.2.9", "1.2.3.4"]),
    ("geoLookup", "", &["192.0.2.9", "x"]),
    ("unconditionalMatch", "", &[]),
    ("noMatch", "", &[]),
    ("rxGlobal", "(a)(b)?", &["abab", "aab"]),
];

const EXPANDED: &[(&str, &str, Examples)] = &[
    ("streq", "%{tx.n}", &["ab"]),
    ("streq", "%{tx.0}", &["a"]),
    ("streq", "%{ARGS.b}", &["a"]),
    ("contains", "%{MATCHED_VAR}", &["ab"]),
    ("beginsWith", "%{REQUEST_HEADERS.x-a}", &["a"]),
    ("rx", "^%{tx.p}$", &["bbb"]),
    ("rx", "(%{tx.n})(.)", &["ab"]),
    ("within", "%{tx.list}", &["ab"]),
    ("pm", "%{tx.list}", &["<x>"]),
    ("ipMatch", "%{REMOTE_ADDR}", &["192.0.2.9"]),
];
