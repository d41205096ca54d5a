//! Our kinds, as CRDs: `WafProfile`, `RuleSet` and `Protection` of `palisade.dev/v1alpha1`.
//!
//! What a profile may say comes from the sections of the configuration file, so that the two never differ. Nothing here
//! talks to a cluster.

mod crd;
mod profile;
mod protection;
mod structural;
mod yaml;

pub use crd::{GROUP, PROTECTION, RULE_SET, VERSION, WAF_PROFILE, crds};
pub use profile::{BYTES_MAX, Rules, compile, profile_error, resolved, rule_files};
pub(crate) use profile::{Compiled, compiled, judged};
pub use protection::{Attachment, Attachments, Target, Way, profile_name};
pub use structural::breaches;

/// All CRDs as one YAML file for `kubectl apply --server-side`.
pub fn crds_yaml() -> String {
    let mut text = String::from("# Made from the code by `palisade crdgen`.\n");
    for crd in crds() {
        text.push_str("---\n");
        text.push_str(&yaml::block(&crd));
    }
    text
}
