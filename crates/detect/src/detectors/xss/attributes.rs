//! What a tag does by its attributes.

use std::ops::Range;

use super::super::ascii;
use super::html::{Attribute, Tag, resolved};
use super::script::Code;
use super::url::{self, Runs};
use super::{Seen, css, handlers, script};
use crate::Confidence;

/// Judges a tag by name and attributes. `name` is plain.
pub(super) fn judge(name: &[u8], tag: &Tag<'_>, place: &Range<usize>, seen: &mut Seen) {
    let shown = || ascii::shown(name);
    for attribute in tag.attributes() {
        one(name, &attribute, place, seen);
    }
    if tag.closing {
        return;
    }
    let of = |attribute: &[u8]| tag.attribute(attribute).filter(|value| !value.trim_ascii().is_empty());
    match name {
        b"base" => {
            if let Some(target) = of(b"href").filter(|target| is_elsewhere(target)) {
                seen.note(Confidence::CERTAIN, place.clone(), || {
                    format!(
                        "a base element: all links and scripts of the page come from {}",
                        ascii::shown(&target)
                    )
                });
            }
        }
        b"meta" => meta(&of, place, seen),
        b"link" => {
            let relation = of(b"rel").unwrap_or_default();
            if of(b"type").is_some_and(|kind| ascii::find(&kind, b"script").is_some()) {
                seen.note(Confidence::STRONG, place.clone(), || "a link element that is script".into());
            }
            let loads = [&b"stylesheet"[..], b"import", b"preload", b"modulepreload", b"manifest"];
            if loads.iter().any(|kind| ascii::find(&relation, kind).is_some())
                && let Some(target) = of(b"href").filter(|target| is_elsewhere(target))
            {
                seen.note(Confidence::LIKELY, place.clone(), || {
                    format!("a link element that loads {} into the page", ascii::shown(&target))
                });
            }
        }
        b"object" | b"embed" | b"applet" => {
            let source =
                [&b"data"[..], b"src", b"code", b"codebase", b"archive", b"classid", b"movie", b"type"]
                    .iter()
                    .find_map(|attribute| of(attribute));
            if let Some(source) = source.filter(|source| !is_embed_host(source)) {
                seen.note(Confidence::STRONG, place.clone(), || {
                    format!("the plug-in element <{}> with {}", shown(), ascii::shown(&source))
                });
            }
        }
        b"iframe" | b"frame" | b"ilayer" | b"layer" | b"vmlframe" | b"portal" | b"fencedframe"
        | b"webview" => {
            if let Some(source) = of(b"src").or_else(|| of(b"href")) {
                let source = source.trim_ascii();
                let confidence = match source {
                    _ if is_embed_host(source) => Confidence::HINT,
                    _ if name == b"vmlframe" => Confidence::STRONG,
                    _ if is_elsewhere(source) => Confidence::LIKELY,
                    _ => Confidence::POSSIBLE,
                };
                seen.note(confidence, place.clone(), || {
                    format!("a frame of {} in the page", ascii::shown(source))
                });
            }
        }
        b"form" | b"isindex" => {
            if let Some(target) = of(b"action").filter(|target| is_elsewhere(target)) {
                seen.note(Confidence::LIKELY, place.clone(), || {
                    format!("a form that sends what is typed to {}", ascii::shown(&target))
                });
            }
        }
        b"set" | b"animate" | b"animatemotion" | b"animatetransform" | b"animatecolor" => {
            let what = of(b"attributename").unwrap_or_default();
            let runs = ascii::is_one_of(
                &what,
                &["href", "xlink:href", "innerhtml", "src", "action", "formaction", "srcdoc"],
            ) || handlers::may_be_event(&what);
            if runs && [&b"to"[..], b"values", b"from", b"by"].iter().any(|attribute| of(attribute).is_some())
            {
                seen.note(Confidence::STRONG, place.clone(), || {
                    format!("an animation that sets {}", ascii::shown(&what))
                });
            }
        }
        b"use" | b"image" | b"feimage" => {
            let target = of(b"href").or_else(|| of(b"xlink:href"));
            if name == b"use"
                && let Some(target) = target.filter(|target| is_elsewhere(target))
            {
                seen.note(Confidence::LIKELY, place.clone(), || {
                    format!("a use element that loads {}", ascii::shown(&target))
                });
            }
        }
        _ => {}
    }
}

