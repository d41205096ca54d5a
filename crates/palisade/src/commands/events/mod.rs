//! `palisade events`: questions to the event store of a data folder, which a process may be writing to.

mod shown;

use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use palisade_events::query;
use palisade_events::store::{Cursor, EventStore, Filter, Order, Reader, Table};
use palisade_events::unix_millis;

pub(crate) use self::shown::harmless;
use self::shown::{Style, harmless_json};
use crate::Finding;
use crate::events::STORE;
use crate::flags::{Color, EventsFilterFlags, EventsQueryFlags, EventsTailFlags, Format};

/// How often `tail` looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An event is committed within this time, else `tail` does not wait for it.
const COMMITTED_WITHIN_MILLIS: u64 = 10_000;
/// Records that `tail` takes at once.
const AT_ONCE: usize = 1000;
/// Values of `--count-by`.
const GROUPS_MAX: usize = 1000;

/// Prints a page, or counts. Exit 1 when there is nothing.
pub(crate) fn query(flags: &EventsQueryFlags) -> Result<Finding> {
    let asked = Asked::of(&flags.filter)?;
    let mut out = std::io::stdout().lock();
    if let Some(field) = &flags.count_by {
        let limit = flags.limit.min(GROUPS_MAX);
        let groups = asked.reader.groups(asked.table, &asked.filter, field, limit)?;
        for (value, count) in &groups {
            match asked.format {
                Format::Json => {
                    let line = serde_json::json!({field: value, "count": count}).to_string();
                    writeln!(out, "{}", harmless_json(&line))?;
                }
                Format::Text => writeln!(out, "{count:>10}  {}", harmless(value))?,
            }
        }
        return Ok(if groups.is_empty() { Finding::Something } else { Finding::Nothing });
    }
    let after = flags.cursor.as_deref().map(str::parse::<Cursor>).transpose()?;
    let order = if flags.oldest_first { Order::OldestFirst } else { Order::NewestFirst };
    let page = asked.reader.page(asked.table, &asked.filter, order, after, flags.limit)?;
    for record in &page.items {
        asked.print(&mut out, &record.json)?;
    }
    out.flush()?;
    if let Some(next) = page.next {
        say!("palisade: there are more: --cursor {next}");
    }
    Ok(if page.items.is_empty() { Finding::Something } else { Finding::Nothing })
}

/// Prints the last records, then further ones until its reader goes away.
pub(crate) fn tail(flags: &EventsTailFlags) -> Result<Finding> {
    let asked = Asked::of(&flags.filter)?;
    if asked.filter.to_unix_millis.is_some() {
        bail!("tail goes on into the future: leave out --until, or ask by `palisade events query`");
    }
    let mut out = std::io::stdout().lock();
    // Before it looks, so that nothing falls between what is there and what comes.
    let began = Cursor::at(unix_millis());
    let mut after = began;
    if flags.lines > 0 {
        let page = asked.reader.page(asked.table, &asked.filter, Order::NewestFirst, None, flags.lines)?;
        for record in page.items.iter().rev() {
            asked.print(&mut out, &record.json)?;
        }
        after = page.places.first().copied().unwrap_or(began).max(began);
    }
    out.flush()?;
    loop {
        let page = asked.reader.page(asked.table, &asked.filter, Order::OldestFirst, Some(after), AT_ONCE)?;
        for record in &page.items {
            asked.print(&mut out, &record.json)?;
        }
        out.flush()?;
        if let Some(next) = page.next {
            after = next;
            continue;
        }
        after = page.places.last().copied().unwrap_or(after);
        // What is older than this has been looked at and need not be again.
        after = after.max(Cursor::at(unix_millis().saturating_sub(COMMITTED_WITHIN_MILLIS)));
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Prints what fields there are.
pub(crate) fn fields() -> Result<Finding> {
    std::io::stdout().write_all(palisade_events::reference().as_bytes())?;
    Ok(Finding::Nothing)
}

/// What the flags ask for.
struct Asked {
    reader: Reader,
    table: Table,
    filter: Filter,
    format: Format,
    style: Style,
}

impl Asked {
    fn of(flags: &EventsFilterFlags) -> Result<Self> {
        let folder = flags.data_dir.join(STORE);
        if !folder.is_dir() {
            bail!(
                "there is no event store in `{}`: name the data folder of a process by --data-dir DIR",
                flags.data_dir.display()
            );
        }
        let question = flags.query.as_deref().unwrap_or_default();
        let query = query::parse(question).with_context(|| format!("`{question}`"))?;
        let now = unix_millis();
        let when = |flag: &str, text: &Option<String>| {
            text.as_deref()
                .map(|text| query::moment(text, now).with_context(|| format!("{flag} `{text}`")))
                .transpose()
        };
        let filter = Filter {
            from_unix_millis: when("--since", &flags.since)?,
            to_unix_millis: when("--until", &flags.until)?,
            service: flags.service.clone(),
            dataplane: flags.dataplane.clone(),
            kind: flags.kind.clone(),
            action: flags.action.clone(),
            source: flags.source.clone(),
            attack: flags.attack.clone(),
            rule: flags.rule,
            text: flags.text.clone(),
            query,
        };
        let colours = match flags.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        Ok(Self {
            reader: Reader::new(&folder),
            table: if flags.l7 { Table::Traffic } else { Table::Events },
            filter,
            format: flags.format,
            style: Style { colours },
        })
    }

    fn print(&self, out: &mut impl Write, json: &str) -> std::io::Result<()> {
        match (self.format, self.table) {
            (Format::Json, _) => writeln!(out, "{}", harmless_json(json)),
            (Format::Text, Table::Events) => out.write_all(self.style.event(json).as_bytes()),
            (Format::Text, Table::Traffic) => out.write_all(self.style.traffic(json).as_bytes()),
        }
    }
}
