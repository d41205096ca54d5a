//! Values that know where they were written.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::decode::{Decode, Decoder, Shape};
use crate::node::{Node, Origin};

/// A value that remembers where it was written, for what is found out about it later.
#[derive(Clone)]
pub struct Located<T> {
    value: T,
    origin: Origin,
}

impl<T> Located<T> {
    /// Where it was written.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Located<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Where it stands makes no difference.
impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Where it stands makes no difference.
impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Decode> Decode for Located<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(|value| Self { value, origin: node.origin })
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self::default)
    }

    fn shape() -> Shape {
        T::shape()
    }
}
