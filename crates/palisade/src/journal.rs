//! What becomes of ended exchanges: lines in the error log.

use palisade_dataplane::{Ended, Journal, Remark};
use palisade_events::LogWriter;

/// Writes the error log: the rules' lines of an exchange, then our own.
#[derive(Debug)]
pub(crate) struct ErrorLines {
    log: LogWriter,
}

impl ErrorLines {
    pub(crate) fn new(log: LogWriter) -> Self {
        Self { log }
    }
}

impl Journal for ErrorLines {
    fn ended(&self, ended: Ended) {
        let mut lines = ended.report.map(|report| report.error_log_lines()).unwrap_or_default();
        lines.extend(ended.notes);
        self.log.append(lines);
    }

    fn remark(&self, remark: Remark) {
        self.log.append([remark.line]);
    }
}
