//! Rules as YAML: a Calico policy that knows requests, and a Kubernetes policy that leaves no other way to the workload.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::generalise::{Allowed, From, Rules, nets};
use super::paths::{Pattern, Width};
use super::{Account, Learned, SuggestOptions, Suggestion, Who, labels_of};
use crate::labels::Labels;
use crate::net::Net;
use crate::objects::Objects;
use crate::selector::{Expr, Selector};

/// A workload and what was made of it.
pub(super) struct About<'a> {
    pub(super) account: &'a Account,
    pub(super) learned: &'a Learned,
    pub(super) labels: Option<&'a Labels>,
    pub(super) rules: &'a Rules,
}

/// The order of the Calico policy: before Kubernetes's own, which stand at 1,000 and know no requests.
const ORDER: u32 = 900;

/// Service accounts that a note names.
const NAMED_MAX: usize = 8;

/// Writes the policies of a workload.
pub(super) fn policies(
    about: &About<'_>,
    objects: &Objects,
    options: &SuggestOptions,
    suggestion: &mut Suggestion,
) {
    let (namespace, account) = about.account;
    let mut note = |text: String| suggestion.notes.push(format!("{namespace}/{account}: {text}"));
    note(format!(
        "{} of {} learned from",
        counted(about.rules.rules.len(), "rule"),
        counted(about.learned.requests as usize, "request")
    ));
    match about.rules.width {
        Width::Fan(16) => {}
        Width::Fan(fan) => note(format!(
            "paths are many: a place with more than {} below it is allowed as a whole",
            counted(fan, "place")
        )),
        Width::All => note("paths are too many for a policy: every path is allowed".to_owned()),
    }
    let (mut unknown, mut more_addresses) = (BTreeSet::new(), false);
    for (port, sources) in &about.learned.ports {
        for (who, requests) in sources {
            match who {
                Who::Addresses => note(match nets(requests) {
                    From::Anybody if requests.no_address => format!(
                        "{} at port {port} came without a workload's certificate, and from which addresses is not known: \
                         anybody may ask the same",
                        counted(requests.count as usize, "request")
                    ),
                    From::Anybody => format!(
                        "{} at port {port} came without a workload's certificate, from more addresses than a policy \
                         may name: anybody may ask the same",
                        counted(requests.count as usize, "request")
                    ),
                    _ => format!(
                        "{} at port {port} came without a workload's certificate: their addresses may ask the same, \
                         whoever has them",
                        counted(requests.count as usize, "request")
                    ),
                }),
                Who::Account((namespace, name)) if requests.unknown_at_address => {
                    unknown.insert(format!("{namespace}/{name}"));
                    more_addresses |= requests.more_addresses;
                }
                Who::Account(_) => {}
            }
        }
    }
    if !unknown.is_empty() {
        let named: Vec<&str> = unknown.iter().map(String::as_str).take(NAMED_MAX).collect();
        let others = match unknown.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        note(format!(
            "certificates of {}{others} came from addresses that no workload is known to have: their rules match where the \
             policies' objects, or a cluster, say who has them",
            named.join(", ")
        ));
    }
    if more_addresses {
        note(
            "those addresses are more than are kept: requests from the others count as denied below"
                .to_owned(),
        );
    }
    if about.labels.is_none() && &**account == "default" {
        note(
            "other workloads of the namespace may run as the service account `default`, and the policy selects them too: \
             name the workload's labels by --labels, or its Pod by --policies"
                .to_owned(),
        );
    }
    let yaml = &mut suggestion.yaml;
    calico(about, options, yaml);
    match about.labels {
        Some(labels) => kubernetes(about, labels, objects, options, yaml),
        None => suggestion.notes.push(format!(
            "{namespace}/{account}: no policy of Kubernetes's own kind is written, since the workload's labels are not known: \
             name them by --labels, or its Pod by --policies"
        )),
    }
    for application in &about.learned.applications {
        let ip = application.ip();
        if !ip.is_loopback() && !ip.is_unspecified() {
            suggestion.notes.push(format!(
                "{namespace}/{account}: its application listens at {application}; where that is another pod than \
                 Palisade's, let Palisade alone reach it there"
            ));
        }
    }
}

fn calico(about: &About<'_>, options: &SuggestOptions, out: &mut String) {
    let (namespace, account) = about.account;
    let staged = if options.staged { "Staged" } else { "" };
    document(out);
    let _ = write!(
        out,
        "# {}, as seen in {}: who may ask for what. The last rule refuses the rest, also where a policy\n\
         # without `http` would let it through.\n\
         apiVersion: projectcalico.org/v3\nkind: {staged}NetworkPolicy\nmetadata: {{name: palisade-{account}, namespace: \
         {}}}\nspec:\n  order: {ORDER}\n",
        account,
        counted(about.learned.requests as usize, "request"),
        quoted(namespace)
    );
    if let Some(labels) = about.labels {
        let parts = labels.iter().map(|(name, value)| Expr::is(name, value)).collect();
        let selector = Selector::from(Expr::all_of(parts)).to_string();
        let _ = writeln!(out, "  selector: {}", quoted(&selector));
    }
    // Beside the labels as well: others may have the same.
    let _ = writeln!(out, "  serviceAccountSelector: {}", quoted(&by_name(account)));
    out.push_str("  types: [Ingress]\n  ingress:\n");
    for rule in &about.rules.rules {
        allowed(rule, namespace, out);
    }
    let ports: Vec<String> = about.learned.ports.keys().map(u16::to_string).collect();
    let _ =
        writeln!(out, "  - {{action: Deny, protocol: TCP, destination: {{ports: [{}]}}}}", ports.join(", "));
}

