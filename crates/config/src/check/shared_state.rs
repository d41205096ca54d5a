//! What is said about a Redis fits together.

use super::Checks;
use crate::Config;

impl Checks<'_> {
    pub(super) fn shared_state(&mut self, config: &Config) {
        let Some(redis) = &config.shared_state.redis else { return };
        let (key, origin) = ("sharedState.redis", redis.origin());
        let passwords =
            usize::from(redis.password_file.is_some()) + usize::from(redis.password_env.is_some());
        if passwords > 1 || (redis.username.is_some() && passwords == 0) {
            let message = "a user and its password go together".to_owned();
            self.error(key, origin, message, "write `username` and one of `passwordFile` and `passwordEnv`");
        }
        if let Some(tls) = redis.tls.as_ref().filter(|_| !redis.url.is_tls()) {
            let message = format!("{} is spoken to without TLS", redis.url.as_str());
            self.error(
                &format!("{key}.tls"),
                tls.origin(),
                message,
                "write rediss:// in `url`, or remove `tls`",
            );
        }
        if redis.timeout.duration().is_zero() {
            self.error(
                &format!("{key}.timeout"),
                origin,
                "nothing answers in no time".to_owned(),
                "write 1s",
            );
        }
    }
}
