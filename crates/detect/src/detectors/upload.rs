//! Files that a server might run instead of keeping.
//!
//! # What it finds
//! Names of uploaded files that servers run (`shell.php`, `cmd.asp;.jpg`, `.htaccess`), and contents that are programs of a
//! server's languages, alone or behind the beginning of an image; pictures in SVG that carry scripts.
//!
//! # Why it matters
//! One file that runs where it was stored gives the server away.
//!
//! # How it decides
//! A name is read as web servers read it: every extension counts, ends that Windows takes off are taken off, a NUL, `;` or
//! `/` ends it. Source files of other languages are ordinary uploads. A content counts by how it begins, or by a program's
//! opening mark behind an image's; in a text that merely shows code, only calls that run what the request says.
//!
//! # Example
//! `GIF89a;\n<?php @popen($_COOKIE["0"]);?>` begins like an image and is a program in PHP.
//!
//! # What it misses
//! Programs hidden in compressed parts of a picture; macros in documents.
//!
//! # References
//! CWE-434; Apache mod_mime, "Files with Multiple Extensions"; IIS 6 semicolon handling (CVE-2009-4444).

use palisade_codec::ByteSet;
use palisade_model::Root;

use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "upload", attack: Attack::Upload, gate: ByteSet::of(b".<("), look };

/// Bytes of a content in which its kind shows.
const HEAD_BYTES: usize = 4096;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    match value.point.root {
        Root::FileName => name(value, evidence),
        Root::File => content(value, evidence),
        _ => {}
    }
}

fn name(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let all = 0..text.len();
    // Traversal is told elsewhere; here the name counts, with what is cut off at its end.
    let whole = text.to_ascii_lowercase();
    let trimmed = trim_end(&whole);
    let base = trimmed.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let mut told = "";
    if trimmed.len() < whole.len() {
        told = ", behind an end that is cut off";
    }
    if matches!(base, b".htaccess" | b".htpasswd" | b"web.config" | b".user.ini" | b"php.ini") {
        evidence.found(Confidence::STRONG, all, "a file that configures the web server where it lies");
        return;
    }
    let mut parts = base.split(|byte| b".;\0:".contains(byte));
    let first = parts.next().unwrap_or_default();
    let extensions: Vec<&[u8]> = parts.map(<[u8]>::trim_ascii).collect();
    let Some((last, inner)) = extensions.split_last() else { return };
    let ends_in = |known: &[&[u8]], extension: &[u8]| known.contains(&extension);
    let shown = |extension: &[u8]| String::from_utf8_lossy(extension).into_owned();
    if ends_in(RUN, last) {
        let confidence = if told.is_empty() { Confidence::LIKELY } else { Confidence::STRONG };
        evidence.found(confidence, all, format!("a file that web servers run: .{}{told}", shown(last)));
    } else if let Some(extension) = inner.iter().find(|extension| ends_in(RUN, extension)) {
        evidence.found(
            Confidence::STRONG,
            all,
            format!("a file that some web servers run: .{} before .{}", shown(extension), shown(last)),
        );
    } else if ends_in(PROGRAMS, last) && !inner.is_empty() && ends_in(DOCUMENTS, inner[inner.len() - 1]) {
        evidence.found(
            Confidence::LIKELY,
            all,
            format!("a program named like a document: .{}.{}", shown(inner[inner.len() - 1]), shown(last)),
        );
    } else if ends_in(PROGRAMS, last) && !first.is_empty() {
        evidence.found(Confidence::HINT, all, format!("a program: .{}", shown(last)));
    }
}

/// Takes off what Windows and PHP take off: dots, blanks, `/.`, `::$DATA`, quotes.
fn trim_end(name: &[u8]) -> &[u8] {
    let mut name = name;
    loop {
        name = match name {
            [rest @ .., b'.' | b' ' | b'\t' | b'"' | b'\'' | b'/' | b'\\' | 0] => rest,
            _ => match name.strip_suffix(b"::$data").or_else(|| name.strip_suffix(b"%00")) {
                Some(rest) => rest,
                None => return name,
            },
        };
    }
}

