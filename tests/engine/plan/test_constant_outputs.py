"""A layer of which the check says that its output is constant gives that in torch, and of all others it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.experiment import reads
from engine.model.network import build
from engine.plan import Plan, check

SHAPES: dict[str, tuple[int, ...]] = {
    "one feature": (1,),
    "two features": (2,),
    "steps of one feature": (6, 1),
    "steps of two features": (6, 2),
    "one step": (1, 4),
    "one channel": (1, 4, 4),
    "one pixel": (3, 1, 1),
    "one channel of one pixel": (1, 1, 1),
    "channels": (3, 4, 4),
}
LAYERS = (
    *('"LayerNorm"', '"RMSNorm"', '"Softmax"', '"LogSoftmax"', '"Softmin"'),
    *("{type = 'LayerNorm', normalized_shape = 1}", "{type = 'LayerNorm', normalized_shape = [1]}"),
    *("{type = 'Softmax', dim = 1}", "{type = 'Softmax', dim = -1}", "{type = 'LogSoftmax', dim = 2}"),
    "{type = 'TransformerEncoder', nhead = 1, dim_feedforward = 4, num_layers = 1, dropout = 0.0}",
    *("{type = 'GroupNorm', num_groups = 1}", "{type = 'GroupNorm', num_groups = 3}"),
    *('"Softmax2d"', '"InstanceNorm2d"', "{type = 'LocalResponseNorm', size = 2}"),
    *('"Tanh"', "{type = 'Residual', layers = ['Tanh']}"),
)


def planned(folder: Path, shape: tuple[int, ...], layer: str, samples: int = 40) -> Plan:
    x = np.random.default_rng(0).standard_normal((samples, *shape))
    np.savez(folder / "a.npz", x=x, y=np.arange(samples) % 2)
    document = f"""
data = {{source = "arrays", path = "{folder / "a.npz"}", channels = "first"}}
model.layers = [{layer}, "Flatten", {{type = "Linear", out_features = "auto"}}]
"""
    return check(reads(document))


def is_constant(plan: Plan, shape: tuple[int, ...]) -> bool:
    """Whether the first layer gives the same for every input that has no number below 0."""
    assert plan.description is not None
    torch.manual_seed(0)
    layer = next(iter(build(plan.experiment, plan.description).children())).eval()
    with torch.no_grad():
        found = layer(torch.rand(64, *shape) + 1)
    return bool(torch.allclose(found, found[:1].expand_as(found), atol=1e-3))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_constant_output_is_said_of_each_layer_that_has_one_and_of_no_other(tmp_path: Path, layer: str) -> None:
    tried = 0
    for name, shape in SHAPES.items():
        plan = planned(tmp_path, shape, layer)
        if not plan.ok or plan.description is None:  # torch takes no such input
            continue
        tried += 1
        said = [m for m in plan.mistakes if "outputs" in str(m) and m.path.startswith("model.layers[0]")]
        assert bool(said) == is_constant(plan, shape), (name, layer, said)
        assert all(m.severity == "warning" and m.remedy is not None for m in said)
    assert tried


@pytest.mark.parametrize("samples", [64, 65])
def test_a_norm_that_torch_refuses_in_a_batch_of_one_is_an_error(tmp_path: Path, samples: int) -> None:
    layer = "{type = 'GroupNorm', num_groups = 3}"
    plan = planned(tmp_path, (3, 1, 1), layer, samples)
    (mistake,) = [m for m in plan.mistakes if "GroupNorm" in str(m)]
    left = plan.description is not None and plan.description.train_samples % 64 == 1
    assert mistake.severity == ("error" if left else "warning")


@pytest.mark.parametrize("layer", ["InstanceNorm1d", "InstanceNorm2d"])
def test_instance_norm_over_one_value_is_an_error_as_in_torch(tmp_path: Path, layer: str) -> None:
    images = layer.endswith("2d")
    module: torch.nn.Module = getattr(torch.nn, layer)(3)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        module(torch.randn((2, 3, 1, 1) if images else (2, 3, 1)))
    before = "" if images else "{type = 'Permute', dims = [0, 2, 1]}, "
    plan = planned(tmp_path, (3, 1, 1) if images else (1, 3), f"{before}'{layer}'")
    assert not plan.ok and "one value per channel cannot be normalized" in " ".join(map(str, plan.mistakes))
