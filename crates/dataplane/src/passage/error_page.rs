//! The page of those whose certificate will not do, where it is one of the services' own: the request becomes one for it.
//!
//! As nginx does it by `error_page 495 496 = /path`: a GET (or HEAD) of that path on the same host, without the body, routed,
//! inspected and answered as any other, with the answer's own status; then the connection ends.

use palisade_http::{Fields, Framing, RequestHead, Target, TargetForm};

use crate::certificate::Refusal;
use crate::request::RequestPlan;
use crate::tls::CertificatePage;

/// Makes the request one for the page. The line about it comes back; nothing where the client is only refused.
pub(super) fn turn(head: &mut RequestHead, plan: &mut RequestPlan, refusal: &Refusal) -> Option<String> {
    let Some(CertificatePage::Here(path)) = &refusal.page else { return None };
    // A request that says two things is refused for that, and a call of gRPC reads no pages.
    if plan.refusal.is_some() || plan.grpc {
        return None;
    }
    if !plan.is_head() {
        plan.method = b"GET".to_vec();
    }
    plan.framing = Framing::None;
    plan.expects_continue = false;
    plan.upgrade = false;
    head.method = plan.method.clone();
    let target = Target::new(&head.target, &head.method);
    // The target of an absolute form names the host.
    let place = match target.form() {
        TargetForm::Absolute => [target.scheme(), b"://", target.authority(), path.as_bytes()].concat(),
        _ => path.as_bytes().to_vec(),
    };
    head.target = place;
    head.line = [&head.method, &b" "[..], &head.target, b" ", &head.version].concat();
    let mut kept = Fields::new();
    for (name, value) in head.headers.iter().filter(|(name, _)| !is_of_body(name)) {
        kept.push(name, value);
    }
    head.headers = kept;
    Some(format!("Answered by the page {path}: {}", refusal.why))
}

/// Fields that say something of a body.
fn is_of_body(name: &[u8]) -> bool {
    const NAMES: [&str; 6] =
        ["content-length", "transfer-encoding", "content-type", "content-encoding", "expect", "trailer"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_http::{HeadLimits, HeadParse, parse_request_head};

    fn turned(text: &str, page: CertificatePage) -> Option<(RequestHead, RequestPlan)> {
        let HeadParse::Complete { mut head, .. } =
            parse_request_head(text.as_bytes(), &HeadLimits::default())
        else {
            panic!("no head")
        };
        let mut plan = RequestPlan::of(&head);
        let why = "the client sent no certificate".to_owned();
        let refusal = Refusal { status: 400, said: "", why, page: Some(page), closes: true };
        turn(&mut head, &mut plan, &refusal).map(|_| (head, plan))
    }

    #[test]
    fn a_request_becomes_one_for_the_page_without_its_body() {
        let here = || CertificatePage::Here("/denied?why=cert".to_owned());
        let post =
            "POST /pay HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-A: 1\r\nExpect: 100-continue\r\n\r\n";
        let (head, plan) = turned(post, here()).unwrap();
        assert_eq!(head.line, b"GET /denied?why=cert HTTP/1.1");
        let names: Vec<_> = head.headers.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        assert_eq!(names, ["Host", "X-A"]);
        assert!(!plan.has_body() && !plan.expects_continue && plan.method == b"GET");
        let (head, _) = turned("HEAD http://h:1/pay?x HTTP/1.1\r\nHost: other\r\n\r\n", here()).unwrap();
        assert_eq!(head.line, b"HEAD http://h:1/denied?why=cert HTTP/1.1");
        let two = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(turned(two, here()).is_none(), "its framing comes first");
        assert!(turned(post, CertificatePage::Elsewhere("https://a/".to_owned())).is_none());
    }
}
