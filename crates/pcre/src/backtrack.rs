//! Matching with memory: look-around, back-references, atomic groups.
//!
//! Alternatives wait on a stack of our own, so that a hostile haystack can use up the step limit but not the thread's
//! stack. A step is one instruction, one byte compared by a back-reference, or one entry taken from the stack, so the
//! limit bounds the time. The stack has a bound of its own.

use crate::error::StepLimit;
use crate::pike::UNSET;
use crate::program::{CutKind, Inst, Pc, Program};

/// Alternatives that may wait at once: 48 MiB of them. More ends the search as the step limit does.
const STACK_MAX: usize = 2 << 20;
/// What the stack may keep between searches: 1.5 MiB.
const STACK_KEPT: usize = 64 << 10;

/// Working memory, kept between searches.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    slots: Vec<usize>,
    registers: Vec<Register>,
    stack: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Register {
    /// Where an iteration or a cut began.
    at: usize,
    /// How high the stack was when a cut began.
    height: usize,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Branch { pc: Pc, at: usize },
    Slot { slot: u32, value: usize },
    Register { register: u32, value: Register },
}

/// The steps that one search may still take.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Budget {
        Budget { left: limit, limit }
    }

    pub(crate) fn charge(&mut self, steps: u64) -> Result<(), StepLimit> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(StepLimit { limit: self.limit }),
        }
    }
}

/// Tries to match at `at` only, with the program from `pc` on. On a match, `slots` holds the positions of as many groups
/// as it has pairs.
pub(crate) fn match_at(
    program: &Program,
    scratch: &mut Scratch,
    haystack: &[u8],
    (pc, at): (Pc, usize),
    search_start: usize,
    budget: &mut Budget,
    slots: &mut [usize],
) -> Result<bool, StepLimit> {
    let mut run = Run { program, haystack, scratch, at };
    let matched = run.run(pc, search_start, budget);
    run.scratch.stack.clear();
    run.scratch.stack.shrink_to(STACK_KEPT);
    let matched = matched?;
    if matched {
        for (slot, value) in slots.iter_mut().zip(&run.scratch.slots) {
            *slot = *value;
        }
        if let Some(end) = slots.get_mut(1) {
            *end = run.at;
        }
    }
    Ok(matched)
}

struct Run<'a> {
    program: &'a Program,
    haystack: &'a [u8],
    scratch: &'a mut Scratch,
    at: usize,
}

