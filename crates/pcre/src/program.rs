//! A pattern as instructions, for the two matchers of our own.
//!
//! [`crate::pike`] runs what is linear, [`crate::backtrack`] the rest. Counted repetitions are written out, as PCRE
//! itself does it, because its rules for groups and empty iterations follow from that.
//!
//! A loop whose body can match nothing is the one place where a pattern has a memory: PCRE leaves such a loop when an
//! iteration consumed nothing. [`Inst::LoopStart`] and [`Inst::LoopCheck`] mark its iterations. Loops nest, and an
//! outer iteration has consumed something whenever an inner one has, so a single number, how many of the open loops
//! have progressed, says it all; the linear matcher keeps it beside the instruction.

use std::collections::HashMap;

use crate::ast::{Look, Node};
use crate::bytes::ByteSet;
use crate::error::PatternError;

/// The largest program, in instructions: room for `.{0,65535}`. CRS's largest pattern takes 5 600; PCRE2's own limit,
/// 64 KiB of code, is of the same order.
pub(crate) const PROGRAM_MAX: u64 = 140_000;

pub(crate) type Pc = u32;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Inst {
    /// Consumes a byte of a set. `nest`: how many loops of empty bodies are open here.
    Set {
        set: u32,
        nest: u16,
    },
    /// Tries `first`, then `second`.
    Split {
        first: Pc,
        second: Pc,
    },
    Jump {
        to: Pc,
    },
    /// Stores the position: slot 2n begins group n, 2n+1 ends it.
    Save {
        slot: u32,
    },
    Look(Look),
    /// An iteration of loop `nest` begins (counted from the outermost open one); `register` is the loop's own.
    LoopStart {
        nest: u16,
        register: u32,
    },
    /// It ends: when it consumed nothing, matching goes on at `exit`, else at the next instruction.
    LoopCheck {
        nest: u16,
        register: u32,
        exit: Pc,
    },
    /// Alternatives tried from here on are forgotten at the matching end. Also opens look-around.
    Cut {
        register: u32,
        kind: CutKind,
    },
    CutEnd {
        register: u32,
        kind: CutKind,
    },
    /// A look-around that is decided on the spot.
    Check {
        check: u32,
    },
    StepBack(u32),
    Backref {
        group: u32,
        ignore_case: bool,
    },
    Fail,
    Match,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutKind {
    Atomic,
    Ahead,
    /// What follows the negative look-around.
    NotAhead {
        after: Pc,
    },
}

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) insts: Vec<Inst>,
    pub(crate) sets: Vec<ByteSet>,
    /// Look-arounds that are decided on the spot.
    pub(crate) checks: Vec<Check>,
    /// Two for each group, group 0 among them.
    pub(crate) slot_count: usize,
    /// How deep loops of empty bodies nest.
    pub(crate) nest_max: u16,
    /// Registers for loops and cuts.
    pub(crate) register_count: usize,
    /// The bytes a match can begin with; `None` when it can be empty.
    pub(crate) first: Option<ByteSet>,
    pub(crate) lead: Option<Lead>,
}

/// A look-around that is decided on the spot.
#[derive(Debug)]
pub(crate) struct Check {
    node: Node,
    negate: bool,
    /// What it costs a backtracker, in steps.
    pub(crate) steps: u64,
}

/// A repetition of one byte set that a pattern begins with and that can be empty: `S*` or `S*?`.
///
/// The pattern matches somewhere exactly if what follows it does, and then its leftmost match begins where the run of
/// such bytes before the rest's leftmost match begins. Without this, a long run of them costs a search from each byte.
#[derive(Debug)]
pub(crate) struct Lead {
    pub(crate) set: ByteSet,
    pub(crate) rest: Pc,
    /// The bytes the rest can begin with; `None` when it can be empty.
    pub(crate) first: Option<ByteSet>,
}

