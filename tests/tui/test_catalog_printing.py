"""`torchdeck catalog` at 80 columns."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from screen_text import assert_golden

from engine.catalog import KINDS
from tui.printing.catalog import catalog_text

ENTRIES = [
    ("losses", "SmoothL1Loss"),
    ("optimizers", "AdamW"),
    ("schedulers", "CosineAnnealingLR"),
    ("layers", "LSTM"),
    ("initializers", "kaiming_normal_"),
    ("regularizers", "average"),
]


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_a_kind_is_printed_as_a_table(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = catalog_text(kind or None, None) + "\n"
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert_golden(f"catalog{'-' + kind if kind else ''}", text)


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_an_entry_is_printed_in_full(monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = catalog_text(kind, name) + "\n"
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert_golden(f"catalog-{kind}-{name}", text)