impl Run<'_> {
    fn run(&mut self, mut pc: Pc, search_start: usize, budget: &mut Budget) -> Result<bool, StepLimit> {
        self.scratch.slots.clear();
        self.scratch.slots.resize(self.program.slot_count / 2 * 3, UNSET);
        self.scratch.slots[0] = self.at;
        self.scratch.registers.clear();
        self.scratch.registers.resize(self.program.register_count, Register::default());
        self.scratch.stack.clear();
        // Sixteen of them are cleared in the time of a step.
        budget.charge((self.scratch.slots.len() + self.scratch.registers.len()) as u64 / 16)?;
        loop {
            budget.charge(if self.scratch.stack.len() < STACK_MAX { 1 } else { u64::MAX })?;
            let goes_on = match self.program.insts[pc as usize] {
                Inst::Match => return Ok(true),
                Inst::Fail => false,
                Inst::Set { set, .. } => {
                    let found = self
                        .haystack
                        .get(self.at)
                        .is_some_and(|b| self.program.sets[set as usize].contains(*b));
                    self.at += 1;
                    pc += 1;
                    found
                }
                Inst::Split { first, second } => {
                    self.scratch.stack.push(Entry::Branch { pc: second, at: self.at });
                    pc = first;
                    true
                }
                Inst::Jump { to } => {
                    pc = to;
                    true
                }
                Inst::Save { slot } => {
                    let group = slot / 2;
                    let pending = self.program.slot_count as u32 + group;
                    if slot == 0 {
                        self.save(0, self.at);
                    } else if slot.is_multiple_of(2) {
                        // A group is set when it ends: inside, a reference to it still means the previous round.
                        self.save(pending, self.at);
                    } else {
                        self.save(slot - 1, self.scratch.slots[pending as usize]);
                        self.save(slot, self.at);
                    }
                    pc += 1;
                    true
                }
                Inst::Look(look) => {
                    pc += 1;
                    look.holds(self.haystack, self.at, search_start)
                }
                Inst::Check { check } => {
                    budget.charge(self.program.checks[check as usize].steps)?;
                    pc += 1;
                    self.program.check_holds(check, self.haystack, self.at, search_start)
                }
                Inst::LoopStart { register, .. } => {
                    self.set_register(register, Register { at: self.at, height: 0 });
                    pc += 1;
                    true
                }
                Inst::LoopCheck { register, exit, .. } => {
                    let empty = self.scratch.registers[register as usize].at == self.at;
                    pc = if empty { exit } else { pc + 1 };
                    true
                }
                Inst::Cut { register, kind } => {
                    // No way back leads into a cut that has ended, so its register needs no undoing.
                    let height = self.scratch.stack.len();
                    self.scratch.registers[register as usize] = Register { at: self.at, height };
                    if let CutKind::NotAhead { after } = kind {
                        self.scratch.stack.push(Entry::Branch { pc: after, at: self.at });
                    }
                    pc += 1;
                    true
                }
                Inst::CutEnd { register, kind } => {
                    let begun = self.scratch.registers[register as usize];
                    pc += 1;
                    match kind {
                        CutKind::NotAhead { .. } => {
                            self.unwind(begun.height);
                            false
                        }
                        CutKind::Atomic | CutKind::Ahead => {
                            budget.charge((self.scratch.stack.len() - begun.height) as u64)?;
                            self.forget_branches(begun.height);
                            if kind == CutKind::Ahead {
                                self.at = begun.at;
                            }
                            true
                        }
                    }
                }
                Inst::StepBack(count) => {
                    pc += 1;
                    match self.at.checked_sub(count as usize) {
                        Some(at) => {
                            self.at = at;
                            true
                        }
                        None => false,
                    }
                }
                Inst::Backref { group, ignore_case } => {
                    pc += 1;
                    self.backref(group, ignore_case, budget)?
                }
            };
            if !goes_on {
                match self.back(budget)? {
                    Some(next) => pc = next,
                    None => return Ok(false),
                }
            }
        }
    }

    fn save(&mut self, slot: u32, at: usize) {
        let value = std::mem::replace(&mut self.scratch.slots[slot as usize], at);
        self.scratch.stack.push(Entry::Slot { slot, value });
    }

    fn set_register(&mut self, register: u32, to: Register) {
        let value = std::mem::replace(&mut self.scratch.registers[register as usize], to);
        self.scratch.stack.push(Entry::Register { register, value });
    }

    fn undo(&mut self, entry: Entry) {
        match entry {
            Entry::Slot { slot, value } => self.scratch.slots[slot as usize] = value,
            Entry::Register { register, value } => self.scratch.registers[register as usize] = value,
            Entry::Branch { .. } => {}
        }
    }

    /// Takes up the last alternative.
    fn back(&mut self, budget: &mut Budget) -> Result<Option<Pc>, StepLimit> {
        while let Some(entry) = self.scratch.stack.pop() {
            if let Entry::Branch { pc, at } = entry {
                self.at = at;
                return Ok(Some(pc));
            }
            budget.charge(1)?;
            self.undo(entry);
        }
        Ok(None)
    }

    /// Undoes everything above `height`. Each entry was paid for when it was pushed.
    fn unwind(&mut self, height: usize) {
        while self.scratch.stack.len() > height {
            if let Some(entry) = self.scratch.stack.pop() {
                self.undo(entry);
            }
        }
    }

    /// Drops the alternatives above `height` and keeps what undoes captures, for going back to before the cut.
    fn forget_branches(&mut self, height: usize) {
        let stack = &mut self.scratch.stack;
        let mut kept = height;
        for i in height..stack.len() {
            if !matches!(stack[i], Entry::Branch { .. }) {
                stack[kept] = stack[i];
                kept += 1;
            }
        }
        stack.truncate(kept);
    }

    fn backref(&mut self, group: u32, ignore_case: bool, budget: &mut Budget) -> Result<bool, StepLimit> {
        let slot = 2 * group as usize;
        let (start, end) = (self.scratch.slots[slot], self.scratch.slots[slot + 1]);
        if start == UNSET || end == UNSET {
            return Ok(false);
        }
        let text = &self.haystack[start..end];
        let Some(here) = self.haystack.get(self.at..self.at + text.len()) else { return Ok(false) };
        let same = |(a, b): (&u8, &u8)| if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
        let common = here.iter().zip(text).take_while(|pair| same(*pair)).count();
        budget.charge(common as u64)?;
        self.at += text.len();
        Ok(common == text.len())
    }
}