impl Program {
    /// Compiles `node`; refuses what would grow beyond [`PROGRAM_MAX`].
    pub(crate) fn new(node: &Node, group_count: u32, id_count: u32) -> Result<Program, PatternError> {
        let size = node.expanded_size();
        if size > PROGRAM_MAX {
            return Err(too_large(0));
        }
        let mut compiler = Compiler {
            program: Program {
                insts: Vec::new(),
                sets: Vec::new(),
                checks: Vec::new(),
                slot_count: 2 * (group_count as usize + 1),
                nest_max: 0,
                register_count: id_count as usize,
                first: None,
                lead: None,
            },
            set_ids: HashMap::new(),
            nest: 0,
        };
        compiler.emit(node);
        compiler.push(Inst::Match);
        let mut program = compiler.program;
        let ahead = program.ahead(0, &ByteSet::ALL);
        program.first = (!ahead.may_match).then_some(ahead.bytes);
        program.lead = program.lead();
        Ok(program)
    }

    fn lead(&self) -> Option<Lead> {
        let ways = |pc: usize| match self.insts.get(pc) {
            Some(Inst::Split { first, second }) => Some((*first.min(second), *first.max(second))),
            _ => None,
        };
        let Some(Inst::Set { set, .. }) = self.insts.get(1) else { return None };
        if ways(0) != Some((1, 3)) || ways(2) != Some((1, 3)) {
            return None;
        }
        let ahead = self.ahead(3, &ByteSet::ALL);
        Some(Lead {
            set: self.sets[*set as usize],
            rest: 3,
            first: (!ahead.may_match).then_some(ahead.bytes),
        })
    }

    /// Whether look-around `check` holds.
    pub(crate) fn check_holds(&self, check: u32, haystack: &[u8], at: usize, search_start: usize) -> bool {
        let Check { node, negate, .. } = &self.checks[check as usize];
        node.check(haystack, at, search_start) != *negate
    }

    /// What can happen next, from `start` on, given that there is a next byte and it is one of `given`.
    fn ahead(&self, start: Pc, given: &ByteSet) -> Ahead {
        let mut ahead = Ahead { bytes: ByteSet::EMPTY, may_match: false };
        let mut seen = vec![false; self.insts.len()];
        let mut stack = vec![start];
        while let Some(pc) = stack.pop() {
            if std::mem::replace(&mut seen[pc as usize], true) {
                continue;
            }
            match self.insts[pc as usize] {
                Inst::Set { set, .. } => ahead.bytes = ahead.bytes.union(&self.sets[set as usize]),
                Inst::Split { first, second } => stack.extend([second, first]),
                Inst::Jump { to } => stack.push(to),
                Inst::Look(Look::End) if *given != ByteSet::ALL => {}
                Inst::Look(Look::LineEnd | Look::EndOrFinalNewline)
                    if *given != ByteSet::ALL && !given.contains(b'\n') => {}
                Inst::LoopCheck { exit, .. } => stack.extend([exit, pc + 1]),
                Inst::Cut { kind: CutKind::NotAhead { after }, .. } => stack.push(after),
                // What stands in a look-around, or behind the position, says nothing useful about the next byte:
                // assume everything.
                Inst::Cut { kind: CutKind::Ahead, .. } | Inst::StepBack(_) | Inst::Backref { .. } => {
                    ahead.bytes = ByteSet::ALL;
                    ahead.may_match = true;
                }
                // The end of a look-around is an end: its inside may match.
                Inst::CutEnd { kind: CutKind::Ahead | CutKind::NotAhead { .. }, .. } => {
                    ahead.may_match = true
                }
                Inst::Save { .. }
                | Inst::Look(_)
                | Inst::Check { .. }
                | Inst::LoopStart { .. }
                | Inst::Cut { .. }
                | Inst::CutEnd { .. } => stack.push(pc + 1),
                Inst::Fail => {}
                Inst::Match => ahead.may_match = true,
            }
        }
        ahead
    }

