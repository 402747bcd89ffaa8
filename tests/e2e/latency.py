"""How long the built server takes, measured by a client over stdio. `MTLC=target/release/mtlc python3 tests/e2e/latency.py`

Key stroke to diagnostics on programs of 2,000 lines and of 10,000 lines with 1,000 tasks; completion, hover, hints, formatting;
start-up; memory. `--check` fails where a figure is over its limit."""

import json
import os
import subprocess
import sys
import time

MTLC = os.environ.get("MTLC", "target/release/mtlc")


def program(lines):
    """Half blocks and the stages that use them, half tasks with their heads; one task in ten lines."""
    tasks, blocks, stages = lines // 10, lines // 4, lines // 50
    text = ["mtl 1", "", "input x: f32[64]", ""]
    for i in range(blocks):
        text.append(f"block b{i}(units: int = 32) = linear(units) -> relu")
    for i in range(tasks):
        text += [f"# What the question {i} asks.", f"task t{i}: binary {{", "  loss   = bce", "  weight = 0.5", "}"]
        text.append(f"head for t{i} = linear(outputs)")
    text.append("backbone net(x) {")
    for s in range(stages):
        links = [f"b{b}(32)" for b in range(s * blocks // stages, (s + 1) * blocks // stages)]
        text.append(f"  stage s{s} =")
        text.append("    " + "\n    -> ".join(links))
    text += ["}", ""]
    while sum(t.count("\n") + 1 for t in text) < lines:
        text.insert(4, "# A remark.")
    return "\n".join(text) + "\n"


class Server:
    def __init__(self):
        start = time.perf_counter()
        self.process = subprocess.Popen([MTLC, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.id = 0
        self.ask("initialize", {"capabilities": {}})
        self.startup = (time.perf_counter() - start) * 1e3
        self.tell("initialized", {})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def read(self):
        length = 0
        while line := self.process.stdout.readline().strip():
            if line.lower().startswith(b"content-length"):
                length = int(line.split(b":")[1])
        return json.loads(self.process.stdout.read(length))

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.id += 1
        self.send({"id": self.id, "method": method, "params": params})
        while True:
            message = self.read()
            if message.get("id") == self.id:
                assert "error" not in message, message
                return message["result"]

    def published(self, version):
        while True:
            message = self.read()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"].get("version") == version:
                return message["params"]["diagnostics"]

    def peak(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu(self):
        """Milliseconds of computing so far: what a busy machine leaves out of account."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.ask("shutdown", None)
        self.tell("exit", None)
        assert self.process.wait(10) == 0


def percentiles(times):
    times = sorted(times)
    at = lambda p: times[int((len(times) - 1) * p)]
    return at(0.5), at(0.95), times[-1]


over = []


def row(name, times, limit):
    p50, p95, most = percentiles(times)
    mark = "" if p95 <= limit else "   OVER"
    if mark:
        over.append(name)
    print(f"{name:<46} {len(times):>5} {p50:>9.2f} {p95:>9.2f} {most:>9.2f} {limit:>7.0f} ms{mark}")


def measure(lines, limit, edits):
    text = program(lines)
    uri = "file:///bench/spec.mtl"
    server = Server()
    server.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "mtl", "version": 1, "text": text}})
    assert not server.published(1)
    what = f"{text.count(chr(10)):,} lines, {text.count('task '):,} tasks"
    rows = text.split("\n")
    target = next(i for i, l in enumerate(rows) if l.startswith("  stage s7 ="))
    place = {"line": target + 1, "character": len(rows[target + 1])}
    document = {"uri": uri}
    keys, hover, complete, hints = [], [], [], []
    word = " -> relu"
    version, typed, computed = 1, 0, 0.0
    for i in range(edits):
        # A word is typed at the end of a link, and taken back.
        at = {"line": place["line"], "character": place["character"] + typed}
        back = typed == len(word)
        start = dict(at, character=place["character"]) if back else at
        new = "" if back else word[typed]
        version += 1
        before = server.cpu()
        clock = time.perf_counter()
        change = {"range": {"start": start, "end": at}, "text": new}
        server.tell("textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]})
        server.published(version)
        keys.append((time.perf_counter() - clock) * 1e3)
        typed = 0 if back else typed + 1
        computed += server.cpu() - before
        if i % 5 == 0:
            here = {"line": place["line"], "character": place["character"] + typed}
            for times, method, params in [
                (complete, "completion", {"textDocument": document, "position": here}),
                (hover, "hover", {"textDocument": document, "position": {"line": target, "character": 9}}),
                (hints, "inlayHint", {"textDocument": document, "range": {"start": {"line": target, "character": 0}, "end": {"line": target + 60, "character": 0}}}),
            ]:
                clock = time.perf_counter()
                server.ask(f"textDocument/{method}", params)
                times.append((time.perf_counter() - clock) * 1e3)
    row(f"key to diagnostics, {what}", keys, limit)
    print(f"{'  of it computing, mean':<46} {edits:>5} {computed / edits:>9.2f}")
    row(f"completion after a key, {lines:,} lines", complete, 30)
    row(f"hover, {lines:,} lines", hover, 30)
    row(f"hints of a screen, {lines:,} lines", hints, 30)
    clock = time.perf_counter()
    server.ask("textDocument/formatting", {"textDocument": document, "options": {"tabSize": 2, "insertSpaces": True}})
    row(f"formatting, {lines:,} lines", [(time.perf_counter() - clock) * 1e3], 300)
    peak = server.peak()
    print(f"{'memory at its most':<46} {'':>5} {peak:>9.1f} MiB of 200")
    if peak > 200:
        over.append("memory")
    server.end()


print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
print(f"{'':<46} {'n':>5} {'p50':>9} {'p95':>9} {'most':>9}   limit")
starts = []
for _ in range(15):
    server = Server()
    starts.append(server.startup)
    server.end()
row("start-up", starts, 50)
measure(2_000, 50, 300)
measure(10_000, 200, 100)
if "--check" in sys.argv and over:
    sys.exit(f"over the limit: {', '.join(over)}")
