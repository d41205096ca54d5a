//! `palisade check`: every diagnostic with its place, and exit codes that scripts can trust.

mod support;

use support::{Folder, every_crs, palisade};

#[test]
fn every_broken_file_is_told_with_place_caret_and_remedy() {
    let folder = Folder::new();
    folder.write(
        "rules/10-a.conf",
        "SecRuleEngine On\n\
         SecRule ARGZ \"@rx a\" \"id:2,phase:2,deny\"\n\
         SecRule ARGS \"@rxx a\" \"id:3,phase:2,deny\"\n\
         SecRule ARGS \"@rx a\" \"id:5,phase:2,denny\"\n\
         SecRule ARGS \"@rx a\" \"id:6,phase:2,t:lowercse\"\n\
         SecRule ARGS \"@rx (open\" \"id:7,phase:2,deny\"\n",
    );
    folder.write(
        "rules/20-b.conf",
        "SecRule ARGS \"@rx a\" \"id:10,phase:2,deny\"\n\
         SecRule ARGS \"@rx a\" \"id:10,phase:2,deny\"\n\
         SecRule ARGS \"@pmFromFile missing.data\" \"id:11,phase:2,deny\"\n\
         Include nowhere/*.conf\n\
         SecRule ARGS \"@rx a\" \"id:12,phase:2,deny\n",
    );
    folder.write("rules/30-c.conf", "SecStatusEngine On\nSecFoo 1\n");
    let answer = palisade(&["check", "--rules", &folder.at("rules")]);
    assert_eq!(answer.code, 1);
    for (place, said) in [
        ("10-a.conf:2:9", "unknown variable `ARGZ`"),
        ("10-a.conf:3:15", "unknown operator `@rxx`"),
        ("10-a.conf:4:36", "unknown action `denny`"),
        ("10-a.conf:5:38", "unknown transformation `lowercse`"),
        ("10-a.conf:6:", "never closed"),
        ("20-b.conf:2:23", "rule 10 is declared twice"),
        ("20-b.conf:3:", "missing.data"),
        ("20-b.conf:4:9", "no file matches"),
        ("20-b.conf:5:22", "not closed"),
        ("30-c.conf:1:1", "`SecStatusEngine` has no effect here"),
        ("30-c.conf:2:1", "unknown directive `SecFoo`"),
    ] {
        assert!(answer.err.contains(place), "{place}\n{}", answer.err);
        assert!(answer.err.contains(said), "{said}\n{}", answer.err);
    }
    // The line itself, a caret below the place, and what to write instead.
    assert!(answer.err.contains("2 | SecRule ARGZ \"@rx a\" \"id:2,phase:2,deny\"\n"), "{}", answer.err);
    assert!(answer.err.contains("  |         ^^^^ "), "{}", answer.err);
    assert!(answer.err.contains("= help: did you mean `ARGS`?"), "{}", answer.err);
    assert!(answer.out.contains("10 errors, 1 warning"), "{}", answer.out);
    assert!(!answer.err.contains('\x1b'), "no colours into a pipe");
}

#[test]
fn warnings_are_told_and_count_only_when_strict() {
    let folder = Folder::new();
    let rules = folder.write(
        "r.conf",
        "SecStatusEngine On\nSecRule ARGS \"@rx a\" \"id:1,phase:2,deny\"\nSecUnicodeMapFile unicode.mapping 20127\n",
    );
    let answer = palisade(&["check", "--rules", &rules]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("warning[") && answer.err.contains("r.conf:1:1"), "{}", answer.err);
    assert!(answer.out.starts_with("1 rule is usable: 0 errors, "), "{}", answer.out);
    assert_eq!(palisade(&["check", "--strict", "--rules", &rules]).code, 1);
    let clean = folder.write("clean.conf", "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny\"\n");
    let answer = palisade(&["check", "--strict", "--rules", &clean]);
    assert_eq!((answer.code, &*answer.err), (0, ""));
}

#[test]
fn every_crs_is_clean_even_when_strict() {
    for crs in every_crs() {
        let answer = palisade(&["check", "--strict", "--crs", &crs]);
        assert_eq!(answer.code, 0, "{crs}: {}", answer.err);
        assert!(answer.out.contains("rules are usable: 0 errors, 0 warnings"), "{crs}: {}", answer.out);
    }
}