    /// Whether what follows `start` matches wherever it is asked: there is a way to the end without a condition.
    fn surely_matches(&self, start: Pc) -> bool {
        let mut seen = vec![false; self.insts.len()];
        let mut stack = vec![start];
        while let Some(pc) = stack.pop() {
            if std::mem::replace(&mut seen[pc as usize], true) {
                continue;
            }
            match self.insts[pc as usize] {
                Inst::Match => return true,
                Inst::Split { first, second } => stack.extend([second, first]),
                Inst::Jump { to } => stack.push(to),
                // Whether the loop is left or entered again, both ways come by the instruction that can leave it.
                Inst::LoopCheck { exit, .. } => stack.push(exit),
                Inst::Save { .. } | Inst::LoopStart { .. } => stack.push(pc + 1),
                Inst::Cut { kind: CutKind::Atomic, .. } | Inst::CutEnd { kind: CutKind::Atomic, .. } => {
                    stack.push(pc + 1);
                }
                _ => {}
            }
        }
        false
    }
}

struct Ahead {
    bytes: ByteSet,
    may_match: bool,
}

pub(crate) fn too_large(offset: usize) -> PatternError {
    PatternError::new(offset, "the pattern is too large once its counted repetitions are written out")
        .help("lower the counts, above all where one counted repetition stands inside another")
}

/// Finds the atomic groups and possessive quantifiers that an ordinary group can stand for, by id.
///
/// An atomic group differs from an ordinary one only where matching goes back into it. It cannot, or gains nothing:
/// 1. when what follows, up to the end of the pattern, can always match: nobody goes back;
/// 2. when the group matches in one way only at any position: there is nothing to go back to;
/// 3. when it repeats one byte set, and nothing that follows can begin at a byte of that set: every position that
///    could be given back has such a byte before it is reached, so going back only fails again.
///
/// A counted repetition around the group makes several copies, of which each must pass.
pub(crate) fn plain_atomics(node: &Node, group_count: u32, id_count: u32) -> Result<Vec<bool>, PatternError> {
    /// Each copy costs one walk over the program.
    const COPIES_MAX: usize = 64;
    let mut plain = vec![false; id_count as usize];
    let mut bodies: Vec<Option<&Node>> = vec![None; id_count as usize];
    collect_atomics(node, &mut bodies);
    if bodies.iter().all(Option::is_none) {
        return Ok(plain);
    }
    let program = Program::new(node, group_count, id_count)?;
    let ends: Vec<(u32, Pc)> = (0u32..)
        .zip(&program.insts)
        .filter_map(|(pc, inst)| match inst {
            Inst::CutEnd { register, kind: CutKind::Atomic } => Some((*register, pc + 1)),
            _ => None,
        })
        .collect();
    for (id, body) in bodies.iter().enumerate() {
        let Some(body) = body else { continue };
        plain[id] = !body
            .any(&|n| matches!(n, Node::Atomic { .. } | Node::Around { .. } | Node::Backref { .. }))
            && unambiguous(body);
    }
    if ends.len() > COPIES_MAX {
        return Ok(plain);
    }
    for (id, body) in bodies.iter().enumerate() {
        let Some(body) = body else { continue };
        let mut copies =
            ends.iter().filter(|(register, _)| *register as usize == id).map(|(_, pc)| *pc).peekable();
        if plain[id] || copies.peek().is_none() {
            continue;
        }
        plain[id] = copies.all(|follow| {
            let disjoint = match body {
                Node::Repeat { node, greedy: true, .. } => match **node {
                    Node::Set(set) => {
                        let ahead = program.ahead(follow, &set);
                        !ahead.may_match && !ahead.bytes.intersects(&set)
                    }
                    _ => false,
                },
                _ => false,
            };
            disjoint || program.surely_matches(follow)
        });
    }
    Ok(plain)
}

fn collect_atomics<'a>(node: &'a Node, bodies: &mut [Option<&'a Node>]) {
    if let Node::Atomic { id, node } = node {
        bodies[*id as usize] = Some(node);
    }
    node.children().iter().for_each(|child| collect_atomics(child, bodies));
}

/// Whether a node has at most one way to match at any position: sequences of byte sets, and alternatives of them that
/// begin with different bytes.
fn unambiguous(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Fail | Node::Set(_) | Node::Look(_) => true,
        Node::Concat(nodes) => nodes.iter().all(unambiguous),
        Node::Alt(nodes) => {
            let mut taken = ByteSet::EMPTY;
            nodes.iter().all(|alternative| {
                let Some(first) = first_set(alternative) else { return false };
                let fresh = !first.intersects(&taken);
                taken = taken.union(&first);
                fresh && unambiguous(alternative)
            })
        }
        Node::Repeat { node, min, max, .. } => Some(*min) == *max && unambiguous(node),
        Node::Capture { node, .. } => unambiguous(node),
        _ => false,
    }
}

