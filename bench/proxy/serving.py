"""What the scripts of this folder share: proxies that are started and end with us, load by wrk, CPU time by process."""

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# An upstream that costs next to nothing.
ORIGIN = """
daemon off; master_process off; worker_processes 1; pid {at}/origin.pid; error_log {at}/origin.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {at}/o1; proxy_temp_path {at}/o2;
  fastcgi_temp_path {at}/o3; uwsgi_temp_path {at}/o4; scgi_temp_path {at}/o5;
  server {{ listen 127.0.0.1:{origin}; location / {{ default_type text/plain; return 200 "hello, world\\n"; }} }}
}}
"""


def build(*what):
    """A binary of the release profile: ours, or what else is named to cargo."""
    what = what or ("-p", "palisade")
    print(f"building {what[-1]}", file=sys.stderr)
    command = ["cargo", "build", "--release", *what, "--message-format", "json-render-diagnostics"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = [message["executable"] for message in map(json.loads, output.splitlines()) if message.get("executable")]
    return Path(built[-1])


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(running, command, port, **environment):
    """The id of the process that listens on a port; it ends with `running`."""
    child = subprocess.Popen([str(word) for word in command], env={**os.environ, **environment},
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    running.callback(child.wait)
    running.callback(child.terminate)
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return child.pid
        if child.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"{shlex.join(map(str, command))} does not listen")


def serve(port, seconds, connections, *fields, scheme="http"):
    """Small GETs for a while. Requests answered; every one of them has to be."""
    fields = [word for field in fields for word in ("-H", field)]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *fields, f"{scheme}://127.0.0.1:{port}/small?a=1"]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"not every request was answered:\n{out}")
    return int(re.search(r"(\d+) requests in", out)[1])


def cpu_seconds(pid):
    """CPU time of all threads of a process, user and system."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(Path(thread, "schedstat").read_text().split()[0]) for thread in threads) / 1e9
