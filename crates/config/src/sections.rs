//! The sections of the configuration file. The words beside a key are what its reference says.

use crate::authentication::{Authentication, Authenticator};
use crate::client_address::ClientAddress;
use crate::custom::{Binary, EndpointHeaders, Method, Patch};
use crate::decode::{Decode, Decoder, Shape, Step, section};
use crate::events::Events;
use crate::exception::RuleIds;
use crate::headers::{HeaderName, Headers};
use crate::http2::Http2;
use crate::lists::{Automatic, Lists, ModeOverride};
use crate::node::{Node, Value, quoted};
use crate::oidc::Oidc;
use crate::openapi::OpenApi;
use crate::policy::{Policies, Workload};
use crate::rates::RateLimit;
use crate::recording::Recording;
use crate::routing::{Moved, Rewrite, Wanted, Weight};
use crate::shared_state::SharedState;
use crate::sinks::Alerts;
use crate::socket::Socket;
use crate::tls::{Direction, Forward, ListenerTls, ServiceTls, UpstreamTls, WorkloadApi};
use crate::tracing::Tracing;
use crate::value::{
    Address, AdminAddress, AnswerStatus, AuditFormat, Count, FilePath, ForwardedHeaders, HostPattern,
    IpAddress, ListenerProtocol, Located, Location, LogTarget, Name, OnFailure, OnRequestBody,
    OnResponseBody, Paranoia, Port, RedirectStatus, RouteBody, RoutePath, Size, Time, UpstreamProtocol,
    UpstreamUrls,
};
use palisade_model::{Attack, Leaks, Mode, PointPattern, Sensitivity, Wildcard};

section! {
    /// Everything that one process is told.
    ///
    /// Relative paths start at the folder of the file; those of flags, and the default of `dataDir`, at the working
    /// directory.
    pub struct Config {
        /// The listener for probes, metrics and the console. A change needs a restart.
        admin: Admin,
        /// Folder for what outlives a request: bodies too large for memory, lists, events. Made when it is not there,
        /// and locked while the process lives: one process, one folder. A change needs a restart.
        data_dir: FilePath = "./palisade-data",
        /// Where log lines go.
        logs: Logs,
        /// Addresses that requests are taken from. Without any there is one, `web` on 127.0.0.1:8080. They come, go
        /// and change with a reload.
        listeners: Vec<Listener>,
        /// Addresses where an Envoy asks about its requests, by ext_authz and ext_proc. Their requests belong to services
        /// as those of listeners do. Which there are, and where, needs a restart.
        envoy: Vec<Envoy>,
        /// What is protected. At least one.
        services: Vec<Service>,
        /// Which requests belong to which service. Without any, every request belongs to the only service.
        ///
        /// The host decides first: a route of the exact name before one of a wildcard, before one of any host. Then
        /// the longest path wins, segment by segment: `/cms/` takes `/cms` and `/cms/a`, not `/cmsx`; then a route that asks for
        /// a method, then the one that asks for more headers, then for more arguments of the query, then the first. A request
        /// whose host has no route for its path is answered with 404 here; it is not passed to another host's routes.
        /// A path that cannot be normalised (an encoded slash, `..` above the root, `%00`, a broken escape) belongs
        /// to the route `/` of its host, whatever it may mean elsewhere.
        routes: Vec<Route>,
        /// How traffic is inspected, by name. Without any there is one, `default`, that monitors without rules.
        profiles: Profiles,
        /// The page of a blocked request, for services that have none of their own.
        block_page: BlockPage,
        /// Whom we stand in front of, where a service does not say it: policies select by it. Without it a connection belongs
        /// to the pod of `policies` that has the address where it arrived.
        workload: Option<Workload>,
        /// Who may ask, and what. Nobody is refused by policy when absent.
        policies: Option<Policies>,
        /// Sources that pass unchecked, are refused, or are watched.
        lists: Lists,
        /// How often somebody may ask. Services and routes name those that hold for them.
        rate_limits: Vec<RateLimit>,
        /// Ways to know who a request is from. Services and routes name those that they ask.
        authenticators: Vec<Authenticator>,
        /// What is kept of decisions and of traffic.
        events: Events,
        /// Copies of requests, kept to try changes on.
        recording: Recording,
        /// Traces of requests, for a collector of OpenTelemetry.
        tracing: Tracing,
        /// Who says who we are, where certificates are `workload-api`.
        workload_api: WorkloadApi,
        /// What asks about events, and who is told.
        alerts: Option<Alerts>,
        /// What several processes have in common.
        shared_state: SharedState,
    }
}

