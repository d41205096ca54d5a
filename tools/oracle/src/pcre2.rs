//! PCRE2's 8-bit library, as Debian ships it, to compare our matching with.
//!
//! Loaded when a test asks for it and never linked, so that nothing we build depends on it. Patterns are compiled
//! without UTF and matched by the interpreter, with a match limit.

use std::ffi::{c_int, c_void};
use std::fmt;
use std::ptr;
use std::sync::Arc;

use libloading::Library;

/// `PCRE2_CASELESS`.
pub const CASELESS: u32 = 0x0000_0008;
/// `PCRE2_DOLLAR_ENDONLY`.
pub const DOLLAR_ENDONLY: u32 = 0x0000_0010;
/// `PCRE2_DOTALL`.
pub const DOTALL: u32 = 0x0000_0020;
/// `PCRE2_MULTILINE`.
pub const MULTILINE: u32 = 0x0000_0400;
/// `PCRE2_NO_AUTO_POSSESS`.
pub const NO_AUTO_POSSESS: u32 = 0x0000_4000;
/// `PCRE2_NO_DOTSTAR_ANCHOR`.
pub const NO_DOTSTAR_ANCHOR: u32 = 0x0000_8000;
/// `PCRE2_NO_START_OPTIMIZE`.
pub const NO_START_OPTIMIZE: u32 = 0x0001_0000;

const NO_MATCH: c_int = -1;
const CONFIG_VERSION: u32 = 11;
const UNSET: usize = usize::MAX;
/// A tenth of the default of PCRE2: an answer or a quick end.
const MATCH_LIMIT: u32 = 1_000_000;

type Compile =
    unsafe extern "C" fn(*const u8, usize, u32, *mut c_int, *mut usize, *mut c_void) -> *mut c_void;
type Match =
    unsafe extern "C" fn(*const c_void, *const u8, usize, usize, u32, *mut c_void, *mut c_void) -> c_int;
type CreateFromPattern = unsafe extern "C" fn(*const c_void, *mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type SetLimit = unsafe extern "C" fn(*mut c_void, u32) -> c_int;
type OvectorPointer = unsafe extern "C" fn(*mut c_void) -> *mut usize;
type OvectorCount = unsafe extern "C" fn(*mut c_void) -> u32;
type ErrorMessage = unsafe extern "C" fn(c_int, *mut u8, usize) -> c_int;
type Config = unsafe extern "C" fn(u32, *mut c_void) -> c_int;

/// The loaded library.
#[derive(Clone)]
pub struct Pcre2(Arc<Functions>);

struct Functions {
    compile: Compile,
    code_free: Free,
    match_data_create: CreateFromPattern,
    match_data_free: Free,
    match_: Match,
    match_context: *mut c_void,
    match_context_free: Free,
    ovector_pointer: OvectorPointer,
    ovector_count: OvectorCount,
    error_message: ErrorMessage,
    version: String,
    /// Keeps the functions above where they are.
    _library: Library,
}

// SAFETY: the functions are plain code, and the match context is only read after `Pcre2::load` has filled it; PCRE2
// documents contexts as shareable between threads while nobody changes them.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

impl Drop for Functions {
    fn drop(&mut self) {
        // SAFETY: made by pcre2_match_context_create_8 and freed once, here.
        unsafe { (self.match_context_free)(self.match_context) }
    }
}

/// A compiled pattern.
pub struct Code {
    library: Pcre2,
    code: *mut c_void,
    match_data: *mut c_void,
    subject: Vec<u8>,
}

/// Why PCRE2 refused a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Where, in bytes.
    pub offset: usize,
    /// In PCRE2's words.
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for CompileError {}

/// What a match attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The groups' ranges, group 0 first, one entry for each group of the pattern.
    Match(Vec<Option<(usize, usize)>>),
    /// There is no match.
    NoMatch,
    /// PCRE2's error code, for example -47 at the match limit.
    Error(i32),
}

impl Pcre2 {
    /// Loads `libpcre2-8.so.0`.
    ///
    /// # Errors
    /// The loader's message, when the library is not installed (Debian: `libpcre2-8-0`) or lacks a function.
    pub fn load() -> Result<Pcre2, libloading::Error> {
        // SAFETY: the library's initialisers have no preconditions. Each symbol is given the type that pcre2.h of
        // 10.42 declares for it, and the pointers live no longer than `_library`.
        unsafe {
            let library = Library::new("libpcre2-8.so.0")?;
            let context_create: Create = *library.get(b"pcre2_match_context_create_8\0")?;
            let set_match_limit: SetLimit = *library.get(b"pcre2_set_match_limit_8\0")?;
            let config: Config = *library.get(b"pcre2_config_8\0")?;
            let mut version = [0u8; 64];
            let length = config(CONFIG_VERSION, ptr::null_mut());
            if (1..64).contains(&length) {
                config(CONFIG_VERSION, version.as_mut_ptr().cast());
            }
            let version = version.iter().take_while(|b| **b != 0).map(|&b| char::from(b)).collect();
            let context = context_create(ptr::null_mut());
            assert!(!context.is_null(), "pcre2 found no memory");
            set_match_limit(context, MATCH_LIMIT);
            Ok(Pcre2(Arc::new(Functions {
                compile: *library.get(b"pcre2_compile_8\0")?,
                code_free: *library.get(b"pcre2_code_free_8\0")?,
                match_data_create: *library.get(b"pcre2_match_data_create_from_pattern_8\0")?,
                match_data_free: *library.get(b"pcre2_match_data_free_8\0")?,
                match_: *library.get(b"pcre2_match_8\0")?,
                match_context: context,
                match_context_free: *library.get(b"pcre2_match_context_free_8\0")?,
                ovector_pointer: *library.get(b"pcre2_get_ovector_pointer_8\0")?,
                ovector_count: *library.get(b"pcre2_get_ovector_count_8\0")?,
                error_message: *library.get(b"pcre2_get_error_message_8\0")?,
                version,
                _library: library,
            })))
        }
    }

