use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn text(input: &str) -> String {
    Redactor::new().text(input.as_bytes(), 4096).as_str().to_owned()
}

fn target(input: &str) -> String {
    Redactor::new().target(input.as_bytes(), 4096).as_str().to_owned()
}

fn body(form: BodyForm, input: &str) -> String {
    Redactor::new().body(form, input.as_bytes(), 65_536).as_str().to_owned()
}

#[test]
fn names_of_secrets_are_known_and_their_neighbours_are_not() {
    let redactor = Redactor::with_names(["ssn", "Social_Number"]);
    for name in [
        "password",
        "PASSWORD",
        "user_password",
        "passwd",
        "pwd",
        "newPwd",
        "client_secret",
        "access_token",
        "api_key",
        "apikey",
        "x-api-key",
        "apiKey",
        "credential",
        "credentials",
        "pass",
        "user_pass",
        "userPass",
        "user[pass]",
        "user%5Bpassword%5D",
        "pass%77ord",
        "json.user.pin",
        "PHPSESSID",
        "jsessionid",
        "cvv",
        "ssn",
        "user-SSN",
        "socialNumber",
        "jwt",
        "privateKey",
    ] {
        assert!(redactor.hides(name.as_bytes()), "{name}");
    }
    for name in [
        "q",
        "passenger",
        "compass",
        "bypass",
        "author",
        "spin",
        "pinned",
        "keyword",
        "key",
        "monkey",
        "user",
        "username",
        "email",
        "session",
        "class",
        "search",
        "hotpot",
        "pwned",
        "",
        "%",
        "%7",
        "host",
    ] {
        assert!(!redactor.hides(name.as_bytes()), "{name}");
    }
}

#[test]
fn targets_keep_their_shape_and_lose_their_secrets() {
    for (input, output) in [
        ("/login?user=joe&password=hunter2&x=1", "/login?user=joe&password=********&x=1"),
        ("/a?access_token=abc#f", "/a?access_token=********"),
        ("/a;jsessionid=0123456789abcdef?q=1", "/a;jsessionid=****************?q=1"),
        ("http://joe:hunter2@host/a?b=c", "http://****************@host/a?b=c"),
        ("/?q=%3Cscript%3Ealert(1)%3C/script%3E", "/?q=%3Cscript%3Ealert(1)%3C/script%3E"),
        ("/?to=/next?token=abcdef", "/?to=/next?token=********"),
        (
            "/?to=http%3A%2F%2Fh%2F%3Ftoken%3Dabcdef",
            "/?to=****************************************************************",
        ),
        (
            "/?d=%7B%22password%22%3A%22hunter2%22%7D",
            "/?d=****************************************************************",
        ),
        ("/?d=%7B%22q%22%3A%22hunter2%22%7D", "/?d=%7B%22q%22%3A%22hunter2%22%7D"),
        ("/pay/4111111111111111/done", "/pay/****************/done"),
        ("/?password", "/?password"),
        ("/?password=", "/?password="),
        ("/passenger?pass=1", "/passenger?pass=****"),
        ("", ""),
    ] {
        assert_eq!(target(input), output, "{input}");
    }
}

