//! A bundle becomes words, at the server: made one by one as the data plane takes them, so that what waits for a slow one is
//! a chunk and not a bundle.

use std::collections::{HashMap, btree_map};
use std::sync::{Arc, OnceLock};

use prost::bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::CHUNK_BYTES;
use super::messages::{Begin, End, More, Put, Remove, Word, revision_bytes};
use crate::{Bundle, Revision};

/// A bundle with what is known of it, made once for all data planes that want it.
#[derive(Debug)]
pub struct Version {
    bundle: Bundle,
    revision: Revision,
    /// A file for each content. Asked when another version has a file that is new.
    by_content: OnceLock<HashMap<[u8; 32], String>>,
}

impl Version {
    /// Of a bundle. Reads all of it once.
    pub fn of(bundle: Bundle) -> Self {
        let revision = bundle.revision();
        Self { bundle, revision, by_content: OnceLock::new() }
    }

    /// What stands for its contents.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Its files.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The name of a file with that content.
    fn with_content(&self, content: &[u8]) -> Option<&str> {
        let by_content = self.by_content.get_or_init(|| {
            let digest = |(name, content): (&str, &Arc<[u8]>)| (digest(content), name.to_owned());
            self.bundle.files().map(digest).collect()
        });
        by_content.get(&digest(content)).map(String::as_str)
    }
}

/// Below this many bytes a content is sent rather than looked for under other names.
const SAME_MIN: usize = 256;

fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// What to say to somebody who holds `base`, or nothing that we know of, so that it holds `wanted`.
pub fn words(wanted: &Version, base: Option<Arc<Version>>) -> impl Iterator<Item = Word> + Send + use<> {
    let difference = match &base {
        Some(base) => wanted.bundle.since(&base.bundle),
        None => wanted.bundle.since(&Bundle::new()),
    };
    let begin = Begin {
        revision: revision_bytes(wanted.revision),
        base: base.as_ref().map_or_else(Bytes::new, |base| revision_bytes(base.revision)),
    };
    Words {
        begin: Some(begin),
        base,
        remove: difference.remove.into_iter().peekable(),
        put: difference.put.into_iter(),
        open: None,
        ended: false,
    }
}

struct Words {
    begin: Option<Begin>,
    base: Option<Arc<Version>>,
    remove: std::iter::Peekable<std::vec::IntoIter<String>>,
    put: btree_map::IntoIter<String, Arc<[u8]>>,
    /// A content, and how much of it was said.
    open: Option<(Arc<[u8]>, usize)>,
    ended: bool,
}

impl Iterator for Words {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        if let Some(begin) = self.begin.take() {
            return Some(Word::Begin(begin));
        }
        if self.remove.peek().is_some() {
            return Some(Word::Remove(self.removed()));
        }
        if let Some((content, said)) = self.open.take() {
            let content = self.chunk(content, said);
            return Some(Word::More(More { content }));
        }
        if let Some((name, content)) = self.put.next() {
            return Some(Word::Put(self.file(name, content)));
        }
        (!std::mem::replace(&mut self.ended, true)).then_some(Word::End(End {}))
    }
}

impl Words {
    fn removed(&mut self) -> Remove {
        let (mut names, mut bytes) = (Vec::new(), 0);
        // A name is at most 512 bytes, and its length and tag a few.
        while let Some(name) = self.remove.next_if(|name| bytes + name.len() + 8 <= CHUNK_BYTES) {
            bytes += name.len() + 8;
            names.push(name);
        }
        Remove { names }
    }

    fn file(&mut self, name: String, content: Arc<[u8]>) -> Put {
        let bytes = content.len() as u64;
        let is_new = |base: &&Arc<Version>| base.bundle.get(&name).is_none() && content.len() >= SAME_MIN;
        let same = self.base.as_ref().filter(is_new).and_then(|base| base.with_content(&content));
        if let Some(same) = same {
            return Put { same_as: Some(same.to_owned()), name, bytes, content: Bytes::new() };
        }
        Put { name, bytes, same_as: None, content: self.chunk(content, 0) }
    }

