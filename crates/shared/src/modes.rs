//! Modes of services in common: what is set on one process, or given back there to its file, is so on all.
//!
//! Redis holds one word a service, the last one that was said, and a number that grows with each change, from a start that
//! only a later history can have. Who asks tells what it has and the others have not, and hears all of it where the number
//! is another one. The later word counts, wherever it was said, and of two at once the one that came to Redis first. So what
//! was said while Redis was away counts when it is back, and who was away hears what was said meanwhile.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use palisade_lists::Moment;
use tokio::sync::Notify;

use crate::client::{Client, Failure, Link};
use crate::counts::add;
use crate::reply;

/// Modes of this process that were set while it ran.
pub trait Modes: Send + Sync {
    /// The time, as words count it.
    fn now(&self) -> Moment;
    /// The last word on each service of which anything was ever said.
    fn words(&self) -> Vec<ModeWord>;
    /// Does what others said, unless a later word was said here.
    fn hear(&self, words: Vec<ModeWord>);
    /// Wakes when something was said here.
    fn wake(&self) -> Arc<Notify>;
}

/// What was said of a service's mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeWord {
    /// Of which service.
    pub service: String,
    /// When.
    pub at: Moment,
    /// The mode; `None`: what the file says.
    pub mode: Option<String>,
    /// By whom.
    pub by: String,
    /// What for.
    pub reason: String,
}

/// How often others are asked.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Words that are told at once.
const BATCH: usize = 500;
/// Services of which Redis holds a word.
const SERVICES_MAX: &str = "10000";
/// Bytes of a word, and of a service's name.
pub(crate) const WORD_BYTES_MAX: usize = 2048;
/// A word from further ahead is none: nobody could ever say another one.
pub(crate) const AHEAD_MS_MAX: u64 = 24 * 3600 * 1000;
/// Bytes of who said it, and of what for.
const TEXT_BYTES_MAX: usize = 900;

impl ModeWord {
    /// The time in 16 digits, the mode or nothing, by whom and what for, a line each.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let line = |text: &str| {
            let mut line = text.replace(char::is_control, " ");
            line.truncate(line.floor_char_boundary(TEXT_BYTES_MAX));
            line
        };
        let mode = self.mode.as_deref().unwrap_or_default();
        format!("{:016}\n{mode}\n{}\n{}", self.at.0, line(&self.by), line(&self.reason)).into_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` where it is something else.
    pub(crate) fn decode(service: &[u8], word: &[u8], now: Moment) -> Option<Self> {
        let (service, word) = (std::str::from_utf8(service).ok()?, std::str::from_utf8(word).ok()?);
        let mut lines = word.split('\n');
        let (at, mode, by, reason) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        let is_time = at.len() == 16 && at.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = lines.next().is_none()
            && word.len().max(service.len()) <= WORD_BYTES_MAX
            && ![service, mode, by, reason].into_iter().any(|text| text.contains(char::is_control));
        let at = at.parse().ok().filter(|at| is_time && is_whole && *at <= now.0 + AHEAD_MS_MAX)?;
        Some(Self {
            service: service.to_owned(),
            at: Moment(at),
            mode: Some(mode.to_owned()).filter(|mode| !mode.is_empty()),
            by: by.to_owned(),
            reason: reason.to_owned(),
        })
    }
}

/// Tells and hears of modes, for ever.
pub(crate) async fn run(client: Arc<Client>, modes: Arc<dyn Modes>) {
    loop {
        let link = client.link().await;
        let why = match exchange(&client, &link, &*modes).await {
            Ok(never) => match never {},
            Err(why) => why,
        };
        client.lost(link.number(), &why);
    }
}

async fn exchange(client: &Client, link: &Link, modes: &dyn Modes) -> Result<Infallible, Failure> {
    let keys = ["modes", "modes:serial"].map(|name| link.key(name));
    let wake = modes.wake();
    let mut serial = String::new();
    let mut heard: HashMap<String, ModeWord> = HashMap::new();
    loop {
        let mut arguments: Vec<Vec<u8>> =
            vec![serial.clone().into(), SERVICES_MAX.into(), WORD_BYTES_MAX.to_string().into()];
        let is_news = |word: &ModeWord| heard.get(&word.service).is_none_or(|there| word.at > there.at);
        for word in modes.words().into_iter().filter(is_news).take(BATCH) {
            arguments.extend([word.service.clone().into_bytes(), word.encode()]);
        }
        let answer = link.run(include_str!("scripts/modes.lua"), &keys, &arguments).await?;
        let news = reply::modes(&answer, modes.now()).ok_or("its modes cannot be read")?;
        add(&client.counts.unreadable, news.unreadable);
        if news.serial != serial {
            heard = news.words.iter().map(|word| (word.service.clone(), word.clone())).collect();
            serial = news.serial;
            modes.hear(news.words);
        }
        // Always: what Redis does not take is not told without a pause.
        let _ = tokio::time::timeout(ASK_EVERY, wake.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_700_000_000_000);

    fn word(at: u64, mode: Option<&str>, by: &str) -> ModeWord {
        ModeWord {
            service: "web".to_owned(),
            at: Moment(at),
            mode: mode.map(str::to_owned),
            by: by.to_owned(),
            reason: String::new(),
        }
    }

    #[test]
    fn a_word_is_read_as_it_was_written_and_nothing_else_is_one() {
        for word in [word(5, Some("block"), "ann"), word(6, None, "é")] {
            assert_eq!(ModeWord::decode(b"web", &word.encode(), NOW), Some(word));
        }
        let long = ModeWord { reason: "é\n".repeat(5_000), ..word(5, None, "a\nb") };
        let read = ModeWord::decode(b"web", &long.encode(), NOW).unwrap();
        assert!(read.by == "a b" && read.reason.starts_with("é é "), "{read:?}");
        let ahead = format!("{:016}\nblock\na\n", NOW.0 + AHEAD_MS_MAX + 1);
        for text in
            ["", "5\nblock\na\n", "0000000000000005\nblock\na", "+000000000000005\nblock\na\n", &ahead]
        {
            assert_eq!(ModeWord::decode(b"web", text.as_bytes(), NOW), None, "{text:?}");
        }
        assert_eq!(ModeWord::decode(b"a\nb", &word(5, None, "").encode(), NOW), None);
        assert_eq!(ModeWord::decode(b"\xff", &word(5, None, "").encode(), NOW), None);
    }
}
