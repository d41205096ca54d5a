//! Traces of requests.

use crate::decode::section;
use crate::sinks::Otlp;
use crate::value::Count;

section! {
    /// Traces of requests for a collector of OpenTelemetry: a span for each request, with the inspection and the question to
    /// the service below it. A change needs a restart.
    pub struct Tracing {
        /// The collector, by OTLP over HTTP in JSON. No traces when absent, and a client's `traceparent` goes on as it came.
        otlp: Option<Otlp>,
        /// Of requests whose `traceparent` does not say whether they are traced, one in so many is.
        one_in: Count = "1",
        /// Whether a request's `traceparent` says which trace it belongs to and whether it is traced. `false` where clients are
        /// strangers: each request begins a trace of its own.
        parents: bool = "true",
    }
}
