//! A summary that goes on: one line that changes on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Where it is shown.
pub(super) struct Live {
    terminal: bool,
    began: Instant,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), began: Instant::now() }
    }

    /// Shows what there is to say, for as long as it is asked.
    pub(super) async fn show(&self, summary: impl Fn() -> String) {
        let every = Duration::from_secs(if self.terminal { 1 } else { 5 });
        loop {
            tokio::time::sleep(every).await;
            self.line(&summary(), if self.terminal { Place::Again } else { Place::Next });
        }
    }

    /// The last word.
    pub(super) fn last(&mut self, summary: &str) {
        self.line(summary, if self.terminal { Place::AgainAndNext } else { Place::Next });
    }

    fn line(&self, summary: &str, place: Place) {
        let seconds = self.began.elapsed().as_secs();
        // Back to the beginning of the line, and nothing left of what stood there.
        let (before, after) = match place {
            Place::Next => ("", "\n"),
            Place::Again => ("\r\x1b[2K", ""),
            Place::AgainAndNext => ("\r\x1b[2K", "\n"),
        };
        let mut out = std::io::stdout();
        let _ = write!(out, "{before}{seconds} s | {summary}{after}");
        let _ = out.flush();
    }
}

#[derive(Clone, Copy)]
enum Place {
    Next,
    Again,
    AgainAndNext,
}
