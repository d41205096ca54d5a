//! The table itself: every path but those of the console's files.

use palisade_model::EventId;

use super::{Operation, Parameter, Role, Route};
use crate::answer::Page;
use crate::api::{OfEvents, Resource};
use crate::asking::Asking;

const TEXT: &str = "text/plain";
const PROBE: &str = "`OK`; 503 with the reason otherwise";

const fn probe(summary: &'static str) -> Operation {
    Operation::get(summary, &[], PROBE).speaks(TEXT).by(Role::Anybody)
}

const BY: Parameter = ("by", "who asks, as it says of itself");
const DATAPLANE: Parameter =
    ("dataplane", "at data planes of this name alone; at all when absent. For a console of many");
const LIMIT: Parameter = ("limit", "how many at most: 1 to 1000, 100 when absent");
const CURSOR: Parameter = ("cursor", "the `next` of the page before");

const FROM: Parameter = (
    "from",
    "from when: 2026-11-22T12:00:00Z, or how long ago: 15m, 2h, 3d; of sums an hour ago when absent",
);
const TO: Parameter = ("to", "until when, not included; now when absent");
const KIND: Parameter = (
    "kind",
    "`GlobalAlert`, `GlobalAlertTemplate`, `AlertException` or `SecurityEventWebhook`; of one object the first when absent",
);

