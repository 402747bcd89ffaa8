#!/usr/bin/env python3
"""Learning to Branch's synthetic experiment: which partition of the 15 tasks each seed recovers at the last block.

usage: synthetic.py MTLC OUT [--seeds 10] [--variant main|literal|size|freeze]...
Each search is one `mtlc search`; its result is kept in OUT and not run again. Prints a Markdown table.
"""
import argparse
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
VARIANTS = {
    "main": ("synthetic_{}.mtl", []),
    "freeze": ("synthetic_{}.mtl", ["idle=\"freeze\""]),
    "size": ("synthetic_{}.mtl", ["size=0.1"]),
    "literal": ("synthetic_literal_{}.mtl", ["epochs=500", "warmup=50", "choice_lr=1e-7"]),
}
FAMILIES = {"a": ["bent", "square", "sinc"], "b": ["sin", "2sin", "3sin"], "c": ["cos", "sinc", "square"]}


def search(mtlc, out, variant, setting, seed):
    file, sets = VARIANTS[variant]
    path = out / f"{variant}-{setting}-{seed}.json"
    if not path.exists():
        run = out / f"{variant}-{setting}-{seed}"
        command = [mtlc, "search", HERE / file.format(setting), "-o", run, "--seed", str(seed), "--json", "-q"]
        for s in sets + [f"data_seed={seed}"]:
            command += ["--set", s]
        result = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        path.write_text(result)
    return json.loads(path.read_text())


def tree(result):
    """Families at every used copy of the last block, and how many copies each block uses."""
    chosen = dict(zip(result["choices"], result["decisions"]))
    leaves = {}
    for reader, parent in chosen.items():
        if reader.startswith("heads."):
            leaves.setdefault(parent, []).append(reader[len("heads.t_"):])
    used = [set(leaves)]
    for stage in ("w2", "w1"):
        used.append({chosen[f"{stage}.{'abc'[c]}"] for c in used[-1]})
    return list(leaves.values()), [len(u) for u in reversed(used)]


def describe(setting, clusters):
    parts = []
    for c in sorted(clusters, key=lambda c: -len(c)):
        names = [t.rsplit("_", 1)[0] for t in c]
        parts.append(" + ".join(f"{names.count(f)} {f}" for f in FAMILIES[setting] if f in names))
    return " / ".join(parts)


def recovered(setting, clusters):
    names = [{t.rsplit("_", 1)[0] for t in c} for c in clusters]
    sizes = sorted(len(c) for c in clusters)
    if setting == "a":
        return sizes == [5, 5, 5] and all(len(n) == 1 for n in names)
    if setting == "b":
        return len(clusters) == 1
    return any(n == {"square"} and len(c) == 5 for n, c in zip(names, clusters))


def drawn(setting, clusters, used):
    """Exactly the published drawing: one trunk, and the partition at the last block."""
    if setting == "c" and not (recovered("c", clusters) and sorted(map(len, clusters)) == [5, 10]):
        return False
    return recovered(setting, clusters) and used[:2] == [1, 1]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mtlc")
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--variant", action="append", choices=VARIANTS)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for variant in a.variant or ["main"]:
        print(f"\n**{variant}**\n\n| setting | recovered | exactly as drawn | one trunk | partition at the last block, seeds 0 to {a.seeds - 1} |")
        print("|---|---|---|---|---|")
        for setting in "abc":
            rows = [tree(search(a.mtlc, a.out, variant, setting, s)) for s in range(a.seeds)]
            good = sum(recovered(setting, c) for c, _ in rows)
            exact = sum(drawn(setting, c, u) for c, u in rows)
            trunk = sum(u[:2] == [1, 1] for _, u in rows)
            texts = [describe(setting, c) for c, _ in rows]
            listed = "; ".join(f"{texts.count(t)}x {t}" for t in dict.fromkeys(texts))
            n = a.seeds
            print(f"| ({setting}) {{{', '.join(FAMILIES[setting])}}} | {good}/{n} | {exact}/{n} | {trunk}/{n} | {listed} |", flush=True)


main()
