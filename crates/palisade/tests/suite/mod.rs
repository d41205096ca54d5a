//! A runner for the regression suite that ships with the OWASP CRS: what its files say ([`cases`]), the bytes that
//! go out ([`request`]), sockets ([`wire`]), the origin server that answers ([`origin`]), the program under test and
//! its log ([`palisade`]), what is expected ([`judge`]) and where we differ on purpose ([`differences`]).
//!
//! What a file means follows go-ftw, the suite's own runner. Not here: its cloud mode, cookies kept between stages,
//! and the keys of suites before CRS 4, which fail as unknown.

pub(crate) mod cases;
pub(crate) mod differences;
pub(crate) mod judge;
pub(crate) mod origin;
pub(crate) mod palisade;
pub(crate) mod request;
pub(crate) mod wire;
