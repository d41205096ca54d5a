//! Tags and their attributes, as the most forgiving browser reads them.
//!
//! No context is remembered between tags: comments, raw text and declarations are read as if they were text, since where
//! an application puts a value decides which of them are open. Whatever could be a tag is read as one.

use super::super::ascii;

/// A start tag or an end tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    /// Where its `<` stands.
    pub(super) start: usize,
    /// After its `>`, or the end of the text where it is not closed.
    pub(super) end: usize,
    /// Its name as written.
    pub(super) name: &'a [u8],
    /// Whether it is an end tag.
    pub(super) closing: bool,
    /// Its attributes, to be read by [`Attributes`].
    attributes: &'a [u8],
}

impl<'a> Tag<'a> {
    /// Reads the first tag at or after `from`.
    pub(super) fn next(text: &'a [u8], from: usize) -> Option<Self> {
        let mut at = from;
        loop {
            at += memchr::memchr(b'<', text.get(at..)?)?;
            let closing = text.get(at + 1) == Some(&b'/');
            let name_at = at + 1 + usize::from(closing);
            match text.get(name_at) {
                Some(byte) if byte.is_ascii_alphabetic() || matches!(byte, b'*' | 0) => {}
                // No browser reads `< script`; filters that take blanks away make `<script` of it.
                Some(b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | b'\\') if is_spaced(&text[name_at..]) => {}
                Some(_) => {
                    at += 1;
                    continue;
                }
                None => return None,
            }
            let rest = &text[name_at..];
            let blank = rest.iter().position(|byte| !is_blank(*byte) && *byte != b'\\').unwrap_or(0);
            let long = rest[blank..]
                .iter()
                .position(|byte| is_blank(*byte) || matches!(byte, b'/' | b'>' | b'<'))
                .unwrap_or(rest.len() - blank);
            let after = name_at + blank + long;
            if text.get(after) == Some(&b'<') {
                // `<scr<script>ipt>`: the inner tag is one, and what is left when a filter takes it away is another.
                at = after;
                continue;
            }
            let name = &rest[blank..blank + long];
            let attributes = &text[after..];
            let mut reader = Attributes { text: attributes, at: 0 };
            while reader.next().is_some() {}
            let end = after + reader.at;
            return Some(Self { start: at, end, name, closing, attributes: &attributes[..reader.at] });
        }
    }

    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes { text: self.attributes, at: 0 }
    }

    /// Its name without a namespace and without NULs, in lower case.
    pub(super) fn plain_name(&self) -> Vec<u8> {
        let local = match memchr::memrchr(b':', self.name) {
            Some(colon) => &self.name[colon + 1..],
            None => self.name,
        };
        local.iter().filter(|byte| **byte != 0).take(32).map(u8::to_ascii_lowercase).collect()
    }

    /// The first attribute of a name, which is in lower case, references in it resolved.
    pub(super) fn attribute(&self, name: &[u8]) -> Option<Vec<u8>> {
        let found = self.attributes().find(|attribute| attribute.name.eq_ignore_ascii_case(name))?;
        Some(resolved(found.value))
    }
}

/// Whether a text is blanks and then a name that only an attack puts there.
fn is_spaced(text: &[u8]) -> bool {
    let blank = text.iter().take(8).position(|byte| !is_blank(*byte) && *byte != b'\\').unwrap_or(0);
    [&b"script"[..], b"iframe", b"img src", b"svg/", b"svg on"]
        .iter()
        .any(|name| ascii::starts(&text[blank..], name))
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0xa0)
}

/// An attribute of a tag, as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    /// Its name, without quotes that got into it.
    pub(super) name: &'a [u8],
    /// Its value, without the quotes around it; empty without one.
    pub(super) value: &'a [u8],
    /// Whether quotes stood around it.
    pub(super) quoted: bool,
    /// Whether a quote was opened and not closed: the value goes on with the page that follows.
    pub(super) open: bool,
}

/// The attributes of a tag, in order; stands after the tag's `>` when there are no more.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let text = self.text;
        while text.get(self.at).is_some_and(|byte| is_blank(*byte) || *byte == b'/') {
            self.at += 1;
        }
        match text.get(self.at) {
            None => return None,
            Some(b'>') => {
                self.at += 1;
                return None;
            }
            // Another tag before this one is closed: that one is read for itself.
            Some(b'<')
                if text.get(self.at + 1).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'/') =>
            {
                return None;
            }
            Some(_) => {}
        }
        if text[..self.at].last() == Some(&b'>') {
            return None;
        }
        let from = self.at;
        // An equals sign at the beginning belongs to the name.
        self.at += 1;
        self.skip(|byte| !is_blank(byte) && !matches!(byte, b'/' | b'>' | b'='));
        let name = text[from..self.at].trim_ascii_start();
        let name = trimmed(name, |byte| matches!(byte, b'"' | b'\'' | b'`' | 0) || byte < b' ');
        let after_name = self.at;
        self.skip(is_blank);
        if text.get(self.at) != Some(&b'=') {
            self.at = after_name;
            return Some(Attribute { name, value: b"", quoted: false, open: false });
        }
        self.at += 1;
        self.skip(is_blank);
        let quote = text.get(self.at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        if let Some(quote) = quote {
            let inside = &text[self.at + 1..];
            match memchr::memchr(quote, inside) {
                Some(close) => {
                    self.at += close + 2;
                    return Some(Attribute { name, value: &inside[..close], quoted: true, open: false });
                }
                // The page itself closes it.
                None if quote != b'`' => {
                    self.at = text.len();
                    return Some(Attribute { name, value: inside, quoted: true, open: true });
                }
                None => {}
            }
        }
        let from = self.at;
        self.skip(|byte| !is_blank(byte) && byte != b'>');
        Some(Attribute { name, value: &text[from..self.at], quoted: false, open: false })
    }
}

