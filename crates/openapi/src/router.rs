//! Which operation a request asks for: a tree of path segments.
//!
//! A concrete segment comes before one with braces, and where the way ends without the method asked for, another way is
//! tried. Each node of the tree is seen once at most, so a lookup costs no more than the specification is large, and in
//! honest ones a few steps.

use std::collections::HashMap;

/// Paths to operations.
#[derive(Debug)]
pub(crate) struct Router {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    concrete: HashMap<Box<[u8]>, usize>,
    templates: Vec<(Template, usize)>,
    /// Operations by method.
    ends: Vec<(Box<[u8]>, usize)>,
    /// Some path ends here, with or without operations.
    is_end: bool,
}

/// A segment with braces: texts around and between them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    /// One more than there are braces.
    around: Vec<Box<[u8]>>,
}

/// Values of braces: the number of their segment, and the text.
pub(crate) type Captured<'p> = Vec<(usize, &'p [u8])>;

/// What was found of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'p> {
    Operation(usize, Captured<'p>),
    /// The path is there, the method is not.
    Path,
    Nothing,
}

/// Segments of a template.
const SEGMENTS_MAX: usize = 64;
/// Bytes of a template.
const TEMPLATE_BYTES_MAX: usize = 4096;

impl Router {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    /// Adds a path with its operations; names of its braces come back in order.
    ///
    /// # Errors
    /// What is wrong with the template, or which method is there already.
    pub(crate) fn insert(&mut self, template: &str, operations: &[(&str, usize)]) -> Result<(), String> {
        let names = segments(template)?;
        let mut at = 0;
        for (text, _) in &names {
            at = match text {
                Segment::Concrete(text) => {
                    let next = self.nodes.len();
                    *self.nodes[at].concrete.entry(text.as_slice().into()).or_insert(next)
                }
                Segment::Template(template) => {
                    let templates = &mut self.nodes[at].templates;
                    match templates.iter().find(|(known, _)| known == template) {
                        Some((_, next)) => *next,
                        None => {
                            let next = self.nodes.len();
                            let templates = &mut self.nodes[at].templates;
                            templates.push((template.clone(), next));
                            // What says more comes first.
                            templates.sort_by_key(|(template, _)| std::cmp::Reverse(template.fixed_bytes()));
                            next
                        }
                    }
                }
            };
            if at == self.nodes.len() {
                self.nodes.push(Node::default());
            }
        }
        let node = &mut self.nodes[at];
        node.is_end = true;
        for (method, operation) in operations {
            if node.ends.iter().any(|(known, _)| **known == *method.as_bytes()) {
                return Err(format!("{} stands for the same paths as another one", method.to_uppercase()));
            }
            node.ends.push((method.as_bytes().into(), *operation));
        }
        Ok(())
    }

    /// Finds the operation of a path in its normal form; the method is in lower case.
    pub(crate) fn find<'p>(&self, path: &'p [u8], method: &[u8]) -> Route<'p> {
        let segments: Vec<&[u8]> =
            path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/').collect();
        if segments.len() > SEGMENTS_MAX + 1 {
            return Route::Nothing;
        }
        let mut captured = Vec::new();
        let mut seen_path = false;
        match self.walk(0, &segments, 0, method, &mut captured, &mut seen_path) {
            Some(operation) => Route::Operation(operation, captured),
            None if seen_path => Route::Path,
            None => Route::Nothing,
        }
    }

    /// At most [`SEGMENTS_MAX`] deep.
    fn walk<'p>(
        &self,
        at: usize,
        segments: &[&'p [u8]],
        number: usize,
        method: &[u8],
        captured: &mut Captured<'p>,
        seen_path: &mut bool,
    ) -> Option<usize> {
        let node = &self.nodes[at];
        let Some(segment) = segments.get(number) else {
            *seen_path |= node.is_end;
            let of =
                |method: &[u8]| node.ends.iter().find(|(known, _)| **known == *method).map(|(_, at)| *at);
            // Who may GET a resource may ask for its HEAD.
            return of(method).or_else(|| if method == b"head" { of(b"get") } else { None });
        };
        if let Some(next) = node.concrete.get(*segment)
            && let Some(found) = self.walk(*next, segments, number + 1, method, captured, seen_path)
        {
            return Some(found);
        }
        for (template, next) in &node.templates {
            let before = captured.len();
            if template.capture(segment, number, captured)
                && let Some(found) = self.walk(*next, segments, number + 1, method, captured, seen_path)
            {
                return Some(found);
            }
            captured.truncate(before);
        }
        None
    }
}

impl Template {
    fn fixed_bytes(&self) -> usize {
        self.around.iter().map(|text| text.len()).sum()
    }

