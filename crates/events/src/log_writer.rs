//! A log that is written behind its callers' backs: lines are queued by exchanges and written by a thread of their own.
//!
//! The queue is one buffer of bytes with a bound: an exchange appends its lines in one go, so they stay together and
//! in order, and the writer takes all that is there with one write. When the bound is met lines are dropped and
//! counted; a request never waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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
    waiting: Waiting,
    /// What waited when the file was to be opened anew: it belongs to the old one.
    before_reopening: Option<Waiting>,
    writing: bool,
    closed: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u64,
    /// Files to be written before the lines.
    files: Vec<EntryFile>,
    /// Bytes of those.
    file_bytes: usize,
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, or what else can be opened by a path.
    File(PathBuf),
}

impl Destination {
    /// From a path or `stdout`, `stderr`. `/dev/stdout` means the stream that is open, which may be one that cannot
    /// be opened again.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        match path.to_str() {
            Some("stdout" | "/dev/stdout" | "/proc/self/fd/1" | "/dev/fd/1") => Self::Stdout,
            Some("stderr" | "/dev/stderr" | "/proc/self/fd/2" | "/dev/fd/2") => Self::Stderr,
            _ => Self::File(path.to_owned()),
        }
    }
}

/// A file of its own for one entry: the concurrent audit log.
#[derive(Clone, Debug)]
pub struct EntryFile {
    /// Where. Folders on the way to it are made.
    pub path: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
    /// The line that names it in the log, written when the file was.
    pub index_line: String,
    /// Access rights of folders that are made.
    pub dir_mode: u32,
    /// Access rights of the file.
    pub file_mode: u32,
}

enum Sink {
    Stdout,
    Stderr,
    /// Nothing but files of entries.
    Nowhere,
    File {
        path: PathBuf,
        file: File,
    },
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

    /// Lines go to a destination.
    ///
    /// # Errors
    /// When it is a file that cannot be opened.
    pub fn to(destination: &Destination) -> io::Result<Self> {
        match destination {
            Destination::Stdout => Ok(Self::start(Sink::Stdout)),
            Destination::Stderr => Ok(Self::stderr()),
            Destination::File(path) => Self::file(path),
        }
    }

