//! Counters sent to a StatsD, by UDP: `all_servers.requests:1|c` and `server-HOST.requests:1|c`.

use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};

use super::Role;

/// Where counters are sent to. What is lost on the way is lost.
#[derive(Debug)]
pub struct Statsd {
    socket: UdpSocket,
    prefixes: [String; 2],
}

impl Statsd {
    /// A socket to a StatsD.
    ///
    /// # Errors
    /// When its name has no address.
    pub fn connect(host: &str, port: u16, role: Role, hostname: &str) -> std::io::Result<Self> {
        let mut failed = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            let any: SocketAddr =
                if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
            match UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket)) {
                Ok(socket) => {
                    // A counter never holds up a request.
                    socket.set_nonblocking(true)?;
                    let word = role.word();
                    return Ok(Self {
                        socket,
                        prefixes: [format!("all_{word}s"), format!("{word}-{hostname}")],
                    });
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    pub(super) fn count(&self, name: &str, by: u64) {
        for prefix in &self.prefixes {
            let _ = self.socket.send(format!("{prefix}.{}:{by}|c", snake(name)).as_bytes());
        }
    }
}

/// `directory_traversal` of `Directory Traversal`.
pub(super) fn snake(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "_")
}
