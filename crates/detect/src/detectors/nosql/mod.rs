//! Operators and scripts of document databases in places for data.
//!
//! # What it finds
//! Names that a document database takes for operators (`password[$ne]=`, `{"$where": ...}`), objects made of them inside
//! a text, and fragments of the server's script language that leave the string they were put into.
//!
//! # Why it matters
//! Frameworks make objects of names in brackets and of JSON. Where a query was meant to compare with a text, an operator
//! makes it match anything; `$where` and its kin run scripts on the server.
//!
//! # How it decides
//! A name is an operator if it is one of MongoDB's, alone as a member's name or as the last step of a form's. Names with a
//! dollar that other systems use (`$ref`, `$set`, `$current_url`, OData's `$filter`) are none. In texts, a member's name
//! counts where an object begins or where the text leaves a string; a script where after that a statement or condition of
//! one stands.
//!
//! # Example
//! `user[$gt]=` asks for anything greater; `'; return this.role == 'admin'; var b='` closes the string, then returns a
//! result of its own, and leaves a quote for the rest to close.
//!
//! # What it misses
//! An application that offers such operators to its users on purpose needs an exception; fields called
//! `selector` and `filters` are taken for that already.
//!
//! # References
//! MongoDB manual, "Query and Projection Operators", "Aggregation Stages", "$where"; CWE-943.

mod script;

use palisade_codec::ByteSet;
use palisade_model::{Part, Root};

use super::{Detector, Evidence};
use crate::{Attack, Confidence, Decoding, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "nosql", attack: Attack::Nosqli, gate: ByteSet::of(b"$;|&."), look };

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    if value.set.contains(b'$') {
        if value.point.part == Part::Name {
            name(value, evidence);
        } else {
            object(value, evidence);
        }
    }
    if value.point.part == Part::Value {
        script::look(value, evidence);
    }
}

/// What an operator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Compares with something else than equality: `$ne`, `$regex`.
    Compares,
    /// Joins conditions: `$or`.
    Joins,
    /// Runs a script: `$where`.
    Runs,
    /// Reads or writes other collections.
    Reaches,
    /// Says something about a query: `$comment`. Other systems have such names too.
    Remarks,
}

impl Kind {
    fn says(self) -> &'static str {
        match self {
            Self::Compares => "compares in another way than by equality",
            Self::Joins => "joins conditions of its own",
            Self::Runs => "runs a script on the server",
            Self::Reaches => "reaches other collections",
            Self::Remarks => "is a remark to the server",
        }
    }
}

fn operator(name: &[u8]) -> Option<Kind> {
    Some(match name {
        b"$ne" | b"$eq" | b"$gt" | b"$gte" | b"$lt" | b"$lte" | b"$in" | b"$nin" | b"$not" | b"$exists"
        | b"$regex" | b"$all" | b"$elemMatch" | b"$mod" | b"$size" | b"$jsonSchema" | b"$text" | b"$near"
        | b"$nearSphere" | b"$geoWithin" | b"$geoIntersects" | b"$bitsAllSet" | b"$bitsAnySet"
        | b"$regexMatch" | b"$nlike" | b"$like" | b"$iLike" | b"$notLike" | b"$between" | b"$regexp" => {
            Kind::Compares
        }
        b"$or" | b"$and" | b"$nor" => Kind::Joins,
        b"$where" | b"$function" | b"$func" | b"$accumulator" | b"$expr" | b"$eval" | b"$reduce" => {
            Kind::Runs
        }
        b"$lookup" | b"$graphLookup" | b"$unionWith" | b"$out" | b"$merge" | b"$collStats"
        | b"$indexStats" | b"$currentOp" | b"$listSessions" | b"$facet" => Kind::Reaches,
        b"$comment" | b"$type" | b"$match" | b"$group" | b"$project" | b"$inc" | b"$push" | b"$rename"
        | b"$natural" | b"$options" | b"$query" => Kind::Remarks,
        _ => return None,
    })
}

/// Operators of updates. Analytics has them as names of members, so they count where a string was left.
fn update(name: &[u8]) -> Option<Kind> {
    matches!(name, b"$set" | b"$unset" | b"$setOnInsert" | b"$pull" | b"$addToSet").then_some(Kind::Remarks)
}

