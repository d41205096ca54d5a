//! SecLang, the language of ModSecurity rule files: text to syntax tree, with diagnostics.
//!
//! ```text
//! sources ──Loader──> files ──parse──> directives ──includes──> Program ──check──> Loaded
//!                                          │                                  diagnostics, source map
//!                                        print ──> text
//! ```
//!
//! What lives here: reading ([`load()`], [`parse()`]), the tree ([`ast`]), what is wrong with it ([`Diagnostic`]), and
//! writing it down again ([`print()`]). What does not: regular expressions are not compiled, data files not read, updates
//! and removals not applied; that is the engine's. No file is opened here either: a [`Loader`] brings them.
//!
//! The one idea to hold: everything that was written keeps its place, so whoever finds something wrong later can
//! still point at it. Any bytes may come in; the cost is linear in them and bounded by [`Limits`].
//!
//! Where engines differ this follows ModSecurity 3, and is wider where Apache or Coraza take more (single quotes,
//! `id: 1`, empty operator arguments, quotes inside quotes). Differences from ModSecurity 3: `\"` and `\'` inside
//! quotes lose their backslash; a continued line keeps the indentation of its second half, as in Apache; unknown
//! names in macros are text with a warning.

pub mod ast;
mod check;
mod diagnostic;
mod glob;
mod limits;
mod load;
mod names;
mod parse;
mod print;
mod source;
mod text;

pub use check::check;
pub use diagnostic::{Diagnostic, Severity, Style, codes};
pub use glob::{glob_matches, is_glob};
pub use limits::Limits;
pub use load::{LoadError, Loaded, Loader, MemoryLoader, Program, load, load_with};
pub use names::{ACTIONS, CTLS, DIRECTIVES};
pub use parse::parse;
pub use print::print;
pub use source::{Source, SourceMap, resolve};
