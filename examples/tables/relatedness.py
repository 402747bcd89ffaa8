#!/usr/bin/env python3
"""Do related tasks share more? `relatedness.py MTLC OUT [--seeds 10] [--file mtnas_relatedness] [--set NAME=VALUE ...]`

Searches routes for two tasks of known correlation; each seed draws data, weights and batches. The share is the number of
sub-networks that both tasks read over the number that any reads, in the derived topology. Prints it by correlation, and
Spearman's rank correlation of the two over all runs with a 95 % interval (percentile bootstrap over seeds, so that the runs of a
seed stay together; 10,000 draws). Runs are kept in OUT and not made again.
"""
import argparse
import pathlib
import random
import re
import statistics
import subprocess


def share(text):
    """Of the readers' sub-networks, those that both tasks read."""
    body = text.split("topology over", 1)[1].split("\n}", 1)[0]
    mixes, reads = {}, {}
    for line in body.splitlines():
        if "<-" not in line:
            continue
        left, right = (part.strip() for part in line.split("<-"))
        members = re.search(r"\)\[(.*)\]", right)
        found = set(re.findall(r"\w+\.\w+", members.group(1) if members else right)) or mixes.get(right, set())
        for name in re.split(r",\s*", left):
            (mixes if re.fullmatch(r"m\d+", name) else reads)[name] = found
    tasks = [members for name, members in reads.items() if "." not in name]
    return len(set.intersection(*tasks)) / len(set.union(*tasks))


def ranks(values):
    order = sorted(range(len(values)), key=lambda i: values[i])
    out = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for i in order[at:end]:
            out[i] = (at + end - 1) / 2
        at = end
    return out


def spearman(pairs):
    a, b = (ranks(list(v)) for v in zip(*pairs))
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return statistics.correlation(a, b)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mtlc")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--file", default="mtnas_relatedness")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    program = pathlib.Path(__file__).parent.parent / f"{args.file}.mtl"
    correlations = [0.0, 0.25, 0.5, 0.75, 1.0]
    by_seed = [[] for _ in range(args.seeds)]
    for p in correlations:
        for seed in range(args.seeds):
            run = args.out / f"{args.file}-{'-'.join(args.set).replace('=', '_') or 'as-is'}-{p}-{seed}"
            derived = run / "derived" / "net.mtl"
            if not derived.exists():
                command = [args.mtlc, "search", str(program), "--seed", str(seed), "-o", str(run), "--quiet", "--device", "cpu"]
                sets = [f"correlation={p}", f"sample={seed}"] + args.set
                command += [part for s in sets for part in ("--set", s)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            by_seed[seed].append((p, share(derived.read_text())))
        shares = [runs[-1][1] for runs in by_seed]
        spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
        print(f"p = {p}: {statistics.mean(shares):.3f} ({spread:.3f})  {shares}", flush=True)
    rho = spearman([pair for runs in by_seed for pair in runs])
    draw = random.Random(0)
    drawn = sorted(
        spearman([pair for _ in by_seed for pair in by_seed[draw.randrange(len(by_seed))]]) for _ in range(10_000)
    )
    print(f"Spearman {rho:.3f}, 95 % interval {drawn[249]:.3f} to {drawn[9749]:.3f}")


if __name__ == "__main__":
    main()
