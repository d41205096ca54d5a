//! What is said, as protobuf. Written by hand in the place of a `.proto`: field numbers are the contract.

use prost::Message;
use prost::bytes::Bytes;

/// To the collector.
#[derive(Clone, PartialEq, Message)]
pub struct ToCollector {
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
    /// Records.
    #[prost(message, tag = "2")]
    Portion(PortionSaid),
    /// How it is: [`crate::About`] as JSON.
    #[prost(string, tag = "3")]
    About(String),
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
    /// Which spool it sends from, 16 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub spool: Bytes,
}

/// See [`Said::Portion`].
#[derive(Clone, PartialEq, Message)]
pub struct PortionSaid {
    /// What of the spool is in the store, as the data plane knows it.
    #[prost(uint64, tag = "1")]
    pub after: u64,
    /// What of it will be, with these records.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// The records.
    #[prost(message, repeated, tag = "3")]
    pub records: Vec<RecordSaid>,
}

/// A record.
#[derive(Clone, PartialEq, Message)]
pub struct RecordSaid {
    /// 1: a decision, 2: requests added up, 3: an alert that fired.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// Its id, 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub id: Bytes,
    /// Its JSON.
    #[prost(string, tag = "3")]
    pub json: String,
}

/// To a data plane.
#[derive(Clone, PartialEq, Message)]
pub struct ToPlane {
    /// One word.
    #[prost(oneof = "Word", tags = "1, 2, 3, 4, 5")]
    pub word: Option<Word>,
}

/// What a data plane is told.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Word {
    /// It is known who asks. First, and once.
    #[prost(message, tag = "1")]
    Welcome(Welcome),
    /// A portion is in the store.
    #[prost(message, tag = "2")]
    Taken(Taken),
    /// Entries of lists.
    #[prost(message, tag = "3")]
    Lists(Lists),
    /// Modes of services.
    #[prost(message, tag = "4")]
    Modes(Modes),
    /// What services are excepted from.
    #[prost(message, tag = "5")]
    Exceptions(Exceptions),
}

/// See [`Word::Welcome`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Welcome {
    /// What of the spool is in the store.
    #[prost(uint64, tag = "1")]
    pub reached: u64,
}

/// See [`Word::Taken`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Taken {
    /// What of the spool is in the store.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// Records of the portion that will never be taken.
    #[prost(uint64, tag = "2")]
    pub refused: u64,
}

/// See [`Word::Lists`].
#[derive(Clone, PartialEq, Message)]
pub struct Lists {
    /// All entries begin to be told. A telling that had begun and not ended is void.
    #[prost(bool, tag = "1")]
    pub begins: bool,
    /// How entries stand.
    #[prost(message, repeated, tag = "2")]
    pub records: Vec<ListSaid>,
    /// All entries were told: what was not among them is no longer there.
    #[prost(bool, tag = "3")]
    pub ends: bool,
}

/// How an entry stands: [`palisade_lists::Record`].
#[derive(Clone, PartialEq, Message)]
pub struct ListSaid {
    /// Its id.
    #[prost(bytes = "bytes", tag = "1")]
    pub id: Bytes,
    /// How it stands.
    #[prost(bytes = "bytes", tag = "2")]
    pub record: Bytes,
}

/// See [`Word::Modes`]: all that are set at the console for this data plane.
#[derive(Clone, PartialEq, Message)]
pub struct Modes {
    /// For a service each.
    #[prost(message, repeated, tag = "1")]
    pub modes: Vec<ModeSaid>,
}

/// A mode that is set.
#[derive(Clone, PartialEq, Message)]
pub struct ModeSaid {
    /// The service.
    #[prost(string, tag = "1")]
    pub service: String,
    /// `off`, `monitoring`, `safe_blocking` or `block`.
    #[prost(string, tag = "2")]
    pub mode: String,
}

/// See [`Word::Exceptions`]: all that services are excepted from by the console.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Exceptions {
    /// Of what is said here: the same, the same. A data plane says it back in what it says of itself.
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// For a service each.
    #[prost(message, repeated, tag = "2")]
    pub services: Vec<ServiceExceptions>,
}

/// What a service is excepted from.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ServiceExceptions {
    /// The service.
    #[prost(string, tag = "1")]
    pub service: String,
    /// Each as JSON, in the words of the configuration.
    #[prost(string, repeated, tag = "2")]
    pub exceptions: Vec<String>,
}

impl From<Said> for ToCollector {
    fn from(said: Said) -> Self {
        Self { said: Some(said) }
    }
}

impl From<Word> for ToPlane {
    fn from(word: Word) -> Self {
        Self { word: Some(word) }
    }
}
