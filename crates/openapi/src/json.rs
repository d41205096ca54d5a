//! JSON text to a [`Tree`], strictly: RFC 8259, valid UTF-8, no name twice in an object. Two readers of an object with a
//! name given twice see different ones, and a firewall that read the first would not have seen the second.
//!
//! Not the reader of `palisade-http`: that one flattens leaves for rules, lenient in what it shows; a schema asks about
//! types, empty lists and objects, and wants to know what is not JSON at all.

use std::collections::HashSet;

use crate::Limits;
use crate::number::Number;
use crate::tree::{Full, Item, ItemId, Link, Span, Tree};

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// It is no JSON; what and where.
    Invalid(String),
    /// A bound was met.
    Limit(&'static str),
}

impl From<Full> for NotRead {
    fn from(_: Full) -> Self {
        Self::Limit("it has more values than are looked at")
    }
}

/// Reads a text into a tree. O(n).
pub(crate) fn read(text: &[u8], limits: &Limits, tree: &mut Tree) -> Result<ItemId, NotRead> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(NotRead::Invalid(format!("is not UTF-8 at byte {}", error.valid_up_to())));
    }
    Reader { text, at: 0, tree, depth_max: limits.depth_max, open: Vec::new(), done: Vec::new() }.run()
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    tree: &'t mut Tree,
    depth_max: usize,
    open: Vec<Open>,
    /// Children of open containers, in order.
    done: Vec<Link>,
}

/// A container that has not ended.
struct Open {
    /// Where its children begin.
    base: usize,
    /// The name of the member being read; `None` in a list.
    name: Option<Span>,
}

const NO_NAME: &[u8] = b"";

