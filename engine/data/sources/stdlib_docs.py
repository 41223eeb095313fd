"""Docstrings of the running Python's own standard library, labelled with their package."""

from __future__ import annotations

import platform
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.cache import keep_cached, read_cached
from engine.data.docstrings import largest_packages
from engine.data.sources.source import Source
from engine.experiment.mistakes import Mistake, Refused

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split

MIN_WORDS = 5
CACHE_FORMAT = 1


class StdlibDocs(Source):
    """Texts and packages differ a little between versions of Python; the notes say which it was."""

    name: ClassVar[str] = "stdlib-docs"
    summary: ClassVar[str] = "Docstrings of Python's standard library, to be told apart by the package they come from."
    when: ClassVar[str] = (
        "To see embeddings and a recurrent network classify real text of any length, without a download."
    )

    classes: Annotated[int, Field(ge=2, le=100, description="How many packages, the largest ones.")] = 10
    max_length: Annotated[
        int, Field(ge=1, le=10_000, description="Tokens of a text that are kept, from its start.")
    ] = 100
    vocabulary_size: Annotated[
        int, Field(ge=3, le=1_000_000, description="Most tokens that get a number, padding and unknown among them.")
    ] = 10_000
    min_count: Annotated[
        int, Field(ge=1, description="Times that a token must occur in the training part to get a number.")
    ] = 2

    def load(self, split: Split) -> Dataset:
        """Tokens (T=max_length,) padded with 0, and the number of the package.

        The vocabulary is that of the training part. Equal texts are in the data once, and texts that several of the
        packages have are left out, so that none is trained on and validated on.
        """
        import numpy as np

        from engine.data.dataset import dataset
        from engine.data.text import numbered, tokens_of, vocabulary

        packages = _packages(self.classes)
        of_text: dict[tuple[str, ...], set[int]] = {}
        for number, texts in enumerate(packages.values()):
            for text in texts:
                of_text.setdefault(tuple(tokens_of(text, split.recorded.rules)[: self.max_length]), set()).add(number)
        kept = [text for text, owners in of_text.items() if len(owners) == 1]
        y = np.fromiter((owner for owners in of_text.values() if len(owners) == 1 for owner in owners), dtype=np.int64)

        parts = split.by_class(y)
        words = vocabulary((kept[i] for i in parts.train), self.vocabulary_size, self.min_count)
        x, lengths = numbered(kept, words, self.max_length)
        names = tuple(packages)
        named = sum(names[owner].strip("_").lower() in text for text, owner in zip(kept, y.tolist(), strict=True))
        return dataset(
            self.name,
            "classification",
            "tokens",
            x,
            y,
            parts,
            classes=names,
            lengths=lengths,
            vocabulary=words,
            notes=(
                f"{len(kept):,} docstrings of Python {platform.python_version()}; "
                f"{np.bincount(y).max() / len(y):.0%} are of {names[np.bincount(y).argmax()]}, the largest class.",
                f"{named / len(kept):.0%} of the texts name their own package; that is left as it stands.",
                f"The vocabulary has {len(words):,} tokens, from the training part only.",
            ),
        )


def _packages(count: int) -> dict[str, list[str]]:
    """Texts of the `count` largest packages: from the cache, or by parsing the library, which takes seconds."""
    stdlib = sysconfig.get_path("stdlib")
    key = {
        "format": CACHE_FORMAT,
        "python": platform.python_version(),
        "stdlib": stdlib,
        "packages": count,
        "min_words": MIN_WORDS,
    }
    packages = read_cached("stdlib-docs", key)
    if packages is None:
        packages = largest_packages(Path(stdlib), count, MIN_WORDS)
        if len(packages) == count:
            keep_cached("stdlib-docs", key, packages)
    if len(packages) < count:
        raise Refused(
            Mistake(
                "data.classes",
                f"found {count} packages asked for",
                f"{stdlib} has {len(packages)} with docstrings",
                f"Set it to {len(packages)} or less."
                if len(packages) >= 2
                else "Train with a Python whose library has its source files, or take another source.",
            )
        )
    return packages
