//! What a detector may find, by the words that exceptions, logs and metrics share.

use std::fmt;

macro_rules! attacks {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A kind of attack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Attack { $($(#[doc = $doc])+ $name,)+ }

        impl Attack {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Their words, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

attacks! {
    /// SQL injection.
    Sqli = "sqli",
    /// Injection into queries of document stores.
    Nosqli = "nosqli",
    /// Cross-site scripting.
    Xss = "xss",
    /// Execution of commands of an operating system.
    Rce = "rce",
    /// Path traversal, and files that are nobody's business.
    Lfi = "lfi",
    /// Inclusion of remote files.
    Rfi = "rfi",
    /// Requests that the server is made to send.
    Ssrf = "ssrf",
    /// Injection into templates and expressions.
    Ssti = "ssti",
    /// Injection of program code: PHP, Java, JavaScript, Python, Ruby.
    Code = "code",
    /// Look-ups that a logger carries out.
    Lookup = "lookup",
    /// Injection into LDAP filters.
    Ldap = "ldap",
    /// Injection into XPath and XSLT.
    Xpath = "xpath",
    /// XML entities: external ones, and those that explode.
    Xxe = "xxe",
    /// Server-side and edge-side includes.
    Ssi = "ssi",
    /// Line ends that split headers.
    Crlf = "crlf",
    /// Headers of mails.
    Mail = "mail",
    /// Redirects to elsewhere.
    Redirect = "redirect",
    /// Pollution of prototypes.
    Prototype = "prototype",
    /// Objects that are dangerous to deserialise.
    Deserialization = "deserialization",
    /// Uploads that a server may run.
    Upload = "upload",
    /// Scanners by their manners.
    Scanner = "scanner",
    /// Abuse of GraphQL.
    Graphql = "graphql",
    /// Data that grows when it is read.
    Bomb = "bomb",
    /// Misuse of HTTP.
    Protocol = "protocol",
    /// A limit of the inspection was met.
    InspectionLimit = "inspection-limit",
    /// A response that shows what it should not.
    Leak = "leak",
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no attack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAttack;

impl std::str::FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(word: &str) -> Result<Self, UnknownAttack> {
        Self::ALL.iter().copied().find(|attack| attack.as_str() == word).ok_or(UnknownAttack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_is_read_by_its_word_and_no_two_share_one() {
        for (attack, word) in Attack::ALL.iter().zip(Attack::WORDS) {
            assert_eq!(word.parse(), Ok(*attack));
        }
        assert_eq!("SQLi".parse::<Attack>(), Err(UnknownAttack));
    }
}
