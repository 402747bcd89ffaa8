"""Forward, loss and every gradient against PyTorch, from the same weights and data.

    python benches/peers/parity.py [MODEL ...] [--double]

`benches/train.rs dump` writes weights, a batch, and what one forward and backward pass gives; the same is done here and the
largest difference of each kind is printed, as a share of the tensor's norm. Ends with 1 where a share is above the bound: 1e-5,
and 1e-4 where ten or more batch norms are passed. With `--double` PyTorch computes in float64, which tells whose rounding it is.

Of millions of numbers some lie nearer to a ReLU's kink than rounding, and two right programs put them on different sides; one of
them changes a gradient by more than all rounding. So PyTorch takes the sides (and the winners of max pools) that we took, and
`kinks` tells how many it would have taken otherwise, and how far from the kink the farthest of them is, as a share of the norm.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy
import torch
import torch.nn.functional as F

from compare import built
from models import build


def read(path):
    """A safetensors file of f32 and f64 as a dictionary of arrays."""
    import json

    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    kinds = {"F32": numpy.float32, "F64": numpy.float64}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            values = numpy.frombuffer(data[8 + size + start : 8 + size + end], kinds[entry["dtype"]])
            out[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return out


def part(dump, kind):
    """In the order of the file's names within a kind, which is not the plan's: by name."""
    return {n[len(kind) + 1 :]: t for n, t in dump.items() if n.startswith(kind + "/")}


def natural(name):
    """Sorts copies as they are counted: a, b, ..., z, aa."""
    return [(0, int(p), "") if p.isdigit() else (1, len(p), p) for p in name.split(".")]


def pair(weights, model):
    """Our names beside PyTorch's parameters: stage by stage, copy by copy, then heads; each side in that order."""
    ours = sorted((n for n in weights if not n.startswith("heads.")), key=natural)
    heads = sorted((n for n in weights if n.startswith("heads.")), key=natural)
    order = {"weight": 0, "bias": 1, "running_mean": 2, "running_var": 3}
    key = lambda n: (natural(n.rsplit(".", 1)[0]), order[n.rsplit(".", 1)[1]])
    ours = sorted(ours, key=key) + sorted(heads, key=key)
    named = dict(model.named_parameters())
    state = model.state_dict(keep_vars=True)
    theirs = [n for n in state if n != "alpha" and not n.endswith("num_batches_tracked")]
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    return [(o, t, state[t], t in named) for o, t in zip(ours, theirs)]


class Sides:
    """Takes the place of relu and max_pool2d: each number on the side that it has in the other program."""

    def __init__(self, dump):
        relus = part(dump, "relu")
        heads = [n for n in relus if n.startswith("heads.")]
        self.names = sorted((n for n in relus if n not in heads), key=natural) + sorted(heads, key=natural)
        self.relus, self.at, self.others, self.farthest = relus, 0, 0, 0.0
        self.pool = F.max_pool2d

    def relu(self, x, inplace=False):
        self.last = self.relus[self.names[self.at]]
        self.at += 1
        side = self.last > 0
        other = side != (x > 0)
        if other.any():
            self.others += int(other.sum())
            self.farthest = max(self.farthest, (x[other].abs().max() / x.norm() * x.numel() ** 0.5).item())
        return x * side

    def max_pool2d(self, x, *args, **named):
        named.pop("return_indices", None)
        _, at = self.pool(self.last, *args, **named, return_indices=True)
        return x.flatten(2).gather(2, at.flatten(2)).view(at.shape)


def share(ours, theirs):
    norm = theirs.double().norm().item()
    return (ours.double() - theirs.double()).norm().item() / max(norm, 1e-30)


