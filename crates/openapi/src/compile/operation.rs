//! Operations: parameters with their styles, bodies with their media types.

use std::collections::{BTreeMap, HashSet};

use palisade_http::content_type;
use palisade_yaml::{Node, quoted};

use super::{Compiler, PARAMETERS_MAX, text_of};
use crate::operation::{Body, Form, Media, Operation, Parameter, Scheme, Shape, Style};
use crate::schema::{SchemaId, Types};

/// A form whose fields are known when all schemas are.
pub(super) struct WaitingForm {
    operation: usize,
    media: usize,
    encodings: Vec<(String, Encoding)>,
}

/// How a field is written, where that is said.
struct Encoding {
    style: Option<Style>,
    explode: Option<bool>,
    is_json: bool,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// Headers that are said elsewhere; OpenAPI ignores parameters of these names.
const HEADERS_ELSEWHERE: [&str; 3] = ["accept", "content-type", "authorization"];
/// Schemas that are looked at to learn what one is made of.
const PARTS_MAX: usize = 1000;

/// What a schema is made of, as far as writing goes.
#[derive(Default)]
struct Made {
    types: u8,
    properties: BTreeMap<Box<[u8]>, SchemaId>,
    open: bool,
}

impl<'n> Compiler<'n> {
    /// One operation; `names` are those of the path's braces.
    pub(super) fn operation(&mut self, node: &'n Node, shared: &[&'n Node], names: &[String]) -> Operation {
        let mut out = Operation::default();
        let own: Vec<&'n Node> = node.get("parameters").map(|node| self.items(node)).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut of_path: Vec<(String, Parameter)> = Vec::new();
        // Its own come before those of the path, which they replace.
        for (at, written) in own.iter().chain(shared).enumerate() {
            let Some(parameter_node) = self.resolve(written) else { continue };
            if seen.len() >= PARAMETERS_MAX {
                self.error(parameter_node, format!("more than {PARAMETERS_MAX} parameters"), None);
                break;
            }
            let Some((place, name, parameter)) = self.parameter(parameter_node) else { continue };
            if !seen.insert((place, name.clone())) {
                if at < own.len() {
                    self.error(
                        parameter_node,
                        format!("the parameter {} stands here twice", quoted(&name)),
                        "remove one",
                    );
                }
                continue;
            }
            match place {
                Place::Path => of_path.push((name, parameter)),
                Place::Query => out.query.push(parameter),
                Place::Header if HEADERS_ELSEWHERE.contains(&name.as_str()) => {}
                Place::Header => out.headers.push(parameter),
                Place::Cookie => out.cookies.push(parameter),
            }
        }
        for name in names {
            match of_path.iter().position(|(known, _)| known == name) {
                Some(at) => out.path.push(of_path.remove(at).1),
                None => {
                    let message = format!("the path's parameter {} is not described", quoted(name));
                    self.error(node, message, "add it to `parameters`, with `in: path` and `required: true`");
                }
            }
        }
        for (name, _) in of_path {
            let message = format!("the path has no parameter {}", quoted(&name));
            self.warn(node, message, "remove it, or put it in braces into the path");
        }
        out.security = {
            let security = node.get("security").or(self.root.get("security"));
            self.security(security)
        };
        for scheme in out.security.iter().flatten() {
            if let Scheme::Query(name) = scheme {
                out.query_keys.insert(name.clone());
            }
        }
        out.body = node.get("requestBody").and_then(|node| self.body(node));
        out
    }

