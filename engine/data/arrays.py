"""Arrays of an .npz file: read without unpickling, checked and converted to the engine's types."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.array_checks import ONE_HOT, array_warnings, is_one_hot, looks_channels_last, one_hot_warning
from engine.data.dataset import Dataset, dataset
from engine.data.description import InputKind, Task
from engine.data.splits import Split
from engine.experiment.mistakes import Mistake, Refused, Remedy, nearest, put
from engine.user_folders import expanded

Array = NDArray[Any]
Channels = Literal["auto", "first", "last"]
AskedTask = Literal["auto", "classification", "regression"]

KEYS = ("x", "y", "x_val", "y_val")
_SHAPES = "expected (N, F) rows, (N, T) tokens, (N, T, F) sequences or (N, C, H, W) images"
_SAVE = "Save it with numpy.savez(path, x=x, y=y)."
_RENUMBER = "Renumber them with y = numpy.unique(y, return_inverse=True)[1]; if y is a quantity, save it as float."


def load_arrays(path: str, split: Split, *, channels: Channels = "auto", task: AskedTask = "auto") -> Dataset:
    """Load the dataset of an .npz file; a relative path starts at the current folder.

    Args:
        channels: whether images are (N, C, H, W) or (N, H, W, C); "auto" refuses arrays that look like the latter.
        task: what y holds; "auto": integers are classes, floats are numbers to predict.

    Raises:
        Refused: with everything that is wrong with the file or its arrays.
    """
    if channels == "auto" and split.recorded.rules == 1:
        channels = "first"  # as the first version read them
    arrays = _read(path)
    given, odd_classes = arrays["x"].dtype, ""
    if task == "classification":
        y = arrays["y"]
        odd_classes = ONE_HOT if is_one_hot(y) else "y holds whole numbers as float" if y.dtype.kind == "f" else ""
    mistakes: list[Mistake] = []
    kinds: dict[str, Task | InputKind] = {}
    for name in list(arrays):
        is_input = name.startswith("x")
        checked = _input(name, arrays[name], channels) if is_input else _target(name, arrays[name], task)
        if isinstance(checked, _Wrong):
            mistakes.append(checked.mistake(path))
        else:
            kinds[name], arrays[name] = checked
    if not mistakes:
        mistakes = [wrong.mistake(path) for wrong in _disagreements(arrays, kinds)]
    if mistakes:
        raise Refused(mistakes)
    return _parted(arrays, kinds["x"], kinds["y"], split, given, task, odd_classes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Wrong:
    """The clauses of a mistake in an array."""

    found: str
    expected: str
    fix: str
    where: str = "data.path"
    remedy: Remedy | None = None

    def mistake(self, path: str) -> Mistake:
        return Mistake(self.where, self.found, self.expected, self.fix, subject=path, remedy=self.remedy)


def _read(path: str) -> dict[str, Array]:
    """The arrays with known names, unchanged."""
    file = expanded(path)

    def refused(found: str, expected: str, fix: str) -> Refused:
        return Refused(_Wrong(found, expected, fix).mistake(path))

    arrays: dict[str, Array] = {}
    name = ""
    try:
        if file.is_dir():
            raise refused("it is a folder", "expected an .npz file", "Name the file in it.")
        if file.exists() and not file.is_file():
            raise refused("it is a device or a pipe", "expected an .npz file", "Name a regular file.")
        if not zipfile.is_zipfile(file):
            file.open("rb").close()  # is_zipfile returns False for a missing or unreadable file
            raise refused("it is not an .npz file", "expected one with x and y", _SAVE)
        with np.load(file, allow_pickle=False) as archive:
            if missing := [key for key in ("x", "y") if key not in archive]:
                found = ", ".join(archive.files[:8]) or "nothing"
                raise refused(f"it has no {' and no '.join(missing)}", f"expected x and y (it holds {found})", _SAVE)
            for name in KEYS:
                if name in archive:
                    array = archive[name]
                    if not isinstance(array, np.ndarray):
                        raise refused(f"{name} is not a NumPy array", "", _SAVE)
                    arrays[name] = array
    except FileNotFoundError:
        like = nearest(file.name, (f.name for f in file.parent.glob("*.npz")))
        fix = f"Did you mean {file.with_name(like)}?" if like else f"Correct the path; it starts at {Path.cwd()}."
        raise refused("there is no such file", "", fix) from None
    except ValueError as error:
        if "allow_pickle" in str(error):
            expected = "expected an array of numbers"
            raise refused(f"{name} holds pickled Python objects, which are never read", expected, _SAVE) from None
        raise refused(f"{name or 'it'} is damaged ({error})", "", "Save it again.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise refused(f"{name or 'it'} is damaged ({error})", "", "Save it again.") from None
    except MemoryError as error:
        raise refused(f"{name} does not fit into memory ({error})", "", "Save fewer samples.") from None
    except OSError as error:
        raise refused(
            f"it cannot be read ({error.strerror or error})", "", "Check the file and its permissions."
        ) from None
    return arrays


def _input(name: str, x: Array, channels: Channels = "first") -> tuple[InputKind, Array] | _Wrong:
    """The kind of x, and x as float32; tokens become int64, pixels of uint8 stay so."""
    if wrong := _unusable(name, x):
        return wrong
    if x.ndim not in (2, 3, 4):
        fix = f"Reshape it: {name}.reshape(-1, 1)." if x.ndim == 1 else "Reshape it."
        return _Wrong(f"{name} has the shape {x.shape}", _SHAPES, fix)
    if channels == "auto" and looks_channels_last(x):
        found = f"{name} has the shape {x.shape}, which looks like (N, H, W, C)"
        fix = f'Set data.channels = "last"; or "first", if an image has {x.shape[1]} channels.'
        return _Wrong(found, "expected images (N, C, H, W)", fix, "data.channels", put("last"))
    if channels == "last":
        if x.ndim != 4:
            fix = 'Set data.channels = "auto".'
            return _Wrong(f"{name} has the shape {x.shape}", "expected images (N, H, W, C)", fix, "data.channels")
        x = np.moveaxis(x, 3, 1)
    if x.ndim == 2 and x.dtype.kind in "iu":
        if x.min() < 0:
            fix = "Number tokens from 0, which is padding; if these are quantities, save them as float."
            return _Wrong(f"{name} holds the token {x.min()}", "expected whole numbers from 0", fix)
        return "tokens", x.astype(np.int64, order="C", copy=False)
    if x.ndim == 4 and x.dtype == np.uint8:
        return "image", np.ascontiguousarray(x) if channels != "last" else x
    with np.errstate(over="ignore"):
        values = x.astype(np.float32, order="C" if channels != "last" else "K", copy=False)
    kind: InputKind = "vector" if x.ndim == 2 else "sequence" if x.ndim == 3 else "image"
    return _not_finite(name, x, values) or _digits_lost(name, x) or (kind, values)


def _target(name: str, y: Array, task: AskedTask = "auto") -> tuple[Task, Array] | _Wrong:
    """The task of y, and y as (N,) int64 for classes, otherwise as (N, outputs) float32."""
    if wrong := _unusable(name, y):
        return wrong
    if task == "classification":
        return _classes(name, y, task)
    if y.dtype.kind == "f" or task == "regression":
        if y.ndim > 2:
            return _Wrong(f"{name} has the shape {y.shape}", "expected (N,) or (N, outputs)", "Reshape it.")
        with np.errstate(over="ignore"):
            values = y.reshape(len(y), -1).astype(np.float32, order="C", copy=False)
        return _not_finite(name, y, values) or _digits_lost(name, y.reshape(len(y), -1)) or ("regression", values)
    return _classes(name, y, task)


def _classes(name: str, y: Array, asked: AskedTask) -> tuple[Task, Array] | _Wrong:
    """Class numbers (N,), from whole numbers of any dtype or from one-hot rows."""
    if asked == "classification" and is_one_hot(y):
        return "classification", y.argmax(1).astype(np.int64)
    if y.dtype.kind != "f" and y.size != len(y):
        fix = f"Save the number of the class, such as {name}.argmax(1); if these are quantities, save them as float."
        remedy = put("classification", "data.task") if is_one_hot(y) else None
        fix = f'{fix[:-1]}; or set data.task = "classification".' if remedy else fix
        return _Wrong(f"{name} has the shape {y.shape}", "expected (N,) whole numbers for classes", fix, remedy=remedy)
    if y.size != len(y) or not (np.isfinite(y).all() and (y == np.floor(y)).all()):
        found = f"{name} has the shape {y.shape} and does not hold one class number in each row"
        fix = 'Save the number of each class, or set data.task = "regression".'
        return _Wrong(found, "expected whole numbers for classes", fix, "data.task")
    return "classification", y.reshape(-1).astype(np.int64, copy=False)


def _unusable(name: str, array: Array) -> _Wrong | None:
    if array.dtype.kind not in "biuf":
        of_text = name.startswith("y") and array.dtype.kind in "US"
        fix = _RENUMBER.partition(";")[0] + "." if of_text else "Save it as float32."
        return _Wrong(f"{name} is of type {array.dtype}", "expected numbers", fix)
    if array.size == 0:
        return _Wrong(f"{name} is empty", f"its shape is {array.shape}", "Save at least one sample.")
    if array.ndim == 0:
        return _Wrong(f"{name} is a single number", "expected one entry a sample", _SAVE)
    return None


_LEAST_STEPS = 100
"""Values of a column that float32 must be able to distinguish."""


def _digits_lost(name: str, given: Array) -> _Wrong | None:
    """The mistake of a column of (N, F) whose values are so far from 0 that float32 can hardly distinguish them."""
    if given.ndim != 2 or given.dtype.itemsize < 8:
        return None
    low, high = given.min(0).astype(np.float64), given.max(0).astype(np.float64)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32)).astype(np.float64)
    lost = (high > low) & (step * _LEAST_STEPS > high - low)
    if not lost.any():
        return None
    at = int(lost.argmax())
    column = f" in column {at}" if given.shape[1] > 1 else ""
    found = f"{name} goes from {low[at]:.12g} to {high[at]:.12g}{column}"
    expected = f"float32, which networks compute in, has steps of {step[at]:.3g} there"
    return _Wrong(found, expected, f"Subtract the mean in float64 before saving: {name} - {name}.mean(0).")


def _not_finite(name: str, given: Array, values: NDArray[np.float32]) -> _Wrong | None:
    # min and max propagate NaN and allocate no array.
    if given.dtype.kind != "f" or (np.isfinite(values.min()) and np.isfinite(values.max())):
        return None
    bad = ~np.isfinite(values)
    first = ", ".join(str(int(i)) for i in np.unravel_index(int(bad.argmax()), values.shape))
    value = given.reshape(values.shape)[np.unravel_index(int(bad.argmax()), values.shape)]
    count = int(bad.sum())
    what = "is too large for float32" if np.isfinite(value) else "is not finite"
    return _Wrong(
        f"{name}[{first}] = {value} {what}" + (f", and {count - 1:,} more" if count > 1 else ""),
        "expected finite numbers",
        "Remove these samples, or replace the values.",
    )


def _disagreements(arrays: dict[str, Array], kinds: dict[str, Task | InputKind]) -> list[_Wrong]:
    """Mistakes between arrays, each of which is valid alone."""
    wrong = []
    for x, y in (("x", "y"), ("x_val", "y_val")):
        if x in arrays and y in arrays and len(arrays[x]) != len(arrays[y]):
            lengths = f"{x} has {len(arrays[x]):,} samples, {y} has {len(arrays[y]):,}"
            wrong.append(_Wrong(lengths, "expected equal numbers", "Save one entry of y for each of x."))
        elif (x in arrays) != (y in arrays):
            there, missing = (x, y) if x in arrays else (y, x)
            wrong.append(_Wrong(f"there is {there} and no {missing}", "expected both or none", f"Save {missing} too."))
    for name in ("x", "y"):
        val = f"{name}_val"
        if val not in arrays:
            continue
        if kinds[name] != kinds[val]:
            found = f"{val} reads as {kinds[val]}, {name} as {kinds[name]}"
            wrong.append(_Wrong(found, "expected the same", "Save both with the same type and dimensions."))
        elif arrays[name].shape[1:] != arrays[val].shape[1:]:
            found = f"a sample of {val} has the shape {arrays[val].shape[1:]}, of {name} {arrays[name].shape[1:]}"
            wrong.append(_Wrong(found, "expected the same", "Give both the same shape."))
    return wrong or _wrong_labels(arrays, kinds)


def _wrong_labels(arrays: dict[str, Array], kinds: dict[str, Task | InputKind]) -> list[_Wrong]:
    if kinds["y"] != "classification":
        return []
    labels = np.unique(arrays["y"])
    shown = ", ".join(map(str, labels[:8].tolist())) + (f", … ({len(labels):,} in all)" if len(labels) > 8 else "")
    if labels[0] != 0 or labels[-1] != len(labels) - 1:
        return [_Wrong(f"y has the labels {shown}", "expected 0, 1, 2 and so on without a gap", _RENUMBER)]
    if len(labels) == 1:
        return [_Wrong("every y is 0", "expected at least two classes", "Add samples of another class.")]
    unknown = np.setdiff1d(arrays.get("y_val", labels), labels)
    if len(unknown):
        found = f"y_val has the label {unknown[0]}, which y does not have"
        return [_Wrong(found, f"expected 0 to {labels[-1]}", "Add samples of every class to y.")]
    return []


def _parted(
    arrays: dict[str, Array],
    kind: InputKind,
    task: Task,
    split: Split,
    given: np.dtype[Any],
    asked: AskedTask,
    odd_classes: str,
) -> Dataset:
    x, y = arrays["x"], arrays["y"]
    own_validation = "x_val" in arrays
    end = len(x) + (len(arrays["x_val"]) if own_validation else 0)
    labels = y if task == "classification" else None
    parts = split.beside((len(x), end, end), validation=own_validation, test=False, labels=labels)
    notes: list[str] = []
    if own_validation:
        x, y = np.concatenate([x, arrays["x_val"]]), np.concatenate([y, arrays["y_val"]])
        notes.append("The validation part is x_val and y_val of the file; data.validation is not used.")
    if kind == "tokens":
        notes.append("x holds rows of whole numbers and is read as tokens. Save it as float for rows of features.")
    warnings = [] if kind == "tokens" else list(array_warnings(x, given, kind, parts.train))
    if task == "regression" and asked == "auto" and is_one_hot(y):
        warnings.append(one_hot_warning(y.shape[1]))
    if task == "regression" and y.shape[1] == 1 and (y == np.floor(y)).all():
        notes.append("y holds whole numbers as float and is read as a number to predict. For classes, use integers.")
    return dataset(
        "arrays",
        task,
        kind,
        x,
        y,
        parts,
        classes=tuple(map(str, range(int(y.max()) + 1))) if task == "classification" else (),
        vocabulary_size=int(x.max()) + 1 if kind == "tokens" else None,
        notes=tuple(notes),
        warnings=tuple(warnings),
        odd_classes=odd_classes,
    )
