//! What is said, as protobuf. Written by hand in the place of a `.proto`: field numbers are the contract.

use prost::Message;
use prost::bytes::Bytes;

use super::{STALE_MAX, TEXT_MAX};
use crate::{Applied, Refused, Revision, Stale};

/// To a data plane.
#[derive(Clone, PartialEq, Message)]
pub struct ToPlane {
    /// One word.
    #[prost(oneof = "Word", tags = "1, 2, 3, 4, 5, 6")]
    pub word: Option<Word>,
}

/// What a bundle is told by.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Word {
    /// A bundle begins. One that had begun and not ended is void.
    #[prost(message, tag = "1")]
    Begin(Begin),
    /// Files that are gone. Before any that comes.
    #[prost(message, tag = "2")]
    Remove(Remove),
    /// A file.
    #[prost(message, tag = "3")]
    Put(Put),
    /// More of the file's content.
    #[prost(message, tag = "4")]
    More(More),
    /// That was all.
    #[prost(message, tag = "5")]
    End(End),
    /// It is known who asks. First, and once.
    #[prost(message, tag = "6")]
    Welcome(Welcome),
}

/// See [`Word::Welcome`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Welcome {}

/// See [`Word::Begin`].
#[derive(Clone, PartialEq, Message)]
pub struct Begin {
    /// What it will be, 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub revision: Bytes,
    /// What it is told from, 32 bytes; empty where it is told whole.
    #[prost(bytes = "bytes", tag = "2")]
    pub base: Bytes,
}

/// See [`Word::Remove`].
#[derive(Clone, PartialEq, Message)]
pub struct Remove {
    /// Their names.
    #[prost(string, repeated, tag = "1")]
    pub names: Vec<String>,
}

/// See [`Word::Put`].
#[derive(Clone, PartialEq, Message)]
pub struct Put {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// How long it is, in bytes.
    #[prost(uint64, tag = "2")]
    pub bytes: u64,
    /// The file of the base that has the same content, which is not sent then.
    #[prost(string, optional, tag = "3")]
    pub same_as: Option<String>,
    /// How its content begins.
    #[prost(bytes = "bytes", tag = "4")]
    pub content: Bytes,
}

/// See [`Word::More`].
#[derive(Clone, PartialEq, Message)]
pub struct More {
    /// What follows.
    #[prost(bytes = "bytes", tag = "1")]
    pub content: Bytes,
}

/// See [`Word::End`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct End {}

/// To the server.
#[derive(Clone, PartialEq, Message)]
pub struct ToControl {
    /// One of these.
    #[prost(oneof = "Said", tags = "1, 2, 3")]
    pub said: Option<Said>,
}

/// What a data plane says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Said {
    /// Who it is. First, and once.
    #[prost(message, tag = "1")]
    Hello(Hello),
    /// What it made of a bundle.
    #[prost(message, tag = "2")]
    Answer(Answer),
    /// It could not put together what it was told: the whole is asked for.
    #[prost(message, tag = "3")]
    Lost(Lost),
}

/// See [`Said::Hello`].
#[derive(Clone, PartialEq, Message)]
pub struct Hello {
    /// What it is called; its certificate has to be for this name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Of its program.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Of the bundle that it holds, 32 bytes; empty where it holds none.
    #[prost(bytes = "bytes", tag = "3")]
    pub held: Bytes,
    /// What it made of the last bundle that it was given.
    #[prost(message, optional, tag = "4")]
    pub answer: Option<Answer>,
}

/// See [`Said::Answer`].
#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    /// Of the bundle, 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub revision: Bytes,
    /// Why none of it is in force.
    #[prost(string, optional, tag = "2")]
    pub refused: Option<String>,
    /// Objects that stay as they were.
    #[prost(message, repeated, tag = "3")]
    pub stale: Vec<StaleObject>,
}

/// An object that stays as it was.
#[derive(Clone, PartialEq, Message)]
pub struct StaleObject {
    /// As [`Stale::kind`].
    #[prost(string, tag = "1")]
    pub kind: String,
    /// As [`Stale::name`].
    #[prost(string, tag = "2")]
    pub name: String,
    /// As [`Stale::error`].
    #[prost(string, tag = "3")]
    pub error: String,
}

/// See [`Said::Lost`].
#[derive(Clone, PartialEq, Message)]
pub struct Lost {
    /// What did not fit.
    #[prost(string, tag = "1")]
    pub why: String,
}

impl From<Word> for ToPlane {
    fn from(word: Word) -> Self {
        Self { word: Some(word) }
    }
}

impl From<Said> for ToControl {
    fn from(said: Said) -> Self {
        Self { said: Some(said) }
    }
}

impl From<&Applied> for Answer {
    /// Within the bounds of a message, whatever there is to say.
    fn from(applied: &Applied) -> Self {
        let revision = revision_bytes(applied.revision);
        match &applied.outcome {
            Err(Refused(why)) => Self { revision, refused: Some(cut(why)), stale: Vec::new() },
            Ok(stale) => {
                let told = stale.iter().take(STALE_MAX).map(|stale| StaleObject {
                    kind: cut(&stale.kind),
                    name: cut(&stale.name),
                    error: cut(&stale.error),
                });
                let beyond = stale.len().saturating_sub(STALE_MAX);
                let beyond = (beyond > 0).then(|| StaleObject {
                    kind: "objects".to_owned(),
                    name: "...".to_owned(),
                    error: format!("and {beyond} more stay as they were"),
                });
                Self { revision, refused: None, stale: told.chain(beyond).collect() }
            }
        }
    }
}

impl Answer {
    /// What it says, cut to the bounds that an honest one keeps. `None` where its revision is none.
    pub fn read(self) -> Option<Applied> {
        let revision = revision_of(&self.revision)?;
        let outcome = match self.refused {
            Some(why) => Err(Refused(cut(&why))),
            None => Ok(self
                .stale
                .into_iter()
                .take(STALE_MAX + 1)
                .map(|stale| Stale {
                    kind: cut(&stale.kind),
                    name: cut(&stale.name),
                    error: cut(&stale.error),
                })
                .collect()),
        };
        Some(Applied { revision, outcome })
    }
}

/// A revision on its way.
pub fn revision_bytes(revision: Revision) -> Bytes {
    Bytes::copy_from_slice(&revision.to_bytes())
}

/// A revision that came. `None` where it is not 32 bytes long.
pub fn revision_of(bytes: &[u8]) -> Option<Revision> {
    <[u8; 32]>::try_from(bytes).ok().map(Revision::from_bytes)
}

/// At most [`TEXT_MAX`] bytes of a text.
pub(super) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}
