"""The networks of benches/models/mod.rs in plain PyTorch, their parameters in the same order.

The supernets are written as LibMTL writes Learning to Branch: every copy runs, and a child reads the sum of its parents, each
times its entry of a straight-through Gumbel-softmax sample.
"""

import functools
import operator

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """A fixed network with one head: the body as a sequence."""

    def __init__(self, body, width):
        super().__init__()
        self.body = body
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return [self.head(self.body(x))]


def mlp():
    layers = []
    for _ in range(4):
        layers += [nn.Linear(512, 512), nn.ReLU()]
    return Net(nn.Sequential(*layers), 512), (1024, 512)


def vgg():
    layers, channels = [], 3
    for width in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Net(nn.Sequential(*layers), 256), (32, 3, 64, 64)


class Basic(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.match = None
        if stride != 1 or channels != width:
            self.match = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + (x if self.match is None else self.match(x)))


def resnet18():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Basic(channels, width, stride), Basic(width, width, 1)]
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Net(nn.Sequential(*layers), 512), (32, 3, 64, 64)


CONV_WIDTHS = (3, 16, 32, 64)


def stages(family):
    """Constructors of the four stages, the width of the last, and the shape of a batch."""
    if family == "ltb_mlp":
        return [lambda: nn.Sequential(nn.Linear(256, 256), nn.ReLU())] * 4, 256, (256, 256)

    def conv(channels, width):
        return lambda: nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)
        )

    made = [conv(a, b) for a, b in zip(CONV_WIDTHS, CONV_WIDTHS[1:])]
    return made + [lambda: nn.Sequential(nn.Flatten(), nn.Linear(64 * 8 * 8, 64), nn.ReLU())], 64, (32, 3, 64, 64)


class Supernet(nn.Module):
    def __init__(self, family, tasks, copies):
        super().__init__()
        made, width, self.batch = stages(family)
        self.stages = nn.ModuleList(nn.ModuleList(make() for _ in range(copies)) for make in made)
        self.heads = nn.ModuleList(nn.Linear(width, 10) for _ in range(tasks))
        # One row of logits per child: the copies of every stage after the first, then the heads.
        children = (len(made) - 1) * copies + tasks
        self.alpha = nn.Parameter(torch.zeros(children, copies))

    def forward(self, x, gates):
        values = [copy(x) for copy in self.stages[0]]
        rows = iter(gates)
        for stage in self.stages[1:]:
            values = [copy(mixed(next(rows), values)) for copy in stage]
        return [head(mixed(next(rows), values)) for head in self.heads]


def mixed(gates, values):
    return functools.reduce(operator.add, (gates[j] * values[j] for j in range(len(values))))


class Tree(nn.Module):
    """`parents[s][i]`: which copy of the stage before copy i of stage s reads; the last entry is the heads'."""

    def __init__(self, family, parents):
        super().__init__()
        made, width, self.batch = stages(family)
        self.parents = parents
        self.stages = nn.ModuleList(nn.ModuleList(make() for _ in of) for make, of in zip(made, parents))
        self.heads = nn.ModuleList(nn.Linear(width, 10) for _ in parents[-1])

    def forward(self, x):
        values = [x]
        for stage, parents in zip(self.stages, self.parents):
            values = [copy(values[p]) for copy, p in zip(stage, parents)]
        return [head(values[p]) for head, p in zip(self.heads, self.parents[-1])]


class Grouping(nn.Module):
    """DMTG's supernet for nine attributes of CelebA: K branches, a head of every task on every branch."""

    def __init__(self, groups, tasks=9):
        super().__init__()
        branch = lambda: nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            Basic(64, 64, 1),
            nn.AvgPool2d(2),
            nn.Flatten(),
        )
        self.branches = nn.ModuleList(branch() for _ in range(groups))
        self.heads = nn.ModuleList(nn.ModuleList(nn.Linear(64 * 15 * 15, 2) for _ in range(groups)) for _ in range(tasks))
        self.alpha = nn.Parameter(torch.ones(tasks, groups))
        self.batch = (64, 3, 64, 64)

    def forward(self, x):
        """Predictions by task and branch."""
        values = [branch(x) for branch in self.branches]
        return [[head(v) for head, v in zip(heads, values)] for heads in self.heads]

    def loss(self, outputs, labels, shares):
        """Equation 6: the losses of a task's heads, each times its branch's entry of the relaxed sample."""
        of = lambda n, k: shares[n][k] * F.cross_entropy(outputs[n][k], labels[n])
        return sum(of(n, k) for n in range(len(outputs)) for k in range(len(outputs[n])))