section! {
    /// The listener for probes, metrics and the console.
    pub struct Admin {
        /// Where it listens, or `off`. When absent: 127.0.0.1:9901, where that is free. Off loopback it needs
        /// `tokenFile`, `usersFile` or `oidc`.
        address: Option<AdminAddress>,
        /// A file with the token, 16 characters or more, that opens it. Clients show it as `Authorization: Bearer
        /// TOKEN`; probes need none.
        token_file: Option<FilePath>,
        /// A file of users who log in to the web console with a password: a line each with a name, `viewer` or
        /// `operator`, and a hash, as `palisade password` writes them.
        users_file: Option<FilePath>,
        /// Log-in to the web console by an OpenID provider.
        oidc: Option<Oidc>,
        /// Another address that serves probes and metrics alone, without a token: for kubelet and Prometheus.
        probes: Option<Address>,
    }
}

section! {
    /// Where log lines go: a file's path, `stderr`, `stdout` or `off`. SIGHUP opens files anew.
    pub struct Logs {
        /// The error log: one line a match.
        error: LogTarget = "stderr",
        /// The audit log: the record of an exchange. Where rules name a file by `SecAuditLog`, this one comes before.
        audit: Option<LogTarget>,
        /// The form of the audit log's records; as the rules say by `SecAuditLogFormat` when absent, else `native`.
        audit_format: Option<AuditFormat>,
        /// The access log: one JSON object a request.
        access: LogTarget = "off",
        /// Whether the error log also has lines in the form of Calico's Dikastes.
        dikastes: bool = "false",
    }
}

section! {
    /// An address that requests are taken from.
    pub struct Listener {
        /// Its name in routes, logs and metrics.
        name: Located<Name>,
        /// Where it listens. Port 0 takes a free one, which is printed.
        address: Located<Address>,
        /// What clients may speak: `auto` (HTTP/1.1; HTTP/2 where a plain connection begins with its preface, or where
        /// ALPN chose it), `http1`, or `h2c` (HTTP/2 alone, without TLS, from the first byte).
        protocol: ListenerProtocol = "auto",
        /// Bounds of connections on which clients speak HTTP/2.
        http2: Http2,
        /// A path that is answered here with 200, uninspected; for probes.
        health_path: Option<HealthPath>,
        /// Sends every request to the same place over HTTPS instead of to a service; nothing is inspected here then but
        /// the framing. The health path is answered all the same.
        redirect: Option<Redirect>,
        /// inbound: requests of clients for the workload. outbound: the workload's own calls to others, which leave with its
        /// certificate where `upstream.tls` has one; it listens on loopback then, its routes name it, and nothing is said of
        /// the client.
        direction: Direction = "inbound",
        /// What services are told of who asked, and of what the client says of that itself. append: its address is appended to
        /// `X-Forwarded-For`. ingress-nginx: the headers that ingress-nginx writes, in which what the client said stands apart
        /// (`X-Original-Forwarded-For`). ingress-nginx-full: the same, and the address is appended to the client's list.
        forwarded_headers: ForwardedHeaders = "append",
        /// Who the client is where somebody stands between; the connection's other end when absent.
        client_address: Option<Located<ClientAddress>>,
        /// TLS; without it the listener is plain.
        tls: Option<Located<ListenerTls>>,
    }
}

section! {
    /// An address where an Envoy, or Istio's, asks about its requests: its filters ext_authz and ext_proc, and health
    /// checks, over gRPC. Upstreams are Envoy's own.
    pub struct Envoy {
        /// Its name in routes, logs and metrics.
        name: Located<Name>,
        /// Where Envoy finds it.
        address: Located<Socket>,
        /// Both filters are in Envoy's chain, ext_authz before ext_proc: a request that was allowed waits, for a minute at
        /// most, for ext_proc to go on with it, so that the exchange is one in logs.
        joined: bool = "false",
        /// How long judging what one message shows may take. Then the request does not pass: 503, `late`.
        deadline: Time = "5s",
        /// TLS, for an address: which Envoys may ask is `clientCertificates`, by an authority, and by `matchSubject` or
        /// `spiffeIds`. Whom it does not let in has no connection.
        tls: Option<Located<ListenerTls>>,
    }
}

