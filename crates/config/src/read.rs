//! From a file's text and flags to a configuration that holds together.

use crate::check::{check, check_console, excepts_something};
use crate::decode::{Decode as _, Decoder};
use crate::diagnostic::Diagnostic;
use crate::inherit::{inherit, lay_over_profile};
use crate::node::{Node, Origin, Value};
use crate::overrides::Overrides;
use crate::sections::{Config, Exception};

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
    read_changed(file, overrides, None)
}

/// A change of a profile, to be tried.
#[derive(Clone, Copy, Debug)]
pub struct ProfileChange<'a> {
    /// The profile.
    pub name: &'a str,
    /// Keys of it, YAML, in place of its own; as with `base`, lists of custom rules add up.
    pub text: &'a [u8],
}

/// Reads a configuration with a profile changed.
pub fn read_changed(
    file: Option<File<'_>>,
    overrides: &Overrides,
    change: Option<ProfileChange<'_>>,
) -> Read {
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
    if let Some(ProfileChange { name, text }) = change {
        match parse(text, &TEXT_LIMITS) {
            Ok(change) => lay_over_profile(&mut root, name, change, &mut decoder),
            Err(broken) => return Read { config: None, diagnostics: vec![broken] },
        }
    }
    let config = Config::decode(&root, &mut decoder);
    // What does not hold together is of interest only where each part is sound.
    let config = config.and_then(|config| match overrides.is_for_console {
        true => check_console(config, &mut decoder),
        false => check(config, &mut decoder),
    });
    let config = config.filter(|_| decoder.sink.errors() == 0);
    Read { config, diagnostics: decoder.sink.finish() }
}

/// Reads one exception, YAML or JSON, as a list of a configuration would hold it.
///
/// # Errors
/// All that is wrong with it.
pub fn read_exception(text: &[u8]) -> Result<Exception, Vec<Diagnostic>> {
    let root = parse(text, &TEXT_LIMITS).map_err(|broken| vec![broken])?;
    let mut decoder = Decoder::new("");
    let exception = Exception::decode(&root, &mut decoder);
    let exception = exception.filter(|exception| match excepts_something(exception) {
        Ok(()) => true,
        Err((message, help)) => {
            decoder.error(&root, message, Some(help.to_owned()));
            false
        }
    });
    match exception.filter(|_| decoder.sink.errors() == 0) {
        Some(exception) => Ok(exception),
        None => Err(decoder.sink.finish()),
    }
}

/// Texts that are no files: an exception with some hundred points, keys of a profile.
const TEXT_LIMITS: YamlLimits = YamlLimits { bytes_max: 64 << 10, depth_max: 16, weight_max: 1 << 20 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_alone_is_read_as_one_of_a_list_is() {
        let json =
            br#"{"rules": [942100, "941100-941999"], "attacks": [], "points": ["query:q"], "paths": ["/a"]}"#;
        let exception = read_exception(json).unwrap();
        let ids: Vec<String> = exception.rules.iter().map(|ids| ids.to_string()).collect();
        assert_eq!(ids, ["942100", "941100-941999"]);
        assert_eq!(
            read_exception(b"{rules: [942100, 941100-941999], points: [\"query:q\"], paths: [/a]}")
                .unwrap()
                .points,
            exception.points
        );
        for (text, said) in [
            ("{}", "does not say from what"),
            ("{\"rules\": [], \"points\": [\"query:q\"]}", "does not say from what"),
            ("{\"rules\": [\"x\"]}", "is no rule's id"),
            ("{\"rules\": [1], \"paths\": [\"x\"]}", "is not a path"),
            ("{\"rules\": [1], \"other\": 1}", "other"),
            ("[", ""),
        ] {
            let wrong = read_exception(text.as_bytes()).unwrap_err();
            let all: String = wrong.iter().map(|one| format!("{one:?}")).collect();
            assert!(!wrong.is_empty() && all.contains(said), "{text}: {all}");
        }
    }

    #[test]
    fn a_profile_is_changed_key_by_key_and_lists_add_up() {
        let file = b"services: [{name: w, upstream: {url: \"http://a\"}, profile: p}]\nprofiles: {p: {mode: block, limits: {arguments: 7, jsonDepth: 9}, exceptions: [{rules: [1]}]}}";
        let changed = |text: &str| {
            let file = File { text: file, folder: "" };
            read_changed(
                Some(file),
                &Overrides::default(),
                Some(ProfileChange { name: "p", text: text.as_bytes() }),
            )
        };
        let read = changed("limits: {arguments: 8}\nexceptions: [{rules: [2]}]");
        let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        let profile = config.profiles.iter().next().unwrap().1;
        assert_eq!((profile.limits.arguments.get(), profile.limits.json_depth.get()), (8, 9));
        assert_eq!((profile.mode.as_str(), profile.exceptions.len()), ("block", 2));
        for wrong in ["mod: block", "base: p", "- 1", "{", "mode: loud"] {
            let read = changed(wrong);
            assert!(read.config.is_none() && !read.diagnostics.is_empty(), "{wrong}");
        }
        assert!(changed("").config.is_some());
    }
}
