//! Policies that Calico's agent on the node hands over: its Policy Sync API.

use crate::decode::{Shape, section};
use crate::socket::PATH_BYTES_MAX;
use crate::value::{FromText, Located, Refused, decode_as_text, words};

section! {
    /// Policies as Calico's agent on the node (Felix) hands them over, by its Policy Sync API. Nothing passes until it has
    /// handed over all of them once; where it goes away, what it said last goes on deciding.
    pub struct PolicySync {
        /// The path of the agent's socket.
        socket: Located<SyncSocket>,
        /// Whose policies it is asked for. per-pod: those of the pod that the socket belongs to, which every service here
        /// stands before. per-host: those of all pods of the node; a request belongs to the one that has the address where it
        /// arrived, or to its service's `workload`.
        mode: SyncMode = "per-pod",
    }
}

words! {
    /// Whose policies are asked for.
    pub enum SyncMode: "a word for whose policies are asked for" {
        /// One pod's.
        PerPod = "per-pod",
        /// Those of all pods of a node.
        PerHost = "per-host",
    }
}

/// The path of a socket, from the root; `unix:` before it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSocket(String);

impl SyncSocket {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for SyncSocket {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
        if !path.starts_with('/') || path.contains('\0') {
            let what = "is not the path of a socket from the root".to_owned();
            return Err((what, "write one such as /var/run/nodeagent/socket".to_owned()));
        }
        if path.len() > PATH_BYTES_MAX {
            let what = format!("has a path of {} bytes, and the system takes {PATH_BYTES_MAX}", path.len());
            return Err((what, "mount the agent's folder at a shorter path".to_owned()));
        }
        Ok(Self(path.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "the path of a socket",
            pattern: Some("^(unix:(//)?)?/.+$"),
            example: "/var/run/nodeagent/socket",
        }
    }
}

decode_as_text!(SyncMode, SyncSocket);
