"""Presets changed at random: a plan or mistakes that can be printed, never a traceback.

`TORCHDECK_MUTATIONS=10000` runs as many as that.
"""

from __future__ import annotations

import copy
import json
import os
import random
import tomllib
from typing import Any

import tomlkit

from engine.experiment import preset_names, reads
from engine.experiment.presets import preset_text
from engine.plan import check
from tui.printing.plan import plan_as_dict, plan_as_text

MUTATIONS = int(os.environ.get("TORCHDECK_MUTATIONS", "300"))
PRESETS = {name: tomllib.loads(preset_text(name)) for name in preset_names()}

ODD = (
    *(0, 1, -1, 2, 3, 7, -(2**31), 2**31, 2**53, 2**63 - 1, -(2**63), 10**6, 0.0, -0.0, 0.5, 1.0, -0.5, 1e-300, 1e300),
    *(float("nan"), float("inf"), float("-inf"), True, False, "", "auto", "none", "balanced", "é\u202e\n", "a" * 300),
    *([], [[]], [1, [2, [3]]], [0.9, 0.999], ["ReLU"], {}, {"type": "ReLU"}, {"type": 3}, {"a": {"b": {}}}),
    *("ReLU", "Linear", "LSTM", "Adam", "StepLR", "MSELoss", "Residual", "kaiming_normal_", "digits", "val_loss"),
    *({"type": "Linear"}, {"type": "Conv2d", "out_channels": 4, "kernel_size": 3}, {"type": "Repeat", "times": 2}),
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every holder in a document with each of its keys or indexes."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [(node, key) for key in keys] + [place for key in keys for place in places(node[key])]


def mutate(document: dict[str, Any], dice: random.Random) -> None:
    """One change: a value taken away, replaced, doubled, wrapped, moved elsewhere, or renamed."""
    here = places(document)
    if not here:
        document["data"] = dice.choice(ODD)
        return
    holder, key = dice.choice(here)
    value = holder[key]
    match dice.randrange(8):
        case 0:
            del holder[key]
        case 1 | 2:
            holder[key] = copy.deepcopy(dice.choice(ODD))
        case 3 if isinstance(holder, list):
            holder.insert(dice.randrange(len(holder) + 1), copy.deepcopy(value))
        case 4 if isinstance(holder, dict):
            holder[dice.choice(("type", "lr", "p", "layers", "path", f"{key}s", key.upper()))] = holder.pop(key)
        case 5:
            other, place = dice.choice(here)
            holder[key], other_value = copy.deepcopy(other[place]), copy.deepcopy(value)
            if other is not holder and place in (other if isinstance(other, dict) else range(len(other))):
                other[place] = other_value
        case 6:
            holder[key] = [value] if dice.random() < 0.5 else {"type": value}
        case _ if isinstance(value, int | float) and not isinstance(value, bool):
            holder[key] = dice.choice((-value, value * 1000, value / 3, float(value), str(value), value + 1))
        case _:
            holder[key] = str(value)[:40] if dice.random() < 0.5 else copy.deepcopy(dice.choice(ODD))


def mutated(seed: int) -> str:
    dice = random.Random(seed)
    document = copy.deepcopy(PRESETS[dice.choice(sorted(PRESETS))])
    for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
        mutate(document, dice)
    return tomlkit.dumps(document)


def test_a_preset_changed_at_random_gets_a_plan_or_sentences_and_never_a_traceback():
    refused = 0
    for seed in range(MUTATIONS):
        text = mutated(seed)
        try:
            plan = check(reads(text))
            json.dumps(plan_as_dict(plan))
            plan_as_text(plan)
            sentences = [str(mistake) for mistake in plan.mistakes]
        except BaseException as error:
            error.add_note(f"mutation {seed}:\n{text}")
            raise
        assert plan.ok or sentences, text
        assert all(sentence.strip() for sentence in sentences), text
        refused += not plan.ok
    assert MUTATIONS / 4 < refused < MUTATIONS
