"""What a run saves about its data: the samples of each part, and everything learned from the training part.

    data.json            vocabulary, scales, encoders, classes, and the version of the rules for reading files
    split.safetensors    int64 indices `train`, `validation` and `test`

A resumed run compares them, since it must train on the same samples.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from engine.data.dataset import Dataset
from engine.data.recorded import NOTHING_RECORDED, RecordedData
from engine.data.words import one_form
from engine.free_memory import free_host_memory
from engine.private_files import read_file, replace_file

LEARNED, SPLIT = "data.json", "split.safetensors"
RULES = "rules"
FIRST_RULES = 1
"""The version of runs that recorded none."""
_PARTS = ("train", "validation", "test")


def save_manifest(dataset: Dataset, run: Path) -> None:
    """Write both files into a run's directory, readable by the owner only.

    Raises:
        OSError: they cannot be written.
    """
    parts = {part: getattr(dataset, part) for part in _PARTS}
    learned = json.dumps({RULES: NOTHING_RECORDED.rules, **_learned(dataset)}, ensure_ascii=False)
    for name, content in ((LEARNED, learned.encode()), (SPLIT, save(parts))):
        replace_file(run / name, content)


def difference(dataset: Dataset, run: Path) -> str:
    """Describe how the data differs from what the run started with; empty if it does not, or nothing was saved."""
    try:
        most = free_host_memory() // 2
        parts = load(read_file(run / SPLIT, most))
        learned = json.loads(read_file(run / LEARNED, most))
        if not isinstance(learned, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"The data that the run recorded cannot be read ({error.strerror or error})."
    except (ValueError, RecursionError, SafetensorError):
        return f"The data that the run recorded ({LEARNED} or {SPLIT}) is damaged."
    for part in _PARTS:
        now, then = getattr(dataset, part), parts.get(part)
        if then is None or not torch.equal(now, then):
            count = 0 if then is None else len(then)
            how = f"it has {len(now):,} samples and had {count:,}" if len(now) != count else "it has other samples"
            return f"The {part} part differs from the one that the run started with: {how}."
    if _by_one_spelling(learned) != _by_one_spelling(_learned(dataset)):
        return "What was learned from the training part (vocabulary, scales, classes) has changed."
    return ""


def recorded(run: Path) -> RecordedData:
    """Read the orders and rules that a run started with; the defaults if none can be read."""
    try:
        learned = json.loads(read_file(run / LEARNED, free_host_memory() // 2))
        columns = learned.get("encoders", {}).get("columns", ())
        categories = {one_form(c["column"]): tuple(map(str, c["categories"])) for c in columns if "categories" in c}
        return RecordedData(tuple(map(str, learned["classes"])), categories, int(learned.get(RULES, FIRST_RULES)))
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return RecordedData()  # `difference` reports what is wrong


def _learned(dataset: Dataset) -> dict[str, Any]:
    return dataset.learned | {"classes": list(dataset.description.classes)}


def _by_one_spelling(learned: dict[str, Any]) -> Any:
    """As JSON values with names in one Unicode normal form: older runs recorded names as spelled in the files."""
    rest = {name: value for name, value in learned.items() if name not in (RULES, "vocabulary")}
    return json.loads(unicodedata.normalize("NFC", json.dumps(rest, ensure_ascii=False))), learned.get("vocabulary")
