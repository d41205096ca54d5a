//! The syntax tree of a pattern, with all flags already applied.
//!
//! A node says what is matched, not how it was written: `a`, `\x61` and `[a]` are one tree. What the parser refuses
//! has no node, so the stages behind it are total.

use crate::bytes::ByteSet;

/// What a part of a pattern matches.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// The empty string.
    Empty,
    /// Nothing at all: `(*FAIL)`, `(?!)`.
    Fail,
    /// One byte out of a set.
    Set(ByteSet),
    /// A condition on the position that consumes nothing.
    Look(Look),
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that leads to a match, in order.
    Alt(Vec<Node>),
    /// `node{min,max}`, greedy or lazy.
    Repeat { node: Box<Node>, min: u32, max: Option<u32>, greedy: bool },
    /// A capture group.
    Capture { index: u32, node: Box<Node> },
    /// `(?>..)`, and every possessive quantifier around its greedy repetition.
    Atomic { id: u32, node: Box<Node> },
    /// Look-around. Behind, every alternative starts with its own [`Node::StepBack`].
    Around { id: u32, negate: bool, node: Box<Node> },
    /// Look-around that is decided where it stands, in bounded time: its inside satisfies [`Node::is_check`].
    Check { negate: bool, node: Box<Node> },
    /// Moves the position back by that many bytes, or fails.
    StepBack(u32),
    /// What a group captured last.
    Backref { group: u32, ignore_case: bool },
    /// `\K`: the reported match starts here.
    Keep,
}

/// A condition on a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// `\A`, and `^` without multi-line.
    Start,
    /// `\z`, and `$` with dollar-end-only.
    End,
    /// `\Z`, and `$` without multi-line: at the end or before a newline that ends the subject.
    EndOrFinalNewline,
    /// `^` with multi-line: at the start or after a newline, but not after a newline that ends the subject.
    LineStart,
    /// `$` with multi-line: at the end or before a newline.
    LineEnd,
    /// `\b`.
    Word,
    /// `\B`.
    NotWord,
    /// `[[:<:]]`.
    WordStart,
    /// `[[:>:]]`.
    WordEnd,
    /// Behind the lone CR of `\R`: not between CR and LF.
    NotInsideCrLf,
    /// `\G`: where the search began.
    SearchStart,
}

impl Look {
    /// Whether the condition holds at `at` in `haystack`, in a search that began at `search_start`.
    pub(crate) fn holds(self, haystack: &[u8], at: usize, search_start: usize) -> bool {
        let word = |i: usize| haystack.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let before = at > 0 && word(at - 1);
        let end = haystack.len();
        match self {
            Look::Start => at == 0,
            Look::End => at == end,
            Look::EndOrFinalNewline => at == end || (at + 1 == end && haystack[at] == b'\n'),
            Look::LineStart => at == 0 || (at < end && haystack[at - 1] == b'\n'),
            Look::LineEnd => at == end || haystack[at] == b'\n',
            Look::Word => before != word(at),
            Look::NotWord => before == word(at),
            Look::WordStart => !before && word(at),
            Look::WordEnd => before && !word(at),
            Look::NotInsideCrLf => {
                !(at > 0 && at < end && haystack[at - 1] == b'\r' && haystack[at] == b'\n')
            }
            Look::SearchStart => at == search_start,
        }
    }
}

impl Node {
    /// Whether the node can match without consuming. Conditions count as if they held.
    pub(crate) fn is_nullable(&self) -> bool {
        match self {
            Node::Fail | Node::Set(_) => false,
            Node::Empty
            | Node::Look(_)
            | Node::Around { .. }
            | Node::Check { .. }
            | Node::StepBack(_)
            | Node::Keep => true,
            // A group that captured the empty string.
            Node::Backref { .. } => true,
            Node::Concat(nodes) => nodes.iter().all(Node::is_nullable),
            Node::Alt(nodes) => nodes.iter().any(Node::is_nullable),
            Node::Repeat { node, min, .. } => *min == 0 || node.is_nullable(),
            Node::Capture { node, .. } | Node::Atomic { node, .. } => node.is_nullable(),
        }
    }

    /// The number of bytes that every match of the node has, if that is fixed, by PCRE2's rule for look-behind:
    /// alternatives below the top must agree.
    pub(crate) fn fixed_len(&self) -> Option<u32> {
        match self {
            Node::Empty
            | Node::Fail
            | Node::Look(_)
            | Node::Around { .. }
            | Node::Check { .. }
            | Node::StepBack(_)
            | Node::Keep => Some(0),
            Node::Set(_) => Some(1),
            Node::Concat(nodes) => nodes.iter().try_fold(0u32, |sum, n| sum.checked_add(n.fixed_len()?)),
            Node::Alt(nodes) => {
                let first = nodes.first()?.fixed_len()?;
                nodes.iter().all(|n| n.fixed_len() == Some(first)).then_some(first)
            }
            Node::Repeat { node, min, max, .. } if Some(*min) == *max => node.fixed_len()?.checked_mul(*min),
            Node::Repeat { .. } | Node::Backref { .. } => None,
            Node::Capture { node, .. } | Node::Atomic { node, .. } => node.fixed_len(),
        }
    }