fn meta(of: &dyn Fn(&[u8]) -> Option<Vec<u8>>, place: &Range<usize>, seen: &mut Seen) {
    let content = of(b"content").unwrap_or_default();
    let equivalent = of(b"http-equiv").unwrap_or_default();
    if equivalent.trim_ascii().eq_ignore_ascii_case(b"refresh")
        && [&b"url"[..], b"//", b"http", b"javascript"]
            .iter()
            .any(|word| ascii::find(&content, word).is_some())
    {
        let last = content.split(|byte| *byte == b'=').next_back().unwrap_or_default();
        seen.note(Confidence::STRONG, place.clone(), || {
            format!("a refresh of the page to {}", ascii::shown(last))
        });
    }
    if equivalent.eq_ignore_ascii_case(b"set-cookie") {
        seen.note(Confidence::STRONG, place.clone(), || "a meta element that sets a cookie".into());
    }
    let charset = of(b"charset").unwrap_or_default();
    let odd = [
        &b"utf-7"[..],
        b"mac-farsi",
        b"us-ascii",
        b"utf-16",
        b"utf-32",
        b"x-imap4-modified-utf7",
        b"iso-2022",
        b"hz-gb-2312",
    ];
    if odd.iter().any(|name| ascii::find(&content, name).is_some() || ascii::find(&charset, name).is_some()) {
        seen.note(Confidence::STRONG, place.clone(), || {
            "a meta element that has the page read in another character set".into()
        });
    }
    if ascii::find(&content, b"javascript:").is_some() || ascii::find(&content, b"data:text/html").is_some() {
        seen.note(Confidence::CERTAIN, place.clone(), || "a meta element that goes to a script URL".into());
    }
}

/// One attribute by itself.
fn one(tag: &[u8], attribute: &Attribute<'_>, place: &Range<usize>, seen: &mut Seen) {
    let (name, value) = (attribute.name, attribute.value);
    let shown = || (ascii::shown(tag), ascii::shown(name));
    // Vue computes names: `@[_b.constructor`alert(1)`()]`.
    if name.contains(&b'[') && matches!(script::read(name), Code::Browser(_)) {
        seen.note(Confidence::STRONG, place.clone(), || {
            format!("the tag <{}> with code in an attribute's name", shown().0)
        });
    }
    if value.is_empty() {
        return;
    }
    // `<img src="//evil.example/?`: the page up to the next quote is sent along.
    if attribute.open
        && is_elsewhere(value)
        && value.trim_ascii_end().last().is_some_and(|byte| matches!(byte, b'?' | b'=' | b'&'))
    {
        seen.note(Confidence::LIKELY, place.clone(), || {
            format!("the tag <{}> whose {} takes in the page that follows", shown().0, shown().1)
        });
    }
    if handlers::may_be_event(name) {
        if let Some((confidence, code)) = handlers::judge(name, value, attribute.quoted) {
            seen.note(confidence, place.clone(), || {
                let (tag, name) = shown();
                match code {
                    Code::Nothing => format!("the tag <{tag}> with the event handler {name}"),
                    code => {
                        format!("the tag <{tag}> with the event handler {name}, which has {}", code.told())
                    }
                }
            });
        }
        return;
    }
    if is_directive(name) {
        let value = resolved(value);
        let named = ["constructor", "alert", "prompt", "confirm", "eval"]
            .iter()
            .any(|word| ascii::find(&value, word.as_bytes()).is_some());
        let code = match script::read(&value) {
            Code::Own(what) if named => Code::Browser(what),
            code => code,
        };
        if let Code::Browser(what) = code {
            seen.note(Confidence::STRONG, place.clone(), || {
                let (tag, name) = shown();
                format!("the tag <{tag}> with the directive {name} of a script framework, which has {what}")
            });
        } else {
            seen.note(Confidence::HINT, place.clone(), || {
                format!("the directive {} of a script framework", shown().1)
            });
        }
        return;
    }
    if ascii::is_one_of(
        name,
        &[
            "href",
            "src",
            "data",
            "action",
            "formaction",
            "xlink:href",
            "to",
            "values",
            "from",
            "by",
            "background",
            "lowsrc",
            "dynsrc",
            "value",
            "code",
            "poster",
            "cite",
            "longdesc",
            "profile",
            "url",
            "folder",
            "content",
            "srcset",
            "ping",
            "manifest",
            "icon",
        ],
    ) || memchr::memchr(b':', value).is_some()
    {
        link(tag, attribute, place, seen);
    }
    match name {
        _ if name.eq_ignore_ascii_case(b"style") => {
            if let Some(what) = css::read(&resolved(value)) {
                seen.note(Confidence::STRONG, place.clone(), || format!("a style attribute with {what}"));
            }
        }
        _ if name.eq_ignore_ascii_case(b"srcdoc") => {
            seen.note(Confidence::STRONG, place.clone(), || "a frame whose page stands in its srcdoc".into());
        }
        _ if name.eq_ignore_ascii_case(b"formaction") && is_elsewhere(value) => {
            seen.note(Confidence::STRONG, place.clone(), || {
                format!("a button that sends its form to {}", ascii::shown(value))
            });
        }
        _ => {}
    }
    // `&{alert(1)}`: script in any attribute, in browsers of long ago.
    if memchr::memmem::find(value, b"&{").is_some() && memchr::memchr(b'}', value).is_some() {
        seen.note(Confidence::STRONG, place.clone(), || "script in braces in an attribute".into());
    }
}

