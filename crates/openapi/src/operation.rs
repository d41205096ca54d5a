//! A specification compiled: its operations, and what each takes.

use std::collections::HashSet;

use crate::router::Router;
use crate::schema::{SchemaId, Schemas};

/// A specification, ready to be asked. Made by [`crate::read`]; what is in it is valid and bounded.
#[derive(Debug)]
pub struct Specification {
    pub(crate) router: Router,
    pub(crate) operations: Vec<Operation>,
    pub(crate) schemas: Schemas,
}

impl Specification {
    /// How many operations it has.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// How many schemas it is made of.
    pub fn schemas(&self) -> usize {
        self.schemas.0.len()
    }
}

/// What may be asked by a method on a path.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// In the order of the template's braces.
    pub(crate) path: Vec<Parameter>,
    pub(crate) query: Vec<Parameter>,
    /// Names that the query may have besides: keys of security schemes.
    pub(crate) query_keys: HashSet<Box<[u8]>>,
    pub(crate) headers: Vec<Parameter>,
    pub(crate) cookies: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    /// Any one of them suffices; nothing is asked where there is none.
    pub(crate) security: Vec<Requirement>,
}

/// Ways to authenticate that belong together.
pub(crate) type Requirement = Vec<Scheme>;

/// A way to authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A key in a place.
    Header(Box<[u8]>),
    Query(Box<[u8]>),
    Cookie(Box<[u8]>),
    /// `Authorization` of a scheme, in lower case.
    Http(Box<[u8]>),
    /// A client certificate.
    Certificate,
}

/// A parameter, or a field of a form.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// Of a header in lower case.
    pub(crate) name: Box<[u8]>,
    pub(crate) style: Style,
    pub(crate) explode: bool,
    pub(crate) required: bool,
    /// An empty value stands for none.
    pub(crate) allow_empty: bool,
    pub(crate) shape: Shape,
    /// Its text is JSON.
    pub(crate) is_json: bool,
    pub(crate) schema: Option<SchemaId>,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
}

/// What a schema makes of a parameter's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value.
    One,
    /// A list.
    List,
    /// One value or a list.
    Either,
    /// An object: the names that it is known to have, and whether it may have others.
    Map { names: Vec<Box<[u8]>>, open: bool },
}

/// A body.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) required: bool,
    /// By media type, in lower case, `*` for any part of it; the most exact first.
    pub(crate) media: Vec<(Box<str>, Media)>,
}

/// What a body of a media type has to be.
#[derive(Debug)]
pub(crate) enum Media {
    Json(Option<SchemaId>),
    Form(Form),
    Multipart(Form),
    /// Not looked into.
    Other,
}

/// Fields, and the schema of all of them.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) fields: Vec<Parameter>,
    /// Fields that are not named are welcome.
    pub(crate) open: bool,
    pub(crate) schema: Option<SchemaId>,
}

impl Body {
    /// What a body of a media type has to be; `None` where it may not be of that type.
    pub(crate) fn media(&self, essence: &[u8]) -> Option<&Media> {
        let fits = |known: &str| match known.split_once('/') {
            Some(("*", "*")) => true,
            Some((kind, "*")) => {
                essence.strip_prefix(kind.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
            }
            _ => known.as_bytes() == essence,
        };
        self.media.iter().find(|(known, _)| fits(known)).map(|(_, media)| media)
    }
}
