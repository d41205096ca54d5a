//! `palisade authz` in the place of Dikastes: the first article's walk without a cluster, behind a real Envoy.

mod support;

use std::os::unix::fs::symlink;
use std::path::Path;

use support::envoy::{Envoy, binary, example};
use support::{
    COMMENT_ATTACK, Folder, Running, Upstream, command, crs, eventually, every_crs, get, palisade,
};

/// What the first generation calls its bootstrapping file: an engine that inspects, and says nothing of actions.
const MODSECDEFAULT: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 13107200\n\
    SecRule REQUEST_HEADERS:Content-Type \"^(?:application(?:/soap\\+|/)|text/)xml\" \
    \"id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML\"\n";

fn start(folder: &Folder, arguments: &[&str]) -> Running {
    let (socket, data) = (folder.at("dikastes.sock"), folder.at("data"));
    let mut all = vec!["authz", "server", "--listen", &socket, "--data-dir", &data, "--admin", "off"];
    all.extend(arguments);
    let running = Running::start(command(&all));
    running.wait_err("(envoy)\n");
    running
}

#[test]
fn the_articles_rule_set_warns_and_denies_once_its_file_says_so() {
    // Of CRS 3.3, as the article has it.
    let found = every_crs().into_iter().find(|folder| folder.contains("3.3"));
    let (Some(binary), Some(crs)) = (binary(), found) else {
        println!("skipped: no Envoy, or no CRS 3.3");
        return;
    };
    let folder = Folder::new();
    // The folder as the ConfigMap is mounted: files beside each other, the two that come first in lower case.
    let rules = folder.at("modsecurity-ruleset");
    folder.write("modsecurity-ruleset/modsecdefault.conf", MODSECDEFAULT);
    let setup = std::fs::read_to_string(format!("{crs}/crs-setup.conf.example")).unwrap();
    let setup_file = folder.write("modsecurity-ruleset/crs-setup.conf", &setup);
    for name in ["REQUEST-901-INITIALIZATION.conf", "REQUEST-942-APPLICATION-ATTACK-SQLI.conf"] {
        std::fs::copy(format!("{crs}/rules/{name}"), format!("{rules}/{name}")).unwrap();
    }
    let upstream = Upstream::start();
    let running = start(&folder, &["--per-host-waf-enabled", "--waf-ruleset-root-dir", &rules]);
    let envoy = Envoy::start(
        &binary,
        &folder,
        &example("ext-authz.yaml", &upstream.url, &folder.at("dikastes.sock")),
    );

    running.wait_err("WAF Found Rules File[3]('");
    let err = running.err();
    let found: Vec<&str> = err.lines().filter(|line| line.contains("WAF Found Rules File[")).collect();
    let order = [
        "modsecdefault.conf",
        "crs-setup.conf",
        "REQUEST-901-INITIALIZATION.conf",
        "REQUEST-942-APPLICATION-ATTACK-SQLI.conf",
    ];
    for (number, (line, name)) in found.iter().zip(order).enumerate() {
        let end = format!("level=info msg=\"WAF Found Rules File[{number}]('{rules}/{name}')\"");
        assert!(line.starts_with("time=\"2") && line.ends_with(&end), "{line}");
    }

    // The application's own answer, and a warning.
    assert_eq!(get(envoy.address, COMMENT_ATTACK, "").status, 200);
    running.wait_err("ID:'942100'");
    let err = running.err();
    let line = err.lines().find(|line| line.contains("ID:'942100'") && line.contains("WAF Process")).unwrap();
    assert!(line.contains("level=warning msg=\"WAF Process Http Request ["), "{line}");
    assert!(line.contains(&format!("] URL '{COMMENT_ATTACK}' OWASP Warning'[")), "{line}");
    assert!(
        line.contains(&format!("File:'{rules}/REQUEST-942-APPLICATION-ATTACK-SQLI.conf' Line:'")),
        "{line}"
    );
    assert!(line.contains("Version:'OWASP_CRS/3.3.") && line.contains("Message:'Warning. "), "{line}");

    // The article's edit: what passes is commented out, what denies no longer.
    let edited: String = setup
        .lines()
        .map(|line| match line {
            line if line.starts_with("SecDefaultAction") => format!("# {line}\n"),
            line if line.starts_with("# SecDefaultAction") && line.contains(",deny,status:403") => {
                format!("{}\n", &line[2..])
            }
            line => format!("{line}\n"),
        })
        .collect();
    assert!(edited.contains("\nSecDefaultAction \"phase:2,log,auditlog,deny,status:403\""), "{edited}");
    std::fs::write(&setup_file, edited).unwrap();
    let denied = eventually("a denial", || {
        let answer = get(envoy.address, COMMENT_ATTACK, "");
        (answer.status == 403).then_some(answer)
    });
    assert_eq!(denied.header("x-palisade-reason"), Some("blocked"));
    running.wait_err("Message:'Access denied. ");
    assert_eq!(get(envoy.address, "/test/artists.php?artist=1", "").status, 200);
}