    /// How many instructions the node becomes when every counted repetition is written out. Saturates.
    pub(crate) fn expanded_size(&self) -> u64 {
        match self {
            Node::Empty => 0,
            Node::Fail
            | Node::Set(_)
            | Node::Look(_)
            | Node::StepBack(_)
            | Node::Backref { .. }
            | Node::Keep => 1,
            Node::Concat(nodes) => nodes.iter().fold(0, |sum, n| n.expanded_size().saturating_add(sum)),
            Node::Alt(nodes) => {
                nodes.iter().fold(0, |sum, n| n.expanded_size().saturating_add(sum.saturating_add(2)))
            }
            Node::Repeat { node, min, max, .. } => {
                // Copies that must match, and copies that may, each behind a split.
                let must = u64::from(*min).max(u64::from(max.is_none()));
                let may = u64::from(max.map_or(0, |max| max - min));
                let size = node.expanded_size();
                let must = size.saturating_mul(must);
                size.saturating_add(1).saturating_mul(may).saturating_add(must).saturating_add(5)
            }
            Node::Capture { node, .. }
            | Node::Atomic { node, .. }
            | Node::Around { node, .. }
            | Node::Check { node, .. } => node.expanded_size().saturating_add(2),
        }
    }

    pub(crate) fn children(&self) -> &[Node] {
        match self {
            Node::Concat(nodes) | Node::Alt(nodes) => nodes,
            Node::Repeat { node, .. }
            | Node::Capture { node, .. }
            | Node::Atomic { node, .. }
            | Node::Around { node, .. }
            | Node::Check { node, .. } => std::slice::from_ref(node),
            _ => &[],
        }
    }

    /// Whether the node or one below it satisfies `test`.
    pub(crate) fn any(&self, test: &dyn Fn(&Node) -> bool) -> bool {
        test(self) || self.children().iter().any(|child| child.any(test))
    }

    /// The longest match, for nodes made of what [`Node::is_check`] admits.
    fn max_len(&self) -> u64 {
        match self {
            Node::Set(_) => 1,
            Node::Concat(nodes) => nodes.iter().fold(0, |sum, n| n.max_len().saturating_add(sum)),
            Node::Alt(nodes) => nodes.iter().map(Node::max_len).max().unwrap_or(0),
            Node::Repeat { node, max, .. } => node.max_len().saturating_mul(max.map_or(u64::MAX, u64::from)),
            _ => 0,
        }
    }

    /// Whether the inside of a look-around can be decided by [`Node::check`]: short, bounded, and without anything
    /// that remembers.
    pub(crate) fn is_check(&self) -> bool {
        /// Bounds what one position can cost.
        const CHECK_SIZE_MAX: u64 = 256;
        fn plain(node: &Node) -> bool {
            match node {
                Node::Empty | Node::Fail | Node::Set(_) | Node::Look(_) | Node::StepBack(_) => true,
                Node::Concat(nodes) | Node::Alt(nodes) => nodes.iter().all(plain),
                Node::Repeat { node, max, .. } => max.is_some() && plain(node),
                _ => false,
            }
        }
        plain(self) && self.max_len() < u64::from(u64::BITS) && self.expanded_size() <= CHECK_SIZE_MAX
    }

    /// Whether the node matches at `at`, whatever its length.
    pub(crate) fn check(&self, haystack: &[u8], at: usize, search_start: usize) -> bool {
        match self {
            Node::Alt(nodes) => nodes.iter().any(|n| n.check(haystack, at, search_start)),
            Node::Concat(nodes) => match nodes.first() {
                Some(Node::StepBack(count)) => at.checked_sub(*count as usize).is_some_and(|base| {
                    nodes[1..].iter().fold(1, |ends, n| n.ends(ends, haystack, base, search_start)) != 0
                }),
                _ => self.ends(1, haystack, at, search_start) != 0,
            },
            Node::StepBack(count) => at >= *count as usize,
            _ => self.ends(1, haystack, at, search_start) != 0,
        }
    }

    /// Where matches of the node end that begin at `starts`; bit i stands for the position `base` + i.
    fn ends(&self, starts: u64, haystack: &[u8], base: usize, search_start: usize) -> u64 {
        if starts == 0 {
            return 0;
        }
        let positions = || (0..u64::BITS as usize).filter(|i| starts & (1 << i) != 0);
        match self {
            Node::Empty => starts,
            Node::Set(set) => positions()
                .filter(|i| haystack.get(base + i).is_some_and(|b| set.contains(*b)))
                .fold(0, |ends, i| ends | (2 << i)),
            Node::Look(look) => positions()
                .filter(|i| base + i <= haystack.len() && look.holds(haystack, base + i, search_start))
                .fold(0, |ends, i| ends | (1 << i)),
            Node::Concat(nodes) => {
                nodes.iter().fold(starts, |at, n| n.ends(at, haystack, base, search_start))
            }
            Node::Alt(nodes) => {
                nodes.iter().fold(0, |ends, n| ends | n.ends(starts, haystack, base, search_start))
            }
            Node::Repeat { node, min, max, .. } => {
                let (mut at, mut ends) = (starts, if *min == 0 { starts } else { 0 });
                for round in 1..=max.unwrap_or(*min) {
                    at = node.ends(at, haystack, base, search_start);
                    ends |= if round >= *min { at } else { 0 };
                }
                ends
            }
            _ => 0,
        }
    }
}
