//! Connections of HTTP/2 to one endpoint, each shared by many requests.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use tokio::time::Instant;

use crate::server_stream::ServerStream;

/// The connections of an endpoint.
#[derive(Debug, Default)]
pub(super) struct SharedConnections {
    all: Mutex<Vec<Shared>>,
    /// Held while one is made: those who wait for it mostly share it.
    pub(super) opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    send: SendRequest<Bytes>,
    state: Arc<State>,
    used: Instant,
}

#[derive(Debug, Default)]
struct State {
    streams: AtomicUsize,
    /// It takes no more streams.
    over: AtomicBool,
    /// Until somebody has waited for what the other end says first.
    greeting: tokio::sync::Mutex<Option<PingPong>>,
}

/// A share of a connection: one stream, while it lives.
#[derive(Debug)]
pub(crate) struct Share {
    send: SendRequest<Bytes>,
    state: Arc<State>,
}

impl Share {
    fn of(shared: &Shared) -> Self {
        shared.state.streams.fetch_add(1, Ordering::Relaxed);
        Self { send: shared.send.clone(), state: shared.state.clone() }
    }

    /// What streams are opened with.
    pub(crate) fn handle(&self) -> SendRequest<Bytes> {
        self.send.clone()
    }

    /// Whether a stream may be a WebSocket (RFC 8441). The other end says so in its first frame, which may still be on its
    /// way: the answer to a ping comes after it.
    pub(crate) async fn takes_websockets(&self) -> bool {
        if self.send.is_extended_connect_protocol_enabled() {
            return true;
        }
        let mut greeting = self.state.greeting.lock().await;
        if let Some(mut ping_pong) = greeting.take() {
            // Where the connection is broken, opening a stream says so.
            let _ = ping_pong.ping(Ping::opaque()).await;
        }
        self.send.is_extended_connect_protocol_enabled()
    }

    /// Nobody else should try this connection.
    pub(crate) fn give_up(&self) {
        self.state.over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.state.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SharedConnections {
    /// A share of a connection that has room.
    pub(super) fn take(&self) -> Option<Share> {
        let mut all = self.all();
        all.retain(|shared| !shared.state.over.load(Ordering::Relaxed));
        let room = |shared: &&mut Shared| {
            shared.state.streams.load(Ordering::Relaxed) < shared.send.current_max_send_streams()
        };
        let shared = all.iter_mut().find(room)?;
        shared.used = Instant::now();
        Some(Share::of(shared))
    }

    /// Begins HTTP/2 on a stream. A share of it comes back; a task keeps the connection going.
    pub(super) async fn add(&self, stream: ServerStream) -> Result<Share, h2::Error> {
        let (send, mut connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(64 * 1024)
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .enable_push(false)
            .handshake::<_, Bytes>(stream)
            .await?;
        let greeting = tokio::sync::Mutex::new(connection.ping_pong());
        let state = Arc::new(State { greeting, ..State::default() });
        let told = state.clone();
        tokio::spawn(async move {
            // Each of its streams hears of an error by itself.
            let _ = connection.await;
            told.over.store(true, Ordering::Relaxed);
        });
        let shared = Shared { send, state, used: Instant::now() };
        let share = Share::of(&shared);
        self.all().push(shared);
        Ok(share)
    }

    /// Leaves connections on which nothing has happened for so long.
    pub(super) fn sweep(&self, idle: Duration) {
        self.all().retain(|shared| {
            let busy = shared.state.streams.load(Ordering::Relaxed) > 0;
            !shared.state.over.load(Ordering::Relaxed) && (busy || shared.used.elapsed() < idle)
        });
    }

    fn all(&self) -> MutexGuard<'_, Vec<Shared>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an upstream may send of one body beyond what was taken.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Heads of responses, with 32 bytes for each field; as much as HTTP/1 has by default.
const HEADER_LIST_BYTES_MAX: u32 = 144 * 1024;
