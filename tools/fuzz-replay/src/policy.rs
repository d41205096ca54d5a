//! Targets for `palisade-policy`: selectors, paths and files of objects, as anybody may write them.

use palisade_policy::{
    Compiler, Direction, Feed, Flow, HttpHead, Index, Judgement, Labels, Party, Patience, Protocol, Request,
    Selector, comparable_path, read_objects,
};

/// A selector, a line feed, labels as lines of NAME=VALUE.
pub fn policy_selector(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (selector, labels) = text.split_once('\n').unwrap_or((text, ""));
    let labels: Labels = labels.lines().filter_map(|line| line.split_once('=')).collect();
    let Ok(selector) = selector.parse::<Selector>() else { return };
    let printed = selector.to_string();
    let again: Selector = printed.parse().unwrap_or_else(|error| panic!("{printed} is printed, and {error}"));
    assert_eq!(again.matches(&labels), selector.matches(&labels), "{printed} means what it meant");
    // Negations of negations are gone by then.
    let printed = again.to_string();
    assert_eq!(printed.parse::<Selector>().map(|third| third.to_string()).as_deref(), Ok(printed.as_str()));
}

/// A path as sent.
pub fn policy_path(input: &[u8]) {
    let Some(form) = comparable_path(input) else { return };
    assert!(form.starts_with(b"/") && (form.len() == 1 || !form.ends_with(b"/")), "{}", form.escape_ascii());
    assert!(!form.contains(&b'\\') && !form.contains(&b';') && !form.contains(&0), "{}", form.escape_ascii());
    let segments = form.split(|byte| *byte == b'/').skip(1);
    assert!(
        form.len() == 1 || segments.clone().all(|segment| !matches!(segment, b"" | b"." | b"..")),
        "{}",
        form.escape_ascii()
    );
    // Whoever decodes it once more finds no other path.
    let escaped: Vec<u8> =
        form.iter().flat_map(|byte| if *byte == b'%' { b"%25".to_vec() } else { vec![*byte] }).collect();
    if !form.iter().any(|byte| matches!(byte, b'?' | b'#')) {
        assert_eq!(comparable_path(&escaped).as_deref(), Some(&*form), "{}", input.escape_ascii());
    }
}

/// A file of objects: what can be read is compiled, asked, and asked of the definition as well.
pub fn policy_yaml(input: &[u8]) {
    let read = read_objects(input);
    for diagnostic in &read.diagnostics {
        let shown = diagnostic.render(Some(("f.yaml", input)), palisade_config::Style::Plain);
        assert!(shown.contains(&diagnostic.message) && shown.len() < 20_000, "{shown}");
    }
    if read.unreadable || !read.refused.is_empty() {
        assert!(read.diagnostics.iter().any(palisade_config::Diagnostic::is_error), "there is a reason");
    }
    let mut compiler = Compiler::new();
    let mut index = Index::new(Feed::Complete);
    index.apply(compiler.apply(read.objects.into_iter().map(|(key, object)| (key, Some(object)))));
    let headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for destination in ["10.0.0.1", "10.0.0.2"] {
        let party = |address: &str, port| Party {
            address: address.parse().ok(),
            port: Some(port),
            ..Party::default()
        };
        let flow = Flow {
            direction: Direction::Ingress,
            source: party("10.0.0.3", 40_000),
            destination: party(destination, 80),
            protocol: Protocol::TCP,
            icmp: None,
            request: Request::Head(HttpHead {
                method: b"GET",
                path: Some(b"/a"),
                host: None,
                headers: &headers,
                claims: None,
            }),
            patience: Patience::Over,
        };
        let judgement = Judgement::default();
        assert_eq!(index.evaluate(&flow, &judgement), compiler.objects().evaluate(&flow, &judgement));
    }
}
