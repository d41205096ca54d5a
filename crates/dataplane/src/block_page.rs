//! Answers of our own: a status, a short page in HTML or JSON, and the request's id. The page names nothing else:
//! what was found is for the logs.

use std::time::SystemTime;

use palisade_http::Fields;
use palisade_model::reason_phrase;

use crate::body::write_field;
use crate::response::end_head;
use crate::site::Site;

/// An answer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnAnswer {
    pub(crate) status: u16,
    /// Where a redirect goes.
    pub(crate) location: Option<String>,
    /// A check's word: it has the service's page for that.
    pub(crate) is_block: bool,
    /// What a page of ours says beside the status's own words.
    pub(crate) said: Option<&'static str>,
}

impl OwnAnswer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, location: None, is_block: false, said: None }
    }

    /// Writes it whole, for HTTP/1.
    pub(crate) fn write(&self, how: &AnswerForm<'_>, out: &mut Vec<u8>) -> Written {
        self.page(how).write_http1(how.close, how.http10, out)
    }

    /// What it says. Without a body for answers to HEAD.
    pub(crate) fn page(&self, how: &AnswerForm<'_>) -> OwnPage {
        // A rule may say any number; an interim answer would leave the client waiting for another.
        let status = match self.status {
            200..=599 => self.status,
            _ => 403,
        };
        let status = match &self.location {
            Some(_) if !(300..400).contains(&status) => 302,
            _ => status,
        };
        let mut fields = Fields::new();
        fields.push(b"Date", httpdate::fmt_http_date(SystemTime::now()).as_bytes());
        if let Some(location) = &self.location {
            // Macros in it may hold what a client sent.
            let clean: String = location.chars().filter(|c| !c.is_control()).collect();
            fields.push(b"Location", clean.as_bytes());
        }
        let bodiless = matches!(status, 204 | 304);
        let text = self.text(status, how);
        if !bodiless {
            let kind: &[u8] = if how.json { b"application/json" } else { b"text/html; charset=utf-8" };
            fields.push(b"Content-Type", kind);
            fields.push(b"Content-Length", text.len().to_string().as_bytes());
        }
        fields.push(b"Cache-Control", b"no-store");
        if let Some(seconds) = how.retry_after {
            fields.push(b"Retry-After", seconds.to_string().as_bytes());
        }
        for (name, value) in how.fields {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        for (name, value) in how.site.into_iter().flat_map(|site| site.headers.fields()) {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields.push(b"X-Request-Id", how.request_id.as_bytes());
        let body = if bodiless || how.head_only { Vec::new() } else { text.into_bytes() };
        OwnPage { status, fields, body }
    }

    fn text(&self, status: u16, how: &AnswerForm<'_>) -> String {
        let site = how.site.filter(|_| self.is_block);
        match site.and_then(|site| if how.json { site.json.as_ref() } else { site.html.as_ref() }) {
            Some(own) => own.render(status, how.request_id),
            None => page(status, self.said, how.request_id, how.json),
        }
    }
}

/// An answer of ours, ready for any protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnPage {
    pub(crate) status: u16,
    /// Everything but what belongs to one connection.
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
}

impl OwnPage {
    /// Writes it for HTTP/1.
    pub(crate) fn write_http1(&self, close: bool, http10: bool, out: &mut Vec<u8>) -> Written {
        out.extend_from_slice(
            format!("HTTP/1.1 {} {}\r\n", self.status, reason_phrase(self.status)).as_bytes(),
        );
        for (name, value) in self.fields.iter() {
            write_field(name, value, out);
        }
        end_head(close, http10, out);
        out.extend_from_slice(&self.body);
        self.written()
    }

    /// The same for a call of gRPC: no page, but a status in the only head (gRPC over HTTP/2, "Trailers-Only").
    pub(crate) fn into_grpc(self, is_block: bool, request_id: &str) -> Self {
        let mut fields = Fields::new();
        fields.push(b"Content-Type", b"application/grpc");
        for (name, value) in grpc_status(if is_block { 403 } else { self.status }, request_id).iter() {
            fields.push(name, value);
        }
        fields.push(b"X-Request-Id", request_id.as_bytes());
        Self { status: 200, fields, body: Vec::new() }
    }

