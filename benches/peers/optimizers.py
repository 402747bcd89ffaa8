"""Twenty steps of PyTorch's optimisers and schedules from given gradients, as the fixture that tests/training_kit compares ours with.

    python benches/peers/optimizers.py > tests/training_kit/pytorch.json
"""

import json

import torch
from torch.optim import lr_scheduler as schedules

STEPS, PER_EPOCH, WEIGHTS = 20, 4, 6

OPTIMIZERS = [
    ("sgd", {"lr": 0.1}),
    ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    ("sgd", {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3, "nesterov": True}),
    ("sgd", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3}),
    ("adam", {"lr": 0.01}),
    ("adam", {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
    ("adamw", {"lr": 0.01}),
    ("adamw", {"lr": 0.02, "weight_decay": 0.2}),
]

# Ours, its arguments (durations in steps), and PyTorch's, stepped once a step.
SCHEDULES = [
    ("constant", {}, lambda o: schedules.LambdaLR(o, lambda _: 1.0)),
    ("step", {"rate": 0.5, "every": 6}, lambda o: schedules.StepLR(o, 6, 0.5)),
    ("exponential", {"rate": 0.9, "every": 1}, lambda o: schedules.ExponentialLR(o, 0.9)),
    ("cosine", {"to": 0.0, "over": 20}, lambda o: schedules.CosineAnnealingLR(o, 20)),
    ("linear", {"from": 0.25, "to": 1.0, "over": 10}, lambda o: schedules.LinearLR(o, 0.25, 1.0, 10)),
]


def optimizer(name, options, weight):
    options = dict(options)
    if name != "sgd":
        options["betas"] = (options.pop("beta1", 0.9), options.pop("beta2", 0.999))
    return {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]([weight], **options)


def main():
    torch.manual_seed(1)
    start = torch.randn(WEIGHTS)
    grads = torch.randn(STEPS, WEIGHTS)
    cases = []
    for name, options in OPTIMIZERS:
        for schedule, arguments, make in SCHEDULES:
            weight = start.clone().requires_grad_()
            stepper = optimizer(name, options, weight)
            rates = make(stepper)
            path = []
            for grad in grads:
                weight.grad = grad.clone()
                stepper.step()
                rates.step()
                path.append(weight.detach().tolist())
            cases.append({"optimizer": name, "options": options, "schedule": schedule, "arguments": arguments, "weights": path})
    print(json.dumps({"torch": torch.__version__, "start": start.tolist(), "gradients": grads.tolist(), "cases": cases}))


main()
