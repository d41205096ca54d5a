//! The SPIFFE Workload API from outside: an agent of our own, which says what the test tells it, on a socket of the file
//! system; listeners, clients and services that go by what it says.

mod pki;
mod support;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use pki::Pki;
use serde_json::Value;
use support::{Folder, Running, Upstream, command, eventually, finish};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct Asked {}

#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<Svid>,
    /// Revocation lists, which we do not read.
    #[prost(bytes = "vec", repeated, tag = "2")]
    crl: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Svid {
    #[prost(string, tag = "1")]
    spiffe_id: String,
    #[prost(bytes = "vec", tag = "2")]
    chain: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    bundle: Vec<u8>,
    #[prost(string, tag = "5")]
    hint: String,
}

/// What the agent says to everybody: an answer and those after it, or that it does not know them.
type Says = watch::Receiver<Option<Answer>>;
type Answers = ReceiverStream<Result<Answer, Status>>;
type Soon<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// `service SpiffeWorkloadAPI`, of which it has `FetchX509SVID`.
#[derive(Clone)]
struct Agent {
    says: Says,
    /// Of those who asked as the standard wants it, and of others.
    asked: Arc<Mutex<Vec<bool>>>,
}

impl NamedService for Agent {
    const NAME: &'static str = "SpiffeWorkloadAPI";
}

impl Service<http::Request<Body>> for Agent {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Soon<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fetch = Fetch(self.clone());
        Box::pin(async move {
            assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchX509SVID");
            Ok(Grpc::new(ProstCodec::<Answer, Asked>::default()).server_streaming(fetch, request).await)
        })
    }
}

struct Fetch(Agent);

impl Service<Request<Asked>> for Fetch {
    type Response = Response<Answers>;
    type Error = Status;
    type Future = Soon<Result<Response<Answers>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Asked>) -> Self::Future {
        let Agent { mut says, asked } = self.0.clone();
        Box::pin(async move {
            let rightly = request.metadata().get("workload.spiffe.io").is_some_and(|value| value == "true");
            asked.lock().unwrap().push(rightly);
            if !rightly {
                return Err(Status::invalid_argument("security header missing"));
            }
            if says.borrow().is_none() {
                return Err(Status::permission_denied("no identity issued"));
            }
            let (send, answers) = mpsc::channel(1);
            tokio::spawn(async move {
                loop {
                    let answer = says.borrow_and_update().clone();
                    let gone = match answer {
                        Some(answer) => send.send(Ok(answer)).await.is_err(),
                        None => false,
                    };
                    if gone || says.changed().await.is_err() {
                        return;
                    }
                }
            });
            Ok(Response::new(ReceiverStream::new(answers)))
        })
    }
}

impl Agent {
    /// Listens as long as what comes back lives.
    fn listen(&self, socket: &str) -> Runtime {
        let _ = std::fs::remove_file(socket);
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let serving = Server::builder().add_service(self.clone()).serve_with_incoming(incoming);
        drop(entered);
        runtime.spawn(async move { serving.await.unwrap() });
        runtime
    }
}

/// An identity by an authority, as the agent says it.
fn identity(folder: &Folder, authority: &str, name: &str, account: &str) -> Answer {
    let pki = Pki(folder);
    let spiffe_id = format!("spiffe://example.org/{account}");
    pki.issue(
        authority,
        name,
        &format!("/O=SPIRE/CN={name}"),
        &format!("subjectAltName=URI:{spiffe_id}\n"),
        30,
    );
    let der = |kind: &str, file: &str, more: &[&str]| {
        let out = format!("{file}.der");
        pki.openssl(&[&[kind, "-in", file, "-outform", "DER", "-out", &out], more].concat());
        std::fs::read(folder.at(&out)).unwrap()
    };
    let own = der("x509", &format!("{name}.crt"), &[]);
    let authority = der("x509", &format!("{authority}.crt"), &[]);
    let svid = Svid {
        spiffe_id,
        // The certificate, and one more after it, as where there is an intermediate.
        chain: [own, authority.clone()].concat(),
        key: der("pkcs8", &format!("{name}.key"), &["-topk8", "-nocrypt"]),
        bundle: authority,
        hint: "internal".to_owned(),
    };
    Answer { svids: vec![svid], crl: Vec::new() }
}

