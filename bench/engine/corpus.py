"""The requests of the engine benchmark, in variants.

The cases and their first variants are those of `../shared/bench/engine/gen_corpus.py`. Further variants have the same
shape and size with other words, numbers and ids, so that an engine which remembers values gains by what real traffic
repeats (a browser's headers) and not by seeing one request over and over.
"""

import importlib.util
import json
import re
from pathlib import Path

# What a server that is measured without a network believes about its client.
ADDRESSES = {"client_ip": "192.0.2.10", "client_port": 40000, "server_ip": "192.0.2.1", "server_port": 443}
SORTS = ["name", "date", "size", "price", "email"]
PAGES = ["overview", "settings", "orders", "invoices", "profile", "messages", "returns"]
# Each attack in other words: what it is found by stays.
TABLES = ["version%28%29", "database%28%29", "user%28%29", "%40%40version", "current_user"]
SCRIPTS = ["document.cookie", "document.domain", "location.href", "1", "window.name"]
HOSTS = ["127.0.0.1", "10.1.2.3", "localhost", "192.168.1.7", "example.com"]


class Corpus:
    """Variants of each case, as raw messages."""

    def __init__(self, shared, variants):
        self.generator = load(shared / "bench" / "engine" / "gen_corpus.py")
        self.cases = {}
        for number in range(variants):
            for name, message in self.requests(number):
                self.cases.setdefault(name, []).append(message)
        self.responses = [self.with_seeds(number, self.generator.response) for number in range(variants)]

    def requests(self, number):
        new = self.generator
        seeded = lambda make, *words: self.with_seeds(number, lambda: make(*words))
        return [
            ("get-small", varied(new.get_small(), number)),
            ("get-browser", varied(seeded(new.get_browser), number)),
            ("post-form", varied(seeded(new.post_form), number)),
            ("post-json-1k", varied(seeded(new.post_json, 4, 2, 30, 1024), number)),
            ("post-json-16k", varied(seeded(new.post_json, 5, 36, 400, 16384), number)),
            ("multipart-64k", varied(seeded(new.multipart), number)),
            ("attack-sqli", varied(new.attack_sqli(), number)),
            ("attack-xss", varied(new.attack_xss(), number)),
            ("attack-rce", varied(new.attack_rce(), number)),
        ]

    def with_seeds(self, number, make):
        """Calls `make` with every random number generator of it seeded for this variant."""
        plain = self.generator.Rng
        self.generator.Rng = lambda seed: plain(seed + 1000 * number)
        try:
            return make()
        finally:
            self.generator.Rng = plain

    def lines(self, names, variants=None, response=False):
        """Request JSON, a line each; with a response where one is wanted."""
        out = []
        for name in names:
            for number, message in enumerate(self.cases[name][:variants]):
                line = request_line(name, message)
                if response:
                    line["response"] = response_of(self.responses[number])
                out.append(json.dumps(line) + "\n")
        return "".join(out)

    def write_messages(self, folder, names, variants=None):
        """A file a message, `NN-case.KK.http`."""
        folder.mkdir(parents=True)
        for order, name in enumerate(names):
            for number, message in enumerate(self.cases[name][:variants]):
                (folder / f"{order:02d}-{name}.{number:02d}.http").write_bytes(message)


def load(path):
    spec = importlib.util.spec_from_file_location("gen_corpus", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def varied(message, number):
    """Another request of the same shape: ids, words of the query, the page it came from. Number 0 is as it was."""
    if number == 0:
        return message
    pick = lambda words: words[number % len(words)].encode()
    head, body = message.split(b"\r\n\r\n", 1)
    for old, new in [
        (b"id=123", b"id=%d" % (100 + 37 * number % 900)),
        (b"sort=name", b"sort=" + pick(SORTS)),
        (b"account/overview", b"account/" + pick(PAGES)),
        (b"Chrome/126", b"Chrome/%d" % (100 + number)),
        (b"page=2", b"page=%d" % (2 + number)),
        (b"size=42", b"size=%d" % (36 + number)),
        (b"joe%40", b"joe%d%%40" % number),
        (b"version%28%29", pick(TABLES)),
        (b"document.cookie", pick(SCRIPTS)),
        (b"127.0.0.1", pick(HOSTS)),
    ]:
        head = head.replace(old, new)
    return head + b"\r\n\r\n" + body


def request_line(name, message):
    """A raw message as a line of request JSON."""
    head, body = message.split(b"\r\n\r\n", 1)
    start, *headers = head.decode().split("\r\n")
    method, target, version = start.split(" ")
    return {
        "name": name, "method": method, "uri": target, "http_version": version.removeprefix("HTTP/"),
        "headers": [line.split(": ", 1) for line in headers], "body": body.decode(), **ADDRESSES,
    }


def response_of(message):
    head, body = message.split(b"\r\n\r\n", 1)
    start, *headers = head.decode().split("\r\n")
    return {
        "status": int(start.split(" ")[1]), "http_version": "1.1",
        "headers": [line.split(": ", 1) for line in headers], "body": body.decode(),
    }


def rules(shared, crs, paranoia=None, responses=False):
    """The text of a main rule file, the same for all engines: settings, CRS's setup, CRS."""
    text = (shared / "bench" / "engine" / "modsecurity.conf").read_text()
    if responses:
        text = re.sub(r"SecResponseBodyAccess Off", "SecResponseBodyAccess On", text)
        text += "SecResponseBodyMimeType text/plain text/html text/xml application/json\n"
    setup = crs / "crs-setup.conf"
    text += f"Include {setup if setup.exists() else crs / 'crs-setup.conf.example'}\n"
    if paranoia:
        text += ('SecAction "id:900000,phase:1,pass,nolog,t:none,'
                 f'setvar:tx.blocking_paranoia_level={paranoia}"\n')
    return text + "".join(f"Include {path}\n" for path in sorted((Path(crs) / "rules").glob("*.conf")))
