//! Puts the built web console, `ui/dist`, into the program: each file with the compressed forms that lie beside it
//! (`NAME.br`, `NAME.gz`). Where it was not built there are no files, and the program serves a page that says how.
//!
//! It never calls npm: `scripts/build-ui` does, and plain `cargo build` works without Node.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

fn main() {
    let ui = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("ui");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    let dist = ui.join("dist");
    // A path that is not there would have this run at every build.
    let watched = if dist.is_dir() { &dist } else { &ui };
    println!("cargo:rerun-if-changed={}", watched.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if dist.is_dir() {
        walk(&dist, &mut files);
    }
    files.sort();
    // Copied, so that the console can be built anew while the program is.
    let mut copies = 0;
    let mut include = |file: &Path| {
        copies += 1;
        let copy = out.join(format!("file-{copies}"));
        fs::copy(file, &copy).expect("a file of the console cannot be copied");
        format!("include_bytes!({:?})", copy.display().to_string())
    };
    let mut table = String::from("static FILES: &[File] = &[\n");
    for file in files.iter().filter(|file| media_type(file).is_some()) {
        let path = file.strip_prefix(&dist).expect("it was found there").to_str().expect("names are ASCII");
        let content = fs::read(file).expect("a file of the console cannot be read");
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let mut packed = |extension: &str| {
            let packed = PathBuf::from(format!("{}.{extension}", file.display()));
            if packed.is_file() { format!("Some({})", include(&packed)) } else { "None".to_owned() }
        };
        let (brotli, gzip) = (packed("br"), packed("gz"));
        let _ = writeln!(
            table,
            "File {{ path: {:?}, media_type: {:?}, tag: \"{:016x}\", plain: {}, brotli: {}, gzip: {} }},",
            format!("/{path}"),
            media_type(file).expect("only such are kept"),
            hasher.finish(),
            include(file),
            brotli,
            gzip,
        );
    }
    table.push_str("];\n");
    fs::write(out.join("files.rs"), table).expect("cargo's output folder cannot be written");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the console cannot be read") {
        let path = entry.expect("a folder of the console cannot be read").path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

/// What is served; licences and compressed forms beside it are not files of their own.
fn media_type(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
