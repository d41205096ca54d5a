//! The kinds of attack, by the names that exceptions, logs and the console use.

macro_rules! attacks {
    ($($variant:ident = $name:literal, $title:literal;)*) => {
        /// A kind of attack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "their titles say what they are")]
        pub enum Attack {
            $($variant,)*
        }

        impl Attack {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The names of all, in the same order.
            pub const NAMES: &[&str] = &[$($name,)*];

            /// Its name, as in `attacks: [xss]`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it is, for a person who meets the name for the first time.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }

            /// Finds a kind by its name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|attack| attack.name() == name)
            }
        }
    };
}

attacks! {
    Sqli = "sqli", "SQL injection";
    SqlStatement = "sql-statement", "SQL statement that stands alone";
    Nosqli = "nosqli", "NoSQL operator injection";
    Ldapi = "ldapi", "LDAP filter injection";
    Xpath = "xpath", "XPath or XSLT injection";
    Xss = "xss", "cross-site scripting";
    Ssi = "ssi", "server-side or edge-side include";
    Rce = "rce", "operating system command";
    Shellshock = "shellshock", "function definition in an environment variable";
    CodeInjection = "code-injection", "code of a programming language";
    Ssti = "ssti", "template or expression injection";
    Jndi = "jndi", "lookup in a logged text";
    Deserialization = "deserialization", "serialised object";
    ProtoPollution = "proto-pollution", "prototype pollution";
    PathTraversal = "path-traversal", "path traversal or local file";
    FileInclusion = "file-inclusion", "inclusion of a remote file";
    Ssrf = "ssrf", "request to an internal address";
    Redirect = "redirect", "open redirect";
    Xxe = "xxe", "XML external entity";
    Crlf = "crlf", "header injection by line break";
    MailInjection = "mail-injection", "mail header injection";
    Upload = "upload", "dangerous file upload";
    Graphql = "graphql", "GraphQL abuse";
    DataBomb = "data-bomb", "data that grows when it is read";
    Scanner = "scanner", "vulnerability scanner";
    Protocol = "protocol", "message that no client sends";
    InspectionLimit = "inspection-limit", "more than is inspected";
    Leak = "leak", "secret or internal detail in a response";
    UndefinedEndpoint = "undefined-endpoint", "endpoint that the API's specification does not have";
    UndefinedParameter = "undefined-parameter", "parameter that the endpoint does not have";
    MissingParameter = "missing-parameter", "request without a parameter that the endpoint requires";
    InvalidValue = "invalid-value", "value that the endpoint's schema does not allow";
    NoAuthentication = "no-authentication", "request without the authentication that the endpoint asks for";
    InvalidBody = "invalid-body", "body that is no JSON, or of a type that the endpoint does not take";
    VirtualPatch = "virtual-patch", "request that a virtual patch refuses";
}

impl Attack {
    /// Whether it is what a specification or a patch says of a request, and no attack that the detector reads.
    pub const fn is_of_specification(self) -> bool {
        matches!(
            self,
            Self::UndefinedEndpoint
                | Self::UndefinedParameter
                | Self::MissingParameter
                | Self::InvalidValue
                | Self::NoAuthentication
                | Self::InvalidBody
                | Self::VirtualPatch
        )
    }
}

impl std::fmt::Display for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