section! {
    /// Where a listener sends its requests: `https://`, the host that they name, and their own path and query.
    pub struct Redirect {
        /// The status. With 307 and 308 a client repeats its method and body.
        status: RedirectStatus = "308",
        /// The port of the HTTPS listener, as clients see it.
        port: Port = "443",
    }
}

section! {
    /// The page of a blocked request: files, read at start and when they change, at most 64 KiB each. In them
    /// `{{request_id}}`, `{{status}}` and `{{reason}}` stand for what they say. Other answers of ours, such as 502, keep
    /// their own page.
    pub struct BlockPage {
        /// The page for browsers; a short one of ours when absent.
        html: Option<Located<FilePath>>,
        /// The page for clients that accept JSON before HTML; a short one of ours when absent.
        json: Option<Located<FilePath>>,
    }
}

section! {
    /// A protected service.
    pub struct Service {
        /// Its name in routes, logs and metrics.
        name: Located<Name>,
        /// Where it lives. Not needed where only an Envoy asks about it.
        upstream: Option<Upstream>,
        /// What every request for it is answered with, in place of an upstream. Nothing is inspected then but framing, lists
        /// and certificates.
        answer: Option<Answer>,
        /// The number of its application: entries of lists may be for some applications alone.
        application: Option<u32>,
        /// The mode of its traffic, in place of its profile's; see there. Where a route names a mode or a profile, that of the
        /// route counts.
        mode: Option<Mode>,
        /// How far a mode set at run time (`PUT /api/v1/services/NAME/mode`) may go: `on`, it counts; `strict`, where it is
        /// stricter than the one that is written; `off`, not at all.
        mode_override: ModeOverride = "on",
        /// Rate limits that hold for its requests, by name.
        rate_limits: Vec<Located<Name>>,
        /// Whether it has to be known who its requests are from, where a route says nothing else.
        authentication: Option<Located<Authentication>>,
        /// The profile that inspects its traffic, where a route names none.
        profile: Located<Name> = "default",
        /// What its traffic is excepted from, whatever the profile. Those of the profile and of the route hold as well.
        exceptions: Vec<Located<Exception>>,
        /// The specification of its API; requests are not held against any when absent.
        openapi: Option<OpenApi>,
        /// The page of its blocked requests, in place of the one at the top.
        block_page: Option<BlockPage>,
        /// Changes to the headers of its responses, pages of ours included.
        response_headers: ResponseHeaders,
        /// Changes to the headers that it gets. Rules and policies see those that the client sent.
        request_headers: RequestHeaders,
        /// What it is asked for in place of what the client asked for.
        rewrite: Rewrite,
        /// TLS of its hosts.
        tls: ServiceTls,
        /// What it is told of a client's certificate.
        forward: Forward,
        /// The workload that policies see in it; the one at the top when absent.
        workload: Option<Workload>,
    }
}

section! {
    /// Changes to the headers of responses, after rules have seen them. Headers that frame a message cannot be changed.
    pub struct ResponseHeaders {
        /// Headers with the values that they shall have, in place of those that are there.
        set: Headers,
        /// Headers with values that are added to those that are there.
        add: Headers,
        /// Headers that are taken away.
        remove: Vec<HeaderName>,
    }
}

section! {
    /// Changes to the headers of requests on their way to a service. Headers that frame a message, and `Host`, cannot be changed
    /// here; what we say ourselves of the client comes after.
    pub struct RequestHeaders {
        /// Headers with the values that they shall have, in place of those that are there.
        set: Headers,
        /// Headers with values that are added to those that are there.
        add: Headers,
        /// Headers that are taken away.
        remove: Vec<HeaderName>,
    }
}

