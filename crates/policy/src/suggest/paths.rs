//! Paths that were asked for, as a tree of segments, and the few patterns that cover them.
//!
//! A policy knows exact paths and prefixes. Where the segments below a place look like ids, or are many, the place becomes a
//! prefix; so does one below which more is seen than the tree holds. Everything that was added is covered.

/// Methods of requests, one bit each.
pub(super) type Methods = u32;

/// A path, and all below it where it is a prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
    pub(super) path: Vec<u8>,
    pub(super) is_prefix: bool,
}

/// How far paths are generalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// A place with more places than this below it becomes a prefix; the root keeps as many as there may be patterns.
    Fan(usize),
    /// Every path.
    All,
}

/// From the narrowest to the widest.
pub(super) const WIDTHS: [Width; 7] =
    [Width::Fan(16), Width::Fan(8), Width::Fan(4), Width::Fan(2), Width::Fan(1), Width::Fan(0), Width::All];

/// Patterns of one source at one port; more are generalised further.
pub(super) const PATTERNS_MAX: usize = 60;
/// Places below one place; with more it becomes a prefix at once.
const CHILDREN_MAX: usize = 64;
/// Segments of a path that are told apart.
const DEPTH_MAX: usize = 16;
/// Bytes of a path that are told apart; a policy's path has at most 1,024 characters, escapes included.
const PATH_BYTES_MAX: usize = 300;

/// The paths of one source.
#[derive(Debug, Default)]
pub(super) struct PathTree {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// By name: few, so that a vector is smallest.
    children: Vec<(Box<[u8]>, Node)>,
    /// Methods of this very path.
    here: Methods,
    /// It is a prefix: methods of what is below.
    below: Option<Methods>,
}

impl PathTree {
    /// Adds a request. `places` is how many more places may be remembered; where there is no more room the place above
    /// becomes a prefix.
    pub(super) fn add(&mut self, path: &[u8], methods: Methods, places: &mut usize) {
        let mut node = &mut self.root;
        let mut bytes = 0;
        for (depth, segment) in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).enumerate() {
            bytes += segment.len() + 1;
            if let Some(below) = &mut node.below {
                *below |= methods;
                return;
            }
            let place = node.children.binary_search_by(|(name, _)| (**name).cmp(segment));
            let fits = depth < DEPTH_MAX && bytes <= PATH_BYTES_MAX && !is_masked(segment);
            if !fits || place.is_err() && (node.children.len() >= CHILDREN_MAX || *places == 0) {
                node.become_prefix(methods, places);
                return;
            }
            let at = place.unwrap_or_else(|at| {
                *places -= 1;
                node.children.insert(at, (segment.into(), Node::default()));
                at
            });
            node = &mut node.children[at].1;
        }
        node.here |= methods;
    }

    /// Patterns that cover what was added, in order, with their methods; `None` where they are more than there may be.
    pub(super) fn patterns(&self, width: Width) -> Option<Vec<(Pattern, Methods)>> {
        let mut patterns = Vec::new();
        match width {
            Width::Fan(fan) => self.root.collect(&mut Vec::new(), fan, &mut patterns),
            Width::All => {
                patterns.push((Pattern { path: b"/".to_vec(), is_prefix: true }, self.root.all()));
            }
        }
        (patterns.len() <= PATTERNS_MAX).then_some(patterns)
    }
}

impl Node {
    fn become_prefix(&mut self, methods: Methods, places: &mut usize) {
        let below = self.children.iter().fold(methods, |all, (_, child)| all | child.all());
        *places += self.size() - 1;
        self.children = Vec::new();
        self.below = Some(below);
    }

    fn size(&self) -> usize {
        1 + self.children.iter().map(|(_, child)| child.size()).sum::<usize>()
    }

    /// Methods of it and of all below.
    fn all(&self) -> Methods {
        self.here | self.all_below()
    }

    fn all_below(&self) -> Methods {
        self.children.iter().fold(self.below.unwrap_or_default(), |all, (_, child)| all | child.all())
    }

    fn collect(&self, path: &mut Vec<u8>, fan: usize, out: &mut Vec<(Pattern, Methods)>) {
        let is_root = path.is_empty();
        let fan_here = if is_root { PATTERNS_MAX } else { fan };
        let ids = self.children.iter().filter(|(segment, _)| is_id(segment)).count();
        let written = if is_root { b"/".to_vec() } else { path.clone() };
        let prefix = self.below.is_some() || ids > 1 || self.children.len() > fan_here;
        let mut here = self.here;
        if prefix {
            let below = self.all_below();
            here &= !below;
            out.push((Pattern { path: written.clone(), is_prefix: true }, below));
        }
        if here != 0 {
            out.push((Pattern { path: written, is_prefix: false }, here));
        }
        if !prefix {
            for (segment, child) in &self.children {
                let length = path.len();
                path.push(b'/');
                path.extend_from_slice(segment);
                child.collect(path, fan, out);
                path.truncate(length);
            }
        }
    }
}

