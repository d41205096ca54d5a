//! A web shop with the classic holes: **deliberately vulnerable, and it only pretends**.
//!
//! | page | hole | what it pretends |
//! |---|---|---|
//! | `GET /search?q=` | reflected cross-site scripting | nothing: it really reflects `q` unescaped |
//! | `GET /product?id=` | SQL injection | builds SQL by concatenation, "runs" it on tables in this file |
//! | `GET /ping?host=` | command injection | builds a shell line, "runs" it with answers from this file |
//! | `POST /login` | SQL and operator injection in JSON | "asks" the same tables |
//!
//! The idea to hold: an attack must visibly succeed here, so that the same request stopped in front of it shows what
//! the stopping was worth. There is no database, no shell and no file behind it; "running" is looking for the few
//! forms that the demonstrations use, and anything else simply finds nothing.

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Answer, Ends, Request, Service, echo};

/// Stands on every page and in every JSON answer.
pub const BANNER: &str = "Deliberately vulnerable, for demonstrations: never expose it. It only pretends: \
                          there is no database, no shell and no real person's data behind it.";

/// The shop, and [`echo`] below `/echo`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shop;

impl Service for Shop {
    async fn answer(&self, request: Request, _ends: Ends) -> Answer {
        let path = request.uri().path();
        let said = match path == "/echo" || path.starts_with("/echo/") {
            true => echo::answer(&request),
            false => answer(&request),
        };
        said.with("x-deliberately-vulnerable", HeaderValue::from_static("yes, and it only pretends"))
    }
}

/// Answers one request as the shop does.
#[must_use]
pub fn answer(request: &Request) -> Answer {
    let parameter = |name| query_parameter(request.uri().query().unwrap_or_default(), name);
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => home(),
        (&Method::GET | &Method::HEAD, "/search") => search(&parameter("q").unwrap_or_default()),
        (&Method::GET | &Method::HEAD, "/product") => product(&parameter("id").unwrap_or_default()),
        (&Method::GET | &Method::HEAD, "/ping") => ping(&parameter("host").unwrap_or_default()),
        (&Method::POST, "/login") => login(request.body()),
        (_, "/" | "/search" | "/product" | "/ping" | "/login") => {
            page(StatusCode::METHOD_NOT_ALLOWED, "Not like that", b"This page has another method.")
        }
        _ => page(StatusCode::NOT_FOUND, "Not found", b"There is no such page."),
    }
}

fn home() -> Answer {
    let links = br#"<ul>
<li><a href="/search?q=lamp">search</a></li>
<li><a href="/product?id=2">a product</a></li>
<li><a href="/ping?host=shop.example.com">ping a host</a></li>
<li><code>POST /login</code> with <code>{"user":"..","password":".."}</code></li>
</ul>"#;
    page(StatusCode::OK, "Shop", links)
}

/// Reflects the query as it came: that is the hole.
fn search(query: &[u8]) -> Answer {
    let mut body = b"<p>Results for ".to_vec();
    body.extend_from_slice(query);
    body.extend_from_slice(b":</p>\n<ul>\n");
    let wanted = String::from_utf8_lossy(query).to_lowercase();
    for product in PRODUCTS.iter().filter(|product| product.name.contains(wanted.as_str())) {
        body.extend_from_slice(format!("<li>{}: {} EUR</li>\n", product.name, product.price).as_bytes());
    }
    body.extend_from_slice(b"</ul>");
    page(StatusCode::OK, "Search", &body)
}

fn product(id: &[u8]) -> Answer {
    let id = String::from_utf8_lossy(id);
    let sql = format!("SELECT name, price FROM products WHERE id = '{id}'");
    let mut body = format!("<p>Would run: <code>{sql}</code></p>\n<ul>\n");
    let rows = if injected_sql(&id) {
        USERS.iter().map(|user| format!("{}: {}", user.name, user.password)).collect()
    } else {
        let found = PRODUCTS.iter().filter(|product| product.id == id);
        found.map(|product| format!("{}: {} EUR", product.name, product.price)).collect::<Vec<_>>()
    };
    for row in &rows {
        body.push_str(&format!("<li>{row}</li>\n"));
    }
    body.push_str("</ul>");
    let status = if rows.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    page(status, "Product", body.as_bytes())
}

fn ping(host: &[u8]) -> Answer {
    let host = String::from_utf8_lossy(host);
    let mut output = format!("$ ping -c 1 {host}\n");
    let mut commands = host.split([';', '|', '&', '`', '\n']).flat_map(|part| part.split("$("));
    let pinged = commands.next().unwrap_or_default().trim();
    output.push_str(&format!("PING {pinged}: 64 bytes, time=0.4 ms\n"));
    for command in commands.map(|command| command.trim().trim_end_matches(')')) {
        if !command.is_empty() {
            output.push_str(&pretended_output(command));
        }
    }
    Answer::text(StatusCode::OK, format!("# {BANNER}\n{output}"))
}