impl Reader<'_> {
    fn run(mut self) -> Result<ItemId, NotRead> {
        loop {
            let Some(mut item) = self.value()? else { continue };
            // The value ends containers, one after the other.
            loop {
                let Some(open) = self.open.last() else {
                    self.blank();
                    if self.at < self.text.len() {
                        return Err(self.wrong("more after its end"));
                    }
                    return Ok(item);
                };
                let (base, name) = (open.base, open.name);
                let link_name = match name {
                    Some(name) => name,
                    None => self.tree.keep(NO_NAME)?,
                };
                self.done.push(Link { name: link_name, item });
                self.blank();
                match (self.next(), name.is_some()) {
                    (Some(b','), false) => break,
                    (Some(b','), true) => {
                        self.blank();
                        self.member()?;
                        break;
                    }
                    (Some(b']'), false) | (Some(b'}'), true) => item = self.close(base, name.is_some())?,
                    (None, _) => return Err(self.wrong("an end too early")),
                    _ => {
                        self.at -= 1;
                        return Err(self.wrong("neither a comma nor an end"));
                    }
                }
            }
        }
    }

    /// A value; `None` when a container was opened that has children.
    fn value(&mut self) -> Result<Option<ItemId>, NotRead> {
        self.blank();
        let Some(first) = self.next() else { return Err(self.wrong("an end too early")) };
        let item = match first {
            b'{' | b'[' => {
                if self.open.len() >= self.depth_max {
                    return Err(NotRead::Limit("it nests deeper than is looked at"));
                }
                let is_map = first == b'{';
                let base = self.done.len();
                self.blank();
                let end = if is_map { b'}' } else { b']' };
                if self.text.get(self.at) == Some(&end) {
                    self.at += 1;
                    self.open.push(Open { base, name: None });
                    return self.close(base, is_map).map(Some);
                }
                self.open.push(Open { base, name: None });
                if is_map {
                    self.member()?;
                }
                return Ok(None);
            }
            b'"' => Item::Text(self.string()?),
            b't' => self.word(b"true", Item::Truth(true))?,
            b'f' => self.word(b"false", Item::Truth(false))?,
            b'n' => self.word(b"null", Item::Null)?,
            _ => {
                self.at -= 1;
                let rest = &self.text[self.at..];
                let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(is_part).count();
                let Some(number) = Number::parse(&rest[..length]) else {
                    return Err(self.wrong("what is no value"));
                };
                self.at += length;
                Item::Number(number)
            }
        };
        Ok(Some(self.tree.add(item)?))
    }

    /// Ends the innermost container.
    fn close(&mut self, base: usize, is_map: bool) -> Result<ItemId, NotRead> {
        self.open.pop();
        let children = self.done.split_off(base);
        if !is_map {
            return Ok(self.tree.list(children.into_iter().map(|link| link.item))?);
        }
        let twice = match children.len() {
            0 | 1 => false,
            few @ 2..=8 => (1..few).any(|at| {
                let name = self.tree.text(children[at].name);
                children[..at].iter().any(|other| self.tree.text(other.name) == name)
            }),
            many => {
                let mut seen = HashSet::with_capacity(many);
                !children.iter().all(|link| seen.insert(self.tree.text(link.name)))
            }
        };
        if twice {
            return Err(NotRead::Invalid(format!(
                "has a name twice in one object, which ends at byte {}",
                self.at
            )));
        }
        Ok(self.tree.map(children)?)
    }

    /// The name of a member and its colon.
    fn member(&mut self) -> Result<(), NotRead> {
        if self.next() != Some(b'"') {
            self.at = self.at.saturating_sub(1);
            return Err(self.wrong("no name"));
        }
        let name = self.string()?;
        self.blank();
        if self.next() != Some(b':') {
            self.at = self.at.saturating_sub(1);
            return Err(self.wrong("no colon after a name"));
        }
        if let Some(open) = self.open.last_mut() {
            open.name = Some(name);
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8], item: Item) -> Result<Item, NotRead> {
        if self.text[self.at - 1..].starts_with(word) {
            self.at += word.len() - 1;
            return Ok(item);
        }
        self.at -= 1;
        Err(self.wrong("what is no value"))
    }

    /// The rest of a string, its opening quote read.
    fn string(&mut self) -> Result<Span, NotRead> {
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
        if rest.get(length) == Some(&b'"') {
            self.at += length + 1;
            return Ok(self.tree.keep(&rest[..length])?);
        }
        let mut out = Vec::with_capacity(length + 16);
        loop {
            let Some(byte) = self.next() else { return Err(self.wrong("a string without end")) };
            match byte {
                b'"' => return Ok(self.tree.keep(&out)?),
                b'\\' => self.escape(&mut out)?,
                0..=0x1f => {
                    self.at -= 1;
                    return Err(self.wrong("a control character in a string"));
                }
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), NotRead> {
        let plain = match self.next() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let unit = self.unit()?;
                let pair = (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with(b"\\u");
                let mut code = unit;
                if pair {
                    let before = self.at;
                    self.at += 2;
                    let low = self.unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.at = before;
                    }
                }
                // Half a pair is no character.
                let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.wrong("an escape that is none")),
        };
        out.push(plain);
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, NotRead> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let unit = digits
            .iter()
            .try_fold(0, |unit, byte| char::from(*byte).to_digit(16).map(|digit| unit << 4 | digit));
        match unit.filter(|_| digits.len() == 4) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => Err(self.wrong("an escape that is none")),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn blank(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong(&self, what: &str) -> NotRead {
        NotRead::Invalid(format!("is no JSON: {what}, at byte {}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<Vec<u8>, NotRead> {
        let mut tree = Tree::new(1000);
        let item = read(text.as_bytes(), &Limits { depth_max: 5, ..Limits::default() }, &mut tree)?;
        let mut out = Vec::new();
        tree.write_canonical(item, &mut out);
        Ok(out)
    }

    #[test]
    fn equal_values_read_the_same_however_they_are_written() {
        for (one, other) in [
            ("{\"a\":1,\"b\":[true,null,{}]}", " { \"b\" : [ true , null , { } ] , \"\\u0061\" : 1.0 } "),
            ("\"\\ud83d\\ude00\\n\"", "\"😀\\u000a\""),
            ("[]", "[ ]"),
            ("1e2", "100"),
        ] {
            assert_eq!(canonical(one).unwrap(), canonical(other).unwrap(), "{one}");
        }
        assert_ne!(canonical("[\"a\",\"b\"]").unwrap(), canonical("[\"a,b\"]").unwrap());
        assert_ne!(canonical("\"1\"").unwrap(), canonical("1").unwrap());
    }

    #[test]
    fn what_is_not_json_is_told_from_what_is_too_much() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "tru",
            "truex",
            "01",
            "1 2",
            "\"a",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12\"",
            "[1}",
            "{\"a\":1]",
            "nan",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "'a'",
            "]",
        ] {
            assert!(matches!(canonical(text), Err(NotRead::Invalid(_))), "{text}: {:?}", canonical(text));
        }
        assert!(matches!(canonical("[[[[[[1]]]]]]"), Err(NotRead::Limit(_))));
        assert!(canonical("[[[[[1]]]]]").is_ok());
        let many = format!("[{}1]", "1,".repeat(2000));
        assert!(matches!(canonical(&many), Err(NotRead::Limit(_))));
        let wide: String = (0..20).map(|n| format!("\"k{n}\":0,")).collect();
        assert!(canonical(&format!("{{{wide}\"z\":1}}")).is_ok());
        assert!(matches!(canonical(&format!("{{{wide}\"k3\":1}}")), Err(NotRead::Invalid(_))));
    }
}
