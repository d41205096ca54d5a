//! The distinct results of many transformation lists, for one value.
//!
//! A *chain* is a transformation list that some rule asks for. Rules of one set share a few dozen chains, the chains
//! share their first steps, and most steps leave most values as they are. So the chains are joined to a trie of
//! steps, and a value walks it once:
//!
//! ```text
//!  value "a+b"    urlDecodeUni ─── lowercase ─── removeNulls        "a+b"  chains {none, lowercase}
//!      │               │               (no capitals, no NUL:   =>   "a b"  chains {urlDecodeUni, .., removeNulls}
//!      └── lowercase   └ "a b"          shared with "a b")
//! ```
//!
//! **A step that leaves its value costs a bit test.** Which steps could change an output at all, its *live* steps,
//! is one mask, read off the set of the output's bytes; a subtree without a live step is passed over as a whole. So
//! a value that nothing changes costs one set intersection for all chains together.
//!
//! **Equal results are one output.** A step's result for an output is kept, so two paths that agree after unchanged
//! steps share it, and a result that equals an earlier output becomes that output (within [`COMPARED_MAX`]).
//!
//! Every result is exactly that of applying the list step by step, as the reference evaluator does. Not here: which
//! rules want which chain, and what is looked for in the outputs.

use palisade_codec::transform::{ByteSet, Context, Effect, Transformation};

/// The chains of a rule set, numbered by their place in the list that they were made of.
#[derive(Clone, Debug)]
pub(crate) struct Chains {
    walks: Box<[Walk]>,
}

impl Chains {
    /// Chains of these lists. Lists may be equal; each keeps its number. A rule with `multiMatch`, where the value
    /// after each step counts, asks for each of the [`prefixes`] of its list.
    #[cfg(test)]
    pub(crate) fn new<L: AsRef<[Transformation]>>(lists: &[L]) -> Self {
        Self::of_wanted(lists, |_| Some(Want::ALL))
    }

    /// Those of the chains of which some results are wanted. Others may be left out, and with them the steps that lead
    /// there. All keep the numbers that they have in `lists`.
    pub(crate) fn of_wanted<L: AsRef<[Transformation]>>(
        lists: &[L],
        want: impl Fn(usize) -> Option<Want>,
    ) -> Self {
        let walks = lists.chunks(WALK_CHAINS).enumerate().filter_map(|(number, lists)| {
            let first_chain = number * WALK_CHAINS;
            let lists: Vec<Wanted<'_>> = lists
                .iter()
                .enumerate()
                .filter_map(|(bit, list)| {
                    Some(Wanted { list: list.as_ref(), bit: 1 << bit, want: want(first_chain + bit)? })
                })
                .collect();
            (!lists.is_empty()).then(|| Walk::new(first_chain, lists))
        });
        Chains { walks: walks.collect() }
    }

    /// What a value is to be put through: one walk for each 64 chains. CRS has fewer, so one.
    pub(crate) fn walks(&self) -> &[Walk] {
        &self.walks
    }
}

/// The lists whose results `multiMatch` looks at, the empty and the whole one included, in order. The rule sees the
/// result of the first, and of each other that is not the same output as the one before it.
pub(crate) fn prefixes(list: &[Transformation]) -> impl Iterator<Item = &[Transformation]> {
    (0..=list.len()).map(|len| &list[..len])
}

/// Steps for which [`Transformation::leaves`] says more than the bytes that wake them.
const LOOKS_CLOSER: Steps = {
    use Transformation::*;
    let steps = [
        Trim,
        TrimLeft,
        TrimRight,
        CompressWhitespace,
        NormalizePath,
        NormalizePathWin,
        RemoveComments,
        RemoveCommentsChar,
        ReplaceComments,
        SqlHexDecode,
        UrlDecode,
        UrlDecodeUni,
    ];
    let mut all = 0;
    let mut at = 0;
    while at < steps.len() {
        all |= bit_of(steps[at]);
        at += 1;
    }
    all
};

/// How many chains one walk serves: the bits of a mask.
pub(crate) const WALK_CHAINS: usize = 64;

/// A chain for a walk.
struct Wanted<'a> {
    list: &'a [Transformation],
    bit: u64,
    want: Want,
}

/// Which results somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// At least of so many bytes.
    pub(crate) len_min: usize,
    /// With one of these bytes; the empty one as well where it is [`ByteSet::FULL`].
    pub(crate) telling: ByteSet,
}

