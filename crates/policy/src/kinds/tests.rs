//! Each limit and each mistake, with what is said about it.

use palisade_yaml::{Diagnostic, Origin};

use super::read_objects;

/// The findings of a text: line, column, path, message, help.
fn findings(text: &str) -> Vec<String> {
    read_objects(text.as_bytes()).diagnostics.iter().map(shown).collect()
}

fn shown(diagnostic: &Diagnostic) -> String {
    let place = match diagnostic.origin {
        Origin::File { line, column, .. } => format!("{line}:{column}"),
        _ => "-".to_owned(),
    };
    let help = diagnostic.help.as_deref().unwrap_or("-");
    format!("{place} {}: {} ({help})", diagnostic.key, diagnostic.message)
}

fn global(spec: &str) -> String {
    format!(
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: p}}\nspec: {{{spec}}}\n"
    )
}

fn rule(rule: &str) -> String {
    global(&format!("ingress: [{{action: Allow, {rule}}}]"))
}

fn list(item: &str, count: usize) -> String {
    vec![item; count].join(", ")
}

/// The messages and remedies, without their places.
fn said(text: &str) -> Vec<String> {
    let findings = findings(text);
    findings.iter().map(|finding| finding.split_once(": ").map_or("", |(_, rest)| rest).to_owned()).collect()
}

#[test]
fn each_limit_of_the_api_is_a_limit_and_says_so() {
    let nets = |count| rule(&format!("source: {{nets: [{}]}}", list("10.0.0.0/8", count)));
    let ports = |count| rule(&format!("protocol: TCP, destination: {{ports: [{}]}}", list("80", count)));
    let rules = |count| global(&format!("egress: [{}]", list("{action: Allow}", count)));
    let methods = |count| {
        let all: Vec<String> = (0..count).map(|number| format!("M{number}")).collect();
        rule(&format!("http: {{methods: [{}]}}", all.join(", ")))
    };
    let paths = |count| rule(&format!("http: {{paths: [{}]}}", list("{exact: /a}", count)));
    let path = |length| rule(&format!("http: {{paths: [{{prefix: /{}}}]}}", "a".repeat(length - 1)));
    let selector = |length: usize| global(&format!("selector: \"a == '{}'\"", "b".repeat(length - 7)));
    let name =
        |length| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n", "a".repeat(length));
    let not_nets = |count| rule(&format!("source: {{notNets: [{}]}}", list("10.0.0.0/8", count)));
    let not_ports =
        |count| rule(&format!("protocol: UDP, destination: {{notPorts: [{}]}}", list("80", count)));
    let ingress = |count| global(&format!("ingress: [{}]", list("{action: Allow}", count)));
    let headers =
        |count| rule(&format!("http: {{headers: [{}]}}", list("{header: a, operator: Exists}", count)));
    let hosts = |count| rule(&format!("http: {{hosts: [{}]}}", list("a", count)));
    let label = |length| global(&format!("selector: \"has({})\"", "a".repeat(length)));
    type Case<'c> = (&'c dyn Fn(usize) -> String, usize, &'c str);
    let claims =
        |count| rule(&format!("http: {{claims: [{}]}}", list("{claim: a, operator: Exists}", count)));
    let claim =
        |length| rule(&format!("http: {{claims: [{{claim: {}, operator: Exists}}]}}", "a".repeat(length)));
    let values = |count| {
        rule(&format!("http: {{claims: [{{claim: a, operator: In, values: [{}]}}]}}", list("a", count)))
    };
    let cases: [Case<'_>; 17] = [
        (
            &nets,
            256,
            "`nets` has at most 256 items, not 257 (put them into a GlobalNetworkSet, and select it by a label)",
        ),
        (
            &ports,
            50,
            "`ports` has at most 50 items, not 51 (write ranges, such as 8000:8099, or a second rule)",
        ),
        (
            &rules,
            1024,
            "`egress` has at most 1024 items, not 1025 (split the policy in two; policies of one order are asked by name)",
        ),
        (
            &not_nets,
            256,
            "`notNets` has at most 256 items, not 257 (put them into a GlobalNetworkSet, and select it by a label)",
        ),
        (
            &not_ports,
            50,
            "`notPorts` has at most 50 items, not 51 (write ranges, such as 8000:8099, or a second rule)",
        ),
        (
            &ingress,
            1024,
            "`ingress` has at most 1024 items, not 1025 (split the policy in two; policies of one order are asked by name)",
        ),
        (&headers, 20, "`headers` has at most 20 items, not 21 (write a second rule for the rest)"),
        (&claims, 20, "`claims` has at most 20 items, not 21 (write a second rule for the rest)"),
        (&claim, 1024, "a claim has at most 1024 characters, not 1025 (write the claim's name)"),
        (
            &values,
            256,
            "`values` has at most 256 items, not 257 (put people into a group, and ask for its claim)",
        ),
        (&hosts, 20, "`hosts` has at most 20 items, not 21 (write a second rule for the rest)"),
        (&label, 512, ""),
        (&methods, 20, "`methods` has at most 20 items, not 21 (write a second rule for the rest)"),
        (&paths, 20, "`paths` has at most 20 items, not 21 (write a second rule for the rest)"),
        (
            &path,
            1024,
            "a path has at most 1024 characters, not 1025 (a shorter prefix covers what is below it)",
        ),
        (
            &selector,
            1024,
            "a selector has at most 1024 characters, not 1025 (give the objects a label of their own, and select that)",
        ),
        (&name, 253, ""),
    ];
    for (text, limit, message) in cases {
        assert_eq!(findings(&text(limit)), [""; 0], "at the limit of {limit}");
        let over = said(&text(limit + 1));
        assert_eq!(over.len(), 1, "{over:?}");
        if message.is_empty() {
            // The text itself stands in the message.
            let ends = [
                "(names have up to 253 lower-case letters, digits, `-` and `.`)",
                "a label has at most 512 characters, not 513 at character 5 (write it like app == 'web' && has(tier))",
            ];
            assert!(ends.iter().any(|end| over[0].ends_with(end)), "{over:?}");
        } else {
            assert_eq!(over, [message]);
        }
    }
}

