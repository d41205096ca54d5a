//! YAO Bank: [`Customer`] asks [`Summary`], which asks the [`Database`], an etcd with its version 2 key API.
//!
//! After projectcalico/yaobank, by what it does: the same pages, paths, accounts and failures. Differs: a service that
//! does not answer is waited for three seconds only, and what an account is called is escaped on the page.
//!
//! Services know each other by name alone, as in a cluster. Which address a name leads to is said by [`Reach`]: a proxy that
//! carries the workload's identity, or nobody yet.

mod accounts;
mod customer;
mod database;
mod etcd;
mod summary;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use hyper::Method;

pub use accounts::{ACCOUNTS, Account};
pub use customer::Customer;
pub use database::Database;
pub use etcd::{Etcd, KEY_BYTES_MAX, KEYS_MAX, VALUE_BYTES_MAX};
pub use summary::Summary;

use crate::client::{Call, Client, ClientError, Reply, Url};

/// Where a workload's calls to others go. Told once, when it is known; until then nobody is reached.
#[derive(Debug, Clone, Default)]
pub struct Reach(Arc<OnceLock<(SocketAddr, Client)>>);

impl Reach {
    /// From now on calls go there, whatever host they name, and leave from the workload's own address.
    pub fn through(&self, address: SocketAddr, own: IpAddr) {
        // Who tells twice tells the same.
        let _ = self.0.set((address, Client::default().from(own)));
    }

    /// Asks a service by its name.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, url: &str) -> Result<Reply, ReachError> {
        let (through, client) = self.0.get().ok_or(ReachError::Nobody)?;
        let url = Url::parse(url).map_err(|error| ReachError::Url(error.to_string()))?;
        let call = Call { method: Method::GET, through: Some(*through), ..Call::get(url) };
        Ok(client.ask(call).await?)
    }
}

/// Why a service got no answer from another.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// It was never said where calls go.
    #[error("there is no way to other services yet")]
    Nobody,
    /// What was asked for makes no URL.
    #[error("{0}")]
    Url(String),
    /// Nobody answered.
    #[error(transparent)]
    Client(#[from] ClientError),
}
