//! Which requests belong to whom: the host decides first, then the longest path.
//!
//! ```text
//!  host  exact name  ->  *.name (one label more)  ->  **.name (longest first)  ->  any
//!        the first that has routes decides alone
//!  path  /a/b/c  ->  /a/b  ->  /a  ->  /                          the longest that is a route, segment by segment
//!        a route of one path alone comes before the one that takes what begins with it
//!  rest  of routes for one path: a method, then more headers, then more arguments, then the first; shares of equal ones
//! ```
//!
//! A path without a normal form belongs to `/` of its host and to nothing else: it earns no exception that a longer
//! route would grant, and where the host has no `/` it belongs to nobody.
//!
//! A lookup hashes the host once or twice and each segment once, and allocates nothing where the path is normal already.

use std::collections::HashMap;

use palisade_config::{HostPattern, Route, RoutePath, Wanted};
use palisade_http::{BodyLimits, Fields, host_of_authority, normal_path, parse_form};

/// A table of routes to something.
#[derive(Clone, Debug)]
pub struct RouteTable<T> {
    exact: HashMap<Box<[u8]>, Paths>,
    /// By what follows the first label.
    below: HashMap<Box<[u8]>, Paths>,
    /// By what follows any number of labels.
    within: HashMap<Box<[u8]>, Paths>,
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
    below: Choices,
    /// Of the path alone, without a slash at its end and with one.
    exact: [Choices; 2],
}

/// Routes for one path of one host, the one that asks for most first.
#[derive(Clone, Debug, Default)]
struct Choices(Vec<Choice>);

#[derive(Clone, Debug)]
struct Choice {
    asks: Asks,
    /// Whom requests go to, each up to its share of the turns before.
    targets: Vec<(u64, usize)>,
}

/// A route of a table.
#[derive(Clone, Debug)]
pub struct RouteTo<'a, T> {
    /// None: any.
    pub hosts: Vec<&'a HostPattern>,
    /// Which path.
    pub path: &'a RoutePath,
    /// And which others.
    pub matches: PathMatch,
    /// What else it looks at.
    pub asks: Asks,
    /// Its share of the requests that equal routes take. Without one the first of equal ones counts.
    pub weight: Option<u32>,
    /// What it leads to.
    pub target: T,
}

/// What a route looks at beside host and path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// To the letter.
    pub method: Option<Vec<u8>>,
    /// Names, in any case, and values to the letter. What is sent several times is one value, with commas between.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Decoded, to the letter; of one that is there several times the first counts.
    pub query: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What routes may look at of a request, beside host and path.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'r> {
    /// As sent.
    pub method: &'r [u8],
    /// As sent.
    pub headers: &'r Fields,
    /// As sent.
    pub query: Option<&'r [u8]>,
    /// Which of those that share requests has this one: evenly spread over all numbers.
    pub turn: u64,
}

/// Which paths a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The path and all below it, segment by segment.
    Below,
    /// The path alone, to the slash at its end.
    Exact,
}

impl<T> Default for RouteTable<T> {
    /// Nothing belongs to anybody.
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            within: HashMap::new(),
            any: None,
            targets: Vec::new(),
        }
    }
}

impl<'a, T> RouteTo<'a, T> {
    /// A route as a configuration has it.
    pub fn of(route: &'a Route, target: T) -> Self {
        Self {
            hosts: route.hosts.iter().map(|host| &**host).collect(),
            path: &route.path,
            matches: if route.exact { PathMatch::Exact } else { PathMatch::Below },
            asks: Asks::of(route),
            weight: route.weight.map(|weight| weight.get()),
            target,
        }
    }

    /// Everything on some hosts.
    pub fn whole(hosts: Vec<&'a HostPattern>, root: &'a RoutePath, target: T) -> Self {
        Self { hosts, path: root, matches: PathMatch::Below, asks: Asks::default(), weight: None, target }
    }
}

impl Asks {
    fn of(route: &Route) -> Self {
        let pairs = |wanted: &Wanted| {
            wanted.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
        };
        Self {
            method: route.method.as_ref().map(|method| method.as_str().as_bytes().to_vec()),
            headers: pairs(&route.headers),
            query: pairs(&route.query),
        }
    }

    /// Whether any request of the path will do.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Routes are tried from the one that asks for most.
    fn rank(&self) -> impl Ord + use<> {
        let Self { method, headers, query } = self;
        std::cmp::Reverse((method.is_some(), headers.len(), query.len()))
    }

    fn are_met(&self, by: &Asking<'_>) -> bool {
        let method = self.method.as_deref().is_none_or(|method| method == by.method);
        method
            && self.headers.iter().all(|(name, value)| has_header(by.headers, name, value))
            && self.are_in(by.query)
    }

    fn are_in(&self, query: Option<&[u8]>) -> bool {
        if self.query.is_empty() {
            return true;
        }
        let form = parse_form(query.unwrap_or_default(), &BodyLimits::default());
        let first =
            |name: &[u8]| form.fields.iter().find(|(there, _)| *there == name).map(|(_, value)| value);
        self.query.iter().all(|(name, value)| first(name) == Some(value))
    }
}

