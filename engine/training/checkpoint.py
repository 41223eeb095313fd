"""Checkpoints: one folder each, written aside, fsynced and renamed, so that a folder with its name is a whole one.

    epoch-0012-step-000276/
        model.safetensors      the weights
        trainer.safetensors    the tensors beside them: optimizer, RNG states; may hold none
        state.json             what is no tensor; numbers that are not finite as "NaN", "Infinity", "-Infinity"
        manifest.json          size and SHA-256 of the three
        best                   an empty file, where this is the best so far

The best checkpoint is the newest that is marked so. A mark is one file, made in one system call, so there is no moment
at which two places disagree about which is the best.

Nothing is unpickled, and nothing is parsed before its SHA-256 was right. Tensors are stored contiguous, and tied ones
once for each name: who reads them back reapplies the memory format (channels_last) and the ties.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from errno import EINVAL, ELOOP, ENOTSUP
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.experiment.mistakes import Mistake, Refused
from engine.json_numbers import json_number
from engine.private_files import open_descriptor
from engine.runs.command_line import command_anew

Kind = Literal["last", "best"]
Tensors = Mapping[str, Tensor]

MODEL = "model.safetensors"
TRAINER = "trainer.safetensors"
STATE = "state.json"
MANIFEST = "manifest.json"
BEST = "best"

_FORMAT = "torchdeck checkpoint 1"
_STATE_HOLDS = "expected one JSON object"
_MANIFEST_MAX_BYTES = 64 << 10
_STATE_MAX_BYTES = 64 << 20
_WRITING, _REMOVING = ".writing-", ".removing-"
# The ~ is a checkpoint that is being replaced by another one of the same step: whole, and older.
_NAME = re.compile(r"epoch-(\d{4,})-step-(\d{6,})(~?)", re.ASCII)


class DamagedCheckpoint(Refused):
    """A checkpoint is not what was written: names the file, what it holds and what it should."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake)
        self.mistake = mistake


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a checkpoint holds. Every tensor is on the CPU, contiguous, and has memory of its own."""

    model: dict[str, Tensor]
    trainer: dict[str, Tensor]
    state: dict[str, Any]
    """As it was given, but for numbers that are not finite: they are strings that `float()` takes."""


def checkpoint_name(epoch: int, step: int) -> str:
    """The name of a checkpoint's folder."""
    return f"epoch-{epoch:04d}-step-{step:06d}"


def save_checkpoint(
    folder: Path, *, model: Tensors, trainer: Tensors, state: Mapping[str, Any], best: bool = False
) -> Path:
    """Write one checkpoint; when this returns it lies whole on the disk, and whatever happens before, none of it does.

    A checkpoint that has the same name is replaced, and stays until the new one is whole.

    Raises:
        OSError, SafetensorError: it could not be written; nothing is left behind.
        TypeError: `state` holds what JSON cannot.
    """
    state_json = json.dumps(as_json(state), allow_nan=False).encode()
    writing = folder.parent / f"{_WRITING}{folder.name}"
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(mode=0o700)
    try:
        _write_tensors(writing / MODEL, model)
        _write_tensors(writing / TRAINER, trainer)
        _write_bytes(writing / STATE, state_json)
        files = {name: _size_and_hash(writing / name) for name in (MODEL, TRAINER, STATE)}
        _write_bytes(writing / MANIFEST, _manifest_bytes(files))
        if best:
            _write_bytes(writing / BEST, b"")
        _sync_folder(writing)
        replaced = folder.with_name(folder.name + "~")
        if folder.exists():
            remove_checkpoint(replaced)
            folder.rename(replaced)
        writing.rename(folder)
        _sync_folder(folder.parent)
        remove_checkpoint(replaced)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise
    return folder


def load_checkpoint(folder: Path) -> Loaded:
    """Read one checkpoint back, after the size and the SHA-256 of each of its files were found right.

    Raises:
        DamagedCheckpoint: a file is missing, cut short, changed, or not what a checkpoint holds.
    """
    verify_checkpoint(folder)
    return Loaded(_load_tensors(folder / MODEL), _load_tensors(folder / TRAINER), read_state(folder))