#[test]
fn the_newer_rule_set_is_one_file_that_includes_the_others() {
    let (Some(binary), Some(crs)) = (binary(), crs()) else { return };
    if !Path::new(&crs).join("rules").is_dir() {
        println!("skipped: CRS is no release's folder");
        return;
    }
    let folder = Folder::new();
    folder.write(
        "waf/coraza.conf",
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 13107200\n",
    );
    std::fs::copy(format!("{crs}/crs-setup.conf.example"), folder.at("waf/crs-setup.conf")).unwrap();
    symlink(format!("{crs}/rules"), folder.at("waf/coreruleset")).unwrap();
    let file = |engine: &str| {
        format!(
            "Include coraza.conf\nInclude crs-setup.conf\nInclude coreruleset/*.conf\nSecRuleEngine {engine}\n\
             SecRuleRemoveById 920350\n"
        )
    };
    folder.write("waf/tigera.conf", file("DetectionOnly"));
    let (root, upstream) = (folder.at("waf"), Upstream::start());
    // With one dash, as Go takes flags as well.
    let arguments = [
        "-per-host-waf-enabled",
        "-waf-ruleset-root-dir",
        &root,
        "-waf-ruleset-file",
        "tigera.conf",
        "--dial",
        "/none",
    ];
    let running = start(&folder, &arguments);
    running.wait_err("--dial /none is not connected: no policy is enforced without --per-host-alp-enabled");
    let envoy = Envoy::start(
        &binary,
        &folder,
        &example("ext-authz.yaml", &upstream.url, &folder.at("dikastes.sock")),
    );
    assert_eq!(get(envoy.address, COMMENT_ATTACK, "").status, 200);
    running.wait_err("WAF Process Http Request [");
    folder.write("waf/tigera.conf", file("On"));
    eventually("a denial", || (get(envoy.address, COMMENT_ATTACK, "").status == 403).then_some(()));
    assert_eq!(get(envoy.address, "/?id=1", "").status, 200);
}

#[test]
fn health_is_asked_where_envoy_asks() {
    let folder = Folder::new();
    let socket = folder.at("dikastes.sock");
    let asked = |check: &str| palisade(&["authz", "health", check, "--listen", &socket]);
    for check in ["liveness", "readiness"] {
        let away = asked(check);
        assert!(away.code == 1 && away.err.contains(&socket), "{away:?}");
    }
    let rules = folder.write("rules/a.conf", "SecRuleEngine On\n");
    let mut running = start(&folder, &["--waf-ruleset-file", &rules]);
    for check in ["liveness", "readiness"] {
        assert_eq!(asked(check).code, 0, "{check}");
    }
    running.end();
    assert_eq!(asked("readiness").code, 1);
}

#[test]
fn what_cannot_be_enforced_is_refused_at_the_start() {
    let folder = Folder::new();
    let socket = folder.at("dikastes.sock");
    let none = folder.at("none.conf");
    let said = palisade(&["authz", "--listen", &socket, "--waf-ruleset-file", &none, "--admin", "off"]);
    assert!(said.code == 2 && said.err.contains("none.conf` does not exist"), "{said:?}");
    let said = palisade(&["authz", "--listen", &socket, "--per-host-alp-enabled"]);
    assert!(said.code == 2 && said.err.contains("--per-host-alp-enabled: no policies"), "{said:?}");
}

const POLICY: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop, labels: {app: web}}\n\
    spec: {serviceAccountName: web}\nstatus: {podIP: 127.0.0.1, podIPs: [{ip: 127.0.0.1}]}\n---\n\
    apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: web}\n\
    spec:\n  selector: app == 'web'\n  ingress:\n  - action: Allow\n    http: {methods: [GET], paths: [{prefix: /shop}]}\n";

#[test]
fn policies_are_enforced_without_rules() {
    let Some(binary) = binary() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let policies = folder.write("policies/web.yaml", POLICY);
    let running = start(&folder, &["--per-host-alp-enabled", "--policies", &policies]);
    let bootstrap = example("ext-authz.yaml", &upstream.url, &folder.at("dikastes.sock"));
    let envoy = Envoy::start(&binary, &folder, &bootstrap);
    assert_eq!(get(envoy.address, "/shop/a", "").status, 200, "{}", running.err());
    assert_eq!(get(envoy.address, "/admin", "").status, 403);
    assert_eq!(get(envoy.address, &format!("/shop{COMMENT_ATTACK}"), "").status, 200, "no rule inspects");
    running.wait_err("Policy denied the request [tier \"default\"] [policy \"web\"]");
}
