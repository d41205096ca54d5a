//! Files that everybody who breaks in asks for, and folders in which they lie. Facts of operating systems and servers.

/// How well a file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It holds secrets, or is asked for by nobody else.
    Secret,
    /// A file of a system or server.
    File,
    /// Something in a folder of a system.
    Folder,
}

/// What is known of a path that was climbed to: in lower case, separated by `/`, without a first one.
pub(super) fn known(target: &[u8]) -> Option<Known> {
    let target = without_suffix(target);
    if ends_with_any(target, SECRETS) || begins_with_any(target, SECRET_FOLDERS) {
        return Some(Known::Secret);
    }
    if ends_with_any(target, FILES) {
        return Some(Known::File);
    }
    begins_with_any(target, FOLDERS).then_some(Known::Folder)
}

/// What is known of an absolute path. Fewer files count: programs name `/etc/hosts` in honest messages.
pub(super) fn known_from_root(target: &[u8]) -> Option<Known> {
    let target = without_suffix(target);
    let hidden = SECRETS.iter().filter(|name| name.starts_with(b".") || name.starts_with(b"w"));
    let in_home = hidden.copied().any(|name| ends_with_any(target, &[name]));
    if SECRETS.contains(&target) || in_home || begins_with_any(target, SECRET_FOLDERS) {
        return Some(Known::Secret);
    }
    let served = begins_with_any(target, SERVED) && ends_with_any(target, FILES);
    let configured =
        target.strip_prefix(b"etc/").is_some_and(|name| CONFIGURED.contains(&name) || is_internal(name));
    let kept = begins_with_any(target, KEPT) && !target.ends_with(b"/") && !is_asset(target);
    let known = FILES.contains(&target) || ends_with_any(target, EVERYWHERE);
    (known || served || configured || kept).then_some(Known::File)
}

/// Whether a relative path names a file of the application that it would never hand out.
pub(super) fn is_kept(target: &[u8]) -> bool {
    let target = without_suffix(target);
    begins_with_any(target, &[b"web-inf/", b"meta-inf/"])
        || [&b".git/config"[..], b".git/head", b".svn/entries", b".aws/credentials", b".ssh/id_rsa"]
            .contains(&target)
}

/// Whether a word names a file that holds secrets: a command's argument. Wildcards stand for what they can only mean.
pub(in super::super) fn is_secret(word: &[u8]) -> bool {
    let mut path: Vec<u8> = word
        .iter()
        .take(256)
        .map(|byte| if *byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() })
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if path.get(1) == Some(&b':') {
        path.drain(..2);
    }
    if path.first() != Some(&b'/') {
        return false;
    }
    path.dedup_by(|a, b| *a == b'/' && *b == b'/');
    let path = &path[1..];
    if path.iter().any(|byte| b"?*[".contains(byte)) {
        let telling = path.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2;
        return telling && [&b"etc/passwd"[..], b"etc/shadow"].iter().any(|secret| could_be(path, secret));
    }
    known_from_root(path) == Some(Known::Secret)
}

/// Whether a pattern of `?` and `*` means a path, segment by segment, each as long as it must be.
fn could_be(pattern: &[u8], path: &[u8]) -> bool {
    let (mut patterns, mut parts) = (pattern.split(|byte| *byte == b'/'), path.split(|byte| *byte == b'/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if matches_part(pattern, part) => {}
            _ => return false,
        }
    }
}

fn matches_part(pattern: &[u8], part: &[u8]) -> bool {
    match memchr::memchr(b'*', pattern) {
        None => same(pattern, part),
        // What stands before the first and behind the last star is fixed.
        Some(first) => {
            let last = memchr::memrchr(b'*', pattern).unwrap_or(first);
            let tail = &pattern[last + 1..];
            part.len() >= first + tail.len()
                && same(&pattern[..first], &part[..first])
                && same(tail, &part[part.len() - tail.len()..])
        }
    }
}

fn same(pattern: &[u8], part: &[u8]) -> bool {
    pattern.len() == part.len() && pattern.iter().zip(part).all(|(a, b)| *a == b'?' || a == b)
}

/// Whether a file is of the kinds that pages link relatively.
pub(super) fn is_asset(target: &[u8]) -> bool {
    extension(target).is_some_and(|extension| ASSETS.contains(&extension))
}

/// Whether a file is of the kinds that pages never link.
pub(super) fn is_internal(target: &[u8]) -> bool {
    extension(target).is_some_and(|extension| INTERNALS.contains(&extension))
}

fn extension(target: &[u8]) -> Option<&[u8]> {
    let name = target.rsplit(|byte| *byte == b'/').next()?;
    let dot = memchr::memrchr(b'.', name)?;
    Some(&name[dot + 1..])
}

