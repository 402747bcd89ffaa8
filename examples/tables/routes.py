#!/usr/bin/env python3
"""MTNAS beside MMoE, PLE and others. `routes.py MTLC OUT [--on census] [--seeds 5] [--lr RATE ...] [--set NAME=VALUE ...]`

`--on census` is the excerpt of Census-Income, `census_full` all of it, `movielens` MovieLens-100K (`data/fetch.sh` brings both).
Every seed draws the splits, weights and batches, the same for all networks; each network is trained as `train` says, at every learning
rate of `--lr` (without it at the program's own), and the one with the lowest validation loss counts: the same number of tries for all.
Prints test AUC (rmse where a task has no AUC) by network, mean (standard deviation), and the mean paired difference of the derived
network to each other one with a 95 % interval (Student's t). Runs are kept in OUT and not made again.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

# Two-sided 95 % by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
# A shared network no smaller than what is derived: its width.
SHARED_WIDTH = {"census_full": 44, "movielens": 80}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mtlc")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--on", default="census", choices=["census", "census_full", "movielens"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lr", nargs="*", default=[])
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    here = pathlib.Path(__file__).parent.parent
    programs = [(f"mtnas_{args.on}", "run", None, []), (f"mmoe_{args.on}", "train", "MMoE", []), (f"ple_{args.on}", "train", "PLE", [])]
    if args.on in SHARED_WIDTH:
        width = [f"width={SHARED_WIDTH[args.on]}"]
        programs.append((f"shared_{args.on}", "train", f"shared, {width[0].replace('=', ' ')}", width))

    def run(file, command, seed, sets):
        out = args.out / f"{file}-{'-'.join(sets).replace('=', '_') or 'as-is'}-{seed}"
        if not (out / "summary.json").exists():
            line = [args.mtlc, command, str(here / f"{file}.mtl"), "--seed", str(seed), "-o", str(out), "--quiet"]
            line += ["--device", "cpu"] + [part for s in [f"split={seed}"] + sets for part in ("--set", s)]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        return json.loads((out / "summary.json").read_text())["networks"]

    scores, sizes, metrics = {}, {}, {}
    for seed in range(args.seeds):
        for file, command, name, own in programs:
            tries = [run(file, command, seed, args.set + own + rate) for rate in [[f"lr={lr}"] for lr in args.lr] or [[]]]
            for networks in zip(*tries):
                network = min(networks, key=lambda n: n["validation"]["loss"])
                of = name or network["name"]
                sizes.setdefault(of, []).append(network["params"])
                for task in network["test"]["tasks"]:
                    values = {m["name"]: m["value"] for m in task["metrics"]}
                    metric = metrics.setdefault(task["task"], "auc" if "auc" in values else "rmse")
                    scores.setdefault(of, {}).setdefault(task["task"], []).append(values[metric])

    def spread(v):
        return statistics.stdev(v) if len(v) > 1 else 0.0

    tasks = list(scores["derived"])
    heads = " | ".join(f"{t}, {metrics[t]}" for t in tasks)
    print(f"| network | params | {heads} |\n|---|---|{'---|' * len(tasks)}")
    for name, by_task in scores.items():
        cells = [f"{statistics.mean(v):.4f} ({spread(v):.4f})" for v in by_task.values()]
        print(f"| {name} | {statistics.mean(sizes[name]) / 1e3:.1f} ({spread(sizes[name]) / 1e3:.1f}) k | {' | '.join(cells)} |")
    print(f"\n| derived minus | {heads} |\n|---|{'---|' * len(tasks)}")
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
