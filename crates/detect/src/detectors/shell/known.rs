//! Commands, and what they look like when somebody means them. Facts of operating systems.
//!
//! Half of the names are English words. So a name alone says little; an option, a path, a host in its place says that a
//! program is called.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// What kind of program a name is, which says what arguments it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tells about the machine, has no other meaning: `whoami`, `ipconfig`.
    Tells,
    /// The same in two or three letters that also name fields: `id`, `ls`.
    Short,
    /// Takes files: `cat`, `type`.
    Files,
    /// Takes a host or an address: `ping`, `curl`.
    Net,
    /// Takes a time: `sleep`.
    Waits,
    /// Runs code that it is given: `perl`, `sh`, `powershell`.
    Runs,
    /// Repeats what it is given: `echo`.
    Says,
    /// An English word: `find`, `kill`.
    Word,
    /// Has verbs of its own: `net user`, `reg query`.
    Verbs,
    /// Runs the command that follows: `sudo`, `xargs`.
    Carries,
}

/// All names with their kinds.
static NAMES: LazyLock<FxHashMap<&str, Kind>> = LazyLock::new(|| {
    // Of a name that stands twice the first kind counts.
    KINDS.iter().rev().flat_map(|(kind, names)| names.iter().map(|name| (*name, *kind))).collect()
});

/// Makes the table of names.
pub(super) fn prepare() {
    LazyLock::force(&NAMES);
}

/// What a name in lower case is.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    let name = std::str::from_utf8(name).ok()?;
    NAMES.get(name).copied().or_else(|| {
        // `python3.11`, `php8.2`, `ruby2`.
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        (bare.len() < name.len() && matches!(bare, "python" | "php" | "ruby" | "perl" | "lua" | "pip"))
            .then_some(Kind::Runs)
    })
}

/// Whether it is a cmdlet of PowerShell: `Get-Content`.
pub(super) fn is_cmdlet(name: &[u8]) -> bool {
    let Some(dash) = memchr::memchr(b'-', name) else { return false };
    let (verb, noun) = (name[..dash].to_ascii_lowercase(), &name[dash + 1..]);
    let known = CMDLET_VERBS.iter().any(|known| verb == known.as_bytes());
    known && noun.len() >= 3 && noun.iter().all(u8::is_ascii_alphabetic) && noun[0].is_ascii_uppercase()
        || known && CMDLET_NOUNS.iter().any(|known| noun.eq_ignore_ascii_case(known.as_bytes()))
}

/// The name that a path with wildcards can only be: `/???/c?t`.
pub(super) fn of_glob(path: &[u8]) -> Option<&'static str> {
    if path.len() > 64 || !path.starts_with(b"/") || !path.iter().any(|byte| b"?*[".contains(byte)) {
        return None;
    }
    let mut parts: Vec<&[u8]> = path[1..].split(|byte| *byte == b'/').collect();
    let file = parts.pop()?;
    // Something of the name has to be there: `/???/???` is anything.
    if parts.is_empty() || parts.len() > 3 || !file.iter().any(u8::is_ascii_alphanumeric) {
        return None;
    }
    let folders: &[&str] = &["bin", "usr", "sbin", "local"];
    if !parts.iter().all(|part| folders.iter().any(|folder| matches_glob(part, folder.as_bytes()))) {
        return None;
    }
    KINDS.iter().flat_map(|(_, names)| names.iter().copied()).find(|name| matches_glob(file, name.as_bytes()))
}

