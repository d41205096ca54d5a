//! Names and values taken from a message, in order, kept in one growing buffer.

use std::ops::Range;

/// An ordered multimap of byte strings. All bytes live in one buffer, so adding a field costs a copy and no
/// allocation once the buffer has grown. Duplicates and empty names are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fields {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    name: Range<u32>,
    value: Range<u32>,
}

impl Fields {
    /// The list without fields.
    pub const EMPTY: Fields = Fields { bytes: Vec::new(), entries: Vec::new() };

    /// An empty list.
    pub fn new() -> Self {
        Self::EMPTY
    }

    /// An empty list with room for so many fields, and so many bytes of them.
    pub fn with_room(fields: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), entries: Vec::with_capacity(fields) }
    }

    /// Appends a field.
    ///
    /// # Panics
    /// When more than 4 GiB are kept; every producer is bounded by its limits far below that.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let name = self.store(name);
        let value = self.store(value);
        self.entries.push(Entry { name, value });
    }

    /// Appends a piece to the field that is being written. Until it is ended it is no field yet.
    pub(crate) fn write(&mut self, piece: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(BYTES_FIRST);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// Bytes of the field that is being written.
    pub(crate) fn written(&self) -> usize {
        self.bytes.len() - self.ended_bytes()
    }

    /// Ends the field that is being written: so many of its bytes are its name, the rest is its value.
    ///
    /// # Panics
    /// As [`Fields::push`].
    pub(crate) fn end(&mut self, name_length: usize) {
        if self.entries.capacity() == 0 {
            self.entries.reserve(ENTRIES_FIRST);
        }
        let offset = |at: usize| u32::try_from(at).expect("fields are bounded below 4 GiB");
        let start = self.ended_bytes();
        let (middle, end) = (offset(start + name_length), offset(self.bytes.len()));
        self.entries.push(Entry { name: offset(start)..middle, value: middle..end });
    }

    /// Forgets the field that is being written.
    pub(crate) fn abandon(&mut self) {
        self.bytes.truncate(self.ended_bytes());
    }

    fn ended_bytes(&self) -> usize {
        self.entries.last().map_or(0, |last| last.value.end as usize)
    }

    /// Appends a field to a list that will have several. Growing step by step is half of what a short list costs; lists
    /// that live long and stay short are better off with [`push`](Self::push).
    ///
    /// # Panics
    /// As [`push`](Self::push).
    pub(crate) fn push_of_many(&mut self, name: &[u8], value: &[u8]) {
        if self.entries.capacity() == 0 {
            self.entries.reserve(ENTRIES_FIRST);
            self.bytes.reserve(BYTES_FIRST);
        }
        self.push(name, value);
    }

    /// Adds to the value of the last field.
    ///
    /// # Panics
    /// As [`push`](Self::push).
    pub(crate) fn extend_last(&mut self, more: &[u8]) {
        if let Some(last) = self.entries.len().checked_sub(1) {
            // Its value is what was stored last.
            self.entries[last].value.end = self.store(more).end;
        }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all names and values.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Name and value at an index.
    pub fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(index)?;
        Some((self.slice(&entry.name), self.slice(&entry.value)))
    }

    /// All fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.entries.iter().map(|entry| (self.slice(&entry.name), self.slice(&entry.value)))
    }

    /// The values of a name, ASCII case ignored.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The first value of a name, ASCII case ignored.
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Forgets all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// [`Fields::clear`], and gives back memory of more than so many bytes.
    pub fn reset(&mut self, bytes_max: usize) {
        self.clear();
        self.bytes.shrink_to(bytes_max);
        self.entries.shrink_to(bytes_max / size_of::<Entry>());
    }

    fn store(&mut self, text: &[u8]) -> Range<u32> {
        let start = u32::try_from(self.bytes.len()).expect("fields are bounded below 4 GiB");
        self.bytes.extend_from_slice(text);
        let end = u32::try_from(self.bytes.len()).expect("fields are bounded below 4 GiB");
        start..end
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}

/// Room for the first fields: most lists of a request have not more.
const ENTRIES_FIRST: usize = 16;
const BYTES_FIRST: usize = 512;
