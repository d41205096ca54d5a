//! Every bound of detection, by name, with its default and the reason for it.
//!
//! No bound is silent: meeting one is a finding of kind [`Attack::InspectionLimit`](crate::Attack::InspectionLimit)
//! that names it. What a profile does about it is the profile's to say; by default it counts and does not stop a request
//! alone.

/// Bounds on one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectLimits {
    /// Readings inside one another: base64 of JSON of percent-encoded text is three. Over it: the innermost text is
    /// looked at as it stands. Default 8: nobody nests five by honest work, and each level multiplies the rest.
    pub depth_max: usize,
    /// Values looked at, names and readings included. Over it: later ones are not. Default 50,000: ten times the largest
    /// honest JSON body of a megabyte that we have seen.
    pub values_max: usize,
    /// Bytes that decoding may produce altogether. Over it: nothing more is decoded. Default 16 MiB: a body of the
    /// default limit, decoded once.
    pub decoded_bytes_max: usize,
    /// How many times longer than its source one decompressed text may be, beyond 64 KiB. Over it: it is cut there and
    /// is a data bomb. Default 100: text compresses to a tenth, a bomb to a thousandth.
    pub expansion_max: usize,
    /// Bytes of values looked at altogether. Over it: later ones are not. Default 64 MiB.
    pub work_bytes_max: usize,
    /// Bytes of a body kept in one piece, for kinds that are read whole. Over it: the rest is not looked at. Default
    /// 1 MiB.
    pub raw_body_bytes_max: usize,
    /// Bytes of an uploaded file that are looked at: a file's kind shows at its beginning. Default 64 KiB.
    pub file_head_bytes_max: usize,
    /// Bytes of a response's body that are looked at. Default 64 KiB: an error page says what it says at its beginning.
    pub response_head_bytes_max: usize,
    /// Findings kept. Over it: weaker ones give way. Default 64: more says nothing new.
    pub findings_max: usize,
    /// Fields inside one another in a GraphQL document. Over it: a finding. Default 20: the schema's own description of
    /// itself, the deepest that tools ask for, takes 13.
    pub graphql_depth_max: usize,
    /// Fields of a GraphQL document that are given another name. Over it: a finding. Default 50.
    pub graphql_aliases_max: usize,
    /// Directives in a GraphQL document. Over it: a finding. Default 100.
    pub graphql_directives_max: usize,
    /// GraphQL operations in one request. Over it: a finding. Default 50.
    pub graphql_batch_max: usize,
    /// Bytes of one value that are looked at in one piece; a longer one is seen through overlapping windows of this
    /// size, so that no value holds a worker for long. Default 64 KiB.
    pub window_bytes: usize,
}

impl Default for DetectLimits {
    fn default() -> Self {
        DetectLimits {
            depth_max: 8,
            values_max: 50_000,
            decoded_bytes_max: 16 << 20,
            expansion_max: 100,
            work_bytes_max: 64 << 20,
            raw_body_bytes_max: 1 << 20,
            file_head_bytes_max: 64 << 10,
            response_head_bytes_max: 64 << 10,
            findings_max: 64,
            graphql_depth_max: 20,
            graphql_aliases_max: 50,
            graphql_directives_max: 100,
            graphql_batch_max: 50,
            window_bytes: 64 << 10,
        }
    }
}

/// How much of the bounds is used up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// GraphQL documents read.
    pub graphql_documents: usize,
    /// Values looked at.
    pub values: usize,
    /// Bytes that decoding made.
    pub decoded_bytes: usize,
    /// Bytes looked at.
    pub work_bytes: usize,
    /// Names of the bounds that were met, each once.
    pub limits_met: Vec<&'static str>,
}

impl Spent {
    /// Notes a bound that was met.
    pub(crate) fn met(&mut self, limit: &'static str) {
        if !self.limits_met.contains(&limit) {
            self.limits_met.push(limit);
        }
    }
}
