//! Which requests belong to whom: the host decides first, then the longest path.
//!
//! ```text
//!  host  exact name  ->  *.name (one label more)  ->  any        the first that has routes decides alone
//!  path  /a/b/c  ->  /a/b  ->  /a  ->  /                          the longest that is a route, segment by segment
//!        a route of one path alone comes before the one that takes what begins with it
//! ```
//!
//! A path without a normal form belongs to `/` of its host and to nothing else: it earns no exception that a longer
//! route would grant, and where the host has no `/` it belongs to nobody.
//!
//! A lookup hashes the host once or twice and each segment once, and allocates nothing where the path is normal already.

use std::collections::HashMap;

use palisade_config::{HostPattern, RoutePath};
use palisade_http::{host_of_authority, normal_path};

/// A table of routes to something.
#[derive(Clone, Debug)]
pub struct RouteTable<T> {
    exact: HashMap<Box<[u8]>, Paths>,
    /// By what follows the first label.
    below: HashMap<Box<[u8]>, Paths>,
    any: Option<Paths>,
    targets: Vec<T>,
}

/// The paths of one host: a tree of segments, its root first.
#[derive(Clone, Debug)]
struct Paths {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: HashMap<Box<[u8]>, usize>,
    /// Of the path and of all below it.
    target: Option<usize>,
    /// Of the path alone, without a slash at its end and with one.
    exact: [Option<usize>; 2],
}

/// Which paths a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The path and all below it, segment by segment.
    Below,
    /// The path alone, to the slash at its end.
    Exact,
}

impl<T> RouteTable<T> {
    /// A table from routes: hosts (none: any), a path, which paths that means, and what they lead to. The first of two equal
    /// routes counts; a checked configuration has no such two.
    pub fn new<'a>(
        routes: impl IntoIterator<Item = (Vec<&'a HostPattern>, &'a RoutePath, PathMatch, T)>,
    ) -> Self {
        let mut table = Self { exact: HashMap::new(), below: HashMap::new(), any: None, targets: Vec::new() };
        for (hosts, path, matches, target) in routes {
            let index = table.targets.len();
            table.targets.push(target);
            let hosts = if hosts.is_empty() { vec![&HostPattern::Any] } else { hosts };
            for host in hosts {
                let paths = match host {
                    HostPattern::Any => table.any.get_or_insert_with(Paths::new),
                    HostPattern::Exact(name) => table.exact.entry(key(name)).or_insert_with(Paths::new),
                    HostPattern::Below(name) => table.below.entry(key(name)).or_insert_with(Paths::new),
                };
                paths.insert(path, matches, index);
            }
        }
        table
    }

    /// A table in which everything belongs to one.
    pub fn all_to(target: T) -> Self {
        let root = Node { target: Some(0), ..Node::default() };
        let any = Some(Paths { nodes: vec![root] });
        Self { exact: HashMap::new(), below: HashMap::new(), any, targets: vec![target] }
    }

    /// To whom a request belongs. `host` is a Host's value or a target's authority, port and all; `path` is the target's
    /// path as sent, without query.
    pub fn find(&self, host: Option<&[u8]>, path: &[u8]) -> Option<&T> {
        let target = self.paths_of(host)?.find(path)?;
        self.targets.get(target)
    }

    /// All that routes lead to, each once for every route that names it.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.targets.iter()
    }

    fn paths_of(&self, host: Option<&[u8]>) -> Option<&Paths> {
        let any = self.any.as_ref();
        if self.exact.is_empty() && self.below.is_empty() {
            return any;
        }
        let mut buffer = [0; HOST_BYTES_MAX];
        let Some(host) = host.and_then(|host| host_name(host, &mut buffer)) else { return any };
        if let Some(paths) = self.exact.get(host) {
            return Some(paths);
        }
        let dot = host.iter().position(|byte| *byte == b'.');
        let below = dot.filter(|dot| *dot > 0).and_then(|dot| self.below.get(&host[dot + 1..]));
        below.or(any)
    }
}

impl Paths {
    fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    fn insert(&mut self, path: &RoutePath, matches: PathMatch, target: usize) {
        let mut at = 0;
        for segment in path.segments() {
            let next = self.nodes.len();
            at = *self.nodes[at].children.entry(key(segment)).or_insert(next);
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        let node = &mut self.nodes[at];
        match matches {
            PathMatch::Below => node.target.get_or_insert(target),
            PathMatch::Exact => node.exact[usize::from(path.ends_in_slash())].get_or_insert(target),
        };
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        let root = self.nodes.first()?;
        if root.children.is_empty() && root.exact[1].is_none() {
            return root.target;
        }
        let Some(normal) = normal_path(path) else { return root.target };
        let (mut at, mut found) = (root, root.target);
        for segment in normal.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            let Some(next) = at.children.get(segment).and_then(|next| self.nodes.get(*next)) else {
                return found;
            };
            at = next;
            found = at.target.or(found);
        }
        // What is made normal loses its last slash; a path that ends in a dot segment is that of a folder.
        let is_folder = matches!(path.rsplit(|byte| *byte == b'/').next(), Some(b"" | b"." | b".."));
        at.exact[usize::from(is_folder)].or(found)
    }
}

/// A name in DNS is no longer, and no pattern is.
const HOST_BYTES_MAX: usize = 255;

