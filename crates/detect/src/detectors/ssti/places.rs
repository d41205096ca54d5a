//! Names from which everything else is reached in the languages of templates, and what lies there.

use super::super::ascii;
use crate::Confidence;

/// Modules and libraries that start programs or get at the system.
pub(super) const MODULES: &[&str] = &[
    "os",
    "sys",
    "subprocess",
    "commands",
    "importlib",
    "platform",
    "pty",
    "socket",
    "popen2",
    "open3",
    "shutil",
    "child_process",
    "fs",
    "shellwords",
    "posix",
    "builtins",
    "ctypes",
    "pickle",
];

/// Roots from which everything can be reached.
pub(super) const ROOTS: &[&str] = &[
    "self",
    "os",
    "subprocess",
    "runtime",
    "process",
    "global",
    "root",
    "cycler",
    "joiner",
    "namespace",
    "lipsum",
    "request",
    "config",
    "application",
    "class",
    "system",
    "java",
    "javax",
    "kernel",
    "io",
    "open3",
    "app",
    "_self",
    "context",
    "env",
    "$class",
];

/// Paths that lead somewhere by themselves, with what they do.
pub(super) const PATHS: &[(&str, Confidence, &str)] = &[
    ("process.mainModule", Confidence::CERTAIN, "gets at Node's modules"),
    ("process.binding", Confidence::CERTAIN, "gets at Node's modules"),
    ("global.process", Confidence::STRONG, "gets at Node's process"),
    ("root.process", Confidence::STRONG, "gets at Node's process"),
    ("this.constructor.constructor", Confidence::CERTAIN, "gets at the constructor of functions"),
    ("process.env", Confidence::LIKELY, "reads the environment"),
    ("config.items", Confidence::STRONG, "reads the application's configuration"),
    ("config.iteritems", Confidence::STRONG, "reads the application's configuration"),
    ("config.SECRET_KEY", Confidence::STRONG, "reads the application's secret"),
    ("config.from_pyfile", Confidence::STRONG, "loads a configuration"),
    ("config.from_object", Confidence::STRONG, "loads a configuration"),
    ("settings.SECRET_KEY", Confidence::STRONG, "reads the application's secret"),
    ("settings.DATABASES", Confidence::STRONG, "reads the application's secret"),
    ("app.request.server", Confidence::STRONG, "reads the server's variables"),
    ("request.application", Confidence::STRONG, "gets at the application"),
    ("request.environ", Confidence::LIKELY, "reads the request's environment"),
    ("_self.env", Confidence::CERTAIN, "gets at the template's environment"),
    ("self.env", Confidence::LIKELY, "gets at the template's environment"),
    ("smarty.template_object", Confidence::STRONG, "gets at the template engine"),
    ("$smarty.template_object", Confidence::STRONG, "gets at the template engine"),
    ("$smarty.version", Confidence::LIKELY, "asks for the engine's version"),
    ("smarty.version", Confidence::LIKELY, "asks for the engine's version"),
    ("class.base", Confidence::LIKELY, "goes from a class to others"),
    ("class.mro", Confidence::LIKELY, "goes from a class to others"),
    ("class.classLoader", Confidence::STRONG, "gets at the class loader"),
    ("class.module.classLoader", Confidence::STRONG, "gets at the class loader"),
    ("class.protectionDomain", Confidence::STRONG, "gets at the class loader"),
    ("System.Diagnostics", Confidence::STRONG, "gets at programs"),
    ("System.IO.File", Confidence::STRONG, "reads or writes files"),
    ("System.Environment", Confidence::LIKELY, "reads the environment"),
    ("System.Reflection", Confidence::STRONG, "gets at classes by name"),
    ("System.shell", Confidence::STRONG, "starts a program"),
    ("System.cmd", Confidence::STRONG, "starts a program"),
    ("System.getProperty", Confidence::LIKELY, "reads the server's properties"),
    ("System.getenv", Confidence::STRONG, "reads the environment"),
    ("File.read", Confidence::LIKELY, "reads a file"),
    ("File.open", Confidence::LIKELY, "reads a file"),
    ("IO.popen", Confidence::STRONG, "starts a program"),
    ("IO.read", Confidence::LIKELY, "reads a file"),
    ("IO.readlines", Confidence::LIKELY, "reads a file"),
    ("Dir.entries", Confidence::LIKELY, "lists a folder"),
    ("Dir.glob", Confidence::LIKELY, "lists a folder"),
    ("Kernel.exec", Confidence::STRONG, "starts a program"),
    ("Kernel.system", Confidence::STRONG, "starts a program"),
    ("Open3.popen3", Confidence::STRONG, "starts a program"),
    ("Open3.capture2", Confidence::STRONG, "starts a program"),
    ("Process.spawn", Confidence::STRONG, "starts a program"),
    ("Code.eval_string", Confidence::STRONG, "runs a text as code"),
    ("Runtime.getRuntime", Confidence::CERTAIN, "gets at the Java runtime"),
];

/// Objects that pages of Java have without asking for them.
pub(super) const IMPLICIT: &[&str] = &[
    "pageContext",
    "applicationScope",
    "sessionScope",
    "requestScope",
    "facesContext",
    "session",
    "request",
    "response",
    "application",
    "externalContext",
];

/// Methods of texts that probes call.
pub(super) const PROBES: &[&str] = &[
    "toString",
    "toUpperCase",
    "toLowerCase",
    "concat",
    "replace",
    "getClass",
    "length",
    "upper",
    "lower",
    "format",
    "getBytes",
    "substring",
];

/// Whether a text is the name of a file that no template of the application has.
pub(super) fn is_server_path(text: &[u8]) -> bool {
    [
        &b"/etc/"[..],
        b"/proc/",
        b"/tmp/",
        b"/var/",
        b"/root/",
        b"/flag",
        b"file:",
        b"php:",
        b"../../",
        b"c:\\",
        b"/home/",
        b"\\\\",
    ]
    .iter()
    .any(|prefix| ascii::starts(text, prefix))
        || [&b"/etc/passwd"[..], b"win.ini"].iter().any(|word| ascii::find(text, word).is_some())
}

/// Parts of names of Python's internals, as texts: `['__class__']`, `"__cla"~"ss__"`, `["__","class","__"]|join`.
pub(super) const INTERNALS: &[&[u8]] = &[
    b"__class",
    b"__globals",
    b"__builtins",
    b"__subclass",
    b"__import__",
    b"__init__",
    b"__mro",
    b"__getitem",
    b"__base",
    b"__cla",
    b"__glo",
    b"__bui",
];
