//! Paths as a tree: what stands for many values in a path becomes a parameter of it.

use std::collections::BTreeMap;

use palisade_model::ValueClass;

use super::Endpoint;
use crate::api::request::unescaped;

/// Endpoints by their paths.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
    nodes: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// Names that stand for themselves. Braces in them are escaped.
    literal: BTreeMap<String, Node>,
    /// Values of a class.
    valued: BTreeMap<&'static str, Node>,
    endpoint: Option<Endpoint>,
}

/// A parameter of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InPath {
    /// What it is called: `id`, and `id2` where a path has another one.
    pub(super) name: String,
    /// The class of its values.
    pub(super) class: &'static str,
}

/// Nodes of the tree; further paths have no room.
const NODES_MAX: usize = 20_000;
/// Segments of a path that are told apart; the last one holds the rest.
const DEPTH_MAX: usize = 16;
/// Names in one folder; with more it is one with a parameter.
const NAMES_MAX: usize = 50;
/// Characters from which on letters and digits together are a token, not a name.
const TOKEN_CHARS_MIN: usize = 20;

impl Tree {
    /// The endpoint of a path; none where there is no room for it.
    pub(super) fn endpoint(&mut self, path: &str) -> Option<&mut Endpoint> {
        let mut node = &mut self.root;
        for segment in path.trim_start_matches('/').splitn(DEPTH_MAX, '/') {
            // `/` itself, and the end of `/a/`.
            let class = class_of(segment);
            let is_there = match class {
                Some(class) => node.valued.contains_key(class),
                None => node.literal.contains_key(segment) || node.valued.contains_key("word"),
            };
            if !is_there {
                if self.nodes >= NODES_MAX {
                    return None;
                }
                self.nodes += 1;
            }
            node = match class {
                Some(class) => node.valued.entry(class).or_default(),
                None => node.named(segment),
            };
        }
        Some(node.endpoint.get_or_insert_default())
    }

    /// All of them, by path.
    pub(super) fn endpoints(&self) -> Vec<(String, Vec<InPath>, &Endpoint)> {
        let mut found = Vec::new();
        self.root.visit(&mut String::new(), &mut Vec::new(), &mut found);
        found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        found
    }

    /// Requests of all of them.
    pub(super) fn requests(&self) -> u64 {
        self.endpoints().iter().map(|(_, _, endpoint)| endpoint.requests()).sum()
    }
}

impl Node {
    fn named(&mut self, segment: &str) -> &mut Self {
        if self.valued.contains_key("word") {
            return self.valued.entry("word").or_default();
        }
        if self.literal.len() >= NAMES_MAX && !self.literal.contains_key(segment) {
            let mut all = Self::default();
            std::mem::take(&mut self.literal).into_values().for_each(|one| all.absorb(one));
            return self.valued.entry("word").or_insert(all);
        }
        self.literal.entry(segment.replace('{', "%7B").replace('}', "%7D")).or_default()
    }

    /// All of another is this one's. As deep as paths are.
    fn absorb(&mut self, other: Self) {
        for (name, node) in other.literal {
            self.named(&name).absorb(node);
        }
        for (class, node) in other.valued {
            self.valued.entry(class).or_default().absorb(node);
        }
        if let Some(endpoint) = other.endpoint {
            self.endpoint.get_or_insert_default().absorb(endpoint);
        }
    }

    fn visit<'n>(
        &'n self,
        path: &mut String,
        in_path: &mut Vec<InPath>,
        found: &mut Vec<(String, Vec<InPath>, &'n Endpoint)>,
    ) {
        if let Some(endpoint) = &self.endpoint {
            found.push((path.clone(), in_path.clone(), endpoint));
        }
        let length = path.len();
        for (name, node) in &self.literal {
            path.push('/');
            path.push_str(name);
            node.visit(path, in_path, found);
            path.truncate(length);
        }
        for (class, node) in &self.valued {
            let named = name_of(class);
            let before = in_path.iter().filter(|one| name_of(one.class) == named).count();
            let name = if before == 0 { named.to_owned() } else { format!("{named}{}", before + 1) };
            path.push_str(&format!("/{{{name}}}"));
            in_path.push(InPath { name, class });
            node.visit(path, in_path, found);
            in_path.pop();
            path.truncate(length);
        }
    }
}

/// What a parameter of a class is called in a path.
fn name_of(class: &str) -> &str {
    match class {
        "integer" => "id",
        "word" => "name",
        other => other,
    }
}

/// The class of a segment that stands for a value; none where it stands for itself.
fn class_of(segment: &str) -> Option<&'static str> {
    if segment.contains("***") {
        return Some("masked");
    }
    let value = unescaped(segment)?;
    Some(match ValueClass::of(value.as_bytes()) {
        ValueClass::Integer => "integer",
        ValueClass::Uuid => "uuid",
        ValueClass::Hex => "hex",
        ValueClass::Date => "date",
        ValueClass::Email => "email",
        ValueClass::Word if is_token(&value) => "token",
        _ => return None,
    })
}

fn is_token(value: &str) -> bool {
    let has = |is: fn(&char) -> bool| value.chars().any(|one| is(&one));
    value.len() >= TOKEN_CHARS_MIN
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
        && !value.contains('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(seen: &[&str]) -> Vec<String> {
        let mut tree = Tree::default();
        for path in seen {
            assert!(tree.endpoint(path).is_some());
        }
        tree.endpoints().into_iter().map(|(path, ..)| path).collect()
    }

    #[test]
    fn values_in_a_path_become_its_parameters() {
        assert_eq!(
            paths(&["/users/1", "/users/22", "/users/me", "/users/1/orders/7", "/", "/a/"]),
            ["/", "/a/", "/users/me", "/users/{id}", "/users/{id}/orders/{id2}"]
        );
        assert_eq!(
            paths(&[
                "/o/0191d5a3-7c1e-7b7e-8f3a-1d2c3b4a5968",
                "/o/2026-11-22",
                "/o/deadbeefdeadbeef",
                "/o/a%40example.com",
                "/o/AbCdEfGhIjKlMnOp12345678",
                "/o/****",
                "/o/main.js",
                "/o/{id}",
            ]),
            [
                "/o/%7Bid%7D",
                "/o/main.js",
                "/o/{date}",
                "/o/{email}",
                "/o/{hex}",
                "/o/{masked}",
                "/o/{token}",
                "/o/{uuid}"
            ]
        );
    }

    #[test]
    fn a_folder_with_many_names_is_one_with_a_parameter_and_all_is_bounded() {
        let letter = |number: usize| char::from(b'g' + (number % 20) as u8);
        let many: Vec<String> = (0..NAMES_MAX + 10)
            .flat_map(|number| {
                let name = format!("shoe-{}{}", letter(number), letter(number / 20));
                [format!("/shop/{name}"), format!("/shop/{name}/edit")]
            })
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(paths(&many), ["/shop/{name}", "/shop/{name}/edit"]);

        let mut tree = Tree::default();
        let mut refused = 0;
        for number in 0..NODES_MAX {
            let (a, b, c) = (number % 40, number / 40 % 40, number / 1600);
            refused += usize::from(tree.endpoint(&format!("/a{a}x/b{b}x/c{c}x/d")).is_none());
        }
        assert!(tree.nodes <= NODES_MAX && refused > 0);
        let deep = "/x".repeat(10_000);
        assert!(Tree::default().endpoint(&deep).is_some());
    }
}
