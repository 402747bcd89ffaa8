#!/usr/bin/env python3
"""Planted structure: does a search find it? `planted.py MTLC OUT --file bmtn_planted|dmtg_planted [--seeds 10] [--first 0] [--set NAME=VALUE ...]`

Each seed draws data, weights and batches. Prints the partition at every stage with several copies, and how often it is the planted
one: by family, by group in a family, or all together. Runs are kept in OUT and not made again.
"""
import argparse
import collections
import pathlib
import re
import subprocess


def partitions(text):
    """Stage -> frozenset of frozensets of tasks, from the text of a topology."""
    parents, tasks = {}, {}
    for line in text.splitlines():
        line = line.strip()
        if "<-" not in line:
            continue
        left, right = (part.strip() for part in line.split("<-"))
        for name in re.split(r",\s*", left):
            (parents if re.fullmatch(r"\w+\.\w+", name) else tasks)[name] = right
    out = collections.defaultdict(lambda: collections.defaultdict(set))
    for task, node in tasks.items():
        while "." in node:
            out[node.split(".")[0]][node].add(task)
            node = parents[node]
    return {stage: frozenset(frozenset(block) for block in blocks.values()) for stage, blocks in out.items()}


def planted(tasks, depth):
    """All together at depth 0, by family at 1, by group at 2."""
    blocks = collections.defaultdict(set)
    for task in tasks:
        blocks[tuple(task.split("_")[1 : 1 + depth])].add(task)
    return frozenset(frozenset(b) for b in blocks.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mtlc")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--file", default="bmtn_planted")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    program = pathlib.Path(__file__).parent.parent / f"{args.file}.mtl"
    depths = {"s1": 0, "s2": 1, "s3": 2, "trunk": 0, "group": 1}
    hits = collections.Counter()
    whole = 0
    for seed in range(args.first, args.first + args.seeds):
        run = args.out / f"{args.file}-{'-'.join(args.set).replace('=', '_') or 'as-is'}-{seed}"
        derived = run / "derived" / "net.mtl"
        if not derived.exists():
            sets = [f"data_seed={seed}"] + args.set
            command = [args.mtlc, "search", str(program), "--seed", str(seed), "-o", str(run), "--quiet"]
            subprocess.run(command + [part for s in sets for part in ("--set", s)], check=True, stdout=subprocess.DEVNULL)
        topology = derived.read_text().split("topology over", 1)[1].split("\n}", 1)[0]
        found = partitions(topology)
        right = {}
        for stage, blocks in found.items():
            tasks = sorted(t for b in blocks for t in b)
            right[stage] = blocks == planted(tasks, depths[stage])
            hits[stage] += right[stage]
        whole += all(right.values())
        shown = {s: sorted(sorted(b) for b in blocks) for s, blocks in found.items() if not right[s]}
        print(f"seed {seed}: {'planted' if all(right.values()) else shown}", flush=True)
    for stage, n in sorted(hits.items()):
        print(f"{stage}: {n}/{args.seeds}")
    print(f"whole chain: {whole}/{args.seeds}")


if __name__ == "__main__":
    main()
