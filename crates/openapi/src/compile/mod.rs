//! From text to [`Specification`]: what cannot be used is told with its place and a remedy, and nothing half-read is used.

mod operation;
mod schema;
mod security;

use std::collections::HashMap;

use palisade_yaml::{Diagnostic, Node, Origin, Severity, Sink, Value, YamlLimits, nearest, parse, quoted};

use crate::operation::{Operation, Scheme, Specification};
use crate::router::Router;
use crate::schema::{Schema, SchemaId, Schemas};

/// Bytes of a specification's text.
pub const SPECIFICATION_BYTES_MAX: usize = 8 << 20;
const OPERATIONS_MAX: usize = 20_000;
const SCHEMAS_MAX: usize = 200_000;
/// Parameters of one operation.
const PARAMETERS_MAX: usize = 256;
/// References in a row that lead to one another.
const REFERENCES_MAX: usize = 32;
/// Bases that servers make of one path.
const BASES_MAX: usize = 32;

/// What a text turned out to be.
#[derive(Debug)]
pub struct SpecificationRead {
    /// The specification; `None` where it cannot be used.
    pub specification: Option<Specification>,
    /// All that is to be said about it, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a specification, in YAML or JSON. `base`: the path that its paths stand below, in place of what its servers say.
/// Any bytes give a specification or diagnostics, in time and memory bounded by their length.
pub fn read(text: &[u8], base: Option<&str>) -> SpecificationRead {
    let limits = YamlLimits { bytes_max: SPECIFICATION_BYTES_MAX, depth_max: 100, weight_max: 256 << 20 };
    let root = match parse(text, &limits) {
        Ok(root) => root,
        Err(broken) => return SpecificationRead { specification: None, diagnostics: vec![broken] },
    };
    let mut compiler = Compiler::new(&root);
    let router = compiler.document(base);
    let (errors, operations, schemas) = (compiler.sink.errors(), compiler.operations, compiler.schemas);
    let specification = router.filter(|_| errors == 0).map(|router| Specification {
        router,
        operations,
        schemas: Schemas(schemas),
    });
    SpecificationRead { specification, diagnostics: compiler.sink.finish() }
}

/// Which OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V30,
    V31,
}

