//! One HTTP exchange as data.

pub mod fields;
pub use fields::Fields;
