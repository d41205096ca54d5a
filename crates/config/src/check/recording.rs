//! Whether a recording is of services that there are, and can hold something.

use std::collections::HashSet;

use super::Checks;
use crate::sections::Config;

/// A recording is kept in eight files at least, each of which holds some requests.
const SIZE_BYTES_MIN: u64 = 1 << 20;
/// What one request may take of the queue before it is written.
const BODY_BYTES_MAX: u64 = 16 << 20;

impl Checks<'_> {
    pub(super) fn recording(&mut self, config: &Config) {
        let recording = &config.recording;
        let mut seen = HashSet::new();
        for (number, service) in recording.services.iter().enumerate() {
            let (key, origin) = (format!("recording.services[{number}].name"), service.name.origin());
            if !config.services.iter().any(|there| *there.name == *service.name) {
                let message = format!("there is no service {}", *service.name);
                self.error(&key, origin, message, "name one of `services`");
            } else if !seen.insert(&*service.name) {
                self.error(&key, origin, format!("service {} is named twice", *service.name), "name it once");
            }
        }
        let sizes = [
            ("recording.maxSize", recording.max_size, SIZE_BYTES_MIN..=u64::MAX, "write 1MiB or more"),
            ("recording.body", recording.body, 0..=BODY_BYTES_MAX, "write 16MiB or less"),
        ];
        for (key, size, range, help) in sizes {
            if !range.contains(&size.bytes()) {
                let message = format!("{} bytes cannot be kept to", size.bytes());
                self.error(key, crate::node::Origin::Default, message, help);
            }
        }
    }
}