impl Want {
    pub(crate) const ALL: Want = Want { len_min: 0, telling: ByteSet::FULL };

    pub(crate) fn or(self, other: Want) -> Want {
        Want { len_min: self.len_min.min(other.len_min), telling: self.telling.union(other.telling) }
    }
}

/// Up to [`WALK_CHAINS`] chains as a trie of steps.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    first_chain: usize,
    /// In the order of a walk: a node, then all below it.
    nodes: Box<[Node]>,
    /// The chain of no step, if it is wanted.
    at_root: u64,
    /// All chains.
    all: u64,
    /// Steps that may change any value.
    always: Steps,
    /// Steps that may change any value but the empty one.
    unless_empty: Steps,
    /// The bytes that wake other steps, by their word in a set.
    waking: [Box<[Waking]>; 4],
    /// All of those.
    waking_bytes: ByteSet,
}

/// Those of a walk's chains whose results are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) chains: u64,
    /// The steps on the way to them.
    needs: Steps,
}

impl Selection {
    /// The chains of either selection of the same walk.
    pub(crate) fn union(self, other: Self) -> Self {
        Self { chains: self.chains | other.chains, needs: self.needs | other.needs }
    }
}

#[derive(Clone, Debug)]
struct Node {
    step: Transformation,
    /// The step as a set.
    bit: Steps,
    /// Where its subtree ends.
    end: u32,
    /// Of shorter inputs nothing below is wanted, ...
    len_min: usize,
    /// ... and of shorter results nothing that ends here.
    ending_len_min: usize,
    /// Of inputs without one of these nothing below is wanted, unless it is every byte.
    telling: ByteSet,
    /// The steps of its subtree, its own included.
    needs: Steps,
    /// The chains that end here.
    chains: u64,
    /// The chains that end in its subtree, here included.
    chains_below: u64,
}

/// Bytes of one word of a [`ByteSet`] that wake the same steps.
#[derive(Clone, Debug)]
struct Waking {
    bytes: u64,
    wakes: Steps,
}

/// A set of transformations.
type Steps = u64;

const STEPS: usize = Transformation::ALL.len();
const _: () = assert!(STEPS <= Steps::BITS as usize);

const fn bit_of(step: Transformation) -> Steps {
    1 << step as u32
}

impl Walk {
    fn new(first_chain: usize, mut lists: Vec<Wanted<'_>>) -> Self {
        // In lexical order a list stands before those that it begins, and lists of one beginning stand together: the
        // order of a walk.
        lists.sort_by_key(|wanted| wanted.list);
        let mut at_root = 0;
        let mut nodes: Vec<Node> = Vec::new();
        // The nodes of the last list.
        let mut path: Vec<usize> = Vec::new();
        let mut before: &[Transformation] = &[];
        for &Wanted { list, bit, want } in &lists {
            let shared = before.iter().zip(list).take_while(|(a, b)| a == b).count();
            close(&mut nodes, &mut path, shared);
            for &step in &list[shared..] {
                path.push(nodes.len());
                nodes.push(Node {
                    step,
                    bit: bit_of(step),
                    end: 0,
                    len_min: usize::MAX,
                    ending_len_min: usize::MAX,
                    telling: ByteSet::EMPTY,
                    needs: bit_of(step),
                    chains: 0,
                    chains_below: 0,
                });
            }
            match path.last() {
                Some(&node) => {
                    let node = &mut nodes[node];
                    node.chains |= bit;
                    node.chains_below |= bit;
                    node.len_min = node.len_min.min(input_len_min(node.step, want.len_min));
                    node.ending_len_min = node.ending_len_min.min(want.len_min);
                    node.telling = node.telling.union(node.step.bytes_before(want.telling));
                }
                None => at_root |= bit,
            }
            before = list;
        }
        close(&mut nodes, &mut path, 0);

        let needs = nodes.iter().fold(0, |needs, node| needs | node.needs);
        let (mut always, mut unless_empty) = (0, 0);
        let mut by_bytes = Vec::new();
        for &step in Transformation::ALL.iter().filter(|step| needs & bit_of(**step) != 0) {
            match step.unchanged_without() {
                None => always |= bit_of(step),
                Some(ByteSet::FULL) => unless_empty |= bit_of(step),
                Some(bytes) => by_bytes.push((bytes, bit_of(step))),
            }
        }
        let mut waking: [Vec<Waking>; 4] = Default::default();
        let mut waking_bytes = ByteSet::EMPTY;
        for byte in 0..=u8::MAX {
            let woken = by_bytes.iter().filter(|(bytes, _)| bytes.contains(byte));
            let wakes = woken.fold(0, |all, (_, step)| all | step);
            if wakes == 0 {
                continue;
            }
            waking_bytes.insert(byte);
            let (word, bit) = (&mut waking[usize::from(byte >> 6)], 1 << (byte & 63));
            match word.iter_mut().find(|known| known.wakes == wakes) {
                Some(known) => known.bytes |= bit,
                None => word.push(Waking { bytes: bit, wakes }),
            }
        }
        Walk {
            first_chain,
            at_root,
            all: lists.iter().fold(0, |all, wanted| all | wanted.bit),
            always,
            unless_empty,
            waking: waking.map(Vec::into),
            waking_bytes,
            nodes: nodes.into(),
        }
    }

