//! Exact matching in linear time, for the few cases where the automaton alone is not PCRE.
//!
//! A Pike machine: all threads advance together, in order of preference, and of two threads in the same state only the
//! preferred one lives on. A state is an instruction and the number of open loops that have progressed (see
//! [`crate::program`]), so PCRE's rule for empty iterations needs no history. Time is O(program x nesting x haystack),
//! memory O(program x nesting x slots); nothing depends on luck.

use crate::program::{Inst, Pc, Program};

/// Working memory, kept between searches.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    current: Threads,
    next: Threads,
    stack: Vec<Step>,
    slots: Vec<usize>,
}

/// An absent position.
pub(crate) const UNSET: usize = usize::MAX;

#[derive(Debug, Default)]
struct Threads {
    /// States in order of preference.
    order: Vec<(Pc, u16)>,
    /// For each state, the round in which it was added last.
    seen: Vec<u32>,
    round: u32,
    /// The slots of each thread, in the order of `order`.
    slots: Vec<usize>,
}

impl Threads {
    fn clear(&mut self, states: usize) {
        self.order.clear();
        self.slots.clear();
        if self.seen.len() < states || self.round == u32::MAX {
            self.seen.clear();
            self.seen.resize(states, 0);
            self.round = 0;
        }
        self.round += 1;
    }
}

#[derive(Debug)]
enum Step {
    Explore { pc: Pc, progress: u16 },
    Restore { slot: usize, value: usize },
}

/// Whether the program can be run here: it has no instruction that needs backtracking.
pub(crate) fn is_linear(program: &Program) -> bool {
    !program.insts.iter().any(|inst| {
        matches!(inst, Inst::Cut { .. } | Inst::CutEnd { .. } | Inst::StepBack(_) | Inst::Backref { .. })
    })
}

/// The number of states of a machine for `program`.
pub(crate) fn state_count(program: &Program) -> u64 {
    program.insts.len() as u64 * (u64::from(program.nest_max) + 1)
}

/// Searches from `from`, for a match of a search that began at `search_start`. On a match, `slots` holds the positions
/// of as many groups as it has pairs; empty, it costs nothing.
pub(crate) fn search(
    program: &Program,
    scratch: &mut Scratch,
    haystack: &[u8],
    from: usize,
    search_start: usize,
    slots: &mut [usize],
) -> bool {
    let states = state_count(program) as usize;
    let Scratch { current, next, stack, slots: pending } = scratch;
    pending.clear();
    pending.resize(slots.len(), UNSET);
    current.clear(states);
    let mut matched = false;
    for at in from..=haystack.len() {
        if current.order.is_empty() {
            if matched {
                break;
            }
            if let (Some(first), Some(byte)) = (&program.first, haystack.get(at))
                && !first.contains(*byte)
            {
                // What was seen, was seen at an earlier position.
                current.clear(states);
                continue;
            }
        }
        if !matched {
            pending.fill(UNSET);
            if let Some(start) = pending.first_mut() {
                *start = at;
            }
            let context = Context { program, haystack, at, search_start };
            context.follow(current, stack, pending, 0, 0);
        }
        next.clear(states);
        for (i, &(pc, _)) in current.order.iter().enumerate() {
            let threads_slots = &current.slots[i * slots.len()..(i + 1) * slots.len()];
            match program.insts[pc as usize] {
                Inst::Match => {
                    slots.copy_from_slice(threads_slots);
                    if let Some(end) = slots.get_mut(1) {
                        *end = at;
                    }
                    matched = true;
                    // The threads behind this one are less preferred.
                    break;
                }
                Inst::Set { set, nest }
                    if haystack.get(at).is_some_and(|b| program.sets[set as usize].contains(*b)) =>
                {
                    pending.copy_from_slice(threads_slots);
                    let context = Context { program, haystack, at: at + 1, search_start };
                    context.follow(next, stack, pending, pc + 1, nest);
                }
                _ => {}
            }
        }
        if matched && slots.is_empty() {
            break;
        }
        std::mem::swap(current, next);
    }
    matched
}

struct Context<'a> {
    program: &'a Program,
    haystack: &'a [u8],
    at: usize,
    search_start: usize,
}

impl Context<'_> {
    /// Adds the threads that `pc` leads to without consuming.
    fn follow(
        &self,
        threads: &mut Threads,
        stack: &mut Vec<Step>,
        slots: &mut [usize],
        pc: Pc,
        progress: u16,
    ) {
        let width = usize::from(self.program.nest_max) + 1;
        stack.push(Step::Explore { pc, progress });
        while let Some(step) = stack.pop() {
            let (mut pc, mut progress) = match step {
                Step::Explore { pc, progress } => (pc, progress),
                Step::Restore { slot, value } => {
                    slots[slot] = value;
                    continue;
                }
            };
            loop {
                let state = pc as usize * width + usize::from(progress);
                if threads.seen[state] == threads.round {
                    break;
                }
                threads.seen[state] = threads.round;
                match self.program.insts[pc as usize] {
                    Inst::Set { .. } | Inst::Match => {
                        threads.order.push((pc, progress));
                        threads.slots.extend_from_slice(slots);
                        break;
                    }
                    Inst::Split { first, second } => {
                        stack.push(Step::Explore { pc: second, progress });
                        pc = first;
                    }
                    Inst::Jump { to } => pc = to,
                    Inst::Save { slot } => {
                        let slot = slot as usize;
                        if slot < slots.len() {
                            stack.push(Step::Restore { slot, value: slots[slot] });
                            slots[slot] = self.at;
                        }
                        pc += 1;
                    }
                    Inst::Look(look) => {
                        if !look.holds(self.haystack, self.at, self.search_start) {
                            break;
                        }
                        pc += 1;
                    }
                    Inst::Check { check } => {
                        if !self.program.check_holds(check, self.haystack, self.at, self.search_start) {
                            break;
                        }
                        pc += 1;
                    }
                    Inst::LoopStart { nest, .. } => {
                        progress = progress.min(nest);
                        pc += 1;
                    }
                    Inst::LoopCheck { nest, exit, .. } => {
                        pc = if progress > nest { pc + 1 } else { exit };
                        progress = progress.min(nest);
                    }
                    // Not in a linear program.
                    Inst::Cut { .. }
                    | Inst::CutEnd { .. }
                    | Inst::StepBack(_)
                    | Inst::Backref { .. }
                    | Inst::Fail => break,
                }
            }
        }
    }
}