section! {
    /// An answer without an upstream: a status, a redirect to `location`, one to the same place over HTTPS, or one to a place
    /// that is the request's own in part.
    pub struct Answer {
        /// The status. 404, 503, 403 and others of errors; of a redirect 301, 302, 303, 307 or 308.
        status: AnswerStatus = "503",
        /// Where a redirect goes.
        location: Option<Location>,
        /// The port of the same place over HTTPS, as clients see it: a redirect goes there.
        https_port: Option<Port>,
        /// Where a redirect goes that keeps parts of the request's own place.
        moved: Option<Moved>,
    }
}

section! {
    /// Where a service lives.
    pub struct Upstream {
        /// `http://HOST` or `http://HOST:PORT`, `https` for TLS, or a list of them that are alike. Each address that they resolve to is an
        /// endpoint; a request goes to the least busy one that has not failed lately.
        url: UpstreamUrls,
        /// What it is spoken to in: `http1`, `http2` (agreed on by ALPN over TLS, known beforehand without), or `auto` (over
        /// TLS what ALPN chooses, HTTP/1.1 without). gRPC needs HTTP/2.
        protocol: UpstreamProtocol = "http1",
        /// How long it may take to resolve its name and connect. Over it the client gets 504.
        connect: Time = "5s",
        /// How long it may take from the end of a request to the head of the response, and between two pieces of its
        /// body. Over it the client gets 504, or the connection is closed.
        response: Time = "60s",
        /// How long an answer of the resolver is used. Names are asked for beside requests, and the last good answer is
        /// kept where there is no new one.
        resolve: Time = "10s",
        /// How long an endpoint that could not be connected to is passed over, where there are others.
        eject: Time = "10s",
        /// The address of this machine that connections to it leave from, where it has several: the workload's own, so that
        /// policies over there know who calls. The system chooses when absent.
        source: Option<IpAddress>,
        /// TLS towards it, where its URL begins with `https`.
        tls: Option<Located<UpstreamTls>>,
    }
}

section! {
    /// Requests that belong to a service.
    pub struct Route {
        /// The listener that took the request; any when absent.
        listener: Option<Located<Name>>,
        /// Hosts: a name, `*.` and a name (exactly one label more, as Kubernetes ingress means it), `**.` and a name (one label
        /// more or several, as the Gateway API means its wildcards), or `*`. Any when absent. Ports and letter case make no
        /// difference.
        hosts: Vec<Located<HostPattern>>,
        /// The path that requests begin with, in its normal form and decoded.
        path: Located<RoutePath> = "/",
        /// Whether it takes that path alone, to the slash at its end, and nothing below it. It comes before a route that takes
        /// what begins with the path.
        exact: bool = "false",
        /// The method that requests are to have; any when absent.
        method: Option<Method>,
        /// Headers that requests are to have, with these values to the letter. One that is sent several times counts as one
        /// value, with commas between.
        headers: Wanted,
        /// Arguments that the query is to have, decoded, to the letter. Of one that is there several times the first counts.
        query: Wanted,
        /// The share of requests that go this way, among routes that take the same ones and have a weight each.
        weight: Option<Weight>,
        /// The largest body that requests may have; any when absent. A larger one is answered with 413, whether anybody
        /// inspects it or not.
        body_max: Option<Size>,
        /// The service.
        service: Located<Name>,
        /// The profile that inspects these requests; the service's when absent.
        profile: Option<Located<Name>>,
        /// The mode of these requests, in place of the profile's and the service's.
        mode: Option<Mode>,
        /// Rate limits that hold for these requests, by name, beside those of the service.
        rate_limits: Vec<Located<Name>>,
        /// Whether it has to be known who these requests are from, in place of what the service says.
        authentication: Option<Located<Authentication>>,
        /// What these requests are excepted from, beside what their service and profile say.
        exceptions: Vec<Located<Exception>>,
        /// What becomes of bodies that rules want to see. `hold`: they wait for the verdict, and nothing of a request reaches
        /// the service before; calls of gRPC wait message by message. `stream`: they pass as they come and are shown to the
        /// rules; their end waits for the verdict. `off`: they pass unseen.
        body: RouteBody = "hold",
    }
}

