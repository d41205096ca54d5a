//! `modsecurity-snippet` beside a real nginx with ModSecurity's module: the same snippets, the same requests, the same answers.
//! What differs on purpose is in `DIFFERENT`, with its reason; a row there that is alike fails as well.

mod cluster;
mod nginx;
mod support;

use std::io::Read as _;
use std::net::SocketAddr;

use cluster::{class, gateway, ingress, path, service};
use nginx::Nginx;
use palisade_kube_fake::Server;
use support::{Folder, Upstream, begin, eventually};

/// A snippet and the requests that it is asked about: what stands behind the method, header lines, and a body.
struct Case {
    name: &'static str,
    snippet: &'static str,
    requests: &'static [(&'static str, &'static [&'static str], &'static str)],
}

const FORM: &[&str] = &["Content-Type: application/x-www-form-urlencoded"];
const JSON: &[&str] = &["Content-Type: application/json"];
const XML: &[&str] = &["Content-Type: text/xml"];
const MULTIPART: &[&str] = &["Content-Type: multipart/form-data; boundary=b"];
const PART: &str = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nevil\r\n--b--\r\n";
const FINE_PART: &str = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nfine\r\n--b--\r\n";
const FILE: &str =
    "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\nfine\r\n--b--\r\n";
const FINE_FILE: &str =
    "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n\r\nfine\r\n--b--\r\n";
