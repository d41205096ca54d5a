//! Programs that look for holes, and what they ask for.
//!
//! # What it finds
//! Scanners by the names that they give themselves, and requests for files that are left lying about by mistake.
//!
//! # Why it matters
//! Nobody is harmed yet; but who scans comes back, and what a scan finds is used within minutes.
//!
//! # How it decides
//! A tool made for attacks that says its name counts fully; libraries and crawlers are not among them. A path counts where
//! no application serves it on purpose (keys, repositories, backups of configuration); administration pages that some
//! sites have are only noted.
//!
//! # Example
//! `User-Agent: sqlmap/1.7`; `GET /.git/config`.
//!
//! # What it misses
//! Scanners that call themselves browsers; whoever asks for many things is for rate limits to see.
//!
//! # References
//! The tools' own documentation for their default user agents.

use std::sync::LazyLock;

use palisade_http::{RequestHead, Target, target::percent_decode};
use palisade_model::{Part, Point, Root};

use super::{HeadDetector, HeadEvidence};
use crate::{Attack, Confidence};

pub(super) const DETECTOR: HeadDetector = HeadDetector { name: "scanner", attack: Attack::Scanner, look };

/// Bytes of a path or a user agent in which a name is looked for.
const LOOKED_AT_BYTES_MAX: usize = 1024;

fn look(head: &RequestHead, evidence: &mut HeadEvidence<'_>) {
    for (_, agent) in head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"user-agent")) {
        if let Some(tool) = tool(agent) {
            let point = Point { root: Root::Header, part: Part::Value, path: b"user-agent" };
            evidence.found(Confidence::LIKELY, point, agent, format!("a scanner that names itself {tool}"));
        }
    }
    let target = Target::new(&head.target, &head.method);
    if let Some((confidence, why)) = asked_for(&percent_decode(target.path())) {
        let point = Point { root: Root::Path, part: Part::Value, path: b"" };
        evidence.found(confidence, point, target.path(), why);
    }
}

/// The tool that a user agent names.
fn tool(agent: &[u8]) -> Option<&'static str> {
    let lower = agent[..agent.len().min(LOOKED_AT_BYTES_MAX)].to_ascii_lowercase();
    let begins_word = |at: usize| at == 0 || !lower[at - 1].is_ascii_alphanumeric();
    (0..lower.len()).filter(|at| begins_word(*at)).find_map(|at| {
        let rest = &lower[at..];
        let initial = usize::from(rest[0].checked_sub(b'a')?);
        // Behind a name there may be a version, and no more letters.
        BY_INITIAL.get(initial)?.iter().copied().find(|tool| {
            rest.starts_with(tool.as_bytes()) && !rest.get(tool.len()).is_some_and(u8::is_ascii_alphabetic)
        })
    })
}

/// The names of tools by their first letters.
static BY_INITIAL: LazyLock<[Vec<&str>; 26]> = LazyLock::new(|| {
    let all = || TOOLS.iter().chain(PHRASES).copied();
    let begins = |letter: usize| all().filter(move |tool| usize::from(tool.as_bytes()[0]) == letter);
    std::array::from_fn(|number| begins(usize::from(b'a') + number).collect())
});

/// Makes the tables that it reads by.
pub(super) fn prepare() {
    LazyLock::force(&BY_INITIAL);
}

/// What a path asks for, if scanners do.
fn asked_for(path: &[u8]) -> Option<(Confidence, String)> {
    let from = path.len().saturating_sub(LOOKED_AT_BYTES_MAX);
    let lower = path[from..].to_ascii_lowercase();
    let path = lower.split(|byte| *byte == 0).next()?;
    let ends_in = |known: &&&str| {
        path.strip_suffix(known.as_bytes()).is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
    };
    let holds = |part: &[u8]| memchr::memmem::find(path, part).is_some();
    if let Some(name) = LEFT_LYING.iter().find(ends_in) {
        return Some((Confidence::LIKELY, format!("asks for {name}, which nobody serves on purpose")));
    }
    if holds(b"/.") && (holds(b"/.git/") || holds(b"/.svn/")) {
        return Some((Confidence::LIKELY, "asks for a part of a repository".into()));
    }
    let copy = BACKUPS.iter().any(|end| path.ends_with(end.as_bytes()));
    if copy && CONFIGURED.iter().any(|name| holds(name.as_bytes())) {
        return Some((Confidence::LIKELY, "asks for a copy of a program or its configuration".into()));
    }
    let name = PROBED.iter().find(ends_in)?;
    Some((Confidence::POSSIBLE, format!("asks for {name}, as scanners do")))
}

/// Tools that are made to find or use holes, in lower case.
const TOOLS: &[&str] = &[
    "sqlmap",
    "nikto",
    "nessus",
    "openvas",
    "acunetix",
    "netsparker",
    "invicti",
    "appscan",
    "webinspect",
    "burpcollaborator",
    "arachni",
    "w3af",
    "skipfish",
    "havij",
    "dirbuster",
    "dirsearch",
    "gobuster",
    "feroxbuster",
    "ffuf",
    "wfuzz",
    "wpscan",
    "joomscan",
    "droopescan",
    "cmsmap",
    "whatweb",
    "nuclei",
    "masscan",
    "zgrab",
    "zmeu",
    "jorgee",
    "morfeus",
    "muieblackcat",
    "hydra",
    "medusa",
    "patator",
    "commix",
    "xsser",
    "xsstrike",
    "dalfox",
    "nosqlmap",
    "sqlninja",
    "bsqlbf",
    "absinthe",
    "pangolin",
    "grabber",
    "grendel-scan",
    "wapiti",
    "paros",
    "webscarab",
    "metasploit",
    "detectify",
    "rapid7",
    "nexpose",
    "probely",
    "jaeles",
    "sysscan",
    "blackwidow",
    "webshag",
    "uniscan",
    "golismero",
    "vbscan",
    "fimap",
    "dotdotpwn",
    "davtest",
    "tplmap",
    "log4j-scan",
    "l9explore",
    "l9tcpid",
    "censysinspect",
    "internet-measurement",
    "netcraftsurveyagent",
    "securityscan",
    "brutus",
    "n-stealth",
    "whisker",
    "libwhisker",
    "cgichk",
    "core-project",
    "datacha0s",
    "sf.pl",
    "webbandit",
    "prog.customcrawler",
    "gootkit",
    "masspinger",
    "kerbrute",
    "crackmapexec",
    "evilginx",
];

