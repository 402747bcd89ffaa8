"""The tree-sitter parser reads every program without an error, and sees the same items at the same places as the server."""

import ctypes
import json
import os
import pathlib
import subprocess
import urllib.parse

import pytest
from tree_sitter import Language, Parser

ROOT = pathlib.Path(__file__).parents[2]
PARSER = os.environ.get("PARSER", "")

pytestmark = pytest.mark.skipif(not PARSER, reason="the parser is not built")

PROGRAMS = sorted(
    p for f in ("examples", "tests/golden", "tests/corpus", "src/std") for p in (ROOT / f).rglob("*.mtl")
)


class Server:
    def __init__(self):
        self.process = subprocess.Popen([os.environ["MTLC"], "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.id = 0
        self.ask("initialize", {"capabilities": {"general": {"positionEncodings": ["utf-8"]}}})
        self.tell("initialized", {})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.id += 1
        self.send({"id": self.id, "method": method, "params": params})
        while True:
            length = 0
            while line := self.process.stdout.readline().strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            message = json.loads(self.process.stdout.read(length))
            if message.get("id") == self.id:
                return message["result"]


@pytest.fixture(scope="module")
def server():
    it = Server()
    yield it
    it.ask("shutdown", None)
    it.tell("exit", None)


@pytest.fixture(scope="module")
def parser():
    library = ctypes.CDLL(PARSER)
    library.tree_sitter_mtl.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return Parser(Language(capsule(library.tree_sitter_mtl(), b"tree_sitter.Language", None)))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_program(path, parser, server):
    text = path.read_bytes()
    tree = parser.parse(text)
    errors = []
    stack = [tree.root_node]
    while stack:
        node = stack.pop()
        if node.type == "ERROR" or node.is_missing:
            errors.append((node.start_point, text[node.start_byte : node.end_byte][:60]))
        stack.extend(node.children)
    assert not errors
    uri = "file://" + urllib.parse.quote(str(path))
    item = {"uri": uri, "languageId": "mtl", "version": 1, "text": text.decode()}
    server.tell("textDocument/didOpen", {"textDocument": item})
    found = server.ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    places = [tuple((s["range"][e]["line"], s["range"][e]["character"]) for e in ("start", "end")) for s in found]
    items = [(tuple(n.start_point), tuple(n.end_point)) for n in tree.root_node.children if n.type == "item"]
    assert items == places