/// `.jpg` behind a NUL is gone already; a blank or a dot at the end is what Windows takes off.
fn without_suffix(target: &[u8]) -> &[u8] {
    let mut target = target;
    // What an application appends, after the file of a system.
    for suffix in [&b".html"[..], b".htm", b".php", b".jpg", b".png", b".txt", b".jsp", b".pdf"] {
        if let Some(name) = target.strip_suffix(suffix)
            && (FILES.contains(&name) || SECRETS.contains(&name))
        {
            target = name;
        }
    }
    while let [rest @ .., b'.' | b' ' | b'\'' | b'"'] = target {
        target = rest;
    }
    target
}

/// Whether it is one of the names, or ends in one behind a separator.
fn ends_with_any(target: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|name| {
        target.strip_suffix(*name).is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
    })
}

fn begins_with_any(target: &[u8], folders: &[&[u8]]) -> bool {
    folders.iter().any(|folder| target.starts_with(folder))
}

const SECRETS: &[&[u8]] = &[
    b"etc/passwd",
    b"etc/passwd-",
    b"etc/shadow",
    b"etc/shadow-",
    b"etc/master.passwd",
    b"etc/gshadow",
    b"etc/sudoers",
    b"etc/security/passwd",
    b"etc/security/opasswd",
    b"etc/security/group",
    b"etc/kubernetes/admin.conf",
    b"boot.ini",
    b"windows/win.ini",
    b"winnt/win.ini",
    b"windows/system.ini",
    b"windows/repair/sam",
    b"winnt/repair/sam",
    b"windows/system32/config/sam",
    b"windows/system32/config/system",
    b"windows/system32/drivers/etc/hosts",
    b"winnt/system32/drivers/etc/hosts",
    b"windows/panther/unattend.xml",
    b"autoexec.bat",
    b"web-inf/web.xml",
    b"meta-inf/context.xml",
    b".git/config",
    b".git/head",
    b".svn/entries",
    b".svn/wc.db",
    b".env",
    b".htpasswd",
    b".aws/credentials",
    b".ssh/id_rsa",
    b".ssh/id_dsa",
    b".ssh/id_ecdsa",
    b".ssh/id_ed25519",
    b".ssh/authorized_keys",
    b".ssh/known_hosts",
    b".bash_history",
    b".mysql_history",
    b".kube/config",
    b".docker/config.json",
    b".pgpass",
    b".my.cnf",
    b".netrc",
    b"wp-config.php",
    b"id_rsa",
    b"serviceaccount/token",
];

const SECRET_FOLDERS: &[&[u8]] = &[
    b"proc/self/",
    b"proc/1/",
    b"proc/thread-self/",
    b"etc/ssh/",
    b"root/.ssh/",
    b"etc/ssl/private/",
    b"etc/pki/tls/private/",
    b"var/run/secrets/",
    b"run/secrets/",
    b"windows/repair/",
    b"winnt/repair/",
    b"windows/system32/config/",
];

const FILES: &[&[u8]] = &[
    b"etc/group",
    b"etc/hosts",
    b"etc/issue",
    b"etc/hostname",
    b"etc/crontab",
    b"etc/fstab",
    b"etc/mtab",
    b"etc/motd",
    b"etc/profile",
    b"etc/bashrc",
    b"etc/resolv.conf",
    b"etc/my.cnf",
    b"etc/mysql/my.cnf",
    b"etc/hosts.allow",
    b"etc/hosts.deny",
    b"etc/os-release",
    b"etc/redhat-release",
    b"etc/debian_version",
    b"etc/inetd.conf",
    b"etc/syslog.conf",
    b"etc/exports",
    b"etc/ftpusers",
    b"drivers/etc/hosts",
    b"drivers/etc/networks",
    b"proc/version",
    b"proc/cpuinfo",
    b"proc/meminfo",
    b"proc/mounts",
    b"proc/cmdline",
    b"proc/net/arp",
    b"proc/net/route",
    b"proc/net/tcp",
    b"proc/net/fib_trie",
    b"proc/sched_debug",
    b"dev/random",
    b"dev/urandom",
    b"dev/zero",
    b"php.ini",
    b"php5.ini",
    b"httpd.conf",
    b"apache.conf",
    b"apache2.conf",
    b"nginx.conf",
    b"my.ini",
    b"my.cnf",
    b"server.xml",
    b"tomcat-users.xml",
    b"web.xml",
    b"web.config",
    b"applicationhost.config",
    b"global.asa",
    b"access.log",
    b"access_log",
    b"error.log",
    b"error_log",
    b"paniclog",
    b"mainlog",
    b"rejectlog",
    b"auth.log",
    b"syslog",
    b"vsftpd.log",
    b"xferlog",
    b"sshd_config",
    b"vsftpd.conf",
    b"proftpd.conf",
    b"pure-ftpd.conf",
    b"pure-config.pl",
    b".htaccess",
    b".profile",
    b".bashrc",
    b".bash_profile",
    b"config.php",
    b"configuration.php",
    b"settings.php",
    b"database.yml",
    b"secrets.yml",
    b"application.properties",
    b"application.yml",
    b"appsettings.json",
    b"cmd.exe",
    b"iissamples",
    b"ntuser.dat",
];

