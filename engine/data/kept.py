"""What a run keeps of its data: which samples are in which part, and all that was learned from the training part.

    data.json            vocabulary, scales, encoders, classes, and the version of the rules that files were read by
    split.safetensors    int64 indices `train`, `validation` and `test`

A run that is gone on with compares them: trained on other samples, it would be another run.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from engine.data.class_order import NOTHING, Recorded
from engine.data.dataset import Dataset
from engine.data.words import one_form
from engine.free_memory import free_host_memory
from engine.private_files import read_file, replace_file

LEARNED, SPLIT = "data.json", "split.safetensors"
RULES = "rules"
FIRST_RULES = 1
"""Of runs that say nothing on rules."""
_PARTS = ("train", "validation", "test")


def keep(dataset: Dataset, run: Path) -> None:
    """Write both files into a run's folder, the owner's alone.

    Raises:
        OSError: they cannot be written.
    """
    parts = {part: getattr(dataset, part) for part in _PARTS}
    learned = json.dumps({RULES: NOTHING.rules, **_learned(dataset)}, ensure_ascii=False)
    for name, content in ((LEARNED, learned.encode()), (SPLIT, save(parts))):
        replace_file(run / name, content)


def difference(dataset: Dataset, run: Path) -> str:
    """What is not as it was when the run began, as a sentence; empty where all is, or where nothing was kept."""
    try:
        most = free_host_memory() // 2
        parts = load(read_file(run / SPLIT, most))
        learned = json.loads(read_file(run / LEARNED, most))
        if not isinstance(learned, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"What the run kept of its data cannot be read ({error.strerror or error})."
    except (ValueError, RecursionError, SafetensorError):
        return f"What the run kept of its data, {LEARNED} or {SPLIT}, is damaged."
    for part in _PARTS:
        now, then = getattr(dataset, part), parts.get(part)
        if then is None or not torch.equal(now, then):
            count = 0 if then is None else len(then)
            how = f"it has {len(now):,} samples and had {count:,}" if len(now) != count else "it holds other samples"
            return f"The {part} part is not the one that the run began with: {how}."
    if _by_one_spelling(learned) != _by_one_spelling(_learned(dataset)):
        return "What the run learned from its training part (vocabulary, scales, classes) is not what it was."
    return ""


def recorded(run: Path) -> Recorded:
    """The orders and the rules that a run began with; the default ones of a run that has none that can be read."""
    try:
        learned = json.loads(read_file(run / LEARNED, free_host_memory() // 2))
        columns = learned.get("encoders", {}).get("columns", ())
        categories = {one_form(c["column"]): tuple(map(str, c["categories"])) for c in columns if "categories" in c}
        return Recorded(tuple(map(str, learned["classes"])), categories, int(learned.get(RULES, FIRST_RULES)))
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Recorded()  # `difference` says what is wrong with it


def _learned(dataset: Dataset) -> dict[str, Any]:
    return dataset.learned | {"classes": list(dataset.description.classes)}


def _by_one_spelling(learned: dict[str, Any]) -> Any:
    """As JSON holds it, with names in one normal form of Unicode: runs of before kept names as the files have them."""
    rest = {name: value for name, value in learned.items() if name not in (RULES, "vocabulary")}
    return json.loads(unicodedata.normalize("NFC", json.dumps(rest, ensure_ascii=False))), learned.get("vocabulary")
