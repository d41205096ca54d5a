//! Networks of one family by their bits: a lookup goes down once, however many lengths there are.
//!
//! ```text
//!   node of bits 0..6 ──child 100000──> node of bits 12..18 ──child──> a network alone
//!     holds 0/0, 128/1               (bits 6..12 are the same below)
//!     holds 192/5
//! ```
//!
//! A node answers for six bits of an address: it holds the networks that end within these, 63 that are possible, and the
//! children by all six, 64. Which there are is one word, and where they stand one packed list. A node stands only where
//! two links meet, so its bits may begin well after those of its parent; a network that is alone below a child has no node
//! at all. The form depends on what is in it and not on the order of coming: every change touches one node and at most
//! makes or removes one.

use std::fmt::Debug;

use crate::slab::Slab;

/// Bits that a node answers for.
const STRIDE: u8 = 6;
/// Networks that may end within a node, and the place of its first child.
const CHILDREN: u32 = 63;

/// The bits of an address, the first the highest.
pub(crate) trait Bits: Copy + Eq + Debug {
    /// How many there are.
    const WIDTH: u8;

    /// The first address of the network of so many bits.
    fn cut(self, bits: u8) -> Self;
    /// How many of the first bits are the same.
    fn same(self, other: Self) -> u8;
    /// The six bits after these; zeros where the address is at its end.
    fn six_after(self, before: u8) -> u32;
}

macro_rules! bits {
    ($word:ty) => {
        impl Bits for $word {
            const WIDTH: u8 = <$word>::BITS as u8;

            fn cut(self, bits: u8) -> Self {
                self & Self::MAX.checked_shl(Self::BITS - u32::from(bits)).unwrap_or(0)
            }

            fn same(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }

            fn six_after(self, before: u8) -> u32 {
                (self.checked_shl(before.into()).unwrap_or(0) >> (Self::BITS - u32::from(STRIDE))) as u32
            }
        }
    };
}

bits!(u32);
bits!(u128);

/// A network: its first address and how many of its bits are the same in all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix<A> {
    pub(crate) first: A,
    pub(crate) bits: u8,
}

impl<A: Bits> Prefix<A> {
    /// Whether another is inside it, or is the same.
    fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.first.same(other.first) >= self.bits
    }
}

/// What stands at a place of a node.
#[derive(Debug)]
enum Link<A> {
    /// A network, and its number.
    Network(Prefix<A>, u32),
    Node(Node<A>),
}

impl<A: Bits> Link<A> {
    fn prefix(&self) -> Prefix<A> {
        match self {
            Self::Network(prefix, _) | Self::Node(Node { prefix, .. }) => *prefix,
        }
    }

    /// Becomes a node that has room for a network that ends elsewhere, with what it was before in it.
    fn part_from(&mut self, network: Prefix<A>) {
        let other = self.prefix();
        let same = network.first.same(other.first).min(network.bits).min(other.bits);
        let node = Self::Node(Node::around(Prefix { first: network.first, bits: same }));
        let stood = std::mem::replace(self, node);
        if let Self::Node(node) = self {
            node.set(node.place(other), Some(stood));
        }
    }
}

#[derive(Debug)]
struct Node<A> {
    /// What all below begin with: a multiple of six bits.
    prefix: Prefix<A>,
    /// The places that are taken: networks by length and bits, then children.
    places: u128,
    /// What stands there, in order. A child's own words stand here, so that a step down is one place in memory.
    links: Box<[Link<A>]>,
}

impl<A: Bits> Node<A> {
    /// The one in which a network, or what two have in common, ends.
    fn around(prefix: Prefix<A>) -> Self {
        let bits = prefix.bits / STRIDE * STRIDE;
        Self { prefix: Prefix { first: prefix.first.cut(bits), bits }, places: 0, links: Box::default() }
    }

    /// The place of what is inside: a network's own, or the child that leads to it.
    fn place(&self, inside: Prefix<A>) -> u32 {
        let six = inside.first.six_after(self.prefix.bits);
        match inside.bits - self.prefix.bits {
            length if length < STRIDE => held_place(six, length),
            _ => CHILDREN + six,
        }
    }

    fn at(&self, place: u32) -> Option<&Link<A>> {
        self.is_taken(place).then(|| &self.links[self.rank(place)])
    }

    fn at_mut(&mut self, place: u32) -> Option<&mut Link<A>> {
        self.is_taken(place).then(|| &mut self.links[self.rank(place)])
    }

    fn is_taken(&self, place: u32) -> bool {
        self.places >> place & 1 == 1
    }

    /// Places taken before one.
    fn rank(&self, place: u32) -> usize {
        (self.places & ((1 << place) - 1)).count_ones() as usize
    }