section! {
    /// How traffic is inspected.
    pub struct Profile {
        /// The profile that this one begins from: what is not written here is as it says. `exceptions`, `mask`, `patches`, `binary` and
        /// `responseHeaders` add up.
        base: Option<Located<Name>>,
        /// off, monitoring, safe_blocking or block.
        ///
        /// monitoring inspects and logs and lets everything pass; safe_blocking stops attacks of sources that are on the
        /// gray list; off does not inspect. What has no clear framing, and whoever is on the deny list, is refused in every
        /// mode.
        mode: Mode = "monitoring",
        /// The rules.
        rules: Rules,
        /// The built-in detector.
        detect: Detect,
        /// What is not looked for, and where.
        exceptions: Vec<Located<Exception>>,
        /// Bounds. What the rules say by `Sec*` settings acts as well, and the stricter wins.
        limits: Limits,
        /// What happens to a request that could not be inspected as the rules ask: closed refuses it where the mode
        /// stops anything, open lets it pass.
        on_failure: OnFailure = "closed",
        /// Values that logs do not show, beside those that they never do.
        mask: Vec<Mask>,
        /// Requests that are refused until what they reach is mended.
        patches: Vec<Located<Patch>>,
        /// Points that carry binary data.
        binary: Vec<Located<Binary>>,
        /// Changes to the headers of responses, below some paths.
        response_headers: Vec<EndpointHeaders>,
        /// Sources that come on lists by what they do.
        automatic: Automatic,
    }
}

section! {
    /// What is not looked for, and where: rules by id and tag, findings of the detector by attack. At least one of the
    /// three. Those that apply to a request add up.
    pub struct Exception {
        /// Rules by their ids, or ranges of them.
        rules: Vec<Located<RuleIds>>,
        /// Rules by one of their tags, as the rules write them.
        tags: Vec<Located<Wildcard>>,
        /// Findings of the built-in detector, by the kind of attack.
        attacks: Vec<Located<Attack>>,
        /// Points that are passed over; without any the rules do not run at all. `query:NAME`, `header:NAME`,
        /// `cookie:NAME`, `body.form:NAME`, `body.multipart:NAME`, `body.filename:NAME` and `body.file:NAME` (of an upload,
        /// by its field), `body.json:/POINTER`, `body.xml`, `body`, `path`. With `-name` before the colon it is the name
        /// itself: `query-name:*`. In a name `*` stands for anything; in a JSON pointer it stays within a segment, and a
        /// segment `**` stands for any number of them. Without a name all of that part are meant: `query`.
        points: Vec<PointPattern>,
        /// Paths below which it holds; everywhere when absent. They match as those of routes do: a path that cannot be
        /// normalised is below none.
        paths: Vec<RoutePath>,
    }
}

section! {
    /// Which rules inspect. They are loaded in this order: engine settings of our own and the CRS's setup (with
    /// `crs`), `before`, the CRS's rules, `files`. Profiles that name the same rules share them.
    pub struct Rules {
        /// Folder of an OWASP CRS: a release of 3.3 or 4.x, or /usr/share/modsecurity-crs.
        crs: Option<FilePath>,
        /// CRS's paranoia level, 1 to 4; the setup file's when absent.
        paranoia: Option<Located<Paranoia>>,
        /// SecLang files or folders between the CRS's setup and its rules.
        before: Vec<FilePath>,
        /// SecLang files or folders at the end.
        files: Vec<FilePath>,
    }
}

section! {
    /// The built-in detector: it needs no rules, and takes part beside them or alone.
    pub struct Detect {
        /// Whether it takes part.
        enabled: bool = "true",
        /// How sure it must be to stop a request. low: only what has hardly an innocent reading; medium: what is more
        /// likely an attack than not; high: also what is as likely the one as the other.
        sensitivity: Sensitivity = "medium",
        /// What becomes of a response that shows what it should not: private keys, credentials, errors of databases, stack
        /// traces, listings of directories. Its beginning is looked at if it is a text. log: it passes, and the log says
        /// what was seen; block: such responses are held until they were looked at, and withheld by 403 where the mode
        /// stops anything; ignore: responses are not looked at.
        leaks: Leaks = "log",
        /// How far it looks. What lies beyond is not looked at, and a finding of kind `inspection-limit` says so.
        limits: DetectLimits,
    }
}

