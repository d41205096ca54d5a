//! ModSecurity 3 (Debian's `libmodsecurity3`) behind a safe interface, to ask it what it thinks of an exchange.
//!
//! ```text
//! ModSecurity::load()? ── rules(text)? ── transaction()  step by step, as a connector would drive it
//!                                      └─ Exchange::run  one whole request (and response) in one call
//! ```
//!
//! The one idea to hold: everything the library says comes out as plain data (interventions, log lines, ids), and
//! everything it allocates is freed on drop.
//!
//! Threads. The library documents nothing, so: creating, loading and destroying happen under one process-wide lock;
//! evaluation does not, because connectors with threads (Apache's) share one rule set between transactions. A
//! [`Transaction`] may move between threads but is used by one at a time.
//!
//! A C++ exception that escapes the library aborts the process; that is an honest answer for an oracle.

mod exchange;
mod ffi;

use std::ffi::{CStr, CString, NulError, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use exchange::{Exchange, OnDeny, Outcome, Response, rule_id_of_line};

/// Why there is no oracle on this machine. Tests print it and pass.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{library} cannot be loaded: {why}")]
pub struct Unavailable {
    /// The file name that was asked for.
    pub library: &'static str,
    /// The loader's own words.
    pub why: String,
}

/// One instance of the library. It owns the persistent collections (IP, GLOBAL, SESSION ...), which all rule sets
/// and transactions made from it share; load another one for a fresh set. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ModSecurity {
    instance: Arc<Instance>,
}

impl ModSecurity {
    /// Loads the library (once a process) and creates a fresh instance.
    ///
    /// # Errors
    /// [`Unavailable`] when the shared library is absent or lacks a function of version 3.0.
    pub fn load() -> Result<Self, Unavailable> {
        let functions = ffi::functions()?;
        let mut registry = lock();
        // SAFETY: no arguments; serialised by the lock because it initialises libxml2 and curl process-wide.
        let raw = unsafe { (functions.msc_init)() };
        let raw = NonNull::new(raw).expect("msc_init allocates with C++ new, which does not return null");
        // SAFETY: `raw` is a live instance, and `collect_line` has the signature of ModSecLogCb. This setter
        // leaves the log properties at text lines.
        unsafe { (functions.msc_set_log_cb)(raw.as_ptr(), collect_line) };
        registry.live += 1;
        drop(registry);
        Ok(Self { instance: Arc::new(Instance { functions, raw }) })
    }

    /// What the library calls itself, with its version.
    #[must_use]
    pub fn who_am_i(&self) -> String {
        // SAFETY: the instance is live, and the string belongs to it and is copied at once.
        unsafe { lossy((self.instance.functions.msc_who_am_i)(self.instance.raw.as_ptr())) }
    }

    /// Compiles SecLang text. Relative names in it resolve from the working directory.
    ///
    /// # Errors
    /// The library's own message: position, then what it did not like.
    pub fn rules(&self, text: &str) -> Result<Rules, String> {
        let mut rules = self.empty_rules();
        rules.add(text)?;
        Ok(rules)
    }

    /// Compiles one SecLang file; `Include` and data files resolve from it.
    ///
    /// # Errors
    /// The library's own message: file and position, then what it did not like.
    pub fn rules_from_file(&self, file: impl AsRef<Path>) -> Result<Rules, String> {
        let mut rules = self.empty_rules();
        rules.add_file(file)?;
        Ok(rules)
    }

    /// A rule set with nothing in it yet, to be filled by [`Rules::add`] and [`Rules::add_file`].
    #[must_use]
    pub fn empty_rules(&self) -> Rules {
        let _guard = lock();
        // SAFETY: no arguments; the result is owned by `Rules` and freed by its drop.
        let raw = unsafe { (self.instance.functions.msc_create_rules_set)() };
        let raw = NonNull::new(raw).expect("msc_create_rules_set allocates with C++ new");
        Rules { instance: Arc::clone(&self.instance), raw }
    }
}

/// A compiled rule set of the library.
#[derive(Debug)]
pub struct Rules {
    instance: Arc<Instance>,
    raw: NonNull<ffi::RawRules>,
}

// SAFETY: a RulesSet is an ordinary heap object without thread affinity. Through `&Rules` only transactions are
// made, and evaluation reads the set; connectors with threads share one in the same way.
unsafe impl Send for Rules {}
// SAFETY: as above; every change goes through `&mut Rules`, which no transaction can outlive.
unsafe impl Sync for Rules {}