/// The name of a field or member.
fn name(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let (step, bracketed) = last_step(text);
    let Some(kind) = operator(step) else { return };
    let member = matches!(value.point.root, Root::Json | Root::GraphQl) || in_json(value).is_some();
    let expected = expects_operators(value);
    let confidence = match kind {
        Kind::Remarks if !bracketed => return,
        Kind::Runs => Confidence::CERTAIN,
        _ if expected => Confidence::POSSIBLE,
        Kind::Compares | Kind::Reaches if member || bracketed => Confidence::STRONG,
        Kind::Joins if member || bracketed => Confidence::LIKELY,
        _ if bracketed => Confidence::LIKELY,
        // A form's field that is called `$in`: it stays a text.
        _ => Confidence::POSSIBLE,
    };
    let operator = String::from_utf8_lossy(step);
    let says = kind.says();
    evidence.found(
        confidence,
        0..text.len(),
        format!("a name that is the operator {operator}, which {says}"),
    );
}

/// The last step of a form's name that is an operator or could be: `a[b][$ne]`, `a.$ne`, `$where`. Empty brackets and
/// numbers after it say that it is a list. Also whether it stands in brackets or after a dot.
fn last_step(name: &[u8]) -> (&[u8], bool) {
    let mut rest = name;
    while let Some((outer, step)) = split_brackets(rest) {
        // Further out than a name of the application's there may be an operator still: `a[$elemMatch][b]`.
        let named = !step.starts_with(b"$") && !step.iter().all(u8::is_ascii_digit);
        if step.starts_with(b"$") || named && memchr::memmem::find(outer, b"[$").is_none() {
            return (step, true);
        }
        rest = outer;
    }
    match memchr::memrchr(b'.', rest) {
        Some(dot) => (&rest[dot + 1..], true),
        None => (rest, false),
    }
}

/// The last step in brackets, and what stands before it.
fn split_brackets(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = name.strip_suffix(b"]")?;
    let open = memchr::memrchr(b'[', inner)?;
    Some((&inner[..open], &inner[open + 1..]))
}

/// Where in a JSON text inside a value something stands.
fn in_json<'v>(value: &'v Value<'_>) -> Option<&'v [u8]> {
    value.decoded.last().filter(|step| step.decoding == Decoding::Json).map(|step| step.at.as_bytes())
}

/// Places where operators are what the application asks for: CouchDB's queries, and the filters of frameworks that
/// translate them themselves.
fn expects_operators(value: &Value<'_>) -> bool {
    let path = in_json(value).unwrap_or(value.point.path);
    let first = path.split(|byte| b"/[.".contains(byte)).find(|step| !step.is_empty());
    matches!(first, Some(b"selector" | b"filters"))
}

/// An object with operators inside a text: `{ $ne: 1 }`, or after a string was left: `' } ], $comment: 'x`.
fn object(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let begin = text.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let whole = matches!(text.get(begin), Some(b'{' | b'['));
    for dollar in memchr::memchr_iter(b'$', text).take(MEMBERS_MAX) {
        let Some((name, end)) = member(text, dollar) else { continue };
        let Some(kind) = operator(name).or_else(|| update(name)) else { continue };
        // Before the name: what begins an object, goes on with one, or leaves a string.
        let before = text[..dollar].trim_ascii_end();
        let before =
            before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end();
        let lead = before.iter().take(LEAD_BYTES_MAX).filter(|byte| !byte.is_ascii_whitespace()).count();
        let opens = before.ends_with(b"{") || before.ends_with(b",");
        let left = opens && lead <= 16 && leaves(before);
        let confidence = match kind {
            _ if !opens && !before.is_empty() => continue,
            Kind::Runs if whole => Confidence::CERTAIN,
            Kind::Runs if before.is_empty() => Confidence::LIKELY,
            _ if expects_operators(value) => Confidence::POSSIBLE,
            Kind::Remarks if whole => continue,
            _ if whole && balanced(text) => Confidence::STRONG,
            _ if left => Confidence::STRONG,
            _ => Confidence::HINT,
        };
        let lead = if whole { "an object with the operator" } else { "goes on with an object, the operator" };
        let operator = String::from_utf8_lossy(name);
        let says = kind.says();
        evidence.found(confidence, dollar..end, format!("{lead} {operator}, which {says}"));
        return;
    }
}