const LONG: &str = "x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const CASES: &[Case] = &[
    Case {
        name: "arguments",
        snippet: "SecRuleEngine On\nSecRule ARGS:x \"@streq 1\" \"id:1,phase:1,deny,status:403\"",
        requests: &[
            ("GET /?x=1", &[], ""),
            ("GET /?x=2", &[], ""),
            ("GET /?X=1", &[], ""),
            ("GET /?y=1", &[], ""),
            ("GET /?x=2&x=1", &[], ""),
            ("GET /?x=%31", &[], ""),
            ("GET /?%78=1", &[], ""),
            ("GET /?x=1%00", &[], ""),
            ("POST /", FORM, "x=1"),
        ],
    },
    Case {
        name: "sleeping",
        snippet: "SecRule ARGS:x \"@streq 1\" \"id:1,phase:1,deny,status:403\"",
        requests: &[("GET /?x=1", &[], ""), ("GET /", &[], "")],
    },
    Case {
        name: "watching",
        snippet: "SecRuleEngine DetectionOnly\nSecRule ARGS:x \"@streq 1\" \"id:1,phase:1,deny,status:403\"",
        requests: &[("GET /?x=1", &[], ""), ("GET /", &[], "")],
    },
    Case {
        name: "off",
        snippet: "SecRuleEngine Off\nSecRule ARGS:x \"@streq 1\" \"id:1,phase:1,deny,status:403\"",
        requests: &[("GET /?x=1", &[], "")],
    },
    Case {
        name: "bodies",
        snippet: "SecRuleEngine On\nSecRequestBodyAccess On\n\
            SecRule REQUEST_HEADERS:Content-Type \"@contains json\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
            SecRule REQUEST_HEADERS:Content-Type \"@contains xml\" \"id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
            SecRule REQBODY_ERROR \"!@eq 0\" \"id:3,phase:2,deny,status:400\"\n\
            SecRule FILES \"@endsWith .php\" \"id:6,phase:2,deny,status:405\"\n\
            SecRule ARGS \"@contains evil\" \"id:4,phase:2,deny,status:403\"\n\
            SecRule XML:/* \"@contains evil\" \"id:5,phase:2,deny,status:406\"",
        requests: &[
            ("POST /", FORM, "x=evil"),
            ("POST /", FORM, "x=fine"),
            ("POST /", FORM, "x=%65vil"),
            ("POST /", FORM, "x=e+vil"),
            ("POST /?x=evil", FORM, "x=fine"),
            ("POST /", JSON, "{\"a\": {\"b\": [\"evil\"]}}"),
            ("POST /", JSON, "{\"a\": {\"b\": [\"fine\"]}}"),
            ("POST /", JSON, "{\"a\": \"\\u0065vil\"}"),
            ("POST /", JSON, "{\"a\": "),
            ("POST /", XML, "<a><b>evil</b></a>"),
            ("POST /", XML, "<a><b>fine</b></a>"),
            ("POST /", XML, "<a><b>fine</a>"),
            ("POST /", MULTIPART, PART),
            ("POST /", MULTIPART, FINE_PART),
            ("POST /", MULTIPART, FILE),
            ("POST /", MULTIPART, FINE_FILE),
            ("POST /", &["Content-Type: text/plain"], "x=evil"),
            ("POST /", &[], "x=evil"),
            ("PUT /", FORM, "x=evil"),
        ],
    },
    Case {
        name: "without-bodies",
        snippet: "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:4,phase:2,deny,status:403\"",
        requests: &[("POST /", FORM, "x=evil"), ("GET /?x=evil", &[], ""), ("POST /?x=fine", FORM, "x=evil")],
    },
    Case {
        name: "raw-body",
        snippet: "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQUEST_BODY \"@rx ^x=e\" \"id:1,phase:2,deny,status:403\"",
        requests: &[("POST /", FORM, "x=evil"), ("POST /", FORM, "y=evil")],
    },
    Case {
        name: "limit",
        snippet: "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 100\nSecRequestBodyLimitAction Reject",
        requests: &[("POST /", FORM, LONG), ("POST /", FORM, "x=a")],
    },
    Case {
        name: "partial",
        snippet: "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 100\nSecRequestBodyLimitAction ProcessPartial\n\
            SecRule ARGS:x \"@beginsWith aaaa\" \"id:1,phase:2,deny,status:403\"",
        requests: &[("POST /", FORM, LONG), ("POST /", FORM, "x=a")],
    },
    Case {
        name: "places",
        snippet: "SecRuleEngine On\n\
            SecRule REQUEST_HEADERS:User-Agent \"@pm nikto sqlmap\" \"id:1,phase:1,deny,status:403\"\n\
            SecRule REQUEST_COOKIES:role \"@streq admin\" \"id:2,phase:1,deny,status:404\"\n\
            SecRule REQUEST_METHOD \"@within DELETE TRACE\" \"id:3,phase:1,deny,status:405\"\n\
            SecRule REQUEST_FILENAME \"@beginsWith /private\" \"id:4,phase:1,deny,status:406\"\n\
            SecRule QUERY_STRING \"@contains secret\" \"id:5,phase:1,deny,status:409\"\n\
            SecRule REQUEST_URI \"@endsWith .bak\" \"id:6,phase:1,deny,status:410\"\n\
            SecRule &REQUEST_HEADERS:X-Twice \"@gt 1\" \"id:7,phase:1,deny,status:411\"\n\
            SecRule ARGS_NAMES \"@streq debug\" \"id:8,phase:1,deny,status:412\"\n\
            SecRule REQUEST_BASENAME \"@streq wp-login.php\" \"id:9,phase:1,deny,status:414\"\n\
            SecRule REQUEST_LINE \"@rx (?i)^options \" \"id:10,phase:1,deny,status:415\"\n\
            SecRule REQUEST_HEADERS_NAMES \"@streq X-Debug\" \"id:11,phase:1,deny,status:416\"",
        requests: &[
            ("GET /", &["User-Agent: sqlmap/1.7"], ""),
            ("GET /", &["User-Agent: SQLMAP/1.7"], ""),
            ("GET /", &["User-Agent: Mozilla/5.0"], ""),
            ("GET /", &["Cookie: a=b; role=admin"], ""),
            ("GET /", &["Cookie: role=user"], ""),
            ("DELETE /", &[], ""),
            ("DEL /", &[], ""),
            ("GET /private/x", &[], ""),
            ("GET /public/private", &[], ""),
            ("GET /%70rivate/x", &[], ""),
            ("GET //private", &[], ""),
            ("GET /a?b=secret", &[], ""),
            ("GET /secret", &[], ""),
            ("GET /x.bak", &[], ""),
            ("GET /x.bak?y", &[], ""),
            ("GET /", &["X-Twice: 1", "X-Twice: 2"], ""),
            ("GET /", &["X-Twice: 1"], ""),
            ("GET /?debug=", &[], ""),
            ("GET /?debug", &[], ""),
            ("GET /blog/wp-login.php?x", &[], ""),
            ("OPTIONS /", &[], ""),
            ("GET /", &["x-debug: 1"], ""),
            ("GET /", &["X-Debug: 1"], ""),
        ],
    },
    Case {
        name: "addresses",
        snippet: "SecRuleEngine On\nSecRule REMOTE_ADDR \"!@ipMatch 127.0.0.0/8,10.1.0.0/16\" \"id:1,phase:1,deny,status:403\"\n\
            SecRule REMOTE_ADDR \"@ipMatch 127.0.0.1\" \"id:2,phase:1,chain,deny,status:404\"\nSecRule ARGS:who \"@streq local\"",
        requests: &[("GET /", &[], ""), ("GET /?who=local", &[], ""), ("GET /?who=other", &[], "")],
    },
    Case {
        name: "transformed",
        snippet: "SecRuleEngine On\n\
            SecRule ARGS:a \"@streq evil\" \"id:1,phase:1,t:none,t:lowercase,t:removeWhitespace,deny,status:403\"\n\
            SecRule ARGS:b \"@streq evil\" \"id:2,phase:1,t:none,t:base64Decode,deny,status:404\"\n\
            SecRule ARGS:c \"@contains <b>\" \"id:3,phase:1,t:none,t:htmlEntityDecode,deny,status:405\"\n\
            SecRule ARGS:d \"@contains ../\" \"id:4,phase:1,t:none,t:urlDecodeUni,deny,status:406\"\n\
            SecRule ARGS:e \"@streq /x\" \"id:5,phase:1,t:none,t:normalizePath,deny,status:409\"\n\
            SecRule ARGS:f \"@eq 4\" \"id:6,phase:1,t:none,t:length,deny,status:410\"\n\
            SecRule ARGS:g \"@streq 900150983cd24fb0d6963f7d28e17f72\" \"id:7,phase:1,t:none,t:md5,t:hexEncode,deny,status:411\"\n\
            SecRule ARGS:h \"@contains unionselect\" \"id:8,phase:1,t:none,t:replaceComments,t:removeWhitespace,t:lowercase,deny,status:412\"\n\
            SecRule ARGS:i \"@streq wget\" \"id:9,phase:1,t:none,t:cmdLine,deny,status:414\"\n\
            SecRule ARGS:j \"@streq alert\" \"id:10,phase:1,t:none,t:jsDecode,deny,status:415\"",
        requests: &[
            ("GET /?a=E%20V%09il", &[], ""),
            ("GET /?a=devil", &[], ""),
            ("GET /?b=ZXZpbA==", &[], ""),
            ("GET /?b=ZXZpbA", &[], ""),
            ("GET /?b=evil", &[], ""),
            ("GET /?c=%26lt;b%26gt;", &[], ""),
            ("GET /?c=%26%2360;b%26%2362;", &[], ""),
            ("GET /?c=b", &[], ""),
            ("GET /?d=%252e%252e%252f", &[], ""),
            ("GET /?d=%25u002e%25u002e/", &[], ""),
            ("GET /?d=a/b", &[], ""),
            ("GET /?e=/a/../x", &[], ""),
            ("GET /?e=/a/x", &[], ""),
            ("GET /?f=1234", &[], ""),
            ("GET /?f=12345", &[], ""),
            ("GET /?g=abc", &[], ""),
            ("GET /?g=abd", &[], ""),
            ("GET /?h=UNION/**/SELECT", &[], ""),
            ("GET /?h=UNION+ALL", &[], ""),
            ("GET /?i=w%5Eg%22et", &[], ""),
            ("GET /?i=wget2", &[], ""),
            ("GET /?j=%5Cx61lert", &[], ""),
            ("GET /?j=lert", &[], ""),
        ],
    },
    Case {
        name: "operators",
        snippet: "SecRuleEngine On\n\
            SecRule ARGS:a \"@rx ^[a-z]{3}\\d$\" \"id:1,phase:1,deny,status:403\"\n\
            SecRule ARGS:b \"!@rx ^\\d+$\" \"id:2,phase:1,deny,status:404\"\n\
            SecRule ARGS:c \"@detectSQLi\" \"id:3,phase:1,deny,status:405\"\n\
            SecRule ARGS:d \"@detectXSS\" \"id:4,phase:1,deny,status:406\"\n\
            SecRule ARGS:e \"@validateByteRange 32-126\" \"id:5,phase:1,deny,status:409\"\n\
            SecRule ARGS:f \"@lt 10\" \"id:6,phase:1,deny,status:410\"\n\
            SecRule ARGS:g \"@containsWord cat\" \"id:7,phase:1,deny,status:411\"\n\
            SecRule ARGS:h \"@strmatch bad\" \"id:8,phase:1,deny,status:412\"\n\
            SecRule ARGS:i \"@validateUrlEncoding\" \"id:9,phase:1,deny,status:414\"\n\
            SecRule ARGS:j \"@validateUtf8Encoding\" \"id:10,phase:1,deny,status:415\"\n\
            SecRule &ARGS \"@ge 4\" \"id:11,phase:1,deny,status:416\"\n\
            SecRule ARGS:k \"@verifyCC \\d{13,16}\" \"id:12,phase:1,deny,status:417\"",
        requests: &[
            ("GET /?a=abc1", &[], ""),
            ("GET /?a=abc1%0a", &[], ""),
            ("GET /?a=abcd", &[], ""),
            ("GET /?b=x", &[], ""),
            ("GET /?b=12", &[], ""),
            ("GET /?c=1%27+or+1=1--", &[], ""),
            ("GET /?c=tom+or+jerry", &[], ""),
            ("GET /?d=%3Cimg+src=x+onerror=alert(1)%3E", &[], ""),
            ("GET /?d=a+%3C+b", &[], ""),
            ("GET /?e=%01", &[], ""),
            ("GET /?e=a", &[], ""),
            ("GET /?f=9", &[], ""),
            ("GET /?f=10", &[], ""),
            ("GET /?f=x", &[], ""),
            ("GET /?g=a+cat+b", &[], ""),
            ("GET /?g=category", &[], ""),
            ("GET /?h=xbadx", &[], ""),
            ("GET /?h=good", &[], ""),
            ("GET /?i=%25zz", &[], ""),
            ("GET /?i=%2541", &[], ""),
            ("GET /?j=%ff", &[], ""),
            ("GET /?j=%c3%a4", &[], ""),
            ("GET /?w=1&x=2&y=3&z=4", &[], ""),
            ("GET /?w=1&x=2&y=3", &[], ""),
            ("GET /?k=4111111111111111", &[], ""),
            ("GET /?k=4111111111111112", &[], ""),
        ],
    },
    Case {
        name: "scores",
        snippet: "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog,setvar:tx.score=0,setvar:tx.limit=7\"\n\
            SecRule ARGS \"@contains a\" \"id:2,phase:1,pass,nolog,setvar:tx.score=+5\"\n\
            SecRule ARGS_NAMES \"@contains n\" \"id:3,phase:1,pass,nolog,setvar:tx.score=+3\"\n\
            SecRule TX:score \"@ge %{tx.limit}\" \"id:4,phase:1,deny,status:403\"",
        requests: &[
            ("GET /?n=a", &[], ""),
            ("GET /?m=a", &[], ""),
            ("GET /?m=a&o=ba", &[], ""),
            ("GET /?n=b", &[], ""),
        ],
    },
    Case {
        name: "flow",
        snippet: "SecRuleEngine On\n\
            SecRule ARGS:skip \"@streq 1\" \"id:1,phase:1,pass,nolog,skipAfter:END\"\n\
            SecRule ARGS:x \"@streq 1\" \"id:2,phase:1,deny,status:403\"\nSecMarker END\n\
            SecRule ARGS:free \"@streq 1\" \"id:3,phase:1,allow,nolog\"\n\
            SecRule ARGS:free \"@streq 2\" \"id:8,phase:1,allow:phase,nolog\"\n\
            SecRule ARGS:y \"@streq 1\" \"id:4,phase:1,deny,status:404\"\n\
            SecRule ARGS:lift \"@streq 1\" \"id:5,phase:1,pass,nolog,ctl:ruleRemoveById=7\"\n\
            SecRule ARGS:lift \"@streq 2\" \"id:6,phase:1,pass,nolog,ctl:ruleEngine=Off\"\n\
            SecRule ARGS:lift \"@streq 3\" \"id:9,phase:1,pass,nolog,ctl:ruleRemoveTargetById=7;ARGS:z\"\n\
            SecRule ARGS:z \"@streq 1\" \"id:7,phase:2,deny,status:405\"",
        requests: &[
            ("GET /?x=1", &[], ""),
            ("GET /?x=1&skip=1", &[], ""),
            ("GET /?x=1&skip=2", &[], ""),
            ("GET /?y=1", &[], ""),
            ("GET /?y=1&free=1", &[], ""),
            ("GET /?z=1&free=1", &[], ""),
            ("GET /?z=1&free=2", &[], ""),
            ("GET /?z=1", &[], ""),
            ("GET /?z=1&lift=1", &[], ""),
            ("GET /?z=1&lift=2", &[], ""),
            ("GET /?z=1&lift=3", &[], ""),
            ("GET /?z=1&lift=4", &[], ""),
        ],
    },
    Case {
        name: "removed",
        snippet: "SecRuleEngine On\n\
            SecRule ARGS:x \"@streq 1\" \"id:1,phase:1,deny,status:403,tag:'one'\"\n\
            SecRule ARGS:y \"@streq 1\" \"id:2,phase:1,deny,status:404,tag:'two'\"\n\
            SecRule ARGS \"@streq 2\" \"id:3,phase:1,deny,status:405\"\n\
            SecRule ARGS:z \"@streq 1\" \"id:4,phase:1,deny,status:406,msg:'the last'\"\n\
            SecRuleRemoveById 1\nSecRuleRemoveByTag two\nSecRuleUpdateTargetById 3 \"!ARGS:x\"\nSecRuleRemoveByMsg \"the last\"",
        requests: &[
            ("GET /?x=1", &[], ""),
            ("GET /?y=1", &[], ""),
            ("GET /?x=2", &[], ""),
            ("GET /?y=2", &[], ""),
            ("GET /?z=1", &[], ""),
        ],
    },
    Case {
        name: "answers",
        snippet: "SecRuleEngine On\nSecDefaultAction \"phase:1,log,auditlog,deny,status:406\"\n\
            SecRule ARGS:x \"@streq block\" \"id:1,phase:1,block\"\n\
            SecRule ARGS:x \"@streq deny\" \"id:2,phase:1,deny\"\n\
            SecRule ARGS:x \"@streq redirect\" \"id:3,phase:1,redirect:https://elsewhere.example/why?a=b,status:302\"\n\
            SecRule ARGS:x \"@streq moved\" \"id:4,phase:1,redirect:/here,status:301\"\n\
            SecRule ARGS:x \"@streq teapot\" \"id:5,phase:1,deny,status:418\"\n\
            SecRule ARGS:x \"@streq server\" \"id:6,phase:1,deny,status:503\"\n\
            SecRule ARGS:x \"@streq warn\" \"id:7,phase:1,pass\"",
        requests: &[
            ("GET /?x=block", &[], ""),
            ("GET /?x=deny", &[], ""),
            ("GET /?x=redirect", &[], ""),
            ("GET /?x=moved", &[], ""),
            ("GET /?x=teapot", &[], ""),
            ("GET /?x=server", &[], ""),
            ("GET /?x=warn", &[], ""),
            ("GET /?x=none", &[], ""),
        ],
    },
    Case {
        name: "responses",
        snippet: "SecRuleEngine On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n\
            SecRule RESPONSE_STATUS \"@streq 404\" \"id:1,phase:3,deny,status:410\"\n\
            SecRule RESPONSE_HEADERS:Content-Type \"@contains html\" \"id:2,phase:3,deny,status:411\"\n\
            SecRule RESPONSE_BODY \"@contains PRIVATE KEY\" \"id:3,phase:4,deny,status:403\"",
        requests: &[("GET /", &[], ""), ("GET /missing", &[], ""), ("GET /leak", &[], "")],
    },
];