struct Compiler<'n> {
    root: &'n Node,
    version: Version,
    sink: Sink,
    /// Where we are, for diagnostics.
    path: String,
    operations: Vec<Operation>,
    schemas: Vec<Schema>,
    /// Where each schema is written.
    places: Vec<Origin>,
    /// Schemas by the reference that names them.
    named: HashMap<String, SchemaId>,
    /// Those that are named and not read yet.
    waiting: Vec<(SchemaId, &'n Node)>,
    schemes: HashMap<&'n str, Scheme>,
    /// Forms whose fields wait for their schemas.
    forms: Vec<operation::WaitingForm>,
    /// Members of large objects by name, by the address of the object.
    indexes: HashMap<*const Node, HashMap<&'n str, &'n Node>>,
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

impl<'n> Compiler<'n> {
    fn new(root: &'n Node) -> Self {
        Self {
            root,
            version: Version::V30,
            sink: Sink::default(),
            path: String::new(),
            operations: Vec::new(),
            schemas: Vec::new(),
            places: Vec::new(),
            named: HashMap::new(),
            waiting: Vec::new(),
            schemes: HashMap::new(),
            forms: Vec::new(),
            indexes: HashMap::new(),
        }
    }

    /// The whole document.
    fn document(&mut self, base: Option<&str>) -> Option<Router> {
        let Value::Map(_) = &self.root.value else {
            self.error(self.root, "this is no OpenAPI specification", "begin it with `openapi: 3.1.0`");
            return None;
        };
        self.version = match self.root.get("openapi").and_then(text_of) {
            Some(version) if version.starts_with("3.0") => Version::V30,
            Some(version) if version.starts_with("3.1") => Version::V31,
            Some(version) => {
                let node = self.root.get("openapi").unwrap_or(self.root);
                self.error(
                    node,
                    format!("OpenAPI {} is not read", quoted(version)),
                    "convert it to 3.0 or 3.1",
                );
                return None;
            }
            None => {
                let swagger = self.root.get("swagger").is_some();
                let message = if swagger { "Swagger 2.0 is not read" } else { "`openapi` is missing" };
                let help = if swagger {
                    "convert it to OpenAPI 3.0 or 3.1"
                } else {
                    "begin it with `openapi: 3.1.0`"
                };
                self.error(self.root, message, help);
                return None;
            }
        };
        self.security_schemes();
        let mut router = Router::new();
        let Some(paths) = self.root.get("paths") else {
            self.warn(
                self.root,
                "it has no `paths`: every request asks for what is not defined",
                "add `paths`",
            );
            return Some(router);
        };
        for (name, item) in self.members(paths) {
            if name.starts_with("x-") {
                continue;
            }
            self.path = format!("paths.{name}");
            self.path_item(name, item, base, &mut router);
        }
        self.path.clear();
        self.drain_schemas();
        self.refuse_circles();
        self.settle_forms();
        Some(router)
    }

    /// A path with its operations.
    fn path_item(&mut self, template: &'n str, node: &'n Node, base: Option<&str>, router: &mut Router) {
        let Some(item) = self.resolve(node) else { return };
        let names = match crate::router::names(template) {
            Ok(names) => names,
            Err(why) => return self.error(node, format!("the path {} {why}", quoted(template)), None),
        };
        let shared: Vec<&'n Node> = item.get("parameters").map(|node| self.items(node)).unwrap_or_default();
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            if self.operations.len() >= OPERATIONS_MAX {
                return self.error(node, format!("more than {OPERATIONS_MAX} operations"), None);
            }
            let length = self.path.len();
            self.path.push('.');
            self.path.push_str(method);
            let compiled = self.operation(operation, &shared, &names);
            self.operations.push(compiled);
            let at = self.operations.len() - 1;
            let servers = operation.get("servers").or(item.get("servers")).or(self.root.get("servers"));
            let bases = match base {
                Some(base) => vec![base.trim_end_matches('/').to_owned()],
                None => self.bases(servers),
            };
            for base in bases {
                let mut wheres = vec![format!("{base}{template}")];
                if template == "/" && !base.is_empty() {
                    wheres.push(base);
                }
                for place in wheres {
                    if let Err(why) = router.insert(&place, &[(method, at)]) {
                        self.error(
                            node,
                            format!("the path {} {why}", quoted(&place)),
                            "remove one of the two",
                        );
                    }
                }
            }
            self.path.truncate(length);
        }
        for (name, node) in self.members(item) {
            let known = ["summary", "description", "servers", "parameters", "$ref"];
            if !METHODS.contains(&name) && !known.contains(&name) && !name.starts_with("x-") {
                let help = match nearest(name, METHODS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "methods are written in lower case".to_owned(),
                };
                self.warn(node, format!("{} is no method, and nothing is made of it", quoted(name)), &help);
            }
        }
    }

    /// Paths that servers put before those of the specification, without a slash at the end.
    fn bases(&mut self, servers: Option<&'n Node>) -> Vec<String> {
        let mut bases: Vec<String> = Vec::new();
        for server in servers.map(|node| self.items(node)).unwrap_or_default() {
            let Some(url) = server.get("url").and_then(text_of) else { continue };
            let path = match url.split_once("://") {
                Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
                None => url,
            };
            let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
            let mut forms = vec![path.to_owned()];
            let variables = server.get("variables").map(|node| self.members(node)).unwrap_or_default();
            for (name, variable) in variables {
                let braces = format!("{{{name}}}");
                let mut values: Vec<&str> = variable.get("default").and_then(text_of).into_iter().collect();
                let more = variable.get("enum").map(|node| self.items(node)).unwrap_or_default();
                for value in more.into_iter().filter_map(text_of) {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
                if !path.contains(&braces) || values.is_empty() {
                    continue;
                }
                let with = |form: &String| -> Vec<String> {
                    values.iter().map(|value| form.replace(&braces, value.trim_matches('/'))).collect()
                };
                forms = forms.iter().flat_map(with).take(BASES_MAX).collect();
            }
            for form in forms {
                let form = if form.is_empty() || form.starts_with('/') { form } else { format!("/{form}") };
                if !bases.contains(&form) && bases.len() < BASES_MAX {
                    bases.push(form);
                }
            }
        }
        if bases.is_empty() { vec![String::new()] } else { bases }
    }

    /// What a node is, references followed.
    fn resolve(&mut self, node: &'n Node) -> Option<&'n Node> {
        let mut node = node;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = node.get("$ref") else { return Some(node) };
            node = self.target(reference)?;
        }
        self.error(
            node,
            "references lead to one another without end",
            "let one of them lead to what is meant",
        );
        None
    }

    /// What a reference names.
    fn target(&mut self, reference: &'n Node) -> Option<&'n Node> {
        let Some(text) = text_of(reference) else {
            self.error(reference, "a reference is a text", "write one such as '#/components/schemas/Name'");
            return None;
        };
        let Some(pointer) = text.strip_prefix('#') else {
            let help = "put it into this file: bundle the specification first";
            self.error(
                reference,
                format!("{} is in another document, and those are not read", quoted(text)),
                help,
            );
            return None;
        };
        let pointer = String::from_utf8_lossy(&crate::percent::decode(
            pointer.as_bytes(),
            crate::percent::Plus::Itself,
        ))
        .into_owned();
        let mut node = self.root;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::List(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => self.member(node, &step),
            };
            match next {
                Some(next) => node = next,
                None => {
                    let known: Vec<&str> =
                        self.members(node).into_iter().map(|(name, _)| name).take(1000).collect();
                    let help = match nearest(&step, known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "write one such as '#/components/schemas/Name'".to_owned(),
                    };
                    self.error(reference, format!("{} leads nowhere", quoted(text)), help.as_str());
                    return None;
                }
            }
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            self.error(
                reference,
                format!("{} is an anchor, and those are not read", quoted(text)),
                "write its path",
            );
            return None;
        }
        Some(node)
    }

    /// A member by name; of a large object by its index, since references are many.
    fn member(&mut self, node: &'n Node, name: &str) -> Option<&'n Node> {
        let Value::Map(entries) = &node.value else { return None };
        if entries.len() < 16 {
            return node.get(name);
        }
        let index = self
            .indexes
            .entry(std::ptr::from_ref(node))
            .or_insert_with(|| entries.iter().map(|(key, node)| (key.name.as_str(), node)).collect());
        index.get(name).copied()
    }

    /// The members of an object; of something else none, and that is said.
    fn members(&mut self, node: &'n Node) -> Vec<(&'n str, &'n Node)> {
        match &node.value {
            Value::Map(entries) => entries.iter().map(|(key, node)| (key.name.as_str(), node)).collect(),
            Value::Null => Vec::new(),
            _ => {
                self.error(node, format!("{} stands where an object is expected", node.describe()), None);
                Vec::new()
            }
        }
    }

    fn items(&mut self, node: &'n Node) -> Vec<&'n Node> {
        match &node.value {
            Value::List(items) => items.iter().collect(),
            Value::Null => Vec::new(),
            _ => {
                self.error(
                    node,
                    format!("{} stands where a list is expected", node.describe()),
                    "begin each item with `- `",
                );
                Vec::new()
            }
        }
    }

    fn truth(&mut self, node: Option<&'n Node>) -> bool {
        match node.map(|node| (node, &node.value)) {
            None | Some((_, Value::Null)) => false,
            Some((_, Value::Text { text, plain: true })) if text == "true" => true,
            Some((_, Value::Text { text, plain: true })) if text == "false" => false,
            Some((node, _)) => {
                self.error(
                    node,
                    format!("{} is neither true nor false", node.describe()),
                    "write true or false",
                );
                false
            }
        }
    }

    fn error<'h>(&mut self, node: &Node, message: impl Into<String>, help: impl Into<Option<&'h str>>) {
        self.report(Severity::Error, node.origin, message.into(), help.into());
    }

    fn warn(&mut self, node: &Node, message: impl Into<String>, help: &str) {
        self.report(Severity::Warning, node.origin, message.into(), Some(help));
    }

    fn report(&mut self, severity: Severity, origin: Origin, message: String, help: Option<&str>) {
        let (key, help) = (self.path.clone(), help.map(str::to_owned));
        self.sink.push(Diagnostic { severity, origin, key, message, help });
    }
}

/// The text of a scalar.
fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text { text, .. } => Some(text),
        _ => None,
    }
}
