//! SecLang, the language of ModSecurity rule files: text to syntax tree, with diagnostics.

pub mod ast;
