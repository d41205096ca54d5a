//! `/livez`, `/readyz`, `/startupz` and `/metrics`, without a token: for kubelets and Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::metrics::Metrics;

/// A listener at work. It ends when this is dropped.
#[derive(Debug)]
pub struct Probes {
    address: SocketAddr,
    task: tokio::task::AbortHandle,
}

impl Probes {
    /// Takes its address and answers from then on.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<Probes> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, metrics)).abort_handle();
        Ok(Probes { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others end meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, answer(stream, &metrics)).await;
            drop(place);
        });
    }
}

/// One request a connection.
async fn answer(mut stream: TcpStream, metrics: &Metrics) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, body) = match (method, target.split('?').next().unwrap_or("")) {
        ("GET" | "HEAD", "/livez" | "/healthz") => ("200 OK", "OK".to_owned()),
        // Whoever waits for leadership is ready too: it has to be there when its turn comes.
        ("GET" | "HEAD", "/readyz" | "/startupz") if metrics.is_read() => ("200 OK", "OK".to_owned()),
        ("GET" | "HEAD", "/readyz" | "/startupz") => {
            ("503 Service Unavailable", "the cluster has not been read yet".to_owned())
        }
        ("GET" | "HEAD", "/metrics") => ("200 OK", metrics.text()),
        _ => ("404 Not Found", String::new()),
    };
    let shown = if method == "HEAD" { "" } else { &*body };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{shown}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Of a connection, from its first byte to the last of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of a request: those of kubelets and Prometheus have some hundreds.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const CONNECTIONS_MAX: usize = 64;
