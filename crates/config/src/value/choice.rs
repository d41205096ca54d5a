//! Words of which one is chosen.

use palisade_model::{Leaks, Mode, Sensitivity};

use crate::decode::Shape;
use crate::value::{FromText, Refused, decode_as_text, not_a_word, words};

decode_as_text!(
    Mode,
    Sensitivity,
    Leaks,
    OnFailure,
    OnRequestBody,
    OnResponseBody,
    AuditFormat,
    ListenerProtocol,
    ForwardedHeaders,
    RouteBody,
    UpstreamProtocol
);

words! {
    /// What happens to a request that could not be inspected as the rules ask.
    pub enum OnFailure: "what to do on failure" {
        /// It is refused, where the mode stops anything.
        Closed = "closed",
        /// It passes, and its record says that it was not inspected.
        Open = "open",
    }
}

words! {
    /// What happens to a request whose body is above the limit.
    pub enum OnRequestBody: "what to do with a body above the limit" {
        /// It is refused with 413.
        Reject = "reject",
        /// The rules see its beginning, and the rest passes; the record says how much was seen.
        Partial = "partial",
    }
}

words! {
    /// What happens to a response whose body is above the limit.
    pub enum OnResponseBody: "what to do with a body above the limit" {
        /// The rules see its beginning, and the rest passes; the record says how much was seen.
        Partial = "partial",
        /// It is withheld, and the client gets 502.
        Reject = "reject",
    }
}

words! {
    /// What clients of a listener may speak.
    pub enum ListenerProtocol: "what a listener speaks" {
        /// HTTP/1.1, or HTTP/2 where it is begun or agreed on.
        Auto = "auto",
        /// HTTP/1.1 alone.
        Http1 = "http1",
        /// HTTP/2 alone, without TLS.
        H2c = "h2c",
    }
}

words! {
    /// What a service is spoken to in.
    pub enum UpstreamProtocol: "what a service is spoken to in" {
        /// HTTP/1.1.
        Http1 = "http1",
        /// HTTP/2.
        Http2 = "http2",
        /// Over TLS what ALPN chooses, HTTP/1.1 without.
        Auto = "auto",
    }
}

words! {
    /// What becomes of bodies that rules want to see.
    pub enum RouteBody: "what becomes of bodies" {
        /// They wait for the verdict.
        Hold = "hold",
        /// They pass as they come, and their end waits.
        Stream = "stream",
        /// They pass unseen.
        Off = "off",
    }
}

words! {
    /// What services are told of who asked.
    pub enum ForwardedHeaders: "a form of forwarded headers" {
        /// The address is appended to the client's list.
        Append = "append",
        /// ingress-nginx's headers.
        IngressNginx = "ingress-nginx",
        /// The same, and the address is appended to the client's list.
        IngressNginxFull = "ingress-nginx-full",
    }
}

words! {
    /// The form of audit-log records.
    pub enum AuditFormat: "a form of audit logs" {
        /// ModSecurity 3's parts.
        Native = "native",
        /// The same in ModSecurity 2's words.
        Native2 = "native2",
        /// One JSON object a line.
        Json = "json",
    }
}

impl FromText for Mode {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map_err(|_| {
            let written = text.to_lowercase();
            match written.as_str() {
                // Other people's words for the same.
                "detection" | "detectiononly" | "detect" | "monitor" | "log" => {
                    ("is not a mode".to_owned(), "write monitoring".to_owned())
                }
                "on" | "enforce" | "blocking" | "deny" => {
                    ("is not a mode".to_owned(), "write block".to_owned())
                }
                _ => not_a_word(text, "a mode", MODES),
            }
        })
    }

    fn shape() -> Shape {
        Shape::OneOf(MODES)
    }
}

impl FromText for Sensitivity {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Self::from_name(text).ok_or_else(|| not_a_word(text, "a sensitivity", SENSITIVITIES))
    }

    fn shape() -> Shape {
        Shape::OneOf(SENSITIVITIES)
    }
}

impl FromText for Leaks {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Self::from_name(text).ok_or_else(|| not_a_word(text, "what to do about leaks", LEAKS))
    }

    fn shape() -> Shape {
        Shape::OneOf(LEAKS)
    }
}

const LEAKS: &[&str] = &[Leaks::Ignore.as_str(), Leaks::Log.as_str(), Leaks::Block.as_str()];

const SENSITIVITIES: &[&str] =
    &[Sensitivity::Low.as_str(), Sensitivity::Medium.as_str(), Sensitivity::High.as_str()];

const MODES: &[&str] = &["off", "monitoring", "safe_blocking", "block"];