/// Rows that differ, by snippet and place, and why ours is meant so.
const DIFFERENT: &[(&str, usize, &str)] = &[
    ("limit", 0, "413 says what is wrong; nginx's module answers 403"),
    ("transformed", 3, "base64 without padding is decoded: one sign left out would hide what it says"),
    (
        "responses",
        2,
        "the head of the answer waits for the body's verdict: 403, where nginx has sent it and can only hang up",
    ),
];

fn host(case: &Case) -> String {
    format!("{}.example", case.name)
}

/// Status, and where to.
fn ask(at: SocketAddr, case: &Case, (start, lines, body): &(&str, &[&str], &str)) -> String {
    let mut text = format!("{start} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", host(case));
    for line in *lines {
        text.push_str(&format!("{line}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str(&format!("\r\n{body}"));
    let mut answer = String::new();
    let _ = begin(at, text.as_bytes()).read_to_string(&mut answer);
    let Some(status) = answer.split(' ').nth(1) else { return "closed".to_owned() };
    let to = answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
    // nginx makes a path a URL of its own.
    let own = format!("http://{}:{}", host(case), at.port());
    format!("{status} {}", to.trim_start_matches(&own)).trim_end().to_owned()
}

#[test]
fn snippets_answer_as_nginx_with_modsecurity_does() {
    let Some(module) = nginx::modsecurity().filter(|_| nginx::there()) else { return };
    let (folder, cluster) = (Folder::new(), Server::start());
    let upstream = Upstream::missing_below("/missing");
    cluster.put(class());
    let address: SocketAddr = upstream.url.trim_start_matches("http://").parse().unwrap();
    service("web", address).into_iter().for_each(|object| drop(cluster.put(object)));
    let theirs = nginx::free();
    let mut servers = String::new();
    for case in CASES {
        let annotations = [("enable-modsecurity", "true"), ("modsecurity-snippet", case.snippet)];
        cluster.put(ingress(case.name, &host(case), &[path("Prefix", "/", "web")], &annotations));
        let file = folder.write(&format!("{}.conf", case.name), format!("{}\n", case.snippet));
        servers.push_str(&format!(
            "server {{ listen {theirs}; server_name {}; modsecurity on; modsecurity_rules_file {file}; \
             location / {{ proxy_set_header Host $http_host; proxy_pass {}; }} }}\n",
            host(case),
            upstream.url
        ));
    }
    let _nginx = Nginx::with(&folder, &format!("load_module {module};"), &servers, theirs);
    let mut proxy = gateway(&folder, &cluster, &["--allow-snippets", "--access-log", "off", "--mode", "off"]);
    let ours = proxy.listener("http");
    eventually("the table", || {
        ask(ours, &CASES[0], &("GET /?x=1", &[], "")).starts_with("403").then_some(())
    });
    let (mut count, mut wrong) = (0, Vec::new());
    for case in CASES {
        for (place, request) in case.requests.iter().enumerate() {
            count += 1;
            let (mine, its) = (ask(ours, case, request), ask(theirs, case, request));
            let told = DIFFERENT.iter().any(|(name, at, _)| *name == case.name && *at == place);
            if (mine != its) != told {
                wrong.push(format!("{} {request:?}: ours {mine}, nginx's {its}", case.name));
            }
        }
    }
    println!("{count} rows of {} snippets, {} of them different on purpose:", CASES.len(), DIFFERENT.len());
    DIFFERENT.iter().for_each(|(name, place, why)| println!("  {name} {place}: {why}"));
    assert!(wrong.is_empty(), "\n{}\n{}", wrong.join("\n"), proxy.err());
    assert!(count >= 140, "{count}");
    assert_eq!(proxy.end(), 0);
}
