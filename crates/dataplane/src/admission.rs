//! Policies at the door: a connection on which nothing could be allowed is closed, over TLS before the handshake where no
//! certificate could change that, else right after it.
//!
//! Where the listener answers health checks or redirects, everybody may come: those answers are given to whom no policy
//! knows, such as a kubelet. Requests are judged all the same.

use std::sync::Arc;

use palisade_inspect::Arriving;

use crate::arrival::Arrival;
use crate::exchange::own_line;
use crate::journal::{ClosedConnection, Remark};
use crate::request_id::request_id;
use crate::settings::{Listener, Plane};

/// What is known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Addresses alone: the handshake is to come.
    BeforeHandshake,
    /// All that there will be before the first request.
    All,
}

/// Asks policies about a connection. Whether it may go on; where it may not, that is told and counted.
pub(crate) fn admit(arrival: &mut Arrival, known: Known, listener: &Listener, plane: &Plane) -> bool {
    let gates = listener.routes.gates();
    if gates.is_empty() {
        return true;
    }
    let arriving = Arriving {
        peer_addr: arrival.peer_addr,
        server_addr: arrival.local_addr,
        identity: (known == Known::All).then(|| arrival.identity().map(|identity| &**identity)),
    };
    match gates.admit(&arriving) {
        Ok(admission) => {
            arrival.admission = Some(Arc::new(admission));
            true
        }
        Err(_) if listener.health_path.is_some() || listener.redirect.is_some() => true,
        Err(denied) => {
            plane.metrics.events.policy_connections_closed_total.one();
            let (client, local) = (arrival.client_addr, arrival.local_addr);
            plane.journal.remark(Remark {
                listener: listener.name.clone(),
                client_addr: client,
                line: own_line(client, local, b"", &request_id(), &denied.closing()),
            });
            plane.journal.closed(ClosedConnection {
                listener: listener.name.clone(),
                peer_addr: arrival.peer_addr,
                client_addr: client,
                server_addr: local,
                identity: arrival.identity().filter(|_| known == Known::All).cloned(),
                judged: denied,
            });
            false
        }
    }
}
