//! Copies of requests that are kept for a replay.

use crate::decode::section;
use crate::value::{Count, FilePath, Located, Name, Size, Time, decode_as_text, words};

section! {
    /// Copies of requests, kept for a while in `recording` of the data folder: `palisade replay` tries a change on them.
    /// Passwords, cookies, Authorization, card numbers and what a profile's `mask` names are replaced before they are
    /// written. A change needs a restart.
    pub struct Recording {
        /// Whether requests are copied.
        enabled: bool = "false",
        /// Which of them are kept. all: every one; flagged: those in which something was found, whether or not it stopped
        /// them; blocked: those that were stopped or would have been.
        keep: Keep = "flagged",
        /// With `keep: all`, of requests in which nothing was found one in so many is kept.
        one_in: Count = "1",
        /// The services whose requests are recorded, where these keep something else; all of them, as above, when absent.
        services: Vec<RecordedService>,
        /// How long a copy is kept.
        retention: Time = "1d",
        /// Bytes that copies may take; over it the oldest go, an eighth at a time.
        max_size: Size = "256MiB",
        /// Bytes of a request's body that are kept. Of a longer one the copy has the beginning and says so.
        body: Size = "64KiB",
        /// A file with the key that copies are encrypted by: 32 random bytes, or 64 hexadecimal digits. Without it they are
        /// readable by whoever may read the data folder's files.
        key_file: Option<FilePath>,
    }
}

section! {
    /// A service whose requests are recorded.
    pub struct RecordedService {
        /// Its name.
        name: Located<Name>,
        /// Which of its requests are kept; as for others when absent.
        keep: Option<Keep>,
        /// Of those in which nothing was found one in so many is kept; as for others when absent.
        one_in: Option<Count>,
    }
}

words! {
    /// Which requests are kept.
    pub enum Keep: "which requests are kept" {
        /// Every one.
        All = "all",
        /// Those in which something was found.
        Flagged = "flagged",
        /// Those that were stopped or would have been.
        Blocked = "blocked",
    }
}

decode_as_text!(Keep);
