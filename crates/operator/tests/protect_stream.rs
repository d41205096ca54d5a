//! The pool is told by the control stream: what counts as served is what every data plane that is there says it serves.

#[path = "../../control/tests/pki/mod.rs"]
mod pki;

use std::collections::BTreeSet;
use std::time::Duration;

use palisade_control::stream::{FollowOptions, Following, follow};
use palisade_control::{Applied, Bundle, Control, Offer, Refused, Selector, Stale, channel};
use palisade_operator::protect::reconciler::{Delivery as _, Stream};
use pki::Pki;
use tokio::net::TcpListener;
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(60);

fn bundle(entry: &str) -> Bundle {
    let mut bundle = Bundle::new();
    bundle.put("palisade.yaml", entry.as_bytes()).unwrap();
    bundle
}

/// Has a word for each bundle: `refuse` refuses it, `stale` has a listener that it could not bind.
fn plane(port: u16, pki: &Pki, name: &str) {
    let (offers, mut offered) = channel();
    let (following, _) = watch::channel(Following::default());
    let options = FollowOptions {
        target: format!("https://localhost:{port}").parse().unwrap(),
        tls: pki.plane(name),
        name: name.to_owned(),
        version: "1".to_owned(),
        held: None,
        say: Box::new(|_| ()),
        following,
    };
    tokio::spawn(async move {
        while let Some(Offer { bundle, answer }) = offered.recv().await {
            let stale = |kind: &str| Stale {
                kind: kind.to_owned(),
                name: kind.to_owned(),
                error: "in use".to_owned(),
            };
            let outcome = match &bundle.get("palisade.yaml").unwrap()[..] {
                b"refuse" => Err(Refused("line 3".to_owned())),
                b"stale" => Ok(vec![stale("listener"), stale("profile")]),
                _ => Ok(Vec::new()),
            };
            let _ = answer.send(Applied { revision: bundle.revision(), outcome });
        }
    });
    tokio::spawn(follow(options, offers));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_as_served_is_what_data_planes_say() {
    let pki = Pki::new();
    let control = Control::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (serving, tls) = (control.clone(), pki.server());
    tokio::spawn(async move { serving.serve(listener, tls, std::future::pending()).await });
    let mut stream = Stream::new(control, Selector::Under("pool.palisade-system".to_owned()));
    // Nobody is there yet: it waits for one who is, and not for those that are not of the pool.
    plane(port, &pki, "edge.gateway");
    let (first, none) = (bundle("one"), BTreeSet::new());
    let waiting = tokio::spawn(async move { (stream.deliver(first, none).await, stream) });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    plane(port, &pki, "a.pool.palisade-system");
    let (outcome, mut stream) = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(outcome, Ok(BTreeSet::new()));
    // A listener that could not be bound is named; a profile that stays as it was is no port's matter.
    assert_eq!(stream.deliver(bundle("stale"), BTreeSet::new()).await, Ok(["listener".to_owned()].into()));
    let refused = stream.deliver(bundle("refuse"), BTreeSet::new()).await;
    assert_eq!(refused, Err("a.pool.palisade-system refuses its configuration: line 3".to_owned()));
}