def check(name, program, double):
    path = os.path.join(tempfile.mkdtemp(), "dump.safetensors")
    subprocess.run([program, "dump", name, path], check=True)
    dump = read(path)
    model, _, mode = build(name)
    weights = part(dump, "weight")
    pairs = pair(weights, model)
    if double:
        model.double()
        pairs = pair(weights, model)
    kind = torch.float64 if double else torch.float32
    with torch.no_grad():
        for ours, theirs, value, _ in pairs:
            assert weights[ours].shape == value.shape, (ours, theirs)
            value.copy_(weights[ours])
    x = dump["input/0"].to(kind)
    labels = [v.flatten().long() for _, v in sorted(part(dump, "label").items(), key=lambda p: int(p[0]))]
    leaves = []
    sides = Sides(dump)
    plain = F.relu, F.max_pool2d
    F.relu, F.max_pool2d = sides.relu, sides.max_pool2d
    if mode in ("train", "group"):
        outputs = model(x)
    else:
        gates = []
        for c in range(len(part(dump, "probs"))):
            probs = dump[f"probs/{c}"].to(kind).requires_grad_()
            chosen = F.one_hot(dump[f"index/{c}"].long()[0], probs.numel()).to(kind)
            gates.append(chosen + probs - probs.detach())
            leaves.append(probs)
        outputs = model(x, gates)
    if mode == "group":
        shares = torch.stack([dump[f"probs/{c}"] for c in range(len(part(dump, "probs")))])
        # The logits that this sample would have come from, noise included, at the temperature 2.5.
        logits = (2.5 * shares.log()).requires_grad_()
        loss = model.loss(outputs, labels, F.softmax(logits / 2.5, dim=-1).to(kind))
    else:
        loss = sum(F.cross_entropy(o, y) for o, y in zip(outputs, labels))
    loss.backward()
    F.relu, F.max_pool2d = plain
    assert sides.at == len(sides.names), (sides.at, len(sides.names))
    found = {"loss": share(dump["loss"], loss.detach().reshape(1))}
    if mode != "group":
        found["output"] = max(share(dump[f"output/{i}"], o.detach()) for i, o in enumerate(outputs))
    worst = {"gradient": (0.0, ""), "statistics": (0.0, "")}
    for ours, theirs, value, trained in pairs:
        if trained:
            grad = value.grad if value.grad is not None else torch.zeros_like(value)
            gap, what = share(dump[f"grad/{ours}"], grad), "gradient"
            if grad.norm() == 0 and dump[f"grad/{ours}"].norm() == 0:
                gap = 0.0
        else:
            gap, what = share(dump[f"after/{ours}"], value), "statistics"
        worst[what] = max(worst[what], (gap, ours))
    for c, probs in enumerate(leaves):
        grad = probs.grad if probs.grad is not None else torch.zeros_like(probs)
        gap = share(dump[f"grad_probs/{c}"], grad) if grad.norm() > 0 else dump[f"grad_probs/{c}"].norm().item()
        worst["choices"] = max(worst.get("choices", (0.0, "")), (gap, str(c)))
    if mode == "group":
        gaps = [(share(dump[f"grad_logits/{c}"], grad), str(c)) for c, grad in enumerate(logits.grad)]
        worst["choices"] = max(gaps)
    found.update({k: v[0] for k, v in worst.items()})
    bound = 1e-4 if name == "resnet18" else 1e-5
    good = all(v <= bound for v in found.values())
    good = good and sides.farthest <= 1e-5
    listed = "  ".join(f"{k} {v:.1e}" for k, v in found.items())
    listed += f"  kinks {sides.others} of {sum(r.numel() for r in sides.relus.values())} ({sides.farthest:.0e})"
    print(f"{name:<20} {listed}  {'' if good else 'ABOVE ' + format(bound, '.0e') + ' at ' + worst['gradient'][1]}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--program", help="benches/train.rs as built before")
    args = parser.parse_args()
    program = args.program or built()
    torch.manual_seed(1)
    torch.set_num_threads(2)
    names = args.models or subprocess.run([program, "names"], stdout=subprocess.PIPE, text=True).stdout.split()
    sys.exit(not all([check(n, program, args.double) for n in names if not n.endswith(".weights")]))


if __name__ == "__main__":
    main()
