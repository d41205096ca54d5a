//! `@detectSQLi` and `@detectXSS`: libinjection's verdicts.
//!
//! TX:0 becomes the fingerprint for SQL, the whole value for scripts. Neither leaves a reference in the log.

use palisade_codec::libinjection;

use super::Evaluation;

#[derive(Clone, Copy, Debug)]
pub(super) enum Injection {
    Sql,
    Script,
}

impl Injection {
    /// Strings of which every value that matches has one, ASCII case ignored.
    pub(super) fn telling_strings(self) -> Vec<&'static [u8]> {
        match self {
            Injection::Sql => libinjection::sqli_strings().collect(),
            // What its gate asks for.
            Injection::Script => vec![b"<", b"="],
        }
    }

    pub(super) fn evaluate(self, value: &[u8], context: &mut Evaluation) -> bool {
        match self {
            Injection::Sql => {
                let Some(fingerprint) = libinjection::sqli(value) else {
                    return false;
                };
                context.text = Some(fingerprint.as_bytes().to_vec());
                true
            }
            Injection::Script => {
                let found = libinjection::xss(value);
                if found {
                    context.groups[0] = Some(0..value.len());
                }
                found
            }
        }
    }
}
