//! `palisade demo --scenario shop`: a vulnerable shop of ours behind Palisade, on loopback, to be attacked by hand.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_config::Overrides;
use palisade_dataplane::Readiness;
use palisade_events::LogWriter;
use palisade_model::Mode;
use palisade_sim::vulnerable_shop::Shop;

use crate::Finding;
use crate::configuration::Told;
use crate::flags::{DemoFlags, text};
use crate::journal::Logs;
use crate::rules::DEBIAN_CRS;
use crate::serving::{DRAIN_DEADLINE, Serving, Signals, plane, runtime};
use crate::snapshot::Maker;

use super::{BANK, end, over};

/// Runs until Ctrl-C, and leaves nothing behind.
pub(super) fn run(flags: &DemoFlags, crs: Option<PathBuf>) -> Result<Finding> {
    let crs = crs.with_context(|| {
        format!("no CRS at `{DEBIAN_CRS}`: install Debian's modsecurity-crs, or name a CRS folder by --crs")
    })?;
    let listen = flags.listen.unwrap_or(BANK);
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let shop =
            tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on loopback")?;
        let shop_url = format!("http://{}", shop.local_addr()?);
        let (end_shop, shop_ends) = tokio::sync::oneshot::channel::<()>();
        let shop = tokio::spawn(palisade_sim::serve(shop, Shop, async {
            let _ = shop_ends.await;
        }));
        let decisions = LogWriter::writer(Decisions::default());
        let plane =
            plane(Arc::new(Logs::errors_to(decisions.clone())), &std::env::temp_dir(), Arc::default());
        let overrides = Overrides {
            listen: Some(listen.to_string()),
            upstream: Some(shop_url.clone()),
            mode: Some(Mode::Block.to_string()),
            crs: Some(text(&crs)?),
            ..Overrides::default()
        };
        let mut maker = Maker::new(Told { file: None, overrides });
        let config = maker.config()?;
        let snapshot = maker.first(config)?;
        let serving = Serving::start(&snapshot, plane, Arc::default(), Readiness::ready()).await?;
        let program =
            std::env::current_exe().map_or_else(|_| "palisade".into(), |path| path.display().to_string());
        let url = format!("http://{}", serving.address().context("the shop has a listener")?);
        let guide = guide(&url, &shop_url, &crs.display().to_string(), &program);
        write!(std::io::stdout(), "{guide}")?;
        std::io::stdout().flush()?;
        tokio::select! {
            () = end(&mut signals) => {}
            () = over(flags.duration) => {}
        }
        serving.end(DRAIN_DEADLINE.min(std::time::Duration::from_secs(2))).await?;
        decisions.flush();
        let _ = end_shop.send(());
        shop.await.context("the shop failed")?;
        let _ = writeln!(std::io::stdout(), "ended");
        Ok(Finding::Nothing)
    })
}

fn guide(url: &str, bare: &str, crs: &str, program: &str) -> String {
    format!(
        r#"A vulnerable shop behind Palisade (mode block, CRS from {crs}).
Without protection it is at {bare}. Try, in another terminal:

  200, the shop's own page:
    curl -i '{url}/search?q=lamp'

  403 with a request id, SQL injection (on {bare} it lists every account):
    curl -i -G '{url}/product' --data-urlencode "id=1' UNION SELECT user,password FROM accounts--"

  why, with every rule that had a part in it:
    printf "GET /product?id=1'+UNION+SELECT+user,password+FROM+accounts-- HTTP/1.1\nHost: shop.example.com\nUser-Agent: curl\nAccept: */*\n" | {program} explain --crs {crs} --request -

Decisions as they are taken; Ctrl-C ends the demo.
"#
    )
}

/// Error-log lines, shortened for people who watch.
#[derive(Default)]
struct Decisions {
    partial: Vec<u8>,
}

impl Write for Decisions {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            writeln!(std::io::stdout(), "{}", summary(&String::from_utf8_lossy(&line)))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

/// `denied  949110 Inbound Anomaly Score Exceeded  /product`.
fn summary(line: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!("[{name} \"")).unwrap_or(("", ""));
        rest.split("\"]").next().unwrap_or_default().to_owned()
    };
    let word = if line.contains("Access denied") { "denied " } else { "matched" };
    let data = field("data");
    let data = if data.is_empty() { data } else { format!("  {data}") };
    format!("  {word} {} {}  {}{data}", field("id"), field("msg"), field("uri"))
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn a_decision_fits_a_line() {
        let line = r#"[client 127.0.0.1] ModSecurity: Access denied with code 403 (phase 2). Matched .. [file "f"] [line "1"] [id "7"] [rev ""] [msg "No"] [data "x"] [severity "2"] [uri "/p"] [unique_id "u"]"#;
        assert_eq!(summary(line), "  denied  7 No  /p  x");
    }
}