    /// The number of the chain that the lowest bit of this walk's masks stands for.
    pub(crate) fn first_chain(&self) -> usize {
        self.first_chain
    }

    /// The chains of this walk, as a mask.
    pub(crate) fn chains(&self) -> u64 {
        self.all
    }

    /// Some of the chains, as a mask, for a walk of them alone.
    pub(crate) fn select(&self, chains: u64) -> Selection {
        let nodes = self.nodes.iter().filter(|node| node.chains_below & chains != 0);
        Selection { chains: self.all & chains, needs: nodes.fold(0, |needs, node| needs | node.bit) }
    }

    /// Whether a chain, by its number, yields an output.
    pub(crate) fn yields(&self, output: &Output<'_>, chain: u32) -> bool {
        let bit = (chain as usize).wrapping_sub(self.first_chain);
        bit < WALK_CHAINS && output.chains >> bit & 1 == 1
    }

    /// What the selected chains make of `value`, whose set of bytes is `bytes`. Allocates nothing once the scratch has
    /// grown. O(n) for each output that is made, and there are at most as many as distinct beginnings of chains.
    pub(crate) fn evaluate<'s>(
        &self,
        selection: Selection,
        value: &'s [u8],
        bytes: &ByteSet,
        scratch: &'s mut ChainScratch,
        context: &Context<'_>,
    ) -> Outputs<'s> {
        let live = self.live(bytes);
        if scratch.slots.is_empty() {
            scratch.slots.push(Slot::default());
        }
        let raw = &mut scratch.slots[0];
        (raw.bytes, raw.len, raw.live) = (*bytes, value.len(), live);
        let wanted = selection.chains;
        if live & selection.needs == 0 {
            raw.chains = wanted;
            return Outputs { value, wanted, slots: &scratch.slots[..1] };
        }
        raw.chains = self.at_root;
        (raw.results, raw.spaced) = ([UNKNOWN; STEPS], None);
        let mut run = Run { walk: self, wanted, value, slots: &mut scratch.slots, used: 1, context };
        run.run(&mut scratch.open);
        let used = run.used;
        Outputs { value, wanted, slots: &scratch.slots[..used] }
    }

    /// The steps that may change a value of these bytes; see [`Transformation::unchanged_without`].
    fn live(&self, bytes: &ByteSet) -> Steps {
        let mut live = self.always;
        if self.unless_empty != 0 && !bytes.is_empty() {
            live |= self.unless_empty;
        }
        if !bytes.intersects(&self.waking_bytes) {
            return live;
        }
        for (&word, waking) in bytes.intersection(self.waking_bytes).words().iter().zip(&self.waking) {
            if word != 0 {
                // Without branches, which no text predicts.
                live = waking.iter().fold(live, |live, kind| {
                    let is_there = u64::from(word & kind.bytes != 0);
                    live | (kind.wakes & is_there.wrapping_neg())
                });
            }
        }
        live
    }
}

/// Ends the subtrees of a path below `depth`, the innermost first, and adds up what they hold.
fn close(nodes: &mut [Node], path: &mut Vec<usize>, depth: usize) {
    while path.len() > depth {
        let Some(node) = path.pop() else { return };
        nodes[node].end = nodes.len() as u32;
        let Node { needs, chains_below, len_min, telling, .. } = nodes[node];
        if let Some(&parent) = path.last() {
            let parent = &mut nodes[parent];
            parent.needs |= needs;
            parent.chains_below |= chains_below;
            parent.len_min = parent.len_min.min(input_len_min(parent.step, len_min));
            parent.telling = parent.telling.union(parent.step.bytes_before(telling));
        }
    }
}

