"""Regularizers: what keeps a network from learning its training samples by heart. Each is set at a place of its own."""

from __future__ import annotations

from engine.catalog.entry import Entry


def _regularizer(name: str, path: str, torch_name: str, summary: str, when: str, formula: str, when_not: str) -> Entry:
    return Entry(
        kind="regularizers", name=name, path=path, torch_name=torch_name, summary=summary, when=when, formula=formula,
        when_not=when_not,
    )  # fmt: skip


ENTRIES = (
    _regularizer(
        "weight_decay",
        "optimizer.weight_decay",
        "torch.optim.AdamW",
        "Shrinks every weight a little at each step (L2 by the gradient in SGD and Adam; apart from it in AdamW).",
        "First of all: 0.01 with AdamW, 5e-4 with SGD.",
        "w ← w - lr·λ·w  (AdamW);  g ← g + λ·w  (SGD, Adam)",
        "For an underfitting network; on biases and norms, which no_bias_decay spares.",
    ),
    _regularizer(
        "no_bias_decay",
        "optimizer.no_bias_decay",
        "",
        "No weight decay on biases and on the weights of norms (He et al., 2019).",
        "With weight decay, in networks with BatchNorm or LayerNorm.",
        "λ = 0 for biases and for γ, β of norms",
        "Where weight_decay is 0: it does nothing.",
    ),
    _regularizer(
        "l1",
        "regularization.l1",
        "",
        "L1: adds the sum of the weights' absolute values to the loss: many weights become nearly 0.",
        "When few inputs should decide; l1_layers names the layers, 1e-5 to 1e-3 is usual.",
        "loss + l1·Σ |w|",
        "Where weights need not be few: weight decay trains more smoothly.",
    ),
    _regularizer(
        "l2",
        "regularization.l2",
        "",
        "L2: adds the sum of the squared weights to the loss; with l1 it is the elastic net (Zou and Hastie, 2005).",
        "With l1, when inputs are correlated; or with LBFGS, which has no weight decay.",
        "loss + l1·Σ |w| + l2·Σ w²",
        "Alone with AdamW: its weight_decay acts as intended, l2 in the loss does not.",
    ),
    _regularizer(
        "l1_layers",
        "regularization.l1_layers",
        "",
        "The layers whose weights l1 and l2 count, by index, path or type.",
        "To make the first layer choose its inputs, and no other.",
        "Σ over the weights of these layers alone",
        "Without l1 or l2: it does nothing.",
    ),
    _regularizer(
        "dropout",
        "model.layers",
        "torch.nn.Dropout",
        "A layer that sets a share of the values to zero while training (Srivastava et al., 2014).",
        "Before Linear layers, p 0.2 to 0.5; in stacked recurrent layers by their dropout parameter.",
        "y = x·m / (1 - p), m = 0 with probability p, else 1",
        "Where the training loss is still high, and just before BatchNorm, whose spread it changes.",
    ),
    _regularizer(
        "clip_grad_norm",
        "regularization.clip_grad_norm",
        "torch.nn.utils.clip_grad_norm_",
        "Scales all gradients down together when their norm exceeds a bound (Pascanu et al., 2013).",
        "For RNNs, transformers and high rates: 1.0 is usual.",
        "g ← g·min(1, c / ‖g‖)",
        "Where the norm is always above the bound: it then is a smaller rate in disguise.",
    ),
    _regularizer(
        "clip_grad_value",
        "regularization.clip_grad_value",
        "torch.nn.utils.clip_grad_value_",
        "Cuts each gradient off at a bound.",
        "When single gradients are spikes: 0.5 is usual.",
        "g ← min(max(g, -c), c)",
        "Elsewhere: it changes the direction of the step. Clip by norm.",
    ),
    _regularizer(
        "label_smoothing",
        "loss.label_smoothing",
        "torch.nn.CrossEntropyLoss",
        "Asks for a little less than certainty of the right class (Szegedy et al., 2016).",
        "With many classes or noisy labels: 0.05 to 0.1.",
        "target = (1 - ε)·onehot(y) + ε / K",
        "Where the probabilities themselves are used: it makes them too modest.",
    ),
    _regularizer(
        "mixup",
        "regularization.mixup",
        "",
        "Blends pairs of samples and their targets (Zhang et al., 2018).",
        "For images and tables with few samples and long runs: 0.2.",
        "x = λ·x₁ + (1 - λ)·x₂, the loss alike; λ ~ Beta(α, α)",
        "For tokens, which cannot be blended; in short runs, which it slows down.",
    ),
    _regularizer(
        "cutmix",
        "regularization.cutmix",
        "torchvision.transforms.v2.CutMix",
        "CutMix puts a rectangle of another image into each, and mixes the targets by area (Yun et al., 2019).",
        "For images of 32 pixels and more, in long runs: 1.0.",
        "x = m·x₁ + (1 - m)·x₂, m a rectangle of share 1 - λ; λ ~ Beta(α, α)",
        "For small images, where a rectangle hides the whole thing: mixup.",
    ),
    _regularizer(
        "average",
        "regularization.average",
        "torch.optim.swa_utils.AveragedModel",
        "The mean of the weights along the run is validated and kept: ema moves with every step, swa takes the last "
        "epochs (Izmailov et al., 2018).",
        "Nearly always at little cost: ema with decay 0.99 to 0.9999, or swa over the last quarter of the run.",
        "ema: a ← d·a + (1 - d)·w after each step;  swa: a = mean of w at epoch ends",
        "In runs too short for the average to forget where it began.",
    ),
    _regularizer(
        "drop_path",
        "model.layers",
        "torchvision.ops.StochasticDepth",
        "Stochastic depth: leaves the body of a Residual out for a share of the samples: its drop_path "
        "(Huang et al., 2016).",
        "For deep residual networks: 0.1 to 0.3, growing with depth.",
        "y = x + body(x)·m / (1 - p), one m a sample",
        "In networks of few blocks: dropout.",
    ),
    _regularizer(
        "early_stopping",
        "training.early_stopping",
        "",
        "Ends the run when the metric gets no better, with the weights of the best epoch.",
        "Nearly always: patience of a tenth of the run or more.",
        "stop when best + min_delta was not beaten for patience epochs",
        "With a schedule that gets its best epochs at the end, as OneCycleLR: let it come to its end.",
    ),
)
