//! Addresses of pods on this machine: a network of loopback that this demonstration has for itself, so that several run
//! beside each other and an address says who somebody is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};
use tokio::net::TcpListener;

/// A network `127.28.N.0/24`, ours while the value lives.
#[derive(Debug)]
pub(super) struct Pods {
    number: u8,
    /// Who has this has the network.
    _lock: TcpListener,
}

/// The last number of a pod's address, by its name, and what it is in the objects of the tutorial.
const ADDRESSES: [(&str, u8, &str); 4] = [
    ("customer", 11, "10.28.0.11"),
    ("summary", 12, "10.28.0.12"),
    ("database", 13, "10.28.0.13"),
    ("attack", 66, "10.28.0.66"),
];

/// The port that is nobody's but the lock's.
const LOCK_PORT: u16 = 28_028;

impl Pods {
    /// Takes a network that nobody has.
    pub(super) async fn take() -> Result<Self> {
        for number in 0..=u8::MAX {
            let address = Ipv4Addr::new(127, 28, number, 1);
            if let Ok(lock) = TcpListener::bind((address, LOCK_PORT)).await {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!(
            "no network of loopback is free: 127.28.0.1 to 127.28.255.1 cannot be listened on at port {LOCK_PORT}"
        )
    }

    /// An address by its last number.
    pub(super) fn at(&self, last: u8) -> IpAddr {
        Ipv4Addr::new(127, 28, self.number, last).into()
    }

    /// A pod's address.
    pub(super) fn of(&self, pod: &str) -> IpAddr {
        let known = ADDRESSES.iter().find(|(name, ..)| *name == pod);
        self.at(known.map_or(99, |(_, last, _)| *last))
    }

    /// Objects of the tutorial, with the addresses of our pods.
    pub(super) fn in_objects(&self, objects: &str) -> String {
        ADDRESSES.iter().fold(objects.to_owned(), |text, (name, _, theirs)| {
            text.replace(theirs, &self.of(name).to_string())
        })
    }

    /// A place to listen at: the port that is usual there, or another where that is taken.
    pub(super) async fn free(&self, pod: &str, usual: u16) -> Result<SocketAddr> {
        free(SocketAddr::new(self.of(pod), usual)).await
    }
}

/// An address whose port is free now: the one that is wished for, or another.
pub(super) async fn free(wish: SocketAddr) -> Result<SocketAddr> {
    let listener = match TcpListener::bind(wish).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((wish.ip(), 0)).await?,
    };
    Ok(listener.local_addr()?)
}
