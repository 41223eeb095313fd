"""What each choice of mixed precision would do, by the rules of the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from described_machine import DescribedMachine

from engine.devices import in_hardware
from engine.experiment import load
from engine.machine import Gpu, Memory
from engine.plan import check
from engine.plan.precision_choices import precision_choices


def test_every_choice_is_resolved_as_a_plan_resolves_it() -> None:
    for amp in ("auto", "off", "bfloat16", "float16"):
        experiment = load("digits-cnn", ["training.device=cpu", f"training.amp={amp}"])
        plan = check(experiment)
        choice = next(c for c in precision_choices(experiment) if c.amp == amp)
        assert choice.chosen
        assert choice.precision == (plan.precision if plan.ok else None)
        assert [c.amp for c in precision_choices(experiment) if c.chosen] == [amp]


def test_a_cpu_refuses_float16_and_says_why() -> None:
    choices = {c.amp: c for c in precision_choices(load("digits-cnn", ["training.device=cpu"]))}
    assert list(choices) == ["auto", "off", "bfloat16", "float16"]
    assert choices["float16"].says.startswith("not supported: float16 is not supported on the cpu")
    assert choices["off"].says.startswith("float32 in every operation")


@pytest.mark.parametrize(("flags", "said"), [({"avx512_bf16"}, "faster"), (set(), "slower")])
def test_bfloat16_on_a_cpu_pays_where_the_cpu_multiplies_in_it(
    flags: set[str], said: str, described_machine: Callable[[DescribedMachine], None]
) -> None:
    described_machine(DescribedMachine(flags=frozenset(flags)))
    choice = next(c for c in precision_choices(load("digits-cnn", ["training.device=cpu"])) if c.amp == "bfloat16")
    assert said in choice.says and "GradScaler" not in choice.says


def test_a_gpu_from_8_0_on_has_bfloat16_and_float16_needs_a_scaler(
    described_machine: Callable[[DescribedMachine], None],
) -> None:
    for capability, auto in (((7, 5), "float16"), ((8, 0), "bfloat16")):
        gpu = Gpu(name="Some GPU", capability=capability, bfloat16=True)
        described_machine(DescribedMachine(cuda=((gpu, Memory(total=80 << 30, free=60 << 30)),)))
        choices = {c.amp: c for c in precision_choices(load("digits-cnn", ["training.device=cuda"]))}
        assert choices["auto"].precision == auto
        assert "GradScaler" in choices["float16"].says and "faster" in choices["float16"].says
        assert ("slower" in choices["bfloat16"].says) == (capability < (8, 0))
        assert in_hardware("bfloat16", "cuda:0") == (capability >= (8, 0))
    binary = {c.amp: c for c in precision_choices(load("mlp-breast-cancer", ["training.device=cuda", "loss=BCELoss"]))}
    assert binary["bfloat16"].precision is None and "BCELoss does not support" in binary["bfloat16"].says
