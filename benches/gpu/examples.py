"""Runs of the examples on a device beside the CPU's: test losses by network, and whether a run that was stopped ended alike.

    python benches/gpu/examples.py FOLDER DEVICE

reads the run folders EXAMPLE-SEED-DEVICE, EXAMPLE-SEED-cpu and EXAMPLE-stopped that `run.sh` leaves in FOLDER.
"""

import json
import statistics
import sys
from pathlib import Path


def losses(folder):
    """Test loss (validation, where there is no test) by network."""
    summary = json.loads((folder / "summary.json").read_text())
    return {n["name"]: (n.get("test") or n["validation"])["loss"] for n in summary["networks"]}


def show(values):
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} ± {spread:.4f}"


def same(a, b):
    """Which of the files that say what a run came to differ."""
    names = ["derived/net.mtl", "checkpoints/derived.safetensors", "checkpoints/supernet.safetensors"]
    return [n for n in names if not (a / n).exists() or not (b / n).exists() or (a / n).read_bytes() != (b / n).read_bytes()]


def main():
    root, device = Path(sys.argv[1]), sys.argv[2]
    found = {}
    for folder in sorted(root.iterdir()):
        name, _, where = folder.name.rpartition("-")
        if (folder / "summary.json").exists() and where in (device, "cpu"):
            example, _, _ = name.rpartition("-")
            found.setdefault(example, {}).setdefault(where, []).append(losses(folder))
    print(f"| example | network | {device} | cpu | within the CPU's range |")
    print("|---|---|---|---|---|")
    for example, sides in found.items():
        for network in sides.get("cpu", [{}])[0]:
            there, here = ([run[network] for run in sides.get(w, []) if network in run] for w in (device, "cpu"))
            if there and here:
                # Widened by the deviation, since three seeds are few.
                margin = statistics.stdev(here) if len(here) > 1 else 0.0
                inside = min(here) - margin <= statistics.mean(there) <= max(here) + margin
                print(f"| {example} | {network} | {show(there)} | {show(here)} | {'yes' if inside else 'NO'} |")
    for stopped in sorted(root.glob("*-stopped")):
        whole = root / f"{stopped.name.removesuffix('-stopped')}-0-{device}"
        other = same(whole, stopped)
        print(f"{stopped.name}: " + ("the same bytes as the run that was not stopped" if not other else f"differs in {other}"))


main()