    /// Whether a segment is of this form; its values are added. Each value is as short as it can be, the last one takes the
    /// rest; none is empty. O(n) for each brace.
    fn capture<'p>(&self, segment: &'p [u8], number: usize, captured: &mut Captured<'p>) -> bool {
        let [first, between @ .., last] = &*self.around else { return false };
        let Some(mut rest) = segment.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last))
        else {
            return false;
        };
        for text in between {
            let from = rest.get(1..).unwrap_or_default();
            let Some(at) = memchr::memmem::find(from, text) else { return false };
            let (value, after) = rest.split_at(at + 1);
            captured.push((number, value));
            rest = &after[text.len()..];
        }
        captured.push((number, rest));
        !rest.is_empty()
    }
}

/// A segment of a template.
enum Segment {
    Concrete(Vec<u8>),
    Template(Template),
}

/// The names of a template's braces, in order.
pub(crate) fn names(template: &str) -> Result<Vec<String>, String> {
    Ok(segments(template)?.into_iter().flat_map(|(_, names)| names).collect())
}

/// Segments with the names in them.
fn segments(template: &str) -> Result<Vec<(Segment, Vec<String>)>, String> {
    let Some(path) = template.strip_prefix('/') else { return Err("does not begin with a slash".to_owned()) };
    if template.len() > TEMPLATE_BYTES_MAX || path.split('/').count() > SEGMENTS_MAX {
        return Err(format!("has more than {SEGMENTS_MAX} segments, or {TEMPLATE_BYTES_MAX} bytes"));
    }
    path.split('/').map(segment).collect()
}

fn segment(text: &str) -> Result<(Segment, Vec<String>), String> {
    let decoded =
        |text: &str| crate::percent::decode(text.as_bytes(), crate::percent::Plus::Itself).into_owned();
    let (mut around, mut names) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err("has a brace that is not closed".to_owned());
        };
        if name.is_empty() || name.contains('{') || before.contains('}') {
            return Err("has braces that do not pair".to_owned());
        }
        if before.is_empty() && !names.is_empty() {
            return Err("has two parameters with nothing between them".to_owned());
        }
        around.push(decoded(before).into_boxed_slice());
        names.push(name.to_owned());
        rest = after;
    }
    if rest.contains('}') {
        return Err("has braces that do not pair".to_owned());
    }
    if names.is_empty() {
        return Ok((Segment::Concrete(decoded(text)), names));
    }
    around.push(decoded(rest).into_boxed_slice());
    Ok((Segment::Template(Template { around }), names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(paths: &[(&str, &str)]) -> Router {
        let mut router = Router::new();
        for (number, (path, method)) in paths.iter().enumerate() {
            router.insert(path, &[(method, number)]).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        router
    }

    #[test]
    fn concrete_paths_come_first_and_other_ways_are_tried() {
        let router = router(&[
            ("/users/me", "get"),
            ("/users/{id}", "get"),
            ("/users/{id}", "delete"),
            ("/users/{id}/posts", "get"),
            ("/{kind}/me/posts", "get"),
            ("/files/{name}.{kind}", "get"),
            ("/files/{a}-{b}", "get"),
            ("/", "get"),
            ("/caf%C3%A9/", "get"),
        ]);
        for (method, path, found) in [
            ("get", "/users/me", Some((0, vec![]))),
            ("head", "/users/me", Some((0, vec![]))),
            ("get", "/users/7", Some((1, vec!["7"]))),
            ("delete", "/users/me", Some((2, vec!["me"]))),
            ("get", "/users/me/posts", Some((3, vec!["me"]))),
            ("get", "/teams/me/posts", Some((4, vec!["teams"]))),
            ("get", "/files/a.tar.gz", Some((5, vec!["a", "tar.gz"]))),
            ("get", "/files/a-b", Some((6, vec!["a", "b"]))),
            ("get", "/files/a", None),
            ("get", "/files/.gz", None),
            ("get", "/", Some((7, vec![]))),
            ("get", "/café/", Some((8, vec![]))),
            ("get", "/café", None),
            ("put", "/users/7", None),
            ("get", "/users", None),
            ("get", "/users/", None),
            ("get", "/Users/me", None),
        ] {
            let expected = found.map(|(at, values)| (at, values.into_iter().map(str::as_bytes).collect()));
            let found = match router.find(path.as_bytes(), method.as_bytes()) {
                Route::Operation(at, captured) => {
                    Some((at, captured.into_iter().map(|(_, text)| text).collect::<Vec<_>>()))
                }
                _ => None,
            };
            assert_eq!(found, expected, "{method} {path}");
        }
        assert_eq!(router.find(b"/users/7", b"put"), Route::Path);
        assert_eq!(router.find(b"/nothing", b"get"), Route::Nothing);
    }

    #[test]
    fn templates_that_mean_nothing_are_told() {
        for template in ["a", "/{a", "/a}", "/{}", "/{a}{b}", "/{a{b}}"] {
            assert!(Router::new().insert(template, &[("get", 0)]).is_err(), "{template}");
        }
        let mut router = router(&[("/a/{b}", "get")]);
        assert!(router.insert("/a/{c}", &[("get", 1)]).is_err());
        assert!(router.insert("/a/{c}", &[("put", 1)]).is_ok());
        assert_eq!(names("/a/{b}/{c}.{d}").unwrap(), ["b", "c", "d"]);
    }
}
