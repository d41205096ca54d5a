//! From a file's text and flags to a configuration that holds together.

use crate::check::check;
use crate::decode::{Decode as _, Decoder};
use crate::diagnostic::Diagnostic;
use crate::inherit::inherit;
use crate::node::{Node, Origin, Value};
use crate::overrides::Overrides;
use crate::sections::Config;

use palisade_yaml::{YamlLimits, parse};

/// A configuration file may be this large. Above it: an error. 200 services take 40 KB.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// The deepest key of ours is at 6.
const LIMITS: YamlLimits = YamlLimits { bytes_max: FILE_BYTES_MAX, depth_max: 32, weight_max: 64 << 20 };

/// The listener's address when nobody says one.
pub(crate) const LISTEN: &str = "127.0.0.1:8080";

/// What reading gave.
#[derive(Clone, Debug)]
pub struct Read {
    /// The configuration; `None` when something in it is an error.
    pub config: Option<Config>,
    /// All that is to be said about it, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file, as far as reading needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its content.
    pub text: &'a [u8],
    /// The folder that relative paths in it start at; empty for the working directory.
    pub folder: &'a str,
}

/// Reads a configuration: the file's text if there is a file, with flags over it. Any bytes give an error or a
/// configuration, in time and memory that are linear in them.
pub fn read(file: Option<File<'_>>, overrides: &Overrides) -> Read {
    let mut decoder = Decoder::new(file.map_or("", |file| file.folder));
    let mut root = Node::empty_map(Origin::Default);
    if let Some(file) = file {
        match parse(file.text, &LIMITS) {
            Ok(node) => root = node,
            Err(broken) => return Read { config: None, diagnostics: vec![broken] },
        }
    }
    if root.value == Value::Null {
        root.value = Value::Map(Vec::new());
    }
    overrides.lay_over(&mut root, &mut decoder);
    inherit(&mut root, &mut decoder);
    let config = Config::decode(&root, &mut decoder);
    // What does not hold together is of interest only where each part is sound.
    let config = config.and_then(|config| check(config, &mut decoder));
    let config = config.filter(|_| decoder.sink.errors() == 0);
    Read { config, diagnostics: decoder.sink.finish() }
}