    /// The version, as in `10.42 2022-12-11`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Compiles a pattern of bytes with the given options (`DOTALL | MULTILINE` for ModSecurity).
    ///
    /// # Errors
    /// What PCRE2 says, with its offset.
    pub fn compile(&self, pattern: &[u8], options: u32) -> Result<Code, CompileError> {
        let (mut error, mut offset) = (0, 0);
        // SAFETY: pointer and length describe `pattern`, which PCRE2 does not keep; a null context means defaults.
        let code = unsafe {
            (self.0.compile)(
                pattern.as_ptr(),
                pattern.len(),
                options,
                &mut error,
                &mut offset,
                ptr::null_mut(),
            )
        };
        if code.is_null() {
            let mut message = [0u8; 256];
            // SAFETY: the buffer is ours and its size is given; PCRE2 ends the text with a zero byte.
            unsafe { (self.0.error_message)(error, message.as_mut_ptr(), message.len()) };
            let message = message.iter().take_while(|b| **b != 0).map(|&b| char::from(b)).collect();
            return Err(CompileError { offset, message });
        }
        // SAFETY: `code` was compiled just now; a null context means the default allocator.
        let match_data = unsafe { (self.0.match_data_create)(code, ptr::null_mut()) };
        assert!(!match_data.is_null(), "pcre2 found no memory");
        Ok(Code { library: self.clone(), code, match_data, subject: Vec::new() })
    }
}

impl Code {
    /// Searches from `start`; look-around sees what lies before it.
    pub fn search(&mut self, subject: &[u8], start: usize) -> Outcome {
        assert!(start <= subject.len(), "the start lies in the subject");
        let functions = &self.library.0;
        // 10.42 reads one byte beyond the subject in some searches (seen with an empty one, on Debian's build), so it
        // gets a copy with room behind it.
        self.subject.clear();
        self.subject.extend_from_slice(subject);
        self.subject.extend_from_slice(&[0; 8]);
        // SAFETY: code and match data belong together and live as long as self; `&mut self` keeps other users of the
        // match data away; pointer and length describe our copy of `subject`; the match context is only read.
        let code = unsafe {
            (functions.match_)(
                self.code,
                self.subject.as_ptr(),
                subject.len(),
                start,
                0,
                self.match_data,
                functions.match_context,
            )
        };
        if code == NO_MATCH {
            return Outcome::NoMatch;
        }
        if code < 0 {
            return Outcome::Error(code);
        }
        // SAFETY: the vector belongs to the match data, holds two values for each of its groups, and nobody writes
        // to it before the next match.
        let ovector = unsafe {
            let pairs = (functions.ovector_count)(self.match_data) as usize;
            std::slice::from_raw_parts((functions.ovector_pointer)(self.match_data), 2 * pairs)
        };
        let set = usize::try_from(code).expect("it is not negative");
        Outcome::Match(
            ovector
                .chunks_exact(2)
                .enumerate()
                .map(|(i, pair)| (i < set && pair[0] != UNSET).then_some((pair[0], pair[1])))
                .collect(),
        )
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: both were made by the library in `compile` and are freed once, here.
        unsafe {
            (self.library.0.match_data_free)(self.match_data);
            (self.library.0.code_free)(self.code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_library_compiles_and_matches() {
        let Ok(pcre2) = Pcre2::load() else {
            println!("skipped: libpcre2-8.so.0 is not installed");
            return;
        };
        assert!(pcre2.version().starts_with("10."), "{}", pcre2.version());
        let mut code = pcre2.compile(b"(a)|(b+)|(c)", DOTALL | MULTILINE).expect("it is a pattern");
        assert_eq!(code.search(b"xbb", 0), Outcome::Match(vec![Some((1, 3)), None, Some((1, 3)), None]));
        assert_eq!(code.search(b"xbb", 3), Outcome::NoMatch);
        assert_eq!(pcre2.compile(b"ab(", 0).err().map(|e| e.offset), Some(3));
    }
}
