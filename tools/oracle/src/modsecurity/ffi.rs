//! The C interface of `libmodsecurity.so.3` as a table of function pointers.
//!
//! Signatures are those of `modsecurity/{modsecurity,rules_set,transaction,intervention}.h` in 3.0.9. Only what the
//! wrapper calls is listed. This is the one place that trusts the library to be what its name says.

use std::error::Error;
use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::sync::OnceLock;

use libloading::Library;

use super::Unavailable;

/// `modsecurity::ModSecurity`, only ever seen behind a pointer.
#[repr(C)]
pub(super) struct RawInstance {
    _opaque: [u8; 0],
}

/// `modsecurity::RulesSet`, only ever seen behind a pointer.
#[repr(C)]
pub(super) struct RawRules {
    _opaque: [u8; 0],
}

/// `modsecurity::Transaction`, only ever seen behind a pointer.
#[repr(C)]
pub(super) struct RawTransaction {
    _opaque: [u8; 0],
}

/// `ModSecurityIntervention`. The library fills `url` and `log` with `strdup`; the caller frees them.
#[repr(C)]
pub(super) struct RawIntervention {
    pub(super) status: c_int,
    pub(super) pause: c_int,
    pub(super) url: *mut c_char,
    pub(super) log: *mut c_char,
    pub(super) disruptive: c_int,
}

/// `ModSecLogCb`: the transaction's own pointer and, without the rule-message property, a C string.
pub(super) type LogCallback = unsafe extern "C" fn(*mut c_void, *const c_void);

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// Every function that the wrapper calls, resolved once.
        #[derive(Debug)]
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            /// # Safety
            /// `library` must be libmodsecurity 3 and stay loaded for as long as the pointers are used.
            unsafe fn resolve(library: &Library) -> Result<Self, libloading::Error> {
                // SAFETY: the caller vouches for the library; the types are those of its public headers.
                unsafe {
                    Ok(Self {
                        $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)*
                    })
                }
            }
        }
    };
}

functions! {
    msc_init: fn() -> *mut RawInstance;
    msc_cleanup: fn(*mut RawInstance);
    msc_who_am_i: fn(*mut RawInstance) -> *const c_char;
    msc_set_log_cb: fn(*mut RawInstance, LogCallback);
    msc_create_rules_set: fn() -> *mut RawRules;
    msc_rules_add: fn(*mut RawRules, *const c_char, *mut *const c_char) -> c_int;
    msc_rules_add_file: fn(*mut RawRules, *const c_char, *mut *const c_char) -> c_int;
    msc_rules_cleanup: fn(*mut RawRules) -> c_int;
    msc_new_transaction: fn(*mut RawInstance, *mut RawRules, *mut c_void) -> *mut RawTransaction;
    msc_new_transaction_with_id: fn(*mut RawInstance, *mut RawRules, *mut c_char, *mut c_void) -> *mut RawTransaction;
    msc_transaction_cleanup: fn(*mut RawTransaction);
    msc_process_connection: fn(*mut RawTransaction, *const c_char, c_int, *const c_char, c_int) -> c_int;
    msc_process_uri: fn(*mut RawTransaction, *const c_char, *const c_char, *const c_char) -> c_int;
    msc_add_n_request_header: fn(*mut RawTransaction, *const c_uchar, usize, *const c_uchar, usize) -> c_int;
    msc_process_request_headers: fn(*mut RawTransaction) -> c_int;
    msc_append_request_body: fn(*mut RawTransaction, *const c_uchar, usize) -> c_int;
    msc_process_request_body: fn(*mut RawTransaction) -> c_int;
    msc_add_n_response_header: fn(*mut RawTransaction, *const c_uchar, usize, *const c_uchar, usize) -> c_int;
    msc_process_response_headers: fn(*mut RawTransaction, c_int, *const c_char) -> c_int;
    msc_append_response_body: fn(*mut RawTransaction, *const c_uchar, usize) -> c_int;
    msc_process_response_body: fn(*mut RawTransaction) -> c_int;
    msc_process_logging: fn(*mut RawTransaction) -> c_int;
    msc_update_status_code: fn(*mut RawTransaction, c_int) -> c_int;
    msc_intervention: fn(*mut RawTransaction, *mut RawIntervention) -> c_int;
}

unsafe extern "C" {
    /// The C library's `free`, which owns what `strdup` in the library gave out.
    pub(super) fn free(memory: *mut c_void);
}

/// The library, loaded at the first call and kept for the life of the process: its destructors run at exit, and
/// unloading C++ code that other threads may still be in has no safe moment.
pub(super) fn functions() -> Result<&'static Functions, Unavailable> {
    static LOADED: OnceLock<Result<(Library, Functions), Unavailable>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let unavailable = |error: libloading::Error| {
            // The loader's own words are the source; the error itself only says that it failed.
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Unavailable { library: SONAME, why }
        };
        // SAFETY: loading runs the library's C++ static initialisers, which only set up its own tables.
        let library = unsafe { Library::new(SONAME) }.map_err(unavailable)?;
        // SAFETY: the soname fixes the interface to libmodsecurity 3, and the library is stored beside its
        // pointers in a static, so it is never unloaded.
        let functions = unsafe { Functions::resolve(&library) }.map_err(unavailable)?;
        Ok((library, functions))
    });
    loaded.as_ref().map(|(_, functions)| functions).map_err(Clone::clone)
}

const SONAME: &str = "libmodsecurity.so.3";