    fn parameter(&mut self, node: &'n Node) -> Option<(Place, String, Parameter)> {
        let Some(name) = node.get("name").and_then(text_of) else {
            self.error(node, "a parameter needs a `name`", None);
            return None;
        };
        let place = match node.get("in").and_then(text_of) {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("header") => Place::Header,
            Some("cookie") => Place::Cookie,
            _ => {
                self.error(
                    node,
                    "it is not said where the parameter is",
                    "write `in: path`, `query`, `header` or `cookie`",
                );
                return None;
            }
        };
        let name = if place == Place::Header { name.to_ascii_lowercase() } else { name.to_owned() };
        let by_default = match place {
            Place::Path | Place::Header => Style::Simple,
            Place::Query | Place::Cookie => Style::Form,
        };
        let style = match node.get("style") {
            Some(written) => self.style(written)?,
            None => by_default,
        };
        let fits = match place {
            Place::Path => matches!(style, Style::Simple | Style::Label | Style::Matrix),
            Place::Header => style == Style::Simple,
            Place::Cookie => style == Style::Form,
            Place::Query => !matches!(style, Style::Simple | Style::Label | Style::Matrix),
        };
        if !fits {
            let help = "path: simple, label, matrix; query: form, spaceDelimited, pipeDelimited, deepObject; header: simple; cookie: form";
            self.error(node, "a parameter of this place is not written in this style", help);
            return None;
        }
        let explode = match node.get("explode") {
            Some(written) => self.truth(Some(written)),
            None => style == Style::Form,
        };
        let (mut is_json, mut schema) = (false, node.get("schema").map(|node| self.schema(node)));
        if let Some(content) = node.get("content") {
            if let [(kind, media)] = self.members(content)[..] {
                is_json = content_type(kind.as_bytes()).has_subtype("json");
                schema = media.get("schema").map(|node| self.schema(node)).filter(|_| is_json);
            } else {
                self.error(content, "`content` of a parameter has one media type", None);
            }
        }
        let required = self.truth(node.get("required")) || place == Place::Path;
        let allow_empty = self.truth(node.get("allowEmptyValue"));
        let boxed = name.as_bytes().into();
        let shape = Shape::One;
        Some((
            place,
            name,
            Parameter { name: boxed, style, explode, required, allow_empty, shape, is_json, schema },
        ))
    }

    fn style(&mut self, node: &'n Node) -> Option<Style> {
        const STYLES: [(&str, Style); 7] = [
            ("simple", Style::Simple),
            ("label", Style::Label),
            ("matrix", Style::Matrix),
            ("form", Style::Form),
            ("spaceDelimited", Style::SpaceDelimited),
            ("pipeDelimited", Style::PipeDelimited),
            ("deepObject", Style::DeepObject),
        ];
        let text = text_of(node).unwrap_or_default();
        let found = STYLES.iter().find(|(name, _)| *name == text).map(|(_, style)| *style);
        if found.is_none() {
            let names = STYLES.map(|(name, _)| name).join(", ");
            self.error(
                node,
                format!("{} is no style", quoted(text)),
                format!("write one of {names}").as_str(),
            );
        }
        found
    }

    fn body(&mut self, node: &'n Node) -> Option<Body> {
        let node = self.resolve(node)?;
        let required = self.truth(node.get("required"));
        let Some(content) = node.get("content") else {
            self.error(node, "a body needs `content`", "add `content: {application/json: {schema: ...}}`");
            return None;
        };
        let mut media = Vec::new();
        for (kind, described) in self.members(content) {
            let parsed = content_type(kind.as_bytes());
            let essence = String::from_utf8_lossy(&parsed.essence).into_owned();
            let schema = described.get("schema").map(|node| self.schema(node));
            let form = || Form { fields: Vec::new(), open: true, schema };
            let of_type = match &*essence {
                "application/x-www-form-urlencoded" => Media::Form(form()),
                "multipart/form-data" => Media::Multipart(form()),
                _ if parsed.has_subtype("json") => Media::Json(schema),
                _ => Media::Other,
            };
            if matches!(of_type, Media::Form(_) | Media::Multipart(_)) {
                let encodings = self.encodings(described);
                // The operation is the next one, and its media are sorted when all are there.
                self.forms.push(WaitingForm {
                    operation: self.operations.len(),
                    media: media.len(),
                    encodings,
                });
            }
            media.push((essence.into_boxed_str(), of_type));
        }
        // Exact types come before those with stars: places of forms move with them.
        let mut order: Vec<usize> = (0..media.len()).collect();
        order.sort_by_key(|at| media[*at].0.matches('*').count());
        let operation = self.operations.len();
        for waiting in self.forms.iter_mut().filter(|waiting| waiting.operation == operation) {
            waiting.media = order.iter().position(|at| *at == waiting.media).unwrap_or_default();
        }
        let mut taken: Vec<Option<(Box<str>, Media)>> = media.into_iter().map(Some).collect();
        let media = order.into_iter().filter_map(|at| taken[at].take()).collect();
        Some(Body { required, media })
    }

