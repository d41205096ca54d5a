//! One request held against a specification: its head at once, its body when it is whole.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use palisade_http::{
    BodyLimits, CookieFormat, Fields as HttpFields, MultipartParser, RequestHead, Target, TargetForm,
    content_type, normal_path, parse_cookies,
};
use palisade_model::Root;

use crate::Limits;
use crate::breach::{Breach, Breaches, Violation};
use crate::credential::{Credentials, Shown};
use crate::fields::Fields;
use crate::json::{self, NotRead};
use crate::operation::{Body, Form, Media, Operation, Parameter, Specification};
use crate::percent::pairs;
use crate::router::{Captured, Route};
use crate::schema::SchemaId;
use crate::style::{self, Unfit, Written};
use crate::tree::{Item, ItemId, Tree};
use crate::validate::{Exhausted, Naming, Validator};

/// A request on its way through the check.
#[derive(Debug)]
pub struct Check {
    specification: Arc<Specification>,
    limits: Limits,
    work: u64,
    breaches: Breaches,
    operation: Option<usize>,
    reading: Reading,
    /// The head says that there is one.
    has_length: bool,
    body_bytes: u64,
}

/// What is done with a body.
#[derive(Debug)]
enum Reading {
    /// Nothing is known of it: its endpoint is not, or it is taken as it is.
    Nothing,
    /// There should be none.
    Unwanted,
    /// It is of no type that is taken; in words.
    Refused(String),
    /// It is kept whole: JSON, or a form. Which media of the operation it is.
    Held(usize, Vec<u8>),
    /// It is taken apart as it comes.
    Parts(usize, Box<MultipartParser>),
}

impl Check {
    /// Begins with a request's head, and what is known of its client.
    pub fn begin(
        specification: &Arc<Specification>,
        limits: &Limits,
        head: &RequestHead,
        shown: &Shown<'_>,
    ) -> Self {
        let mut check = Self {
            specification: specification.clone(),
            limits: *limits,
            work: limits.work_max,
            breaches: Breaches::default(),
            operation: None,
            reading: Reading::Nothing,
            has_length: head.headers.first(b"content-length").is_some_and(|length| length != b"0"),
            body_bytes: 0,
        };
        let specification = specification.as_ref();
        let target = Target::new(&head.target, &head.method);
        let method = head.method.to_ascii_lowercase();
        let path = match target.form() {
            TargetForm::Origin | TargetForm::Absolute => normal_path(target.path()),
            _ => None,
        };
        let Some(path) = path else {
            let why = "has no form that every server takes for the same";
            check.breaches.add(Violation::UndefinedEndpoint, Root::Path, [], why);
            return check;
        };
        match specification.router.find(&path, &method) {
            Route::Operation(at, captured) => {
                check.operation = Some(at);
                let operation = &specification.operations[at];
                check.head(operation, head, &target, &captured, shown);
            }
            Route::Path if is_preflight(specification, head, &path, &method) => {}
            Route::Path => {
                let why = "is defined, but not for this method";
                check.breaches.add(Violation::UndefinedEndpoint, Root::Method, [], why);
            }
            Route::Nothing => {
                check.breaches.add(Violation::UndefinedEndpoint, Root::Path, [], "is not defined");
            }
        }
        check
    }

