//! Both ends of the control stream, over TLS on loopback.

mod pki;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use palisade_control::link::{ClientAuth, LiveTls, dial};
use palisade_control::stream::messages::{Answer, Hello, Lost, Said, ToControl, ToPlane, Word};
use palisade_control::stream::{FOLLOW_PATH, FollowOptions, Following, follow};
use palisade_control::{Applied, Bundle, Control, Offer, PlaneState, Refused, Selector, Stale, channel};
use pki::Pki;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn bundle(entry: &str, rules: &[(&str, usize)]) -> Bundle {
    let mut bundle = Bundle::new();
    bundle.put("palisade.yaml", entry.as_bytes()).unwrap();
    for (name, bytes) in rules {
        bundle.put(&format!("rules/{name}"), vec![b'#'; *bytes]).unwrap();
    }
    bundle
}

/// A server at work.
struct Server {
    control: Control,
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(tls: Arc<LiveTls>) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), Control::new(), tls).await
    }

    async fn at(address: SocketAddr, control: Control, tls: Arc<LiveTls>) -> Self {
        let listener = loop {
            // The one before may still be letting go of it.
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let address = listener.local_addr().unwrap();
        let (end, ends) = oneshot::channel::<()>();
        let serving = control.clone();
        let task = tokio::spawn(async move {
            let end = async {
                let _ = ends.await;
            };
            serving.serve(listener, tls, end).await.unwrap();
        });
        Self { control, address, end: Some(end), task }
    }

    async fn stop(mut self) -> SocketAddr {
        drop(self.end.take());
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
        self.address
    }

    /// Waits until what is known of data planes is so.
    async fn until(&self, what: &str, is: impl Fn(&[PlaneState]) -> bool) {
        until(&self.control, what, is).await;
    }
}

