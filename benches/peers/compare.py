"""Both sides in turns, and the ratio of their step times.

    python benches/peers/compare.py [MODEL ...] [--rounds 9] [--threads 2] [--markdown]
    python benches/peers/compare.py [MODEL ...] --device cuda:0 --batch 256 [--precision tf32] [--peer compile]

Needs PyTorch in the Python that runs it, and `cargo bench --bench train --no-run` before (it is done if it was not). Every
model's two programs are started, warmed up, and then run by turns, so that what else the machine does meets both alike. A
round's ratio is ours over theirs; the table shows the median and the spread of the rounds.

On a GPU the clock is read when it has finished, and memory is the GPU's. With bf16 both keep
weights in f32; PyTorch by `autocast`, which also keeps what lies between two products in bf16, where ours is f32.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def built(features=""):
    """The program of benches/train.rs."""
    command = ["cargo", "bench", "--bench", "train", "--no-run", "--message-format", "json"]
    command += ["--features", features] if features else []
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in out.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "train":
            return message["executable"]
    raise SystemExit("cargo built no `train`")


class Worker:
    def __init__(self, command, threads):
        env = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env, cwd=HERE)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{command[0]} did not start")

    def run(self, steps):
        self.process.stdin.write(f"run {steps}\n")
        self.process.stdin.flush()
        wall, cpu, grown = map(float, self.process.stdout.readline().split())
        return wall / steps, cpu / steps, grown

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(name, program, args):
    rounds, threads, seconds = args.rounds, args.threads, args.seconds
    where = ["--device", args.device] + (["--batch", str(args.batch)] if args.batch else [])
    where += ["--precision", args.precision]
    ours = Worker([program, "worker", name, *where], threads)
    theirs = Worker([sys.executable, "worker.py", name, str(threads), *where, "--peer", args.peer], threads)
    for side in (ours, theirs):
        side.run(5 if args.device != "cpu" else 2)
    steps = [max(1, int(seconds / side.run(1)[0])) for side in (ours, theirs)]
    a, b = [], []
    for _ in range(rounds):
        a.append(ours.run(steps[0]))
        b.append(theirs.run(steps[1]))
    ours.close()
    theirs.close()
    ratios = sorted(x[0] / y[0] for x, y in zip(a, b))
    wall = [statistics.median(x[0] for x in side) * 1e3 for side in (a, b)]
    cpu = [statistics.median(x[1] for x in side) * 1e3 for side in (a, b)]
    grown = [max(x[2] for x in side) / 2**20 for side in (a, b)]
    return wall, ratios, cpu, grown


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each side's turn in a round")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--program", help="benches/train.rs as built before")
    parser.add_argument("--device", default="cpu", help="of both: cpu or cuda:N")
    parser.add_argument("--batch", type=int, help="samples a step, instead of each model's own")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32", help="of products on a GPU")
    parser.add_argument("--peer", choices=["eager", "tuned", "compile"], default="eager",
                        help="how PyTorch runs; tuned: eager with channels_last and fused optimisers")
    args = parser.parse_args()
    if args.device == "cpu" and args.precision != "f32":
        parser.error("a CPU has no TF32")
    program = args.program or built("cuda,cudnn" if args.device != "cpu" else "")
    names = args.models or subprocess.run([program, "names"], stdout=subprocess.PIPE, text=True).stdout.split()
    head = ["model", "ours ms", "PyTorch ms", "ratio", "spread", "CPU time", "memory MiB", "memory"]
    form = "| {:<20} | {:>8} | {:>10} | {:>5} | {:>11} | {:>8} | {:>13} | {:>6} |"
    print(form.format(*head) if args.markdown else form.replace("|", "").format(*head))
    digits = 1 if args.device == "cpu" else 3
    if args.markdown:
        print("|---|---|---|---|---|---|---|---|")
    for name in names:
        wall, ratios, cpu, grown = measure(name, program, args)
        cells = [
            name,
            f"{wall[0]:.{digits}f}",
            f"{wall[1]:.{digits}f}",
            f"{statistics.median(ratios):.2f}",
            f"{ratios[0]:.2f}-{ratios[-1]:.2f}",
            f"{cpu[0] / cpu[1]:.2f}",
            f"{grown[0]:.0f} / {grown[1]:.0f}",
            f"{grown[0] / grown[1]:.2f}" if grown[1] else "-",
        ]
        line = form.format(*cells)
        print(line if args.markdown else line.replace("|", ""), flush=True)


if __name__ == "__main__":
    main()