#[test]
fn what_is_not_there_is_said_with_its_name() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (path, said) in
        [(folder.at("nowhere.conf"), "does not exist"), (folder.at("empty"), "holds no *.conf")]
    {
        let answer = palisade(&["check", "--rules", &path]);
        assert_ne!(answer.code, 0);
        assert!(answer.err.contains(&path) && answer.err.contains(said), "{}", answer.err);
    }
    let answer = palisade(&["check"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("--crs") && answer.err.contains("--rules"), "{}", answer.err);
    let answer = palisade(&["check", "--crs", &folder.at("empty")]);
    assert_ne!(answer.code, 0);
    assert!(answer.err.contains("REQUEST-901-INITIALIZATION.conf"), "{}", answer.err);
}

#[test]
fn rule_text_that_is_no_text_is_an_error_and_no_crash() {
    let folder = Folder::new();
    let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for content in [
        &b"\xff\xfe\x00S\x00e\x00c"[..],
        b"\0",
        &noise,
        b"SecRule \"",
        b"SecRule ARGS \"@rx a\" \"id:1,chain\"\\\n",
    ] {
        let file = folder.write("r.conf", content);
        let answer = palisade(&["check", "--rules", &file]);
        assert_eq!(answer.code, 1, "{}", answer.err);
        assert!(answer.err.contains("r.conf:"), "{}", answer.err);
    }
    // Files that include each other end.
    let file = folder.write("loop.conf", "Include loop.conf\n");
    let answer = palisade(&["check", "--rules", &file]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("loop.conf:1:"), "{}", answer.err);
}

/// The rule folder of the first article: engine settings, CRS's setup with a default action, and one file of CRS. Without
/// 901 and 949 only the default action decides.
fn article_folder(crs: &str, default_action: &str) -> Folder {
    let folder = Folder::new();
    folder.write(
        "rules/modsecdefault.conf",
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecUnicodeMapFile unicode.mapping 20127\n",
    );
    let setup = std::fs::read_to_string(format!("{crs}/crs-setup.conf.example"))
        .or_else(|_| std::fs::read_to_string("/etc/modsecurity/crs/crs-setup.conf"))
        .unwrap();
    let setup: String = setup
        .lines()
        .filter(|line| !line.starts_with("SecDefaultAction"))
        .map(|line| format!("{line}\n"))
        .collect();
    folder.write("rules/crs-setup.conf", format!("{setup}\n{default_action}\n"));
    let name = "REQUEST-942-APPLICATION-ATTACK-SQLI.conf";
    folder.write(&format!("rules/{name}"), std::fs::read(format!("{crs}/rules/{name}")).unwrap());
    folder
}

#[test]
fn the_articles_rule_folder_loads_in_its_order_and_its_default_action_decides() {
    for crs in every_crs() {
        for (action, denies) in [("deny,status:403", true), ("pass", false)] {
            let folder = article_folder(&crs, &format!("SecDefaultAction \"phase:2,log,auditlog,{action}\""));
            let rules = folder.at("rules");
            let checked = palisade(&["check", "--rules", &rules]);
            assert_eq!(checked.code, 0, "{crs}: {}", checked.err);
            assert!(checked.err.contains("unicode.mapping"), "an absent file is a warning: {}", checked.err);
            let request = format!("GET {} HTTP/1.1\nHost: shop.example.com\n\n", support::COMMENT_ATTACK);
            let answer = support::palisade_with(
                &["explain", "--detect", "off", "--rules", &rules, "--format", "json", "--request", "-"],
                request.as_bytes(),
            );
            let explained = answer.json();
            let ids: Vec<u64> = explained["matched"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|matched| matched["logged"] == true)
                .map(|matched| matched["id"].as_u64().unwrap())
                .collect();
            assert_eq!(answer.code, i32::from(denies), "{crs} {action}: {ids:?}");
            assert!(ids.contains(&942100), "{crs} {action}: {ids:?}");
            if denies {
                assert_eq!(
                    (explained["status"].as_u64(), explained["rule_id"].as_u64()),
                    (Some(403), Some(942100))
                );
            }
        }
    }
}