/// Names with a dollar that are looked at in one text.
const MEMBERS_MAX: usize = 64;

/// Bytes before a name that say how it was come by.
const LEAD_BYTES_MAX: usize = 64;

/// A member's name at a dollar, and where it ends: letters, then a quote perhaps, then a colon.
fn member(text: &[u8], dollar: usize) -> Option<(&[u8], usize)> {
    let letters = text[dollar + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let end = dollar + 1 + letters;
    let after = text[end..].strip_prefix(b"\"").or(text[end..].strip_prefix(b"'")).unwrap_or(&text[end..]);
    let colon = after.iter().take(LEAD_BYTES_MAX).find(|byte| !byte.is_ascii_whitespace());
    (letters > 0 && colon == Some(&b':')).then_some((&text[dollar..end], end))
}

/// Whether a short lead leaves what it stood in: a value, then a quote or a closing bracket or nothing, then a comma.
fn leaves(lead: &[u8]) -> bool {
    let rest = lead.trim_ascii_start();
    let value = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    rest[value..].iter().all(|byte| byte.is_ascii_whitespace() || b"'\"{}[](),:$or".contains(byte))
}

/// Whether a text ends with the bracket that it begins with: an object, not code that begins with one.
fn balanced(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}

#[cfg(test)]
mod tests {
    use palisade_http::{Fields, RequestHead};

    use crate::{DetectLimits, Detection, Progress};

    /// The strongest NoSQL finding in a form or JSON body.
    fn in_body(kind: &str, body: &str) -> u8 {
        let mut headers = Fields::new();
        headers.push(b"content-type", kind.as_bytes());
        let head = RequestHead {
            line: b"POST / HTTP/1.1".to_vec(),
            method: b"POST".to_vec(),
            target: b"/".to_vec(),
            version: b"HTTP/1.1".to_vec(),
            headers,
            findings: Vec::new(),
        };
        let mut detection = Detection::begin(&head, &DetectLimits::default());
        detection.feed(body.as_bytes());
        while detection.run() == Progress::Yield {}
        let found = detection.findings().iter().filter(|finding| finding.detector == "nosql");
        found.map(|finding| finding.confidence.get()).max().unwrap_or(0)
    }

    #[test]
    fn names_of_forms_are_read_as_frameworks_make_objects_of_them() {
        let form = |body| in_body("application/x-www-form-urlencoded", body);
        for attack in [
            "a[$ne]=x",
            "a[b][$gt]=",
            "a[$in][]=1&a[$in][]=2",
            "a[$not][$eq]=1",
            "a.$regex=.*",
            "a%5B%24ne%5D=1",
        ] {
            assert!(form(attack) >= 90, "{attack}");
        }
        for innocent in ["$filter=a eq 1&$top=5", "price=$5", "a[b]=$ne", "$ref=1", "a[$current_url]=1"] {
            assert_eq!(form(innocent), 0, "{innocent}");
        }
        assert_eq!(form("filters[title][$eq]=x"), 50, "a framework that translates operators itself");
    }

    #[test]
    fn members_of_json_are_operators_by_their_names() {
        let json = |body| in_body("application/json", body);
        for attack in [
            r#"{"a":{"$ne":null}}"#,
            r#"{"a":{"\u0024gt":""}}"#,
            r#"{"$where":"1"}"#,
            r#"[{"a":{"$not":{"$eq":1}}}]"#,
            r#"{"$or":[{},{"a":"b"}]}"#,
        ] {
            assert!(json(attack) >= 75, "{attack}");
        }
        for innocent in [
            r##"{"$schema":"x","$ref":"#/a","$id":1,"$comment":"c","$defs":{}}"##,
            r#"{"properties":{"$set":{"a":1},"$current_url":"u","$lib":"web"}}"#,
            r#"{"status":{"eq":"open"},"where":{"or":[{"name":{"like":"a%"}}]}}"#,
            r#"{"price":"$5","note":"$ne is an operator"}"#,
        ] {
            assert_eq!(json(innocent), 0, "{innocent}");
        }
        assert_eq!(json(r#"{"selector":{"year":{"$gt":2010}}}"#), 50, "CouchDB asks for operators");
    }
}
