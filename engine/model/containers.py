"""Layers that contain layers: a residual block, copies of a block, parallel branches, a named group.

N batch; the other dimensions of a tensor depend on the layers inside. `lengths` (N,) are passed to the layers that read
sequences. The layers in a container have the names that they have in the document: `4.layers.0`, `4.branches.1.0`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from engine.model.sequence_layers import Permute


class Chain(nn.Sequential):
    """Layers one after the other; those that read sequences get the length of each sample too.

    Its weights are named by the layer's index, as in any nn.Sequential: `0.weight`, `3.weight_ih_l0`.
    """

    reads_lengths = True

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__(*layers)
        self.reads = [getattr(layer, "reads_lengths", False) for layer in self]
        # After a Permute, convolutions and pooling may follow, which move the steps.
        self.moves_steps = [any(isinstance(module, Permute) for module in layer.modules()) for layer in self]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """From samples x (N, …), whose first `lengths` (N,) steps are no padding, to the output of the last layer."""
        for layer, reads, moves in zip(self._modules.values(), self.reads, self.moves_steps, strict=True):
            x = layer(x, lengths) if reads else layer(x)
            if moves:
                lengths = None
        return x


class Sequential(nn.Module):
    """A group of layers, one after the other, that reads as one.

    Args:
        layers: The layers, in the order of the forward pass.
        name: The name of the group in tables.
    """

    reads_lengths = True

    def __init__(self, layers: Sequence[nn.Module], name: str = "") -> None:
        super().__init__()
        self.layers = Chain(layers)
        self.name = name

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        out: Tensor = self.layers(x, lengths)
        return out


class Repeat(nn.Module):
    """The same layers several times in a row, each copy with its own weights.

    `layers[i]` contains the copies of the i-th layer, so that a name selects all of them.

    Args:
        copies: The layers of each copy, equal in type and number.
    """

    reads_lengths = True

    def __init__(self, copies: Sequence[Sequence[nn.Module]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleList(same) for same in zip(*copies, strict=True)])
        # Not a submodule: its layers are those of `layers`, and are saved only once.
        self.__dict__["chain"] = Chain([layer for copy in copies for layer in copy])

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        out: Tensor = self.__dict__["chain"](x, lengths)
        return out


class Residual(nn.Module):
    """Adds its input to the output of its layers, which need to learn the difference only.

    With `drop_path` some samples skip the layers while training; for the others their output is scaled up.

    Sources: He et al., 2016, https://arxiv.org/abs/1512.03385; stochastic depth: Huang et al., 2016,
    https://arxiv.org/abs/1603.09382

    Args:
        layers: The body.
        shortcut: What the input goes through before it is added; no layers where it has the shape of the body's output.
        drop_path: The probability with which a sample skips the body, from 0 to below 1.
    """

    reads_lengths = True

    def __init__(self, layers: Sequence[nn.Module], shortcut: Sequence[nn.Module] = (), drop_path: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= drop_path < 1.0:
            raise ValueError("drop_path must be at least 0 and below 1")
        self.layers = Chain(layers)
        self.shortcut = Chain(shortcut)
        self.drop_path = drop_path

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        body: Tensor = self.layers(x, lengths)
        if self.training and self.drop_path:
            kept = torch.empty(len(x), *[1] * (body.ndim - 1), dtype=body.dtype, device=body.device)
            body = body * kept.bernoulli_(1 - self.drop_path).div_(1 - self.drop_path)
        out: Tensor = self.shortcut(x, lengths) + body
        return out

    def extra_repr(self) -> str:
        return f"drop_path={self.drop_path}"


class Concat(nn.Module):
    """Branches that all read the same input; their outputs are joined along the channels or features.

    A branch without layers outputs its input, as in DenseNet. Source: Szegedy et al., 2015,
    https://arxiv.org/abs/1409.4842

    Args:
        branches: The layers of each branch.
        dim: The dimension along which they are joined; 0 is the batch.
    """

    reads_lengths = True

    def __init__(self, branches: Sequence[Sequence[nn.Module]], dim: int = 1) -> None:
        super().__init__()
        self.branches = nn.ModuleList([Chain(branch) for branch in branches])
        self.dim = dim

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return torch.cat([branch(x, lengths) for branch in self.branches], dim=self.dim)


CONTAINERS: dict[str, type[nn.Module]] = {
    "Residual": Residual,
    "Repeat": Repeat,
    "Concat": Concat,
    "Sequential": Sequential,
}
