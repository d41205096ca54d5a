-- A file of the event store as schema version 3 has it. Never changed: tests make a file of it and open that.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    attack TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX event_kind ON event (kind);
CREATE INDEX event_action ON event (action);
CREATE INDEX event_service ON event (service);
CREATE INDEX event_service_action ON event (service, action);
CREATE INDEX event_source ON event (source);
CREATE INDEX event_attack ON event (attack);
CREATE TABLE event_rule (rule INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (rule, seq)) WITHOUT ROWID;
CREATE VIRTUAL TABLE event_text USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'unicode61 remove_diacritics 0'
);
CREATE TABLE traffic (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    code TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX traffic_service ON traffic (service);
CREATE INDEX traffic_source ON traffic (source);
CREATE TABLE sum (
    dimension INTEGER NOT NULL,
    width INTEGER NOT NULL,
    start INTEGER NOT NULL,
    service TEXT NOT NULL,
    value TEXT NOT NULL,
    action TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (dimension, width, start, service, value, action)
) WITHOUT ROWID;
ALTER TABLE event ADD COLUMN dataplane TEXT NOT NULL DEFAULT '';
CREATE INDEX event_dataplane ON event (dataplane);
ALTER TABLE traffic ADD COLUMN dataplane TEXT NOT NULL DEFAULT '';
CREATE INDEX traffic_dataplane ON traffic (dataplane);
CREATE TABLE stream (name TEXT PRIMARY KEY, last INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 1346456649;
PRAGMA user_version = 3;
INSERT INTO event VALUES (1882559663308800000, x'01a20320a20000000007000000000000', 'waf', 'deny', 'shop', '192.0.2.1', 'sqli', '{"@timestamp": "2026-11-22T12:00:00.000Z", "kind": "waf", "action": "deny", "service": "shop", "source": {"ip": "192.0.2.1"}, "path": "/?q=1", "msg": "WAF check FAILED!", "rules": [{"id": "942100", "message": "SQL Injection"}], "attack": "sqli"}', '');
INSERT INTO event_text (rowid, text) VALUES (1882559663308800000, '/?q=1 WAF check FAILED! SQL Injection');
INSERT INTO event_rule VALUES (942100, 1882559663308800000);
INSERT INTO sum VALUES (0, 1, 29922480, 'shop', '', 'deny', 1);
INSERT INTO sum VALUES (0, 60, 29922480, 'shop', '', 'deny', 1);
INSERT INTO event VALUES (1882559663413657601, x'01a20320a26400000007000000000001', 'policy', 'deny', 'bank', '192.0.2.2', '', '{"@timestamp": "2026-11-22T12:00:00.100Z", "kind": "policy", "action": "deny", "service": "bank", "source": {"ip": "192.0.2.2"}, "path": "/", "msg": "Policy denied the request", "dataplane": "web-1"}', 'web-1');
INSERT INTO event_text (rowid, text) VALUES (1882559663413657601, '/ Policy denied the request ');
INSERT INTO sum VALUES (0, 1, 29922480, 'bank', '', 'deny', 1);
INSERT INTO sum VALUES (0, 60, 29922480, 'bank', '', 'deny', 1);
INSERT INTO sum VALUES (100, 1, 29922480, '', '', 'deny', 2);
INSERT INTO sum VALUES (100, 60, 29922480, '', '', 'deny', 2);
INSERT INTO stream VALUES ('a/1', 5, 1795348800000);
