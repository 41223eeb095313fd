"""Regularizers: what keeps a network from overfitting. Each is a field of the document."""

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
        "Shrinks every weight a little at each step: in SGD and Adam by the gradient, in AdamW separately.",
        "As the first regularizer: 0.01 with AdamW, 5e-4 with SGD.",
        "w ← w - lr·λ·w  (AdamW);  g ← g + λ·w  (SGD, Adam)",
        "For an underfitting network; on biases and norms, which no_bias_decay leaves out.",
    ),
    _regularizer(
        "no_bias_decay",
        "optimizer.no_bias_decay",
        "",
        "Leaves out biases and the weights of norms from weight decay (He et al., 2019).",
        "With weight decay, in networks with BatchNorm or LayerNorm.",
        "λ = 0 for biases and for γ, β of norms",
        "When weight_decay is 0: it has no effect.",
    ),
    _regularizer(
        "l1",
        "regularization.l1",
        "",
        "L1 adds the sum of the absolute weights to the loss, so that many weights become nearly 0.",
        "When few inputs matter: 1e-5 to 1e-3 is usual; l1_layers names the layers.",
        "loss + l1·Σ |w|",
        "When all inputs matter: weight decay, with which training is smoother.",
    ),
    _regularizer(
        "l2",
        "regularization.l2",
        "",
        "L2 adds the sum of the squared weights to the loss; with l1 it is the elastic net (Zou and Hastie, 2005).",
        "With l1, when inputs are correlated; or with LBFGS, which has no weight decay.",
        "loss + l1·Σ |w| + l2·Σ w²",
        "With AdamW and without l1: use weight_decay, which does not depend on the size of gradients.",
    ),
    _regularizer(
        "l1_layers",
        "regularization.l1_layers",
        "",
        "The layers that l1 and l2 apply to, by index, path or type.",
        "To make the first layer select inputs, and leave the other layers.",
        "Σ over the weights of these layers only",
        "Without l1 and l2: it has no effect.",
    ),
    _regularizer(
        "dropout",
        "model.layers",
        "torch.nn.Dropout",
        "A layer that sets a share of the values to zero while training (Srivastava et al., 2014).",
        "Before Linear layers, p 0.2 to 0.5; in stacked recurrent layers by their dropout parameter.",
        "y = x·m / (1 - p), m = 0 with probability p, else 1",
        "When the training loss is still high; directly before BatchNorm, whose variance it changes.",
    ),
    _regularizer(
        "clip_grad_norm",
        "regularization.clip_grad_norm",
        "torch.nn.utils.clip_grad_norm_",
        "Scales down all gradients when their norm exceeds a bound (Pascanu et al., 2013).",
        "For RNNs, transformers and high learning rates: 1.0 is usual.",
        "g ← g·min(1, c / ‖g‖)",
        "When the norm is always above the bound: it then acts as a smaller learning rate.",
    ),
    _regularizer(
        "clip_grad_value",
        "regularization.clip_grad_value",
        "torch.nn.utils.clip_grad_value_",
        "Limits each gradient to a bound.",
        "When single gradients have spikes: 0.5 is usual.",
        "g ← min(max(g, -c), c)",
        "In other cases: clip_grad_norm, which keeps the direction of the step.",
    ),
    _regularizer(
        "label_smoothing",
        "loss.label_smoothing",
        "torch.nn.CrossEntropyLoss",
        "Trains towards a little less than probability 1 of the true class (Szegedy et al., 2016).",
        "With many classes or noisy labels: 0.05 to 0.1.",
        "target = (1 - ε)·onehot(y) + ε / K",
        "When the probabilities are used: it makes them too small for the predicted class.",
    ),
    _regularizer(
        "mixup",
        "regularization.mixup",
        "",
        "Blends pairs of samples and their targets (Zhang et al., 2018).",
        "For images and tables with few samples and long runs: 0.2.",
        "x = λ·x₁ + (1 - λ)·x₂, the loss alike; λ ~ Beta(α, α)",
        "For tokens, which cannot be blended; in short runs: training takes more epochs.",
    ),
    _regularizer(
        "cutmix",
        "regularization.cutmix",
        "torchvision.transforms.v2.CutMix",
        "CutMix replaces a rectangle by that of another image, and mixes the targets by area (Yun et al., 2019).",
        "For images of 32 pixels and more, in long runs: 1.0.",
        "x = m·x₁ + (1 - m)·x₂, m = 0 in a rectangle of share 1 - λ; λ ~ Beta(α, α)",
        "For small images, where a rectangle hides the object: mixup.",
    ),
    _regularizer(
        "average",
        "regularization.average",
        "torch.optim.swa_utils.AveragedModel",
        "Validates and saves the mean of the weights: ema over all steps, swa over the last epochs "
        "(Izmailov et al., 2018).",
        "For most runs, at little cost: ema with decay 0.99 to 0.9999, or swa over the last quarter of the run.",
        "ema: a ← d·a + (1 - d)·w after each step;  swa: a = mean of w at epoch ends",
        "In short runs, in which the first weights still count in the average.",
    ),
    _regularizer(
        "drop_path",
        "model.layers",
        "torchvision.ops.StochasticDepth",
        "Stochastic depth skips the body of a Residual for a share of the samples, its drop_path (Huang et al., 2016).",
        "For deep residual networks: 0.1 to 0.3, growing with depth.",
        "y = x + body(x)·m / (1 - p), one m per sample",
        "In networks of few Residual layers: dropout.",
    ),
    _regularizer(
        "early_stopping",
        "training.early_stopping",
        "",
        "Ends the run when a metric no longer improves, with the weights of the best epoch.",
        "For most runs, with a patience of a tenth of the epochs or more.",
        "stop after patience epochs without a metric better than best + min_delta",
        "With a schedule whose best epochs are the last, as OneCycleLR: let the run end.",
    ),
)
