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
    _optimizer(
        "AdamW",
        "Adam with weight decay that is apart from the gradient (Loshchilov and Hutter, 2019).",
        "The first choice when unsure: quick with little tuning. Try lr between 1e-4 and 3e-3.",
    ),
    _optimizer(
        "SGD",
        "Plain gradient descent, with momentum and Nesterov's look ahead as options.",
        "For CNNs that are trained long: momentum 0.9 and a schedule often end better than Adam. Needs lr tuned.",
    ),
    _optimizer(
        "Adam",
        "Momentum with a step size of its own for each weight (Kingma and Ba, 2015).",
        "As AdamW when there is no weight decay; with it, AdamW regularizes as intended.",
    ),
    _optimizer(
        "NAdam",
        "Adam with Nesterov's look ahead (Dozat, 2016).",
        "Where Adam works, a little quicker at first; often good for RNNs.",
    ),
    _optimizer(
        "RAdam",
        "Adam that trusts its step sizes only once enough gradients were seen (Liu et al., 2020).",
        "When Adam is unstable in its first steps: it needs no warm-up.",
    ),
    _optimizer(
        "Adamax",
        "Adam scaled by the largest gradient instead of the mean square (Kingma and Ba, 2015).",
        "When gradients are sparse or spiky, as with embeddings.",
    ),
    _optimizer(
        "RMSprop",
        "Each weight's step divided by a running root mean square of its gradients (Hinton, 2012).",
        "A classic for RNNs; also where the targets drift.",
    ),
    _optimizer(
        "Adagrad",
        "Each weight's step divided by the root of the sum of all its squared gradients (Duchi et al., 2011).",
        "For sparse inputs such as words: rare features keep large steps. Its rate only shrinks.",
    ),
    _optimizer(
        "Adadelta",
        "Adagrad with a window, and the step measured in the weights' own units (Zeiler, 2012).",
        "When no learning rate should have to be chosen: leave lr at 1.",
    ),
    _optimizer(
        "Adafactor",
        "Adam that keeps row and column sums instead of every square (Shazeer and Stern, 2018).",
        "When memory for the optimizer's state is short.",
        hidden=frozenset({"eps"}),
        helps={"lr": "The largest relative step, and the rate of the weight decay."},
    ),
    _optimizer(
        "ASGD",
        "Gradient descent that also averages the weights along the way (Polyak and Juditsky, 1992).",
        "For long runs of noisy language models.",
    ),
    _optimizer(
        "Rprop",
        "Steps that grow while a gradient keeps its sign and shrink when it turns (Riedmiller and Braun, 1993).",
        "For whole-batch training of small networks only; noise in mini-batches misleads it.",
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
    ),
)
