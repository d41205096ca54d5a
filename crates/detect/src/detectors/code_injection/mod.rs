//! Code of a programming language that an interpreter on the server would run.
//!
//! # What it finds
//! Calls of PHP, Python, Node, Java, Ruby, Perl, .NET and their kin that start programs, run texts as code, read files or
//! get at classes; functions called by name; decoders inside `eval`; PHP's opening tag; Python's walks through internals.
//!
//! # Why it matters
//! What reaches `eval`, `assert`, `include`, a script engine or a console of the application runs with its rights.
//!
//! # How it decides
//! People write about code, and programs send it: `system()` in a sentence and `subprocess.run` in a file are no attack. So
//! two things count, what is called and how it stands in the value:
//!
//! ```text
//!  alone      the value is the call, perhaps after signs that end what was before     system("id")   ';phpinfo();//
//!  in a line  it stands among other code of one line                                  a=1;os.system("id")
//!  in a text  words before it, or a program of many lines around it                   a snippet, a manual
//! ```
//!
//! What only an attack writes (`eval(base64_decode(..))`, `system($_GET[..])`, `array_map("system", ..)`) counts anywhere.
//!
//! # Example
//! `';system($_GET['c']);//` reads: calls system() with what the client sends.
//!
//! # What it misses
//! Code that does its harm with the application's own functions; calls spelled by operators alone.
//!
//! # References
//! CWE-94, CWE-95, CWE-98; PHP manual, "Program execution Functions"; Node.js, "Child process"; OWASP, "Code Injection".

mod calls;
mod known;
mod php;
mod standing;
mod walks;

use palisade_codec::ByteSet;

use super::{Detector, Evidence};
use crate::{Attack, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "code-injection", attack: Attack::CodeInjection, gate: ByteSet::of(b"(?_."), look };

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let (text, set) = (value.bytes, value.set);
    if set.contains(b'?') && set.contains(b'<') {
        php::tags(text, evidence);
    }
    if set.contains(b'(') && calls::may_call(text) {
        calls::read(text, evidence);
    }
    if set.contains(b'.') {
        walks::process(text, evidence);
    }
    if set.contains(b'_') {
        walks::internals(text, evidence);
        php::superglobals(text, evidence);
    }
}
