//! The page of fields is what the types say.

#[test]
fn the_reference_page_is_made_from_the_types() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/events.md");
    let page = std::fs::read_to_string(page).expect("docs/reference/events.md is there");
    assert!(
        page == palisade_events::reference(),
        "write it anew: palisade events fields > docs/reference/events.md"
    );
}
