//! 003, client certificates and two rules of a site, as an ingress controller on AKS had them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow};
use palisade_sim::echo::Echo;
use palisade_sim::identity::{Authority, Identity};
use palisade_sim::{Answer, Call, Client, Ends, Reply, Request, Service, Url};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::walk::{Walk, line, words};
use crate::Finding;
use crate::commands::demo::bank::put;
use crate::commands::demo::folder::Folder;
use crate::commands::demo::instance::Instance;

/// The two rules that the article's pictures show, as text.
const RULES: &str = "SecRuleEngine On\n\
    SecRule REMOTE_ADDR \"@ipMatch 34.242.209.15\" \"id:20001,phase:1,deny,status:403,log,msg:'not from there'\"\n\
    SecRule REQUEST_HEADERS:user \"@streq admin\" \"id:20002,phase:1,deny,status:403,log,msg:'admin is not for here'\"\n";

const HOST: &str = "https://shop.example/";

pub(super) async fn walk() -> Result<Finding> {
    let mut walk = Walk::begin(
        "003  Client certificates and a site's own rules",
        &["AKS, the ingress controller and its annotations: the same is said by a configuration file"],
    )?;
    let (folder, mut services) = (Folder::new()?, JoinSet::new());
    let (_end, ends) = watch::channel(false);
    let app = Application::default();
    let at = put(&mut services, &ends, app.clone()).await?;
    let (ours, others) = (Authority::new("Hospitals")?, Authority::new("Somebody else")?);
    let shop = ours.issue("shop.example", &["shop.example"], None)?;
    let hospital = ours.issue("hospital-1", &[], None)?;
    let stranger = others.issue("hospital-1", &[], None)?;
    folder.write("ca.crt", ours.certificate())?;
    folder.write("shop.crt", &shop.certificate)?;
    folder.write("shop.key", &shop.key)?;
    folder.write("site.conf", RULES)?;
    let config = folder.write("palisade.yaml", configuration(at))?;
    let mut palisade = Instance::by_file(&config, &folder.at("palisade.log"))?;
    let site = Site { authority: &ours, at: palisade.listener("web").await? };

    walk.part("Without protection: whoever comes is served, admin as well")?;
    let bare = Url::parse(&format!("http://{at}/"))?;
    let reply = Client::default().ask(with(Call::get(bare), &[("user", "admin")])).await.ok();
    walk.step("a plain GET with `user: admin` at the application", "200", words(&reply))?;
    let served = app.served();

    walk.part("Client certificates")?;
    let none = site.ask(None, &[]).await?;
    walk.step("without a certificate", "400", words(&none))?;
    let page = none.map(|reply| reply.text().into_owned()).unwrap_or_default();
    walk.holds(
        "its page",
        "No required SSL certificate was sent",
        page.contains("No required SSL certificate was sent"),
        page,
    )?;
    let strange = site.ask(Some(&stranger), &[]).await?;
    walk.step("with the certificate of another authority", "400", words(&strange))?;
    let page = strange.map(|reply| reply.text().into_owned()).unwrap_or_default();
    walk.holds("its page", "The SSL certificate error", page.contains("The SSL certificate error"), page)?;
    walk.step("what of all that the application saw", 0, app.served() - served)?;
    let forged = [("ssl-client-fingerprint", "00"), ("SSL_Client_Verify", "NONE"), ("user", "user")];
    let good = site.ask(Some(&hospital), &forged).await?;
    walk.step("with the hospital's, `user: user`, and forged headers", "200", words(&good))?;
    let told = good
        .map(|reply| serde_json::from_slice::<Value>(&reply.body).unwrap_or_default())
        .unwrap_or_default();
    walk.step(
        "ssl-client-verify, as the application was told",
        "SUCCESS",
        header(&told, "ssl-client-verify"),
    )?;
    walk.step("ssl-client-subject-dn", "CN=hospital-1", header(&told, "ssl-client-subject-dn"))?;
    let fingerprint = header(&told, "ssl-client-fingerprint");
    let is_one =
        fingerprint.len() == 40 && fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    walk.holds("ssl-client-fingerprint", "SHA-1, 40 digits", is_one, fingerprint)?;

    walk.part("The site's rules")?;
    let from = site.ask(Some(&hospital), &[("x-forwarded-for", "34.242.209.15")]).await?;
    walk.step("from 34.242.209.15, as a trusted proxy says", "403", words(&from))?;
    let from = site.ask(Some(&hospital), &[("x-forwarded-for", "34.242.209.16")]).await?;
    walk.step("from its neighbour", "200", words(&from))?;
    walk.step("`user: admin`", "403", words(&site.ask(Some(&hospital), &[("user", "admin")]).await?))?;
    walk.step("`user: user`", "200", words(&site.ask(Some(&hospital), &[("user", "user")]).await?))?;
    let log = || folder.read("error.log");
    for (id, client) in [("20001", "[client 34.242.209.15]"), ("20002", "[client 127.0.0.1]")] {
        let found = line(log, &[&format!("[id \"{id}\"]"), client, "Access denied with code 403"]).await;
        walk.holds(
            format!("the log's line of rule {id}"),
            "there, with its client",
            found.is_some(),
            "none",
        )?;
    }
    palisade.end().await?;
    walk.end()
}

fn configuration(app: SocketAddr) -> String {
    format!(
        "admin: {{address: \"off\"}}\ndataDir: data\nlogs: {{error: error.log}}\nlisteners:\n- name: web\n  \
         address: 127.0.0.1:0\n  clientAddress: {{from: x-forwarded-for, trusted: [127.0.0.0/8]}}\n  tls:\n    \
         certificates: [{{cert: shop.crt, key: shop.key}}]\n    clientCertificates: {{mode: \"on\", ca: ca.crt}}\n\
         services:\n- {{name: shop, upstream: {{url: \"http://{app}\"}}}}\n\
         profiles: {{default: {{mode: block, rules: {{files: [site.conf]}}, detect: {{enabled: false}}}}}}\n"
    )
}

/// Palisade before the site, by the site's name.
struct Site<'s> {
    authority: &'s Authority,
    at: SocketAddr,
}

impl Site<'_> {
    async fn ask(
        &self,
        own: Option<&Identity>,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Option<Reply>> {
        let client =
            Client::default().believing(self.authority.certificate(), own).map_err(|error| anyhow!(error))?;
        let call = Call { through: Some(self.at), ..Call::get(Url::parse(HOST)?) };
        Ok(client.ask(with(call, headers)).await.ok())
    }
}

fn with(call: Call, headers: &[(&'static str, &'static str)]) -> Call {
    headers.iter().fold(call, |call, (name, value)| call.with(name, value))
}

/// A header of the echo's answer.
fn header(told: &Value, name: &str) -> String {
    let headers = told["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let values: Vec<&str> =
        headers.iter().filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect();
    values.join(", ")
}

/// The echo, with a count of what reached it.
#[derive(Clone, Default)]
struct Application(Arc<AtomicU64>);

impl Application {
    fn served(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Service for Application {
    async fn answer(&self, request: Request, ends: Ends) -> Answer {
        self.0.fetch_add(1, Ordering::Relaxed);
        Echo.answer(request, ends).await
    }
}