fn link(tag: &[u8], attribute: &Attribute<'_>, place: &Range<usize>, seen: &mut Seen) {
    let value = resolved(attribute.value);
    let (tag_shown, name) = (|| ascii::shown(tag), || ascii::shown(attribute.name));
    match url::read(&value) {
        Some(Runs::Script { scheme, code }) => {
            let after = memchr::memchr(b':', &value).map_or(&value[..], |colon| &value[colon + 1..]);
            let confidence = match code {
                _ if url::is_harmless(after) => Confidence::HINT,
                Code::Nothing => Confidence::LIKELY,
                _ => Confidence::CERTAIN,
            };
            seen.note(confidence, place.clone(), || {
                let with =
                    if code == Code::Nothing { String::new() } else { format!(" with {}", code.told()) };
                format!("the tag <{}> with a {scheme}: URL in {}{with}", tag_shown(), name())
            });
        }
        Some(Runs::Data(kind)) => {
            // Pictures do not run; what is put into a page or gone to does.
            let shown_only =
                matches!(tag, b"img" | b"image" | b"input" | b"video" | b"audio" | b"source" | b"picture");
            let confidence = if shown_only { Confidence::POSSIBLE } else { Confidence::STRONG };
            seen.note(confidence, place.clone(), || {
                format!("the tag <{}> with a data: URL of {kind} in {}", tag_shown(), name())
            });
        }
        None => {}
    }
}

/// Attributes that script frameworks run: AngularJS, Vue, Alpine, htmx, Knockout.
fn is_directive(name: &[u8]) -> bool {
    name.starts_with(b"@")
        || name.starts_with(b":")
        || [
            &b"ng-"[..],
            b"data-ng-",
            b"x-ng-",
            b"ng:",
            b"v-",
            b"x-",
            b"hx-on",
            b"hx-vals",
            b"data-bind",
            b"data-hx-on",
            b"data-on",
        ]
        .iter()
        .any(|prefix| ascii::starts(name, prefix))
}

/// Whether a URL leads to another host.
pub(super) fn is_elsewhere(url: &[u8]) -> bool {
    let url = url.trim_ascii();
    let url = url.strip_prefix(b"\"").unwrap_or(url);
    [&b"http:"[..], b"https:", b"//", b"\\\\", b"/\\", b"\\/", b"ftp:", b"javascript:", b"data:"]
        .iter()
        .any(|prefix| ascii::starts(url, prefix))
}

/// Whether a frame is one of those that people embed in texts: players and maps.
fn is_embed_host(url: &[u8]) -> bool {
    let Some(rest) = url.trim_ascii().strip_prefix(b"https://").or(url.trim_ascii().strip_prefix(b"//"))
    else {
        return false;
    };
    let host = rest.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).next().unwrap_or_default();
    EMBED_HOSTS.iter().any(|known| host.eq_ignore_ascii_case(known.as_bytes()))
}

/// Hosts whose own "embed" button gives a frame.
const EMBED_HOSTS: &[&str] = &[
    "www.youtube.com",
    "youtube.com",
    "www.youtube-nocookie.com",
    "player.vimeo.com",
    "www.google.com",
    "maps.google.com",
    "open.spotify.com",
    "w.soundcloud.com",
    "www.facebook.com",
    "www.instagram.com",
    "platform.twitter.com",
    "codepen.io",
    "www.dailymotion.com",
    "player.twitch.tv",
    "embed.ted.com",
    "www.openstreetmap.org",
    "docs.google.com",
    "calendar.google.com",
    "codesandbox.io",
    "jsfiddle.net",
    "www.slideshare.net",
    "embed.music.apple.com",
    "bandcamp.com",
    "giphy.com",
    "www.loom.com",
    "fast.wistia.net",
    "www.tiktok.com",
    "asciinema.org",
];