/// Whether a segment of a log is not what was sent, because a secret was masked in it.
fn is_masked(segment: &[u8]) -> bool {
    segment.windows(4).any(|window| window == b"****")
}

/// Whether a segment looks like one of many of its kind: a number, a hash, a UUID, a token, an address of mail.
fn is_id(segment: &[u8]) -> bool {
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = segment.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let hex = segment.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    digits == segment.len()
        || hex && segment.len() >= 8 && digits > 0
        || segment.len() >= 20 && digits >= 3 && letters > 0
        || segment.contains(&b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Methods = 1;
    const PUT: Methods = 2;

    fn patterns(requests: &[(&str, Methods)], width: Width) -> Vec<(String, Methods)> {
        let mut tree = PathTree::default();
        let mut places = 1000;
        for (path, methods) in requests {
            tree.add(path.as_bytes(), *methods, &mut places);
        }
        let patterns = tree.patterns(width).expect("few");
        let shown = |pattern: Pattern| {
            let star = if pattern.is_prefix { "*" } else { "" };
            format!("{}{star}", String::from_utf8(pattern.path).unwrap())
        };
        patterns.into_iter().map(|(pattern, methods)| (shown(pattern), methods)).collect()
    }

    #[test]
    fn ids_and_crowds_become_prefixes_and_the_rest_stays_as_it_is() {
        let narrow = WIDTHS[0];
        for (requests, expected) in [
            (vec![("/", GET)], vec![("/", GET)]),
            (vec![("/519940", GET)], vec![("/519940", GET)]),
            (vec![("/519940", GET), ("/407221", GET)], vec![("/*", GET)]),
            (
                vec![("/users/1", GET), ("/users/2/orders", PUT), ("/users", PUT), ("/health", GET)],
                vec![("/health", GET), ("/users*", GET | PUT)],
            ),
            (vec![("/a/1", GET), ("/a/2", GET), ("/a", PUT)], vec![("/a*", GET), ("/a", PUT)]),
            (
                vec![
                    ("/doc/6fa459ea-ee8a-3ca4-894e-db77e160355e", GET),
                    ("/doc/16fd2706-8baf-433b-82eb-8c7fada847da", GET),
                ],
                vec![("/doc*", GET)],
            ),
            (vec![("/card/****************", GET)], vec![("/card*", GET)]),
            (vec![("/api/v1/x", GET), ("/api/v2/x", GET)], vec![("/api/v1/x", GET), ("/api/v2/x", GET)]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(path, methods)| (path.to_owned(), methods)).collect();
            assert_eq!(patterns(&requests, narrow), expected, "{requests:?}");
        }
        let crowd: Vec<String> =
            (0..20).map(|number| format!("/p/page-{}", (b'a' + number) as char)).collect();
        let crowd: Vec<(&str, Methods)> = crowd.iter().map(|path| (path.as_str(), GET)).collect();
        assert_eq!(patterns(&crowd, narrow), [("/p*".to_owned(), GET)]);
        assert_eq!(patterns(&crowd[..3], narrow).len(), 3);
        assert_eq!(patterns(&crowd[..3], Width::Fan(1)), [("/p*".to_owned(), GET)]);
        assert_eq!(patterns(&[("/a", GET), ("/b", PUT)], Width::All), [("/*".to_owned(), GET | PUT)]);
    }

    #[test]
    fn a_tree_holds_no_more_places_than_there_are_and_covers_everything_all_the_same() {
        let mut tree = PathTree::default();
        let mut places = 100;
        let paths: Vec<String> =
            (0..5_000).map(|number| format!("/{}/x{}/{number}", number % 40, number % 7)).collect();
        for path in &paths {
            tree.add(path.as_bytes(), GET, &mut places);
        }
        assert!(tree.root.size() <= 101);
        let long = format!("/{}", "a/".repeat(4_000));
        tree.add(long.as_bytes(), PUT, &mut places);
        for width in WIDTHS {
            let Some(patterns) = tree.patterns(width) else { continue };
            let covered = |path: &str, methods| {
                patterns.iter().any(|(pattern, there)| {
                    let text = std::str::from_utf8(&pattern.path).unwrap();
                    let fits = path == text
                        || pattern.is_prefix
                            && (text == "/"
                                || path.strip_prefix(text).is_some_and(|rest| rest.starts_with('/')));
                    fits && there & methods != 0
                })
            };
            assert!(paths.iter().all(|path| covered(path, GET)) && covered(&long, PUT), "{width:?}");
        }
        assert!(tree.patterns(Width::All).is_some());
    }
}
