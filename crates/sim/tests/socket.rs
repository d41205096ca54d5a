//! The services over a real socket, spoken to in plain bytes.

use std::net::SocketAddr;

use palisade_sim::vulnerable_shop::Shop;
use palisade_sim::{BODY_BYTES_MAX, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[tokio::test]
async fn search_reflects_script_unescaped() {
    let service = Service::start().await;
    let (status, page) = service.get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(status, 200);
    assert!(page.contains("<script>alert(1)</script>"), "{page}");

    let (status, page) = service.get("/search?q=lamp").await;
    assert_eq!(status, 200);
    assert!(page.contains("lamp: 45 EUR") && !page.contains("desk"), "{page}");
}

#[tokio::test]
async fn product_gives_all_users_to_an_injection_and_a_product_to_others() {
    let service = Service::start().await;
    for attack in ["'%20OR%20'1'='1", "0'+UNION+SELECT+name,password+FROM+users--+"] {
        let (status, page) = service.get(&format!("/product?id={attack}")).await;
        assert_eq!(status, 200);
        assert!(page.contains("admin: correct-horse") && page.contains("bob: "), "{page}");
    }
    let (status, page) = service.get("/product?id=2").await;
    assert_eq!(status, 200);
    assert!(page.contains("lamp: 45 EUR") && !page.contains("admin"), "{page}");
    assert_eq!(service.get("/product?id=9").await.0, 404);
}

#[tokio::test]
async fn ping_pretends_to_run_what_follows_the_host() {
    let service = Service::start().await;
    let (_, text) = service.get("/ping?host=127.0.0.1%3Bcat%20/etc/passwd").await;
    assert!(text.contains("root:x:0:0"), "{text}");
    let (_, text) = service.get("/ping?host=$(id)").await;
    assert!(text.contains("uid=33"), "{text}");
    let (_, text) = service.get("/ping?host=127.0.0.1").await;
    assert!(text.contains("PING 127.0.0.1") && !text.contains("not found"), "{text}");
}

#[tokio::test]
async fn login_knows_its_users_and_falls_for_injections() {
    let service = Service::start().await;
    let cases = [
        (json!({"user": "alice", "password": "wonderland"}), 200),
        (json!({"user": "alice", "password": "guess"}), 401),
        (json!({"user": "O'Hara", "password": "guess"}), 401),
        (json!({"user": "admin'-- ", "password": "x"}), 200),
        (json!({"user": "admin", "password": {"$ne": null}}), 200),
        (json!({"user": "admin", "password": {"ne": null}}), 401),
        (json!({"user": "admin"}), 400),
        (json!([]), 400),
    ];
    for (form, expected) in cases {
        let (status, answer) = service.post("/login", form.to_string().as_bytes()).await;
        assert_eq!(status, expected, "{form} gave {answer}");
    }
    assert_eq!(service.post("/login", b"{\"user\":").await.0, 400);
    assert_eq!(service.get("/login").await.0, 405);
}

#[tokio::test]
async fn every_answer_of_the_shop_says_that_it_only_pretends() {
    let service = Service::start().await;
    for path in ["/", "/search?q=x", "/product?id=1", "/ping?host=x", "/nowhere"] {
        let (_, page) = service.get(path).await;
        assert!(page.contains("Deliberately vulnerable"), "{path}: {page}");
    }
    let (_, answer) = service.post("/login", b"{}").await;
    assert!(answer.contains("Deliberately vulnerable"), "{answer}");
}

#[tokio::test]
async fn echo_answers_method_target_headers_and_body() {
    let service = Service::start().await;
    let request = "PUT /echo/a?b=%31 HTTP/1.1\r\nHost: shop\r\nX-Twice: 1\r\nX-Twice: 2\r\n\
                   Content-Length: 3\r\nConnection: close\r\n\r\nxyz";
    let (status, body) = service.raw(request.as_bytes()).await;
    assert_eq!(status, 200);
    let echo: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&echo["method"], &echo["path"]), (&json!("PUT"), &json!("/echo/a")));
    assert_eq!((&echo["query"], &echo["target"]), (&json!("b=%31"), &json!("/echo/a?b=%31")));
    assert_eq!((&echo["body"], &echo["body_bytes"]), (&json!("xyz"), &json!(3)));
    let headers = echo["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-twice", "1"])) && headers.contains(&json!(["x-twice", "2"])));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let service = Service::start().await;
    assert_eq!(service.post("/echo", &vec![b'x'; BODY_BYTES_MAX]).await.0, 200);
    assert_eq!(service.post("/echo", &vec![b'x'; BODY_BYTES_MAX + 1]).await.0, 413);
}

#[tokio::test]
async fn a_shutdown_lets_the_running_request_finish() {
    let mut service = Service::start().await;
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\na").await.unwrap();
    // The answer to a second connection shows that the server has had its turn with the first.
    service.get("/").await;
    service.stop.take().unwrap().send(()).unwrap();
    stream.write_all(b"b").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""body":"ab""#), "{answer}");
    service.task.await.unwrap();
}

struct Service {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, Shop, async move {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), task }
    }

    async fn get(&self, target: &str) -> (u16, String) {
        self.raw(format!("GET {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").as_bytes()).await
    }

    async fn post(&self, target: &str, body: &[u8]) -> (u16, String) {
        let length = body.len();
        let mut request = format!(
            "POST {target} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.raw(&request).await
    }

    async fn raw(&self, request: &[u8]) -> (u16, String) {
        let (mut from, mut to) = TcpStream::connect(self.address).await.unwrap().into_split();
        let send = async {
            // A refusal may come before the whole request is read, and end the connection under our hands.
            let _ = to.write_all(request).await;
        };
        let receive = async {
            let mut answer = Vec::new();
            let _ = from.read_to_end(&mut answer).await;
            answer
        };
        let ((), answer) = tokio::join!(send, receive);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status line"), body.to_owned())
    }
}
