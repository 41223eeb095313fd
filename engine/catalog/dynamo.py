"""Optimizers without the import of torch's compiler.

torch disables compilation of four methods of every optimizer, and imports `torch._dynamo` for that at their first call:
about 900 modules, two seconds at the start of each process, for a compiler that is not used.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

_MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def spare_dynamo() -> None:
    """Mark those methods as uncompiled in torch's own way, so that it does not import its compiler.

    This has no effect if the compiler is loaded, or if another version of torch marks its methods in another way.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in _MARKED:
        plain = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain


def plain_step(optimizer: Optimizer) -> Callable[..., None]:
    """`optimizer.step` without the wrappers that import torch's compiler and open a profiler record.

    Hooks on `step` do not run; torchdeck sets none.
    """
    step = inspect.unwrap(type(optimizer).step)

    @torch.no_grad()
    def take(*closure: Callable[[], Tensor]) -> None:
        # Schedulers check this to warn if no step was taken; torch's wrapper sets it, too.
        optimizer._opt_called = True  # type: ignore[attr-defined]
        step(optimizer, *closure)

    return take
