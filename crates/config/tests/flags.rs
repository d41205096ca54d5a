//! Flags lie over a file where they have one meaning, and make a configuration without one.

use palisade_config::{AdminAddress, Config, File, LogTarget, Overrides, Read, read};

fn told(file: &str, overrides: &Overrides) -> Read {
    read(Some(File { text: file.as_bytes(), folder: "/etc/palisade" }), overrides)
}

fn sound(read: Read) -> Config {
    read.config.unwrap_or_else(|| panic!("{:#?}", read.diagnostics))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn flags_alone_are_a_configuration_with_the_usual_defaults() {
    let overrides = Overrides { upstream: some("http://127.0.0.1:3000"), ..Overrides::default() };
    let config = sound(read(None, &overrides));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].name.as_str(), "web");
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:8080");
    assert_eq!(config.services[0].upstream.as_ref().unwrap().url[0].as_str(), "http://127.0.0.1:3000");
    assert_eq!(config.routes.len(), 1);
    assert_eq!((config.routes[0].path.to_string(), config.routes[0].hosts.len()), ("/".to_owned(), 0));
    let (name, profile) = config.profiles.iter().next().unwrap();
    assert_eq!((name.as_str(), profile.mode.as_str()), ("default", "monitoring"));
    assert_eq!(profile.limits.request_body.bytes(), 13_107_200);
    assert_eq!(config.data_dir.as_str(), "./palisade-data");
    assert_eq!(config.logs.error, LogTarget::Stderr);
    assert_eq!(config.admin.address, None);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let file = "admin: {address: 127.0.0.1:9}\ndataDir: data\nlogs: {error: e.log, access: stdout}\n\
        listeners: [{name: l, address: 127.0.0.1:1, healthPath: /a}]\n\
        services: [{name: s, upstream: {url: \"http://a:1\", connect: 1s}, profile: p}]\n\
        profiles: {p: {mode: block, rules: {crs: crs, files: [a.conf]}}}\n";
    let config = sound(told(file, &Overrides::default()));
    assert_eq!(config.data_dir.as_str(), "/etc/palisade/data", "relative to the file");
    assert_eq!(config.logs.access, LogTarget::Stdout);
    let (_, profile) = config.profiles.iter().next().unwrap();
    assert_eq!(profile.rules.files[0].as_str(), "/etc/palisade/a.conf");

    let overrides = Overrides {
        listen: some("127.0.0.1:2"),
        upstream: some("http://b:2"),
        mode: some("off"),
        crs: some("other"),
        paranoia: some("3"),
        rules: vec!["x.conf".to_owned()],
        admin: some("off"),
        error_log: some("stdout"),
        health_path: some("/b"),
        data_dir: some("./here"),
        ..Overrides::default()
    };
    let config = sound(told(file, &overrides));
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:2");
    assert_eq!(config.listeners[0].name.as_str(), "l", "what the flag does not say stays");
    assert_eq!(config.listeners[0].health_path.as_ref().unwrap().as_str(), "/b");
    assert_eq!(config.services[0].upstream.as_ref().unwrap().url[0].as_str(), "http://b:2");
    assert_eq!(config.services[0].upstream.as_ref().unwrap().connect.duration().as_secs(), 1);
    let (_, profile) = config.profiles.iter().next().unwrap();
    assert_eq!(profile.mode.as_str(), "off");
    assert_eq!(
        profile.rules.crs.as_ref().unwrap().as_str(),
        "other",
        "a flag's path is the working directory's"
    );
    assert_eq!(profile.rules.paranoia.as_ref().unwrap().level(), 3);
    assert_eq!(profile.rules.files.len(), 1);
    assert_eq!(config.admin.address, Some(AdminAddress::Off));
    assert_eq!(config.logs.error, LogTarget::Stdout);
    assert_eq!(config.data_dir.as_str(), "./here");
}

#[test]
fn a_flag_that_could_mean_several_is_refused_and_mode_means_all() {
    let file = "listeners: [{name: a, address: 127.0.0.1:1}, {name: b, address: 127.0.0.1:2}]\n\
        services: [{name: s, upstream: {url: \"http://a:1\"}}, {name: t, upstream: {url: \"http://a:2\"}}]\n\
        routes: [{service: s}, {service: t, path: /t}]\n\
        profiles: {default: {}, strict: {}}\n";
    let cases = [
        ("--listen", Overrides { listen: some("127.0.0.1:3"), ..Overrides::default() }),
        ("--health-path", Overrides { health_path: some("/x"), ..Overrides::default() }),
        ("--upstream", Overrides { upstream: some("http://c"), ..Overrides::default() }),
        ("--crs", Overrides { crs: some("crs"), ..Overrides::default() }),
        ("--rules", Overrides { rules: vec!["r".to_owned()], ..Overrides::default() }),
        ("--rules-before", Overrides { rules_before: vec!["r".to_owned()], ..Overrides::default() }),
        ("--paranoia", Overrides { paranoia: some("2"), ..Overrides::default() }),
    ];
    for (flag, overrides) in cases {
        let read = told(file, &overrides);
        assert!(read.config.is_none(), "{flag}");
        let shown = read.diagnostics[0].render(Some(("f.yaml", b"")), palisade_config::Style::Plain);
        assert!(shown.starts_with(&format!("error: {flag}: the file has 2 ")), "{shown}");
        assert!(shown.contains("write it in the file"), "{shown}");
    }
    let config = sound(told(file, &Overrides { mode: some("block"), ..Overrides::default() }));
    assert!(config.profiles.iter().all(|(_, profile)| profile.mode.as_str() == "block"));
}

#[test]
fn a_wrong_flag_is_named_and_what_is_wrong_in_the_file_as_well() {
    let overrides = Overrides { upstream: some("shop:3000"), mode: some("loud"), ..Overrides::default() };
    let read = told("zzz: 1\nlisteners: 5\n", &overrides);
    let shown: String =
        read.diagnostics.iter().map(|found| found.render(None, palisade_config::Style::Plain)).collect();
    for part in ["--upstream: `shop:3000`", "http://shop:3000", "--mode: `loud`", "`zzz`", "`5` stands where"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
