//! A path, walked as lenient readers walk it.

/// Where a path goes.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Segments that go up.
    pub(super) ups: usize,
    /// Segments of three and more dots: what `....//` and `.../` are before a filter has taken `../` out.
    pub(super) dotted: usize,
    /// The oddest spelling among its dots and separators.
    pub(super) odd: Odd,
    /// Whether it begins at a root: `/`, `\`, `C:`, `~`.
    pub(super) absolute: bool,
    /// Whether it goes up from there: nobody does.
    pub(super) above_root: bool,
    /// Where it arrives: the segments after the last that goes up, in lower case, joined by `/`; ends at a NUL, a `;`, `?`
    /// or `#`.
    pub(super) target: Vec<u8>,
}

/// How oddly dots and separators are spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    #[default]
    None,
    /// `..;a=b/`: Tomcat takes the parameter off after others have judged the path.
    Parameter,
    /// A NUL or another control character.
    Control,
    /// U+FF0E, U+2215 and others that are folded to ASCII.
    LookAlike,
    /// Overlong UTF-8: nobody writes it by accident.
    Overlong,
}

impl Walk {
    /// Walks a text. O(n).
    pub(super) fn of(text: &[u8]) -> Self {
        let mut walk = Self::default();
        let spelled_out;
        let text = if memchr::memmem::find(text, b"0x2e0x2e").is_some() {
            spelled_out = without_numbers(text);
            &spelled_out[..]
        } else {
            text
        };
        let (folded, spelled) = fold(text);
        let drive = folded.len() > 2 && folded[0].is_ascii_alphabetic() && folded[1] == b':';
        walk.absolute = drive || folded.first() == Some(&b'/') || folded.starts_with(b"~/");
        let mut depth = 0_usize;
        let mut rest = &folded[if drive { 2 } else { usize::from(folded.starts_with(b"~/")) }..];
        // Segments since the last that went up.
        let mut since = rest;
        while !rest.is_empty() {
            let len = memchr::memchr(b'/', rest).unwrap_or(rest.len());
            let mut segment = rest[..len].trim_ascii();
            while let [before @ .., 0] = segment {
                segment = before;
            }
            rest = rest.get(len + 1..).unwrap_or_default();
            let up = match segment {
                b".." => {
                    walk.ups += 1;
                    true
                }
                [b'.', b'.', b';', ..] => {
                    walk.ups += 1;
                    walk.odd = walk.odd.max(Odd::Parameter);
                    true
                }
                [b'.', b'.', b'.', more @ ..] if more.iter().all(|byte| *byte == b'.') => {
                    walk.dotted += 1;
                    true
                }
                _ => false,
            };
            if up {
                since = rest;
                walk.above_root |= walk.absolute && depth == 0;
                depth = depth.saturating_sub(1);
            } else if !segment.is_empty() && segment != b"." {
                depth += 1;
            }
        }
        if walk.ups + walk.dotted > 0 || walk.absolute {
            walk.odd = walk.odd.max(spelled);
        }
        let end = since.iter().position(|byte| b"\0;?#".contains(byte)).unwrap_or(since.len());
        let mut target = Vec::with_capacity(end.min(256));
        for segment in since[..end].split(|byte| *byte == b'/') {
            let segment = segment.trim_ascii();
            if segment.is_empty() || segment == b"." {
                continue;
            }
            if !target.is_empty() {
                target.push(b'/');
            }
            target.extend(segment.iter().map(u8::to_ascii_lowercase));
        }
        walk.target = target;
        walk
    }
}

/// `0x2e0x2e0x2f` as what the numbers spell.
fn without_numbers(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let (spelled, after) = match rest {
            [b'0', b'x', b'2', b'e' | b'E', after @ ..] => (b'.', after),
            [b'0', b'x', b'2', b'f' | b'F', after @ ..] => (b'/', after),
            [b'0', b'x', b'5', b'c' | b'C', after @ ..] => (b'\\', after),
            _ => (*byte, tail),
        };
        out.push(spelled);
        rest = after;
    }
    out
}