async fn until(control: &Control, what: &str, is: impl Fn(&[PlaneState]) -> bool) {
    let mut changes = control.changes();
    let waiting = async {
        while !is(&control.planes()) {
            changes.changed().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{what}: {:?}", control.planes());
}

/// A data plane that answers as it is told to.
struct Plane {
    following: watch::Receiver<Following>,
    taken: Arc<std::sync::Mutex<Vec<Bundle>>>,
    said: Arc<std::sync::Mutex<Vec<String>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Plane {
    fn start(
        server: SocketAddr,
        tls: Arc<LiveTls>,
        name: &str,
        held: Option<Bundle>,
        mut judge: impl FnMut(&Bundle) -> Result<Vec<Stale>, Refused> + Send + 'static,
    ) -> Self {
        let (offers, mut offered) = channel();
        let (sender, following) = watch::channel(Following::default());
        let taken = Arc::new(std::sync::Mutex::new(Vec::new()));
        let said = Arc::new(std::sync::Mutex::new(Vec::new()));
        let options = FollowOptions {
            target: format!("https://localhost:{}", server.port()).parse().unwrap(),
            tls,
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            held,
            say: {
                let said = said.clone();
                Box::new(move |line| said.lock().unwrap().push(line.to_owned()))
            },
            following: sender,
        };
        let taking = taken.clone();
        let plane = tokio::spawn(async move {
            while let Some(Offer { bundle, answer }) = offered.recv().await {
                let outcome = judge(&bundle);
                let revision = bundle.revision();
                taking.lock().unwrap().push(bundle);
                let _ = answer.send(Applied { revision, outcome });
            }
        });
        Self { following, taken, said, tasks: [tokio::spawn(follow(options, offers)), plane] }
    }

    fn last(&self) -> Option<Bundle> {
        self.taken.lock().unwrap().last().cloned()
    }

    async fn until(&mut self, what: &str, is: impl FnMut(&Following) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.following.wait_for(is)).await;
        let late = waited.is_err();
        drop(waited);
        if late {
            panic!("{what}: {:?}, {:?}", self.following.borrow(), self.said.lock().unwrap());
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn fine(_: &Bundle) -> Result<Vec<Stale>, Refused> {
    Ok(Vec::new())
}

fn is_at(plane: &PlaneState, bundle: &Bundle) -> bool {
    plane.connected.is_some() && plane.is_current() && plane.wanted == Some(bundle.revision())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_comes_as_it_was_set_and_what_becomes_of_it_is_known() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    let stale = Stale { kind: "profile".to_owned(), name: "shop".to_owned(), error: "line 3".to_owned() };
    let answers = stale.clone();
    let plane = Plane::start(server.address, pki.plane("a.pool"), "a.pool", None, move |bundle| match bundle
        .get("rules/bad")
        .is_some()
    {
        true => Err(Refused("no".to_owned())),
        false => Ok(vec![answers.clone()]),
    });
    server.until("it is there", |planes| planes.iter().any(|plane| plane.connected.is_some())).await;
    assert!(plane.last().is_none(), "nothing is wanted yet");
    let first = bundle("one", &[("large", 3_000_000), ("small", 7), ("empty", 0)]);
    server.control.set(Selector::All, first.clone());
    server.until("the first", |planes| is_at(&planes[0], &first)).await;
    assert_eq!(plane.last(), Some(first.clone()));
    let state = server.control.planes().remove(0);
    assert_eq!((state.name.as_str(), state.version.as_str()), ("a.pool", "1.2.3"));
    assert_eq!(state.applied.unwrap().outcome, Ok(vec![stale]));

    let mut bad = first.clone();
    bad.put("rules/bad", *b"x").unwrap();
    server.control.set(Selector::Plane("a.pool".to_owned()), bad.clone());
    let refused = Some(Applied { revision: bad.revision(), outcome: Err(Refused("no".to_owned())) });
    server.until("a refusal", |planes| planes[0].applied == refused).await;
    assert!(!server.control.planes()[0].is_current());

    // What comes after a refusal is told from what was refused.
    let mut good = bad.clone();
    good.remove("rules/bad");
    good.remove("rules/empty");
    server.control.set(Selector::Plane("a.pool".to_owned()), good.clone());
    server.until("one after it", |planes| is_at(&planes[0], &good)).await;
    assert_eq!(plane.last(), Some(good));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_and_a_data_plane_that_does_go_on() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    let first = bundle("one", &[("large", 200_000)]);
    server.control.set(Selector::All, first.clone());
    let mut plane = Plane::start(server.address, pki.plane("a.pool"), "a.pool", None, fine);
    server.until("the first", |planes| planes.iter().any(|plane| is_at(plane, &first))).await;
    let address = server.stop().await;
    plane.until("it notices", |following| !following.is_connected).await;

    // Another process, which remembers nothing: the whole is told.
    let server = Server::at(address, Control::new(), pki.server()).await;
    let second = bundle("two", &[("large", 200_000)]);
    server.control.set(Selector::All, second.clone());
    server.until("the second", |planes| planes.iter().any(|plane| is_at(plane, &second))).await;
    assert_eq!(plane.last(), Some(second.clone()));
    drop(plane);
    server.until("it has gone", |planes| planes[0].connected.is_none()).await;

    // It comes back with what it kept, and is told what has changed since.
    let third = bundle("three", &[("large", 200_000)]);
    server.control.set(Selector::All, third.clone());
    let plane = Plane::start(server.address, pki.plane("a.pool"), "a.pool", Some(second), fine);
    server.until("the third", |planes| is_at(&planes[0], &third)).await;
    assert_eq!(plane.last(), Some(third.clone()));
    drop(plane);
    server.until("it has gone", |planes| planes[0].connected.is_none()).await;

    // It kept what is wanted: it is offered that, so that it says what it makes of it.
    let plane = Plane::start(server.address, pki.plane("a.pool"), "a.pool", Some(third.clone()), fine);
    server.until("the third again", |planes| is_at(&planes[0], &third)).await;
    assert_eq!(plane.last(), Some(third));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_data_plane_gets_the_newest_and_never_a_queue() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    let (begun, taking) = std::sync::mpsc::channel::<()>();
    let (go_on, gone_on) = std::sync::mpsc::channel::<()>();
    let plane = Plane::start(server.address, pki.plane("a.pool"), "a.pool", None, move |_| {
        tokio::task::block_in_place(|| {
            let _ = begun.send(());
            let _ = gone_on.recv();
        });
        Ok(Vec::new())
    });
    server.control.set(Selector::All, bundle("first", &[]));
    tokio::task::block_in_place(|| taking.recv_timeout(PATIENCE)).unwrap();
    for number in 0..500 {
        server.control.set(Selector::All, bundle(&format!("{number}"), &[]));
    }
    drop(go_on);
    let last = bundle("499", &[]);
    server.until("the newest", |planes| is_at(&planes[0], &last)).await;
    assert_eq!(plane.last(), Some(last));
    let taken = plane.taken.lock().unwrap().len();
    assert!(taken <= 3, "{taken} were taken over, and only the first and the newest are worth it");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_be_told_is_what_certificates_say() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    server.control.set(Selector::All, bundle("secret", &[]));
    let stranger = Pki::new();
    let foreign = stranger.plane_that_believes("a.pool", &pki);
    let nobody = pki.anonymous();
    let cases =
        [(foreign, "a.pool"), (nobody, "a.pool"), (pki.plane("b.pool"), "a.pool"), (pki.plane("a.pool"), "")];
    let mut planes: Vec<_> =
        cases.into_iter().map(|(tls, name)| Plane::start(server.address, tls, name, None, fine)).collect();
    for plane in &mut planes {
        plane.until("it is refused", |following| following.error.is_some()).await;
        assert!(plane.last().is_none());
    }
    assert!(server.control.planes().is_empty());
    // One certificate for many: of all in a pool.
    let wild = Plane::start(server.address, pki.plane("*.pool.test"), "any-of-them.pool.test", None, fine);
    server
        .until("it is let in", |planes| planes.iter().any(|plane| plane.name == "any-of-them.pool.test"))
        .await;
    drop(wild);
    // And the server has to be the one that the data plane looks for.
    let impostor = Server::start(stranger.server()).await;
    let mut plane = Plane::start(impostor.address, pki.plane("a.pool"), "a.pool", None, fine);
    plane.until("it does not believe it", |following| following.error.is_some()).await;
    assert!(impostor.control.planes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_one_name_is_told() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    let mut first = Plane::start(server.address, pki.plane("a.pool"), "a.pool", None, fine);
    first.until("it is there", |following| following.is_connected).await;
    let mut second = Plane::start(server.address, pki.plane("a.pool"), "a.pool", None, fine);
    second.until("so is the second", |following| following.is_connected).await;
    first
        .until("the first hears why", |following| {
            following.error.as_ref().is_some_and(|error| error.contains("under this name"))
        })
        .await;
    assert_eq!(server.control.planes().len(), 1);
}

/// Certificates of files, changed while both ends run.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_while_both_ends_run() {
    let pki = Pki::new();
    let folder = pki::Folder::new("certificates-change");
    let files = pki.files(&folder, "a.pool");
    let tls = Arc::new(LiveTls::of_files(files.clone(), ClientAuth::Required).unwrap());
    let server = Server::start(pki.server()).await;
    let mut plane = Plane::start(server.address, tls.clone(), "a.pool", None, fine);
    plane.until("it is there", |following| following.is_connected).await;
    let address = server.stop().await;
    // Another authority, at both ends; the data plane's half of it comes in two steps.
    let next = Pki::new();
    let server = Server::at(address, Control::new(), next.server()).await;
    plane.until("it is not believed any more", |following| !following.is_connected).await;
    pki::write(&files.ca, "no certificate");
    plane.until("and not by half", |_| tls.error().is_some()).await;
    next.files(&folder, "a.pool");
    plane.until("it is there again", |following| following.is_connected).await;
    assert_eq!(tls.error(), None);
    server.until("by its name", |planes| planes[0].connected.is_some()).await;
}

/// A client that says what a test wants.
struct Raw {
    say: mpsc::Sender<ToControl>,
    heard: tonic::Streaming<ToPlane>,
}

impl Raw {
    async fn open(server: SocketAddr, tls: Arc<LiveTls>) -> Self {
        let target = format!("https://localhost:{}", server.port()).parse().unwrap();
        let mut grpc = Grpc::new(dial(&target, tls).await.unwrap());
        grpc.ready().await.unwrap();
        let (say, said) = mpsc::channel(16);
        let codec = ProstCodec::<ToControl, ToPlane>::default();
        let request = tonic::Request::new(ReceiverStream::new(said));
        let heard = grpc.streaming(request, FOLLOW_PATH.parse().unwrap(), codec).await.unwrap().into_inner();
        Self { say, heard }
    }

    async fn says(&self, said: Said) {
        let _ = self.say.send(ToControl { said: Some(said) }).await;
    }

    /// How the stream ends.
    async fn end(&mut self) -> Code {
        let ending = async {
            loop {
                match self.heard.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(status)) => break status.code(),
                    None => break Code::Ok,
                }
            }
        };
        tokio::time::timeout(PATIENCE, ending).await.expect("it ends")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hostile_data_plane_says_ends_its_stream_and_nothing_else() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    let wanted = bundle("x", &[("a", 10)]);
    server.control.set(Selector::All, wanted.clone());
    let hello = || Said::Hello(Hello { name: "bad.pool".to_owned(), ..Hello::default() });
    let long = "x".repeat(2 << 20);
    let answer =
        |revision: &'static [u8]| Said::Answer(Answer { revision: revision.into(), ..Answer::default() });
    let lost = || Said::Lost(Lost { why: "no".to_owned() });
    let cases: [(Vec<Said>, Code); 6] = [
        (vec![answer(&[0; 32])], Code::InvalidArgument),
        (vec![hello(), hello()], Code::InvalidArgument),
        (vec![hello(), answer(b"short")], Code::InvalidArgument),
        (vec![hello(), lost(), lost(), lost()], Code::DataLoss),
        (vec![Said::Hello(Hello { name: long.clone(), ..Hello::default() })], Code::OutOfRange),
        (vec![Said::Hello(Hello { name: "x".repeat(5000), ..Hello::default() })], Code::PermissionDenied),
    ];
    for (number, (says, code)) in cases.into_iter().enumerate() {
        let mut raw = Raw::open(server.address, pki.plane("bad.pool")).await;
        for said in says {
            raw.says(said).await;
        }
        assert_eq!(raw.end().await, code, "case {number}");
    }
    // Who lost a difference is told the whole.
    let mut raw = Raw::open(server.address, pki.plane("bad.pool")).await;
    let held = palisade_control::stream::messages::revision_bytes(wanted.revision());
    raw.says(Said::Hello(Hello { name: "bad.pool".to_owned(), held, ..Hello::default() })).await;
    let mut wholes = 0;
    while wholes == 0 {
        match raw.heard.message().await.unwrap().unwrap().word {
            Some(Word::End(_)) => raw.says(lost()).await,
            Some(Word::Begin(begin)) if begin.base.is_empty() => wholes += 1,
            _ => {}
        }
    }
    let plane = Plane::start(server.address, pki.plane("good.pool"), "good.pool", None, fine);
    server
        .until("others are served", |planes| {
            planes.iter().any(|plane| plane.name == "good.pool" && is_at(plane, &wanted))
        })
        .await;
    drop(plane);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_data_planes_have_a_change_at_once() {
    let pki = Pki::new();
    let server = Server::start(pki.server()).await;
    let rules: Vec<_> = (0..500).map(|number| format!("policy-{number}")).collect();
    let rules: Vec<_> = rules.iter().map(|name| (name.as_str(), 4000)).collect();
    let mut wanted = bundle("fifty", &rules);
    server.control.set(Selector::Under("pool.test".to_owned()), wanted.clone());
    let taken = Arc::new(AtomicUsize::new(0));
    let planes: Vec<_> = (0..50)
        .map(|number| {
            let (name, taken) = (format!("plane-{number}.pool.test"), taken.clone());
            Plane::start(server.address, pki.plane("*.pool.test"), &name, None, move |_| {
                taken.fetch_add(1, Ordering::Relaxed);
                Ok(Vec::new())
            })
        })
        .collect();
    let all = |wanted: &Bundle| {
        let wanted = wanted.clone();
        move |planes: &[PlaneState]| planes.len() == 50 && planes.iter().all(|plane| is_at(plane, &wanted))
    };
    let began = Instant::now();
    server.until("all have the first", all(&wanted)).await;
    let whole = began.elapsed();
    let mut times = Vec::new();
    for number in 0..10 {
        wanted.put("rules/policy-7", format!("change {number}").into_bytes()).unwrap();
        let began = Instant::now();
        server.control.set(Selector::Under("pool.test".to_owned()), wanted.clone());
        server.until("all have the change", all(&wanted)).await;
        times.push(began.elapsed());
    }
    times.sort();
    let bytes = wanted.bytes();
    println!(
        "50 data planes, {bytes} bytes in 501 files: whole {whole:?}, a change {:?} to {:?}",
        times[0], times[9]
    );
    assert_eq!(taken.load(Ordering::Relaxed), 50 * 11);
    drop(planes);
}
