//! Functions, paths and words that code of attacks is made of, beyond what all languages share.

use super::super::ascii;

/// Names that attacks share with ordinary programs, which call them with anything.
pub(super) fn is_shared(name: &[u8]) -> bool {
    ascii::is_one_of(
        name,
        &[
            "compile",
            "function",
            "execute",
            "evaluate",
            "spawn",
            "fork",
            "assert",
            "expect_popen",
            "iex",
            "qx",
        ],
    )
}

/// Whether a word is a command that payloads try first.
pub(super) fn is_command(word: &[u8]) -> bool {
    ascii::is_one_of(
        word,
        &[
            "id", "whoami", "ls", "dir", "uname", "pwd", "cat", "ifconfig", "ipconfig", "hostname",
            "netstat", "ps", "ping", "curl", "wget", "nc", "bash", "sh", "cmd", "env", "printenv", "uptime",
            "nslookup", "ver",
        ],
    )
}

/// Functions that give the text that `eval` is to run.
pub(super) const DECODERS: &[&str] = &[
    "base64_decode",
    "gzinflate",
    "gzuncompress",
    "gzdecode",
    "str_rot13",
    "hex2bin",
    "urldecode",
    "rawurldecode",
    "convert_uudecode",
    "strrev",
    "atob",
    "unescape",
    "compile",
    "b64decode",
    "chr",
    "decode",
    "fromCharCode",
    "String",
    "Buffer",
    "pack",
    "implode",
    "request",
    "params",
    "bytes",
    "codecs",
    "marshal",
    "zlib",
    "base64",
];

/// Modules of Node that start programs or open files.
pub(super) const NODE_MODULES: &[&str] =
    &["child_process", "node:child_process", "fs", "node:fs", "os", "vm", "net", "cluster", "worker_threads"];

/// Paths that are called: whether only attacks write them, and what they do.
pub(super) const CHAINS: &[(&str, bool, &str)] = &[
    ("runtime.getruntime", true, "gets at the Java runtime"),
    ("lang.processbuilder", true, "makes a program to start"),
    ("process.mainmodule.require", true, "loads a module of Node from inside"),
    ("mainmodule.require", true, "loads a module of Node from inside"),
    ("process.binding", true, "gets at Node's own modules"),
    ("process.dlopen", true, "loads a library"),
    ("global.process.exit", true, "ends the process"),
    ("constructor.constructor", true, "makes a function of a text"),
    ("constructor._load", true, "loads a module of Node from inside"),
    ("child_process.exec", false, "starts a program"),
    ("child_process.execsync", false, "starts a program"),
    ("child_process.spawn", false, "starts a program"),
    ("os.system", false, "starts a program"),
    ("os.popen", false, "starts a program"),
    ("os.execute", false, "starts a program"),
    ("os.spawnl", false, "starts a program"),
    ("os.execl", false, "starts a program"),
    ("os.execv", false, "starts a program"),
    ("os.execve", false, "starts a program"),
    ("os.listdir", false, "lists a folder"),
    ("os.environ.get", false, "reads the environment"),
    ("subprocess.popen", false, "starts a program"),
    ("subprocess.call", false, "starts a program"),
    ("subprocess.run", false, "starts a program"),
    ("subprocess.check_output", false, "starts a program"),
    ("subprocess.check_call", false, "starts a program"),
    ("subprocess.getoutput", false, "starts a program"),
    ("commands.getoutput", false, "starts a program"),
    ("platform.popen", false, "starts a program"),
    ("pty.spawn", false, "starts a program"),
    ("importlib.import_module", false, "loads a module"),
    ("builtins.exec", false, "runs a text as code"),
    ("builtins.eval", false, "runs a text as code"),
    ("pickle.loads", false, "makes objects of a text"),
    ("io.popen", false, "starts a program"),
    ("kernel.exec", false, "starts a program"),
    ("kernel.system", false, "starts a program"),
    ("kernel.open", false, "opens a file or a program"),
    ("kernel.eval", false, "runs a text as code"),
    ("open3.capture2", false, "starts a program"),
    ("open3.popen3", false, "starts a program"),
    ("process.spawn", false, "starts a program"),
    ("diagnostics.process.start", false, "starts a program"),
    ("process.start", false, "starts a program"),
    ("reflection.assembly.load", false, "loads code"),
    ("scriptengine.eval", false, "runs a text as code"),
    ("system.getenv", false, "reads the environment"),
    ("system.shell", false, "starts a program"),
    ("class.forname", false, "gets at a class by name"),
    ("wscript.shell.run", false, "starts a program"),
    ("server.createobject", false, "makes an object of a class"),
    ("object.const_get", false, "gets at a class by name"),
];

/// Functions that matter here and not in templates.
pub(super) fn others(name: &[u8]) -> bool {
    ascii::is_one_of(
        name,
        &[
            "open",
            "start",
            "run",
            "call",
            "type",
            "createobject",
            "processbuilder",
            "write",
            "md5",
            "print",
            "printf",
            "die",
            "var_dump",
            "getattr",
            "url_include",
            "constructor",
            "ping",
            "sleep",
            "import",
            "reflectionfunction",
            "reflectionmethod",
        ],
    )
}

/// Whether a text names what no application opens for a visitor.
pub(super) fn is_reach(text: &[u8]) -> bool {
    [
        &b"/etc/"[..],
        b"/proc/",
        b"/var/",
        b"/root",
        b"/flag",
        b"php://",
        b"data:",
        b"http://",
        b"https://",
        b"ftp://",
        b"file:",
        b"expect:",
        b"phar:",
        b"c:\\",
        b"c:/",
        b"\\\\",
        b"/home/",
        b"/bin/",
        b"|",
    ]
    .iter()
    .any(|prefix| ascii::starts(text, prefix))
}
