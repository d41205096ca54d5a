//! Where the expressions of templates stand.

use std::ops::Range;

use super::super::ascii;

/// How an expression is marked; what may be said in it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// `{{..}}`: Jinja, Twig, Handlebars, AngularJS, Vue, Go.
    Braces,
    /// `{%..%}`: Jinja, Twig, Liquid.
    Statement,
    /// `${..}`: FreeMarker, Velocity, Mako, EL, SpEL, Groovy, JavaScript, shells.
    Dollar,
    /// `#{..}`: EL, SpEL, Ruby, Pug.
    Hash,
    /// `%{..}`: OGNL.
    Percent,
    /// `*{..}`, `@{..}`, `~{..}`: Thymeleaf.
    Thymeleaf,
    /// `<%..%>`: ERB, EJS, JSP, ASP, Mako.
    Scriptlet,
    /// `[[..]]`, `[(..)]`: Thymeleaf; probes.
    Brackets,
    /// `#set(..)`, `#foreach(..)`: Velocity.
    Velocity,
    /// `@(..)`: Razor.
    Razor,
    /// `{..}`: Smarty, Latte; texts formatted by Python.
    Brace,
    /// `<#assign ..>`: FreeMarker.
    Freemarker,
}

impl Mark {
    /// The last byte of its closing mark.
    fn last_byte(self) -> u8 {
        match self {
            Self::Scriptlet | Self::Freemarker => b'>',
            Self::Brackets => b']',
            Self::Velocity | Self::Razor => b')',
            _ => b'}',
        }
    }

    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Braces => "a template expression {{..}}",
            Self::Statement => "a template statement {%..%}",
            Self::Dollar => "an expression ${..}",
            Self::Hash => "an expression #{..}",
            Self::Percent => "an expression %{..}",
            Self::Thymeleaf => "an expression of Thymeleaf",
            Self::Scriptlet => "a scriptlet <%..%>",
            Self::Brackets => "an expression in brackets",
            Self::Velocity => "a directive of Velocity",
            Self::Razor => "an expression @(..)",
            Self::Brace => "an expression {..}",
            Self::Freemarker => "a directive of FreeMarker",
        }
    }
}

/// An expression in a text.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) mark: Mark,
    /// Where its mark begins, and where it ends.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What stands between the marks.
    pub(super) body: Range<usize>,
    /// Whether the closing mark is there.
    pub(super) closed: bool,
}

/// Bytes of an expression that is not closed, and of nested ones in which its end is sought.
const BODY_BYTES_MAX: usize = 4096;

/// The expressions of a text, in order, those inside others left out.
#[derive(Debug)]
pub(super) struct Templates<'a> {
    text: &'a [u8],
    at: usize,
    /// Marks whose end was sought in vain, and up to where it need not be sought again: the one that was found stands for
    /// those that follow in its body.
    quiet: Vec<(Mark, usize)>,
}

impl<'a> Templates<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, quiet: Vec::new() }
    }

    /// The mark that begins at `at`, and how long it is.
    fn mark(&self, at: usize) -> Option<(Mark, usize)> {
        let rest = &self.text[at..];
        let next = rest.get(1).copied().unwrap_or(0);
        match (rest[0], next) {
            (b'{', b'{') => Some((Mark::Braces, if rest.get(2) == Some(&b'{') { 3 } else { 2 })),
            (b'{', b'%') => Some((Mark::Statement, 2)),
            (b'$', b'{') => Some((Mark::Dollar, 2)),
            (b'#', b'{') => Some((Mark::Hash, 2)),
            (b'%', b'{') => Some((Mark::Percent, 2)),
            (b'*' | b'@' | b'~', b'{') => Some((Mark::Thymeleaf, 2)),
            (b'<', b'%') if !is_format(&rest[2..]) => Some((Mark::Scriptlet, 2)),
            (b'<', b'#') => Some((Mark::Freemarker, 2)),
            (b'[', b'[') => Some((Mark::Brackets, 2)),
            (b'@', b'(') => Some((Mark::Razor, 2)),
            // With a blank after it, it opens a block of a program.
            (b'{', b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | b'(') => Some((Mark::Brace, 1)),
            (b'#', b'a'..=b'z') => {
                let name = &rest[1..1 + ascii::name_len(&rest[1..])];
                let directive = ascii::is_one_of(
                    name,
                    &["set", "foreach", "if", "evaluate", "include", "parse", "define", "macro", "elseif"],
                );
                let open = rest[1 + name.len()..].iter().take(4).position(|byte| *byte != b' ')?;
                (directive && rest.get(1 + name.len() + open) == Some(&b'('))
                    .then_some((Mark::Velocity, 2 + name.len() + open))
            }
            _ => None,
        }
    }

    /// Where the expression that was opened before `from` ends: the place and length of its closing mark.
    fn close(&self, mark: Mark, opened: usize, from: usize) -> Option<(usize, usize)> {
        let rest = &self.text[from..];
        let find = |word: &[u8]| memchr::memmem::find(rest, word).map(|found| (from + found, word.len()));
        match mark {
            Mark::Braces => find(b"}}").map(|(at, _)| {
                let third = opened == 3 && self.text.get(at + 2) == Some(&b'}');
                // `{{{a:1}}}` without three: the inner brace belongs to the body.
                (at, if third { 3 } else { 2 })
            }),
            Mark::Statement => find(b"%}"),
            Mark::Scriptlet => find(b"%>"),
            Mark::Freemarker => find(b">"),
            Mark::Brackets => find(b"]]"),
            Mark::Velocity | Mark::Razor => nested(rest, b'(', b')').map(|found| (from + found, 1)),
            Mark::Dollar | Mark::Hash | Mark::Percent | Mark::Thymeleaf | Mark::Brace => {
                nested(rest, b'{', b'}').map(|found| (from + found, 1))
            }
        }
    }
}

