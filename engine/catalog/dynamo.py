"""Optimizers without torch's compiler.

torch marks four methods of every optimizer as not to be compiled, and imports `torch._dynamo` to say so when one is
first called: about 900 modules, two seconds at the start of each process, for a compiler that is not in use.
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
    """Settle what torch would import its compiler for: each marked method is its own uncompiled version.

    Nothing changes where the compiler is loaded already, nor where torch marks its methods in another way.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in _MARKED:
        plain = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain


def plain_step(optimizer: Optimizer) -> Callable[..., None]:
    """`optimizer.step`, without the wrappers in which torch imports its compiler and opens a profiler's record.

    Hooks on an optimizer's step are among them; torchdeck sets none.
    """
    step = inspect.unwrap(type(optimizer).step)

    @torch.no_grad()
    def take(*closure: Callable[[], Tensor]) -> None:
        # What a scheduler looks at to see that a step came before it; torch's wrapper sets it, too.
        optimizer._opt_called = True  # type: ignore[attr-defined]
        step(optimizer, *closure)

    return take