class Plain(nn.Module):
    """One branch of it with a head per task."""

    def __init__(self, tasks=9):
        super().__init__()
        one = Grouping(1, tasks)
        self.branch, self.batch = one.branches[0], one.batch
        self.heads = nn.ModuleList(heads[0] for heads in one.heads)

    def forward(self, x):
        value = self.branch(x)
        return [head(value) for head in self.heads]


def build(name):
    """A model, the shape of its batch, and what a step does: `train`, `search`, `weights` or `group`."""
    if name in ("mlp", "vgg", "resnet18"):
        model, shape = {"mlp": mlp, "vgg": vgg, "resnet18": resnet18}[name]()
        return model, shape, "train"
    family, mode = name.split(".")
    family, _, count = family.rpartition("_")
    if family == "dmtg_celeba9":
        model = Grouping(int(count)) if mode == "search" else Plain()
        return model, model.batch, "group" if mode == "search" else "train"
    tasks, _, copies = count.partition("x")
    tasks, copies = int(tasks), int(copies or tasks)
    if mode in ("search", "weights"):
        model = Supernet(family, tasks, copies)
        return model, model.batch, mode
    if mode == "shared":
        parents = [[0], [0], [0], [0], [0] * tasks]
    else:
        half = [0 if i < (tasks + 1) // 2 else 1 for i in range(tasks)]
        parents = [[0], [0], [0, 0], half, list(range(tasks))]
    model = Tree(family, parents)
    return model, model.batch, "train"


class Step:
    """A training step as the other side does it."""

    def __init__(self, name, threads, device="cpu", batch=None, precision="f32", compiled=False, tuned=False):
        """`precision` is `f32`, `tf32` or `bf16` (weights in f32, products in bf16), of which the CPU has the first alone.
        `tuned`: what PyTorch offers beside plain code, images as `channels_last` and fused optimisers."""
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "f32"
        self.model, shape, self.mode = build(name)
        if batch:
            shape = (batch, *shape[1:])
        images = tuned and len(shape) == 4
        self.model.to(device, memory_format=torch.channels_last if images else torch.preserve_format)
        self.device, self.bf16 = device, precision == "bf16"
        self.forward = torch.compile(self.model) if compiled else self.model
        self.x = (torch.rand(shape) * 2 - 1).to(device)
        if images:
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        tasks = len(self.model.heads) if hasattr(self.model, "heads") else 1
        classes = 2 if name.startswith("dmtg") else 10
        self.labels = [torch.randint(0, classes, (shape[0],)).to(device) for _ in range(tasks)]
        weights = [p for n, p in self.model.named_parameters() if n != "alpha"]
        fused = {"fused": True} if tuned else {}
        if self.mode == "train":
            self.optimizers = [torch.optim.SGD(weights, lr=0.01, momentum=0.9, **fused)]
        elif self.mode == "group":
            self.optimizers = [torch.optim.Adam(self.model.parameters(), lr=8e-4, **fused)]
        else:
            self.optimizers = [torch.optim.Adam(weights, lr=1e-4, weight_decay=1e-4, **fused)]
        if self.mode == "search":
            self.optimizers.append(torch.optim.Adam([self.model.alpha], lr=1e-2, **fused))

    def loss(self):
        if self.mode in ("train", "group"):
            outputs = self.forward(self.x)
        else:
            alpha = self.model.alpha if self.mode == "search" else self.model.alpha.detach()
            outputs = self.forward(self.x, F.gumbel_softmax(alpha, tau=10.0, hard=True, dim=-1))
        if self.mode == "group":
            return self.model.loss(outputs, self.labels, F.gumbel_softmax(self.model.alpha, tau=2.5, dim=-1))
        return sum(F.cross_entropy(o, y) for o, y in zip(outputs, self.labels))

    def __call__(self):
        if self.bf16:
            with torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16):
                loss = self.loss()
        else:
            loss = self.loss()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.item()