impl Rules {
    /// Adds SecLang text after what is there. Answers the number of rules and markers that it added.
    ///
    /// # Errors
    /// The library's message. The set may then hold a part of the text: drop it.
    pub fn add(&mut self, text: &str) -> Result<usize, String> {
        let text = CString::new(text).map_err(|error| error.to_string())?;
        self.load(self.instance.functions.msc_rules_add, &text)
    }

    /// Adds a SecLang file after what is there. Answers the number of rules and markers that it added.
    ///
    /// # Errors
    /// The library's message. The set may then hold a part of the file: drop it.
    pub fn add_file(&mut self, file: impl AsRef<Path>) -> Result<usize, String> {
        let file = CString::new(file.as_ref().as_os_str().as_bytes()).map_err(|error| error.to_string())?;
        self.load(self.instance.functions.msc_rules_add_file, &file)
    }

    /// Starts an exchange under these rules.
    #[must_use]
    pub fn transaction(&self) -> Transaction<'_> {
        self.start(None)
    }

    /// Starts an exchange whose UNIQUE_ID is given instead of drawn.
    ///
    /// # Errors
    /// When `id` has a NUL byte.
    pub fn transaction_with_id(&self, id: &str) -> Result<Transaction<'_>, NulError> {
        Ok(self.start(Some(&CString::new(id)?)))
    }

    fn start(&self, id: Option<&CStr>) -> Transaction<'_> {
        let log = NonNull::from(Box::leak(Box::new(Vec::new())));
        let data = log.as_ptr().cast::<c_void>();
        let functions = self.instance.functions;
        let (instance, rules) = (self.instance.raw.as_ptr(), self.raw.as_ptr());
        // SAFETY: instance and rules are live and outlive the transaction (it borrows `self`); `data` is
        // freed by the transaction's drop only; the id is copied by the library, which only forgot its `const`.
        let raw = unsafe {
            match id {
                None => (functions.msc_new_transaction)(instance, rules, data),
                Some(id) => {
                    (functions.msc_new_transaction_with_id)(instance, rules, id.as_ptr().cast_mut(), data)
                }
            }
        };
        let raw = NonNull::new(raw).expect("msc_new_transaction allocates with C++ new");
        Transaction { rules: self, raw, log }
    }

    fn load(&mut self, add: AddFunction, argument: &CStr) -> Result<usize, String> {
        let _guard = lock();
        let mut error: *const c_char = ptr::null();
        // SAFETY: the set is live and borrowed mutably, so no transaction reads it; the argument is a C string;
        // on failure the library writes one string from strdup to `error`.
        let added = unsafe { add(self.raw.as_ptr(), argument.as_ptr(), &raw mut error) };
        // SAFETY: `error` is null or that string, which is ours now.
        let message = unsafe { take_string(error.cast_mut()) };
        usize::try_from(added).map_err(|_| message.unwrap_or_else(|| "refused without a message".to_owned()))
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _guard = lock();
        // SAFETY: created by msc_create_rules_set, freed once, and no transaction can be alive: they borrow us.
        unsafe { (self.instance.functions.msc_rules_cleanup)(self.raw.as_ptr()) };
    }
}

/// One exchange in the library. The caller calls the steps in the order of the methods below and asks for an
/// [`Intervention`] after each; the library itself does not stop after a deny.
#[derive(Debug)]
pub struct Transaction<'r> {
    rules: &'r Rules,
    raw: NonNull<ffi::RawTransaction>,
    /// Ours, from a leaked box: written by [`collect_line`] while one of the steps runs, read between them.
    log: NonNull<Vec<String>>,
}

// SAFETY: a transaction is a heap object without thread affinity, its log sink belongs to it alone, and `Rules` is
// Sync. It is itself not Sync: the pointers see to that.
unsafe impl Send for Transaction<'_> {}