/// The bytes an unambiguous node begins with, when it surely consumes one at once.
fn first_set(node: &Node) -> Option<ByteSet> {
    match node {
        Node::Set(set) => Some(*set),
        Node::Concat(nodes) => first_set(nodes.first()?),
        Node::Capture { node, .. } => first_set(node),
        _ => None,
    }
}

/// Replaces what looks like backtracking and is not: the atomic groups that `plain` names become ordinary ones, a
/// possessive repetition of one byte set becomes a greedy one with a condition behind it, and short look-arounds become
/// conditions. What can never match is pruned, down to a lone [`Node::Fail`].
///
/// `S{n,}+` takes all there is: it is `S{n,}(?!S)`. `S{n,m}+` takes `m` or all there is: `(?:S{m}|S{n,m-1}(?!S))`.
pub(crate) fn simplified(node: Node, plain: &[bool]) -> Node {
    match node {
        Node::Atomic { id, node } if plain[id as usize] => simplified(*node, plain),
        Node::Atomic { id, node } => match *node {
            Node::Repeat { node: ref set, min, max, greedy: true } if matches!(**set, Node::Set(_)) => {
                let repeat = |min, max| Node::Repeat { node: set.clone(), min, max, greedy: true };
                let all =
                    |repeat| Node::Concat(vec![repeat, Node::Check { negate: true, node: set.clone() }]);
                match max {
                    None => all(repeat(min, None)),
                    Some(max) if max == min => repeat(min, Some(max)),
                    Some(max) => Node::Alt(vec![repeat(max, Some(max)), all(repeat(min, Some(max - 1)))]),
                }
            }
            node => Node::Atomic { id, node: Box::new(simplified(node, plain)) },
        },
        Node::Around { id, negate, node } => {
            let node = simplified(*node, plain);
            if node.is_check() {
                Node::Check { negate, node: Box::new(node) }
            } else {
                Node::Around { id, negate, node: Box::new(node) }
            }
        }
        Node::Capture { index, node } => match simplified(*node, plain) {
            Node::Fail => Node::Fail,
            node => Node::Capture { index, node: Box::new(node) },
        },
        Node::Repeat { node, min, max, greedy } => match simplified(*node, plain) {
            Node::Fail if min == 0 => Node::Empty,
            Node::Fail => Node::Fail,
            node => Node::Repeat { node: Box::new(node), min, max, greedy },
        },
        Node::Concat(nodes) => {
            let nodes: Vec<Node> = nodes.into_iter().map(|n| simplified(n, plain)).collect();
            if nodes.iter().any(|n| matches!(n, Node::Fail)) { Node::Fail } else { Node::Concat(nodes) }
        }
        Node::Alt(nodes) => {
            let nodes = nodes.into_iter().map(|n| simplified(n, plain));
            let mut nodes: Vec<Node> = nodes.filter(|n| !matches!(n, Node::Fail)).collect();
            match nodes.len() {
                0 => Node::Fail,
                1 => nodes.pop().expect("there is one"),
                _ => Node::Alt(nodes),
            }
        }
        node => node,
    }
}

struct Compiler {
    program: Program,
    set_ids: HashMap<ByteSet, u32>,
    nest: u16,
}

impl Compiler {
    fn pc(&self) -> Pc {
        self.program.insts.len() as Pc
    }

    fn push(&mut self, inst: Inst) -> Pc {
        self.program.insts.push(inst);
        self.pc() - 1
    }

    /// A split whose one way leads to the next instruction; the other is filled in by [`Compiler::aim`].
    fn split(&mut self, greedy: bool) -> (Pc, bool) {
        let next = self.pc() + 1;
        (self.push(Inst::Split { first: next, second: next }), greedy)
    }

    fn aim(&mut self, split: (Pc, bool), to: Pc) {
        if let Inst::Split { first, second } = &mut self.program.insts[split.0 as usize] {
            *(if split.1 { second } else { first }) = to;
        }
    }

