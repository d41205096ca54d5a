//! Where a service lives: one URL, or several that are alike.

use std::ops::Deref;

use crate::decode::{Decode, Decoder, Shape, Step};
use crate::node::{Node, Value};
use crate::value::{Located, UpstreamUrl};

/// URLs of a service, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamUrls(Vec<Located<UpstreamUrl>>);

/// Each is a name to resolve or an address to try.
const URLS_MAX: usize = 256;

impl Deref for UpstreamUrls {
    type Target = [Located<UpstreamUrl>];

    fn deref(&self) -> &[Located<UpstreamUrl>] {
        &self.0
    }
}

impl Decode for UpstreamUrls {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let Value::List(items) = &node.value else {
            return Located::decode(node, decoder).map(|url| Self(vec![url]));
        };
        if items.is_empty() || items.len() > URLS_MAX {
            let message = format!("{} URLs stand where 1 to {URLS_MAX} are expected", items.len());
            decoder.error(node, message, "write one, or a list of those that are alike".to_owned());
            return None;
        }
        let urls: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                decoder.within(&Step::Index(index), |decoder| Located::decode(item, decoder))
            })
            .collect();
        urls.into_iter().collect::<Option<_>>().map(Self)
    }

    fn shape() -> Shape {
        Shape::OneOrMore(Box::new(<UpstreamUrl as Decode>::shape()))
    }
}