/// The host of an authority in lower case, without port and without the dot that ends an absolute name. `None` when it is
/// longer than any name.
fn host_name<'b>(authority: &[u8], buffer: &'b mut [u8; HOST_BYTES_MAX]) -> Option<&'b [u8]> {
    let host = host_of_authority(authority)?;
    let lower = buffer.get_mut(..host.len())?;
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    Some(lower)
}

fn key(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

#[cfg(test)]
mod tests {
    use palisade_config::{Config, File, Overrides, read};

    use super::*;

    /// A table from routes as a file writes them, each leading to its service's name.
    fn table(routes: &str) -> RouteTable<String> {
        let services: String = ["a", "b", "c", "d"]
            .map(|name| format!("- {{name: {name}, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n"))
            .concat();
        let text = format!("services:\n{services}routes:\n{routes}");
        let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
        let config: Config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        RouteTable::new(config.routes.iter().map(|route| {
            let hosts = route.hosts.iter().map(|host| &**host).collect();
            let matches = if route.exact { PathMatch::Exact } else { PathMatch::Below };
            (hosts, &*route.path, matches, route.service.to_string())
        }))
    }

    fn find<'t>(table: &'t RouteTable<String>, host: &str, path: &str) -> Option<&'t str> {
        table.find((host != "-").then_some(host.as_bytes()), path.as_bytes()).map(String::as_str)
    }

    #[test]
    fn exact_hosts_come_before_wildcards_and_wildcards_before_any() {
        let table = table(
            "- {hosts: [shop.example.com], service: a}\n\
             - {hosts: [\"*.example.com\"], service: b}\n\
             - {hosts: [\"[::1]\"], service: c}\n\
             - {service: d}\n",
        );
        for (host, service) in [
            ("shop.example.com", "a"),
            ("SHOP.Example.COM.:8080", "a"),
            ("other.example.com", "b"),
            ("other.example.com:443", "b"),
            ("x.y.example.com", "d"),
            ("example.com", "d"),
            (".example.com", "d"),
            ("[::1]:80", "c"),
            ("[::1", "d"),
            ("", "d"),
            ("-", "d"),
        ] {
            assert_eq!(find(&table, host, "/"), Some(service), "{host}");
        }
        assert_eq!(find(&table, &"a.".repeat(400), "/"), Some("d"));
    }

    #[test]
    fn the_longest_path_wins_segment_by_segment() {
        let table = table(
            "- {service: a}\n- {path: /cms/, service: b}\n- {path: /cms/admin, service: c}\n- {path: \"/a b\", service: d}\n",
        );
        for (path, service) in [
            ("/", "a"),
            ("/cms", "b"),
            ("/cms/", "b"),
            ("/cms/x/y", "b"),
            ("/cmsx", "a"),
            ("/x/cms", "a"),
            ("/cms/admin", "c"),
            ("/cms/admin/users", "c"),
            ("/cms/administrator", "b"),
            ("/%63ms/x", "b"),
            ("//cms//admin", "c"),
            ("/x/../cms/./admin", "c"),
            ("/cms/../x", "a"),
            ("/CMS", "a"),
            ("/a%20b/c", "d"),
            ("*", "a"),
            ("", "a"),
        ] {
            assert_eq!(find(&table, "h", path), Some(service), "{path}");
        }
    }

    #[test]
    fn a_route_of_one_path_takes_that_path_to_its_last_slash() {
        let table = table(
            "- {service: a}\n- {path: /, exact: true, service: d}\n- {path: /x, service: b}\n\
             - {path: /x, exact: true, service: c}\n- {path: /x/y/, exact: true, service: d}\n",
        );
        for (path, service) in [
            ("/", "d"),
            ("//", "d"),
            ("/a", "a"),
            ("/x", "c"),
            ("/%78", "c"),
            ("/x/", "b"),
            ("/x/z", "b"),
            ("/x/y", "b"),
            ("/x/y/", "d"),
            ("/x/y/z", "b"),
            ("/x/z/../y/", "d"),
            ("/x/y/.", "d"),
            ("/x/y/z/..", "d"),
            ("/x/z/../y", "b"),
            ("", "d"),
            ("/x%2f", "a"),
        ] {
            assert_eq!(find(&table, "h", path), Some(service), "{path}");
        }
    }

    #[test]
    fn a_path_without_a_normal_form_belongs_to_the_root_of_its_host() {
        let table = table(
            "- {hosts: [one], service: a}\n- {hosts: [one], path: /cms, service: b}\n\
             - {hosts: [two], path: /cms, service: c}\n- {path: /, service: d}\n",
        );
        for path in ["/cms/%2e%2e/x", "/cms%2fx", "/cms/%00", "/cms/%", "/cms/..;/x", "/../cms", "/cms\\x"] {
            assert_eq!(find(&table, "one", path), Some("a"), "{path}");
            assert_eq!(find(&table, "two", path), None, "{path}: not another host's");
        }
        assert_eq!(find(&table, "two", "/cms"), Some("c"));
        assert_eq!(find(&table, "two", "/other"), None);
        assert_eq!(find(&table, "three", "/other"), Some("d"));
    }

    #[test]
    fn one_for_all_is_found_whatever_is_asked() {
        let table = RouteTable::all_to("x".to_owned());
        for (host, path) in [("a", "/"), ("-", "/%"), ("", "*")] {
            assert_eq!(find(&table, host, path), Some("x"));
        }
    }
}