/// The length that an input has at least whose result by `step` has `len` bytes.
fn input_len_min(step: Transformation, len: usize) -> usize {
    use Transformation::*;
    match step {
        Length | Md5 | Sha1 => 0,
        // No encoder makes more than four bytes of one.
        Base64Encode | HexEncode | UrlEncode | Utf8ToUnicode => len / 4,
        HexDecode => len.saturating_mul(2),
        Base64Decode | Base64DecodeExt => len.saturating_add(len / 3),
        _ => len,
    }
}

/// Room for outputs, kept between values.
#[derive(Default)]
pub(crate) struct ChainScratch {
    slots: Vec<Slot>,
    /// The subtrees that stand open with an output of their own: where each ends, and the output before it.
    open: Vec<(u32, u32)>,
}

impl std::fmt::Debug for ChainScratch {
    /// What it holds is of the value at work, and of no use to anybody else.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes: usize = self.slots.iter().map(|slot| slot.text.len()).sum();
        f.debug_struct("ChainScratch").field("bytes", &bytes).finish_non_exhaustive()
    }
}

/// Outputs of one value whose memory stays: more than CRS has distinct chains.
const KEPT_SLOTS_MAX: usize = 64;
/// Memory of each that stays: most values are shorter.
const KEPT_SLOT_BYTES_MAX: usize = 1 << 10;

impl ChainScratch {
    /// Forgets all outputs and keeps some of their memory.
    pub(crate) fn clear(&mut self) {
        self.slots.truncate(KEPT_SLOTS_MAX);
        for slot in &mut self.slots {
            slot.text.clear();
            slot.text.shrink_to(KEPT_SLOT_BYTES_MAX);
        }
        self.open.clear();
        self.open.shrink_to(KEPT_SLOTS_MAX);
    }

    /// Gives back the room of outputs of more than `bytes_max` bytes, so that one huge value does not stay for good.
    pub(crate) fn release_over(&mut self, bytes_max: usize) {
        for slot in self.slots.iter_mut().filter(|slot| slot.text.capacity() > bytes_max) {
            slot.text = Vec::new();
        }
    }
}

/// An output. The first slot is the value itself, which it does not hold.
#[derive(Debug)]
struct Slot {
    text: Vec<u8>,
    bytes: ByteSet,
    len: usize,
    /// The steps that may change it, as far as is known; one that turned out not to is taken out.
    live: Steps,
    chains: u64,
    /// The place of each step's result; one beyond [`UNKNOWN`] is made again when it is asked for.
    results: [u8; STEPS],
    /// The output that this one is without its white space, where that is none but what Base64 passes over as well.
    spaced: Option<u32>,
}

impl Default for Slot {
    fn default() -> Self {
        let bytes = ByteSet::EMPTY;
        Slot { text: Vec::new(), bytes, len: 0, live: 0, chains: 0, results: [UNKNOWN; STEPS], spaced: None }
    }
}

const UNKNOWN: u8 = u8::MAX;

/// What `removeWhitespace` takes out and `base64Decode` does not pass over.
const SPACES_BUT_OF_BASE64: ByteSet = ByteSet::of(b"\x0b\x0c\xc2\xa0");

/// A value on its walk.
struct Run<'a, 'c> {
    walk: &'a Walk,
    /// The chains that were selected.
    wanted: u64,
    value: &'a [u8],
    slots: &'a mut Vec<Slot>,
    used: usize,
    context: &'a Context<'c>,
}

impl Run<'_, '_> {
    fn run(&mut self, open: &mut Vec<(u32, u32)>) {
        let nodes = &*self.walk.nodes;
        open.clear();
        let mut at = 0;
        let mut end = nodes.len();
        let mut output = 0;
        let Slot { mut live, mut len, mut chains, .. } = self.slots[output];
        loop {
            while at == end {
                self.slots[output].chains |= chains;
                let Some((outer_end, outer_output)) = open.pop() else { return };
                (end, output) = (outer_end as usize, outer_output as usize);
                Slot { live, len, chains, .. } = self.slots[output];
            }
            let node = &nodes[at];
            if node.chains_below & self.wanted == 0 || len < node.len_min {
                at = node.end as usize;
                continue;
            }
            if node.needs & live == 0 {
                chains |= node.chains_below;
                at = node.end as usize;
                continue;
            }
            if node.telling != ByteSet::FULL && !node.telling.intersects(&self.slots[output].bytes) {
                at = node.end as usize;
                continue;
            }
            at += 1;
            if node.bit & live != 0 {
                let result = self.result(output, node.step);
                if result == output {
                    live &= !node.bit;
                } else {
                    self.slots[output].chains |= chains;
                    open.push((end as u32, output as u32));
                    (end, output) = (node.end as usize, result);
                    Slot { live, len, chains, .. } = self.slots[output];
                }
            }
            if len >= node.ending_len_min {
                chains |= node.chains;
            }
        }
    }

