"""What a search step of Learning to Branch costs by copies per level and by tasks, beside PyTorch.

    python benches/peers/scale.py OUT.svg [--rounds 5] [--program PATH]

Needs matplotlib beside what `compare.py` needs. Prints a Markdown table and draws it.
"""

import argparse
import statistics

from compare import built, measure

COPIES = [2, 4, 8, 16, 32]
TASKS = [2, 5, 10, 25, 50, 100]
# Family, what grows, and what stays.
SERIES = [
    ("ltb_mlp", "copies", COPIES, 4),
    ("ltb_conv", "copies", COPIES, 4),
    ("ltb_mlp", "tasks", TASKS, 4),
    ("ltb_conv", "tasks", TASKS, 4),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--program")
    args = parser.parse_args()
    args.threads, args.device, args.batch, args.precision, args.peer = 2, "cpu", None, "f32", "eager"
    program = args.program or built()
    found = {}
    print("| network | tasks | copies | ours ms | PyTorch ms | ratio | spread | memory MiB, ours / PyTorch |\n|---|---|---|---|---|---|---|---|")
    for family, grows, values, other in SERIES:
        for value in values:
            tasks, copies = (other, value) if grows == "copies" else (value, other)
            name = f"{family}_{tasks}x{copies}.search"
            wall, ratios, _, memory = measure(name, program, args)
            found[family, grows, value] = (wall, memory)
            cells = [family, tasks, copies, f"{wall[0]:.1f}", f"{wall[1]:.1f}", f"{statistics.median(ratios):.2f}"]
            cells += [f"{ratios[0]:.2f}-{ratios[-1]:.2f}", f"{memory[0]:.0f} / {memory[1]:.0f}"]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    draw(args.out, found)


def draw(out, found):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "mtlc", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(SERIES), figsize=(12, 5.2), constrained_layout=True)
    for column, (family, grows, values, other) in enumerate(SERIES):
        kept = "tasks" if grows == "copies" else "copies of every stage"
        for row, what in enumerate(["ms a step", "MiB above data and weights"]):
            plot = axes[row][column]
            for side, (label, color) in enumerate([("mtlc", "#0b6e99"), ("PyTorch", "#c4561a")]):
                plot.plot(values, [found[family, grows, v][row][side] for v in values], marker="o", ms=3, label=label, color=color)
            plot.set_xscale("log", base=2)
            plot.set_yscale("log")
            plot.set_xticks(values, values)
            plot.minorticks_off()
            plot.grid(alpha=0.25)
            if row == 0:
                plot.set_title(f"{family.replace('_', ' ')}, {other} {kept}", fontsize=9)
            else:
                plot.set_xlabel(grows if grows == "tasks" else "copies of every stage")
            if column == 0:
                plot.set_ylabel(what)
    axes[0][0].legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