fn content(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let head = &text[..text.len().min(HEAD_BYTES)];
    let begins = head.trim_ascii_start();
    let begins = begins.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begins);
    let magic = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind);
    for (opening, language) in OPENINGS {
        let Some(at) = find_opening(text, opening) else { continue };
        let code = &text[at..text.len().min(at + HEAD_BYTES)];
        let runs = runs_request(code);
        let at_start = begins.len() >= opening.len() && begins[..opening.len()].eq_ignore_ascii_case(opening);
        // Random bytes hold `<%` and `<?=` now and then.
        let telling = opening.len() > 3 || runs;
        let (confidence, why) = match magic {
            Some(kind) if telling => {
                (Confidence::CERTAIN, format!("begins like {kind} and holds a program in {language}"))
            }
            None if at_start && runs => {
                (Confidence::CERTAIN, format!("a program in {language} that runs what a request says"))
            }
            None if at_start && telling => (Confidence::LIKELY, format!("a program in {language}")),
            None if at_start => (Confidence::POSSIBLE, format!("begins like a program in {language}")),
            None if runs && head.starts_with(b"<") => (
                Confidence::STRONG,
                format!("a page with a program in {language} that runs what a request says"),
            ),
            None if runs => {
                (Confidence::POSSIBLE, format!("shows a program in {language} that runs what a request says"))
            }
            _ => continue,
        };
        evidence.found(confidence, at..text.len(), why);
        return;
    }
    markup(head, begins, magic, evidence);
    // A drawing of ImageMagick's, whose commands open URLs and, between quotes, programs.
    if begins.starts_with(b"push graphic-context")
        && [&b"url("[..], b"ephemeral:", b"msl:", b"label:", b"|"]
            .iter()
            .any(|reach| memchr::memmem::find(head, reach).is_some())
    {
        evidence.found(Confidence::STRONG, 0..head.len(), "a drawing for ImageMagick that reaches outside");
        return;
    }
    // A configuration for Apache that makes other files run.
    for directive in
        [&b"addhandler"[..], b"addtype", b"sethandler", b"auto_prepend_file", b"auto_append_file"]
    {
        let lower = head.to_ascii_lowercase();
        if memchr::memmem::find(&lower, directive).is_some()
            && (directive.starts_with(b"auto") || memchr::memmem::find(&lower, b"php").is_some())
            && head.len() < 1024
        {
            evidence.found(
                Confidence::STRONG,
                0..head.len(),
                "makes the web server run files of another name",
            );
            return;
        }
    }
}