    /// Only files of entries are written, and no index of them.
    pub fn without_index() -> Self {
        Self::start(Sink::Nowhere)
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
            if !queue.push(line.as_ref()) {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(queue);
        shared.filled.notify_one();
    }

    /// Queues a file and the line that names it. They are there soon after.
    pub fn append_file(&self, file: EntryFile) {
        let shared = &self.handle.shared;
        let mut queue = shared.lock();
        let bytes = file.content.len() + file.index_line.len() + ENTRY_FILE_OVERHEAD_BYTES;
        if queue.ended || queue.waiting_bytes() + bytes > QUEUE_BYTES_MAX {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.waiting.file_bytes += bytes;
        queue.waiting.files.push(file);
        drop(queue);
        shared.filled.notify_one();
    }

    /// Opens the file anew, for log rotation: what is queued from now on goes to the new one. Has no meaning for other
    /// sinks.
    pub fn reopen(&self) {
        self.handle.shared.lock().reopen();
        self.handle.shared.filled.notify_one();
    }

    /// Waits until all that was queued is written. Blocks its thread.
    pub fn flush(&self) {
        self.flush_within(Duration::from_secs(365 * 86_400));
    }

    /// Waits until all that was queued is written, but no longer than this: a pipe that nobody reads must not keep a
    /// program from ending. Tells whether it is. Blocks its thread.
    pub fn flush_within(&self, patience: Duration) -> bool {
        let shared = &self.handle.shared;
        let deadline = Instant::now() + patience;
        let mut queue = shared.lock();
        while (queue.has_work() || queue.writing) && !queue.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = shared.written.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
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

impl Queue {
    /// Whether there is room for a line, and somebody to write it.
    fn push(&mut self, line: &str) -> bool {
        let has_room = !self.ended && self.waiting_bytes() + line.len() < QUEUE_BYTES_MAX;
        if has_room {
            self.waiting.bytes.extend_from_slice(line.as_bytes());
            self.waiting.bytes.push(b'\n');
            self.waiting.lines += 1;
        }
        has_room
    }

    fn reopen(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.before_reopening.get_or_insert_default().append(waiting);
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.size() + self.before_reopening.as_ref().map_or(0, Waiting::size)
    }

    fn has_work(&self) -> bool {
        self.before_reopening.is_some() || self.waiting.size() > 0
    }
}

impl Waiting {
    fn size(&self) -> usize {
        self.bytes.len() + self.file_bytes
    }

    fn append(&mut self, mut other: Self) {
        self.bytes.append(&mut other.bytes);
        self.lines += other.lines;
        self.files.append(&mut other.files);
        self.file_bytes += other.file_bytes;
    }

    /// Writes all of it, and is empty then. Tells how many lines are lost.
    fn write(&mut self, sink: &mut Sink) -> u64 {
        let mut lost = 0;
        for file in self.files.drain(..) {
            match file.write() {
                Ok(()) => {
                    self.bytes.extend_from_slice(file.index_line.as_bytes());
                    self.bytes.push(b'\n');
                    self.lines += 1;
                }
                Err(_) => lost += 1,
            }
        }
        if sink.write(&self.bytes).is_err() {
            lost += self.lines;
        }
        self.bytes.clear();
        self.bytes.shrink_to(64 * 1024);
        self.lines = 0;
        self.file_bytes = 0;
        lost
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing under this lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(shared: &Shared, mut sink: Sink) {
    let mut batch = Waiting::default();
    loop {
        let mut queue = shared.lock();
        while !queue.has_work() && !queue.closed {
            queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if !queue.has_work() {
            queue.ended = true;
            drop(queue);
            shared.written.notify_all();
            return;
        }
        std::mem::swap(&mut queue.waiting, &mut batch);
        let before_reopening = queue.before_reopening.take();
        queue.writing = true;
        drop(queue);

        let mut lost = 0;
        if let Some(mut before) = before_reopening {
            lost += before.write(&mut sink);
            sink.reopen();
        }
        lost += batch.write(&mut sink);
        shared.failed.fetch_add(lost, Ordering::Relaxed);
        shared.lock().writing = false;
        shared.written.notify_all();
    }
}

impl Sink {
    /// Where that fails the old file goes on.
    fn reopen(&mut self) {
        if let Self::File { path, file } = self
            && let Ok(new) = open(path)
        {
            *file = new;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Sink::Stderr => io::stderr().write_all(bytes),
            Sink::Nowhere => Ok(()),
            Sink::File { file, .. } => file.write_all(bytes),
            Sink::Writer(writer) => writer.write_all(bytes).and_then(|()| writer.flush()),
        }
    }
}

impl EntryFile {
    fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(self.dir_mode).create(folder)?;
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(self.file_mode).open(&self.path)?;
        file.write_all(&self.content)
    }
}

/// What a queued file costs beside its content.
const ENTRY_FILE_OVERHEAD_BYTES: usize = 512;

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        // Opened for writing alone, a pipe would wait for its reader.
        return options.read(true).write(true).open(path);
    }
    options.append(true).create(true).open(path)
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
        // All of it before the writer comes to any.
        let mut queue = log.handle.shared.lock();
        queue.push("d");
        queue.reopen();
        queue.push("e");
        drop(queue);
        log.handle.shared.filled.notify_one();
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

    #[test]
    fn a_pipe_that_nobody_reads_delays_nobody() {
        let path = std::env::temp_dir().join(format!("palisade-log-pipe-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: mkfifo is not there");
            return;
        }
        let start = Instant::now();
        let log = LogWriter::file(&path).unwrap();
        let line = "x".repeat(64 * 1024);
        for _ in 0..400 {
            log.append([&line]);
        }
        assert!(log.dropped_lines() > 0, "a pipe holds 64 KiB and the queue 8 MiB, not 25 MiB");
        assert!(!log.flush_within(Duration::from_millis(20)));
        assert!(start.elapsed() < Duration::from_secs(5));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn files_of_entries_are_written_with_their_rights_and_named_by_the_index() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("palisade-log-files-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let log = LogWriter::file(folder.join("index")).unwrap();
        let entry = |name: &str| EntryFile {
            path: folder.join("day/minute").join(name),
            content: b"entry\n".to_vec(),
            index_line: format!("line of {name}"),
            dir_mode: 0o700,
            file_mode: 0o600,
        };
        log.append_file(entry("a"));
        log.append_file(entry("b"));
        // There already: not written over, and counted.
        log.append_file(entry("a"));
        log.flush();
        assert_eq!(std::fs::read_to_string(folder.join("index")).unwrap(), "line of a\nline of b\n");
        assert_eq!(std::fs::read(folder.join("day/minute/b")).unwrap(), b"entry\n");
        let rights = |path: &str| std::fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((rights("day/minute"), rights("day/minute/a")), (0o700, 0o600));
        assert_eq!(log.failed_lines(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn streams_have_names() {
        assert_eq!(Destination::new("/dev/stdout"), Destination::Stdout);
        assert_eq!(Destination::new("stderr"), Destination::Stderr);
        assert_eq!(Destination::new("/var/log/a"), Destination::File("/var/log/a".into()));
    }
}
