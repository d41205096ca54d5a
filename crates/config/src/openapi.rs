//! The specification of a service's API, and what is done about requests that it does not allow.

use crate::decode::{Decode, Decoder, section};
use crate::node::{Node, Origin};
use crate::value::{Count, FilePath, Located, RoutePath, Size, decode_as_text, words};

section! {
    /// The specification of a service's API: OpenAPI 3.0 or 3.1, in YAML or JSON, in one file. A request that it does not
    /// allow is a breach; what is done about each kind is `block` (403 where the mode stops anything), `monitor` (an event
    /// and a line in the log) or `ignore`. Sources on the allow list are not asked.
    pub struct OpenApi {
        /// The file. It is read when it changes; one that cannot be used leaves the one before in force.
        file: Located<FilePath>,
        /// The path that its paths stand below, in place of those of its `servers`: where a proxy before us takes a part
        /// of the path away, or adds one.
        base_path: Option<RoutePath>,
        /// A path that it does not have, or a method that the path does not have.
        undefined_endpoint: OnBreach = "block",
        /// A parameter of the query, a field of a form or a member of a JSON object that the endpoint does not have.
        undefined_parameter: OnBreach = "block",
        /// A parameter, field, member or body that is required and is not there.
        missing_parameter: OnBreach = "block",
        /// A value that its schema does not allow.
        invalid_value: OnBreach = "block",
        /// None of the ways to authenticate that the endpoint asks for, or none in its form and not refused by the gate.
        no_authentication: OnBreach = "block",
        /// A body that is not JSON where JSON is asked for, or of a type that the endpoint does not take.
        invalid_body: OnBreach = "block",
        /// A request that met one of `limits`, so that not all of it was held against the specification.
        over_limit: OnBreach = "monitor",
        /// Bounds of what one request may cost.
        limits: OpenApiLimits,
    }
}

impl OpenApi {
    /// A specification of a path, everything else at its default.
    pub fn of_file(path: &str) -> Option<Self> {
        let mut node = Node::empty_map(Origin::Default);
        node.set("file", Node::text(path, Origin::Default));
        Self::decode(&node, &mut Decoder::default())
    }
}

section! {
    /// Bounds of holding a request against a specification.
    pub struct OpenApiLimits {
        /// A JSON body or a form; it is kept in memory while it comes.
        body: Size = "1MiB",
        /// How deep JSON may nest.
        depth: Count = "100",
        /// Values of a body.
        values: Count = "300000",
        /// Steps: about one for each value and schema that meet, and one for each character that a pattern looks at.
        work: Count = "2000000",
    }
}

words! {
    /// What is done about a request that a specification does not allow.
    pub enum OnBreach: "what to do about a breach" {
        /// It is refused, where the mode stops anything.
        Block = "block",
        /// It passes, and an event says so.
        Monitor = "monitor",
        /// It passes.
        Ignore = "ignore",
    }
}

decode_as_text!(OnBreach);
