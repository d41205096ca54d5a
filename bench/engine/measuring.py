"""What the scripts of this folder share: building, counting instructions, running, and saying under what a figure came
about."""

import datetime
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RECORD = ROOT / "bench" / "record"


def build_palisade():
    """The binary of the `bench` profile: release without link-time optimisation, with symbols."""
    say("building palisade")
    command = ["cargo", "build", "--profile", "bench", "-p", "palisade", "--message-format", "json-render-diagnostics"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = [message["executable"] for message in map(json.loads, output.splitlines()) if message.get("executable")]
    if not built:
        sys.exit("cargo names no binary of the package `palisade`")
    return Path(built[-1])


def callgrind(out, options, command, cwd=None):
    """Runs a command under callgrind; the counts are in files that begin with `out`."""
    run = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", *options, *command]
    done = subprocess.run(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, run))} failed:\n{done.stderr}")


def calls(out, function, command, cwd=None):
    """Instructions of each call of a function, in order."""
    callgrind(out, [f"--toggle-collect={function}", f"--dump-after={function}"], command, cwd)
    dumps = [path for path in out.parent.glob(f"{out.name}.*") if path.suffix[1:].isdigit()]
    dumps.sort(key=lambda path: int(path.suffix[1:]))
    # The file without a number is the rest of the run.
    counts = [instructions_in(path)[0] for path in dumps]
    for path in dumps:
        path.unlink()
    if not counts:
        sys.exit(f"{command[0]} has no function `{function}` that callgrind sees; is it built with symbols?")
    return counts


def instructions_in(path):
    """Instructions of each part of a callgrind file."""
    counts = [int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith("summary:")]
    if not counts:
        sys.exit(f"{path} has no count")
    return counts


def output_of(command, cwd=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout.strip()


def run_measured(command, cwd=None):
    """Output, CPU milliseconds and peak megabytes of a process."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))} failed")
    return output, (usage.ru_utime + usage.ru_stime) * 1e3, usage.ru_maxrss / 1024


def about(script, binary):
    """What a reader needs to get the figures again."""
    git = lambda *words: output_of(["git", "-C", ROOT, *words])
    changed = git("status", "--porcelain", "--untracked-files=no")
    built = re.search(r"\(([0-9a-f]+)\)", output_of([binary, "--version"]))
    commit = git("rev-parse", "HEAD")
    if built and not commit.startswith(built[1]):
        commit = f"{built[1]} (the binary); scripts of {commit}"
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "commit": commit + (" with uncommitted changes" if changed else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "machine": f"{cpu[1] if cpu else 'unknown CPU'}, {os.cpu_count()} CPUs, {os.uname().sysname} {os.uname().release}",
        "load_average": round(os.getloadavg()[0], 1),
        # A folder of the machine says nothing to a reader.
        "command": shlex.join([f"bench/engine/{script}", *(Path(word).name for word in sys.argv[1:])]),
        "rustc": output_of(["rustc", "--version"]),
        "valgrind": output_of(["valgrind", "--version"]) if shutil.which("valgrind") else None,
    }


def facts(result):
    """The lines at the head of a report."""
    about = result["about"]
    return [
        f"- commit: {about['commit']}", f"- date: {about['date']}",
        f"- machine: {about['machine']}; load average {about['load_average']} at the end",
        f"- tools: {about['rustc']}; {about['valgrind']}", f"- command: `{about['command']}`", "",
    ]


def record(name, text, result):
    RECORD.mkdir(parents=True, exist_ok=True)
    (RECORD / f"{name}.md").write_text(text)
    (RECORD / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    say(f"written to bench/record/{name}.md and .json")


def table(head, rows):
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rows]]


def millions(count):
    return f"{count / 1e6:.1f}" if count >= 10e6 else f"{count / 1e6:.2f}" if count >= 1e6 else f"{count / 1e6:.3f}"


def say(line):
    print(line, file=sys.stderr, flush=True)


class Steps:
    """Progress on standard error: which of how many, and how long since the first."""

    def __init__(self, what, total):
        self.what, self.total, self.done, self.begun = what, total, 0, time.monotonic()

    def step(self, name):
        self.done += 1
        say(f"{self.what} {self.done}/{self.total} {name} ({time.monotonic() - self.begun:.0f} s)")
