#!/usr/bin/env python3
"""Makes the excerpts of this folder from the full files. Standard library only; the same bytes every time.

    examples/data/fetch.sh census
    examples/data/make_excerpts.py

Census: every 10th row of the training and of the test file (rows 1, 11, 21, ... in the files' order), cells stripped of the
blank after each comma, nothing else changed. The files are in no particular order, so this is a fair sample.

Digits: smartcore's `digits.xy` (brought by `cargo vendor`) rewritten as two idx files, in its order.
"""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIGITS_SHA256 = "59da24565482d2eafeef38bbb76be99d6eab56fe0a21a0676256efae85428fe6"


def write_gzip(path, data):
    # No name and no time in the header: the same data give the same file.
    with open(path, "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as out:
            out.write(data)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{digest}  {path.name}  {path.stat().st_size} bytes")


def census(split, every):
    path = HERE / "full" / "census" / f"census_income_1994_1995_{split}.csv"
    if not path.is_file():
        sys.exit(f"make_excerpts.py: no {path.name}; run examples/data/fetch.sh census first")
    rows = []
    with open(path, encoding="utf-8", newline="") as lines:
        for number, line in enumerate(lines):
            if number % every == 0:
                cells = [cell.strip() for cell in line.rstrip("\r\n").split(",")]
                assert len(cells) == 42, (number, len(cells))
                rows.append(",".join(cells))
    print(f"census {split}: {len(rows)} rows")
    write_gzip(HERE / f"census_{split}.csv.gz", ("\n".join(rows) + "\n").encode())


def digits():
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "src").mkdir()
        (work / "src" / "lib.rs").touch()
        (work / "Cargo.toml").write_text(
            '[package]\nname = "digits"\nversion = "0.0.0"\nedition = "2021"\n'
            '[dependencies]\nsmartcore = { version = "=0.7.0", default-features = false, features = ["datasets"] }\n'
        )
        subprocess.run(["cargo", "vendor", "--quiet", "vendor"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        data = (work / "vendor" / "smartcore" / "src" / "dataset" / "digits.xy").read_bytes()
    if hashlib.sha256(data).hexdigest() != DIGITS_SHA256:
        sys.exit("make_excerpts.py: digits.xy is not the expected file")
    # Two little-endian u64 (features, samples), then all pixels and all labels as little-endian f32.
    features, samples = struct.unpack_from("<QQ", data)
    assert (features, samples) == (64, 1797)
    pixels = struct.unpack_from(f"<{features * samples}f", data, 16)
    labels = struct.unpack_from(f"<{samples}f", data, 16 + 4 * features * samples)
    assert all(p == int(p) and 0 <= p <= 16 for p in pixels)
    assert all(label == int(label) and 0 <= label <= 9 for label in labels)
    image_head = struct.pack(">BBBBIII", 0, 0, 8, 3, samples, 8, 8)
    label_head = struct.pack(">BBBBI", 0, 0, 8, 1, samples)
    write_gzip(HERE / "digits-images.idx.gz", image_head + bytes(int(p) for p in pixels))
    write_gzip(HERE / "digits-labels.idx.gz", label_head + bytes(int(label) for label in labels))


if __name__ == "__main__":
    os.umask(0o022)
    census("train", 10)
    census("test", 10)
    digits()