/// Every path but those of the console's files.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        path: "/livez",
        page: |_| Some(Page::Livez),
        operations: &[probe("whether the process works, or a restart would mend it")],
    },
    Route {
        path: "/readyz",
        page: |_| Some(Page::Readyz),
        operations: &[probe("whether requests should be sent here")],
    },
    Route {
        path: "/startupz",
        page: |_| Some(Page::Startupz),
        operations: &[probe("whether the start is over")],
    },
    Route { path: "/healthz", page: |_| Some(Page::Livez), operations: &[probe("the same as /livez")] },
    Route {
        path: "/metrics",
        page: |_| Some(Page::Metrics),
        operations: &[
            Operation::get("numbers for Prometheus", &[], "Prometheus text, or OpenMetrics").speaks(TEXT)
        ],
    },
    Route {
        path: "/api/v1/openapi.json",
        page: |_| Some(Page::OpenApi),
        operations: &[Operation::get("this description", &[], "an OpenAPI 3.1 document")],
    },
    Route {
        path: "/api/v1/session",
        page: |_| Some(Page::Session),
        operations: &[Operation::get(
            "who the caller is, and how one may log in",
            &[],
            "`login` whether one has to, `ways`, `user`, `role`, and `csrf` to send as x-palisade-csrf with changes",
        )
        .by(Role::Anybody)],
    },
    Route {
        path: "/api/v1/login",
        page: |_| Some(Page::Login),
        operations: &[Operation::change(
            "POST",
            "begins a session, which a cookie names",
            &[],
            Some(r#"{"token": "..."} or {"user": "...", "password": "..."}"#),
            "the session",
        )
        .by(Role::Anybody)],
    },
    Route {
        path: "/api/v1/login/oidc",
        page: |_| Some(Page::SignOn),
        operations: &[Operation::get("sends a browser to the OpenID provider", &[], "303, to the provider")
            .by(Role::Anybody)],
    },
    Route {
        path: "/api/v1/login/oidc/callback",
        page: |_| Some(Page::SignedOn),
        operations: &[Operation::get(
            "begins a session for who comes back from the provider; further parameters are passed over",
            &[("code", "what the provider gave"), ("state", "what it was sent with"), ("error", "why it gave none")],
            "303, to the console",
        )
        .by(Role::Anybody)],
    },
    Route {
        path: "/api/v1/logout",
        page: |_| Some(Page::Logout),
        operations: &[Operation::change("POST", "ends the session", &[], None, "nothing").by(Role::Viewer)],
    },
    Route {
        path: "/api/v1/status",
        page: |_| Some(Page::Status),
        operations: &[Operation::get(
            "version, listeners, services, rule sets, reloads and what is stale",
            &[],
            "what is in force in this process",
        )],
    },
    Route {
        path: "/api/v1/dataplanes",
        page: |_| Some(Page::Dataplanes),
        operations: &[Operation::get(
            "data planes: version, configuration, rules, services, and what waits at them",
            &[],
            "a page of data planes",
        )],
    },
    Route {
        path: "/api/v1/services",
        page: |_| Some(Page::Api(Resource::Services)),
        operations: &[Operation::get(
            "services with the mode in force and where it comes from",
            &[],
            "a page of services",
        )],
    },
    Route {
        path: "/api/v1/services/{name}/mode",
        page: |name| Some(Page::Api(Resource::Mode(name[0].clone()))),
        operations: &[
            Operation::get("the mode of a service", &[], "the service, and the changes of its mode"),
            Operation::change(
                "PUT",
                "sets the mode of a service",
                &[BY, ("reason", "why"), DATAPLANE],
                Some(r#"{"mode": "off|monitoring|safe_blocking|block", "by", "reason"}"#),
                "the service, and the changes of its mode",
            ),
            Operation::change(
                "DELETE",
                "gives the mode of a service back to the configuration",
                &[BY, ("reason", "why"), DATAPLANE],
                None,
                "the service, and the changes of its mode",
            ),
        ],
    },
    Route {
        path: "/api/v1/services/{name}/exceptions",
        page: |name| Some(Page::Api(Resource::Exceptions(name[0].clone()))),
        operations: &[
            Operation::get(
                "what a service is excepted from: by its configuration, and by what was set at run time, which has an id",
                &[LIMIT, CURSOR],
                "a page of exceptions, and the latest `changes` of those set at run time; at a console for many `dataplanes`, how far they have come",
            ),
            Operation::change(
                "POST",
                "sets exceptions of a service, all of them or none; the next request is decided by them",
                &[BY, ("reason", "why")],
                Some(
                    r#"an exception in the words of the configuration, {"rules", "tags", "attacks", "points", "paths"}, or {"items": [...]}; beside it "by", "reason", "event""#,
                ),
                "the exceptions, with their ids",
            ),
        ],
    },
    Route {
        path: "/api/v1/services/{name}/exceptions/{id}",
        page: |name| Some(Page::Api(Resource::Exception(name[0].clone(), name[1].parse().ok()?))),
        operations: &[Operation::change(
            "DELETE",
            "takes back an exception that was set at run time; the next request is decided without it",
            &[BY, ("reason", "why")],
            None,
            "how many were there",
        )],
    },
    Route {
        path: "/api/v1/services/{name}/tuning",
        page: |name| Some(Page::Api(Resource::OfEvents(OfEvents::Tuning(name[0].clone())))),
        operations: &[Operation::get(
            "what a service stopped, or would have, by what it would take to let it pass; and how safe it would be to block",
            &[FROM, TO, LIMIT, CURSOR],
            "a page of groups with their evidence and proposed exceptions, the most frequent first, and `safe_to_block`",
        )],
    },
    Route {
        path: "/api/v1/services/{name}/inventory",
        page: |name| Some(Page::Api(Resource::OfEvents(OfEvents::Inventory(name[0].clone())))),
        operations: &[Operation::get(
            "endpoints of a service as traffic shows them, with parameters, classes of values and sensitive data",
            &[FROM, TO, LIMIT, CURSOR],
            "a page of endpoints, by path and method",
        )],
    },
    Route {
        path: "/api/v1/services/{name}/inventory/openapi.json",
        page: |name| Some(Page::Api(Resource::OfEvents(OfEvents::InventoryDocument(name[0].clone())))),
        operations: &[Operation::get(
            "the same as a specification to begin with",
            &[FROM, TO],
            "an OpenAPI 3.1 document",
        )],
    },
    Route {
        path: "/api/v1/policies",
        page: |_| Some(Page::Asking(Asking::Policies)),
        operations: &[Operation::get(
            "policies, in force and staged, in the order in which they are asked",
            &[LIMIT, CURSOR],
            "a page of policies",
        )],
    },
    Route {
        path: "/api/v1/policies/hits",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::PolicyHits))),
        operations: &[Operation::get(
            "rules of policies that stopped requests, and staged ones that would have",
            &[FROM, TO],
            "a page of rules with how often each hit",
        )],
    },
    Route {
        path: "/api/v1/policies/suggestions",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::PolicySuggestions))),
        operations: &[Operation::get(
            "policies that would allow what traffic shows and nothing else, by the workload that is asked",
            &[
                FROM,
                TO,
                ("service", "made of requests to this service alone"),
                ("staged", "`yes` for staged ones; `no` when absent"),
                LIMIT,
                CURSOR,
            ],
            "a page of policies as YAML, with who asked, what there is to know and what they would have denied; `learned` and `left_out` requests",
        )],
    },
    Route {
        path: "/api/v1/replays",
        page: |_| Some(Page::Api(Resource::Replays)),
        operations: &[
            Operation::get(
                "replays of recorded requests, the latest first, and what there is to be replayed",
                &[],
                "a page of replays with how far each is and what came of it, and `recording`",
            ),
            Operation::change(
                "POST",
                "replays recorded requests against what is in force, or against that with a profile changed; nothing is served by it",
                &[BY],
                Some(
                    r#"{"service", "since": "2h", "profile": "keys of its profile, YAML", "rules": "SecLang after its rules"}; all may be left out"#,
                ),
                "the replay",
            ),
        ],
    },
    Route {
        path: "/api/v1/replays/{id}",
        page: |id| Some(Page::Api(Resource::Replay(id[0].parse().ok()?))),
        operations: &[
            Operation::get("one replay", &[], "the replay"),
            Operation::change("DELETE", "ends a replay and forgets it", &[BY], None, "how many were there"),
        ],
    },
    Route {
        path: "/api/v1/rules",
        page: |_| Some(Page::Asking(Asking::Rules)),
        operations: &[Operation::get(
            "rules in force, and what is excepted from them",
            &[LIMIT, CURSOR, ("q", "a text in the id, the message, a tag or the file")],
            "a page of rules",
        )],
    },
    Route {
        path: "/api/v1/explain",
        page: |_| Some(Page::Asking(Asking::Explain)),
        operations: &[Operation::change(
            "POST",
            "what rules and detector of a service would decide about a request, and why; nothing is sent or recorded",
            &[
                ("service", "the service; the first one when absent"),
                ("mode", "the mode; the one in force when absent"),
            ],
            Some("a request as `palisade explain` reads it, at most 1 MiB"),
            "what `palisade explain` answers",
        )
        .by(Role::Viewer)],
    },
    Route {
        path: "/api/v1/lists/changes",
        page: |_| Some(Page::Api(Resource::ListChanges)),
        operations: &[Operation::get(
            "what happened to lists, the latest first",
            &[LIMIT],
            "a page of changes",
        )],
    },
    Route {
        path: "/api/v1/lists/{list}",
        page: |list| Some(Page::Api(Resource::List(list[0].parse().ok()?))),
        operations: &[
            Operation::get(
                "entries of the list `allow`, `deny` or `gray`, the latest first",
                &[
                    LIMIT,
                    CURSOR,
                    ("address", "entries that this address is in"),
                    ("origin", "`file`, `api`, `automatic` or `console`"),
                    ("application", "entries that count for this application"),
                    ("q", "a text in the reason"),
                ],
                "a page of entries",
            ),
            Operation::change(
                "POST",
                "adds entries: all of them, or none",
                &[BY],
                Some(
                    r#"{"address" or "country" or "asn", "expires", "reason", "applications"}, a list of such, or {"items": [...]}"#,
                ),
                "how many are new and how many took the place of others",
            ),
            Operation::change(
                "DELETE",
                "takes entries away",
                &[
                    ("id", "an entry's id; may stand there several times"),
                    ("address", "an entry's address, country or AS number; may stand there several times"),
                    ("all", "`true`: all that do not stand in the configuration"),
                    BY,
                ],
                Some(r#"{"ids": [...]}; may be left out"#),
                "how many were there",
            ),
        ],
    },
    Route {
        path: "/api/v1/events",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::Page))),
        operations: &[Operation::get(
            "events, the newest first",
            &[
                FROM,
                TO,
                ("service", "of this service"),
                ("dataplane", "from this data plane, where they come from several"),
                ("rule", "with this rule"),
                ("action", "`deny`, `would_block` or `pass`"),
                ("source", "from this address"),
                ("kind", "`waf`, `policy`, `framing`, `list`, `rate`, `incomplete`, `dropped` or `alert`"),
                ("attack", "with this kind of attack"),
                ("q", "a question in GlobalAlert's language, or words"),
                ("text", "words; `sel*` is any that begins so"),
                LIMIT,
                CURSOR,
            ],
            "a page of events, as `palisade events query --format json` prints them",
        )],
    },
    Route {
        path: "/api/v1/events/{id}",
        page: |id| Some(Page::Api(Resource::OfEvents(OfEvents::One(EventId::parse(&id[0])?)))),
        operations: &[Operation::get("one event", &[], "the event")],
    },
    Route {
        path: "/api/v1/events/{id}/allowance",
        page: |id| Some(Page::Api(Resource::OfEvents(OfEvents::Allowance(EventId::parse(&id[0])?)))),
        operations: &[Operation::get(
            "what it takes to let the request of an event pass, and nothing else",
            &[],
            "`exceptions` in the words of the configuration, `broad` rules, and the point of each rule of the event",
        )],
    },
    Route {
        path: "/api/v1/stats",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::Stats))),
        operations: &[Operation::get(
            "how much was asked, stopped and would have been, over time and by what",
            &[
                FROM,
                TO,
                ("service", "of this service alone"),
                ("by", "`service` (when absent), `action`, `attack`, `rule`, `source` or `country`"),
                LIMIT,
            ],
            "the whole, a series of equal steps, the largest groups, and all others together",
        )],
    },
    Route {
        path: "/api/v1/graph",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::Graph))),
        operations: &[Operation::get(
            "who asked whom, how much, and with which attacks",
            &[FROM, TO],
            "nodes and edges",
        )],
    },
    Route {
        path: "/api/v1/stream",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::Stream))),
        operations: &[Operation::get(
            "events as they come, and after `Last-Event-ID` what was missed",
            &[],
            "server-sent events",
        )
        .speaks("text/event-stream")],
    },
    Route {
        path: "/api/v1/alerts",
        page: |_| Some(Page::Api(Resource::Alerts)),
        operations: &[Operation::get(
            "alerts, forms for them, exceptions and webhooks, of files and of this API",
            &[KIND],
            "a page of objects",
        )],
    },
    Route {
        path: "/api/v1/alerts/fired",
        page: |_| Some(Page::Api(Resource::OfEvents(OfEvents::FiredAlerts))),
        operations: &[Operation::get(
            "alerts that fired, the newest first",
            &[
                FROM,
                TO,
                ("name", "of this alert"),
                ("dismissed", "`no`: those that nobody put aside; `yes`: those that somebody did; `all` when absent"),
                LIMIT,
                CURSOR,
            ],
            "a page of alerts' events, and under `dismissed` who put which of them aside, by id",
        )],
    },
    Route {
        path: "/api/v1/alerts/fired/dismissed",
        page: |_| Some(Page::Api(Resource::Dismissals)),
        operations: &[
            Operation::change(
                "POST",
                "puts fired alerts aside",
                &[("id", "an alert's id; may stand there several times"), BY, ("reason", "why")],
                Some(r#"{"ids": [...]}; may be left out"#),
                "how many were not put aside before",
            ),
            Operation::change(
                "DELETE",
                "shows fired alerts again",
                &[("id", "an alert's id; may stand there several times"), BY, ("reason", "why")],
                Some(r#"{"ids": [...]}; may be left out"#),
                "how many had been put aside",
            ),
        ],
    },
    Route {
        path: "/api/v1/alerts/{name}",
        page: |name| Some(Page::Api(Resource::Alert(name[0].clone()))),
        operations: &[
            Operation::get("an object of alerts", &[KIND], "the object"),
            Operation::change(
                "PUT",
                "writes an object of alerts",
                &[BY, ("reason", "why")],
                Some("one object of projectcalico.org/v3, YAML or JSON, with the name of the path"),
                "the object, and warnings",
            ),
            Operation::change(
                "DELETE",
                "takes away an object that was written by PUT",
                &[KIND, BY, ("reason", "why")],
                None,
                "how many were there",
            ),
        ],
    },
];
