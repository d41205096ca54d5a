//! `@detectSQLi` and `@detectXSS`: libinjection's verdicts.
//!
//! TX:0 becomes the fingerprint for SQL, the whole value for scripts. Neither leaves a reference in the log.

use palisade_codec::{ByteSet, libinjection};

use super::Evaluation;

#[derive(Clone, Copy, Debug)]
pub(super) enum Injection {
    Sql,
    Script,
}

impl Injection {
    /// Bytes of which every value that matches has one. Libinjection's gate for scripts is that and nothing else; its
    /// gate for SQL reads words, and the operator asks it first.
    pub(super) fn telling_bytes(self) -> Option<ByteSet> {
        match self {
            Injection::Sql => None,
            Injection::Script => Some(ByteSet::of(b"<=")),
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
