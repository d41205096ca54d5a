//! Bounds of what is read. Each says what happens when it is reached.

/// Bounds of loading and parsing; the defaults are some ten times what CRS with its plugins needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file. A larger one is not read at all: an error.
    pub file_bytes_max: usize,
    /// Bytes of all files together. The file that crosses it, and those after it, are not read: an error.
    pub total_bytes_max: usize,
    /// Bytes of one line after its continuation lines are joined. A longer one is skipped: an error.
    pub line_bytes_max: usize,
    /// Files, the named ones and the included ones. Further ones are not read: an error.
    pub files_max: usize,
    /// Nesting of includes. A deeper one is not followed: an error.
    pub include_depth_max: usize,
    /// Directives of a program. Reading stops there: an error.
    pub directives_max: usize,
    /// Nesting of `<IfModule>` and its like. Reading of the file stops there: an error.
    pub block_depth_max: usize,
    /// Diagnostics that are kept. Those beyond are counted, and the last one kept says how many there were.
    pub diagnostics_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes_max: 16 << 20,
            total_bytes_max: 64 << 20,
            line_bytes_max: 1 << 20,
            files_max: 1024,
            include_depth_max: 16,
            directives_max: 200_000,
            block_depth_max: 32,
            diagnostics_max: 1000,
        }
    }
}
