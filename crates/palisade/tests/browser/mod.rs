//! A headless Chromium, driven over the DevTools protocol by a pipe: no port, no WebSocket, nothing beyond the browser.
//!
//! The protocol's pipe is a pair of descriptors, 3 and 4; a shell puts our standard pipes there. Messages are JSON ended by
//! a zero byte. Everything that a page complains about is kept: exceptions, errors on its console, and what its policy
//! (CSP) refused.

#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod plane;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Folder;

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// Browsers of this process at a time: each is a dozen processes. (.config/nextest.toml has the same between processes.)
static ONE: Mutex<()> = Mutex::new(());

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: String,
    number: u64,
    complaints: Vec<String>,
    _profile: Folder,
    _alone: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one; `None`, with a line that says so, where there is none.
    pub(crate) fn start() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let there =
            |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
        let Some(program) = names.iter().find(|name| there(name)) else {
            println!("skipped: no chromium here to open the console in");
            return None;
        };
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = Folder::new();
        let line = r#"exec "$0" "$@" 3<&0 4>&1 1>&2"#;
        let mut child = Command::new("sh")
            .args(["-c", line, program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.at("browser")))
            .args(["--remote-debugging-pipe", "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0) {
                let Ok(message) = message else { break };
                if tell.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
            }
        });
        let session = String::new();
        let mut browser = Self {
            child,
            to,
            from,
            session,
            number: 0,
            complaints: Vec::new(),
            _profile: profile,
            _alone: alone,
        };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = page["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Audits"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let size = json!({ "width": 1360, "height": 850, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size);
        Some(browser)
    }

    /// Opens an address, from nothing.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// What an expression is; a promise is waited for.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true. Shows the page's text where it never is.
    pub(crate) fn wait(&mut self, condition: &str) {
        let begun = Instant::now();
        // Between two pages there is nothing to ask.
        let asked = format!("(() => {{ try {{ return !!({condition}) }} catch {{ return false }} }})()");
        while self.eval(&asked) != true {
            if begun.elapsed() > PATIENCE {
                let text = self.eval("document.body.innerText");
                panic!(
                    "never so: {condition}\ncomplaints: {:?}\n{}",
                    self.complaints,
                    text.as_str().unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the page shows a text.
    pub(crate) fn wait_text(&mut self, text: &str) {
        self.wait(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Clicks what a selector finds, once it is there.
    pub(crate) fn click(&mut self, selector: &str) {
        let selector = json!(selector);
        self.wait(&format!("document.querySelector({selector})"));
        self.eval(&format!("document.querySelector({selector}).click()"));
    }

    /// Writes into a field, as a person does.
    pub(crate) fn write(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.wait(&format!("document.querySelector({selector})"));
        self.eval(&format!(
            "(() => {{ const field = document.querySelector({selector});
              Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set.call(field, {text});
              for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, {{ bubbles: true }})) }})()"
        ));
    }

    /// Presses a key where the focus is.
    pub(crate) fn press(&mut self, key: &str) {
        // By its code and text a key does what it does of itself: Enter opens and sends.
        let (code, text) = if key == "Enter" { (13, "\r") } else { (0, "") };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Has pages be light or dark.
    pub(crate) fn scheme(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Gives the page the width of a phone.
    pub(crate) fn phone(&mut self) {
        let asked = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", asked);
    }

    /// A picture of the page, into the folder that `PALISADE_TEST_SCREENSHOTS` names, for people.
    pub(crate) fn picture(&mut self, name: &str) {
        use base64::Engine as _;
        let Ok(folder) = std::env::var("PALISADE_TEST_SCREENSHOTS") else { return };
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(format!("{folder}/{name}.png"), bytes).unwrap();
    }

    /// What pages complained about since the last time, but for answers of the server that a test asked for.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // What was said before this is answered has come.
        self.eval("1");
        std::mem::take(&mut self.complaints)
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let begun = Instant::now();
        loop {
            match self.from.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(answer) if answer["id"] == self.number => {
                    assert!(answer["error"].is_null(), "{method}: {answer}");
                    return answer["result"].clone();
                }
                Ok(event) => self.complaints.extend(complaint(&event)),
                Err(RecvTimeoutError::Timeout) => panic!("the browser does not answer {method}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the browser has ended at {method}"),
            }
        }
    }
}

/// What an event of the protocol complains about.
fn complaint(event: &Value) -> Option<String> {
    let told = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(told["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled"
            if ["error", "warning", "assert"].iter().any(|kind| told["type"] == *kind) =>
        {
            Some(told["args"].to_string())
        }
        "Log.entryAdded" if told["entry"]["level"] == "error" => Some(told["entry"].to_string()),
        "Audits.issueAdded" if told["issue"]["code"] == "ContentSecurityPolicyIssue" => {
            Some(told["issue"].to_string())
        }
        _ => None,
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