    fn set(&mut self, place: u32, link: Option<Link<A>>) {
        let rank = self.rank(place);
        let had = usize::from(self.is_taken(place));
        let mut links = std::mem::take(&mut self.links).into_vec();
        self.places &= !(1 << place);
        self.places |= u128::from(link.is_some()) << place;
        links.splice(rank..rank + had, link);
        self.links = links.into_boxed_slice();
    }

    /// The number of a network.
    fn number(&self, network: Prefix<A>) -> Option<u32> {
        if !self.prefix.covers(network) {
            return None;
        }
        match self.at(self.place(network))? {
            Link::Node(child) => child.number(network),
            Link::Network(stands, number) => (*stands == network).then_some(*number),
        }
    }

    /// Adds a network that is not there and is inside this.
    fn add(&mut self, network: Prefix<A>, number: u32) {
        let place = self.place(network);
        let Some(link) = self.at_mut(place) else {
            return self.set(place, Some(Link::Network(network, number)));
        };
        if !matches!(link, Link::Node(child) if child.prefix.covers(network)) {
            link.part_from(network);
        }
        if let Link::Node(child) = link {
            child.add(network, number);
        }
    }

    fn remove(&mut self, network: Prefix<A>) -> Option<u32> {
        if !self.prefix.covers(network) {
            return None;
        }
        let place = self.place(network);
        match self.at_mut(place)? {
            Link::Network(stands, number) => {
                let number = (*stands == network).then_some(*number)?;
                self.set(place, None);
                Some(number)
            }
            Link::Node(child) => {
                let number = child.remove(network)?;
                // Where one link is left, nothing meets any more.
                if child.links.len() == 1 {
                    let alone = std::mem::take(&mut child.links).into_iter().next();
                    self.set(place, alone);
                }
                Some(number)
            }
        }
    }
}

/// The place of the network of so many bits after a node's own.
const fn held_place(six: u32, length: u8) -> u32 {
    (1 << length) - 1 + (six >> (STRIDE - length))
}

/// The places of the networks that an address is in, by its six bits.
const AROUND: [u64; 64] = {
    let mut around = [0; 64];
    let mut six = 0;
    while six < 64 {
        let mut length = 0;
        while length < STRIDE {
            around[six] |= 1 << held_place(six as u32, length);
            length += 1;
        }
        six += 1;
    }
    around
};

/// Values by network.
#[derive(Debug)]
pub(crate) struct Trie<A, T> {
    /// Stands at no bits.
    root: Node<A>,
    networks: Slab<(Prefix<A>, T)>,
}

impl<A: Bits, T> Trie<A, T> {
    pub(crate) fn new(no_bits: A) -> Self {
        Self { root: Node::around(Prefix { first: no_bits, bits: 0 }), networks: Slab::new() }
    }

    /// Shows the value of every network that an address is in, the smallest first, until that is enough. Whether it was.
    pub(crate) fn visit<'t>(&'t self, address: A, mut enough: impl FnMut(&'t T, u8) -> bool) -> bool {
        self.visit_below(&self.root, Prefix { first: address, bits: A::WIDTH }, &mut enough)
    }

    /// As deep as there are strides in an address: 22.
    fn visit_below<'t>(
        &'t self,
        node: &'t Node<A>,
        address: Prefix<A>,
        enough: &mut impl FnMut(&'t T, u8) -> bool,
    ) -> bool {
        if !node.prefix.covers(address) {
            return false;
        }
        let six = address.first.six_after(node.prefix.bits);
        let done = match node.at(CHILDREN + six) {
            None => false,
            Some(Link::Node(child)) => self.visit_below(child, address, enough),
            Some(Link::Network(network, number)) => {
                network.covers(address) && enough(&self.networks[*number].1, network.bits)
            }
        };
        let mut held = node.places as u64 & AROUND[six as usize];
        while !done && held != 0 {
            let place = held.ilog2();
            held &= !(1 << place);
            if let Link::Network(network, number) = &node.links[node.rank(place)]
                && enough(&self.networks[*number].1, network.bits)
            {
                return true;
            }
        }
        done
    }

    pub(crate) fn get(&self, network: Prefix<A>) -> Option<&T> {
        self.root.number(network).map(|number| &self.networks[number].1)
    }

    /// The value of a network, made where it has none.
    pub(crate) fn entry(&mut self, network: Prefix<A>) -> &mut T
    where
        T: Default,
    {
        let number = self.root.number(network).unwrap_or_else(|| {
            let number = self.networks.insert((network, T::default()));
            self.root.add(network, number);
            number
        });
        &mut self.networks[number].1
    }

    pub(crate) fn remove(&mut self, network: Prefix<A>) -> Option<T> {
        let number = self.root.remove(network)?;
        self.networks.remove(number).map(|(_, value)| value)
    }

