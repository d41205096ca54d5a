//! A client for the API server, from flags. One meaning for every command that reaches for a cluster.
//!
//! Nothing is guessed: without a flag it is the cluster that this process runs in, by its service account. A developer's
//! `~/.kube/config` is used only when it is named.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// Which cluster to talk to. Without any of these: the cluster that this process runs in.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ClusterFlags {
    /// Kubeconfig file that names the cluster [default: the cluster that this process runs in]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "token_file", "ca"])]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig file [default: its current one]
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub context: Option<String>,
    /// Address of the API server, such as https://10.0.0.1:6443, instead of a kubeconfig file
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File with the bearer token for --server; it is read again when it changes
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
    /// File with the certificates (PEM) that --server is trusted by
    #[arg(long, value_name = "FILE", requires = "server")]
    pub ca: Option<PathBuf>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file, or the context in it.
    #[error("kubeconfig {}: {source}", .file.display())]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<kube::config::KubeconfigError>,
    },
    /// No flags, and not within a cluster either.
    #[error("not in a cluster ({0}); name one with --kubeconfig FILE or --server URL")]
    NotInCluster(#[from] kube::config::InClusterError),
    /// `--server`.
    #[error("--server {url}: {message}")]
    Server {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// A certificate or a key that cannot be used.
    #[error("cannot make a client: {0}")]
    Client(#[from] Box<kube::Error>),
}

/// How to reach the API server that `flags` mean. Reads files and, within a cluster, its environment.
pub async fn config(flags: &ClusterFlags) -> Result<Config, ConnectError> {
    let mut config = match (&flags.kubeconfig, &flags.server) {
        (Some(file), _) => {
            let wrong = |source| ConnectError::Kubeconfig { file: file.clone(), source: Box::new(source) };
            let options =
                KubeConfigOptions { context: flags.context.clone(), ..KubeConfigOptions::default() };
            let kubeconfig = Kubeconfig::read_from(file).map_err(wrong)?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(wrong)?
        }
        (None, Some(url)) => {
            let wrong = |message: String| ConnectError::Server { url: url.clone(), message };
            let uri: http::Uri =
                url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
            if !matches!(uri.scheme_str(), Some("http" | "https")) {
                return Err(wrong("begins with neither https:// nor http://".to_owned()));
            }
            let mut config = Config::new(uri);
            config.root_cert_file.clone_from(&flags.ca);
            config.auth_info.token_file = flags.token_file.as_ref().map(|file| file.display().to_string());
            config
        }
        (None, None) => Config::incluster()?,
    };
    config.connect_timeout = Some(CONNECT);
    Ok(config)
}

/// A client for the API server that `flags` mean. It connects when it is first asked something.
pub async fn client(flags: &ClusterFlags) -> Result<kube::Client, ConnectError> {
    let config = config(flags).await?;
    Ok(kube::Client::try_from(config).map_err(Box::new)?)
}

/// An API server that does not take a connection within this is away; whoever asks tries again.
const CONNECT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        cluster: ClusterFlags,
    }

    fn flags(words: &[&str]) -> Result<ClusterFlags, clap::Error> {
        use clap::Parser as _;
        Flags::try_parse_from(std::iter::once(&"test").chain(words)).map(|flags| flags.cluster)
    }

    #[test]
    fn a_kubeconfig_and_a_server_are_two_answers_to_one_question() {
        assert!(flags(&["--kubeconfig", "a", "--server", "https://b"]).is_err());
        assert!(flags(&["--context", "a"]).is_err());
        assert!(flags(&["--token-file", "a"]).is_err());
        assert!(flags(&["--kubeconfig", "a", "--context", "b"]).is_ok());
        assert!(flags(&["--server", "https://b", "--token-file", "t", "--ca", "c"]).is_ok());
    }

    #[tokio::test]
    async fn what_is_wrong_names_the_flag_or_the_file() {
        let wrong = flags(&["--server", "10.0.0.1:6443"]).expect("flags that clap takes");
        let told = config(&wrong).await.expect_err("no scheme").to_string();
        assert!(told.contains("--server 10.0.0.1:6443"), "{told}");
        let absent = flags(&["--kubeconfig", "/nowhere/at-all"]).expect("flags that clap takes");
        let told = config(&absent).await.expect_err("no such file").to_string();
        assert!(told.contains("/nowhere/at-all"), "{told}");
    }
}