def read_state(folder: Path) -> dict[str, Any]:
    """What is no tensor in a checkpoint that was verified.

    Raises:
        DamagedCheckpoint: it is not what a checkpoint holds.
    """
    try:
        state = json.loads(_read(folder / STATE, _STATE_MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise _damaged(folder / STATE, "the text is not JSON", _STATE_HOLDS) from error
    if not isinstance(state, dict):
        raise _damaged(folder / STATE, f"the text is a JSON {type(state).__name__}", _STATE_HOLDS)
    return state


def as_json(value: Any) -> Any:
    """A copy of `value` that JSON can hold: numbers that are not finite become strings, tuples lists.

    Raises:
        TypeError: a part of it is neither a number, a string, a boolean, None, nor a list or dict of such.
    """
    if isinstance(value, float):
        return json_number(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: as_json(item) for key, item in value.items()}
    raise TypeError(f"a checkpoint's state cannot hold {value!r} of type {type(value).__name__}")


def verify_checkpoint(folder: Path) -> None:
    """Compare every file of a checkpoint with its manifest, without parsing it.

    Raises:
        DamagedCheckpoint: as `load_checkpoint`.
    """
    manifest = _read(folder / MANIFEST, _MANIFEST_MAX_BYTES)
    try:
        files = json.loads(manifest)["files"]
        # Written in one way only, so that a changed byte anywhere in it shows.
        intact = sorted(files) == sorted((MODEL, TRAINER, STATE)) and manifest == _manifest_bytes(files)
    except (ValueError, RecursionError, TypeError, KeyError, OverflowError):
        intact = False
    if not intact:
        expected = f"expected the sizes and SHA-256 of {MODEL}, {TRAINER} and {STATE}, as they were written"
        raise _damaged(folder / MANIFEST, "the text is not a checkpoint's manifest", expected)
    for name, listed in files.items():
        path, size = folder / name, listed["bytes"]
        with os.fdopen(_open_regular(path), "rb", buffering=0) as file:
            found = os.fstat(file.fileno()).st_size
            if found != size:
                raise _damaged(path, f"the file has {found:,} bytes", f"{size:,} were written")
            try:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(path, error) from error
        if digest != listed["sha256"]:
            written = f"that of what was written is {listed['sha256'][:16]}…"
            raise _damaged(path, f"its SHA-256 is {digest[:16]}…", written)


def newest_checkpoint(
    checkpoints: Path, *, kind: Kind = "last", on_damaged: Callable[[Mistake], None] | None = None
) -> Path | None:
    """The newest whole checkpoint, or the newest whole one that is marked as the best; None when there is none.

    A damaged one is passed over for the one before it; `on_damaged` is told what is wrong with it.
    """
    for folder in reversed(checkpoints_in(checkpoints)):
        if kind == "best" and not (folder / BEST).exists():
            continue
        try:
            verify_checkpoint(folder)
        except DamagedCheckpoint as damage:
            if on_damaged is not None:
                on_damaged(damage.mistake)
        else:
            return folder
    return None


def _write_tensors(path: Path, tensors: Tensors) -> None:
    owned: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        # safetensors refuses tensors that share memory.
        if plain.numel() and plain.untyped_storage().data_ptr() in storages:
            plain = plain.clone()
        storages.add(plain.untyped_storage().data_ptr())
        owned[name] = plain
    save_file(owned, path, metadata={"format": "pt"})
    path.chmod(0o600)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_bytes(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(descriptor)


def mark_best(folder: Path) -> None:
    """Mark a checkpoint that lies on the disk as the best so far."""
    os.close(open_descriptor(folder / BEST, os.O_WRONLY | os.O_CREAT))
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; there is nothing else to ask of them.
        if error.errno not in (EINVAL, ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _size_and_hash(path: Path) -> dict[str, Any]:
    with path.open("rb", buffering=0) as file:
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _manifest_bytes(files: dict[str, Any]) -> bytes:
    listed = {n: {"bytes": int(files[n]["bytes"]), "sha256": str(files[n]["sha256"])} for n in (MODEL, TRAINER, STATE)}
    return json.dumps({"format": _FORMAT, "files": listed}, indent=2).encode() + b"\n"


def _open_regular(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise _damaged(path, "the file is missing", "a whole checkpoint has one") from error
    except OSError as error:
        if error.errno == ELOOP:
            raise _damaged(path, "this is a link", "expected the file itself") from error
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _damaged(path, "this is not a regular file", "expected one that can be read")
    return descriptor


def _read(path: Path, max_bytes: int) -> bytes:
    with os.fdopen(_open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise _damaged(path, f"the file has {size:,} bytes", f"expected at most {max_bytes:,}")
        try:
            return file.read(max_bytes)
        except OSError as error:
            raise _unreadable(path, error) from error


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        # Cloned, since a tensor that maps the file is not aligned for vector instructions.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        expected = "expected the tensors that were written"
        raise _damaged(path, f"the file is not safetensors ({reason_of(error)})", expected) from error


def _unreadable(path: Path, error: OSError) -> DamagedCheckpoint:
    return _damaged(path, f"the file cannot be read ({reason_of(error)})", "expected one that can")


def _damaged(path: Path, found: str, expected: str) -> DamagedCheckpoint:
    return DamagedCheckpoint(Mistake(str(path), found, expected, _without(path.parent)))


def _without(folder: Path) -> str:
    """What to do where a checkpoint is of no use."""
    before = [other for other in checkpoints_in(folder.parent) if position(other.name) < position(folder.name)]
    if before:
        return f"Delete the folder {folder.name}, and the run resumes from {before[-1].name}."
    return f"No checkpoint is before it, so train the run anew: `{command_anew(folder.parent.parent)}`."


def not_of_this_run(folder: Path, error: BaseException) -> DamagedCheckpoint:
    """The refusal of a checkpoint that is whole, but holds something else than the run needs; `error` is how it showed.

    Its hashes are right, so it was written so: by another version, for another experiment, or by a stranger.
    """
    lines = str(error).strip().splitlines() or [""]
    found = f"it is whole, but not a checkpoint of this experiment ({type(error).__name__}: {lines[0][:200]})"
    return DamagedCheckpoint(Mistake(str(folder), found, "", _without(folder)))


def reason_of(error: BaseException) -> str:
    """Why a file could not be written or read, in the system's own words: "No space left on device"."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, SafetensorError) and (code := re.search(r"os error (\d+)", str(error))):
        number = int(code.group(1))
    return os.strerror(number) if number else str(error) or type(error).__name__


def position(name: str) -> tuple[int, int, bool]:
    """Where in the run the checkpoint of this name stands: names sorted by it are in the order of the run."""
    match = _NAME.fullmatch(name)
    return (int(match[2]), int(match[1]), not match[3]) if match else (-1, -1, False)


def checkpoints_in(checkpoints: Path) -> list[Path]:
    """The checkpoints in a folder, whole or not, oldest first."""
    try:
        names = [entry.name for entry in os.scandir(checkpoints) if entry.is_dir() and _NAME.fullmatch(entry.name)]
    except OSError:
        return []
    return [checkpoints / name for name in sorted(names, key=position)]


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, if it is there."""
    # Renamed first: a folder that is half removed must not look like a checkpoint that is damaged.
    going = folder.with_name(f"{_REMOVING}{folder.name}")
    shutil.rmtree(going, ignore_errors=True)
    with suppress(OSError):
        folder.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def remove_leftovers(checkpoints: Path) -> None:
    """Remove what a process that was killed had not finished; put back what it was about to replace."""
    with suppress(OSError):
        for entry in list(os.scandir(checkpoints)):
            if entry.name.startswith((_WRITING, _REMOVING)):
                shutil.rmtree(entry.path, ignore_errors=True)
    for folder in checkpoints_in(checkpoints):
        if folder.name.endswith("~"):
            name = folder.with_name(folder.name.removesuffix("~"))
            if name.exists():
                remove_checkpoint(folder)
            else:
                with suppress(OSError):
                    folder.rename(name)
