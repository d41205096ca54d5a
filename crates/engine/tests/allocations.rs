//! How often an ordinary exchange asks the system for memory, once the engine is warm.
//!
//! The requests are benign and pass CRS; what they allocate is what every request of a protected service pays for.
//! Counted is from the beginning of a transaction to its end; the head is read before, by whoever reads messages.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use palisade_engine::{
    Clock, Connection, Enforcement, Phase, Progress, RuleSet, RuleSources, Transaction, load_rules,
};
use palisade_http::{HeadLimits, HeadParse, RequestHead, parse_request_head};
use palisade_seclang::MemoryLoader;

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // While a thread ends its variables may be gone; nobody counts there.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting touches a thread-local number that needs no
// memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `layout` are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System.alloc` or `System.realloc` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; `size` is what the caller promises it to be.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Cases with the allocations that an exchange may make: none.
const CASES: [(&str, u64, &str, &str); 3] =
    [("get-small", 0, GET_SMALL, ""), ("get-browser", 0, GET_BROWSER, ""), ("post-form", 0, POST_FORM, FORM)];

const GET_SMALL: &str = "GET /index.html?page=2&sort=asc HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\n\r\n";
const GET_BROWSER: &str = "GET /catalog/search?q=running+shoes&category=sport&size=42&ref=home-banner HTTP/1.1\r\n\
    Host: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
    Referer: https://www.example.com/account/overview\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n\
    Cookie: session=4a6lxagjc9ok8m44roh6cicns949t42jk1nrqyqp; theme=dark\r\nSec-Fetch-Mode: navigate\r\n\r\n";
const POST_FORM: &str = "POST /account/address HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 93\r\n\r\n";
const FORM: &str =
    "first=Maria&last=Gonzalez&street=12+Garden+Lane&city=Lyon&note=please+ring+twice%2C+thank+you";

/// The sum of this many exchanges in a row has to stay below the bound times their number.
const EXCHANGES: u64 = 20;

#[test]
fn an_ordinary_exchange_needs_no_memory_of_its_own() {
    let crs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/crs/4.28.0"));
    if !crs.exists() {
        println!("skipped: {} is not there", crs.display());
        return;
    }
    let rules = load(crs);
    let mut failed = Vec::new();
    for (name, most, head, body) in CASES {
        let heads: Vec<RequestHead> = (0..2 * EXCHANGES).map(|_| parse(head)).collect();
        let mut asked = 0;
        for (number, head) in heads.into_iter().enumerate() {
            let before = ASKED.get();
            exchange(&rules, head, body.as_bytes());
            if number as u64 >= EXCHANGES {
                asked += ASKED.get() - before;
            }
        }
        println!("{name}: {:.1} allocations an exchange", asked as f64 / EXCHANGES as f64);
        if asked > most * EXCHANGES {
            failed.push(format!("{name}: {asked} in {EXCHANGES} exchanges, and {most} each are allowed"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn load(crs: &Path) -> Arc<RuleSet> {
    let mut files: Vec<_> = std::fs::read_dir(crs.join("rules")).expect("CRS has rules").collect();
    files.sort_by_key(|file| file.as_ref().expect("a name").path());
    let setup = ["crs-setup.conf", "crs-setup.conf.example"].map(|name| crs.join(name));
    let mut text = "SecRuleEngine On\nSecRequestBodyAccess On\n".to_owned();
    let mut loader = MemoryLoader::new();
    for path in setup
        .into_iter()
        .find(|path| path.exists())
        .into_iter()
        .chain(files.into_iter().map(|f| f.unwrap().path()))
    {
        let name = path.display().to_string();
        loader = loader.with(name.clone(), std::fs::read(&path).expect("it can be read"));
        if !name.ends_with(".data") {
            text.push_str(&format!("Include {name}\n"));
        }
    }
    let text = Some(("main".to_owned(), text.into_bytes(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &loader);
    loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

fn parse(head: &str) -> RequestHead {
    match parse_request_head(head.as_bytes(), &HeadLimits::default()) {
        HeadParse::Complete { head, .. } => head,
        other => panic!("{other:?}"),
    }
}

fn exchange(rules: &Arc<RuleSet>, head: RequestHead, body: &[u8]) {
    let address = SocketAddr::from(([192, 0, 2, 7], 40_000));
    let connection = Connection { client: address, server: address, unique_id: String::new() };
    let mut transaction =
        Transaction::new(rules.clone(), connection, Enforcement::AsWritten, Clock::default());
    transaction.request_head(head);
    for phase in [Phase::RequestHeaders, Phase::RequestBody, Phase::Logging] {
        if phase == Phase::RequestBody {
            transaction.request_body_chunk(body);
            transaction.request_body_end();
        }
        assert_eq!(transaction.run(phase, Clock::default()), Progress::Done);
    }
    assert!(transaction.matches().is_empty(), "a benign request: {:?}", transaction.matches());
}