impl Transaction<'_> {
    /// Step 0a: who talks to whom.
    ///
    /// # Errors
    /// When an address has a NUL byte.
    pub fn connection(&mut self, client: (&str, u16), server: (&str, u16)) -> Result<(), NulError> {
        let (client_ip, server_ip) = (CString::new(client.0)?, CString::new(server.0)?);
        let (client_port, server_port) = (c_int::from(client.1), c_int::from(server.1));
        // SAFETY: live transaction, C strings that outlive the call and are copied by it.
        unsafe {
            (self.functions().msc_process_connection)(
                self.raw.as_ptr(),
                client_ip.as_ptr(),
                client_port,
                server_ip.as_ptr(),
                server_port,
            );
        }
        Ok(())
    }

    /// Step 0b: the request line; `uri` as sent, `version` without `HTTP/` (`1.1`).
    ///
    /// # Errors
    /// When one of them has a NUL byte, which the library cannot be told.
    pub fn uri(&mut self, method: &str, uri: &[u8], version: &str) -> Result<(), NulError> {
        let (method, uri, version) = (CString::new(method)?, CString::new(uri)?, CString::new(version)?);
        // SAFETY: live transaction, C strings that outlive the call and are copied by it.
        unsafe {
            (self.functions().msc_process_uri)(
                self.raw.as_ptr(),
                uri.as_ptr(),
                method.as_ptr(),
                version.as_ptr(),
            );
        }
        Ok(())
    }

    /// Adds one request header, bytes as sent, NULs included.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        let function = self.functions().msc_add_n_request_header;
        // SAFETY: live transaction; pointer and length of two slices that outlive the call and are copied by it.
        unsafe { function(self.raw.as_ptr(), name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    }

    /// Phase 1.
    pub fn process_request_headers(&mut self) {
        // SAFETY: live transaction.
        unsafe { (self.functions().msc_process_request_headers)(self.raw.as_ptr()) };
    }

    /// Adds bytes to the request body. May already lead to an intervention (body limit with `Reject`).
    pub fn append_request_body(&mut self, bytes: &[u8]) {
        let function = self.functions().msc_append_request_body;
        // SAFETY: live transaction; pointer and length of a slice that outlives the call and is copied by it.
        unsafe { function(self.raw.as_ptr(), bytes.as_ptr(), bytes.len()) };
    }

    /// Phase 2, which is due even for a request without a body.
    pub fn process_request_body(&mut self) {
        // SAFETY: live transaction.
        unsafe { (self.functions().msc_process_request_body)(self.raw.as_ptr()) };
    }

    /// Adds one response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        let function = self.functions().msc_add_n_response_header;
        // SAFETY: live transaction; pointer and length of two slices that outlive the call and are copied by it.
        unsafe { function(self.raw.as_ptr(), name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    }

    /// Phase 3; `protocol` in full (`HTTP/1.1`).
    ///
    /// # Errors
    /// When `protocol` has a NUL byte.
    pub fn process_response_headers(&mut self, status: u16, protocol: &str) -> Result<(), NulError> {
        let protocol = CString::new(protocol)?;
        let function = self.functions().msc_process_response_headers;
        // SAFETY: live transaction; a C string that outlives the call and is copied by it.
        unsafe { function(self.raw.as_ptr(), c_int::from(status), protocol.as_ptr()) };
        Ok(())
    }

    /// Adds bytes to the response body.
    pub fn append_response_body(&mut self, bytes: &[u8]) {
        let function = self.functions().msc_append_response_body;
        // SAFETY: live transaction; pointer and length of a slice that outlives the call and is copied by it.
        unsafe { function(self.raw.as_ptr(), bytes.as_ptr(), bytes.len()) };
    }

    /// Phase 4.
    pub fn process_response_body(&mut self) {
        // SAFETY: live transaction.
        unsafe { (self.functions().msc_process_response_body)(self.raw.as_ptr()) };
    }

    /// Tells the library which status the client really got, as connectors do after a deny.
    pub fn update_status_code(&mut self, status: u16) {
        // SAFETY: live transaction.
        unsafe { (self.functions().msc_update_status_code)(self.raw.as_ptr(), c_int::from(status)) };
    }

    /// Phase 5 and the audit log. Due after a deny as well.
    pub fn process_logging(&mut self) {
        // SAFETY: live transaction.
        unsafe { (self.functions().msc_process_logging)(self.raw.as_ptr()) };
    }

    /// What the library wants done since the last call, if anything. Asking clears it.
    pub fn intervention(&mut self) -> Option<Intervention> {
        let mut raw = ffi::RawIntervention {
            status: 200,
            pause: 0,
            url: ptr::null_mut(),
            log: ptr::null_mut(),
            disruptive: 0,
        };
        // SAFETY: live transaction; the structure is initialised as the library's own `clean` does.
        let due = unsafe { (self.functions().msc_intervention)(self.raw.as_ptr(), &raw mut raw) };
        // SAFETY: both are null or strings from strdup that the library has handed over.
        let (url, log) = unsafe { (take_string(raw.url), take_string(raw.log)) };
        (due != 0).then(|| Intervention {
            status: u16::try_from(raw.status).unwrap_or(0),
            url,
            disruptive: raw.disruptive != 0,
            log,
        })
    }

    /// The lines of the log callback so far, in order, without a time stamp. The line of a disruptive rule is not
    /// among them: it comes with its [`Intervention`]. Bytes that are not UTF-8 are replaced; a line ends at its
    /// first NUL, as C sees it.
    #[must_use]
    pub fn log(&self) -> &[String] {
        // SAFETY: the callback writes only while a step (`&mut self`) runs, never beside this shared borrow.
        unsafe { self.log.as_ref() }
    }

    fn functions(&self) -> &'static ffi::Functions {
        self.rules.instance.functions
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: created by msc_new_transaction and freed once; rules and instance outlive us by the borrow. The
        // log sink comes from `Box::leak` and goes last, so a line written by the destructor still finds it.
        unsafe {
            (self.functions().msc_transaction_cleanup)(self.raw.as_ptr());
            drop(Box::from_raw(self.log.as_ptr()));
        }
    }
}