#[test]
fn the_workload_api_gives_certificates_to_listeners_and_towards_services_and_renews_them() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("spire");
    let (say, says) = watch::channel(Some(identity(&folder, "spire", "first", "shop")));
    let agent = Agent { says, asked: Arc::default() };
    let socket = folder.at("agent.sock");
    let listening = agent.listen(&socket);

    // `web` shows what the agent gives and believes whom it names; `out` calls `web` with the same.
    let config = |port: &str| {
        format!(
            "admin: {{address: 'off'}}\ndataDir: data-{port}\nlogs: {{access: stdout}}\nlisteners:\n\
             - {{name: web, address: 127.0.0.1:0, tls: {{certificates: [workload-api], clientCertificates: {{ca: workload-api}}}}}}\n\
             - {{name: out, address: 127.0.0.1:0, direction: outbound}}\n\
             services:\n- {{name: shop, upstream: {{url: \"{}\"}}}}\n\
             - {{name: self, upstream: {{url: \"https://127.0.0.1:{port}\", \
             tls: {{clientCert: workload-api, spiffeIds: [\"spiffe://example.org/shop\"]}}}}}}\n\
             routes:\n- {{listener: web, service: shop}}\n- {{listener: out, service: self}}\n",
            upstream.url
        )
    };
    let file = folder.write("server.yaml", config("1"));
    let run = |file: &str| {
        let mut command = command(&["run", "--config", file]);
        command.env("SPIFFE_ENDPOINT_SOCKET", format!("unix://{socket}"));
        Running::start(command)
    };
    let mut server = run(&file);
    let web = server.listener("web");
    let mut caller = run(&folder.write("caller.yaml", config(&web.port().to_string())));
    let out = caller.listener("out");
    let called = || support::get(out, "/", "").status;
    assert_eq!(called(), 200, "{}", caller.err());
    let line: Value =
        eventually("the access log", || serde_json::from_str(server.out().lines().next()?).ok());
    assert_eq!(line["client_certificate"]["spiffe_id"], "spiffe://example.org/shop", "{line}");
    assert_eq!(pki.shown(web, None), "O=SPIRE,CN=first");
    assert_eq!(pki.ask(web, "spire.crt", &format!("https://first:{}/", web.port()), &["-k"]).0, 400);

    // Renewed: later connections have it, and no call fails meanwhile.
    say.send_replace(Some(identity(&folder, "spire", "second", "shop")));
    eventually("the renewed certificate", || {
        assert_eq!(called(), 200);
        (pki.shown(web, None) == "O=SPIRE,CN=second").then_some(())
    });

    // The agent goes away: what it said stays. It comes back with another authority, and both follow.
    drop(listening);
    server.wait_err("what it said last stays in force");
    assert_eq!((called(), pki.shown(web, None).as_str()), (200, "O=SPIRE,CN=second"));
    pki.authority("spire2");
    say.send_replace(Some(identity(&folder, "spire2", "third", "shop")));
    let _listening = agent.listen(&socket);
    eventually("the agent once more", || (pki.shown(web, None) == "O=SPIRE,CN=third").then_some(()));
    eventually("both sides once more", || (called() == 200).then_some(()));

    // Somebody else's identity is not ours to call.
    say.send_replace(Some(identity(&folder, "spire2", "fourth", "other")));
    eventually("a service that is another", || (called() == 502).then_some(()));
    assert!(agent.asked.lock().unwrap().iter().all(|rightly| *rightly));
    assert_eq!((caller.end(), server.end()), (0, 0));
}

#[test]
fn an_agent_that_is_away_or_knows_nobody_is_named_at_the_start() {
    let folder = Folder::new();
    let (_say, says) = watch::channel(None);
    let socket = folder.at("agent.sock");
    let _listening = Agent { says, asked: Arc::default() }.listen(&socket);
    let config = |more: &str| {
        format!(
            "admin: {{address: 'off'}}\ndataDir: data\n{more}listeners:\n\
             - {{name: web, address: 127.0.0.1:0, tls: {{certificates: [workload-api]}}}}\n\
             services: [{{name: shop, upstream: {{url: \"http://127.0.0.1:1\"}}}}]\n"
        )
    };
    for (name, more, said) in [
        ("unnamed", String::new(), "SPIFFE_ENDPOINT_SOCKET"),
        (
            "unknown",
            format!("workloadApi: {{socket: \"unix:{socket}\"}}\n"),
            "it has no identity for us: no identity issued",
        ),
        ("away", format!("workloadApi: {{socket: \"unix:{socket}.no\"}}\n"), "it cannot be reached: "),
    ] {
        let file = folder.write(&format!("{name}.yaml"), config(&more));
        let mut command = command(&["run", "--config", &file]);
        command.env_remove("SPIFFE_ENDPOINT_SOCKET");
        let answer = finish(command, b"");
        assert_eq!(answer.code, 2, "{name}: {}", answer.err);
        assert!(answer.err.contains(said), "{name}: {}", answer.err);
    }
}
