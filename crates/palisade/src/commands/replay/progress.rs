//! How far a replay is, on standard error where that is a terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// A bar.
pub(crate) struct Progress {
    all: u64,
    shown: Option<Instant>,
    talks: bool,
}

/// Cells of the bar.
const CELLS: u64 = 40;
const EVERY: Duration = Duration::from_millis(100);

impl Progress {
    pub(crate) fn new(all: u64) -> Self {
        Self { all: all.max(1), shown: None, talks: std::io::stderr().is_terminal() }
    }

    /// Says how much is done, a few times a second at most.
    pub(crate) fn show(&mut self, done: u64) {
        if !self.talks || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        eprint!("\r{}", bar(done, self.all));
    }

    pub(crate) fn end(&self) {
        if self.shown.is_some() {
            eprint!("\r{:60}\r", "");
        }
    }
}

fn bar(done: u64, all: u64) -> String {
    let done = done.min(all);
    let share = |of: u64| (u128::from(done) * u128::from(of) / u128::from(all)) as u64;
    let cells = share(CELLS) as usize;
    format!("replaying [{:40}] {:3} %", "=".repeat(cells), share(100))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_fills_and_never_overflows() {
        assert_eq!(bar(0, 10), format!("replaying [{}]   0 %", " ".repeat(40)));
        assert_eq!(bar(5, 10), format!("replaying [{}{}]  50 %", "=".repeat(20), " ".repeat(20)));
        assert_eq!(bar(u64::MAX, u64::MAX), format!("replaying [{}] 100 %", "=".repeat(40)));
        assert_eq!(bar(11, 10), bar(10, 10));
    }
}
