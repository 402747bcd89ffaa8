#!/usr/bin/env python3
"""A budget sweep of Branched Multi-Task Networks beside random trees of the same sizes.

`budgets.py MTLC OUT [--file bmtn_planted] [--seeds 1] [--random 2]` searches once per seed, then chooses and trains a tree per budget from
the saved affinities. Prints parameters against delta-m (mean over tasks of the relative gain in the task's first metric over the
independent network, test split) as Markdown. Runs are kept in OUT and not made again.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess

SHARES = [0.31, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
LOWER = {"rmse", "mae", "mse", "log_loss"}


def delta_m(network, base):
    gains = []
    for t, b in zip(network["test"]["tasks"], base["test"]["tasks"]):
        name, m, r = t["metrics"][0]["name"], t["metrics"][0]["value"], b["metrics"][0]["value"]
        gains.append((r - m if name in LOWER else m - r) / r)
    return 100 * statistics.mean(gains)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mtlc")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--file", default="bmtn_planted")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--random", type=int, default=2)
    args = parser.parse_args()
    folder = pathlib.Path(__file__).resolve().parent.parent
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    text = (folder / f"{args.file}.mtl").read_text()
    found = {s: [] for s in SHARES}
    for seed in range(args.seeds):
        first = out / f"first-{seed}"
        if not (first / "affinity.json").exists():
            subprocess.run([args.mtlc, "search", folder / f"{args.file}.mtl", "--seed", str(seed), "-o", first, "--quiet"],
                           check=True, stdout=subprocess.DEVNULL)
        again = re.sub(r"single \{.*?\}", f'affinities = "{first}/affinity.json"', text, flags=re.S)
        program = out / f"again-{seed}.mtl"
        program.write_text(again.replace('"data/', f'"{folder}/data/'))
        for share in SHARES:
            run = out / f"run-{seed}-{share}"
            if not (run / "summary.json").exists():
                subprocess.run([args.mtlc, "run", program, "--set", f"share={share}", "--seed", str(seed), "-o", run, "--random",
                                str(args.random), "--quiet"], check=True, stdout=subprocess.DEVNULL)
            networks = {n["name"]: n for n in json.loads((run / "summary.json").read_text())["networks"]}
            base = networks["independent"]
            drawn = [delta_m(n, base) for k, n in networks.items() if k.startswith("random_")]
            found[share].append((networks["derived"]["params"], delta_m(networks["derived"], base), drawn,
                                 delta_m(networks["all_shared"], base)))
    print("| budget | params | delta-m, % | random trees of that size, delta-m, % | seeds in which the chosen tree is better |\n|---|---|---|---|---|")
    for share, rows in found.items():
        params = statistics.mean(r[0] for r in rows)
        drawn = [d for r in rows for d in r[2]]
        # A seed's random trees count by their mean, as its chosen tree counts once.
        better = [r[1] > statistics.mean(r[2]) for r in rows if r[2]]
        cells = [f"{share:.2f}", f"{params / 1e3:.1f} k", spread([r[1] for r in rows]), spread(drawn) or "none of that size"]
        cells.append(f"{sum(better)} of {len(better)}" if better else "")
        print("| " + " | ".join(cells) + " |")
    print(f"\nAll shared: {spread([r[3] for r in next(iter(found.values()))])} %.")


def spread(values):
    """Mean (standard deviation)."""
    if not values:
        return ""
    mean = f"{statistics.mean(values):+.1f}"
    return f"{mean} ({statistics.stdev(values):.1f})" if len(values) > 1 else mean


if __name__ == "__main__":
    main()
