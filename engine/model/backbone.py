"""torchvision's classification models as a layer: with published weights or without, complete or as features.

N batch, C channels, H height, W width, F features.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from types import MethodType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from engine.catalog.layers.pretrained import BACKBONE
from engine.catalog.layers.published_models import NONE, classes_of, construct, published, side_of

_HELPERS = ("aux1.", "aux2.", "AuxLogits.")
_OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
"""Names in the weights of densenet that are older than its code: `…denselayer1.norm.1.weight` is `….norm1.weight`."""


class Backbone(nn.Module):
    """One of torchvision's classification models. From images (N, C, H, W) to (N, F), or to (N, num_classes).

    Args:
        name: The name of the model in torchvision.models.list_models(): resnet18, efficientnet_b0, vit_b_16.
        weights: Published weights to start from: DEFAULT for torchvision's best, or the name of others of this model;
            none starts from random weights. Images are then normalized as for the weights.
        freeze: Whether its weights are not trained and its norms and dropout stay in evaluation mode, so that the same
            image always has the same output. A new last layer is trained.
        features: Whether it outputs the input of its last layer, one vector per image; otherwise the scores of its
            classes.
        num_classes: The number of classes of the complete model, where features is false.
        resize: The side of the squares that images are resized to: auto is the side for the weights, none keeps the
            size of the images.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self,
        name: str,
        weights: str = NONE,
        freeze: bool = False,
        features: bool = True,
        num_classes: int | None = None,
        resize: Literal["none", "auto"] | int = "none",
        device: Any = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.weights = published(name, weights)
        self.frozen = freeze
        self.size = side_of(resize, self.weights)
        classes = classes_of(self.weights, num_classes)
        with _Weightless() if str(device) == "meta" else nullcontext():
            self.model = construct(name, self.weights, self.weights.classes if self.weights else classes)
            self.head, new = _replace_head(self.model, features, classes)
        _allow_any_version(self.model)
        for statistic in ("mean", "std"):
            values = getattr(self.weights, statistic, None)
            constant = torch.tensor(values)[:, None, None] if values else None
            self.register_buffer(statistic, constant, persistent=False)
        if device is not None:
            self.to(device)
        self.trains_head = freeze and not features and (new or self.weights is None)
        if freeze:
            self.model.requires_grad_(False)
        if self.trains_head:
            self.model.get_submodule(self.head).requires_grad_(True)
        self.has_own_head = not features and not new
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        """From images (N, 3, H, W) or (N, 1, H, W), between 0 and 1, to (N, F) or (N, num_classes)."""
        if self.size is not None and x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        if self.mean is not None and self.std is not None:
            x = (x - self.mean) / self.std
        out: Tensor = self.model(x)
        return out.flatten(1)

    def train(self, mode: bool = True) -> Backbone:
        """Set the mode, as for every module; a frozen model stays in evaluation, so that its norms do not change."""
        super().train(mode)
        if self.frozen:
            self.model.eval()
        return self

    def load_published(self, state: dict[str, Tensor]) -> None:
        """Load weights as torchvision publishes them. Changes `state`."""
        for key in list(state):
            if key.startswith(_HELPERS) or (key.startswith(f"{self.head}.") and not self.has_own_head):
                del state[key]
            elif match := _OLD_NAME.match(key):
                state[match[1] + match[2]] = state.pop(key)
        if not self.has_own_head:
            state.update((key, own) for key, own in self.model.state_dict().items() if key.startswith(f"{self.head}."))
        self.model.load_state_dict(state)

    def extra_repr(self) -> str:
        weights = self.weights.name if self.weights else NONE
        return f"{self.name}, weights={weights}, freeze={self.frozen}, size={self.size}"


Backbone.__name__ = BACKBONE  # modules are found by their type in the document, as in optimizer.groups


def _replace_head(model: nn.Module, features: bool, classes: int) -> tuple[str, bool]:
    """Remove the head of a model, or replace it by one with `classes` outputs; its name, and whether it is new.

    The head is the model's last layer with weights: a Linear, in squeezenet a 1×1 convolution.
    """
    heads = [(name, m) for name, m in model.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    name, head = heads[-1]
    made: nn.Module
    if features:
        made = nn.Identity()
    elif isinstance(head, nn.Linear) and head.out_features != classes:
        made = nn.Linear(head.in_features, classes, bias=head.bias is not None)
    elif isinstance(head, nn.Conv2d) and head.out_channels != classes:
        made = nn.Conv2d(head.in_channels, classes, kernel_size=1)
    else:
        return name, False
    model.set_submodule(name, made)
    return name, not features


def _allow_any_version(model: nn.Module) -> None:
    """Let a model load weights without a version, as in a checkpoint, which mnasnet alone refuses."""
    if type(model)._load_from_state_dict is not nn.Module._load_from_state_dict:
        model._load_from_state_dict = MethodType(_load_this_version, model)  # type: ignore[method-assign]


def _load_this_version(model: Any, state: Any, prefix: str, metadata: dict[str, Any], *rest: Any) -> None:
    type(model)._load_from_state_dict(model, state, prefix, {"version": model._version} | metadata, *rest)


class _Weightless(TorchFunctionMode):
    """Inside it, weights of layers are created on `meta`, with a shape but no values, and not initialized.

    To initialize them on `meta` would import torch's decompositions and advance torch's generator. Tensors that a model
    computes its sizes with are not affected.
    """

    _CHANGES = frozenset({"normal_", "uniform_", "fill_", "zero_", "add_", "mul_", "clamp_", "erfinv_"})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            return func(*args, **(kwargs | {"device": "meta"}))
        if getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        if getattr(func, "__name__", "") in self._CHANGES and args[0].is_meta:
            return args[0]
        return func(*args, **kwargs)