/// Whether a name matches a pattern of `?`, `*` and `[...]`. O(n * m) of short texts.
fn matches_glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => {
                let end = pattern[p..].iter().position(|byte| *byte == b']');
                end.filter(|end| in_class(&pattern[p + 1..p + end], name[n])).map(|end| end + 1)
            }
            Some(byte) if *byte == name[n] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                n += 1;
            }
            (None, Some((at, from))) => {
                p = at + 1;
                n = from + 1;
                star = Some((at, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let (negated, class) = match class {
        [b'!' | b'^', rest @ ..] => (true, rest),
        class => (false, class),
    };
    let mut rest = class;
    let mut found = false;
    while let [first, tail @ ..] = rest {
        match tail {
            [b'-', last, tail @ ..] => {
                found |= (*first..=*last).contains(&byte);
                rest = tail;
            }
            _ => {
                found |= *first == byte;
                rest = tail;
            }
        }
    }
    found != negated
}

/// Options of programs that run what they are given, where the programs themselves are called by the application.
pub(super) const RUNNING_OPTIONS: &[&str] = &[
    "-oproxycommand=",
    "-olocalcommand=",
    "--gpu-launcher=",
    "--renderer-cmd-prefix=",
    "--utility-cmd-prefix=",
    "--checkpoint-action=",
    "--use-compress-program=",
    "--upload-pack=",
    "--receive-pack=",
    "--to-command=",
    "--rsh-command=",
    "--use-askpass=",
    "--post-file=/",
    "--pager=",
];

const KINDS: &[(Kind, &[&str])] = &[
    (
        Kind::Tells,
        &[
            "whoami",
            "ipconfig",
            "ifconfig",
            "netstat",
            "systeminfo",
            "sysinfo",
            "tasklist",
            "printenv",
            "uname",
            "lsb_release",
            "crontab",
            "getent",
            "lsof",
            "dmesg",
            "lscpu",
            "lsblk",
            "lsmod",
            "sysctl",
            "hostnamectl",
            "quser",
            "qwinsta",
            "driverquery",
            "gpresult",
            "vssadmin",
            "vmstat",
            "iostat",
            "getmac",
            "systemctl",
            "journalctl",
            "useradd",
            "adduser",
            "usermod",
            "taskkill",
            "schtasks",
            "nltest",
            "dsquery",
            "cmdkey",
            "logname",
            "iptables",
            "getcap",
            "capsh",
        ],
    ),
    (
        Kind::Short,
        &[
            "id", "ls", "dir", "env", "ps", "pwd", "ver", "vol", "df", "du", "uptime", "hostname", "arp",
            "ss", "ll", "gci", "gps",
        ],
    ),
    (
        Kind::Files,
        &[
            "cat",
            "tac",
            "nl",
            "head",
            "tail",
            "more",
            "less",
            "strings",
            "od",
            "xxd",
            "hexdump",
            "base64",
            "base32",
            "rev",
            "cut",
            "sed",
            "grep",
            "egrep",
            "fgrep",
            "zcat",
            "wc",
            "tee",
            "cp",
            "mv",
            "rm",
            "ln",
            "chmod",
            "chown",
            "chgrp",
            "touch",
            "mkdir",
            "rmdir",
            "tar",
            "zip",
            "unzip",
            "gzip",
            "gunzip",
            "type",
            "copy",
            "move",
            "del",
            "erase",
            "attrib",
            "icacls",
            "cacls",
            "findstr",
            "vi",
            "vim",
            "nano",
            "ed",
            "diff",
            "file",
            "stat",
            "readlink",
            "source",
            "dd",
            "rsync",
            "xcopy",
            "robocopy",
            "sort",
            "uniq",
            "paste",
            "fold",
            "gc",
            "ren",
            "tree",
            "md",
            "rd",
            "cd",
            "chdir",
            "pushd",
            "mkfifo",
            "mknod",
            "shred",
            "truncate",
            "scp",
            "certutil",
            "get-content",
            "iconv",
            "awk",
            "gawk",
            "mawk",
            "split",
            "tr",
            "openssl",
            "jq",
            "xmllint",
        ],
    ),
    (
        Kind::Net,
        &[
            "ping",
            "ping6",
            "nslookup",
            "dig",
            "host",
            "curl",
            "wget",
            "fetch",
            "lynx",
            "links",
            "w3m",
            "nc",
            "ncat",
            "netcat",
            "nc.traditional",
            "nc.openbsd",
            "telnet",
            "ssh",
            "sftp",
            "ftp",
            "tftp",
            "socat",
            "nmap",
            "traceroute",
            "tracert",
            "bitsadmin",
            "iwr",
            "irm",
            "invoke-webrequest",
            "invoke-restmethod",
            "mshta",
            "whois",
            "aria2c",
            "axel",
        ],
    ),
    (Kind::Waits, &["sleep", "usleep", "timeout", "start-sleep"]),
    (
        Kind::Runs,
        &[
            "sh",
            "bash",
            "dash",
            "zsh",
            "ksh",
            "csh",
            "tcsh",
            "ash",
            "rbash",
            "fish",
            "python",
            "perl",
            "ruby",
            "php",
            "node",
            "nodejs",
            "deno",
            "lua",
            "tclsh",
            "osascript",
            "powershell",
            "pwsh",
            "cmd",
            "wscript",
            "cscript",
            "rundll32",
            "regsvr32",
            "msiexec",
            "iex",
            "invoke-expression",
            "gcc",
            "java",
            "php-cgi",
            "forfiles",
            "msbuild",
            "installutil",
            "gdb",
            "expect",
            "sqlite3",
            "mysql",
            "psql",
            "redis-cli",
            "pip",
            "npm",
        ],
    ),
    (Kind::Says, &["echo", "printf", "print", "write-output", "write-host"]),
    (
        Kind::Word,
        &[
            "find",
            "[",
            "[[",
            "kill",
            "killall",
            "pkill",
            "test",
            "date",
            "who",
            "last",
            "lastlog",
            "time",
            "make",
            "man",
            "at",
            "expr",
            "exec",
            "read",
            "mail",
            "sendmail",
            "mutt",
            "join",
            "look",
            "yes",
            "which",
            "where",
            "whereis",
            "locate",
            "install",
            "service",
            "history",
            "free",
            "mount",
            "umount",
            "shutdown",
            "reboot",
            "halt",
            "poweroff",
            "init",
            "passwd",
            "su",
            "export",
            "set",
            "unset",
            "alias",
            "docker",
            "kubectl",
            "dpkg",
            "rpm",
            "git",
            "apt",
            "apt-get",
            "yum",
            "apk",
            "top",
            "htop",
            "finger",
            "users",
            "help",
            "ed",
            "script",
            "screen",
            "tmux",
            "at.exe",
            "chroot",
            "ar",
            "ltrace",
            "strace",
            "setx",
            "start-process",
        ],
    ),
    (
        Kind::Verbs,
        &[
            "net", "net1", "reg", "sc", "wmic", "netsh", "for", "query", "route", "ip", "assoc", "bcdedit",
            "diskpart", "wevtutil", "auditpol", "fsutil",
        ],
    ),
    (
        Kind::Carries,
        &[
            "sudo", "doas", "nohup", "xargs", "nice", "ionice", "command", "builtin", "eval", "watch",
            "setsid", "stdbuf", "busybox", "toybox", "start", "call", "then", "do", "else", "elif", "if",
            "while", "until", "!", "{", "time", "exec", "unbuffer", "parallel", "gosu", "flock",
        ],
    ),
];

const CMDLET_VERBS: &[&str] = &[
    "get",
    "set",
    "new",
    "invoke",
    "start",
    "stop",
    "remove",
    "add",
    "out",
    "write",
    "import",
    "export",
    "test",
    "copy",
    "move",
    "rename",
    "clear",
    "select",
    "where",
    "foreach",
    "convertto",
    "convertfrom",
    "enter",
    "register",
    "enable",
    "disable",
    "restart",
    "expand",
    "compress",
];

const CMDLET_NOUNS: &[&str] = &[
    "content",
    "childitem",
    "process",
    "service",
    "item",
    "itemproperty",
    "expression",
    "webrequest",
    "restmethod",
    "command",
    "object",
    "location",
    "wmiobject",
    "ciminstance",
    "netipaddress",
    "netipconfiguration",
    "localuser",
    "aduser",
    "eventlog",
    "host",
    "file",
    "hotfix",
    "computerinfo",
    "acl",
    "sleep",
];

/// Verbs of the programs that have some.
pub(super) const VERBS: &[(&str, &[&str])] = &[
    (
        "net",
        &[
            "user",
            "users",
            "view",
            "localgroup",
            "group",
            "start",
            "stop",
            "share",
            "use",
            "config",
            "accounts",
            "session",
            "statistics",
            "time",
        ],
    ),
    ("net1", &["user", "localgroup", "group", "start", "stop", "share", "use"]),
    ("reg", &["query", "add", "delete", "save", "export", "import", "load"]),
    ("sc", &["query", "queryex", "create", "config", "start", "stop", "delete", "qc"]),
    (
        "wmic",
        &[
            "process",
            "os",
            "useraccount",
            "service",
            "product",
            "computersystem",
            "logicaldisk",
            "startup",
            "share",
            "qfe",
            "bios",
            "group",
            "csproduct",
            "volume",
            "path",
            "/node",
        ],
    ),
    ("netsh", &["firewall", "advfirewall", "interface", "wlan", "int", "winhttp", "http"]),
    ("query", &["user", "session", "process"]),
    ("route", &["print", "add", "-n"]),
    ("ip", &["addr", "a", "route", "r", "link", "neigh", "address"]),
    ("bcdedit", &["/enum", "/set"]),
    ("wevtutil", &["cl", "qe", "el"]),
    ("auditpol", &["/get", "/set"]),
    ("fsutil", &["fsinfo"]),
    ("for", &["/f", "/l", "/r", "/d"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known() {
        assert_eq!(kind(b"whoami"), Some(Kind::Tells));
        assert_eq!(kind(b"python3.11"), Some(Kind::Runs));
        assert_eq!(kind(b"house"), None);
        assert!(is_cmdlet(b"Get-Content") && is_cmdlet(b"invoke-expression") && !is_cmdlet(b"out-of-stock"));
    }

    #[test]
    fn wildcards_name_commands() {
        assert_eq!(of_glob(b"/???/c?t"), Some("cat"));
        assert_eq!(of_glob(b"/b[i]n/w*am?"), Some("whoami"));
        assert_eq!(of_glob(b"/usr/*/n?"), Some("nl"));
        assert_eq!(of_glob(b"/api/*/items"), None);
        assert_eq!(of_glob(b"/???/???"), None);
    }
}
