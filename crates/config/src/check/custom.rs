//! Custom rules that say nothing, or too much.

use std::collections::HashSet;

use super::Checks;
use crate::sections::Config;

/// Patches of one profile, and entries of other lists of custom rules.
const RULES_MAX: usize = 1000;

impl Checks<'_> {
    pub(super) fn custom_rules(&mut self, config: &Config) {
        for (name, profile) in config.profiles.iter() {
            let of = format!("profiles.{name}");
            if let Some(over) = profile.patches.get(RULES_MAX) {
                let message = format!("more than {RULES_MAX} patches");
                self.error(&format!("{of}.patches"), over.origin(), message, "name several paths in one");
            }
            if let Some(over) = profile.binary.get(RULES_MAX) {
                let message = format!("more than {RULES_MAX} entries");
                self.error(&format!("{of}.binary"), over.origin(), message, "name several points in one");
            }
            let mut names = HashSet::new();
            for (index, patch) in profile.patches.iter().enumerate() {
                if !names.insert(&*patch.name) {
                    let message = format!("there is a patch `{}` before this one", *patch.name);
                    self.error(
                        &format!("{of}.patches[{index}].name"),
                        patch.name.origin(),
                        message,
                        "rename one of them",
                    );
                }
                for (at, attack) in patch.attacks.iter().enumerate() {
                    if attack.is_of_specification() {
                        let key = format!("{of}.patches[{index}].attacks[{at}]");
                        let message = format!("`{}` is nothing that the detector sees", **attack);
                        self.error(
                            &key,
                            attack.origin(),
                            message,
                            "name an attack such as sqli, or none for any request",
                        );
                    }
                }
            }
            for (index, binary) in profile.binary.iter().enumerate() {
                if binary.points.is_empty() {
                    let message = "binary data is allowed nowhere".to_owned();
                    let help = "add `points: [\"body.multipart:archive\"]`";
                    self.error(&format!("{of}.binary[{index}]"), binary.origin(), message, help);
                }
            }
            for (index, mask) in profile.mask.iter().enumerate() {
                for (at, points) in mask.points.iter().enumerate() {
                    if points.name().is_none() {
                        let key = format!("{of}.mask[{index}].points[{at}]");
                        let message = format!("`{}` does not end in a name", **points);
                        let help = "write one such as query:ssn or body.json:/users/*/ssn; several by several points";
                        self.error(&key, points.origin(), message, help);
                    }
                }
            }
        }
    }
}
