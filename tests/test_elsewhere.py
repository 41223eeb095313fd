"""`make test-elsewhere`: the tests that it leaves out exist."""

from __future__ import annotations

from pathlib import Path

import elsewhere


def test_every_test_that_a_variation_leaves_out_exists() -> None:
    for name in elsewhere.HEARTBEATS:
        file, _, test = name.partition("::")
        assert f"def {test}" in (Path(__file__).parent / "engine" / "runs" / file).read_text(), name
