"""Optimizers: how gradients change weights. https://docs.pytorch.org/docs/stable/optim.html"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from engine.catalog.entry import Entry

FUSED = frozenset({"SGD", "Adam", "AdamW", "Adagrad"})
"""Optimizers that torch steps in one kernel for all parameters, on the CPU too."""

NEEDS_CLOSURE = frozenset({"LBFGS"})
"""Optimizers that compute loss and gradients several times a step, by a closure."""

ONE_GROUP = frozenset({"LBFGS"})
"""Optimizers that take a single parameter group."""

HIDDEN_ONLY = frozenset({"Muon"})
"""Optimizers of hidden weight matrices; `others` names the optimizer of the other parameters."""

OTHERS = "AdamW"
"""The default of `others`."""

USUAL_RATES = {"SGD": 0.1, "Muon": 0.02}
"""Learning rates to start with, where they are not torch's default."""

NOT_IN_CATALOG = {
    "Optimizer": "the base class of the others",
    "SparseAdam": "for sparse gradients, which no layer of the catalog has",
}
"""Classes of torch.optim that are not in the catalog, each with the reason."""

_WITH_BETAS = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax"})
_WITH_MOMENTUM = frozenset({"SGD", "RMSprop", "Muon"})
_BETAS = "The first of betas is its momentum: set betas = [0.9, 0.999]."
_NO_MOMENTUM = 'Remove it, or use optimizer.type = "SGD".'
_NESTEROV = 'Remove it, or use optimizer.type = "NAdam".'


def _optimizer(name: str, summary: str, when: str, **more: Any) -> Entry:
    elsewhere = {} if name in _WITH_MOMENTUM else {"momentum": _BETAS if name in _WITH_BETAS else _NO_MOMENTUM}
    if name in _WITH_BETAS:
        elsewhere["nesterov"] = _NESTEROV
    torch_name = f"torch.optim.{name}"
    entry: dict[str, Any] = {"kind": "optimizers", "name": name, "torch_name": torch_name, "elsewhere": elsewhere}
    return Entry(**(entry | {"summary": summary, "when": when} | more))