section! {
    /// Bounds of the built-in detector, for one request. Honest requests do not meet the defaults; the reasons for them
    /// are in the source of `palisade-detect`.
    pub struct DetectLimits {
        /// Decodings inside one another: base64 of JSON of percent-encoded text is three.
        depth: Count = "8",
        /// Values looked at, names and decoded forms included.
        values: Count = "50000",
        /// What decoding may produce altogether.
        decoded: Size = "16MiB",
        /// How many times longer than its source a decompressed text may be, beyond 64 KiB; more is a `data-bomb`.
        expansion: Count = "100",
        /// Texts looked at altogether.
        work: Size = "64MiB",
        /// A body of a kind that is looked at in one piece; of others each part is.
        raw_body: Size = "1MiB",
        /// The beginning of an uploaded file.
        file_head: Size = "64KiB",
        /// The beginning of a response, for leaks.
        response_head: Size = "64KiB",
        /// Fields inside one another in a GraphQL document; more is a finding of kind `graphql`, as of the next three.
        graphql_depth: Count = "20",
        /// Fields of a GraphQL document that are given another name.
        graphql_aliases: Count = "50",
        /// Directives in a GraphQL document.
        graphql_directives: Count = "100",
        /// GraphQL operations in one request.
        graphql_batch: Count = "50",
    }
}

section! {
    /// Bounds of what is inspected.
    pub struct Limits {
        /// A request body that rules want to see.
        request_body: Size = "12.5MiB",
        /// What happens to a larger one: reject answers 413, partial lets the rules see its beginning.
        on_request_body: OnRequestBody = "reject",
        /// A response body that rules want to see.
        response_body: Size = "1MiB",
        /// What happens to a larger one: partial lets the rules see its beginning, reject answers 502.
        on_response_body: OnResponseBody = "partial",
        /// How deep JSON may nest.
        json_depth: Count = "512",
        /// How many arguments a request may have.
        arguments: Count = "1000",
    }
}

section! {
    /// Values that logs do not show.
    pub struct Mask {
        /// Names of arguments, headers and cookies, letter case aside.
        names: Vec<String>,
        /// Points whose values logs and events do not show, not even where something was found in them. They are written
        /// as those of exceptions are, and end in a name.
        points: Vec<Located<PointPattern>>,
    }
}

/// A path that is answered by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthPath(String);

impl HealthPath {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for HealthPath {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Text { text, .. }
                if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Some(Self(text.clone()))
            }
            Value::Text { text, .. } if !text.starts_with('/') => {
                let help = format!("a path begins with a slash: write /{}", quoted(text).trim_matches('`'));
                decoder.error(node, format!("{} is not a path", quoted(text)), help);
                None
            }
            _ => {
                let help = "write a path as a client sends it, such as /healthz".to_owned();
                decoder.error(node, format!("{} is not a path", node.describe()), help);
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Text { what: "a path", pattern: Some("^/[!-~]*$"), example: "/healthz" }
    }
}

/// Profiles by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profiles(pub(crate) Vec<(Name, Profile)>);

impl Profiles {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Profile)> {
        self.0.iter().map(|(name, profile)| (name, profile))
    }

    /// The one of a name.
    pub fn get(&self, name: &Name) -> Option<&Profile> {
        self.0.iter().find(|(there, _)| there == name).map(|(_, profile)| profile)
    }
}

impl Decode for Profiles {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return Some(Self::default()),
            _ => {
                let help = "write a mapping from names to profiles: `default: {mode: monitoring}`".to_owned();
                decoder.error(node, format!("{} stands where profiles are expected", node.describe()), help);
                return None;
            }
        };
        let mut profiles = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = Name::decode(&Node::text(&key.name, key.origin), decoder);
            let profile = decoder.within(&Step::Key(&key.name), |decoder| Profile::decode(value, decoder));
            profiles.push(name.zip(profile));
        }
        profiles.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(Profile::shape()))
    }
}

impl Default for Profile {
    fn default() -> Self {
        <Self as Decode>::absent().expect("no key of a profile is required")
    }
}
