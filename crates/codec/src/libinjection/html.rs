//! HTML cut into tokens the way libinjection reads it, for the verdict and for tests and explanations.
//!
//! What lives here: [`HtmlTokens`], a state machine after HTML 5's tokenizer with the leniencies of old browsers (NUL
//! inside tag names, backticks as quotes, `<% %>` comments). What deliberately does not: any judgement on the tokens,
//! character references, or a tree.
//!
//! Quirks kept because the verdict hangs on them: NUL counts as white space except in a tag's name; the byte 0xFF after
//! white space ends the input, as libinjection cannot tell it from its end mark; the memory of having seen `</` outlives
//! a closing tag that has attributes or no name.

use memchr::{memchr, memmem};

/// Where in a page the input is taken to stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Between tags.
    Text,
    /// Inside a tag, where an attribute's name may start.
    Tag,
    /// Inside an attribute's value in single quotes.
    SingleQuoted,
    /// Inside an attribute's value in double quotes.
    DoubleQuoted,
    /// Inside an attribute's value in backticks, which Internet Explorer took as quotes.
    BackQuoted,
}

/// What a token of HTML is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HtmlKind {
    /// Text between tags.
    Text,
    /// The name of an opening tag, or of a closing tag that has attributes.
    TagNameOpen,
    /// The `>` that ends a tag.
    TagNameClose,
    /// The `/>` that ends a tag.
    TagNameSelfClose,
    /// The name of a closing tag.
    TagClose,
    /// The name of an attribute.
    AttributeName,
    /// The value of an attribute, without its quotes.
    AttributeValue,
    /// A comment or what browsers take for one, without its marks.
    Comment,
    /// A document type declaration.
    Doctype,
}

/// One token of HTML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HtmlToken<'a> {
    /// What it is.
    pub kind: HtmlKind,
    /// The part of the input it covers.
    pub text: &'a [u8],
}

/// The tokens of an input, one after the other. O(n) over the whole input.
#[derive(Clone, Debug)]
pub struct HtmlTokens<'a> {
    input: &'a [u8],
    pos: usize,
    state: State,
    /// Whether the name being read was opened by `</`.
    closing: bool,
}

impl<'a> HtmlTokens<'a> {
    /// Reads `input` as if it stood at `place`.
    pub fn new(input: &'a [u8], place: Place) -> Self {
        let state = match place {
            Place::Text => State::Data,
            Place::Tag => State::BeforeAttributeName,
            Place::SingleQuoted => State::QuotedValue(b'\''),
            Place::DoubleQuoted => State::QuotedValue(b'"'),
            Place::BackQuoted => State::QuotedValue(b'`'),
        };
        Self { input, pos: 0, state, closing: false }
    }
}

impl<'a> Iterator for HtmlTokens<'a> {
    type Item = HtmlToken<'a>;

    fn next(&mut self) -> Option<HtmlToken<'a>> {
        loop {
            let step = match self.state {
                State::Data => self.data(),
                State::TagOpen => self.tag_open(),
                State::EndTagOpen => self.end_tag_open(),
                State::TagName => self.tag_name(),
                State::TagNameClose => self.tag_name_close(),
                State::BeforeAttributeName => self.before_attribute_name(),
                State::AttributeName => self.attribute_name(),
                State::AfterAttributeName => self.after_attribute_name(),
                State::BeforeValue => self.before_value(),
                State::QuotedValue(quote) => self.quoted_value(quote),
                State::BareValue => self.bare_value(),
                State::AfterQuotedValue => self.after_quoted_value(),
                State::SelfClosing => self.self_closing(),
                State::Declaration => self.declaration(),
                State::Comment => self.comment(),
                State::BogusComment => self.until(b">", HtmlKind::Comment),
                State::PercentComment => self.until(b"%>", HtmlKind::Comment),
                State::CharacterData => self.until(b"]]>", HtmlKind::Text),
                State::Doctype => self.until(b">", HtmlKind::Doctype),
                State::End => return None,
            };
            match step {
                Step::Token(token, state) => {
                    self.state = state;
                    return Some(token);
                }
                Step::Go(state) => self.state = state,
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    TagNameClose,
    BeforeAttributeName,
    AttributeName,
    AfterAttributeName,
    BeforeValue,
    QuotedValue(u8),
    BareValue,
    AfterQuotedValue,
    SelfClosing,
    Declaration,
    Comment,
    BogusComment,
    PercentComment,
    CharacterData,
    Doctype,
    End,
}

/// What one state leads to.
enum Step<'a> {
    /// A token, and the state to go on from.
    Token(HtmlToken<'a>, State),
    /// No token yet.
    Go(State),
}

impl<'a> HtmlTokens<'a> {
    fn data(&mut self) -> Step<'a> {
        match memchr(b'<', self.rest()) {
            None if self.rest().is_empty() => Step::Go(State::End),
            None => self.take_rest(HtmlKind::Text),
            Some(0) => {
                self.pos += 1;
                Step::Go(State::TagOpen)
            }
            Some(len) => self.take(HtmlKind::Text, len, 1, State::TagOpen),
        }
    }

    fn tag_open(&mut self) -> Step<'a> {
        let (skip, state) = match self.peek() {
            None => (0, State::End),
            Some(b'!') => (1, State::Declaration),
            Some(b'/') => {
                self.closing = true;
                (1, State::EndTagOpen)
            }
            Some(b'?') => (1, State::BogusComment),
            Some(b'%') => (1, State::PercentComment),
            Some(b'a'..=b'z' | b'A'..=b'Z' | 0) => (0, State::TagName),
            Some(_) => {
                // A lone `<` is text of its own.
                let text = &self.input[self.pos - 1..self.pos];
                return Step::Token(HtmlToken { kind: HtmlKind::Text, text }, State::Data);
            }
        };
        self.pos += skip;
        Step::Go(state)
    }

