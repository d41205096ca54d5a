//! A walk: what is done, what is expected, what is seen, step by step; and whether all of it was so.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use palisade_sim::{Call, Client, Reply};

use crate::Finding;
use crate::commands::demo::print;

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    steps: usize,
    differ: usize,
}

/// How long something may take to become so, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

impl Walk {
    /// Begins, with what it leaves out of the article's.
    pub(super) fn begin(title: &str, leaves_out: &[impl Display]) -> Result<Self> {
        print(&format!("{title}\n"))?;
        for left_out in leaves_out {
            print(&format!("  leaves out: {left_out}\n"))?;
        }
        Ok(Self { steps: 0, differ: 0 })
    }

    /// A heading.
    pub(super) fn part(&self, words: &str) -> Result<()> {
        print(&format!("\n{words}\n"))
    }

    /// A step: what was done, and what came of it. The two are the same text, or it differs.
    pub(super) fn step(
        &mut self,
        done: impl Display,
        expected: impl Display,
        seen: impl Display,
    ) -> Result<()> {
        self.steps += 1;
        let (expected, seen) = (expected.to_string(), seen.to_string());
        let differs = expected != seen;
        self.differ += usize::from(differs);
        let mark = if differs { "   <- DIFFERS" } else { "" };
        print(&format!("{:3}. {done}\n     expected  {expected}\n     seen      {seen}{mark}\n", self.steps))
    }

    /// A step about something that has to hold.
    pub(super) fn holds(
        &mut self,
        done: impl Display,
        expected: &str,
        seen: bool,
        else_seen: impl Display,
    ) -> Result<()> {
        match seen {
            true => self.step(done, expected, expected),
            false => self.step(done, expected, else_seen),
        }
    }

    /// How it went.
    pub(super) fn end(self) -> Result<Finding> {
        let Self { steps, differ } = self;
        match differ {
            0 => print(&format!("\n{steps} steps, all as expected\n"))?,
            _ => print(&format!("\n{differ} of {steps} steps differ\n"))?,
        }
        Ok(if differ == 0 && steps > 0 { Finding::Nothing } else { Finding::Something })
    }
}

/// Asks again and again until the answer is as expected, or patience is over; the last answer.
pub(super) async fn becomes<F: Future<Output = String>>(
    expected: &str,
    mut ask: impl FnMut() -> F,
) -> String {
    let begun = Instant::now();
    loop {
        let seen = ask().await;
        if seen == expected || begun.elapsed() > PATIENCE {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until something is there, but not for ever.
pub(super) async fn waited<T>(patience: Duration, mut there: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = there();
        if found.is_some() || begun.elapsed() > patience {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The same for a line of a log.
pub(super) async fn line(read: impl Fn() -> String, holds: &[&str]) -> Option<String> {
    let is_it = |line: &&str| holds.iter().all(|part| line.contains(part));
    waited(PATIENCE, || read().lines().find(is_it).map(str::to_owned)).await
}

/// The status of an answer, or that there is none.
pub(super) async fn status(client: &Client, call: Call) -> String {
    words(&client.ask(call).await.ok())
}

/// `200`, `no answer`.
pub(super) fn words(reply: &Option<Reply>) -> String {
    reply.as_ref().map_or_else(|| "no answer".to_owned(), |reply| reply.status.to_string())
}
