#!/usr/bin/env python3
"""Digits and MultiMNIST: derived, all shared and independent at the same training budget, several seeds.

usage: images.py MTLC OUT [--seeds 3] [--file digits|multi_mnist]...
Runs are kept in OUT and not made again. Prints Markdown tables of the test split: mean (standard deviation).
"""
import argparse
import json
import math
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent


def run(mtlc, out, file, seed):
    path = out / f"{file}-{seed}.json"
    if not path.exists():
        command = [mtlc, "run", HERE / f"{file}.mtl", "-o", out / f"{file}-{seed}", "--seed", str(seed), "--json", "-q"]
        path.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return json.loads(path.read_text())


def show(values, digits=4):
    m = sum(values) / len(values)
    sd = math.sqrt(sum((v - m) ** 2 for v in values) / max(len(values) - 1, 1))
    return f"{m:.{digits}f} ({sd:.{digits}f})"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mtlc")
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--file", action="append", choices=["digits", "multi_mnist"])
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for file in a.file or ["digits", "multi_mnist"]:
        runs = [run(a.mtlc, a.out, file, s) for s in range(a.seeds)]
        first = runs[0]["networks"][0]["test"]["tasks"]
        columns = [(t["task"], m["name"]) for t in first for m in t["metrics"]]
        print(f"\n**{file}**, {a.seeds} seeds\n")
        print(f"| network | params | MACs | us/sample | {' | '.join(' '.join(c) for c in columns)} |")
        print(f"|---|---|---|---|{'---|' * len(columns)}")
        for i, network in enumerate(runs[0]["networks"]):
            same = [r["networks"][i] for r in runs]
            cells = []
            for task, metric in columns:
                values = [m["value"] for n in same for t in n["test"]["tasks"] if t["task"] == task
                          for m in t["metrics"] if m["name"] == metric and m["value"] is not None]
                cells.append(show(values))
            params = show([n["params"] / 1000 for n in same], 1) + " k"
            macs = show([n["macs"] / 1e6 for n in same], 2) + " M"
            latency = show([n["latency"]["median"] * 1e6 for n in same], 1)
            print(f"| {network['name']} | {params} | {macs} | {latency} | {' | '.join(cells)} |")
        print("\nDerived topologies:\n")
        for s, r in enumerate(runs):
            lines = [l.strip() for l in r["topology"].splitlines()[1:-1]]
            print(f"- seed {s}: " + "; ".join(" ".join(l.split()) for l in lines))


main()
