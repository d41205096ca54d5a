//! 004, the application layer policy tutorial: a bank in a mesh that believes every certificate, and three policies.

use anyhow::Result;
use palisade_sim::{Call, Client, Method, Url};
use serde_json::Value;

use super::walk::{Walk, becomes, status};
use crate::Finding;
use crate::commands::demo::bank::{Bank, Plan, any_port};

const AS_PRINTED: &str = include_str!("../../../../../../testdata/policy/yaobank/third-as-printed.yaml");

pub(super) async fn walk() -> Result<Finding> {
    let mut walk = Walk::begin(
        "004  Application layer policy: YAO Bank",
        &[
            "the cluster, Istio and Calico's agent: identities are made at the start, pods are addresses of loopback",
        ],
    )?;
    let plan = Plan { policies: false, mode: "monitoring", ..Plan::new(any_port(), any_port()) };
    let bank = Bank::open(&plan).await?;
    let visitor = Client::default().from(bank.pods.at(101));
    let page = Url::parse(&bank.url())?;
    let balance = || async {
        let reply = visitor.ask(Call::get(page.clone())).await.ok();
        let text = reply.map(|reply| format!("{} {}", reply.status, reply.text())).unwrap_or_default();
        let status = text.split(' ').next().unwrap_or_default().to_owned();
        let balance = text.split("Balance: ").nth(1).and_then(|rest| rest.split('<').next());
        format!("{status}, balance {}", balance.unwrap_or("unknown"))
    };
    let post = || Call::with_body(Method::POST, page.clone(), "application/x-www-form-urlencoded", "a=b");
    let looked = |method: Method| {
        let bank = &bank;
        async move { bank.look(method).await.map_or("no answer".to_owned(), |reply| reply.status.to_string()) }
    };
    let stole = |balance: &'static str| {
        let bank = &bank;
        async move {
            let status = bank.steal(balance).await.ok().flatten();
            status.map_or("no answer".to_owned(), |status| status.to_string())
        }
    };

    walk.part("Without policy: every certificate of the mesh is believed")?;
    walk.step("the customer's page", "200, balance 2389.45", balance().await)?;
    let all = bank.look(Method::GET).await?;
    let accounts = serde_json::from_slice::<Value>(&all.body)?;
    let accounts = accounts["node"]["nodes"][0]["nodes"].as_array().map_or(0, Vec::len);
    walk.step(
        "from customer's pod: curl http://database:2379/v2/keys?recursive=true",
        "200, 6 accounts",
        format!("{}, {accounts} accounts", all.status),
    )?;
    walk.step(
        "the attack pod, with summary's key: PUT /v2/keys/accounts/519940/balance value=10000.00",
        "200",
        stole("10000.00").await,
    )?;
    walk.step("the customer's page again", "200, balance 10000.00", balance().await)?;
    walk.step("a POST to customer gets the application's own answer", "405", status(&visitor, post()).await)?;

    walk.part("With the tutorial's three policies")?;
    bank.folder.write("as-printed.yaml", AS_PRINTED)?;
    let program = std::env::current_exe()?;
    let checked = tokio::task::block_in_place(|| {
        let path = bank.folder.at("as-printed.yaml");
        std::process::Command::new(program).args(["policy", "check", "--policies"]).arg(path).output()
    })?;
    let said =
        String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
    walk.holds(
        "the third policy as the tutorial prints it: palisade policy check",
        "refused, with its place",
        !checked.status.success() && said.contains("as-printed.yaml:"),
        said.lines().next().unwrap_or("nothing"),
    )?;
    bank.set_policies(true)?;
    walk.step(
        "its author's meaning instead, in force a second later: a POST to customer",
        "403",
        becomes("403", || status(&visitor, post())).await,
    )?;
    walk.step(
        "the customer's page: customer asks summary, summary asks the database",
        "200, balance 10000.00",
        balance().await,
    )?;
    walk.step(
        "from customer's pod: curl -I http://database:2379/v2/keys?recursive=true",
        "403",
        looked(Method::HEAD).await,
    )?;
    walk.step("the same as a GET", "403", looked(Method::GET).await)?;
    walk.step(
        "the attack pod, with summary's key: PUT .../accounts/519940/balance value=99999.99 (the tutorial's path has a misprint)",
        "403",
        stole("99999.99").await,
    )?;
    walk.step("the customer's page again", "200, balance 10000.00", balance().await)?;
    let pried = bank.pry().await?.map_or("no answer".to_owned(), |status| status.to_string());
    walk.step(
        "the attack pod at summary, which nobody probes: the connection is closed, as the tutorial's is",
        "no answer",
        pried,
    )?;
    let own = Client::default().from(bank.pods.of("summary"));
    let own = bank.with_summarys_key(own)?;
    let get = Call::get(Url::parse(&format!("https://{}/v2/keys/accounts/519940/balance", bank.database))?);
    walk.step(
        "the same key from summary's own address: certificate and address agree",
        "200",
        status(&own, get).await,
    )?;

    walk.part("Without policy again: it was the policies")?;
    bank.set_policies(false)?;
    walk.step("the attack pod's PUT", "200", becomes("200", || stole("99999.99")).await)?;
    walk.step("the customer's page", "200, balance 99999.99", balance().await)?;
    bank.close().await?;
    walk.end()
}