/// Scripts in pictures.
fn markup(head: &[u8], begins: &[u8], magic: Option<&'static str>, evidence: &mut Evidence<'_>) {
    if !head.contains(&b'<') {
        return;
    }
    let lower = head.to_ascii_lowercase();
    let script = memchr::memmem::find(&lower, b"<script");
    if let (Some(kind), Some(at)) = (magic, script) {
        evidence.found(Confidence::STRONG, at..head.len(), format!("begins like {kind} and holds a script"));
        return;
    }
    let is_svg = memchr::memmem::find(&lower, b"<svg").is_some_and(|at| at < 1024)
        && (begins.starts_with(b"<")
            && !lower.starts_with(b"<!doctype html")
            && !lower.starts_with(b"<html"));
    if is_svg {
        let handler = memchr::memmem::find_iter(&lower, b"on").any(|at| {
            let name = lower[at + 2..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            at > 0
                && lower[at - 1].is_ascii_whitespace()
                && name >= 3
                && lower.get(at + 2 + name) == Some(&b'=')
        });
        let address = memchr::memmem::find(&lower, b"javascript:").is_some();
        if script.is_some() || handler || address {
            evidence.found(Confidence::LIKELY, 0..head.len(), "a picture in SVG that carries a script");
        }
    } else if begins.len() >= 7 && begins[..7].eq_ignore_ascii_case(b"<script") {
        evidence.found(Confidence::LIKELY, 0..head.len(), "a file that is a script for a browser");
    }
}

/// Finds an opening mark, case ignored; one that ends in a name must end there.
fn find_opening(text: &[u8], opening: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(text, &opening[..2]).take(64).find(|at| {
        let here = &text[*at..];
        here.len() >= opening.len()
            && here[..opening.len()].eq_ignore_ascii_case(opening)
            && !here.get(opening.len()).is_some_and(|next| {
                opening.last().is_some_and(u8::is_ascii_alphabetic) && next.is_ascii_alphanumeric()
            })
    })
}

/// Whether code runs something that comes from a request.
fn runs_request(code: &[u8]) -> bool {
    let lower = code.to_ascii_lowercase();
    let any = |words: &[&[u8]]| words.iter().any(|word| memchr::memmem::find(&lower, word).is_some());
    any(RUNNERS) && any(REQUESTS)
}

const RUNNERS: &[&[u8]] = &[
    b"eval",
    b"assert",
    b"system",
    b"exec",
    b"passthru",
    b"popen",
    b"proc_open",
    b"create_function",
    b"include",
    b"preg_replace",
    b"call_user_func",
    b"array_map",
    b"runtime",
    b"processbuilder",
    b"wscript.shell",
    b"process.start",
    b"execute",
    b"`",
    b"file_put_contents",
    b"move_uploaded_file",
    b"$f(",
    b"base64_decode",
    b"defineclass",
    b"assembly.load",
];

const REQUESTS: &[&[u8]] = &[
    b"$_get",
    b"$_post",
    b"$_request",
    b"$_cookie",
    b"$_server",
    b"$_files",
    b"request(",
    b"request.",
    b"request[",
    b"getparameter",
    b"php://input",
    b"getallheaders",
    b"session[",
    b"params[",
];

/// Openings of programs in pages, the telling ones first.
const OPENINGS: &[(&[u8], &str)] = &[
    (b"<?php", "PHP"),
    (b"<script language=\"php\"", "PHP"),
    (b"<%@", "ASP or JSP"),
    (b"<jsp:", "JSP"),
    (b"<cfexecute", "ColdFusion"),
    (b"<?=", "PHP"),
    (b"<%", "ASP or JSP"),
    (b"<? ", "PHP"),
];

const MAGICS: &[(&[u8], &str)] = &[
    (b"GIF8", "a GIF"),
    (b"\xff\xd8\xff", "a JPEG"),
    // The same in UTF-8, as editors leave it.
    (b"\xc3\xbf\xc3\x98\xc3\xbf", "a JPEG"),
    (b"\x89PNG", "a PNG"),
    (b"\xc2\x89PNG", "a PNG"),
    (b"BM", "a bitmap"),
    (b"RIFF", "a RIFF file"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "an archive"),
    (b"\x00\x00\x01\x00", "an icon"),
];

/// Extensions that web servers run.
const RUN: &[&[u8]] = &[
    b"php",
    b"php2",
    b"php3",
    b"php4",
    b"php5",
    b"php6",
    b"php7",
    b"php8",
    b"pht",
    b"phtm",
    b"phtml",
    b"phar",
    b"phps",
    b"pgif",
    b"asp",
    b"aspx",
    b"ashx",
    b"asmx",
    b"asax",
    b"ascx",
    b"asa",
    b"cdx",
    b"cshtml",
    b"vbhtml",
    b"jsp",
    b"jspx",
    b"jspf",
    b"jspa",
    b"jsw",
    b"jsv",
    b"jtml",
    b"cfm",
    b"cfml",
    b"cfc",
    b"dbm",
    b"cgi",
    b"fcgi",
    b"shtml",
    b"shtm",
    b"htaccess",
    b"war",
    b"ear",
    b"phpt",
    b"axd",
];

/// Extensions that a desktop runs.
const PROGRAMS: &[&[u8]] = &[
    b"exe", b"scr", b"pif", b"com", b"bat", b"cmd", b"vbs", b"vbe", b"wsf", b"wsh", b"hta", b"ps1", b"jse",
    b"lnk", b"cpl", b"msi", b"dll",
];

const DOCUMENTS: &[&[u8]] = &[
    b"pdf", b"doc", b"docx", b"xls", b"xlsx", b"ppt", b"pptx", b"txt", b"rtf", b"jpg", b"jpeg", b"png",
    b"gif", b"csv", b"zip", b"mp3", b"mp4",
];

#[cfg(test)]
mod tests {
    use palisade_model::{Part, Point};

    use super::*;
    use crate::detectors::{Findings, finding_confidence};

    fn told(root: Root, bytes: &[u8]) -> u8 {
        let set = ByteSet::of(bytes);
        let point = Point { root, part: Part::Value, path: b"file" };
        let value = Value { point, decoded: &[], bytes, set: &set };
        finding_confidence(&DETECTOR, &value, &mut Findings::new(8))
    }

    #[test]
    fn names_are_read_as_web_servers_read_them() {
        for name in [
            "shell.php",
            "a.PhP5",
            "x.php.",
            "x.php.jpg",
            "cmd.asp;.jpg",
            "shell.php/.",
            "x.aspx::$DATA",
            "up.phar",
            "x.php\0.png",
            ".htaccess",
            "../../shell.php",
            "invoice.pdf.exe",
        ] {
            assert!(told(Root::FileName, name.as_bytes()) >= 75, "{name}");
        }
        for name in [
            "photo.jpg",
            "report.final.pdf",
            "script.py",
            "main.rs",
            "index.html",
            "logo.svg",
            "archive.tar.gz",
            "r\u{e9}sum\u{e9}.pdf",
            "data, 2026.csv",
            "php",
            "notes about php.txt",
            "setup.exe",
            "server.cer",
        ] {
            assert!(told(Root::FileName, name.as_bytes()) <= 25, "{name}");
        }
    }

    #[test]
    fn contents_are_judged_by_how_they_begin() {
        for content in [
            &b"GIF89a;\n<?php @popen($_COOKIE[\"0\"]);?>"[..],
            b"<?php system($_GET[0]); ?>",
            b"<%eval request(\"c\")%>",
            b"\xff\xd8\xff\xe0JFIF\n<?= `$_GET[0]` ?>",
            b"<html><?php /* x */ if(1){popen($_REQUEST[cmd]);} ?>",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
            b"\x89PNG\r\n<script>alert(1)</script>",
            b"AddType application/x-httpd-php .jpg",
        ] {
            assert!(told(Root::File, content) >= 75, "{}", String::from_utf8_lossy(content));
        }
        for content in [
            &b"<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>"[..],
            b"# How PHP begins\n\nA file begins with `<?php`, then code.",
            b"<?xml version=\"1.0\"?><order/>",
            b"id,name\n1,<%= name %>\n",
            b"\x89PNG\r\n\x1a\n<%\x00\x01<?=\x02",
            b"%PDF-1.7 <% comment",
        ] {
            assert!(told(Root::File, content) < 65, "{}", String::from_utf8_lossy(content));
        }
    }
}