    fn emit(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            Node::Fail => {
                self.push(Inst::Fail);
            }
            Node::Set(set) => {
                let next = self.set_ids.len() as u32;
                let id = *self.set_ids.entry(*set).or_insert(next);
                if id == next {
                    self.program.sets.push(*set);
                }
                self.push(Inst::Set { set: id, nest: self.nest });
            }
            Node::Look(look) => {
                self.push(Inst::Look(*look));
            }
            Node::Concat(nodes) => nodes.iter().for_each(|n| self.emit(n)),
            Node::Alt(nodes) => {
                let mut jumps = Vec::new();
                for (i, node) in nodes.iter().enumerate() {
                    if i + 1 == nodes.len() {
                        self.emit(node);
                        break;
                    }
                    let split = self.split(true);
                    self.emit(node);
                    jumps.push(self.push(Inst::Jump { to: 0 }));
                    let next = self.pc();
                    self.aim(split, next);
                }
                let end = self.pc();
                for jump in jumps {
                    self.program.insts[jump as usize] = Inst::Jump { to: end };
                }
            }
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy),
            Node::Capture { index, node } => {
                self.push(Inst::Save { slot: 2 * index });
                self.emit(node);
                self.push(Inst::Save { slot: 2 * index + 1 });
            }
            Node::Atomic { id, node } => {
                self.push(Inst::Cut { register: *id, kind: CutKind::Atomic });
                self.emit(node);
                self.push(Inst::CutEnd { register: *id, kind: CutKind::Atomic });
            }
            Node::Around { id, negate, node } => {
                let cut = self.push(Inst::Cut { register: *id, kind: CutKind::Ahead });
                self.emit(node);
                let end = self.push(Inst::CutEnd { register: *id, kind: CutKind::Ahead });
                if *negate {
                    let kind = CutKind::NotAhead { after: self.pc() };
                    self.program.insts[cut as usize] = Inst::Cut { register: *id, kind };
                    self.program.insts[end as usize] = Inst::CutEnd { register: *id, kind };
                }
            }
            Node::Check { negate, node } => {
                let check = self.program.checks.len() as u32;
                let steps = 1 + node.expanded_size();
                self.program.checks.push(Check { node: (**node).clone(), negate: *negate, steps });
                self.push(Inst::Check { check });
            }
            Node::StepBack(count) => {
                self.push(Inst::StepBack(*count));
            }
            Node::Backref { group, ignore_case } => {
                self.push(Inst::Backref { group: *group, ignore_case: *ignore_case });
            }
            Node::Keep => {
                self.push(Inst::Save { slot: 0 });
            }
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool) {
        match max {
            Some(max) => {
                (0..min).for_each(|_| self.emit(node));
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.split(greedy));
                    self.emit(node);
                }
                let end = self.pc();
                splits.into_iter().for_each(|split| self.aim(split, end));
            }
            None => {
                (1..min).for_each(|_| self.emit(node));
                let skip = (min == 0).then(|| self.split(greedy));
                let start = self.pc();
                if node.is_nullable() {
                    let register = self.program.register_count as u32;
                    self.program.register_count += 1;
                    let nest = self.nest;
                    self.push(Inst::LoopStart { nest, register });
                    self.nest += 1;
                    self.program.nest_max = self.program.nest_max.max(self.nest);
                    self.emit(node);
                    self.nest = nest;
                    let check = self.push(Inst::LoopCheck { nest, register, exit: 0 });
                    self.again(start, greedy);
                    let exit = self.pc();
                    self.program.insts[check as usize] = Inst::LoopCheck { nest, register, exit };
                } else {
                    self.emit(node);
                    self.again(start, greedy);
                }
                let end = self.pc();
                if let Some(split) = skip {
                    self.aim(split, end);
                }
            }
        }
    }

    /// The end of a loop: back to `start` or on.
    fn again(&mut self, start: Pc, greedy: bool) {
        let next = self.pc() + 1;
        self.push(if greedy {
            Inst::Split { first: start, second: next }
        } else {
            Inst::Split { first: next, second: start }
        });
    }
}
