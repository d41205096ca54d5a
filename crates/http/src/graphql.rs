//! GraphQL documents as places: what somebody wrote into them, and how large they are made.
//!
//! A reader of the grammar of the GraphQL specification of October 2021, executable documents only (operations and
//! fragments). It is strict: a text that it takes whole holds nothing but names, punctuation and literals, so whoever
//! inspects one need look at its literals and comments alone.

use crate::Fields;

/// A document that was read whole.
#[derive(Clone, Debug, Default)]
pub struct GraphQl {
    /// String literals with their escapes undone, and comments, in order, by the names around them: `user.name` for the
    /// argument `name` of the field `user`, `user.#` for a comment there.
    pub literals: Fields,
    /// Fields within fields, at most.
    pub depth: usize,
    /// Fields that were given another name.
    pub aliases: usize,
    /// Fields, altogether.
    pub fields: usize,
    /// Directives, altogether.
    pub directives: usize,
    /// Operations in the document.
    pub operations: usize,
    /// Whether it asks for the schema: `__schema` or `__type`.
    pub introspects: bool,
}

/// Selections and values inside one another. Over it a text is not taken for a document.
const DEPTH_MAX: usize = 256;

impl GraphQl {
    /// Reads a document; `None` when the text is none. O(n).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut reader = Reader { text, at: 0, out: Self::default(), path: Vec::new(), depth: 0 };
        reader.blank();
        while reader.at < text.len() {
            reader.definition()?;
            reader.blank();
        }
        (reader.out.fields > 0).then_some(reader.out)
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    out: GraphQl,
    /// Names down to here, joined by dots.
    path: Vec<u8>,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn definition(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' => {
                self.out.operations += 1;
                return self.selection_set();
            }
            _ => match self.name()? {
                b"query" | b"mutation" | b"subscription" => {
                    self.out.operations += 1;
                    if self.peek()? != b'{' && is_name_start(self.peek()?) {
                        self.name()?;
                    }
                    if self.peek()? == b'(' {
                        self.variable_definitions()?;
                    }
                }
                b"fragment" => {
                    if self.name()? == b"on" || self.name()? != b"on" {
                        return None;
                    }
                    self.name()?;
                }
                _ => return None,
            },
        }
        self.directives()?;
        self.selection_set()
    }

    fn variable_definitions(&mut self) -> Option<()> {
        self.eat(b'(')?;
        while self.peek()? != b')' {
            self.eat(b'$')?;
            let name = self.name()?;
            self.eat(b':')?;
            self.type_reference(0)?;
            if self.peek()? == b'=' {
                self.eat(b'=')?;
                self.within(name, Self::value)?;
            }
            self.directives()?;
        }
        self.eat(b')')
    }

    fn type_reference(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        if self.peek()? == b'[' {
            self.eat(b'[')?;
            self.type_reference(depth + 1)?;
            self.eat(b']')?;
        } else {
            self.name()?;
        }
        if self.peek()? == b'!' {
            self.eat(b'!')?;
        }
        Some(())
    }

    fn directives(&mut self) -> Option<()> {
        while self.peek() == Some(b'@') {
            self.eat(b'@')?;
            self.out.directives += 1;
            let name = self.name()?;
            if self.peek() == Some(b'(') {
                self.within(name, Self::arguments)?;
            }
        }
        Some(())
    }

    fn arguments(&mut self) -> Option<()> {
        self.eat(b'(')?;
        while self.peek()? != b')' {
            let name = self.name()?;
            self.eat(b':')?;
            self.within(name, Self::value)?;
        }
        self.eat(b')')
    }

    fn selection_set(&mut self) -> Option<()> {
        self.nested(|reader| {
            reader.out.depth = reader.out.depth.max(reader.depth);
            reader.eat(b'{')?;
            while reader.peek()? != b'}' {
                reader.selection()?;
            }
            reader.eat(b'}')
        })
    }

    fn selection(&mut self) -> Option<()> {
        if self.text[self.at..].starts_with(b"...") {
            self.at += 3;
            self.blank();
            if is_name_start(self.peek()?) && self.name()? != b"on" {
                return self.directives();
            }
            if is_name_start(self.peek()?) {
                self.name()?;
            }
            self.directives()?;
            return self.selection_set();
        }
        let mut name = self.name()?;
        if self.peek()? == b':' {
            self.eat(b':')?;
            self.out.aliases += 1;
            name = self.name()?;
        }
        self.out.fields += 1;
        self.out.introspects |= matches!(name, b"__schema" | b"__type");
        self.within(name, |reader| {
            if reader.peek()? == b'(' {
                reader.arguments()?;
            }
            reader.directives()?;
            if reader.peek()? == b'{' { reader.selection_set() } else { Some(()) }
        })
    }

    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'$' => {
                self.eat(b'$')?;
                self.name().map(drop)
            }
            b'"' => self.string(),
            b'[' => self.nested(|reader| {
                reader.eat(b'[')?;
                while reader.peek()? != b']' {
                    reader.value()?;
                }
                reader.eat(b']')
            }),
            b'{' => self.nested(|reader| {
                reader.eat(b'{')?;
                while reader.peek()? != b'}' {
                    let name = reader.name()?;
                    reader.eat(b':')?;
                    reader.within(name, Self::value)?;
                }
                reader.eat(b'}')
            }),
            b'-' | b'0'..=b'9' => {
                let number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                self.at += self.text[self.at..].iter().take_while(|byte| number(byte)).count();
                self.blank();
                Some(())
            }
            _ => self.name().map(drop),
        }
    }

    fn string(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let mut value = Vec::new();
        if let Some(block) = rest.strip_prefix(b"\"\"\"") {
            let end = memchr::memmem::find(block, b"\"\"\"")?;
            value.extend_from_slice(&block[..end]);
            self.at += end + 6;
        } else {
            let mut at = 1;
            loop {
                match *rest.get(at)? {
                    b'"' => break,
                    b'\n' | b'\r' => return None,
                    b'\\' => {
                        at += 1;
                        match *rest.get(at)? {
                            b'u' => at += unicode_escape(&rest[at + 1..], &mut value)?,
                            escape => value.push(match escape {
                                b'"' | b'\\' | b'/' => escape,
                                b'b' => 8,
                                b'f' => 12,
                                b'n' => b'\n',
                                b'r' => b'\r',
                                b't' => b'\t',
                                _ => return None,
                            }),
                        }
                    }
                    byte => value.push(byte),
                }
                at += 1;
            }
            self.at += at + 1;
        }
        self.out.literals.push_of_many(&self.path, &value);
        self.blank();
        Some(())
    }

    /// Does something under a name.
    fn within(&mut self, name: &[u8], inner: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let length = self.path.len();
        // A long path under many fields would make the names longer than the text.
        if length + name.len() < PATH_BYTES_MAX {
            if length > 0 {
                self.path.push(b'.');
            }
            self.path.extend_from_slice(name);
        }
        let done = inner(self);
        self.path.truncate(length);
        done
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    fn name(&mut self) -> Option<&'t [u8]> {
        let rest = &self.text[self.at..];
        if !is_name_start(*rest.first()?) {
            return None;
        }
        let length = rest.iter().take_while(|byte| is_name_start(**byte) || byte.is_ascii_digit()).count();
        self.at += length;
        self.blank();
        Some(&rest[..length])
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| {
            self.at += 1;
            self.blank();
        })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes over what means nothing: blanks, commas, comments. Comments are kept.
    fn blank(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            match rest {
                [b' ' | b'\t' | b'\r' | b'\n' | b',', ..] => self.at += 1,
                [0xef, 0xbb, 0xbf, ..] => self.at += 3,
                [b'#', ..] => {
                    let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                    let length = self.path.len();
                    self.path.extend_from_slice(if length > 0 { b".#" } else { b"#" });
                    self.out.literals.push_of_many(&self.path, &rest[1..end]);
                    self.path.truncate(length);
                    self.at += end;
                }
                _ => return,
            }
        }
    }
}