impl Attributes<'_> {
    fn skip(&mut self, which: impl Fn(u8) -> bool) {
        self.at +=
            self.text[self.at..].iter().position(|byte| !which(*byte)).unwrap_or(self.text.len() - self.at);
    }
}

fn trimmed(text: &[u8], which: impl Fn(u8) -> bool) -> &[u8] {
    let from = text.iter().position(|byte| !which(*byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !which(*byte)).map_or(from, |last| last + 1);
    &text[from..to]
}

/// Character references in an attribute's value resolved, as HTML does: the semicolon is optional for numbers. Only the
/// characters that matter to a language are known by name. O(n); never longer than the source.
pub(super) fn resolved(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some(ampersand) = memchr::memchr(b'&', &value[at..]) {
        out.extend_from_slice(&value[at..at + ampersand]);
        at += ampersand;
        match reference(&value[at..]) {
            Some((byte, len)) => {
                out.push(byte);
                at += len;
            }
            None => {
                out.push(b'&');
                at += 1;
            }
        }
    }
    out.extend_from_slice(&value[at..]);
    out
}

/// Digits of a numeric reference that are read: payloads pad with zeros.
const REFERENCE_DIGITS_MAX: usize = 16;

/// The character that a reference stands for, if it is ASCII or a blank, and the reference's length.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    if let Some(number) = text.strip_prefix(b"&#") {
        let (digits, base) = match number.first() {
            Some(b'x' | b'X') => (&number[1..], 16),
            _ => (number, 10),
        };
        let len = digits
            .iter()
            .take(REFERENCE_DIGITS_MAX)
            .position(|byte| !char::from(*byte).is_digit(base))
            .unwrap_or(digits.len().min(REFERENCE_DIGITS_MAX));
        let code = u32::from_str_radix(std::str::from_utf8(&digits[..len]).ok()?, base).ok()?;
        let byte = u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(b'?');
        let semicolon = usize::from(digits.get(len) == Some(&b';'));
        let prefix = text.len() - digits.len();
        return Some((byte, prefix + len + semicolon));
    }
    NAMED
        .iter()
        .find(|(name, _)| ascii::starts(&text[1..], name.as_bytes()))
        .map(|(name, byte)| (*byte, 1 + name.len()))
}

/// Named references for characters that are syntax in some language; HTML Living Standard, "Named character references".
/// Names are compared without case, since browsers know both `&LT;` and `&lt;`, and filters fold case.
const NAMED: &[(&str, u8)] = &[
    ("lt;", b'<'),
    ("gt;", b'>'),
    ("quot;", b'"'),
    ("apos;", b'\''),
    ("amp;", b'&'),
    ("tab;", b'\t'),
    ("newline;", b'\n'),
    ("nbsp;", b' '),
    ("colon;", b':'),
    ("semi;", b';'),
    ("lpar;", b'('),
    ("rpar;", b')'),
    ("sol;", b'/'),
    ("bsol;", b'\\'),
    ("num;", b'#'),
    ("period;", b'.'),
    ("comma;", b','),
    ("equals;", b'='),
    ("grave;", b'`'),
    ("diacriticalgrave;", b'`'),
    ("lbrack;", b'['),
    ("lsqb;", b'['),
    ("rbrack;", b']'),
    ("rsqb;", b']'),
    ("lbrace;", b'{'),
    ("lcub;", b'{'),
    ("rbrace;", b'}'),
    ("rcub;", b'}'),
    ("excl;", b'!'),
    ("dollar;", b'$'),
    ("percnt;", b'%'),
    ("plus;", b'+'),
    ("lowbar;", b'_'),
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("amp", b'&'),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        let mut from = 0;
        while let Some(tag) = Tag::next(text, from) {
            let attributes: Vec<String> = tag
                .attributes()
                .map(|a| format!("{}={}", String::from_utf8_lossy(a.name), String::from_utf8_lossy(a.value)))
                .collect();
            let slash = if tag.closing { "/" } else { "" };
            out.push(format!("{slash}{} {}", String::from_utf8_lossy(tag.name), attributes.join(" ")));
            assert!(tag.end > from);
            from = tag.end;
        }
        out
    }

    #[test]
    fn tags_are_read_as_browsers_read_them() {
        assert_eq!(told(b"<img src/onerror=alert(1)>"), ["img src= onerror=alert(1)"]);
        assert_eq!(told(b"<img/src='x'onerror=\"a b\">x</b>"), ["img src=x onerror=a b", "/b "]);
        assert_eq!(told(b"<IMG \"\"\"><SCRIPT>a"), ["IMG =", "SCRIPT "]);
        assert_eq!(told(b"a < b > c <3 <> </> <?x <!-- "), Vec::<String>::new());
        assert_eq!(told(b"<scr<script>ipt>"), ["script "]);
        assert_eq!(told(b"<a href = `x y` b"), ["a href=x y b="]);
        assert_eq!(told(b"<img\x0csrc=x\x0conerror=y>"), ["img src=x onerror=y"]);
        assert_eq!(told(b"<a title=\"<b"), ["a title=<b"]);
        assert_eq!(told(b"<iframe id=x / \"onload=y"), ["iframe id=x onload=y"]);
    }

    #[test]
    fn references_are_resolved_as_in_attributes() {
        assert_eq!(resolved(b"&#x6a&#97;v&#0000097&Tab;&colon;&unknown;&"), b"java\t:&unknown;&");
        assert_eq!(resolved(b"a&b=c"), b"a&b=c");
    }
}
