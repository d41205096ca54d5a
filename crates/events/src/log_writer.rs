//! A log that is written behind its callers' backs: lines are queued by exchanges and written by a thread of their own.
//!
//! The queue is one buffer of bytes with a bound: an exchange appends its lines in one go, so they stay together and
//! in order, and the writer takes all that is there with one write. When the bound is met lines are dropped and
//! counted; a request never waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes that may wait to be written: some 10,000 lines.
const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A handle to the log; clones write to the same one. The writer ends, with everything written, when the last
/// handle is gone.
#[derive(Clone, Debug)]
pub struct LogWriter {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the writer.
    filled: Condvar,
    /// Wakes who waits for the writer.
    written: Condvar,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    lines: u64,
    writing: bool,
    reopen: bool,
    closed: bool,
    ended: bool,
}

enum Sink {
    Stderr,
    File { path: PathBuf, file: File },
    Writer(Box<dyn Write + Send>),
}

impl LogWriter {
    /// Lines go to standard error.
    pub fn stderr() -> Self {
        Self::start(Sink::Stderr)
    }

    /// Lines are appended to a file, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let file = open(&path)?;
        Ok(Self::start(Sink::File { path, file }))
    }

    /// Lines go to a writer.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::start(Sink::Writer(Box::new(writer)))
    }

    fn start(sink: Sink) -> Self {
        let shared = Arc::new(Shared::default());
        let writers = shared.clone();
        let thread =
            thread::Builder::new().name("log-writer".into()).spawn(move || write_all(&writers, sink));
        if thread.is_err() {
            // No thread to be had: everything is dropped, and counted.
            shared.lock().ended = true;
        }
        Self { handle: Arc::new(Handle { shared }) }
    }

    /// Queues lines (without line ends) as one piece. They are in the file soon after.
    pub fn append<L: AsRef<str>>(&self, lines: impl IntoIterator<Item = L>) {
        let shared = &self.handle.shared;
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_none() {
            return;
        }
        let mut queue = shared.lock();
        for line in lines {
            let line = line.as_ref();
            if queue.ended || queue.bytes.len() + line.len() + 1 > QUEUE_BYTES_MAX {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            queue.bytes.extend_from_slice(line.as_bytes());
            queue.bytes.push(b'\n');
            queue.lines += 1;
        }
        drop(queue);
        shared.filled.notify_one();
    }

    /// Opens the file anew, for log rotation. Has no meaning for other sinks.
    pub fn reopen(&self) {
        self.handle.shared.lock().reopen = true;
        self.handle.shared.filled.notify_one();
    }

    /// Waits until all that was queued is written. Blocks its thread.
    pub fn flush(&self) {
        let shared = &self.handle.shared;
        let mut queue = shared.lock();
        while (!queue.bytes.is_empty() || queue.writing || queue.reopen) && !queue.ended {
            queue = shared.written.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lines dropped because the writer did not keep up.
    pub fn dropped_lines(&self) -> u64 {
        self.handle.shared.dropped.load(Ordering::Relaxed)
    }

    /// Lines lost because they could not be written, or because the file could not be opened anew.
    pub fn failed_lines(&self) -> u64 {
        self.handle.shared.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        drop(queue);
        self.shared.filled.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing under this lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(shared: &Shared, mut sink: Sink) {
    let mut batch = Vec::new();
    loop {
        let mut queue = shared.lock();
        while queue.bytes.is_empty() && !queue.reopen && !queue.closed {
            queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.bytes.is_empty() && !queue.reopen {
            queue.ended = true;
            drop(queue);
            shared.written.notify_all();
            return;
        }
        std::mem::swap(&mut queue.bytes, &mut batch);
        let lines = std::mem::take(&mut queue.lines);
        let reopen = std::mem::take(&mut queue.reopen);
        queue.writing = true;
        drop(queue);

        // Lines queued before the rotation belong to the old file.
        if sink.write(&batch).is_err() {
            shared.failed.fetch_add(lines, Ordering::Relaxed);
        }
        if reopen
            && let Sink::File { path, file } = &mut sink
            && let Ok(new) = open(path)
        {
            *file = new;
        }
        batch.clear();
        batch.shrink_to(64 * 1024);
        shared.lock().writing = false;
        shared.written.notify_all();
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stderr => io::stderr().write_all(bytes),
            Sink::File { file, .. } => file.write_all(bytes),
            Sink::Writer(writer) => writer.write_all(bytes).and_then(|()| writer.flush()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_in_order_and_reopening_starts_a_new_file() {
        let folder = std::env::temp_dir().join(format!("palisade-log-writer-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (path, rotated) = (folder.join("error.log"), folder.join("error.log.1"));
        let log = LogWriter::file(&path).unwrap();
        log.append(["a", "b"]);
        log.append(["c"]);
        log.flush();
        std::fs::rename(&path, &rotated).unwrap();
        log.append(["d"]);
        log.reopen();
        log.flush();
        log.append(["e"]);
        log.flush();
        assert_eq!(std::fs::read_to_string(&rotated).unwrap(), "a\nb\nc\nd\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "e\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_writer_that_does_not_keep_up_costs_lines_and_not_time() {
        struct Stuck(std::sync::mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (release, stuck) = std::sync::mpsc::channel();
        let log = LogWriter::writer(Stuck(stuck));
        let line = "x".repeat(1024 * 1024);
        for _ in 0..32 {
            log.append([&line]);
        }
        assert!(log.dropped_lines() >= 8, "{}", log.dropped_lines());
        drop(release);
        log.flush();
    }
}