    fn end_tag_open(&mut self) -> Step<'a> {
        match self.peek() {
            None => Step::Go(State::End),
            Some(b'>') => Step::Go(State::Data),
            Some(b'a'..=b'z' | b'A'..=b'Z') => Step::Go(State::TagName),
            Some(_) => {
                self.closing = false;
                Step::Go(State::BogusComment)
            }
        }
    }

    fn tag_name(&mut self) -> Step<'a> {
        let end =
            self.rest().iter().position(|&byte| byte != 0 && (is_white(byte) || matches!(byte, b'/' | b'>')));
        let Some(len) = end else {
            return self.take_rest(HtmlKind::TagNameOpen);
        };
        match self.rest()[len] {
            b'/' => self.take(HtmlKind::TagNameOpen, len, 1, State::SelfClosing),
            b'>' if self.closing => {
                self.closing = false;
                self.take(HtmlKind::TagClose, len, 1, State::Data)
            }
            b'>' => self.take(HtmlKind::TagNameOpen, len, 0, State::TagNameClose),
            _ => self.take(HtmlKind::TagNameOpen, len, 1, State::BeforeAttributeName),
        }
    }

    fn tag_name_close(&mut self) -> Step<'a> {
        self.closing = false;
        self.take(HtmlKind::TagNameClose, 1, 0, State::Data)
    }

    fn before_attribute_name(&mut self) -> Step<'a> {
        match self.skip_white() {
            None => Step::Go(State::End),
            Some(b'/') => {
                self.pos += 1;
                Step::Go(State::SelfClosing)
            }
            Some(b'>') => self.take(HtmlKind::TagNameClose, 1, 0, State::Data),
            Some(_) => Step::Go(State::AttributeName),
        }
    }

    /// The first byte belongs to the name whatever it is; there is one, since the caller looked at it.
    fn attribute_name(&mut self) -> Step<'a> {
        let rest = self.rest();
        let ends = |&byte: &u8| is_white(byte) || matches!(byte, b'/' | b'=' | b'>');
        let Some(len) = rest.iter().skip(1).position(ends).map(|at| at + 1) else {
            return self.take_rest(HtmlKind::AttributeName);
        };
        let (skip, state) = match rest[len] {
            b'/' => (1, State::SelfClosing),
            b'=' => (1, State::BeforeValue),
            b'>' => (0, State::TagNameClose),
            _ => (1, State::AfterAttributeName),
        };
        self.take(HtmlKind::AttributeName, len, skip, state)
    }

    fn after_attribute_name(&mut self) -> Step<'a> {
        let (skip, state) = match self.skip_white() {
            None => (0, State::End),
            Some(b'/') => (1, State::SelfClosing),
            Some(b'=') => (1, State::BeforeValue),
            Some(b'>') => (0, State::TagNameClose),
            Some(_) => (0, State::AttributeName),
        };
        self.pos += skip;
        Step::Go(state)
    }

    fn before_value(&mut self) -> Step<'a> {
        Step::Go(match self.skip_white() {
            None => State::End,
            Some(quote @ (b'"' | b'\'' | b'`')) => State::QuotedValue(quote),
            Some(_) => State::BareValue,
        })
    }

    fn quoted_value(&mut self, quote: u8) -> Step<'a> {
        // At the very start the opening quote is not in the input but before it.
        if self.pos > 0 {
            self.pos += 1;
        }
        match memchr(quote, self.rest()) {
            None => self.take_rest(HtmlKind::AttributeValue),
            Some(len) => self.take(HtmlKind::AttributeValue, len, 1, State::AfterQuotedValue),
        }
    }

    fn bare_value(&mut self) -> Step<'a> {
        let Some(len) = self.rest().iter().position(|&byte| is_white(byte) || byte == b'>') else {
            return self.take_rest(HtmlKind::AttributeValue);
        };
        match self.rest()[len] {
            b'>' => self.take(HtmlKind::AttributeValue, len, 0, State::TagNameClose),
            _ => self.take(HtmlKind::AttributeValue, len, 1, State::BeforeAttributeName),
        }
    }

    fn after_quoted_value(&mut self) -> Step<'a> {
        match self.peek() {
            None => Step::Go(State::End),
            Some(b'>') => self.take(HtmlKind::TagNameClose, 1, 0, State::Data),
            Some(b'/') => {
                self.pos += 1;
                Step::Go(State::SelfClosing)
            }
            Some(byte) => {
                self.pos += usize::from(is_white(byte));
                Step::Go(State::BeforeAttributeName)
            }
        }
    }

    fn self_closing(&mut self) -> Step<'a> {
        match self.peek() {
            None => Step::Go(State::End),
            Some(b'>') => {
                self.pos -= 1;
                self.take(HtmlKind::TagNameSelfClose, 2, 0, State::Data)
            }
            Some(_) => Step::Go(State::BeforeAttributeName),
        }
    }

    fn declaration(&mut self) -> Step<'a> {
        const CDATA: &[u8] = b"[CDATA[";
        const DOCTYPE: &[u8] = b"DOCTYPE";
        let rest = self.rest();
        let (skip, state) =
            if rest.get(..DOCTYPE.len()).is_some_and(|word| word.eq_ignore_ascii_case(DOCTYPE)) {
                (0, State::Doctype)
            } else if rest.starts_with(CDATA) {
                (CDATA.len(), State::CharacterData)
            } else if rest.starts_with(b"--") {
                (2, State::Comment)
            } else {
                (0, State::BogusComment)
            };
        self.pos += skip;
        Step::Go(state)
    }

    /// Ends at `-->` or `-!>`, in either case with any number of NULs after the first dash.
    fn comment(&mut self) -> Step<'a> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(dash) = memchr(b'-', &rest[from..]).map(|at| from + at) {
            let nuls = rest[dash + 1..].iter().take_while(|&&byte| byte == 0).count();
            match &rest[dash + 1 + nuls..] {
                [b'-' | b'!', b'>', ..] => return self.take(HtmlKind::Comment, dash, nuls + 3, State::Data),
                // The next dash is not among the NULs, so no byte is looked at more than twice.
                _ => from = dash + 1,
            }
        }
        self.take_rest(HtmlKind::Comment)
    }

    /// Takes everything before `mark` and skips the mark, or takes the rest.
    fn until(&mut self, mark: &[u8], kind: HtmlKind) -> Step<'a> {
        match memmem::find(self.rest(), mark) {
            None => self.take_rest(kind),
            Some(len) => self.take(kind, len, mark.len(), State::Data),
        }
    }

    fn take(&mut self, kind: HtmlKind, len: usize, skip: usize, state: State) -> Step<'a> {
        let text = &self.rest()[..len];
        self.pos += len + skip;
        Step::Token(HtmlToken { kind, text }, state)
    }

    fn take_rest(&mut self, kind: HtmlKind) -> Step<'a> {
        self.take(kind, self.rest().len(), 0, State::End)
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.pos).copied()
    }

    /// The next byte that is not white space, or nothing at the end of the input and at 0xFF.
    fn skip_white(&mut self) -> Option<u8> {
        self.pos += self.rest().iter().take_while(|&&byte| is_white(byte)).count();
        self.peek().filter(|&byte| byte != 0xff)
    }
}

/// White space as HTML has it, plus vertical tab and NUL, which Internet Explorer took for white space.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0)
}