fn allowed(rule: &Allowed, namespace: &str, out: &mut String) {
    let _ = write!(out, "  - action: Allow\n    protocol: TCP\n");
    match &rule.from {
        From::Accounts { namespace: theirs, names } => {
            out.push_str("    source:\n");
            let _ = writeln!(
                out,
                "      serviceAccounts: {{names: [{}]}}",
                names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
            );
            // Without it the policy's own namespace is meant.
            if **theirs != *namespace {
                let _ = writeln!(out, "      namespaceSelector: {}", quoted(&by_name(theirs)));
            }
        }
        From::Nets(nets) => {
            let _ = writeln!(out, "    source: {{nets: [{}]}}", nets_of(nets));
        }
        From::Anybody => {}
    }
    let _ = writeln!(out, "    destination: {{ports: [{}]}}", rule.port);
    let methods: Vec<String> = rule.methods.iter().map(|method| quoted(method)).collect();
    let _ = write!(out, "    http:\n      methods: [{}]\n", methods.join(", "));
    if !rule.paths.is_empty() {
        out.push_str("      paths:\n");
        for Pattern { path, is_prefix } in &rule.paths {
            let word = if *is_prefix { "prefix" } else { "exact" };
            let _ = writeln!(out, "      - {word}: {}", quoted(&written(path)));
        }
    }
}

fn kubernetes(
    about: &About<'_>,
    labels: &Labels,
    objects: &Objects,
    options: &SuggestOptions,
    out: &mut String,
) {
    let (namespace, account) = about.account;
    let closed: BTreeSet<u16> = about
        .learned
        .applications
        .iter()
        .map(std::net::SocketAddr::port)
        .filter(|port| !about.learned.ports.contains_key(port))
        .collect();
    document(out);
    out.push_str("# The network's part: nobody else gets as far as Palisade, and no other port is open");
    match closed.is_empty() {
        true => out.push_str(".\n"),
        false => {
            let ports: Vec<String> = closed.iter().map(u16::to_string).collect();
            let _ = write!(
                out,
                ", the application's own\n# ({}) among them: behind Palisade is no way around it.\n",
                ports.join(", ")
            );
        }
    }
    let (version, kind) = match options.staged {
        true => ("projectcalico.org/v3", "StagedKubernetesNetworkPolicy"),
        false => ("networking.k8s.io/v1", "NetworkPolicy"),
    };
    let _ = write!(
        out,
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: palisade-{account}, namespace: {}}}\nspec:\n  \
         podSelector: {{matchLabels: {}}}\n  policyTypes: [Ingress]\n  ingress:\n",
        quoted(namespace),
        label_map(labels)
    );
    for (port, sources) in &about.learned.ports {
        let mut peers: BTreeSet<String> = BTreeSet::new();
        let mut anybody = false;
        for (who, requests) in sources {
            match who {
                Who::Account(account) => {
                    let pods = labels_of(objects, account, None);
                    let pods =
                        pods.map(|labels| format!(", podSelector: {{matchLabels: {}}}", label_map(&labels)));
                    peers.insert(format!(
                        "{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}{}}}",
                        quoted(&account.0),
                        pods.unwrap_or_default()
                    ));
                }
                Who::Addresses => match nets(requests) {
                    From::Nets(nets) => peers.extend(
                        nets.iter().map(|net| format!("{{ipBlock: {{cidr: {}}}}}", quoted(&net.to_string()))),
                    ),
                    _ => anybody = true,
                },
            }
        }
        let _ = writeln!(out, "  - ports: [{{protocol: TCP, port: {port}}}]");
        if !anybody {
            out.push_str("    from:\n");
            peers.iter().for_each(|peer| {
                let _ = writeln!(out, "    - {peer}");
            });
        }
    }
}

/// A workload that was only known by its certificate, with the addresses that it came from.
pub(super) fn workload(
    account: &Account,
    addresses: &[IpAddr],
    options: &SuggestOptions,
    suggestion: &mut Suggestion,
) {
    if !options.workloads {
        return;
    }
    let (namespace, name) = account;
    let addresses: Vec<Net> = addresses.iter().copied().map(Net::of).collect();
    document(&mut suggestion.yaml);
    let _ = write!(
        suggestion.yaml,
        "# Where the certificate of {name} came from.\napiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\n\
         metadata: {{name: seen-{name}, namespace: {}}}\nspec: {{serviceAccountName: {}, ipNetworks: [{}]}}\n",
        quoted(namespace),
        quoted(name),
        nets_of(&addresses)
    );
}

fn nets_of(nets: &[Net]) -> String {
    // `::` would end a plain text of YAML.
    nets.iter().map(|net| quoted(&net.to_string())).collect::<Vec<_>>().join(", ")
}

fn label_map(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn by_name(name: &str) -> String {
    format!("projectcalico.org/name == '{name}'")
}

/// A path as a policy may write it: what could be read otherwise is escaped, which the comparison undoes.
fn written(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(*byte)),
            _ if b"/-._~!$&'()*+,=:@".contains(byte) => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A text of YAML, in quotes where it could be taken for something else.
fn quoted(text: &str) -> String {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(known)
        && !words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// Begins a document.
fn document(out: &mut String) {
    if !out.is_empty() {
        out.push_str("---\n");
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