#[test]
fn each_mistake_is_told_with_what_to_write() {
    for (text, message) in [
        (rule("source: {selctor: a}"), "the field `selctor` is not known (did you mean `selector`?)"),
        (global("ingress: [{}]"), "a rule without an action (add `action: Allow`, Deny, Log or Pass)"),
        (global("ingress: [{action: allow}]"), "`allow` is no action (did you mean `Allow`?)"),
        (rule("protocol: TPC"), "`TPC` is no protocol (write TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite, or a number from 1 to 255)"),
        (rule("protocol: 256"), "`256` is no protocol (write TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite, or a number from 1 to 255)"),
        (rule("ipVersion: 5"), "`5` is no version of IP (write one of 4, 6)"),
        (rule("source: {nets: [10.0.0.0/33]}"), "`10.0.0.0/33` is no range of addresses (write it like 10.0.0.0/8)"),
        (rule("ipVersion: 6, source: {nets: [10.0.0.0/8]}"), "10.0.0.0/8 is not of the rule's `ipVersion` (leave `ipVersion` out; ranges say it)"),
        (rule("destination: {ports: [80]}"), "`destination` asks for ports, which only TCP, UDP, SCTP and UDPLite have (add `protocol: TCP` to the rule)"),
        (rule("protocol: TCP, destination: {ports: ['90:80']}"), "`90:80` is a range that ends before it begins (write the lower port first)"),
        (rule("protocol: TCP, destination: {ports: [65536]}"), "`65536` is no port (write a number from 0 to 65535)"),
        (rule("protocol: TCP, destination: {ports: ['a b']}"), "`a b` is no port (write a number, \"first:last\" or the name of a port)"),
        (rule("protocol: TCP, icmp: {type: 8}"), "`icmp` does not go together with protocol TCP (write `protocol: ICMP` or ICMPv6)"),
        (rule("protocol: ICMP, icmp: {code: 8}"), "an ICMP code without a type (add `type:`)"),
        (rule("protocol: ICMP, icmp: {type: 255}"), "`255` is not a whole number from 0 to 254 (-)"),
        (rule("source: {selector: a = 'b'}"), "`a = 'b'` is no selector: `=` is no operator; write `==` at character 3 (write it like app == 'web' && has(tier))"),
        (rule("source: {selector: global()}"), "`global()` has no meaning here (it is for the `namespaceSelector` of a rule's source or destination)"),
        (global("namespaceSelector: global()"), "`global()` has no meaning here (it is for the `namespaceSelector` of a rule's source or destination)"),
        (rule("source: {services: {name: s, namespace: n}, selector: all()}"), "`selector` does not go together with `services` (keep one of them, or make two rules)"),
        (rule("source: {services: {name: s}}"), "`services` without a namespace (add `namespace: NAMESPACE`: a global policy has none of its own)"),
        (rule("destination: {services: {name: s, namespace: n}}"), "`services` has no place in the destination here (services are for the source of ingress rules and the destination of egress rules)"),
        (rule("source: {serviceAccounts: {names: [A]}}"), "`A` is not a service account (names have up to 253 lower-case letters, digits, `-` and `.`)"),
        (rule("destination: {domains: [x.example]}"), "`domains` has no meaning here: nothing here watches DNS (write `nets`, or for HTTP a destination host: `http: {hosts: [NAME]}`)"),
        (rule("protocol: UDP, http: {methods: [GET]}"), "`http` needs protocol TCP (write `protocol: TCP`, or leave the protocol out)"),
        (global("ingress: [{action: Log, http: {methods: [GET]}}]"), "`http` does not go together with action Log (write an Allow or Deny rule)"),
        (rule("http: {methods: [GET, GET]}"), "the method `GET` stands here twice (remove one of them)"),
        (rule("http: {methods: [get]}"), "`get` matches no usual request (methods are compared in their case: write GET)"),
        (rule("http: {methods: ['G T']}"), "`G T` is no method (write a method such as GET, or \"*\")"),
        (rule("http: {paths: [{exact: /a, prefix: /b}]}"), "a path is exactly one of `exact` and `prefix` (write `- prefix: /api`, or `- exact: /api`)"),
        (rule("http: {paths: [{exact: a}]}"), "`a` is no path: a path begins with a slash (write /a)"),
        (rule("http: {paths: [{exact: '/a?b'}]}"), "`/a?b` has a `?`, a `#` or a blank (a path ends before the query; a blank is written %20)"),
        (rule("http: {paths: [{exact: '/a/%2e%2e/b'}]}"), "`/a/%2e%2e/b` is a path that servers read in more than one way (write it decoded, without backslashes and without `..`)"),
        (rule("http: {headers: [{header: X}]}"), "a header without an operator (add `operator:` with one of Exists, DoesNotExist, HasPrefix, HasSuffix, In, NotIn, MatchesRegex)"),
        (rule("http: {headers: [{header: X, operator: In}]}"), "In needs values (add `values: [VALUE]`)"),
        (rule("http: {headers: [{header: X, operator: Exists, values: [a]}]}"), "Exists has no values (remove `values`)"),
        (rule("http: {headers: [{header: X, operator: MatchesRegex, values: ['a(']}]}"), "`a(` is no regular expression: error: unclosed group (-)"),
        (rule("http: {hosts: ['a:80']}"), "`a:80` is no host (write shop.example.com, or \"*.example.com\", without a port)"),
        (rule("http: {claims: [{operator: Exists}]}"), "a claim without `claim` (write `{claim: groups, operator: In, values: [admins]}`, or another operator: Exists, DoesNotExist, NotIn)"),
        (rule("http: {claims: [{claim: a}]}"), "a claim without `operator` (write `{claim: groups, operator: In, values: [admins]}`, or another operator: Exists, DoesNotExist, NotIn)"),
        (rule("http: {claims: [{claim: a, operator: HasPrefix, values: [b]}]}"), "`HasPrefix` is no operator (write one of Exists, DoesNotExist, In, NotIn)"),
        (rule("http: {claims: [{claim: a, operator: NotIn}]}"), "NotIn needs values (add `values: [VALUE]`)"),
        (rule("http: {claims: [{claim: a, operator: Exists, values: [b]}]}"), "Exists has no values (remove `values`)"),
        (rule("http: {claims: [{claim: '/a~b', operator: Exists}]}"), "`/a~b` is no claim: a `~` in a JSON pointer is written `~0` (write a name such as groups, or a JSON pointer such as /realm_access/roles)"),
        (rule("http: {claims: [{claim: '', operator: Exists}]}"), "`` is no claim: it has no name (write a name such as groups, or a JSON pointer such as /realm_access/roles)"),
        (global("order: many"), "`many` is not a number (write a number such as 100 or 10.5)"),
        (global("types: [Ingress, Ingress]"), "the type stands here twice (remove one of them)"),
        (global("types: [ingress]"), "`ingress` is no type of policy (did you mean `Ingress`?)"),
        (global("types: [Egress], ingress: [{action: Allow}]"), "these rules never act: `types` has no Ingress (add Ingress to `types`)"),
        (global("preDNAT: true"), "`preDNAT` needs `applyOnForward: true` (add it, or remove both)"),
        (global("stagedAction: Set"), "the field `stagedAction` is not known (known here: tier, order, selector, serviceAccountSelector, types, ingress, egress, performanceHints, namespaceSelector, doNotTrack, preDNAT, applyOnForward)"),
        ("apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p, namespace: n}\nspec: {namespaceSelector: all()}\n".to_owned(),
            "the field `namespaceSelector` is not known (known here: tier, order, selector, serviceAccountSelector, types, ingress, egress, performanceHints)"),
        ("kind: Tier\nmetadata: {name: a}\n".to_owned(), "an object without `apiVersion` (begin an object with `apiVersion: projectcalico.org/v3` and `kind: NetworkPolicy`, or the like)"),
        ("apiVersion: v1\nkind: Pod\nspec: {}\n".to_owned(), "an object without a name (add `metadata: {name: NAME}`)"),
        ("apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: a}\nspec: {defaultAction: Allow}\n".to_owned(), "`Allow` is no default action (write one of Deny, Pass)"),
        ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}, ingress: [{from: [{}]}]}\n".to_owned(),
            "a peer without a selector and without `ipBlock` (write `podSelector: {}` for all pods)"),
        ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}, ingress: [{ports: [{port: 80, endPort: 70}]}]}\n".to_owned(),
            "`endPort` 70 is below `port` 80 (write the lower one first)"),
    ] {
        let said = said(&text);
        assert!(said.iter().any(|finding| finding == message), "{text}\nshould say {message}\nsays {said:#?}");
    }
}