/// Whether what follows `<%` is the place of a value in a formatted text: `<%s>`, `<%7d>`.
fn is_format(rest: &[u8]) -> bool {
    match rest {
        [b'0'..=b'9', ..] => true,
        [b's' | b'd' | b'r' | b'i' | b'f' | b'x' | b'c' | b'u' | b'q' | b'p', next, ..] => {
            !ascii::is_name_byte(*next)
        }
        _ => false,
    }
}

/// Where the bracket that is open before a text is closed in it.
fn nested(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let near = &text[..text.len().min(BODY_BYTES_MAX)];
    let mut depth = 0usize;
    for at in memchr::memchr2_iter(open, close, near) {
        if near[at] == open {
            depth += 1;
        } else if depth == 0 {
            return Some(at);
        } else {
            depth -= 1;
        }
    }
    // Brackets in strings do not nest; without a proper end, the first will do.
    memchr::memchr(close, near)
}

impl Iterator for Templates<'_> {
    type Item = Template;

    fn next(&mut self) -> Option<Template> {
        while self.at < self.text.len() {
            let start = self.at;
            let skip = self.text[start..].iter().position(|byte| OPENERS.contains(*byte))?;
            let start = start + skip;
            let Some((mark, len)) = self.mark(start) else {
                self.at = start + 1;
                continue;
            };
            let from = start + len;
            if self.quiet.iter().any(|(quiet, until)| *quiet == mark && start < *until) {
                self.at = start + 1;
                continue;
            }
            return Some(match self.close(mark, len, from) {
                Some((close, close_len)) => {
                    self.at = close + close_len;
                    Template { mark, start, end: close + close_len, body: from..close, closed: true }
                }
                None => {
                    let never = !self.text[from..].contains(&mark.last_byte());
                    self.quiet.retain(|(quiet, _)| *quiet != mark);
                    self.quiet.push((mark, if never { usize::MAX } else { from + BODY_BYTES_MAX / 2 }));
                    self.at = from;
                    let end = self.text.len().min(from + BODY_BYTES_MAX);
                    Template { mark, start, end, body: from..end, closed: false }
                }
            });
        }
        None
    }
}

const OPENERS: palisade_codec::ByteSet = palisade_codec::ByteSet::of(b"{$#%*@~<[");

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(text: &str) -> Vec<(Mark, &str, bool)> {
        Templates::new(text.as_bytes()).map(|found| (found.mark, &text[found.body], found.closed)).collect()
    }

    #[test]
    fn expressions_are_found_between_their_marks() {
        assert_eq!(
            bodies("a {{b}} ${c{d}} #{e}"),
            [(Mark::Braces, "b", true), (Mark::Dollar, "c{d}", true), (Mark::Hash, "e", true)]
        );
        assert_eq!(bodies("<%= f %>[[g]]"), [(Mark::Scriptlet, "= f ", true), (Mark::Brackets, "g", true)]);
        assert_eq!(bodies("#set($x=f(1)) #setting(2)"), [(Mark::Velocity, "$x=f(1)", true)]);
        assert_eq!(bodies("{{{h}}} {{i"), [(Mark::Braces, "h", true), (Mark::Braces, "i", false)]);
        assert_eq!(bodies("# a * b @ c [d] < e"), []);
    }
}
