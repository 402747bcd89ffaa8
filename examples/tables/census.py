#!/usr/bin/env python3
"""Full Census-Income: the derived network against all shared, independent, a random topology of its size, and a linear network.

usage: census.py MTLC OUT [--seeds 5]
Every network gets the same epochs, batches and learning rates (LRS; the linear one two more); its rate and epoch are chosen by
validation loss, the figures are of the test split. Runs are kept in OUT and not made again. Prints Markdown.
"""
import argparse
import itertools
import json
import math
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
LRS = ["1e-3", "3e-3"]
LINEAR_LRS = LRS + ["1e-2", "3e-2"]
# Two-sided 95 % quantiles of Student's t, by degrees of freedom.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def run(mtlc, out, command, file, seed, lr, extra=()):
    path = out / f"{command}-{file}-{lr}-{seed}.json"
    if not path.exists():
        folder = out / path.stem
        text = subprocess.run(
            [mtlc, command, HERE / f"{file}.mtl", "-o", folder, "--seed", str(seed), "--json", "-q",
             "--set", f"lr={lr}", "--set", f"split={seed}", *extra],
            check=True, capture_output=True, text=True).stdout
        path.write_text(text)
    return json.loads(path.read_text())


def best(candidates):
    return min(candidates, key=lambda n: n["validation"]["loss"])


def auc(network):
    return {t["task"]: next(m["value"] for m in t["metrics"] if m["name"] == "auc") for t in network["test"]["tasks"]}


def mean(v):
    return sum(v) / len(v)


def sd(v):
    return math.sqrt(sum((x - mean(v)) ** 2 for x in v) / (len(v) - 1)) if len(v) > 1 else float("nan")


def interval(v):
    return T[len(v) - 1] * sd(v) / math.sqrt(len(v)) if len(v) > 1 else float("nan")


def partitions(topology, tasks):
    """Per stage the copy on each task's path, from the topology's text."""
    reads = {}
    for targets, source in re.findall(r"^\s*(.+?)\s*<-\s*(\S+)\s*$", topology, re.M):
        for t in targets.split(","):
            reads[t.strip()] = source
    levels = {}
    for task in tasks:
        node = reads[task]
        while node in reads:
            levels.setdefault(node.split(".")[0], {})[task] = node
            node = reads[node]
    return {s: [m[t] for t in tasks] for s, m in levels.items()}


def adjusted_rand(a, b):
    """Hubert and Arabie 1985, equation 5."""
    pairs = lambda n: n * (n - 1) / 2
    cells = {}
    for x in zip(a, b):
        cells[x] = cells.get(x, 0) + 1
    index = sum(map(pairs, cells.values()))
    r = sum(pairs(a.count(x)) for x in set(a))
    c = sum(pairs(b.count(x)) for x in set(b))
    expected = r * c / pairs(len(a))
    most = (r + c) / 2
    return 1.0 if most == expected else (index - expected) / (most - expected)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mtlc")
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=5)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    scores, sizes, topologies = {}, {}, []
    for seed in range(a.seeds):
        runs = [run(a.mtlc, a.out, "run", "census_full", seed, lr, ["--random", "1"]) for lr in LRS]
        topologies.append(runs[0]["topology"])
        assert all(r["topology"] == runs[0]["topology"] for r in runs), "the rate of retraining must not reach the search"
        for name in ["derived", "all_shared", "independent", "random_1"]:
            chosen = [n for r in runs for n in r["networks"] if n["name"] == name]
            if chosen:
                scores.setdefault(name, {})[seed] = auc(best(chosen))
                sizes.setdefault(name, []).append(chosen[0]["params"])
        linear = [run(a.mtlc, a.out, "train", "census_full_linear", seed, lr)["networks"][0] for lr in LINEAR_LRS]
        scores.setdefault("linear", {})[seed] = auc(best(linear))
        sizes.setdefault("linear", []).append(linear[0]["params"])
    tasks = list(scores["derived"][0])
    print(f"Test AUC over {a.seeds} seeds, mean (standard deviation):\n")
    print(f"| network | params | {' | '.join(tasks)} |\n|---|---|{'---|' * len(tasks)}")
    for name, by in scores.items():
        cells = [f"{mean([s[t] for s in by.values()]):.4f} ({sd([s[t] for s in by.values()]):.4f})" for t in tasks]
        print(f"| {name} | {mean(sizes[name]) / 1000:.1f} k | {' | '.join(cells)} |")
    print("\nDerived minus the other, paired by seed, mean and 95 % interval:\n")
    print(f"| against | {' | '.join(tasks)} |\n|---|{'---|' * len(tasks)}")
    for name in scores:
        if name == "derived":
            continue
        cells = []
        for t in tasks:
            d = [scores["derived"][s][t] - scores[name][s][t] for s in scores[name]]
            cells.append(f"{mean(d):+.4f} ± {interval(d):.4f}")
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nAgreement of the seeds' topologies (adjusted Rand index, mean over pairs of seeds):\n")
    chains = [partitions(t, tasks) for t in topologies]
    for stage in reversed(list(chains[0])):
        pairs = [adjusted_rand(x[stage], y[stage]) for x, y in itertools.combinations(chains, 2)]
        shown = ", ".join("/".join(str(sorted(set(c[stage])).index(b)) for b in c[stage]) for c in chains)
        print(f"- `{stage}`: {mean(pairs) if pairs else float('nan'):.2f} (blocks of {', '.join(tasks)} by seed: {shown})")


main()
