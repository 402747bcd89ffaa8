"""Configurations of editors that are not run here: their files can be read, name what there is, and every query fits the grammar."""

import ctypes
import os
import pathlib
import tomllib

import pytest
from tree_sitter import Language, Query

EDITORS = pathlib.Path(__file__).parents[2] / "editors"
PARSER = os.environ.get("PARSER", "")


def test_helix():
    found = tomllib.loads((EDITORS / "helix/languages.toml").read_text())
    (language,) = found["language"]
    assert language["name"] == found["grammar"][0]["name"] == "mtl"
    assert language["language-servers"] == list(found["language-server"])
    # The keys that Helix 25.01 documents for a language; an unknown one makes it refuse the file.
    known = {
        "name", "scope", "injection-regex", "file-types", "shebangs", "roots", "auto-format", "diagnostic-severity", "comment-tokens",
        "block-comment-tokens", "indent", "language-servers", "grammar", "formatter", "text-width", "auto-pairs", "rulers",
    }
    assert set(language) <= known
    assert set(found["language-server"]["mtlc"]) <= {"command", "args", "config", "timeout", "environment"}


def test_zed():
    extension = tomllib.loads((EDITORS / "zed/extension.toml").read_text())
    for key in ("id", "name", "version", "schema_version", "authors"):
        assert key in extension
    config = tomllib.loads((EDITORS / "zed/languages/mtl/config.toml").read_text())
    assert config["grammar"] in extension["grammars"]
    assert config["name"] in extension["language_servers"]["mtlc"]["languages"]
    assert set(config) <= {"name", "grammar", "path_suffixes", "line_comments", "tab_size", "hard_tabs", "brackets"}


@pytest.mark.skipif(not PARSER, reason="the parser is not built")
@pytest.mark.parametrize("path", sorted(EDITORS.rglob("*.scm")), ids=lambda p: str(p.relative_to(EDITORS)))
def test_query(path):
    if "node_modules" in path.parts:
        pytest.skip("not ours")
    library = ctypes.CDLL(PARSER)
    library.tree_sitter_mtl.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    Query(Language(capsule(library.tree_sitter_mtl(), b"tree_sitter.Language", None)), path.read_text())
