//! What the lexer makes of command lines.

use super::*;

/// Commands as `opening: word word`, words parted by a bar.
fn read(text: &str, dialect: Dialect) -> Vec<String> {
    commands(text.as_bytes(), 0, dialect)
        .iter()
        .map(|command| {
            let words: Vec<_> =
                command.words.iter().map(|word| String::from_utf8_lossy(&word.text)).collect();
            format!("{:?}: {}", command.opening, words.join("|"))
        })
        .collect()
}

#[test]
fn posix_commands_are_taken_apart() {
    let posix = |text| read(text, Dialect::Posix);
    assert_eq!(posix("a; ls -la /tmp"), ["Start: a", "Semicolon: ls|-la|/tmp"]);
    assert_eq!(posix("a&&b||c|d&e"), ["Start: a", "And: b", "Or: c", "Pipe: d", "Background: e"]);
    assert_eq!(posix("x;w'h'o'am'i"), ["Start: x", "Semicolon: whoami"]);
    assert_eq!(posix("x;c\\at /e\"t\"c"), ["Start: x", "Semicolon: c\\at|/etc"].map(|s| s.replace("\\", "")));
    assert_eq!(posix(";cat${IFS}/etc$IFS$9/x"), ["Semicolon: cat|/etc|/x"]);
    assert_eq!(posix("a`id`b"), ["Start: ab", "Backtick: id"]);
    assert_eq!(posix("a$(b $(c); d)e"), ["Start: ae", "Dollar: b|", "Dollar: c", "Semicolon: d"]);
    assert_eq!(posix("\"a;$(b)\";c"), ["Start: a;", "Dollar: b", "Semicolon: c"]);
    assert_eq!(posix("it's; fine"), ["Start: its", "Semicolon: fine"]);
    assert_eq!(posix("a >b 2>&1 <c"), ["Start: a"]);
    assert_eq!(posix("$'\\x69\\144'"), ["Start: id"]);
    assert_eq!(posix("e$@cho $((1+2))"), ["Start: echo|0"]);
}

#[test]
fn windows_commands_are_taken_apart() {
    let windows = |text| read(text, Dialect::Windows);
    assert_eq!(windows("& type C:\\a\\b"), ["Background: type|C:\\a\\b"]);
    assert_eq!(windows("|w^ho\"am\"i"), ["Pipe: whoami"]);
    assert_eq!(windows("x&%COMSPEC% /c dir"), ["Start: x", "Background: cmd|/c|dir"]);
    assert_eq!(windows("100% sure; 5% off"), ["Start: 100%|sure", "Semicolon: 5%|off"]);
}

#[test]
fn odd_spellings_are_marked() {
    let first = |text: &str| commands(text.as_bytes(), 0, Dialect::Posix).remove(0).words.remove(0);
    assert!(first("w'h'oami").is_patched());
    assert!(first("'whoami'").is_quoted() && !first("'whoami'").is_patched());
    assert!(first("c\\at").odd && first("who$@ami").odd && first("/???/c?t").glob);
}

#[test]
fn hostile_texts_are_read_to_their_end() {
    for text in
        ["$(".repeat(5000), "`".repeat(5001), "'\"".repeat(5000), "${".repeat(5000), ";a".repeat(5000)]
    {
        for dialect in [Dialect::Posix, Dialect::Windows] {
            assert!(commands(text.as_bytes(), 0, dialect).len() <= COMMANDS_MAX + DEPTH_MAX + 1);
        }
    }
}
