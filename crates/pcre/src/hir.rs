//! A pattern as `regex-automata` understands it.
//!
//! The automaton is exact for most patterns. For the rest it is an upper bound: it finds a match wherever there is one,
//! with the same preference among them, and sometimes where there is none. [`Exactness`] says what is left to check;
//! the matchers of our own do that, and only where the automaton found something.

use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look as HirLook, Repetition,
};

use crate::ast::{Look, Node};

/// Groups above this one are not reported, so the automaton need not track them.
pub(crate) const GROUP_MAX: u32 = 9;

/// How far the automaton's answer is PCRE's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exactness {
    /// It may match where PCRE does not: look-around, back-references, `\G`, `$` without multi-line.
    pub(crate) bound: bool,
    /// It matches where PCRE does, but from another start: `\K`.
    pub(crate) keep: bool,
    /// A `^` can be the last thing matched: after a newline that ends the subject, PCRE does not match there.
    pub(crate) line_start_at_end: bool,
    /// It may prefer another match from the same start; the verdict is the same. Either an unbounded loop has a body
    /// that can match nothing, which PCRE leaves after an iteration that consumed nothing, or alternatives share a
    /// beginning that `regex-syntax` will factor out although it can match in more than one way: in `a*ab?|a*b` that
    /// puts what `a*` gives back behind the second alternative.
    pub(crate) preference: bool,
}

/// Translates `node`. With `captures` false, groups are left out.
pub(crate) fn translate(node: &Node, captures: bool) -> (Hir, Exactness) {
    let mut exactness = Exactness::default();
    judge(node, true, &mut exactness);
    (hir(node, captures, &mut exactness), exactness)
}

/// `rest_nullable`: whether all that follows can match nothing.
fn judge(node: &Node, rest_nullable: bool, exactness: &mut Exactness) {
    match node {
        Node::Empty | Node::Fail | Node::Set(_) | Node::StepBack(_) => {}
        Node::Look(Look::LineStart) => exactness.line_start_at_end |= rest_nullable,
        Node::Look(Look::EndOrFinalNewline | Look::SearchStart) => exactness.bound = true,
        Node::Look(_) => {}
        Node::Keep => exactness.keep = true,
        Node::Atomic { .. } | Node::Around { .. } | Node::Check { .. } | Node::Backref { .. } => {
            exactness.bound = true;
        }
        Node::Concat(nodes) => {
            let mut rest_nullable = rest_nullable;
            for node in nodes.iter().rev() {
                judge(node, rest_nullable, exactness);
                rest_nullable &= node.is_nullable();
            }
        }
        Node::Alt(nodes) => nodes.iter().for_each(|n| judge(n, rest_nullable, exactness)),
        Node::Repeat { node, max, .. } => {
            exactness.preference |= max.is_none() && node.is_nullable();
            judge(node, rest_nullable, exactness);
        }
        Node::Capture { node, .. } => judge(node, rest_nullable, exactness),
    }
}

/// Whether [`Hir::alternation`] will factor out of these alternatives what can match in more than one way.
fn is_factored_badly(alternatives: &[Hir]) -> bool {
    let branches = alternatives.iter().flat_map(|hir| match hir.kind() {
        HirKind::Alternation(nested) => nested.as_slice(),
        _ => std::slice::from_ref(hir),
    });
    let mut prefix: Option<&[Hir]> = None;
    for branch in branches {
        let HirKind::Concat(parts) = branch.kind() else { return false };
        prefix = Some(match prefix {
            None => parts,
            Some(prefix) => {
                let common = prefix.iter().zip(parts).take_while(|(a, b)| a == b).count();
                &prefix[..common]
            }
        });
    }
    prefix.is_some_and(|prefix| !prefix.iter().all(matches_one_way))
}

/// Whether there is at most one way to match at any position, by the shape alone.
fn matches_one_way(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => true,
        HirKind::Capture(capture) => matches_one_way(&capture.sub),
        HirKind::Concat(parts) => parts.iter().all(matches_one_way),
        HirKind::Repetition(repetition) => {
            Some(repetition.min) == repetition.max && matches_one_way(&repetition.sub)
        }
        HirKind::Alternation(_) => false,
    }
}

fn hir(node: &Node, captures: bool, exactness: &mut Exactness) -> Hir {
    match node {
        Node::Empty | Node::StepBack(_) | Node::Keep | Node::Around { .. } | Node::Check { .. } => {
            Hir::empty()
        }
        Node::Fail => Hir::fail(),
        Node::Set(set) => match set.single() {
            Some(byte) => Hir::literal([byte]),
            None => Hir::class(Class::Bytes(ClassBytes::new(
                set.ranges().into_iter().map(|(first, last)| ClassBytesRange::new(first, last)),
            ))),
        },
        Node::Look(look) => match look {
            Look::Start => Hir::look(HirLook::Start),
            Look::End => Hir::look(HirLook::End),
            Look::LineStart => Hir::look(HirLook::StartLF),
            Look::EndOrFinalNewline | Look::LineEnd => Hir::look(HirLook::EndLF),
            Look::Word => Hir::look(HirLook::WordAscii),
            Look::NotWord => Hir::look(HirLook::WordAsciiNegate),
            Look::WordStart => Hir::look(HirLook::WordStartAscii),
            Look::WordEnd => Hir::look(HirLook::WordEndAscii),
            // It stands only behind a CR, where this asks that no LF follows.
            Look::NotInsideCrLf => Hir::look(HirLook::StartCRLF),
            Look::SearchStart => Hir::empty(),
        },
        Node::Concat(nodes) => Hir::concat(nodes.iter().map(|n| hir(n, captures, exactness)).collect()),
        Node::Alt(nodes) => {
            let alternatives: Vec<Hir> = nodes.iter().map(|n| hir(n, captures, exactness)).collect();
            exactness.preference |= is_factored_badly(&alternatives);
            Hir::alternation(alternatives)
        }
        Node::Repeat { node, min, max, greedy } => Hir::repetition(Repetition {
            min: *min,
            max: *max,
            greedy: *greedy,
            sub: Box::new(hir(node, captures, exactness)),
        }),
        Node::Capture { index, node } if captures && *index <= GROUP_MAX => {
            Hir::capture(Capture { index: *index, name: None, sub: Box::new(hir(node, captures, exactness)) })
        }
        Node::Capture { node, .. } | Node::Atomic { node, .. } => hir(node, captures, exactness),
        // What the group captured is anything, of any length.
        Node::Backref { .. } => Hir::repetition(Repetition {
            min: 0,
            max: None,
            greedy: true,
            sub: Box::new(Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(0, 255)])))),
        }),
    }
}