/// Those that give themselves several words.
const PHRASES: &[&str] = &[
    "burp suite",
    "fuzz faster u fool",
    "nmap scripting engine",
    "nmap nse",
    "security scan",
    "dragostea mea",
];

/// Files that no application serves on purpose.
const LEFT_LYING: &[&str] = &[
    ".env",
    ".env.local",
    ".env.prod",
    ".env.production",
    ".env.dev",
    ".env.backup",
    ".env.bak",
    ".git/head",
    ".git/config",
    ".git/index",
    ".gitconfig",
    ".svn/entries",
    ".svn/wc.db",
    ".hg/hgrc",
    ".bzr/readme",
    ".ds_store",
    ".htpasswd",
    ".htaccess",
    ".bash_history",
    ".mysql_history",
    ".ssh/id_rsa",
    ".ssh/authorized_keys",
    ".ssh/known_hosts",
    "id_rsa",
    "id_dsa",
    "id_ed25519",
    ".aws/credentials",
    ".aws/config",
    ".kube/config",
    ".docker/config.json",
    ".dockercfg",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".vscode/sftp.json",
    "sftp-config.json",
    ".idea/workspace.xml",
    "wp-config.php",
    "backup.sql",
    "dump.sql",
    "database.sql",
    "db.sql",
    "backup.zip",
    "backup.tar.gz",
    "www.zip",
    "site.zip",
    "web-inf/web.xml",
    "phpinfo.php",
    "server.key",
    "privatekey.pem",
    "credentials.json",
    "secrets.yml",
    "docker-compose.yml.bak",
    "c99.php",
    "r57.php",
    "shell.php",
    "cmd.php",
    "eval-stdin.php",
    "adminer.php",
    "boaform/admin/formlogin",
    "cgi-bin/luci",
    "cgi-bin/luci/;stok=",
    "gponform/diag_form",
    "hnap1",
    "currentsetting.htm",
    "setup.cgi",
];

/// Pages that some sites have, and that scanners ask every site for.
const PROBED: &[&str] = &[
    "phpmyadmin",
    "phpmyadmin/",
    "phpmyadmin/index.php",
    "pma/index.php",
    "myadmin/index.php",
    "server-status",
    "server-info",
    "manager/html",
    "host-manager/html",
    "solr/admin/cores",
    "solr/admin/info/system",
    "console/login/loginform.jsp",
    "jmx-console/",
    "web-console/",
    "invoker/jmxinvokerservlet",
    "actuator/env",
    "actuator/heapdump",
    "actuator/gateway/routes",
    "jolokia/list",
    "_cat/indices",
    "owa/auth/logon.aspx",
    "ecp/current/exporttool/microsoft.exchange.ediscovery.exporttool.application",
    "autodiscover/autodiscover.json",
    "wp-login.php",
    "wp-json/wp/v2/users",
    "administrator/index.php",
    "telescope/requests",
    "_profiler/phpinfo",
    "debug/default/view",
    "api/v1/pods",
    "remote/fgt_lang",
    "dana-na/",
    "cgi-bin/",
    "tmui/login.jsp",
    "druid/index.html",
    "nacos/",
    "geoserver/web/",
    "trace.axd",
    "elmah.axd",
];

/// Ends of copies that editors and people leave.
const BACKUPS: &[&str] = &[".bak", ".old", ".orig", ".save", ".swp", ".backup", ".copy", "~", ".1"];

/// What such copies give away.
const CONFIGURED: &[&str] =
    &[".php", ".asp", ".jsp", "config", "settings", ".env", ".sql", "web.xml", ".inc"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_known_by_the_names_that_they_give() {
        for agent in [
            "sqlmap/1.7#stable (https://sqlmap.org)",
            "Mozilla/5.00 (Nikto/2.1.6)",
            "Havij",
            "(hydra) Mozilla/4.0",
        ] {
            assert!(tool(agent.as_bytes()).is_some(), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            "curl/8.5.0",
            "python-requests/2.31",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (Windows NT 10.0; Paroshka) Hydrant/1",
        ] {
            assert_eq!(tool(agent.as_bytes()), None, "{agent}");
        }
    }

    #[test]
    fn paths_that_nobody_serves_are_told_from_pages() {
        let confidence = |path: &str| asked_for(path.as_bytes()).map(|(confidence, _)| confidence);
        for path in
            ["/.env", "/shop/.git/HEAD", "/.aws/credentials", "/wp-config.php.bak", "/.git/objects/ab/cd"]
        {
            assert_eq!(confidence(path), Some(Confidence::LIKELY), "{path}");
        }
        assert_eq!(confidence("/manager/html"), Some(Confidence::POSSIBLE));
        for path in [
            "/",
            "/environment",
            "/docs/git/config",
            "/.well-known/security.txt",
            "/a.env.html",
            "/logs/access.log.1",
        ] {
            assert_eq!(confidence(path), None, "{path}");
        }
    }
}
