//! GraphQL documents that are made to cost.
//!
//! # What it finds
//! Operations that nest deeper than people write them, ask for one thing under many names, pile up directives, or come in
//! large batches; and questions about the schema, as a hint.
//!
//! # Why it matters
//! A document of a kilobyte can ask for the product of all that it nests, and a hundred aliases of a login are a hundred
//! guesses in one request, which no rate limit sees.
//!
//! # How it decides
//! The document is parsed, and its sizes are compared with the bounds of [`DetectLimits`]. Injection into arguments is not
//! decided here: literals are values of their own.
//!
//! # Example
//! `{ a { friends { friends { friends ... } } } }`, more than 20 deep.
//!
//! # What it misses
//! A costly field: without the schema all fields cost the same.
//!
//! # References
//! OWASP, GraphQL Cheat Sheet; the GraphQL specification, section 2.

use palisade_http::GraphQl;

use super::Noted;
use crate::{Attack, Confidence, DetectLimits};

/// What there is to say about a document.
pub(crate) fn judge(document: &GraphQl, limits: &DetectLimits) -> Option<Noted> {
    let over = [
        (document.depth, limits.graphql_depth_max, "levels of fields"),
        (document.aliases, limits.graphql_aliases_max, "aliases"),
        (document.directives, limits.graphql_directives_max, "directives"),
        (document.operations, limits.graphql_batch_max, "operations"),
    ];
    if let Some((size, most, what)) = over.into_iter().find(|(size, most, _)| size > most) {
        return Some(noted(Confidence::LIKELY, format!("{size} {what}, more than {most}")));
    }
    document.introspects.then(|| noted(Confidence::HINT, "asks for the schema".to_owned()))
}

/// What there is to say about so many documents in one request.
pub(crate) fn judge_batch(documents: usize, limits: &DetectLimits) -> Option<Noted> {
    (documents == limits.graphql_batch_max + 1).then(|| {
        noted(Confidence::LIKELY, format!("more than {} documents in one request", limits.graphql_batch_max))
    })
}

fn noted(confidence: Confidence, why: String) -> Noted {
    Noted { attack: Attack::Graphql, detector: "graphql", confidence, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(document: &str) -> Option<u8> {
        let document = GraphQl::parse(document.as_bytes()).expect("a document");
        judge(&document, &DetectLimits::default()).map(|noted| noted.confidence.get())
    }

    #[test]
    fn sizes_are_held_to_their_bounds() {
        let nested = |depth: usize| format!("{}a{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth));
        assert_eq!(confidence(&nested(20)), None);
        assert_eq!(confidence(&nested(21)), Some(75));
        let aliased = |count: usize| {
            let fields: Vec<String> = (0..count).map(|number| format!("a{number}: login")).collect();
            format!("{{ {} }}", fields.join(" "))
        };
        assert_eq!(confidence(&aliased(50)), None);
        assert_eq!(confidence(&aliased(51)), Some(75));
        assert_eq!(confidence("{ __schema { types { name } } }"), Some(25));
        assert_eq!(confidence("{ user { name } }"), None);
    }
}
