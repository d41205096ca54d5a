//! 000, a workload's WAF: an attack is seen, then refused, by editing one file of a rule set; an index and an alert hear of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_sim::bulk_index::BulkIndex;
use palisade_sim::{Call, Client, Url};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::walk::{Walk, becomes, line, status, waited};
use crate::Finding;
use crate::commands::demo::bank::{Bank, More, Plan, any_port, put};

/// The article's request.
const ATTACK: &str =
    "//test/artists.php?artist=0+div+1+union%23foo*%2F*bar%0D%0Aselect%23foo%0D%0A1%2C2%2Ccurrent_user";

/// The article's alert.
const ALERT: &str = include_str!("../../../../../../testdata/alerts/article.yaml");

/// What the article's folder calls its bootstrapping file: an engine that inspects, and says nothing of actions.
const MODSECDEFAULT: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 13107200\n\
    SecRule REQUEST_HEADERS:Content-Type \"^(?:application(?:/soap\\+|/)|text/)xml\" \
    \"id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML\"\n";

/// The alert asks once a minute.
const ALERT_MAX: Duration = Duration::from_secs(150);

pub(super) async fn walk(crs: Option<PathBuf>) -> Result<Finding> {
    let crs =
        crs.context("this walk is about a rule set of CRS's: name one by --crs, or install modsecurity-crs")?;
    let mut walk = Walk::begin(
        "000  A workload's WAF: detect, then deny",
        &[
            "the cluster: the ApplicationLayer resource, the Service's annotation and the ConfigMap are a configuration file and a folder",
            "Envoy, which the article has before the services: `palisade authz` is shown with one in docs/guide/dikastes.md",
        ],
    )?;
    let (index, mut services) = (BulkIndex::default(), JoinSet::new());
    let (_end, ends) = watch::channel(false);
    let elastic = put(&mut services, &ends, index.clone()).await?;
    let setup = first_of(&crs, &["crs-setup.conf", "crs-setup.conf.example"])?;
    let mut files = vec![
        ("ruleset/modsecdefault.conf".to_owned(), MODSECDEFAULT.into()),
        ("ruleset/crs-setup.conf".to_owned(), setup.clone().into_bytes()),
        ("alert.yaml".to_owned(), ALERT.into()),
    ];
    for name in ["REQUEST-901-INITIALIZATION.conf", "REQUEST-942-APPLICATION-ATTACK-SQLI.conf"] {
        files.push((format!("ruleset/{name}"), first_of(&crs.join("rules"), &[name])?.into_bytes()));
    }
    let more = More {
        profile: ", rules: {files: [ruleset]}, detect: {enabled: false}".to_owned(),
        logs: ", dikastes: true".to_owned(),
        sections: format!(
            "events:\n  sinks:\n  - elasticsearch: {{url: \"http://{elastic}\", index: tigera_secure_ee_waf, gzip: false}}\n\
             alerts: {{files: [alert.yaml]}}\n"
        ),
        files,
    };
    let bank = Bank::open(&Plan { policies: false, more, ..Plan::new(any_port(), any_port()) }).await?;
    let client = Client::default();
    let url = Url::parse(&bank.url())?;
    let attack = || Call::get(url.with_target(ATTACK));
    let asked = |call: Call| status(&client, call);

    walk.part("Without protection")?;
    let bare = Url::parse(&format!("http://{}{ATTACK}", bank.bare_customer))?;
    walk.step(
        "the attack at customer itself gets the application's answer",
        "404",
        asked(Call::get(bare)).await,
    )?;

    walk.part("Detect: SecDefaultAction says pass")?;
    let log = || bank.folder.read("error.log");
    let order = [
        "modsecdefault.conf",
        "crs-setup.conf",
        "REQUEST-901-INITIALIZATION.conf",
        "REQUEST-942-APPLICATION-ATTACK-SQLI.conf",
    ];
    for (number, name) in order.into_iter().enumerate() {
        let found =
            line(log, &[&format!("WAF Found Rules File[{number}]('"), &format!("/ruleset/{name}')")]).await;
        walk.holds(format!("WAF Found Rules File[{number}]"), name, found.is_some(), "not there")?;
    }
    walk.step("the customer's page", "200", asked(Call::get(url.clone())).await)?;
    walk.step("the attack gets the application's own answer", "404", asked(attack()).await)?;
    let warning = line(
        log,
        &["WAF Process Http Request [", &format!("] URL '{ATTACK}'"), "ID:'942100'", "Message:'Warning. "],
    )
    .await;
    walk.holds("the warning of rule 942100 in Dikastes' form", "there", warning.is_some(), "none")?;

    walk.part("Deny: crs-setup.conf edited, and replaced while it is in use")?;
    bank.folder.write("ruleset/crs-setup.conf", denying(&setup))?;
    walk.step("the attack", "403", becomes("403", || asked(attack())).await)?;
    let denied = line(log, &["WAF Process Http Request [", "ID:'942100'", "Message:'Access denied. "]).await;
    walk.holds("its line", "Access denied", denied.is_some(), "none")?;
    walk.step("the customer's page", "200", asked(Call::get(url.clone())).await)?;

    walk.part("Whoever should hear of it")?;
    let is_denied = || {
        let documents = index.documents("tigera_secure_ee_waf");
        let names =
            |document: &Value| document["rule_info"].as_str().is_some_and(|info| info.contains("942100"));
        documents.into_iter().find(|document| document["action"] == "deny" && names(document))
    };
    let event = waited(Duration::from_secs(60), is_denied).await.unwrap_or_default();
    walk.step(
        "the decision in the index tigera_secure_ee_waf, by its rule_info",
        ATTACK,
        event["path"].as_str().unwrap_or("nothing"),
    )?;
    let fired =
        waited(ALERT_MAX, || index.documents("tigera_secure_ee_events").pop()).await.unwrap_or_default();
    walk.step(
        "the article's GlobalAlert, within its period",
        "\"waf-new-alert-rule-info\"",
        &fired["origin"],
    )?;
    walk.step("what it says", "\"WAF new waf-alert-942100\"", &fired["description"])?;
    bank.close().await?;
    walk.end()
}

/// The first of some files that can be read.
fn first_of(folder: &Path, names: &[&str]) -> Result<String> {
    let read = names.iter().find_map(|name| std::fs::read(folder.join(name)).ok());
    let read = read.with_context(|| format!("{}: none of {}", folder.display(), names.join(", ")))?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// The article's edit: what passes is commented out, what denies no longer.
fn denying(setup: &str) -> String {
    let edited = |line: &str| match line {
        line if line.starts_with("SecDefaultAction") => format!("# {line}\n"),
        line if line.starts_with("# SecDefaultAction") && line.contains(",deny,status:403") => {
            format!("{}\n", &line[2..])
        }
        line => format!("{line}\n"),
    };
    setup.lines().map(edited).collect()
}