#[test]
fn a_mistake_has_its_place_and_path_and_costs_only_its_own_object() {
    let text = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: wrong}\nspec:\n  ingress:\n  - action: Allow\n    source:\n      nets: [10.0.0.0/8, ten]\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: good}}\n- {apiVersion: apps/v1, kind: Deployment, metadata: {name: ignored}}\n- {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: bad}, spec: {oder: 1}}\n---\napiVersion: v1\nkind: PodList\nitems: [{metadata: {name: pod}}]\n";
    assert_eq!(
        findings(text),
        [
            "8:26 spec.ingress[0].source.nets[1]: `ten` is no range of addresses (write it like 10.0.0.0/8)",
            "15:80 items[2].spec: the field `oder` is not known (did you mean `order`?)",
        ]
    );
    let read = read_objects(text.as_bytes());
    let names = |keys: Vec<&crate::ObjectKey>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        names(read.objects.iter().map(|(key, _)| key).collect()),
        ["Namespace good", "Pod default/pod"]
    );
    assert_eq!(names(read.refused.iter().collect()), ["GlobalNetworkPolicy wrong", "Tier bad"]);
    assert_eq!((read.ignored, read.unreadable), (1, false));
    let broken = read_objects(b"a: [");
    assert!(broken.unreadable && broken.objects.is_empty() && broken.diagnostics.len() == 1);
}

#[test]
fn kinds_of_both_groups_read_alike() {
    let spec = "spec: {selector: a == 'b', ingress: [{action: Deny}]}";
    for api in ["projectcalico.org/v3", "crd.projectcalico.org/v1"] {
        let text = format!("apiVersion: {api}\nkind: GlobalNetworkPolicy\nmetadata: {{name: p}}\n{spec}\n");
        assert_eq!(read_objects(text.as_bytes()).objects.len(), 1, "{api}");
    }
    let text =
        format!("apiVersion: example.org/v1\nkind: GlobalNetworkPolicy\nmetadata: {{name: p}}\n{spec}\n");
    assert_eq!(read_objects(text.as_bytes()).ignored, 1, "another group's kind is another kind");
}