    /// Breaches that were found so far.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches.0
    }

    /// Whether the body will be looked at, if only whether there is one.
    pub fn wants_body(&self) -> bool {
        !matches!(self.reading, Reading::Nothing) || self.requires_body()
    }

    fn requires_body(&self) -> bool {
        self.body().is_some_and(|body| body.required)
    }

    fn body(&self) -> Option<&Body> {
        self.specification.operations.get(self.operation?)?.body.as_ref()
    }

    /// Takes the next piece of the body.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.body_bytes += chunk.len() as u64;
        match &mut self.reading {
            Reading::Held(_, held) => {
                let room = self.limits.body_bytes_max.saturating_sub(held.len());
                held.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Reading::Parts(_, parser) => parser.feed(chunk),
            Reading::Nothing | Reading::Unwanted | Reading::Refused(_) => {}
        }
    }

    /// The body is whole; or, where it is `cut`, more of it exists than was handed over.
    pub fn end(&mut self, cut: bool) {
        // Where bodies pass unseen, one that the head tells of is there all the same.
        let cut = cut || self.body_bytes == 0 && self.has_length;
        if self.body_bytes == 0 && !cut {
            if self.requires_body() {
                self.breaches.add(Violation::MissingParameter, Root::Body, [], "is required");
            }
            return;
        }
        let reading = std::mem::replace(&mut self.reading, Reading::Nothing);
        let specification = self.specification.clone();
        let media = |at: usize| {
            let operation = specification.operations.get(self.operation?)?;
            operation.body.as_ref()?.media.get(at).map(|(_, media)| media)
        };
        match reading {
            Reading::Nothing => {}
            Reading::Unwanted => {
                self.breaches.add(
                    Violation::UndefinedParameter,
                    Root::Body,
                    [],
                    "is not defined: there should be none",
                );
            }
            Reading::Refused(why) => self.breaches.add(Violation::InvalidBody, Root::Body, [], why),
            Reading::Held(at, held) => {
                if cut || self.body_bytes > held.len() as u64 {
                    let most = self.limits.body_bytes_max;
                    let why =
                        format!("is larger than the {most} bytes that are held against a specification");
                    self.breaches.add(Violation::OverLimit, Root::Body, [], why);
                    return;
                }
                match media(at) {
                    Some(Media::Json(schema)) => self.json(&specification, *schema, &held),
                    Some(Media::Form(form)) => {
                        let fields = Fields::new(pairs(&held), Written::Form);
                        self.form(&specification, form, &fields, &[], Root::Form);
                    }
                    _ => {}
                }
            }
            Reading::Parts(at, parser) => {
                if cut {
                    let why = "is not handed over whole";
                    self.breaches.add(Violation::OverLimit, Root::Body, [], why);
                    return;
                }
                let multipart = parser.finish();
                if let Some(error) = &multipart.error {
                    let why = format!("is no multipart body: {}", error.trim_end_matches('.'));
                    self.breaches.add(Violation::InvalidBody, Root::Body, [], why);
                    return;
                }
                if !multipart.limit_hits.is_empty() {
                    let why = "has more parts, or longer headers of parts, than are looked at";
                    self.breaches.add(Violation::OverLimit, Root::Body, [], why);
                }
                if let Some(Media::Multipart(form)) = media(at) {
                    let all = multipart.fields.iter().map(|(name, value)| (Cow::Borrowed(name), value));
                    let fields = Fields::new(all, Written::Plain);
                    let files: Vec<&[u8]> = multipart.files.iter().map(|file| &*file.name).collect();
                    self.form(&specification, form, &fields, &files, Root::Multipart);
                }
            }
        }
    }

    fn head(
        &mut self,
        operation: &Operation,
        head: &RequestHead,
        target: &Target,
        captured: &Captured<'_>,
        shown: &Shown<'_>,
    ) {
        let query = Fields::new(pairs(target.query().unwrap_or_default()), Written::Form);
        let mut cookies = HttpFields::new();
        for (name, value) in head.headers.iter() {
            if name.eq_ignore_ascii_case(b"cookie") {
                parse_cookies(value, CookieFormat::V0, b';', &mut cookies);
            }
        }
        let cookies =
            Fields::new(cookies.iter().map(|(name, value)| (Cow::Borrowed(name), value)), Written::Escaped);
        let credentials = Credentials { head, query: &query, cookies: &cookies, shown };
        if let Some((root, name, why)) = credentials.breach(&operation.security) {
            self.breaches.add(Violation::NoAuthentication, root, name, why);
        }
        let mut tree = Tree::new(self.limits.values_max);
        for (parameter, (segment, text)) in operation.path.iter().zip(captured) {
            let read = style::read(parameter, &[text], Written::Plain, &self.limits, &mut tree);
            self.parameter(parameter, Some(read), &tree, Root::Path, segment.to_string().into_bytes());
        }
        for parameter in &operation.query {
            let read = query.read(parameter, &operation.query, &self.limits, &mut tree);
            self.parameter(parameter, read, &tree, Root::Query, parameter.name.to_vec());
        }
        for name in query.unknown(&operation.query, &operation.query_keys) {
            self.breaches.add(Violation::UndefinedParameter, Root::Query, name, "is not defined");
        }
        for parameter in &operation.headers {
            let named = |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(&parameter.name);
            let texts: Vec<&[u8]> = head.headers.iter().filter(named).map(|(_, value)| value).collect();
            let read = (!texts.is_empty())
                .then(|| style::read(parameter, &texts, Written::Plain, &self.limits, &mut tree));
            self.parameter(parameter, read, &tree, Root::Header, parameter.name.to_vec());
        }
        for parameter in &operation.cookies {
            let read = cookies.read(parameter, &operation.cookies, &self.limits, &mut tree);
            self.parameter(parameter, read, &tree, Root::Cookie, parameter.name.to_vec());
        }
        self.reading = reading(operation, head, &self.limits);
    }

    /// What was read of a parameter, held against its schema.
    fn parameter(
        &mut self,
        parameter: &Parameter,
        read: Option<Result<ItemId, Unfit>>,
        tree: &Tree,
        root: Root,
        path: Vec<u8>,
    ) {
        match read {
            None if parameter.required => {
                self.breaches.add(Violation::MissingParameter, root, path, "is required")
            }
            None => {}
            Some(Err(unfit)) => self.unfit(unfit, root, path),
            Some(Ok(item)) => {
                let Some(schema) = parameter.schema else { return };
                let specification = self.specification.clone();
                self.validate(&specification, tree, schema, item, (root, Naming::Fixed, path));
            }
        }
    }

    fn unfit(&mut self, unfit: Unfit, root: Root, path: Vec<u8>) {
        match unfit {
            Unfit::Malformed(why) => self.breaches.add(Violation::InvalidValue, root, path, why),
            Unfit::Limit(why) => self.breaches.add(Violation::OverLimit, root, path, why),
        }
    }

    fn validate(
        &mut self,
        specification: &Specification,
        tree: &Tree,
        schema: SchemaId,
        item: ItemId,
        place: (Root, Naming, Vec<u8>),
    ) {
        let (root, path) = (place.0, place.2.clone());
        let schemas = &specification.schemas;
        let mut validator = Validator::new(schemas, tree, &mut self.work, &mut self.breaches, place);
        if validator.judge(schema, item) == Err(Exhausted) {
            let why = "takes more work to hold against its schema than one request may";
            self.breaches.add(Violation::OverLimit, root, path, why);
        }
    }

    fn json(&mut self, specification: &Specification, schema: Option<SchemaId>, body: &[u8]) {
        let mut tree = Tree::new(self.limits.values_max);
        match json::read(body, &self.limits, &mut tree) {
            Err(NotRead::Invalid(why)) => self.breaches.add(Violation::InvalidBody, Root::Body, [], why),
            Err(NotRead::Limit(why)) => self.breaches.add(Violation::OverLimit, Root::Body, [], why),
            Ok(item) => {
                if let Some(schema) = schema {
                    self.validate(
                        specification,
                        &tree,
                        schema,
                        item,
                        (Root::Json, Naming::Pointer, Vec::new()),
                    );
                }
            }
        }
    }

    /// Fields of a form, each read as its parameter and all of them held against the schema of the whole.
    fn form(
        &mut self,
        specification: &Specification,
        form: &Form,
        fields: &Fields<'_>,
        files: &[&[u8]],
        root: Root,
    ) {
        let mut tree = Tree::new(self.limits.values_max);
        let mut members = Vec::new();
        let full = "it has more values than are looked at";
        for field in &form.fields {
            let item = match fields.read(field, &form.fields, &self.limits, &mut tree) {
                None => continue,
                Some(Ok(item)) => Ok(item),
                Some(Err(unfit)) => {
                    self.unfit(unfit, root, field.name.to_vec());
                    tree.add(Item::Unread)
                }
            };
            match item {
                Ok(item) => members.push((field.name.to_vec(), item)),
                Err(_) => return self.breaches.add(Violation::OverLimit, Root::Body, [], full),
            }
        }
        let unknown = fields.unknown(&form.fields, &HashSet::new());
        for name in unknown {
            if form.open {
                match fields.value(name, &mut tree) {
                    Ok(item) => members.push((name.to_vec(), item)),
                    Err(_) => return self.breaches.add(Violation::OverLimit, Root::Body, [], full),
                }
            } else {
                self.breaches.add(Violation::UndefinedParameter, root, name, "is not defined");
            }
        }
        let mut uploads: Vec<(&[u8], usize)> = Vec::new();
        for name in files {
            match uploads.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => uploads.push((name, 1)),
            }
        }
        for (name, count) in uploads {
            let field = form.fields.iter().find(|field| *field.name == *name);
            if field.is_none() && !form.open {
                self.breaches.add(Violation::UndefinedParameter, Root::File, name, "is not defined");
                continue;
            }
            if members.iter().any(|(known, _)| known == name) {
                let why = "is a file and a text at once";
                self.breaches.add(Violation::InvalidValue, Root::File, name, why);
                continue;
            }
            let item = uploaded(field, count, &mut tree);
            let item = item.or_else(|unfit| {
                self.unfit(unfit, Root::File, name.to_vec());
                tree.add(Item::Unread)
            });
            match item {
                Ok(item) => members.push((name.to_vec(), item)),
                Err(_) => return self.breaches.add(Violation::OverLimit, Root::Body, [], full),
            }
        }
        let Some(schema) = form.schema else { return };
        match tree.named(members) {
            Ok(item) => self.validate(specification, &tree, schema, item, (root, Naming::Member, Vec::new())),
            Err(_) => self.breaches.add(Violation::OverLimit, Root::Body, [], full),
        }
    }
}

