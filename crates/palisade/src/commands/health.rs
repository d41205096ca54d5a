//! `palisade health`: whether a palisade on this machine is ready. For images that have no other program to ask with.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::Finding;
use crate::flags::HealthFlags;

/// How long an answer may take; what asks has a deadline of its own.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read; a probe's has a line.
const ANSWER_BYTES_MAX: u64 = 8 * 1024;

/// Asks `/readyz`; exit 1 when it is not ready, or not there.
pub(crate) fn run(flags: &HealthFlags) -> Result<Finding> {
    let address = match (&flags.admin, std::env::var("PALISADE_ADMIN")) {
        (Some(address), _) => *address,
        (None, Ok(text)) if text == "off" => {
            bail!("PALISADE_ADMIN is off: nobody is there to be asked; name an address by --admin")
        }
        (None, Ok(text)) if !text.is_empty() => text
            .parse()
            .with_context(|| format!("PALISADE_ADMIN `{text}` is not an IP address and a port"))?,
        (None, _) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9901),
    };
    match ask(reachable(address)) {
        Ok(status) if status == "200" => Ok(Finding::Nothing),
        Ok(status) => {
            say!("palisade: {address}/readyz answers {status}");
            Ok(Finding::Something)
        }
        Err(error) => {
            say!("palisade: {address}/readyz: {error}");
            Ok(Finding::Something)
        }
    }
}

/// Who listens everywhere is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let line = String::from_utf8_lossy(&answer);
    Ok(line.split(' ').nth(1).unwrap_or("nothing").chars().take(3).collect())
}
