//! Pods in network namespaces of their own, joined by a bridge in one more: what a cluster gives them. For root, on Linux with
//! `ip` and `nft`.
//!
//! No namespace has a name: each is held by a file descriptor of ours and by the sockets in it, so all of it goes with this
//! process, however that ends. Nothing of the machine's own network is touched.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use palisade_sim::Sockets;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use tokio::net::{TcpListener, TcpSocket};

/// A network namespace, while somebody has it.
#[derive(Clone, Debug)]
pub(super) struct Namespace(Arc<OwnedFd>);

/// Pods, each at an address of `192.0.2.0/24`: one that nobody has (RFC 5737).
#[derive(Debug)]
pub(super) struct Namespaces {
    pods: Vec<(String, IpAddr, Namespace)>,
    /// Where the bridge is.
    _between: Namespace,
}

impl Namespace {
    /// A new one, with nothing in it.
    fn new() -> io::Result<Self> {
        let made = std::thread::spawn(|| {
            // SAFETY: only this thread is moved, which has no sockets and ends here; unsharing a network namespace leaves
            // file descriptors, memory and the other threads as they are.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET)? };
            std::fs::File::open("/proc/thread-self/ns/net")
        });
        let file = made.join().map_err(|_| io::Error::other("the thread of a namespace panicked"))??;
        Ok(Self(Arc::new(file.into())))
    }

    /// Does something in it: on a thread of its own, so that no other one is ever elsewhere than it was.
    fn within<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let acting = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?;
                act()
            });
            acting.join().map_err(|_| io::Error::other("a thread in a namespace panicked"))?
        })
    }

    /// Runs a tool in it, told by its standard input.
    fn run(&self, tool: &str, arguments: &[&str], told: &str) -> Result<()> {
        let ran = self.within(|| {
            let mut command = Command::new(tool);
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn()?;
            // What it does not read it says something about.
            let _ = child.stdin.take().map(|mut stdin| stdin.write_all(told.as_bytes()));
            child.wait_with_output()
        });
        let ran = ran.with_context(|| format!("cannot run {tool}"))?;
        if !ran.status.success() {
            bail!("{tool}: {}", String::from_utf8_lossy(&ran.stderr).trim());
        }
        Ok(())
    }

    /// A path by which this process's tools find it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// A listener in it.
    pub(super) fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let listener = self.within(|| std::net::TcpListener::bind(at))?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    /// Sockets in it.
    pub(super) fn sockets(&self) -> Sockets {
        let namespace = self.clone();
        Arc::new(move |to| {
            namespace.within(|| if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() })
        })
    }

    /// Has a command's process begin in it.
    pub(super) fn enclose(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;
        let namespace = self.clone();
        let enter = move || {
            move_into_link_name_space(namespace.0.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(io::Error::from)
        };
        // SAFETY: between fork and exec only setns is called, which is async-signal-safe; nothing is allocated and no lock is
        // taken.
        unsafe { command.pre_exec(enter) };
    }
}

impl Namespaces {
    /// Makes pods of these names, each with the last number of its address.
    ///
    /// # Errors
    /// When they cannot be made here, with the reason.
    pub(super) fn make(pods: &[(&str, u8)]) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("network namespaces are for root");
        }
        let between = Namespace::new().context("no network namespace can be made")?;
        between.run("ip", &["-batch", "-"], "link add pods type bridge\nlink set pods up\n")?;
        let mut made = Vec::new();
        for (name, last) in pods {
            let (namespace, address) = (Namespace::new()?, Self::address(*last));
            let link = format!(
                "link add to{last} type veth peer name of{last}\nlink set of{last} netns {}\n\
                 link set to{last} master pods\nlink set to{last} up\n",
                namespace.path()
            );
            between.run("ip", &["-batch", "-"], &link)?;
            let inside = format!(
                "link set lo up\nlink set of{last} name eth0\naddr add {address}/24 dev eth0\nlink set eth0 up\n"
            );
            namespace.run("ip", &["-batch", "-"], &inside)?;
            // Whoever has no nft learns it before the walk begins.
            namespace.run("nft", &["list", "tables"], "")?;
            made.push(((*name).to_owned(), address, namespace));
        }
        Ok(Self { pods: made, _between: between })
    }

    /// The address of the pod of a number.
    pub(super) fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    /// A pod's namespace.
    pub(super) fn of(&self, pod: &str) -> Option<&Namespace> {
        self.pods.iter().find(|(name, ..)| name == pod).map(|(.., namespace)| namespace)
    }

    /// What a network plugin does for a NetworkPolicy with one peer and one port: other connections to the pod get no answer.
    ///
    /// # Errors
    /// When the kernel takes no such rules.
    pub(super) fn only_from(&self, pod: &str, peer: &str, port: u16) -> Result<()> {
        let named = |wanted: &str| self.pods.iter().find(|(name, ..)| name == wanted).context("no such pod");
        let (_, peer, _) = named(peer)?;
        let rules = format!(
            "table inet pod {{\n chain arrives {{\n  type filter hook input priority filter\n  \
             iifname \"eth0\" tcp flags & (syn | ack) == syn ip saddr {peer} tcp dport {port} accept\n  \
             iifname \"eth0\" tcp flags & (syn | ack) == syn drop\n }}\n}}\n"
        );
        named(pod)?.2.run("nft", &["-f", "-"], &rules)
    }
}
