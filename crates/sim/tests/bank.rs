//! The bank without anything before it: what it does, and what can be done to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use palisade_sim::bank::{Customer, Database, Reach, Summary};
use palisade_sim::identity::Authority;
use palisade_sim::{Answer, Call, Client, Ends, Method, Reply, Request, Service, Url, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn put(service: impl Service) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, service, std::future::pending()));
    address
}

async fn bank() -> (SocketAddr, SocketAddr, SocketAddr, Database) {
    let accounts = Database::default();
    let database = put(accounts.clone()).await;
    let (to_summary, to_database) = (Reach::default(), Reach::default());
    let summary = put(Summary { reach: to_database.clone() }).await;
    let customer = put(Customer { reach: to_summary.clone() }).await;
    to_database.through(database, LOOPBACK);
    to_summary.through(summary, LOOPBACK);
    (customer, summary, database, accounts)
}

async fn get(at: SocketAddr, target: &str) -> Reply {
    Client::default().ask(Call::get(Url::parse(&format!("http://{at}{target}")).unwrap())).await.unwrap()
}

async fn ask(method: Method, at: SocketAddr, target: &str, body: &str) -> Reply {
    let url = Url::parse(&format!("http://{at}{target}")).unwrap();
    let call = Call::with_body(method, url, "application/x-www-form-urlencoded", body);
    Client::default().ask(call).await.unwrap()
}

#[tokio::test]
async fn the_page_shows_the_account_and_the_tutorials_attacks_succeed_on_it() {
    let (customer, summary, database, accounts) = bank().await;
    let page = get(customer, "/").await;
    assert_eq!(page.status, 200);
    let text = page.text().into_owned();
    for part in [
        "<title>YAO Bank</title>",
        "<h1>Welcome to YAO Bank</h1>",
        "<h2>Name: Spike Curtis</h2>",
        "<h2>Balance: 2389.45</h2>",
        "href=\"/logout\"",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(get(customer, "/logout").await.status, 404);
    assert_eq!(get(customer, "//test/artists.php?artist=0+div+1").await.status, 404);
    assert_eq!(ask(Method::POST, customer, "/", "a=b").await.status, 405);

    let said: Value = serde_json::from_slice(&get(summary, "/407221").await.body).unwrap();
    assert_eq!(said, json!({"name": "Simon Gideon", "balance": "95780.11"}));
    assert_eq!(get(summary, "/999999").await.status, 500);

    let all = get(database, "/v2/keys?recursive=true").await;
    assert_eq!(all.header("x-etcd-index"), Some("12"));
    let all: Value = serde_json::from_slice(&all.body).unwrap();
    assert_eq!(all["node"]["nodes"][0]["nodes"].as_array().unwrap().len(), 6, "all accounts");
    let set = ask(Method::PUT, database, "/v2/keys/accounts/519940/balance", "value=10000.00").await;
    let said: Value = serde_json::from_slice(&set.body).unwrap();
    assert_eq!(
        (set.status, &said["action"], &said["prevNode"]["value"]),
        (200, &json!("set"), &json!("2389.45"))
    );
    assert_eq!(accounts.value("/accounts/519940/balance").as_deref(), Some("10000.00"));
    assert!(get(customer, "/").await.text().contains("Balance: 10000.00"));
    assert_eq!(get(database, "/v2/keys/accounts/1").await.status, 404);
    assert_eq!(get(database, "/other").await.status, 404);
    assert_eq!(ask(Method::DELETE, database, "/v2/keys/accounts/519940/balance", "").await.status, 200);
    assert_eq!(get(customer, "/").await.status, 500, "a bank that lost a balance");
}

#[tokio::test]
async fn what_stands_in_the_database_is_text_on_the_page() {
    let (customer, _, database, _) = bank().await;
    ask(Method::PUT, database, "/v2/keys/accounts/519940/name", "value=%3Cscript%3Ealert(1)%3C/script%3E")
        .await;
    let page = get(customer, "/").await.text().into_owned();
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn a_service_that_reaches_nobody_says_500() {
    assert_eq!(get(put(Customer::default()).await, "/").await.status, 500);
    assert_eq!(get(put(Summary::default()).await, "/519940").await.status, 500);
}

/// Says who asked.
struct Who;

impl Service for Who {
    async fn answer(&self, _request: Request, ends: Ends) -> Answer {
        Answer::text(hyper::StatusCode::OK, ends.remote.ip().to_string())
    }
}

#[tokio::test]
async fn a_client_asks_from_the_address_that_it_was_given() {
    let at = put(Who).await;
    let from = Client::default().from("127.0.28.77".parse().unwrap());
    let reply = from.ask(Call::get(Url::parse(&format!("http://{at}/")).unwrap())).await.unwrap();
    assert_eq!(reply.text(), "127.0.28.77");
}

#[test]
fn an_authoritys_certificates_are_its_own_and_each_has_its_key() {
    let authority = Authority::new("test").unwrap();
    let one = authority.workload("yaobank", "summary", &["summary", "127.0.0.1"]).unwrap();
    let other = authority.workload("yaobank", "database", &[]).unwrap();
    assert!(one.certificate.starts_with("-----BEGIN CERTIFICATE-----") && one.key.contains("PRIVATE KEY"));
    assert!(one.key != other.key);
    Client::default().believing(authority.certificate(), Some(&one)).unwrap();
    let mixed = palisade_sim::identity::Identity { certificate: one.certificate, key: other.key };
    assert!(Client::default().believing(authority.certificate(), Some(&mixed)).is_err(), "a key of another");
    assert!(authority.workload("yaobank", "ä", &["ä"]).is_err());
}