    /// The output that a step makes of another; the same when the step leaves it.
    #[inline(never)]
    fn result(&mut self, of: usize, step: Transformation) -> usize {
        let known = self.slots[of].results[step as usize];
        if known != UNKNOWN {
            return known as usize;
        }
        if step == Transformation::Base64Decode
            && let Some(spaced) = self.slots[of].spaced
        {
            return self.result(spaced as usize, step);
        }
        if self.slots.len() == self.used {
            self.slots.push(Slot::default());
        }
        let (made, free) = self.slots.split_at_mut(self.used);
        let target = &mut free[0];
        let input = if of == 0 { self.value } else { &made[of].text };
        let bytes = &made[of].bytes;
        if LOOKS_CLOSER & bit_of(step) != 0 && step.leaves(bytes, input)
            || step.apply(input, &mut target.text, self.context) == Effect::Unchanged
        {
            made[of].live &= !bit_of(step);
            return of;
        }
        let spaced = step == Transformation::RemoveWhitespace && !bytes.intersects(&SPACES_BUT_OF_BASE64);
        let bytes = match step {
            Transformation::Lowercase => bytes.lowercased(),
            _ => step.bytes_after(bytes).unwrap_or_else(|| ByteSet::of(&target.text)),
        };
        let result = Self::seen(self.value, made, &target.text, &bytes).unwrap_or(self.used);
        made[of].results[step as usize] = u8::try_from(result).unwrap_or(UNKNOWN);
        if result == self.used {
            target.len = target.text.len();
            target.live = self.walk.live(&bytes);
            target.bytes = bytes;
            target.chains = 0;
            target.results = [UNKNOWN; STEPS];
            target.spaced = spaced.then_some(of as u32);
            self.used += 1;
        }
        result
    }

    /// The output that a result equals.
    fn seen(value: &[u8], made: &[Slot], text: &[u8], bytes: &ByteSet) -> Option<usize> {
        let alike = |slot: &Slot| slot.len == text.len() && slot.bytes == *bytes;
        let text_of = |at: usize| if at == 0 { value } else { &made[at].text };
        (0..made.len()).filter(|at| alike(&made[*at])).take(COMPARED_MAX).find(|at| text_of(*at) == text)
    }
}

/// Outputs of one length and one set of bytes that a result is compared with, so that a value made for it cannot
/// have them all read for each. Beyond, equal results may be two outputs.
const COMPARED_MAX: usize = 4;

/// What the chains of a walk make of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outputs<'s> {
    value: &'s [u8],
    /// The chains that were selected.
    wanted: u64,
    slots: &'s [Slot],
}

/// One distinct result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<'s> {
    /// Its number among the [`Outputs`]. Numbers ascend and may leave gaps; 0 is the value itself.
    pub(crate) number: usize,
    /// The text.
    pub(crate) text: &'s [u8],
    /// The set of its bytes.
    pub(crate) bytes: &'s ByteSet,
    /// The chains that yield it, at least one; see [`Walk::first_chain`].
    pub(crate) chains: u64,
}

impl<'s> Outputs<'s> {
    /// All of them. Each chain that was selected yields one, or none where it would be too short.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Output<'s>> + use<'s> {
        let Outputs { value, wanted, slots } = *self;
        slots.iter().enumerate().filter(move |(_, slot)| slot.chains & wanted != 0).map(move |(at, slot)| {
            let text = if at == 0 { value } else { &slot.text };
            Output { number: at, text, bytes: &slot.bytes, chains: slot.chains & wanted }
        })
    }

    /// The output of the chain with this bit, if it is one of the walk.
    #[cfg(test)]
    pub(crate) fn of_chain(&self, bit: u32) -> Option<Output<'s>> {
        self.iter().find(|output| output.chains >> bit & 1 == 1)
    }
}

#[cfg(test)]
mod tests;