    fn encodings(&mut self, media: &'n Node) -> Vec<(String, Encoding)> {
        let Some(encoding) = media.get("encoding") else { return Vec::new() };
        let mut out = Vec::new();
        for (name, node) in self.members(encoding) {
            let style = node.get("style").and_then(|node| self.style(node));
            let explode = node.get("explode").map(|node| self.truth(Some(node)));
            let kind = node.get("contentType").and_then(text_of).unwrap_or_default();
            let is_json = content_type(kind.as_bytes()).has_subtype("json");
            out.push((name.to_owned(), Encoding { style, explode, is_json }));
        }
        out
    }

    /// What had to wait for schemas: shapes of parameters, fields of forms.
    pub(super) fn settle_forms(&mut self) {
        let mut operations = std::mem::take(&mut self.operations);
        for operation in &mut operations {
            let Operation { path, query, headers, cookies, .. } = operation;
            for parameter in [path, query, headers, cookies].into_iter().flatten() {
                parameter.shape = self.shape(parameter.schema);
                if parameter.style == Style::DeepObject && !matches!(parameter.shape, Shape::Map { .. }) {
                    parameter.shape = Shape::Map { names: Vec::new(), open: true };
                }
            }
        }
        for WaitingForm { operation, media, encodings } in std::mem::take(&mut self.forms) {
            let body = operations.get_mut(operation).and_then(|operation| operation.body.as_mut());
            let Some((_, Media::Form(form) | Media::Multipart(form))) =
                body.and_then(|body| body.media.get_mut(media))
            else {
                continue;
            };
            let made = self.made(form.schema);
            form.open = made.open;
            for (name, schema) in made.properties {
                let encoding =
                    encodings.iter().find(|(known, _)| known.as_bytes() == &*name).map(|(_, it)| it);
                let shape = self.shape(Some(schema));
                let style = encoding.and_then(|encoding| encoding.style);
                // An object in a form is JSON, unless a style is said.
                let is_json = encoding.is_some_and(|encoding| encoding.is_json)
                    || style.is_none() && matches!(shape, Shape::Map { .. });
                let style = style.unwrap_or(Style::Form);
                let explode = encoding.and_then(|encoding| encoding.explode).unwrap_or(style == Style::Form);
                let (required, allow_empty) = (false, false);
                let schema = Some(schema);
                form.fields.push(Parameter {
                    name,
                    style,
                    explode,
                    required,
                    allow_empty,
                    shape,
                    is_json,
                    schema,
                });
            }
        }
        self.operations = operations;
    }

    fn shape(&self, schema: Option<SchemaId>) -> Shape {
        let made = self.made(schema);
        let scalar = made.types & (Types::TRUTH | Types::NUMBER | Types::WHOLE | Types::TEXT) != 0;
        match (made.types & Types::LIST != 0, made.types & Types::MAP != 0, scalar) {
            (true, false, false) => Shape::List,
            (true, _, _) => Shape::Either,
            (false, true, false) => {
                Shape::Map { names: made.properties.into_keys().collect(), open: made.open }
            }
            _ => Shape::One,
        }
    }

    /// Looks through a schema and those that judge the same value.
    fn made(&self, schema: Option<SchemaId>) -> Made {
        let mut made = Made::default();
        let mut seen = HashSet::new();
        let mut waiting: Vec<SchemaId> = schema.into_iter().collect();
        let mut says_more = false;
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) || seen.len() > PARTS_MAX {
                continue;
            }
            let schema = &self.schemas[id.0 as usize];
            made.types |= schema.types.0;
            if let Some(map) = &schema.map {
                if schema.types.are_any() && !map.properties.is_empty() {
                    made.types |= Types::MAP;
                }
                made.properties.extend(map.properties.iter().map(|(name, id)| (name.clone(), *id)));
                made.open |= !map.patterns.is_empty();
                if let Some(additional) = map.additional {
                    says_more = true;
                    made.open |= !self.schemas[additional.0 as usize].never;
                }
            }
            waiting.extend(schema.of_same_value());
        }
        // An object of which nothing is said may hold anything.
        made.open |= made.properties.is_empty() && !says_more;
        made
    }
}