    /// What becomes of it.
    pub(crate) fn written(&self) -> Written {
        Written { status: self.status, body_bytes: self.body.len() as u64 }
    }
}

/// The code of gRPC that stands for a status of HTTP.
///
/// Source: "HTTP to gRPC Status Code Mapping" of the gRPC core documentation; 408, 413 and 504 say more than it does.
pub(crate) fn grpc_code(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        408 | 504 => 4,
        413 => 8,
        429 | 502 | 503 => 14,
        _ => 2,
    }
}

/// How gRPC says that a call went wrong. The message names nothing but the request.
pub(crate) fn grpc_status(status: u16, request_id: &str) -> Fields {
    let mut fields = Fields::new();
    fields.push(b"grpc-status", grpc_code(status).to_string().as_bytes());
    fields.push(b"grpc-message", format!("request {request_id}").as_bytes());
    fields
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The status that it went out with.
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
}

/// For whom an answer is.
#[derive(Debug)]
pub(crate) struct AnswerForm<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) json: bool,
    pub(crate) head_only: bool,
    pub(crate) close: bool,
    pub(crate) http10: bool,
    /// Whose answer it is.
    pub(crate) site: Option<&'a Site>,
    /// After how many seconds it may be asked again.
    pub(crate) retry_after: Option<u64>,
    /// Further fields of this answer.
    pub(crate) fields: &'a [(String, String)],
}

fn page(status: u16, said: Option<&str>, request_id: &str, json: bool) -> String {
    let reason = reason_phrase(status);
    let title = said.unwrap_or(reason);
    if json {
        format!("{{\"status\":{status},\"error\":\"{title}\",\"request_id\":\"{request_id}\"}}\n")
    } else {
        let said = said.map(|said| format!("<p>{said}</p>")).unwrap_or_default();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{status} {title}</title></head>\n\
             <body><h1>{reason}</h1>{said}<p>Request id: <code>{request_id}</code></p></body></html>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(answer: OwnAnswer, json: bool, head_only: bool) -> String {
        let mut out = Vec::new();
        let form = AnswerForm {
            request_id: "0f",
            json,
            head_only,
            close: true,
            http10: false,
            site: None,
            retry_after: None,
            fields: &[],
        };
        answer.write(&form, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_names_the_request_and_announces_its_length() {
        for json in [false, true] {
            let text = written(OwnAnswer::status(403), json, false);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"));
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
            assert!(head.contains("X-Request-Id: 0f"));
            assert!(body.contains("0f"));
            assert!(written(OwnAnswer::status(403), json, true).ends_with("\r\n\r\n"));
        }
    }

    #[test]
    fn a_page_says_what_it_is_told_to_say() {
        let answer = OwnAnswer { said: Some("The SSL certificate error"), ..OwnAnswer::status(400) };
        let html = written(answer.clone(), false, false);
        assert!(html.contains("<title>400 The SSL certificate error</title>"));
        assert!(html.contains("<h1>Bad Request</h1><p>The SSL certificate error</p>"));
        assert!(written(answer, true, false).contains("\"error\":\"The SSL certificate error\""));
    }

    #[test]
    fn odd_statuses_and_locations_do_not_break_the_answer() {
        assert!(written(OwnAnswer::status(100), false, false).starts_with("HTTP/1.1 403 "));
        assert!(written(OwnAnswer::status(204), false, false).ends_with("\r\n\r\n"));
        let location = Some("http://a/\r\nSet-Cookie: x".into());
        let redirect = OwnAnswer { location, ..OwnAnswer::status(200) };
        let text = written(redirect, false, false);
        assert!(text.starts_with("HTTP/1.1 302 "));
        assert!(text.contains("Location: http://a/Set-Cookie: x\r\n"));
    }
}