const FOLDERS: &[&[u8]] = &[
    b"etc/",
    b"var/",
    b"proc/",
    b"usr/",
    b"root/",
    b"home/",
    b"opt/",
    b"sys/",
    b"dev/",
    b"bin/",
    b"sbin/",
    b"windows/",
    b"winnt/",
    b"inetpub/",
    b"program files",
    b"documents and settings/",
    b"users/administrator/",
    b"xampp/",
    b"web-inf/",
    b"meta-inf/",
    b".git/",
    b".svn/",
    b".hg/",
    b".ssh/",
    b".aws/",
];

/// Files of servers that are known wherever they lie.
const EVERYWHERE: &[&[u8]] = &[
    b"php.ini",
    b"httpd.conf",
    b"access_log",
    b"error_log",
    b"access.log",
    b"error.log",
    b"my.cnf",
    b"my.ini",
    b"pure-ftpd.conf",
    b"pure-config.pl",
    b"xferlog",
    b"config.inc.php",
    b"ntuser.dat",
    b"unattend.xml",
    b"tomcat-users.xml",
    b"anaconda-ks.cfg",
    b"sam",
    b"ntds.dit",
];

/// Files of /etc without an extension that tells.
const CONFIGURED: &[&[u8]] = &[
    b"aliases",
    b"anacrontab",
    b"at.allow",
    b"at.deny",
    b"bootptab",
    b"chrootusers",
    b"cron.allow",
    b"cron.deny",
    b"environment",
    b"ftpaccess",
    b"ftpchroot",
    b"ftphosts",
    b"groups",
    b"gshadow-",
    b"hosts.equiv",
    b"init.d",
    b"inittab",
    b"ld.so.preload",
    b"localtime",
    b"login.defs",
    b"logrotate.d",
    b"lsb-release",
    b"machine-id",
    b"modules",
    b"mail/sendmail.mc",
    b"mtab",
    b"network/interfaces",
    b"networks",
    b"printcap",
    b"protocols",
    b"rc.local",
    b"rpc",
    b"securetty",
    b"services",
    b"shells",
    b"subuid",
    b"termcap",
    b"timezone",
    b"vsftpd.chroot_list",
    b"wu-ftpd/ftpaccess",
    b"wu-ftpd/ftphosts",
    b"apt/sources.list",
    b"sysconfig/network",
    b"apache2/sites-available/default",
    b"apache2/envvars",
    b"security/environ",
    b"security/limits",
    b"security/lastlog",
    b"security/user",
    b"pure-ftpd/pureftpd.pdb",
    b"logrotate.d/ftp",
    b"logrotate.d/proftpd",
    b"ssh/ssh_host_dsa_key",
    b"centos-release",
    b"fedora-release",
    b"system-release",
];

/// Folders whose files belong to the system.
const KEPT: &[&[u8]] = &[
    b"var/log/",
    b"var/mail/",
    b"var/spool/",
    b"var/lib/mysql/",
    b"var/cpanel/",
    b"var/adm/",
    b"root/.",
    b"windows/",
    b"winnt/",
    b"inetpub/",
    b"proc/net/",
    b"proc/sys/",
];

/// Where servers keep what they serve and write.
const SERVED: &[&[u8]] = &[
    b"var/log/",
    b"etc/",
    b"usr/local/",
    b"opt/lampp/",
    b"xampp/",
    b"inetpub/",
    b"apache",
    b"program files",
    b"windows/",
    b"winnt/",
    b"var/www/",
    b"srv/",
];

const ASSETS: &[&[u8]] = &[
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"avif", b"css", b"scss", b"less", b"js",
    b"mjs", b"ts", b"tsx", b"jsx", b"map", b"html", b"htm", b"md", b"rst", b"txt", b"pdf", b"json", b"woff",
    b"woff2", b"ttf", b"otf", b"eot", b"mp3", b"mp4", b"webm", b"vue", b"rs", b"go", b"py", b"h", b"hpp",
    b"c", b"cpp", b"java", b"adoc", b"xsd", b"proto", b"csv",
];

const INTERNALS: &[&[u8]] = &[
    b"log",
    b"conf",
    b"cfg",
    b"cnf",
    b"config",
    b"ini",
    b"env",
    b"bak",
    b"old",
    b"orig",
    b"swp",
    b"sql",
    b"sqlite",
    b"db",
    b"mdb",
    b"key",
    b"pem",
    b"p12",
    b"pfx",
    b"jks",
    b"crt",
    b"properties",
    b"inc",
    b"php",
    b"asp",
    b"aspx",
    b"jsp",
    b"pl",
    b"cgi",
    b"sh",
    b"bat",
    b"cmd",
    b"exe",
    b"dll",
    b"xml",
    b"yml",
    b"yaml",
    b"passwd",
    b"htpasswd",
];