ENTRIES = (
    # In the order in which they grew out of each other.
    _optimizer(
        "SGD",
        "Gradient descent, with momentum and Nesterov momentum as options.",
        "For CNNs in long runs: with momentum 0.9 and a schedule it often beats Adam. Its lr must be tuned.",
        formula="v ← μ·v + (1 - dampening)·(g + λ·w)\nw ← w - lr·v, with nesterov w ← w - lr·(g + λ·w + μ·v)",
        when_not="When lr cannot be tuned, or gradients differ much between layers: AdamW.",
    ),
    _optimizer(
        "ASGD",
        "Gradient descent that also averages the weights over the steps (Polyak and Juditsky, 1992).",
        "For language models in long runs with noisy gradients.",
        formula="w ← (1 - lambd·η)·w - η·g, η = lr / (1 + lambd·lr·t)^alpha\n"
        "ax ← ax + (w - ax) / max(1, t - t0): the average",
        when_not='To save averaged weights: regularization.average = "swa", which also validates them.',
        grew_from="SGD, with averaged weights",
    ),
    _optimizer(
        "Rprop",
        "Steps that grow while a gradient keeps its sign and shrink when it changes (Riedmiller and Braun, 1993).",
        "For small networks trained on all samples in one batch; noise of mini-batches misleads it.",
        formula="Δ ← Δ·etas[1] where g keeps its sign, Δ·etas[0] where it changes\n"
        "w ← w - sign(g)·Δ, no step where it changed",
        when_not="With mini-batches: RMSprop, which grew out of it.",
        grew_from="the sign of the gradient, with a step size for each weight",
    ),
    _optimizer(
        "Adagrad",
        "Divides each step by the root of the sum of all squared gradients of the weight (Duchi et al., 2011).",
        "For sparse inputs such as words: rare features keep large steps. Its steps only shrink.",
        formula="s ← s + g²\nw ← w - lr·g / (√s + eps)",
        when_not="For long runs: its steps become too small. Use RMSprop or Adam.",
        grew_from="SGD, with a step size for each weight",
    ),
    _optimizer(
        "RMSprop",
        "Divides each step by a running root mean square of the gradients of the weight (Hinton, 2012).",
        "For RNNs, and for targets that change over time.",
        formula="s ← α·s + (1 - α)·g²\nw ← w - lr·g / (√s + eps)",
        when_not="For most networks: AdamW, which adds momentum and bias correction.",
        grew_from="Rprop for mini-batches; Adagrad, with a running mean for the sum",
    ),
    _optimizer(
        "Adadelta",
        "Adagrad with a running mean, and steps in the unit of the weights (Zeiler, 2012).",
        "When lr should not have to be tuned: keep lr at 1.",
        formula="s ← ρ·s + (1 - ρ)·g²,  Δ = g·√(u + eps) / √(s + eps)\nu ← ρ·u + (1 - ρ)·Δ²,  w ← w - lr·Δ",
        when_not="When few epochs should do: AdamW with a tuned lr needs fewer.",
        grew_from="Adagrad, with a running mean and without a learning rate",
    ),
    _optimizer(
        "Adam",
        "Momentum with a separate step size for each weight (Kingma and Ba, 2015).",
        "As AdamW, when there is no weight decay.",
        formula="m ← β₁·m + (1 - β₁)·g;  v ← β₂·v + (1 - β₂)·g²\n"
        "w ← w - lr·m′ / (√v′ + eps);  m′ = m / (1 - β₁ᵗ),  v′ = v / (1 - β₂ᵗ)",
        when_not="With weight decay: AdamW, which keeps it separate from the gradient.",
        grew_from="RMSprop, with momentum and bias correction",
    ),
    _optimizer(
        "Adamax",
        "Adam scaled by the largest gradient in place of the mean square (Kingma and Ba, 2015).",
        "When gradients are sparse or have spikes, as with embeddings.",
        formula="m ← β₁·m + (1 - β₁)·g,  u ← max(β₂·u, |g| + eps)\nw ← w - lr / (1 - β₁ᵗ) · m / u",
        when_not="For other networks: AdamW.",
        grew_from="Adam, with the largest gradient in place of the mean square",
    ),
    _optimizer(
        "NAdam",
        "Adam with Nesterov momentum (Dozat, 2016).",
        "As Adam, with faster progress at the start; often good for RNNs.",
        formula="as Adam, with steps along μₜ₊₁·m′ + (1 - μₜ)·ĝ\nμₜ = β₁·(1 - ½·0.96^(t·momentum_decay))",
        when_not="To compare with published results, which use Adam or AdamW.",
        grew_from="Adam, with Nesterov momentum",
    ),
    _optimizer(
        "RAdam",
        "Adam that uses its step sizes after enough gradients (Liu et al., 2020).",
        "When Adam is unstable in the first steps: it needs no warm-up.",
        formula="as Adam once ρₜ > 5, with the step times rₜ; before that w ← w - lr·m′\n"
        "ρₜ = 2 / (1 - β₂) - 1 - 2·t·β₂ᵗ / (1 - β₂ᵗ)",
        when_not="With warmup_epochs: AdamW.",
        grew_from="Adam, with steps that ignore the variance at the start",
    ),
    _optimizer(
        "AdamW",
        "Adam with weight decay that is separate from the gradient (Loshchilov and Hutter, 2019).",
        "The first choice: fast with little tuning. Try lr between 1e-4 and 3e-3.",
        formula="m ← β₁·m + (1 - β₁)·g;  v ← β₂·v + (1 - β₂)·g²\n"
        "w ← w - lr·λ·w - lr·m′ / (√v′ + eps)\n"
        "m′ = m / (1 - β₁ᵗ),  v′ = v / (1 - β₂ᵗ)",
        when_not="For CNNs in long and tuned runs: SGD with momentum often reaches a lower loss.",
        grew_from="Adam, with weight decay separate from the gradient",
    ),
    _optimizer(
        "Adafactor",
        "Adam that stores row and column sums of the squares (Shazeer and Stern, 2018).",
        "When memory for the state of the optimizer is short.",
        hidden=frozenset({"eps"}),
        helps={"lr": "The largest relative step, and the factor of the weight decay."},
        formula="v ≈ r·cᵀ / Σr; r and c: running means of g² by rows and by columns\n"
        "w ← w - lr·λ·w - ρ·g / √v, ρ = max(eps, rms(w))·min(lr, 1/√t)",
        when_not="With enough memory: AdamW, which is easier to tune.",
        grew_from="Adam, with rows and columns in place of all squares",
    ),
    _optimizer(
        "Muon",
        "Orthogonalized momentum for hidden weight matrices; others trains the rest (Jordan et al., 2024).",
        "For transformers, LSTMs and deep networks of Linear layers, with lr around 0.02: often fewer steps than "
        "AdamW. The optimizer in others (default AdamW) trains embeddings, biases, norms, convolutions, the first "
        "and the last layer.",
        when_not="For CNNs with one or two Linear layers: it does not train convolutions. Use AdamW or SGD.",
        formula="m ← μ·m + (1 - μ)·g\n"
        "O = NewtonSchulz(g + μ·(m - g)), about U·Vᵀ of U·S·Vᵀ\n"
        "w ← w - lr·λ·w - lr·√max(1, rows / columns)·O",
        hidden=frozenset({"eps"}),
        types={
            "ns_steps": Annotated[int, Ge(1), Le(99)],
            "adjust_lr_fn": Literal["original", "match_rms_adamw", "spectral_unclamped"],
        },
        helps={
            "nesterov": "Whether to use Nesterov momentum.",
            "ns_coefficients": "Coefficients of the Newton-Schulz iteration that makes the momentum orthogonal.",
            "ns_steps": "Newton-Schulz iterations per step.",
            "adjust_lr_fn": "Factor on lr by the shape of a matrix: original (the default) as in the formula; "
            "match_rms_adamw 0.2·√max(rows, columns), for lr and weight_decay of AdamW; "
            "spectral_unclamped √(rows / columns).",
        },
        grew_from="SGD with momentum, orthogonalized",
    ),
    _optimizer(
        "LBFGS",
        "A quasi-Newton method: it estimates the curvature from the last gradients (Liu and Nocedal, 1989).",
        "For small networks, with few steps of max_iter evaluations each. "
        'Set line_search_fn = "strong_wolfe", and data.batch_size to all samples.',
        when_not="With small batches, whose noise it takes for curvature; or with many weights, since it stores "
        "2·history_size copies: AdamW. Within a step dropout keeps its masks, and BatchNorm counts a batch once.",
        elsewhere={
            "momentum": _NO_MOMENTUM,
            "weight_decay": "Remove it, or set regularization.l2 to half of it, which has the same effect.",
        },
        formula="d = -H·g; H: the inverse curvature by the last history_size gradients\n"
        "w ← w + t·d; t = lr, or from the line search",
        types={
            "line_search_fn": Literal["strong_wolfe"],
            **dict.fromkeys(("max_iter", "max_eval", "history_size"), Annotated[int, Ge(1)]),
        },
        helps={
            "line_search_fn": "Search for the length of each step; without one it is lr.",
            "max_iter": "Iterations per step of the run.",
            "max_eval": "Evaluations of the loss per step of the run; by default max_iter · 1.25.",
            "history_size": "Number of changes of the gradient that are stored.",
        },
        grew_from="Newton's method, with the curvature estimated from the last gradients",
    ),
)
