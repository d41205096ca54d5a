//! Bounds of connections on which clients speak HTTP/2.

use crate::decode::section;
use crate::value::{CountIn, SizeIn};

section! {
    /// Bounds of connections on which clients speak HTTP/2. The defaults let browsers and gRPC through and end who only
    /// costs; `palisade_http2_abuse_total` says which bound was met.
    pub struct Http2 {
        /// Streams of a connection at a time. More are refused, to be tried again (REFUSED_STREAM).
        streams: CountIn<1, 10_000> = "100",
        /// What a client may send of one body beyond what was taken of it, 16 KiB to 16 MiB.
        stream_window: SizeIn<{ 16 * KIB }, { 16 * 1024 * KIB }> = "256KiB",
        /// The same for all bodies of a connection, 64 KiB to 64 MiB.
        connection_window: SizeIn<{ 64 * KIB }, { 64 * 1024 * KIB }> = "1MiB",
        /// Streams that a client may reset at once. Over it the connection is ended.
        resets: CountIn<1, 100_000> = "200",
        /// How many of them come back in a second.
        resets_per_second: CountIn<1, 100_000> = "20",
        /// Frames that ask for nothing and answer nothing (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, unknown ones) at once.
        /// HEADERS and DATA in either direction pay for some. Over it the connection is ended.
        control_frames: CountIn<1, 100_000> = "500",
        /// How many of them come back in a second.
        control_frames_per_second: CountIn<1, 100_000> = "50",
        /// Windows that a client opens by less than this count by themselves, under the bound of `controlFrames`, and nothing
        /// pays for them. At most 16 KiB; with 0B they count as other frames do.
        small_window_update: SizeIn<0, { 16 * KIB }> = "256B",
    }
}

const KIB: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::FromText as _;

    #[test]
    fn bounds_are_met_and_not_passed() {
        type Window = SizeIn<{ 16 * KIB }, { 64 * KIB }>;
        assert_eq!(Window::from_text("16KiB").unwrap().bytes(), 16 * 1024);
        assert_eq!(Window::from_text("64KiB").unwrap().bytes(), 64 * 1024);
        let help = |text| Window::from_text(text).unwrap_err();
        assert_eq!(help("15KiB"), ("is too small".to_owned(), "write 16KiB".to_owned()));
        assert_eq!(help("8GiB"), ("is too large".to_owned(), "write 64KiB".to_owned()));
        assert_eq!(CountIn::<1, 9>::from_text("9").unwrap().get(), 9);
        assert!(CountIn::<1, 9>::from_text("0").is_err() && CountIn::<1, 9>::from_text("10").is_err());
    }
}
