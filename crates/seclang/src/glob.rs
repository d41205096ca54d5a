//! Globs of `Include`, for loaders: `*`, `?` and `[...]` within one component of a path.

/// Whether a path has wildcards, so that it names files by pattern.
pub fn is_glob(path: &str) -> bool {
    path.bytes().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether a path matches a pattern, component by component.
///
/// `*` and `?` do not match `/`, nor a `.` at the start of a component (as in a shell). `[a-z]` and `[!a-z]` are sets;
/// `\` takes the next character as it is. O(pattern × path).
pub fn glob_matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut components) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), components.next()) {
            (None, None) => return true,
            (Some(pattern), Some(component)) => {
                let hidden = component.starts_with('.') && !pattern.starts_with('.') && is_glob(pattern);
                if hidden || !component_matches(pattern.as_bytes(), component.as_bytes()) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The usual two pointers: on a mismatch the last `*` takes one byte more.
fn component_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, position));
            at += 1;
            continue;
        }
        if let Some(next) = one_matches(&pattern[at..], text[position]) {
            at += next;
            position += 1;
            continue;
        }
        let Some((after_star, taken)) = star else { return false };
        star = Some((after_star, taken + 1));
        (at, position) = (after_star, taken + 1);
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte at the start of a pattern; the length of what matched it.
fn one_matches(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        b'[' => match set_matches(pattern, byte) {
            Some((true, length)) => Some(length),
            Some((false, _)) => None,
            // A set that is not closed is a bracket.
            None => (byte == b'[').then_some(1),
        },
        expected => (expected == byte).then_some(1),
    }
}

fn set_matches(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = 1 + usize::from(negated);
    // A `]` at the start is a member.
    let end = pattern.iter().skip(start + 1).position(|&byte| byte == b']')? + start + 1;
    let members = &pattern[start..end];
    let mut found = false;
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == b'-' {
            found |= (members[at]..=members[at + 2]).contains(&byte);
            at += 3;
        } else {
            found |= members[at] == byte;
            at += 1;
        }
    }
    Some((found != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_within_a_component() {
        for (pattern, path, expected) in [
            ("rules/*.conf", "rules/a.conf", true),
            ("rules/*.conf", "rules/x/a.conf", false),
            ("rules/*.conf", "rules/.hidden.conf", false),
            ("rules/.h*", "rules/.hidden", true),
            ("*/*-before.conf", "plugins/a-before.conf", true),
            ("r?les/[a-c]*[!x].conf", "rules/bee.conf", true),
            ("r?les/[a-c]*[!x].conf", "rules/bex.conf", false),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("a[", "a[", true),
            ("", "", true),
            ("*", "", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
        ] {
            assert_eq!(glob_matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(200);
        assert!(!glob_matches(&pattern, &"a".repeat(5000).replace("aaaaa", "aaaab")));
    }
}