fn has_header(headers: &Fields, name: &[u8], wanted: &[u8]) -> bool {
    let mut rest = Some(wanted);
    let mut first = true;
    for value in headers.values(name) {
        rest = match (rest, std::mem::replace(&mut first, false)) {
            (Some(rest), true) => rest.strip_prefix(value),
            (Some(rest), false) => rest.strip_prefix(b",").and_then(|rest| rest.strip_prefix(value)),
            (None, _) => None,
        };
    }
    !first && rest == Some(b"")
}

impl Choices {
    fn insert(&mut self, asks: Asks, weight: Option<u32>, target: usize) {
        let share = weight.map_or(1, u64::from);
        match self.0.iter_mut().find(|choice| choice.asks == asks) {
            Some(choice) if weight.is_some() => {
                let before = choice.targets.last().map_or(0, |(upto, _)| *upto);
                choice.targets.push((before + share, target));
            }
            // The first of two equal routes counts.
            Some(_) => {}
            None => {
                let at = self.0.partition_point(|there| there.asks.rank() <= asks.rank());
                self.0.insert(at, Choice { asks, targets: vec![(share, target)] });
            }
        }
    }

    fn choose(&self, by: Option<&Asking<'_>>) -> Option<usize> {
        let met = |choice: &&Choice| choice.asks.is_nothing() || by.is_some_and(|by| choice.asks.are_met(by));
        let targets = &self.0.iter().find(met)?.targets;
        let all = targets.last()?.0;
        let turn = by.map_or(0, |by| (u128::from(by.turn) * u128::from(all)) >> 64);
        targets.iter().find(|(upto, _)| turn < u128::from(*upto)).map(|(_, target)| *target)
    }
}

impl<T> RouteTable<T> {
    /// A table of routes. The first of two equal ones counts, or they share; a checked configuration has no two that do not
    /// share.
    pub fn new<'a>(routes: impl IntoIterator<Item = RouteTo<'a, T>>) -> Self {
        let (exact, below, within) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut table = Self { exact, below, within, any: None, targets: Vec::new() };
        for RouteTo { hosts, path, matches, asks, weight, target } in routes {
            let index = table.targets.len();
            table.targets.push(target);
            let hosts = if hosts.is_empty() { vec![&HostPattern::Any] } else { hosts };
            for host in hosts {
                let paths = match host {
                    HostPattern::Any => table.any.get_or_insert_with(Paths::new),
                    HostPattern::Exact(name) => table.exact.entry(key(name)).or_insert_with(Paths::new),
                    HostPattern::Below(name) => table.below.entry(key(name)).or_insert_with(Paths::new),
                    HostPattern::Within(name) => table.within.entry(key(name)).or_insert_with(Paths::new),
                };
                paths.insert(path, matches, asks.clone(), weight, index);
            }
        }
        table
    }

    /// A table in which everything belongs to one.
    pub fn all_to(target: T) -> Self {
        let root = RoutePath::root();
        Self::new([RouteTo::whole(Vec::new(), &root, target)])
    }

    /// To whom a request belongs. `host` is a Host's value or a target's authority, port and all; `path` is the target's
    /// path as sent, without query. Without a request only routes are found that ask for nothing else.
    pub fn find(&self, host: Option<&[u8]>, path: &[u8], by: Option<&Asking<'_>>) -> Option<&T> {
        let target = self.paths_of(host)?.find(path, by)?;
        self.targets.get(target)
    }

    /// All that routes lead to, each once for every route that names it.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.targets.iter()
    }

    fn paths_of(&self, host: Option<&[u8]>) -> Option<&Paths> {
        let any = self.any.as_ref();
        if self.exact.is_empty() && self.below.is_empty() && self.within.is_empty() {
            return any;
        }
        let mut buffer = [0; HOST_BYTES_MAX];
        let Some(host) = host.and_then(|host| host_name(host, &mut buffer)) else { return any };
        if let Some(paths) = self.exact.get(host) {
            return Some(paths);
        }
        let mut dots = host.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        let first = dots.next().filter(|dot| *dot > 0);
        let rest = |dot: usize| &host[dot + 1..];
        first
            .and_then(|dot| self.below.get(rest(dot)).or_else(|| self.within.get(rest(dot))))
            .or_else(|| dots.filter(|_| first.is_some()).find_map(|dot| self.within.get(rest(dot))))
            .or(any)
    }
}