fn login(body: &[u8]) -> Answer {
    let refuse = |status, why: &str| Answer::json(status, &json!({"error": why, "notice": BANNER}));
    let Ok(Value::Object(form)) = serde_json::from_slice::<Value>(body) else {
        return refuse(StatusCode::BAD_REQUEST, "send a JSON object with user and password");
    };
    let (Some(user), Some(password)) = (form.get("user"), form.get("password")) else {
        return refuse(StatusCode::BAD_REQUEST, "user and password are needed");
    };
    // The holes: quotes end the SQL text, and an object such as {"$ne": null} is handed to the store as a query.
    let injected = [user, password].into_iter().any(|value| match value {
        Value::String(text) => injected_sql(text),
        Value::Object(query) => query.keys().any(|key| key.starts_with('$')),
        _ => false,
    });
    let found = if injected {
        USERS.first()
    } else {
        USERS.iter().find(|known| user == known.name && password == known.password)
    };
    match found {
        Some(known) => Answer::json(StatusCode::OK, &json!({"welcome": known.name, "notice": BANNER})),
        None => refuse(StatusCode::UNAUTHORIZED, "unknown user or wrong password"),
    }
}

/// Whether text set between quotes in SQL would change the statement, for the forms that demonstrations use: a quote
/// with OR or a comment after it, or a UNION SELECT.
fn injected_sql(value: &str) -> bool {
    // Comments stand for blanks, as `UNION/**/SELECT` has it.
    let value = value.to_ascii_lowercase().replace("/**/", " ");
    let mut words = value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let after_quote = value.split_once('\'').map(|(_, rest)| rest.trim_start());
    let escapes = after_quote.is_some_and(|rest| {
        rest.starts_with("--") || rest.starts_with('#') || rest.starts_with("or") || rest.starts_with("||")
    });
    escapes || (words.any(|word| word == "union") && words.any(|word| word == "select"))
}

/// What a shell would have said, from this table only.
fn pretended_output(command: &str) -> String {
    match command.split_whitespace().collect::<Vec<_>>()[..] {
        ["id"] => "uid=33(www-data) gid=33(www-data) groups=33(www-data)\n".to_owned(),
        ["whoami"] => "www-data\n".to_owned(),
        ["uname", ..] => "Linux shop 6.1.0 x86_64 GNU/Linux\n".to_owned(),
        ["ls", ..] => "app.js\nconfig.json\nnode_modules\n".to_owned(),
        ["cat", "/etc/passwd"] => {
            "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
                .to_owned()
        }
        [name, ..] => format!("sh: 1: {name}: not found\n"),
        [] => String::new(),
    }
}

fn page(status: StatusCode, title: &str, content: &[u8]) -> Answer {
    let mut html = format!(
        "<!doctype html>\n<title>{title}</title>\n<p><strong>{BANNER}</strong></p>\n<h1>{title}</h1>\n"
    )
    .into_bytes();
    html.extend_from_slice(content);
    html.push(b'\n');
    Answer::html(status, html)
}

/// The first value of a parameter of the query, with `+` and `%HH` decoded; a broken escape stays as it is.
fn query_parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name.as_bytes()).then(|| decode(value))
    })
}

fn decode(text: &str) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, hex(tail.first()), hex(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', ..) => decoded.push(b' '),
            (byte, ..) => decoded.push(*byte),
        }
    }
    decoded
}

struct Product {
    id: &'static str,
    name: &'static str,
    price: u32,
}

struct User {
    name: &'static str,
    password: &'static str,
}

const PRODUCTS: [Product; 3] = [
    Product { id: "1", name: "desk", price: 240 },
    Product { id: "2", name: "lamp", price: 45 },
    Product { id: "3", name: "chair", price: 120 },
];

/// Nobody: names and passwords are made up, and unsalted in plain text as the shop of a bad day would keep them.
const USERS: [User; 3] = [
    User { name: "admin", password: "correct-horse" },
    User { name: "alice", password: "wonderland" },
    User { name: "bob", password: "builder1" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demonstrated_injections_succeed_and_their_benign_neighbours_do_not() {
        let attacks = [
            "' OR '1'='1",
            "1'or 1=1 -- ",
            "x' || 1=1",
            "admin'-- ",
            "admin' #",
            "1 UNION SELECT name, password FROM users",
            "1 union/**/all/**/select 1,2",
        ];
        for attack in attacks {
            assert!(injected_sql(attack), "{attack}");
        }
        let benign = ["2", "O'Hara", "the union", "select a union", "fish 'n' chips", "or", "--", ""];
        for value in benign {
            assert!(!injected_sql(value), "{value}");
        }
    }

    #[test]
    fn parameters_are_decoded_once_and_broken_escapes_stay() {
        let cases: [(&str, Option<&[u8]>); 7] = [
            ("q=a+b%20c", Some(b"a b c")),
            ("x=1&q=2&q=3", Some(b"2")),
            ("q=%2541", Some(b"%41")),
            ("q=%zz%4", Some(b"%zz%4")),
            ("q=%ff", Some(b"\xff")),
            ("q", Some(b"")),
            ("p=1", None),
        ];
        for (query, expected) in cases {
            assert_eq!(query_parameter(query, "q").as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn only_commands_of_the_table_have_output() {
        assert!(pretended_output("cat /etc/passwd").contains("root:x:0:0"));
        assert_eq!(pretended_output("cat /etc/shadow"), "sh: 1: cat: not found\n");
        assert_eq!(pretended_output("rm -rf /"), "sh: 1: rm: not found\n");
    }
}
