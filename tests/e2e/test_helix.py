"""Helix itself, in a terminal of the test: colours, a mistake shown, its fix applied, hover, rename. Skipped where there is no `hx`
(or `HX=path`): Debian 13 has a package of that name."""

import codecs
import fcntl
import os
import pathlib
import pty
import select
import shutil
import struct
import subprocess
import termios
import time

import pyte
import pytest

EDITORS = pathlib.Path(__file__).parents[2] / "editors"
HX = os.environ.get("HX") or shutil.which("hx")
PARSER = os.environ.get("PARSER", "")
ROWS, COLUMNS = 50, 160

pytestmark = pytest.mark.skipif(not HX, reason="there is no Helix here")

SPEC = """mtl 1

input x: f32[16]
task a: binary
task b: binary
head for * = linear(outputs)
backbone net(x) {
  stage fc = linear(32) -> rlu
}
"""


@pytest.fixture
def home(tmp_path):
    """A home with our configuration, as its README says."""
    config = tmp_path / "config/helix"
    (config / "runtime/queries").mkdir(parents=True)
    (config / "runtime/grammars").mkdir()
    (config / "config.toml").write_text('theme = "onedark"\n')
    shutil.copy(EDITORS / "helix/languages.toml", config)
    shutil.copytree(EDITORS / "helix/queries/mtl", config / "runtime/queries/mtl")
    if PARSER:
        shutil.copy(PARSER, config / "runtime/grammars/mtl.so")
    (tmp_path / "spec.mtl").write_text(SPEC)
    mtlc = pathlib.Path(os.environ["MTLC"]).resolve()
    env = dict(os.environ, XDG_CONFIG_HOME=str(tmp_path / "config"), XDG_CACHE_HOME=str(tmp_path / "cache"), TERM="xterm-256color")
    env.update(PATH=f"{mtlc.parent}:{os.environ['PATH']}", COLORTERM="truecolor")
    return tmp_path, env


class Terminal:
    """A program in a terminal, and what its screen shows."""

    def __init__(self, command, cwd, env):
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.Stream(self.screen)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(command, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    return
                self.stream.feed(self.decoder.decode(data))

    def until(self, text, seconds=30):
        """Waits until the screen shows `text`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            if text in self.text():
                return
        raise AssertionError(f"no {text!r} on the screen:\n{self.text()}")

    def keys(self, *keys):
        for key in keys:
            os.write(self.master, key.encode())
            self.read(0.3)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def colour(self, word):
        """The colour in which `word` first stands on the screen."""
        row, line = next((i, l) for i, l in enumerate(self.screen.display) if word in l)
        return self.screen.buffer[row][line.index(word)].fg

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def test_health(home):
    folder, env = home
    out = subprocess.run([HX, "--health", "mtl"], cwd=folder, env=env, capture_output=True, text=True, timeout=60).stdout
    assert "mtlc" in out and "✓" in out.splitlines()[1], out
    if PARSER:
        assert all("✓" in l for l in out.splitlines() if l.startswith(("Tree-sitter parser", "Highlight queries"))), out


def test_session(home):
    folder, env = home
    hx = Terminal([HX, "spec.mtl"], folder, env)
    try:
        # Diagnostics beside the line where the cursor is.
        hx.until("stage fc")
        hx.until("●")
        hx.keys("/", "rlu", "\r")
        hx.until("there is no op or block called `rlu`")
        # The fix, by the menu of code actions.
        hx.keys(" ", "a")
        hx.until("replace `rlu` with `relu`")
        hx.keys("\r", "\x1b")
        hx.until("linear(32) -> relu")
        # Hover.
        hx.keys("/", "linear", "\r", " ", "k")
        hx.until("linear(")
        hx.until("32")
        hx.keys("\x1b")
        # Go to the definition of the stage's input, rename it everywhere, write.
        hx.keys("g", "g", "/", "x", ":", "\r", " ", "r")
        hx.until("rename-to:")
        hx.keys("\x15", "picture", "\r")
        hx.until("backbone net(picture)")
        if PARSER:
            colours = [hx.colour(w) for w in ("stage", "binary", "16]", "linear(32)", "outputs")]
            assert len(set(colours)) >= 4, f"few colours: {colours}"
        hx.keys(":", "w", "\r")
        hx.until("written")
        hx.keys(":", "q", "\r")
        hx.process.wait(10)
    finally:
        hx.end()
    assert (folder / "spec.mtl").read_text() == SPEC.replace("rlu", "relu").replace("input x", "input picture").replace("net(x)", "net(picture)")
