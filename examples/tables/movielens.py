#!/usr/bin/env python3
"""MovieLens-100K: the trained networks over several seeds, and floors on the same split: the mean rating, the film's mean, and what
is known of a user added to what is known of a film (a bias each, shrunk as validation likes best).

usage: movielens.py MTLC OUT [--seeds 3]
Runs are kept in OUT (seed-0, ...) and not made again. Prints a Markdown table of the test split: mean (standard deviation). The split
is of the data, not of the seed, so the floors have no spread. A floor's estimate of the rating is its score for both yes-or-no tasks.
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = [("rating", "rmse"), ("rating", "mae"), ("like", "auc"), ("strong_like", "auc")]


def run(mtlc, folder, seed):
    if not (folder / "summary.json").exists():
        command = [mtlc, "run", HERE / "movielens.mtl", "-o", folder, "--seed", str(seed), "-q"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "summary.json").read_text())


def splits(mtlc, folder):
    """The ratings of each split. `row` is the line in the table."""
    path = folder.with_suffix(".csv")
    if not path.exists():
        subprocess.run([mtlc, "evaluate", folder, "--outputs", path, "-q"], check=True, stdout=subprocess.DEVNULL)
    of = {int(r["row"]): r["split"] for r in csv.DictReader(path.open())}
    out = {"train": [], "validation": [], "test": []}
    with (HERE / "data/full/movielens/ratings.csv").open(encoding="utf-8") as file:
        for line, r in enumerate(csv.DictReader(file), start=2):
            out[of.get(line, "train")].append((r["user_id"], r["item_id"], float(r["rating"])))
    return out


def auc(scores, labels):
    order = sorted(range(len(scores)), key=scores.__getitem__)
    positives, ranks, i = sum(labels), 0.0, 0
    while i < len(order):
        j = i
        while j < len(order) and scores[order[j]] == scores[order[i]]:
            j += 1
        ranks += (i + j + 1) / 2 * sum(labels[k] for k in order[i:j])
        i = j
    return (ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def judge(scores, rows):
    errors = [s - r[2] for s, r in zip(scores, rows)]
    return [
        math.sqrt(sum(e * e for e in errors) / len(errors)),
        sum(map(abs, errors)) / len(errors),
        auc(scores, [r[2] >= 4 for r in rows]),
        auc(scores, [r[2] == 5 for r in rows]),
    ]


def biases(train, shrink):
    """Alternating means of what the other side leaves over."""
    mean = sum(r[2] for r in train) / len(train)
    of = [{}, {}]
    for _ in range(15):
        for side in (1, 0):
            total, count = {}, {}
            for r in train:
                rest = r[2] - mean - of[1 - side].get(r[1 - side], 0.0)
                total[r[side]] = total.get(r[side], 0.0) + rest
                count[r[side]] = count.get(r[side], 0) + 1
            of[side] = {k: total[k] / (count[k] + shrink[side]) for k in total}
    return lambda rows: [mean + of[0].get(r[0], 0.0) + of[1].get(r[1], 0.0) for r in rows]


def floors(data):
    train, test = data["train"], data["test"]
    mean = sum(r[2] for r in train) / len(train)
    films = {}
    for r in train:
        films.setdefault(r[1], []).append(r[2])
    film = {k: sum(v) / len(v) for k, v in films.items()}
    fitted = [biases(train, (u, f)) for u in (1, 3, 5, 10) for f in (1, 3, 5, 10)]
    best = min(fitted, key=lambda f: judge(f(data["validation"]), data["validation"])[0])
    yield "mean rating", judge([mean] * len(test), test)
    yield "mean of the film", judge([film.get(r[1], mean) for r in test], test)
    yield "user + film", judge(best(test), test)


def show(values):
    m = sum(values) / len(values)
    sd = math.sqrt(sum((v - m) ** 2 for v in values) / max(len(values) - 1, 1))
    return f"{m:.4f} ({sd:.4f})"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mtlc")
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=3)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    runs = [run(a.mtlc, a.out / f"seed-{s}", s) for s in range(a.seeds)]
    print(f"| network | params | {' | '.join(' '.join(c) for c in COLUMNS)} |")
    print(f"|---|---|{'---|' * len(COLUMNS)}")
    for name, values in floors(splits(a.mtlc, a.out / "seed-0")):
        print(f"| {name} | | {' | '.join(f'{v:.4f}' for v in values)} |")
    for i, network in enumerate(runs[0]["networks"]):
        same = [r["networks"][i] for r in runs]
        cells = [show([m["value"] for n in same for t in n["test"]["tasks"] if t["task"] == task
                       for m in t["metrics"] if m["name"] == metric]) for task, metric in COLUMNS]
        params = sum(n["params"] for n in same) / len(same) / 1000
        print(f"| {network['name']} | {params:.0f} k | {' | '.join(cells)} |")
    print("\nDerived topologies:\n")
    for s, r in enumerate(runs):
        print(f"- seed {s}: " + "; ".join(" ".join(l.split()) for l in r["topology"].splitlines()[1:-1]))


main()