    /// The networks of one of so many parts, for who looks at all of them without holding up others. All parts are all
    /// networks, where nothing is added meanwhile.
    pub(crate) fn part(&self, part: usize, of: usize) -> impl Iterator<Item = (Prefix<A>, &T)> {
        let bound = |part: usize| (self.networks.span() * part / of) as u32;
        (bound(part)..bound(part + 1)).filter_map(|number| {
            let (network, value) = self.networks.get(number)?;
            Some((*network, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A node and all below it.
    fn nodes<A>(node: &Node<A>) -> Vec<&Node<A>> {
        let below = node.links.iter().filter_map(|link| match link {
            Link::Node(child) => Some(nodes(child)),
            Link::Network(..) => None,
        });
        below.flatten().chain([node]).collect()
    }

    /// Networks that are often inside one another: few bits are set, and lengths are all lengths.
    fn any_network<A: Bits + Into<u128> + TryFrom<u128>>() -> impl Strategy<Value = Prefix<A>> {
        let ones = proptest::collection::vec(0..A::WIDTH, 0..4);
        (ones, 0..=A::WIDTH).prop_map(|(ones, bits)| {
            let address = ones.iter().fold(0_u128, |address, one| address | 1 << one);
            let Ok(address) = A::try_from(address) else { unreachable!("no bit is beyond the width") };
            Prefix { first: address.cut(bits), bits }
        })
    }

    fn holds_what_it_should<A: Bits + Into<u128> + TryFrom<u128> + Default>(
        changes: &[(Prefix<A>, bool)],
    ) -> Result<(), TestCaseError> {
        let mut trie: Trie<A, Option<usize>> = Trie::new(A::default());
        let mut all: Vec<(Prefix<A>, usize)> = Vec::new();
        for (number, (network, is_added)) in changes.iter().enumerate() {
            let stood = all.iter().position(|(other, _)| other == network).map(|at| all.swap_remove(at).1);
            if *is_added {
                prop_assert_eq!(trie.entry(*network).replace(number), stood);
                all.push((*network, number));
            } else {
                prop_assert_eq!(trie.remove(*network), stood.map(Some));
            }
            for (asked, _) in changes {
                let stands = all.iter().find(|(other, _)| other == asked).map(|(_, number)| *number);
                prop_assert_eq!(trie.get(*asked).copied().flatten(), stands);
                let alone = Prefix { first: asked.first, bits: A::WIDTH };
                let mut around: Vec<_> = all.iter().filter(|(other, _)| other.covers(alone)).collect();
                around.sort_by_key(|(other, _)| std::cmp::Reverse(other.bits));
                let around: Vec<usize> = around.iter().map(|(_, number)| *number).collect();
                let mut seen = Vec::new();
                trie.visit(asked.first, |number, _| {
                    seen.extend(*number);
                    false
                });
                prop_assert_eq!(seen, around);
            }
            // No node but the root stands where nothing meets.
            prop_assert!(nodes(&trie.root).iter().all(|node| node.prefix.bits == 0 || node.links.len() > 1));
            let in_parts = (0..3).flat_map(|part| trie.part(part, 3)).count();
            prop_assert_eq!(in_parts, all.len());
        }
        for (network, number) in all {
            prop_assert_eq!(trie.remove(network), Some(Some(number)));
        }
        prop_assert_eq!((nodes(&trie.root).len(), trie.root.links.len()), (1, 0));
        Ok(())
    }

    proptest! {
        #[test]
        fn networks_of_32_bits_are_found_as_by_looking_at_each(
            changes in proptest::collection::vec((any_network::<u32>(), prop::bool::weighted(0.7)), 1..40),
        ) {
            holds_what_it_should(&changes)?;
        }

        #[test]
        fn networks_of_128_bits_are_found_as_by_looking_at_each(
            changes in proptest::collection::vec((any_network::<u128>(), prop::bool::weighted(0.7)), 1..40),
        ) {
            holds_what_it_should(&changes)?;
        }
    }

    #[test]
    fn every_network_around_an_address_is_found_and_the_smallest_is_enough() {
        let mut trie = Trie::new(0_u128);
        let address = 0x2001_0db8_0123_4567_89ab_cdef_0123_4567_u128;
        for bits in 0..=128 {
            *trie.entry(Prefix { first: address.cut(bits), bits }) = bits;
        }
        let mut seen = Vec::new();
        assert!(!trie.visit(address, |bits, _| {
            seen.push(*bits);
            false
        }));
        assert_eq!(seen, (0..=128).rev().collect::<Vec<u8>>());
        let mut first = None;
        assert!(trie.visit(address ^ 1, |bits, _| {
            first = Some(*bits);
            true
        }));
        assert_eq!(first, Some(127));
    }
}