/// What the library wants a connector to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intervention {
    /// The status to answer with; 200 where a rule names none and wants no denial (redirects carry 3xx).
    pub status: u16,
    /// Where to redirect to.
    pub url: Option<String>,
    /// Whether it must be acted on.
    pub disruptive: bool,
    /// The log line of the rule, with `[client ..]` before it.
    pub log: Option<String>,
}

/// The library's `ModSecurity` object.
#[derive(Debug)]
struct Instance {
    functions: &'static ffi::Functions,
    raw: NonNull<ffi::RawInstance>,
}

// SAFETY: a heap object without thread affinity; its persistent collections carry their own lock, and creation and
// destruction are serialised by ours.
unsafe impl Send for Instance {}
// SAFETY: as above; after creation it is only read, or changed through collections that lock.
unsafe impl Sync for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        let mut registry = lock();
        registry.live -= 1;
        registry.retired.push(Retired(self.raw));
        // The destructor tears libxml2 and curl down for the whole process, so it waits until nobody is left who
        // might be parsing. Until then a retired instance costs its collections.
        if registry.live == 0 {
            for Retired(raw) in registry.retired.drain(..) {
                // SAFETY: created by msc_init, listed here once, and nothing made from it is alive: rules hold the
                // instance by `Arc`.
                unsafe { (self.functions.msc_cleanup)(raw.as_ptr()) };
            }
        }
    }
}

/// What the process-wide lock guards: how many instances live and which wait to be destroyed.
struct Registry {
    live: usize,
    retired: Vec<Retired>,
}

struct Retired(NonNull<ffi::RawInstance>);

// SAFETY: as for `Instance`; a retired one is touched only by whoever holds the lock.
unsafe impl Send for Retired {}

type AddFunction = unsafe extern "C" fn(*mut ffi::RawRules, *const c_char, *mut *const c_char) -> c_int;

fn lock() -> MutexGuard<'static, Registry> {
    static REGISTRY: Mutex<Registry> = Mutex::new(Registry { live: 0, retired: Vec::new() });
    // A test that panicked while it held the lock has left the counter as it was: nothing to repair.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library's log callback: `data` is the transaction's sink, `line` a C string.
///
/// # Safety
/// Called by the library only, on the thread that runs a step of the transaction whose sink `data` is.
unsafe extern "C" fn collect_line(data: *mut c_void, line: *const c_void) {
    if data.is_null() || line.is_null() {
        return;
    }
    // SAFETY: `data` is the pointer given in `Rules::start`, live as long as the transaction; while a step runs
    // nobody else looks at the vector. `line` is a C string that lives for this call.
    unsafe {
        let sink = &mut *data.cast::<Vec<String>>();
        sink.push(lossy(line.cast::<c_char>()));
    }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn lossy(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Copies and frees a string that the library allocated for its caller.
///
/// # Safety
/// `text` is null or a C string from `malloc` that nobody else frees.
unsafe fn take_string(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; freed once, after the copy.
    unsafe {
        let copy = lossy(text);
        ffi::free(text.cast::<c_void>());
        Some(copy)
    }
}
