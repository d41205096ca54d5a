//! 001, a container before a gateway: its environment through all four modes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use palisade_sim::microsim::{Attack, Counter, Server, ServerSettings};
use palisade_sim::{Call, Client, Url};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::walk::{Walk, line, status};
use crate::Finding;
use crate::commands::demo::bank::put;
use crate::commands::demo::folder::Folder;
use crate::commands::demo::instance::Instance;

/// Mode; the answers to a harmless request, an attack, and an attack of a source on the gray list; and of the two attacks,
/// what the console's charts show as blocked and as would be blocked.
const MODES: [(&str, [&str; 3], [u64; 2]); 4] = [
    ("off", ["200", "200", "200"], [0, 0]),
    ("monitoring", ["200", "200", "200"], [0, 2]),
    ("safe_blocking", ["200", "200", "403"], [1, 1]),
    ("block", ["200", "403", "403"], [2, 0]),
];

/// Charts follow requests by the interval of traffic records, on a machine that may be busy.
const CHART_MAX: Duration = Duration::from_secs(120);

pub(super) async fn walk(crs: Option<PathBuf>) -> Result<Finding> {
    let mut walk = Walk::begin(
        "001  A container before a gateway, by its environment",
        &[
            "Fargate, Terraform and the load balancer: the container's environment is a process's",
            "port 80, which is not for every user: any free one in its place",
        ],
    )?;
    let (folder, mut services) = (Folder::new()?, JoinSet::new());
    let (_end, ends) = watch::channel(false);
    let gateway = Server::new(ServerSettings::read(&|_| None)?, None, 0, std::sync::Arc::new(|_: &str| {}));
    let at = put(&mut services, &ends, gateway.clone()).await?;
    let attacks = || gateway.counters().get(Counter::Attack(Attack::Sqli));
    let target = format!("/?{}", Attack::Sqli.query());
    let client = Client::default();

    walk.part("Without protection")?;
    walk.step(
        "an SQL injection at the gateway itself",
        "200",
        status(&client, Call::get(Url::parse(&format!("http://{at}{target}"))?)).await,
    )?;
    walk.step("attacks that reached it", 1, attacks())?;

    for (mode, [harmless, attack, gray], charted) in MODES {
        walk.part(&format!("WALLARM_MODE={mode}"))?;
        let name = |what: &str| folder.at(&format!("{mode}-{what}")).to_string_lossy().into_owned();
        let (backend, data, error, crs) = (
            at.to_string(),
            name("data"),
            name("error.log"),
            crs.as_ref().map(|crs| crs.to_string_lossy().into_owned()),
        );
        let mut variables = vec![
            ("NGINX_BACKEND", backend.as_str()),
            ("WALLARM_MODE", mode),
            ("WALLARM_APPLICATION", "12"),
            ("WALLARM_API_HOST", "us1.api.wallarm.com"),
            ("WALLARM_API_TOKEN", "open-sesame"),
            ("TARANTOOL_MEMORY_GB", "1.2"),
            ("PALISADE_LISTEN", "127.0.0.1:0"),
            ("PALISADE_ADMIN", "127.0.0.1:0"),
            ("PALISADE_HEALTH_PATH", "/def-healthz"),
            ("PALISADE_DATA_DIR", data.as_str()),
            ("PALISADE_ERROR_LOG", error.as_str()),
        ];
        variables.extend(crs.as_deref().map(|crs| ("PALISADE_CRS", crs)));
        let mut palisade = Instance::by_environment(&variables, &[], &folder.at(&format!("{mode}.log")))?;
        let (web, admin) = (palisade.listener("web").await?, palisade.listener("admin").await?);
        let web = Url::parse(&format!("http://localhost:{}/", web.port()))?;
        let api = |path: &str| Url::parse(&format!("http://{admin}{path}"));
        let get = |target: &str| Call::get(web.with_target(target));
        let (requests, reached) = (gateway.counters().get(Counter::Requests), attacks());
        walk.step("the health path", "200", status(&client, get("/def-healthz")).await)?;
        walk.step(
            "requests that it sent to the gateway",
            0,
            gateway.counters().get(Counter::Requests) - requests,
        )?;
        walk.step("a harmless request", harmless, status(&client, get("/?q=shoes")).await)?;
        walk.step("an SQL injection", attack, status(&client, get(&target)).await)?;
        let entry = Call::with_body(
            palisade_sim::Method::POST,
            api("/api/v1/lists/gray")?,
            "application/json",
            "{\"address\": \"127.0.0.0/8\"}",
        );
        walk.step("its source is put on the gray list", "200", status(&client, entry).await)?;
        walk.step("the injection again", gray, status(&client, get(&target)).await)?;
        let passed = [attack, gray].iter().filter(|status| **status == "200").count() as u64;
        walk.step("attacks that reached the gateway", passed, attacks() - reached)?;
        let services = client.ask(Call::get(api("/api/v1/services")?)).await?;
        let services: Value = serde_json::from_slice(&services.body)?;
        let service = &services["items"][0];
        walk.step(
            "application and mode, as the console's API has them",
            format!("12, {mode}"),
            format!("{}, {}", service["application"], service["mode"].as_str().unwrap_or_default()),
        )?;
        let chart = charted_as(&client, &api("/api/v1/stats?by=attack")?, charted).await;
        walk.step(
            "the chart of attacks: blocked, would block, by kind",
            chart_of(charted, charted.iter().sum()),
            chart,
        )?;
        if mode == "monitoring" {
            let log = || folder.read("monitoring-error.log");
            let seen = line(log, &["SQL", "[client 127.0.0.1]"]).await;
            walk.holds("the attack in the log, though it passed", "there", seen.is_some(), "none")?;
            let said = palisade.said();
            let once = ["WALLARM_API_HOST", "TARANTOOL_MEMORY_GB", "WALLARM_API_TOKEN"]
                .iter()
                .all(|name| said.matches(name).count() == 1);
            walk.holds(
                "variables without meaning here",
                "each noted once, the token never shown",
                once && !said.contains("open-sesame"),
                &said,
            )?;
        }
        if mode == "block" {
            walk.step("the console's page", "200", status(&client, Call::get(api("/")?)).await)?;
            let page = client.ask(Call::get(api("/metrics")?)).await?;
            let page = page.text().into_owned();
            let value = page
                .lines()
                .find_map(|line| line.strip_prefix("process_resident_memory_bytes ")?.parse::<f64>().ok());
            let mib = value.unwrap_or(f64::INFINITY) / 1_048_576.0;
            // TARANTOOL_MEMORY_GB asks for 1.2 of them.
            walk.holds("its memory", "below 200 MiB", mib < 200.0, format!("{mib:.0} MiB"))?;
        }
        palisade.end().await?;
    }
    walk.end()
}

