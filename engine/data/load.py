"""From [data] to samples."""

from __future__ import annotations

from engine.data.dataset import Dataset
from engine.data.parameters import parsed
from engine.experiment.document import Data
from engine.experiment.mistakes import Refused


def load_data(data: Data, seed: int) -> Dataset:
    """Every sample of the source that `data` names, split by `seed`.

    Raises:
        Refused: with every mistake in [data], or with what is wrong with the files that it names.
    """
    source, mistakes = parsed(data)
    if source is None or mistakes:
        raise Refused(mistakes)
    return source.load(data.validation, data.test, seed)
