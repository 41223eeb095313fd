"""Optimizers: how gradients become steps. https://docs.pytorch.org/docs/stable/optim.html"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from engine.catalog.entry import Entry

FUSED = frozenset({"SGD", "Adam", "AdamW", "Adagrad"})
"""Those that torch steps in one kernel for all parameters, on the CPU too."""

NEEDS_CLOSURE = frozenset({"LBFGS"})
"""Those that ask for loss and gradients themselves, several times a step."""

ONE_GROUP = frozenset({"LBFGS"})
"""Those that move all parameters alike."""

HIDDEN_ONLY = frozenset({"Muon"})
"""Those that are for hidden weight matrices alone, beside an optimizer of everything else."""

OTHERS = "AdamW"
"""That optimizer where the document does not say."""

USUAL_RATES = {"SGD": 0.1, "Muon": 0.02}
"""A learning rate to begin with, where it is not torch's default."""

NOT_IN_CATALOG = {
    "Optimizer": "the base class of all others",
    "SparseAdam": "for sparse gradients alone, which only an embedding with sparse = True has; no layer here has them",
}
"""What torch.optim has and the catalog has not, each with the reason."""

_WITH_BETAS = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax"})
_WITH_MOMENTUM = frozenset({"SGD", "RMSprop", "Muon"})
_BETAS = "Its momentum is the first of betas: set betas = [0.9, 0.999]."
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
        "Plain gradient descent, with momentum and Nesterov's look ahead as options.",
        "For CNNs that are trained long: momentum 0.9 and a schedule often end better than Adam. Needs lr tuned.",
        formula="v ← μ·v + (1 - dampening)·(g + λ·w)\nw ← w - lr·v, with nesterov w ← w - lr·(g + λ·w + μ·v)",
        when_not="Where lr cannot be tuned, or gradients differ much in size from layer to layer: AdamW.",
    ),
    _optimizer(
        "ASGD",
        "Gradient descent that also averages the weights along the way (Polyak and Juditsky, 1992).",
        "For long runs of noisy language models.",
        formula="w ← (1 - lambd·η)·w - η·g, η = lr / (1 + lambd·lr·t)^alpha\n"
        "ax ← ax + (w - ax) / max(1, t - t0): the average",
        when_not='To keep averaged weights: regularization.average = "swa" validates and saves them.',
        grew_from="SGD, with the weights averaged along the way",
    ),
    _optimizer(
        "Rprop",
        "Steps that grow while a gradient keeps its sign and shrink when it turns (Riedmiller and Braun, 1993).",
        "For whole-batch training of small networks only; noise in mini-batches misleads it.",
        formula="Δ ← Δ·etas[1] where g keeps its sign, Δ·etas[0] where it turns\n"
        "w ← w - sign(g)·Δ, no step where it turned",
        when_not="With mini-batches: RMSprop, which is its heir.",
        grew_from="the sign of the gradient alone, with a step size for each weight",
    ),
    _optimizer(
        "Adagrad",
        "Each weight's step divided by the root of the sum of all its squared gradients (Duchi et al., 2011).",
        "For sparse inputs such as words: rare features keep large steps. Its rate only shrinks.",
        formula="s ← s + g²\nw ← w - lr·g / (√s + eps)",
        when_not="For long runs: its steps die out. Take RMSprop or Adam.",
        grew_from="SGD, with a step size for each weight",
    ),
    _optimizer(
        "RMSprop",
        "Each weight's step divided by a running root mean square of its gradients (Hinton, 2012).",
        "A classic for RNNs; also where the targets drift.",
        formula="s ← α·s + (1 - α)·g²\nw ← w - lr·g / (√s + eps)",
        when_not="For most networks of today: AdamW adds momentum and a corrected start.",
        grew_from="Rprop, made for mini-batches; Adagrad, with a sum that forgets",
    ),
    _optimizer(
        "Adadelta",
        "Adagrad with a window, and the step measured in the weights' own units (Zeiler, 2012).",
        "When no learning rate should have to be chosen: leave lr at 1.",
        formula="s ← ρ·s + (1 - ρ)·g²,  Δ = g·√(u + eps) / √(s + eps)\nu ← ρ·u + (1 - ρ)·Δ²,  w ← w - lr·Δ",
        when_not="Where speed counts: AdamW with a rate that was looked for gets there sooner.",
        grew_from="Adagrad, with a window and without a rate",
    ),
    _optimizer(
        "Adam",
        "Momentum with a step size of its own for each weight (Kingma and Ba, 2015).",
        "As AdamW when there is no weight decay; with it, AdamW regularizes as intended.",
        formula="m ← β₁·m + (1 - β₁)·g,  v ← β₂·v + (1 - β₂)·g²\n"
        "w ← w - lr·m′ / (√v′ + eps),  m′ = m / (1 - β₁ᵗ),  v′ = v / (1 - β₂ᵗ)",
        when_not="With weight decay: AdamW.",
        grew_from="RMSprop, with momentum and a corrected start",
    ),
    _optimizer(
        "Adamax",
        "Adam scaled by the largest gradient instead of the mean square (Kingma and Ba, 2015).",
        "When gradients are sparse or spiky, as with embeddings.",
        formula="m ← β₁·m + (1 - β₁)·g,  u ← max(β₂·u, |g| + eps)\nw ← w - lr / (1 - β₁ᵗ) · m / u",
        when_not="Elsewhere: AdamW.",
        grew_from="Adam, with the largest gradient for the mean square",
    ),
    _optimizer(
        "NAdam",
        "Adam with Nesterov's look ahead (Dozat, 2016).",
        "Where Adam works, a little quicker at first; often good for RNNs.",
        formula="as Adam, but steps along μₜ₊₁·m′ + (1 - μₜ)·ĝ: a look ahead\nμₜ = β₁·(1 - ½·0.96^(t·momentum_decay))",
        when_not="Where runs are to be compared with the literature, which takes Adam or AdamW.",
        grew_from="Adam, with Nesterov's look ahead",
    ),
    _optimizer(
        "RAdam",
        "Adam that trusts its step sizes only once enough gradients were seen (Liu et al., 2020).",
        "When Adam is unstable in its first steps: it needs no warm-up.",
        formula="as Adam once ρₜ > 5, with its step times rₜ; before that w ← w - lr·m′\n"
        "ρₜ = 2 / (1 - β₂) - 1 - 2·t·β₂ᵗ / (1 - β₂ᵗ)",
        when_not="With warmup_epochs: AdamW needs no more.",
        grew_from="Adam, with a start that trusts no variance too early",
    ),
    _optimizer(
        "AdamW",
        "Adam with weight decay that is apart from the gradient (Loshchilov and Hutter, 2019).",
        "The first choice when unsure: quick with little tuning. Try lr between 1e-4 and 3e-3.",
        formula="m ← β₁·m + (1 - β₁)·g,  v ← β₂·v + (1 - β₂)·g²\n"
        "w ← w - lr·λ·w - lr·m′ / (√v′ + eps)\n"
        "m′ = m / (1 - β₁ᵗ),  v′ = v / (1 - β₂ᵗ)",
        when_not="For CNNs that are trained long and tuned well: SGD with momentum often ends lower.",
        grew_from="Adam, with weight decay apart from the gradient",
    ),
    _optimizer(
        "Adafactor",
        "Adam that keeps row and column sums instead of every square (Shazeer and Stern, 2018).",
        "When memory for the optimizer's state is short.",
        hidden=frozenset({"eps"}),
        helps={"lr": "The largest relative step, and the rate of the weight decay."},
        formula="v ≈ r·cᵀ / Σr: r and c running means of g² by rows and by columns\n"
        "w ← w - lr·λ·w - ρ·g / √v, ρ = max(eps, rms(w))·min(lr, 1/√t)",
        when_not="Where memory is no matter: AdamW is quicker to tune.",
        grew_from="Adam, with rows and columns for the squares",
    ),
    _optimizer(
        "Muon",
        "Momentum made orthogonal, for hidden weight matrices; others has the rest (Jordan et al., 2024).",
        "For transformers, LSTMs and deep networks of Linear layers, with lr around 0.02: often fewer steps than "
        "AdamW. Embeddings, biases, norms, convolutions, the first and the last layer are moved by others: AdamW, if "
        "left out.",
        when_not="For a CNN with one or two Linear layers: convolutions are not its matter, so AdamW or SGD does it.",
        formula="m ← μ·m + (1 - μ)·g\n"
        "O = NewtonSchulz(g + μ·(m - g)), nearly U·Vᵀ of U·S·Vᵀ\n"
        "w ← w - lr·λ·w - lr·√max(1, rows / columns)·O",
        hidden=frozenset({"eps"}),
        types={
            "ns_steps": Annotated[int, Ge(1), Le(99)],
            "adjust_lr_fn": Literal["original", "match_rms_adamw", "spectral_unclamped"],
        },
        helps={
            "nesterov": "Whether the momentum looks ahead.",
            "ns_coefficients": "Coefficients of the Newton-Schulz iteration that makes the momentum orthogonal.",
            "ns_steps": "Newton-Schulz iterations a step.",
            "adjust_lr_fn": "How the rate goes by a matrix's shape: as in the formula (original, where left out), "
            "0.2·√max(rows, columns), with which AdamW's lr and weight_decay suit, or √(rows / columns).",
        },
        grew_from="SGD with momentum, made orthogonal",
    ),
    _optimizer(
        "LBFGS",
        "A quasi-Newton method: it learns the curvature from the last changes of the gradient (Liu and Nocedal, 1989).",
        "For small networks and whole batches, which it fits in few steps of max_iter evaluations each. "
        'Set line_search_fn = "strong_wolfe", and data.batch_size to all samples.',
        when_not="With small batches, whose gradients differ by noise, not curvature; or with many weights, of which "
        "it keeps 2·history_size copies: take AdamW. Within a step dropout keeps its masks, and BatchNorm counts a "
        "batch once.",
        elsewhere={
            "momentum": _NO_MOMENTUM,
            "weight_decay": "Remove it, or set regularization.l2 to half of it, which is the same.",
        },
        formula="d = -H·g, H the inverse curvature by the last history_size changes\n"
        "w ← w + t·d, t = lr, or what the line search finds",
        types={
            "line_search_fn": Literal["strong_wolfe"],
            **dict.fromkeys(("max_iter", "max_eval", "history_size"), Annotated[int, Ge(1)]),
        },
        helps={
            "line_search_fn": "How the length of each step is searched for; left out, it is lr.",
            "max_iter": "Iterations a step of the run.",
            "max_eval": "Evaluations of the loss a step of the run; max_iter · 1.25 if left out.",
            "history_size": "Changes of the gradient that are remembered.",
        },
        grew_from="Newton's method, with the curvature learned from the last gradients",
    ),
)
