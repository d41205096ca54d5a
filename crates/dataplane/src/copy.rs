//! A copy of a request, taken while it comes in, for whoever asks for one ([`crate::Journal::copies`]). Raw, as the report is.
//!
//! It has what the inspection was shown, as far as there is room; what it does not have is said. It never changes what
//! happens to the request, and memory that it cannot have it does without.

use std::sync::Arc;

use palisade_http::RequestHead;

use crate::hold::{Budget, Reserved};

/// How much room a copy has.
#[derive(Clone, Debug)]
pub struct CopyRoom {
    /// Bytes of the body.
    pub body_bytes_max: usize,
    /// What all copies together may take while their requests are on their way.
    pub budget: Arc<Budget>,
}

/// A copy of a request.
#[derive(Debug)]
pub struct RequestCopy {
    /// Its head.
    pub head: RequestHead,
    /// Its body, as much of it as was kept.
    pub body: Vec<u8>,
    /// How much that is.
    pub extent: CopyExtent,
    /// Where its source was on a list: the entry was the configuration's.
    pub listed_by_file: bool,
}

/// How much of a body a copy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyExtent {
    /// All of it; perhaps there was none.
    Whole,
    /// Its beginning.
    Cut,
    /// Nothing of it: nobody looked at it, or not as at one text.
    Unseen,
}

/// A copy on its way.
#[derive(Debug)]
pub(crate) struct Copying {
    head: RequestHead,
    body: Vec<u8>,
    body_bytes_max: usize,
    reserved: Reserved,
    /// Bytes that were shown, kept or not.
    shown: u64,
    ended: bool,
    /// Messages of one body, each judged by itself.
    in_messages: bool,
}

impl Copying {
    pub(crate) fn begin(room: CopyRoom, head: &RequestHead, in_parts: bool) -> Box<Self> {
        let is_grpc = || {
            let kind = head.headers.first(b"content-type").unwrap_or_default();
            kind.len() >= GRPC.len() && kind[..GRPC.len()].eq_ignore_ascii_case(GRPC)
        };
        Box::new(Self {
            head: head.clone(),
            body: Vec::new(),
            body_bytes_max: room.body_bytes_max,
            reserved: Reserved::new(room.budget),
            shown: 0,
            ended: false,
            in_messages: in_parts && is_grpc(),
        })
    }

    pub(crate) fn take(&mut self, piece: &[u8]) {
        let is_all = self.shown == self.body.len() as u64;
        self.shown += piece.len() as u64;
        // What follows a gap is no beginning.
        if !is_all || self.in_messages {
            return;
        }
        let room = self.body_bytes_max - self.body.len();
        let kept = &piece[..piece.len().min(room)];
        if self.reserved.reach((self.body.len() + kept.len()) as u64) {
            self.body.extend_from_slice(kept);
        }
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The copy. `body_bytes`: how much of the body was read, shown or not.
    pub(crate) fn done(self, body_bytes: u64, listed_by_file: bool) -> Box<RequestCopy> {
        let Self { head, body, shown, ended, in_messages, .. } = self;
        let all_shown = ended && body.len() as u64 == shown && shown >= body_bytes;
        let extent = match body.is_empty() {
            _ if all_shown && !in_messages => CopyExtent::Whole,
            // A request that was stopped at its head, and had no more.
            true if !ended && body_bytes == 0 && !announces_body(&head) => CopyExtent::Whole,
            true => CopyExtent::Unseen,
            false => CopyExtent::Cut,
        };
        Box::new(RequestCopy { head, body, extent, listed_by_file })
    }
}

/// Whether a head says that a body follows. On HTTP/2 it need not; methods that have none as a rule are taken at that.
fn announces_body(head: &RequestHead) -> bool {
    let length = head.headers.first(b"content-length");
    let is_bodyless = [&b"GET"[..], b"HEAD", b"OPTIONS", b"DELETE"].contains(&&*head.method);
    length.is_some_and(|length| length != b"0")
        || head.headers.first(b"transfer-encoding").is_some()
        || length.is_none() && !is_bodyless && head.version.starts_with(b"HTTP/2")
}

const GRPC: &[u8] = b"application/grpc";

#[cfg(test)]
mod tests {
    use super::*;

    fn copying(method: &str, headers: &[(&str, &str)], room: usize, budget: u64) -> Box<Copying> {
        let mut head = RequestHead {
            line: Vec::new(),
            method: method.into(),
            target: b"/".to_vec(),
            version: b"HTTP/1.1".to_vec(),
            headers: palisade_http::Fields::new(),
            findings: Vec::new(),
        };
        headers.iter().for_each(|(name, value)| head.headers.push(name.as_bytes(), value.as_bytes()));
        let budget = Arc::new(Budget::with_limits(std::env::temp_dir(), budget, 0));
        Copying::begin(CopyRoom { body_bytes_max: room, budget }, &head, headers.len() > 1)
    }

    #[test]
    fn a_copy_says_how_much_of_the_body_it_has() {
        let length = [("content-length", "6")];
        let grpc = [("content-type", "application/grpc+proto"), ("te", "trailers")];
        type Headers<'h> = &'h [(&'h str, &'h str)];
        type Case<'c> = (Headers<'c>, &'c [&'c str], bool, u64, usize, u64, CopyExtent, &'c str);
        let cases: [Case<'_>; 9] = [
            (&length, &["abc", "def"], true, 6, 100, 1000, CopyExtent::Whole, "abcdef"),
            (&length, &["abc", "def"], true, 6, 4, 1000, CopyExtent::Cut, "abcd"),
            (&length, &["abc"], false, 3, 100, 1000, CopyExtent::Cut, "abc"),
            // Passed on without being shown.
            (&length, &[], true, 6, 100, 1000, CopyExtent::Unseen, ""),
            // Stopped at its head.
            (&length, &[], false, 0, 100, 1000, CopyExtent::Unseen, ""),
            (&[], &[], false, 0, 100, 1000, CopyExtent::Whole, ""),
            (&[], &[], true, 0, 100, 1000, CopyExtent::Whole, ""),
            // No memory to be had, for the first piece or for a later one.
            (&length, &["abc", "def"], true, 6, 100, 3, CopyExtent::Cut, "abc"),
            (&grpc, &["abc"], true, 3, 100, 1000, CopyExtent::Unseen, ""),
        ];
        for (number, (headers, pieces, ended, read, room, budget, extent, body)) in
            cases.into_iter().enumerate()
        {
            let mut copying = copying("GET", headers, room, budget);
            pieces.iter().for_each(|piece| copying.take(piece.as_bytes()));
            if ended {
                copying.end();
            }
            let copy = copying.done(read, false);
            assert_eq!((copy.extent, &*copy.body), (extent, body.as_bytes()), "case {number}");
        }
    }
}