/// Bytes of the names around a literal. Deeper ones are left out.
const PATH_BYTES_MAX: usize = 128;

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Reads what follows `\u`: four digits, or any number in braces. Answers how many bytes it took.
fn unicode_escape(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let (digits, taken) = match rest.strip_prefix(b"{") {
        Some(braced) => {
            let end = memchr::memchr(b'}', braced).filter(|end| *end <= 8)?;
            (&braced[..end], end + 2)
        }
        None => (rest.get(..4)?, 4),
    };
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let mut buffer = [0; 4];
    out.extend_from_slice(char::from_u32(code).unwrap_or('?').encode_utf8(&mut buffer).as_bytes());
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(text: &str) -> Vec<(String, String)> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let document = GraphQl::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is no document"));
        document.literals.iter().map(|(name, value)| (text_of(name), text_of(value))).collect()
    }

    #[test]
    fn literals_are_found_by_the_names_around_them() {
        let text = r#"query Find($t: [String!]! = ["d\u0041\n"], $n: Int) @a(b: "c") {
            # all of them
            people: users(first: 3, where: {name: {eq: "O'Neill"}}) { ...F ... on User @skip(if: $n) { id } }
        }
        fragment F on User { bio(text: """a "block"
        """) }"#;
        let expected = [
            ("t", "dA\n"),
            ("a.b", "c"),
            ("#", " all of them"),
            ("users.where.name.eq", "O'Neill"),
            ("bio.text", "a \"block\"\n        "),
        ];
        let found = literals(text);
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_document_says_how_large_it_is() {
        let document = GraphQl::parse(b"{ a: x { b: y { z } } __schema { types { name } } }").unwrap();
        assert_eq!((document.depth, document.aliases, document.fields), (3, 2, 6));
        assert!(document.introspects);
        assert!(!GraphQl::parse(b"{ __typename }").unwrap().introspects);
    }

    #[test]
    fn other_texts_are_no_documents() {
        for text in [
            "",
            "hello",
            "{}",
            "{{7*7}}",
            "{ a(b: 'c') }",
            "{ a } ; drop",
            "query",
            "{\"a\": 1}",
            "{ a(b: \"\\q\") }",
            "fragment on on X { a }",
        ] {
            assert!(GraphQl::parse(text.as_bytes()).is_none(), "{text}");
        }
        let deep = [b"{a".repeat(10_000), b"}".repeat(10_000)].concat();
        assert!(GraphQl::parse(&deep).is_none());
    }
}
