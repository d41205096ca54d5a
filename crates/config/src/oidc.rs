//! Log-in to the web console by an OpenID provider.

use crate::decode::section;
use crate::sinks::{HttpUrl, PlainText};
use crate::value::FilePath;

section! {
    /// Log-in to the web console by an OpenID provider: authorization code with PKCE. Who may do what is told by a claim of
    /// the ID token.
    pub struct Oidc {
        /// The provider's issuer, letter by letter as its tokens have it. `http://` is taken on loopback alone.
        issuer: HttpUrl,
        /// The client that we are to it.
        client_id: PlainText,
        /// A file with the client's secret; none where it is a public client.
        client_secret_file: Option<FilePath>,
        /// Where it sends people back to, as it knows us: `https://HOST/api/v1/login/oidc/callback`.
        redirect: HttpUrl,
        /// What is asked for beside `openid`; `profile` and `email` when absent.
        scopes: Vec<PlainText>,
        /// The claim that says who somebody is in lines of the log.
        name: PlainText = "email",
        /// The claim that says what somebody may.
        claim: PlainText = "groups",
        /// Values of it that make somebody an operator.
        operators: Vec<PlainText>,
        /// Values of it that make somebody a viewer. Who has none of either does not get in.
        viewers: Vec<PlainText>,
        /// Authorities that the provider is verified by; those of the system when absent.
        ca: Option<FilePath>,
    }
}