#[test]
fn headers_are_masked_by_their_kind() {
    let redactor = Redactor::new();
    let request = |name: &str, value: &str| {
        let place = Place::RequestHeader(name.as_bytes().to_vec());
        redactor.header(&place, value.as_bytes(), 4096).as_str().to_owned()
    };
    for (name, value, output) in [
        ("Authorization", "Basic am9lOmh1bnRlcjI=", "Basic ****************"),
        ("authorization", "bearer abc.def.ghi", "bearer ****************"),
        ("Authorization", "hunter2", "********"),
        ("Proxy-Authorization", "secret words here", "********************************"),
        ("Cookie", "session=0123456789; theme=dark", "session=****************; theme=****"),
        ("Cookie", "novalue; =x", "********; =****"),
        ("X-Api-Key", "0123456789", "****************"),
        ("X-CSRF-Token", "a", "****"),
        ("Referer", "http://h/?token=abc&q=1", "http://h/?token=****&q=1"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("Accept", "*/*", "*/*"),
        ("Content-Type", "multipart/form-data; boundary=x", "multipart/form-data; boundary=x"),
    ] {
        assert_eq!(request(name, value), output, "{name}: {value}");
    }
    let place = Place::ResponseHeader(b"Set-Cookie".to_vec());
    let cookie = redactor.header(&place, b"id=abcdef; Path=/; HttpOnly", 4096);
    assert_eq!(cookie.as_str(), "id=********; Path=/; HttpOnly");
}

#[test]
fn any_text_loses_what_its_names_call_secret() {
    for (input, output) in [
        ("GET /?q=1&password=hunter2&b=2 HTTP/1.1", "GET /?q=1&password=********&b=2 HTTP/1.1"),
        (
            r#"{"user":"joe","password":"hun\"ter2","n":1}"#,
            r#"{"user":"joe","password":"****************","n":1}"#,
        ),
        (r#"{"pin":1234,"q":"<script>"}"#, r#"{"pin":****,"q":"<script>"}"#),
        (r#"{\"token\":\"abcdef\",\"q\":1}"#, r#"{\"token\":\"********\",\"q\":1}"#),
        (
            "<user><password type=\"x\">hunter2</password><q>1</q></user>",
            "<user><password type=\"x\">********</password><q>1</q></user>",
        ),
        ("<user password=\"hunter2\" name=\"joe\"/>", "<user password=\"********\" name=\"joe\"/>"),
        ("Authorization: Basic am9lOmh1bnRlcjI=", "Authorization: ********************************"),
        ("password: my long words", "password: ****************"),
        ("the password is lost", "the password is lost"),
        ("compass: north", "compass: north"),
        ("' OR 1=1 -- ", "' OR 1=1 -- "),
    ] {
        assert_eq!(text(input), output, "{input}");
    }
}

#[test]
fn bodies_are_masked_by_their_kind() {
    assert_eq!(body(BodyForm::Form, "a=1&pwd=x%26y&b=2"), "a=1&pwd=********&b=2");
    assert_eq!(
        body(BodyForm::Json, r#"{"user":{"name":"joe","p\u0061ssword":"hunter2"},"n":[1,2]}"#),
        r#"{"user":{"name":"joe","p\u0061ssword":"********"},"n":[1,2]}"#
    );
    assert_eq!(
        body(BodyForm::Json, r#"{"secrets":{"a":"x","b":[1,{"c":true}]},"d":"y"}"#),
        r#"{"secrets":{"a":"****","b":[****,{"c":****}]},"d":"y"}"#
    );
    assert_eq!(body(BodyForm::Json, r#"{"token": "unclosed"#), r#"{"token": "********"#);
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\njoe\r\n\
                     --x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\nsecond\r\n--x--\r\n";
    assert_eq!(
        body(BodyForm::Text, multipart),
        "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\njoe\r\n\
         --x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n****************\r\n--x--\r\n"
    );
}

#[test]
fn card_numbers_are_masked_wherever_they_stand_and_other_numbers_are_not() {
    for (input, output) in [
        ("4111111111111111", "****************"),
        ("q=4111 1111 1111 1111!", "q=********************************!"),
        ("4111-1111-1111-1111 12/27", "******************************** 12/27"),
        ("12 4111 1111 1111 1111", "12 ********************************"),
        ("x%204111111111111111", "x%20****************"),
        ("4111%201111%201111%201111", "********************************"),
        // The digits between letters pass Luhn's check, in groups of four and one.
        (
            "920530-2-ab5d3315-0309-4722-9b2d-820354bf3a82-s",
            "920530-2-ab5d3315-0309-4722-9b2d-820354bf3a82-s",
        ),
        (
            "4bd6-9634-675090934322 and 0000-4111-1111-1111-1111a",
            "4bd6-9634-675090934322 and 0000-4111-1111-1111-1111a",
        ),
        (
            "3782 822463 10005, 4111.1111.1111.1111",
            "********************************, ********************************",
        ),
        ("card 378282246310005 and 30569309025904", "card **************** and ****************"),
        ("6011111111111117,5555555555554444", "****************,****************"),
        // One digit off, a time in microseconds, a long number, a short one.
        ("4111111111111112", "4111111111111112"),
        ("1578613306195047", "1578613306195047"),
        ("41111111111111111111111111", "41111111111111111111111111"),
        ("411111111111", "411111111111"),
    ] {
        assert_eq!(text(input), output, "{input}");
        assert_eq!(Redactor::new().finding(input.as_bytes(), 4096).as_str(), output, "{input}");
    }
}

#[test]
fn a_findings_own_text_is_shown() {
    let redactor = Redactor::new();
    let attack = b"Matched Data: x found within ARGS:password: ;UNION SELECT 1--";
    assert_eq!(redactor.finding(attack, 4096).as_str().as_bytes(), attack);
    let shown = redactor.clone().showing([Place::Argument(b"password".to_vec())]);
    assert_eq!(
        shown.target(b"/?password=%3BUNION&token=abcd", 4096).as_str(),
        "/?password=%3BUNION&token=****"
    );
    let hidden = shown.hiding([Place::Argument(b"PASSWORD".to_vec()), Place::Argument(b"q".to_vec())]);
    assert_eq!(hidden.target(b"/?password=%3BUNION&q=abcd", 4096).as_str(), "/?password=********&q=****");
    let knowing = redactor.knowing([&b"a&Secret"[..], b"xy"]);
    assert_eq!(knowing.text(b"/?p=a&Secret&q=a&secret xy", 99).as_str(), "/?p=********&q=******** xy");
    assert_eq!(Redactor::new().all_but_ends(b"0123456789", 2, 3, 99).as_str(), "01********789");
    assert_eq!(Redactor::new().all_but_ends(b"01", 2, 3, 99).as_str(), "01");
}

#[test]
fn what_is_cut_is_counted_and_shows_no_half_of_a_secret() {
    let redactor = Redactor::new();
    let cut = redactor.text(b"card 4111111111111111 end", 15);
    assert_eq!((cut.as_str(), cut.left_out_bytes()), ("card ", 20));
    let cut = redactor.text(b"0123456789", 4);
    assert_eq!((cut.as_str(), cut.left_out_bytes()), ("0123", 6));
    let halved = redactor.body(BodyForm::Text, b"a\r\nb", 2);
    assert_eq!((halved.as_str(), halved.left_out_bytes()), ("a", 3));
    let long = vec![b'x'; 10_000];
    assert_eq!(redactor.text(&long, 100).left_out_bytes(), 9_900);
}

#[test]
fn only_printable_text_comes_out() {
    assert_eq!(text("a\r\nb\t\u{1b}[31m\u{7f}"), "a\\x0d\\x0ab\\x09\\x1b[31m\\x7f");
    assert_eq!(text("Grüße 日本 \u{202e}gnp"), "Grüße 日本 \\xe2\\x80\\xaegnp");
    assert_eq!(Redactor::new().text(b"\xff\xc3", 99).as_str(), "\\xff\\xc3");
    assert_eq!(body(BodyForm::Text, "a\r\nb\rc\td"), "a\r\nb\\x0dc\td");
}

proptest! {
    #[test]
    fn any_bytes_give_bounded_printable_text(bytes in proptest::collection::vec(any::<u8>(), 0..600), max in 0usize..700) {
        let redactor = Redactor::with_names(["x"]).knowing([&bytes[..bytes.len().min(5)]]);
        let place = Place::RequestHeader(b"Cookie".to_vec());
        for excerpt in [
            redactor.text(&bytes, max), redactor.target(&bytes, max), redactor.finding(&bytes, max),
            redactor.header(&place, &bytes, max),
        ] {
            prop_assert!(excerpt.as_str().len() <= max);
            prop_assert!(excerpt.as_str().chars().all(|c| !c.is_control()));
            prop_assert!(excerpt.left_out_bytes() <= bytes.len());
        }
        for form in [BodyForm::Form, BodyForm::Json, BodyForm::Text] {
            let excerpt = redactor.body(form, &bytes, max);
            prop_assert!(excerpt.as_str().len() <= max);
            prop_assert!(excerpt.as_str().chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r')));
        }
    }

    /// A secret of letters that occur nowhere else never shows, whatever stands around it and wherever the text is cut.
    #[test]
    fn no_part_of_a_secret_shows(
        secret in "[A-Z]{3,40}", before in "[a-f &=;<>?/]{0,20}", after in "[a-f]{0,20}", max in 0usize..200
    ) {
        let redactor = Redactor::new();
        let holds = |excerpt: Excerpt| secret.as_bytes().windows(3).any(|part| excerpt.as_str().contains(std::str::from_utf8(part).unwrap()));
        let form = format!("{before}&password={secret}&{after}");
        let json = format!("{{\"a\":\"{after}\",\"password\":\"{secret}\",\"b\":1}}");
        prop_assert!(!holds(redactor.body(BodyForm::Form, form.as_bytes(), max)));
        prop_assert!(!holds(redactor.text(form.as_bytes(), max)));
        let target = format!("/{form}");
        prop_assert!(!holds(redactor.target(target.as_bytes(), max)));
        prop_assert!(!holds(redactor.body(BodyForm::Json, json.as_bytes(), max)));
        prop_assert!(!holds(redactor.text(json.as_bytes(), max)));
    }

    #[test]
    fn benign_words_stay_as_they_are(words in "[a-z ]{0,80}") {
        prop_assert_eq!(text(&words), words);
    }
}

/// Eight times the text may not cost much more than eight times the time; twenty allows for a busy machine.
#[test]
fn every_pass_is_linear() {
    type Pass = fn(&Redactor, &[u8]) -> Excerpt;
    let passes: [(&str, Pass); 5] = [
        ("text", |redactor, bytes| redactor.text(bytes, usize::MAX)),
        ("form", |redactor, bytes| redactor.body(BodyForm::Form, bytes, usize::MAX)),
        ("json", |redactor, bytes| redactor.body(BodyForm::Json, bytes, usize::MAX)),
        ("target", |redactor, bytes| redactor.target(bytes, usize::MAX)),
        ("finding", |redactor, bytes| redactor.finding(bytes, usize::MAX)),
    ];
    let redactor = Redactor::with_names(["x1", "x2"]).knowing([&b"aaaaaaab"[..]]);
    for unit in [
        "name=",
        "name='",
        "name=\"",
        "<password",
        "<password>",
        "password=",
        "\"password\":",
        "{\"token\":[",
        "\"",
        "\\",
        "4 ",
        "4111 1111 ",
        "41",
        "%20",
        "a",
        "=",
        "&",
        ";",
        "aaaaaaaa",
        "<",
        "name=password\n\n",
        "[",
        "\"a\" ",
    ] {
        for (name, pass) in passes {
            let time = |bytes: usize| {
                let text = unit.repeat(bytes / unit.len());
                let start = Instant::now();
                std::hint::black_box(pass(&redactor, text.as_bytes()));
                start.elapsed()
            };
            // A busy machine may stop us in the middle: what a text costs is the least that it ever took.
            let (mut small, mut large) = (Duration::MAX, Duration::MAX);
            let is_linear = (0..40).any(|_| {
                small = small.min(time(16 << 10));
                large = large.min(time(128 << 10));
                large < small.max(Duration::from_micros(500)) * 20
            });
            assert!(is_linear, "{name} of {unit:?}");
        }
    }
}
