//! Custom rules: what a site says of its own endpoints.

use palisade_model::{Attack, PointPattern};

use crate::decode::{Shape, section};
use crate::exception::RuleIds;
use crate::headers::{HeaderName, Headers};
use crate::sections::Exception;
use crate::value::{FromText, Located, Name, Refused, RoutePath, decode_as_text};

section! {
    /// Refuses requests to an endpoint, until it is mended. It acts in every mode but off, and not for sources on the
    /// allow list. Without `points` and `attacks` it refuses every request that its methods and paths mean.
    pub struct Patch {
        /// Its name in logs and events.
        name: Located<Name>,
        /// Methods that it is about; any when absent.
        methods: Vec<Located<Method>>,
        /// Paths below which it holds; everywhere when absent. A path that cannot be normalised is below all of them: what
        /// is refused must not be reached by another spelling.
        paths: Vec<RoutePath>,
        /// Points of which one has to be there: a request without any of them passes. With `attacks`, points at which they
        /// are looked for. They are written as those of exceptions are.
        points: Vec<PointPattern>,
        /// Attacks of which the built-in detector has to see one, however unsure it is: what it would tell in a log.
        attacks: Vec<Located<Attack>>,
    }
}

section! {
    /// Points that carry binary data, so that texts are not looked for in them: neither by rules nor, but for what is found
    /// in files (`upload`, `data-bomb`), by the built-in detector.
    pub struct Binary {
        /// The points. At least one; they are written as those of exceptions are.
        points: Vec<PointPattern>,
        /// Paths below which it holds; everywhere when absent.
        paths: Vec<RoutePath>,
    }
}

section! {
    /// Changes to the headers of responses below some paths, after those of the service. Headers that frame a message cannot
    /// be changed.
    pub struct EndpointHeaders {
        /// Paths below which it holds; everywhere when absent. A path that cannot be normalised is below none.
        paths: Vec<RoutePath>,
        /// Headers with the values that they shall have, in place of those that are there.
        set: Headers,
        /// Headers with values that are added to those that are there.
        add: Headers,
        /// Headers that are taken away.
        remove: Vec<HeaderName>,
    }
}

impl Binary {
    /// The exception that it is: from all rules, and from all attacks that are read in texts.
    pub fn as_exception(&self) -> Exception {
        let of_files = [Attack::Upload, Attack::DataBomb, Attack::InspectionLimit];
        let of_texts = Attack::ALL.iter().copied().filter(|attack| !of_files.contains(attack));
        Exception {
            rules: vec![Located::default(RuleIds { first: 1, last: u64::MAX })],
            tags: Vec::new(),
            attacks: of_texts.filter(|attack| !attack.is_of_specification()).map(Located::default).collect(),
            points: self.points.clone(),
            paths: self.paths.clone(),
        }
    }
}

/// A method, as requests write it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Method(String);

impl Method {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for Method {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let token = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(token) {
            return Err(("is no method".to_owned(), "write it in capitals, such as POST".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a method", pattern: Some("^[A-Z-]{1,32}$"), example: "POST" }
    }
}

decode_as_text!(Method);
