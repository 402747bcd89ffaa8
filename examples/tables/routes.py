#!/usr/bin/env python3
"""MTNAS on Census-Income beside MMoE, PLE and others. `routes.py MTLC OUT [--seeds 5] [--set NAME=VALUE ...]`

Every seed draws the validation split, weights and batches, the same for all networks; each network is trained once, as `train` says.
Prints test AUC by network, mean (standard deviation), and the mean paired difference of the derived network to each other one with
a 95 % interval (Student's t). Runs are kept in OUT and not made again.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

# Two-sided 95 % by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mtlc")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    here = pathlib.Path(__file__).parent.parent
    programs = [("mtnas_census", "run", None), ("mmoe_census", "train", "MMoE"), ("ple_census", "train", "PLE")]
    scores, sizes = {}, {}
    for seed in range(args.seeds):
        for file, command, name in programs:
            run = args.out / f"{file}-{'-'.join(args.set).replace('=', '_') or 'as-is'}-{seed}"
            if not (run / "summary.json").exists():
                line = [args.mtlc, command, str(here / f"{file}.mtl"), "--seed", str(seed), "-o", str(run), "--quiet"]
                line += ["--device", "cpu"] + [part for s in [f"split={seed}"] + args.set for part in ("--set", s)]
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            for network in json.loads((run / "summary.json").read_text())["networks"]:
                of = name or network["name"]
                sizes.setdefault(of, []).append(network["params"])
                for task in network["test"]["tasks"]:
                    auc = next(m["value"] for m in task["metrics"] if m["name"] == "auc")
                    scores.setdefault(of, {}).setdefault(task["task"], []).append(auc)
    spread = lambda v: statistics.stdev(v) if len(v) > 1 else 0.0
    tasks = list(scores["derived"])
    print(f"| network | params | {' | '.join(tasks)} |\n|---|---|{'---|' * len(tasks)}")
    for name, by_task in scores.items():
        cells = [f"{statistics.mean(v):.4f} ({spread(v):.4f})" for v in by_task.values()]
        print(f"| {name} | {statistics.mean(sizes[name]) / 1e3:.1f} ({spread(sizes[name]) / 1e3:.1f}) k | {' | '.join(cells)} |")
    print(f"\n| derived minus | {' | '.join(tasks)} |\n|---|{'---|' * len(tasks)}")
    for name in scores:
        if name == "derived":
            continue
        cells = []
        for task in tasks:
            d = [a - b for a, b in zip(scores["derived"][task], scores[name][task])]
            half = STUDENT.get(len(d) - 1, 1.96) * spread(d) / len(d) ** 0.5
            cells.append(f"{statistics.mean(d):+.4f} ± {half:.4f}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