    /// The next chunk of a content; what is left of it stays open.
    fn chunk(&mut self, content: Arc<[u8]>, said: usize) -> Bytes {
        let end = content.len().min(said + CHUNK_BYTES);
        let chunk = Bytes::copy_from_slice(&content[said..end]);
        self.open = (end < content.len()).then_some((content, end));
        chunk
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Assembly, Misfit, TO_PLANE_BYTES_MAX, messages::ToPlane};
    use super::*;
    use prost::Message as _;

    fn bundle(files: &[(String, usize, u8)]) -> Bundle {
        let mut bundle = Bundle::new();
        for (name, bytes, byte) in files {
            let _ = bundle.put(name, vec![*byte; *bytes]);
        }
        bundle
    }

    fn hear(assembly: &mut Assembly, words: impl Iterator<Item = Word>) -> Result<Option<Bundle>, Misfit> {
        words.map(|word| assembly.take(word)).last().expect("there is an end")
    }

    fn any_bundle() -> impl Strategy<Value = Bundle> {
        let file = (
            "[abc]{1,2}(/[ab])?",
            prop_oneof![0..3usize, 250..260usize, 65_530..65_545usize, 140_000..140_001usize],
            0..3u8,
        );
        proptest::collection::vec(file, 0..8).prop_map(|files| bundle(&files))
    }

    proptest! {
        #[test]
        fn words_lead_from_any_bundle_to_any_other(before in any_bundle(), after in any_bundle(), whole: bool) {
            let (base, wanted) = (Arc::new(Version::of(before.clone())), Version::of(after.clone()));
            let mut assembly = Assembly::holding(Some(before));
            let words: Vec<_> = words(&wanted, (!whole).then_some(base)).collect();
            for word in &words {
                prop_assert!(ToPlane::from(word.clone()).encoded_len() <= TO_PLANE_BYTES_MAX);
            }
            prop_assert_eq!(hear(&mut assembly, words.into_iter()).unwrap(), Some(after));
            prop_assert_eq!(assembly.held(), Some(wanted.revision()));
        }

        #[test]
        fn a_part_of_what_is_said_changes_nothing_that_is_held(
            before in any_bundle(), after in any_bundle(), drop in 0..20usize
        ) {
            let (base, wanted) = (Arc::new(Version::of(before.clone())), Version::of(after));
            let mut assembly = Assembly::holding(Some(before.clone()));
            let all: Vec<_> = words(&wanted, Some(base)).collect();
            let drop = drop % all.len();
            for word in all.iter().enumerate().filter(|(at, _)| *at != drop).map(|(_, word)| word.clone()) {
                match assembly.take(word) {
                    Ok(Some(bundle)) => prop_assert_eq!(bundle.revision(), wanted.revision()),
                    _ => prop_assert_eq!(assembly.held(), Some(before.revision())),
                }
            }
        }
    }

    #[test]
    fn a_renamed_file_is_not_sent_again() {
        let before = bundle(&[("a".to_owned(), 100_000, 1)]);
        let after = bundle(&[("b".to_owned(), 100_000, 1)]);
        let all: Vec<_> = words(&Version::of(after), Some(Arc::new(Version::of(before)))).collect();
        let bytes: usize = all.iter().map(|word| ToPlane::from(word.clone()).encoded_len()).sum();
        assert!(bytes < 300, "{bytes}");
    }

    #[test]
    fn thousands_of_names_are_taken_away_in_messages_of_their_size() {
        let files: Vec<_> = (0..5000).map(|at| (format!("{}/{at}", "a".repeat(200)), 0, 0)).collect();
        let all: Vec<_> =
            words(&Version::of(Bundle::new()), Some(Arc::new(Version::of(bundle(&files))))).collect();
        assert!(all.len() > 10);
        assert!(all.iter().all(|word| ToPlane::from(word.clone()).encoded_len() <= TO_PLANE_BYTES_MAX));
    }

    #[test]
    fn a_promise_of_much_is_refused_before_it_costs_anything() {
        let begin = Word::Begin(Begin { revision: Bytes::from_static(&[0; 32]), base: Bytes::new() });
        let put = Word::Put(Put { name: "a".to_owned(), bytes: u64::MAX, ..Put::default() });
        let mut assembly = Assembly::default();
        assembly.take(begin).unwrap();
        assert_eq!(assembly.take(put).unwrap_err(), Misfit::Bundle(crate::BundleError::Bytes));
        assert_eq!(assembly.take(Word::End(End {})).unwrap_err(), Misfit::Place("end"));
    }
}
