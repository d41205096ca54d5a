//! `palisade policy eval`: what would happen to flows, and why. No network, no waiting.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Result, bail};
use palisade_policy::{
    Compiler, Decision, Feed, Index, Judgement, NearMiss, Objects, PlaintextPeers, PolicyKind, Reason,
    Speaker, TrustDomains, Verdict,
};
use serde_json::{Value, json};

use super::flow::FlowLine;
use super::lines;
use crate::Finding;
use crate::files::{FileSystem, read_requests};
use crate::flags::{self, PolicyEvalFlags};
use crate::policies::PolicyFiles;

/// Decides about each flow; exit 1 when one is denied or cannot be read.
pub(crate) fn run(flags: &PolicyEvalFlags) -> Result<Finding> {
    let read = PolicyFiles::default().read(&super::paths(&flags.policies.policies)?, &FileSystem)?;
    read.said.show();
    if read.said.errors > 0 {
        bail!("the policies are not usable: {}", read.said.count());
    }
    let judgement = Judgement {
        trust_domains: trust_domains(&flags.trust_domain),
        plaintext_peers: match flags.plaintext_peers {
            flags::PlaintextPeers::Deny => PlaintextPeers::Deny,
            flags::PlaintextPeers::Address => PlaintextPeers::Address,
        },
        ..Judgement::default()
    };
    let mut compiler = Compiler::new();
    let mut index = Index::new(Feed::Complete);
    index.apply(compiler.apply(read.changes));
    let input = read_requests(&flags.input)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut finding = Finding::Nothing;
    for (number, line) in lines(&input) {
        let answer = answer(line, compiler.objects(), &index, &judgement).unwrap_or_else(|(id, message)| {
            json!({
                "id": id, "verdict": null, "tier": null, "policy": null, "rule_index": null, "reason": null,
                "trace": [], "pending": null, "error": {"message": message, "line": number},
            })
        });
        if answer["verdict"] != "allow" {
            finding = Finding::Something;
        }
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(finding)
}

/// Trust domains as they are written: none is the default, `*` is any.
pub(crate) fn trust_domains(domains: &[String]) -> TrustDomains {
    match domains {
        [] => TrustDomains::default(),
        domains if domains.iter().any(|domain| domain == "*") => TrustDomains::Any,
        domains => TrustDomains::Of(domains.to_vec()),
    }
}

fn answer(
    line: &[u8],
    objects: &Objects,
    index: &Index,
    judgement: &Judgement,
) -> Result<Value, (Value, String)> {
    let line: FlowLine = serde_json::from_slice(line).map_err(|error| {
        let id = serde_json::from_slice::<Value>(line).map_or(Value::Null, |value| value["id"].clone());
        (id, error.to_string())
    })?;
    let id = line.id.clone();
    let flow = line.into_flow(objects, &judgement.trust_domains).map_err(|message| (id.clone(), message))?;
    let flow = flow.flow();
    let decisions = index.evaluate(&flow, judgement);
    let enforced = &decisions.enforced;
    let miss = index.near_miss(&flow, enforced, judgement);
    let mut answer = shown(enforced);
    answer["id"] = id;
    answer["reason"] = reason(enforced, miss.as_ref()).into();
    answer["nearest_miss"] = miss.as_ref().map_or(Value::Null, |miss| {
        json!({
            "tier": &*miss.tier, "policy": miss.policy.to_string(), "rule_index": miss.rule_index,
            "clause": miss.clause.as_str(), "why": miss.doubt.map(|doubt| doubt.to_string()),
        })
    });
    // Where nothing is staged, what would be is what is.
    answer["pending"] = shown(decisions.pending.as_ref().unwrap_or(enforced));
    Ok(answer)
}

fn shown(decision: &Decision) -> Value {
    let stop = decision.decisive();
    let index = |index: Option<usize>| index.map_or(json!(-1), |index| json!(index));
    let trace: Vec<Value> = decision
        .trace
        .iter()
        .map(|stop| {
            json!({
                "tier": &*stop.tier, "kind": kind(&stop.policy), "policy": stop.policy.to_string(),
                "rule_index": index(stop.rule_index), "action": stop.action.as_str(),
            })
        })
        .collect();
    json!({
        "verdict": if decision.verdict == Verdict::Allow { "allow" } else { "deny" },
        "tier": stop.map(|stop| &*stop.tier),
        "policy": stop.map(|stop| stop.policy.to_string()),
        "rule_index": stop.map_or(Value::Null, |stop| index(stop.rule_index)),
        "reason": decision.reason.to_string(),
        "trace": trace,
    })
}

fn kind(speaker: &Speaker) -> &'static str {
    match speaker {
        Speaker::Profile(_) => "Profile",
        Speaker::Policy(id) => match id.kind {
            PolicyKind::Global => "GlobalNetworkPolicy",
            PolicyKind::Namespaced => "NetworkPolicy",
            PolicyKind::Kubernetes => "KubernetesNetworkPolicy",
        },
    }
}

/// Why, in one sentence; for a denial with what came nearest to allowing it.
pub(crate) fn reason(decision: &Decision, miss: Option<&NearMiss>) -> String {
    let mut text = decision.reason.to_string();
    if let (Reason::TierDefault, Some(miss)) = (decision.reason, miss) {
        let _ =
            write!(text, "; nearest was rule {} of {}, whose {} ", miss.rule_index, miss.policy, miss.clause);
        match miss.doubt {
            Some(doubt) => {
                let _ = write!(text, "cannot be decided: {doubt}");
            }
            None => text.push_str("does not match"),
        }
    }
    text
}
