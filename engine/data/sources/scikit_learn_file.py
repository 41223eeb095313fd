"""The data files that lie in scikit-learn's package, read without importing it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_numbers(
    file: str, loader: str, *, delimiter: str | None = ",", skip_lines: int = 0, column: str = ""
) -> NDArray[np.float64]:
    """The rows of one of scikit-learn's files. Importing sklearn.datasets would take a hundred times as long.

    Args:
        loader: The function of sklearn.datasets that gives the same, for where the file lies elsewhere.
        column: What of that function's result the file holds: "data" or "target"; empty for both, the target last.
    """
    import numpy as np

    spec = find_spec("sklearn")
    path = Path(spec.origin or "").parent / "datasets" / "data" / file if spec else None
    if path is not None and path.is_file():
        return np.loadtxt(path, delimiter=delimiter, skiprows=skip_lines, encoding="ascii")
    options = {"scaled": False} if loader == "load_diabetes" else {}
    loaded = getattr(import_module("sklearn.datasets"), loader)(**options)
    return np.asarray(loaded[column] if column else np.column_stack([loaded.data, loaded.target]), dtype=np.float64)