impl Paths {
    fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    fn insert(
        &mut self,
        path: &RoutePath,
        matches: PathMatch,
        asks: Asks,
        weight: Option<u32>,
        target: usize,
    ) {
        let mut at = 0;
        for segment in path.segments() {
            let next = self.nodes.len();
            at = *self.nodes[at].children.entry(key(segment)).or_insert(next);
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        let node = &mut self.nodes[at];
        let choices = match matches {
            PathMatch::Below => &mut node.below,
            PathMatch::Exact => &mut node.exact[usize::from(path.ends_in_slash())],
        };
        choices.insert(asks, weight, target);
    }

    fn find(&self, path: &[u8], by: Option<&Asking<'_>>) -> Option<usize> {
        let root = self.nodes.first()?;
        if root.children.is_empty() && root.exact[1].0.is_empty() {
            return root.below.choose(by);
        }
        let Some(normal) = normal_path(path) else { return root.below.choose(by) };
        let (mut at, mut found) = (root, root.below.choose(by));
        for segment in normal.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            let Some(next) = at.children.get(segment).and_then(|next| self.nodes.get(*next)) else {
                return found;
            };
            at = next;
            found = at.below.choose(by).or(found);
        }
        // What is made normal loses its last slash; a path that ends in a dot segment is that of a folder.
        let is_folder = matches!(path.rsplit(|byte| *byte == b'/').next(), Some(b"" | b"." | b".."));
        at.exact[usize::from(is_folder)].choose(by).or(found)
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
        RouteTable::new(config.routes.iter().map(|route| RouteTo::of(route, route.service.to_string())))
    }

    fn find<'t>(table: &'t RouteTable<String>, host: &str, path: &str) -> Option<&'t str> {
        table.find((host != "-").then_some(host.as_bytes()), path.as_bytes(), None).map(String::as_str)
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
    fn a_wildcard_of_several_labels_comes_after_that_of_one_and_the_longest_first() {
        let table = table(
            "- {hosts: [\"**.example.com\"], service: a}\n- {hosts: [\"*.example.com\"], service: b}\n\
             - {hosts: [\"**.x.example.com\"], service: c}\n- {service: d}\n",
        );
        for (host, service) in [
            ("y.example.com", "b"),
            ("y.z.example.com", "a"),
            ("y.x.example.com", "c"),
            ("w.y.x.example.com:80", "c"),
            ("x.example.com", "b"),
            ("example.com", "d"),
            (".x.example.com", "d"),
        ] {
            assert_eq!(find(&table, host, "/"), Some(service), "{host}");
        }
    }

    #[test]
    fn what_asks_for_more_comes_first_and_what_is_not_met_falls_back() {
        let table = table(
            "- {service: a}\n- {path: /x, headers: {v: \"2\", w: \"1\"}, service: b}\n\
             - {path: /x, headers: {v: \"2\"}, query: {q: a b}, service: c}\n- {path: /x, method: POST, service: d}\n",
        );
        let ask = |path: &str, method: &str, sent: &[(&str, &str)], query: &str| {
            let mut headers = Fields::new();
            sent.iter().for_each(|(name, value)| headers.push(name.as_bytes(), value.as_bytes()));
            let asking = Asking {
                method: method.as_bytes(),
                headers: &headers,
                query: Some(query.as_bytes()),
                turn: 0,
            };
            table.find(Some(b"h"), path.as_bytes(), Some(&asking)).map(String::as_str)
        };
        let (v, w) = (("V", "2"), ("w", "1"));
        for (path, method, sent, query, service) in [
            ("/x", "GET", &[][..], "", "a"),
            ("/x", "POST", &[v, w], "q=a+b", "d"),
            ("/x", "post", &[v, w], "q=a+b", "b"),
            ("/x/y", "GET", &[v], "p=1&q=a%20b&q=c", "c"),
            ("/x/y", "GET", &[v], "q=c&q=a%20b", "a"),
            ("/x", "GET", &[v], "Q=a+b", "a"),
            ("/x", "GET", &[v, v, w], "", "a"),
            ("/x", "GET", &[("v", "2 "), w], "", "a"),
            ("/", "POST", &[v, w], "q=a+b", "a"),
        ] {
            assert_eq!(ask(path, method, sent, query), Some(service), "{method} {path} {sent:?} {query}");
        }
        assert_eq!(find(&table, "h", "/x"), Some("a"), "without a request nothing is met");
    }

    #[test]
    fn equal_routes_share_by_weight() {
        let table =
            table("- {service: a, weight: 1}\n- {service: b, weight: 3}\n- {service: c, weight: 6}\n");
        let mut seen = HashMap::<&str, u32>::new();
        for turn in 0..1000u64 {
            let headers = Fields::new();
            let turn = turn * (u64::MAX / 1000);
            let asking = Asking { method: b"GET", headers: &headers, query: None, turn };
            let target = table.find(None, b"/", Some(&asking)).map(String::as_str).unwrap();
            *seen.entry(target).or_default() += 1;
        }
        for (service, share) in [("a", 100), ("b", 300), ("c", 600)] {
            assert!(seen[service].abs_diff(share) <= 1, "{seen:?}");
        }
    }

    #[test]
    fn one_for_all_is_found_whatever_is_asked() {
        let table = RouteTable::all_to("x".to_owned());
        for (host, path) in [("a", "/"), ("-", "/%"), ("", "*")] {
            assert_eq!(find(&table, host, path), Some("x"));
        }
    }
}