/// Uploads under one name.
fn uploaded(field: Option<&Parameter>, count: usize, tree: &mut Tree) -> Result<ItemId, Unfit> {
    use crate::operation::Shape;
    let many = field.is_some_and(|field| matches!(field.shape, Shape::List | Shape::Either));
    if !many && count > 1 && field.is_some() {
        return Err(Unfit::Malformed("is given more than once".to_owned()));
    }
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(tree.add(Item::File)?);
    }
    match (many, &*items) {
        (false, [one]) => Ok(*one),
        _ => Ok(tree.list(items)?),
    }
}

/// A browser that asks whether it may ask: a method that is defined, on a path that is.
fn is_preflight(specification: &Specification, head: &RequestHead, path: &[u8], method: &[u8]) -> bool {
    let asked = head.headers.first(b"access-control-request-method");
    method == b"options"
        && head.headers.first(b"origin").is_some()
        && asked.is_some_and(|asked| {
            matches!(specification.router.find(path, &asked.to_ascii_lowercase()), Route::Operation(..))
        })
}

/// How the body of a request is read.
fn reading(operation: &Operation, head: &RequestHead, limits: &Limits) -> Reading {
    let Some(body) = &operation.body else { return Reading::Unwanted };
    let coded = head
        .headers
        .first(b"content-encoding")
        .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    let mut types = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let Some((_, kind)) = types.next() else { return Reading::Refused("has no Content-Type".to_owned()) };
    if types.next().is_some() {
        return Reading::Refused("has more than one Content-Type".to_owned());
    }
    let essence = content_type(kind).essence;
    let Some(media) = body.media(&essence) else {
        return Reading::Refused("is of a type that is not taken here".to_owned());
    };
    let at = body.media.iter().position(|(_, known)| std::ptr::eq(known, media)).unwrap_or_default();
    match media {
        Media::Other => Reading::Nothing,
        _ if coded => {
            Reading::Refused("is compressed, and is not held against a specification so".to_owned())
        }
        Media::Json(_) | Media::Form(_) => Reading::Held(at, Vec::new()),
        Media::Multipart(_) => {
            Reading::Parts(at, Box::new(MultipartParser::new(kind, &multipart_limits(limits))))
        }
    }
}

fn multipart_limits(limits: &Limits) -> BodyLimits {
    BodyLimits {
        arguments_max: limits.values_max.min(10_000),
        file_content_bytes_max: 0,
        ..BodyLimits::default()
    }
}