/// What the console's chart of attacks shows, once it shows what it should or patience is over.
async fn charted_as(client: &Client, stats: &Url, charted: [u64; 2]) -> String {
    let expected = chart_of(charted, charted.iter().sum());
    let begun = Instant::now();
    loop {
        let reply = client.ask(Call::get(stats.clone())).await;
        let stats: Value =
            reply.ok().and_then(|reply| serde_json::from_slice(&reply.body).ok()).unwrap_or_default();
        let sum = |key: &str| {
            let points = stats["series"].as_array().into_iter().flatten();
            points.filter_map(|point| point[key].as_u64()).sum::<u64>()
        };
        let groups = stats["groups"].as_array().into_iter().flatten();
        let kind =
            groups.filter(|group| group["key"] == "sqli").filter_map(|group| group["requests"].as_u64());
        let seen = chart_of([sum("blocked"), sum("would_block")], kind.sum());
        // Where nothing is to be seen, something may still come: requests themselves have to be there.
        let has_come = stats["total"]["requests"].as_u64().is_some_and(|requests| requests >= 3);
        if seen == expected && has_come || begun.elapsed() > CHART_MAX {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn chart_of([blocked, would]: [u64; 2], sqli: u64) -> String {
    format!("{blocked} blocked, {would} would block, {sqli} of kind sqli")
}