/// All spellings of a dot as `.`, of a separator as `/`; control characters left out, but a NUL that ends a name is kept.
fn fold(text: &[u8]) -> (Vec<u8>, Odd) {
    let mut out = Vec::with_capacity(text.len());
    let mut odd = Odd::None;
    let mut rest = text;
    'bytes: while let [byte, tail @ ..] = rest {
        let folded = match byte {
            b'\\' => b'/',
            // What is left of %u2215 and %u2216 where only low bytes are kept.
            0x15 | 0x16 => {
                odd = odd.max(Odd::LookAlike);
                b'/'
            }
            0 if !(out.last() == Some(&b'.') && tail.first() == Some(&b'.')) => {
                odd = odd.max(Odd::Control);
                0
            }
            0..0x20 => {
                odd = odd.max(Odd::Control);
                rest = tail;
                continue;
            }
            0xc0.. => {
                for (spelling, folded, how) in SPELLINGS {
                    if let Some(tail) = rest.strip_prefix(*spelling) {
                        odd = odd.max(*how);
                        out.push(*folded);
                        rest = tail;
                        continue 'bytes;
                    }
                }
                *byte
            }
            byte => *byte,
        };
        out.push(folded);
        rest = tail;
    }
    (out, odd)
}

/// Ways to write a dot and a separator, beyond themselves.
const SPELLINGS: &[(&[u8], u8, Odd)] = &[
    (b"\xc0\xae", b'.', Odd::Overlong),
    (b"\xc0\x2e", b'.', Odd::Overlong),
    (b"\xe0\x80\xae", b'.', Odd::Overlong),
    (b"\xf0\x80\x80\xae", b'.', Odd::Overlong),
    (b"\xf8\x80\x80\x80\xae", b'.', Odd::Overlong),
    (b"\xc0\xaf", b'/', Odd::Overlong),
    (b"\xc0\x2f", b'/', Odd::Overlong),
    (b"\xe0\x80\xaf", b'/', Odd::Overlong),
    (b"\xf0\x80\x80\xaf", b'/', Odd::Overlong),
    (b"\xf8\x80\x80\x80\xaf", b'/', Odd::Overlong),
    (b"\xc1\x9c", b'/', Odd::Overlong),
    (b"\xc1\x1c", b'/', Odd::Overlong),
    (b"\xc1\xaf", b'/', Odd::Overlong),
    (b"\xc0\x5c", b'/', Odd::Overlong),
    (b"\xc1\x5c", b'/', Odd::Overlong),
    (b"\xe0\x81\x9c", b'/', Odd::Overlong),
    (b"\xf0\x80\x81\x9c", b'/', Odd::Overlong),
    // U+FF0E, U+2024: dots.
    (b"\xef\xbc\x8e", b'.', Odd::LookAlike),
    (b"\xe2\x80\xa4", b'.', Odd::LookAlike),
    (b"\xef\xbc\x8f", b'/', Odd::LookAlike),
    (b"\xef\xbc\xbc", b'/', Odd::LookAlike),
    (b"\xe2\x88\x95", b'/', Odd::LookAlike),
    (b"\xe2\x88\x96", b'/', Odd::LookAlike),
    (b"\xe2\x81\x84", b'/', Odd::LookAlike),
    (b"\xe2\xa7\xb8", b'/', Odd::LookAlike),
    (b"\xe2\xa7\xb9", b'/', Odd::LookAlike),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(text: &[u8]) -> (usize, usize, Odd, String) {
        let walk = Walk::of(text);
        (walk.ups, walk.dotted, walk.odd, String::from_utf8_lossy(&walk.target).into_owned())
    }

    #[test]
    fn a_path_is_walked_in_every_spelling() {
        assert_eq!(walked(b"../../etc/passwd"), (2, 0, Odd::None, "etc/passwd".into()));
        assert_eq!(walked(br"..\..\boot.ini"), (2, 0, Odd::None, "boot.ini".into()));
        assert_eq!(walked(b"..\\/..\\/etc\\/issue"), (2, 0, Odd::None, "etc/issue".into()));
        assert_eq!(walked(b"....//....//etc"), (0, 2, Odd::None, "etc".into()));
        assert_eq!(walked(b"..;/..;/manager/html"), (2, 0, Odd::Parameter, "manager/html".into()));
        assert_eq!(walked(b"\xc0\xae\xc0\xae\xc0\xafetc"), (1, 0, Odd::Overlong, "etc".into()));
        assert_eq!(walked(b".\x00.\xc0\xafetc"), (1, 0, Odd::Overlong, "etc".into()));
        assert_eq!(walked(b"../a.php\0.jpg"), (1, 0, Odd::Control, "a.php".into()));
        assert_eq!(walked(b"docs/../README"), (1, 0, Odd::None, "readme".into()));
        assert_eq!(walked(b"etc/hosts"), (0, 0, Odd::None, "etc/hosts".into()));
        assert_eq!(walked(b"0x2e0x2e/0x2e0x2e0x2fetc/issue"), (2, 0, Odd::None, "etc/issue".into()));
    }
}
