"""Save and load checkpoints. Each is one folder, written under another name, fsynced and renamed, so it is complete.

    epoch-0012-step-000276/
        model.safetensors      the weights
        trainer.safetensors    other tensors: optimizer, RNG states; may be empty
        state.json             plain data; non-finite numbers as "NaN", "Infinity", "-Infinity"
        manifest.json          size and SHA-256 of these three files
        best                   an empty file, present if this is the best checkpoint so far

The best checkpoint is the newest one marked as best. The mark is one file, created in one system call, so two places
can never disagree about which checkpoint is the best.

Nothing is unpickled, and no file is parsed before its SHA-256 is verified. Tensors are stored contiguous. A tied tensor
is stored once for each of its names. The reader restores the memory format (channels_last) and the ties.
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
from errno import ELOOP
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.experiment.mistakes import Mistake, Refused
from engine.json_numbers import json_number
from engine.private_files import open_descriptor, sync_folder, write_new
from engine.runs.paths import retrain_command
from engine.training.learner import Position

Kind = Literal["last", "best"]
Tensors = Mapping[str, Tensor]

MODEL = "model.safetensors"
TRAINER = "trainer.safetensors"
STATE = "state.json"
MANIFEST = "manifest.json"
BEST = "best"

_FORMAT = "torchdeck checkpoint 1"
_STATE_HOLDS = "one JSON object is expected"
_MANIFEST_MAX_BYTES = 64 << 10
_STATE_MAX_BYTES = 64 << 20
_WRITING, _REMOVING = ".writing-", ".removing-"
# A name that ends in ~ is a complete, older checkpoint that is being replaced by one of the same step.
_NAME = re.compile(r"epoch-(\d{4,})-step-(\d{6,})(~?)", re.ASCII)


class DamagedCheckpoint(Refused):
    """A checkpoint differs from what was written. Names the file, what was found and what is expected."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake)
        self.mistake = mistake


@dataclass(frozen=True, slots=True)
class CheckpointState:
    """The content of a checkpoint: taken from a loop, saved, loaded and restored into a loop.

    Every tensor is contiguous, on the CPU, and shares its memory with no tensor of the loop.
    """

    model: dict[str, Tensor]
    """The weights of the model, as `state_dict` names them; the averaged weights if the run has an average."""
    trainer: dict[str, Tensor]
    """Other tensors: optimizer state, RNG states, metrics, and the trained weights where `model` holds the average."""
    state: dict[str, Any]
    """Plain data for JSON. In a loaded state, non-finite numbers are strings that `float()` accepts."""

    @property
    def position(self) -> Position:
        """The position of the run.

        Raises:
            KeyError, TypeError: The checkpoint was written by another program.
        """
        return Position(**self.state["position"])

    @property
    def averaged(self) -> bool:
        """Whether `model` holds averaged weights."""
        average = self.state["average"]
        return average is not None and average["count"] > 0


def checkpoint_name(epoch: int, step: int) -> str:
    """Return the name of the folder of a checkpoint."""
    return f"epoch-{epoch:04d}-step-{step:06d}"


def save_checkpoint(folder: Path, saved: CheckpointState, *, best: bool = False) -> Path:
    """Write a checkpoint. When this returns, it is complete on disk. If it fails, nothing of it is on disk.

    A checkpoint with the same name is replaced. It stays until the new one is complete.

    Args:
        folder: The folder of this checkpoint; see `checkpoint_name`.
        saved: The content.
        best: Whether to mark it as the best checkpoint so far.

    Raises:
        OSError, SafetensorError: The checkpoint cannot be written; nothing is left behind.
        TypeError: `saved.state` contains a value that JSON cannot represent.
    """
    state_json = json.dumps(as_json(saved.state), allow_nan=False).encode()
    writing = folder.parent / f"{_WRITING}{folder.name}"
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(mode=0o700)
    try:
        _write_tensors(writing / MODEL, saved.model)
        _write_tensors(writing / TRAINER, saved.trainer)
        write_new(writing / STATE, state_json)
        files = {name: _size_and_hash(writing / name) for name in (MODEL, TRAINER, STATE)}
        write_new(writing / MANIFEST, _manifest_bytes(files))
        if best:
            write_new(writing / BEST, b"")
        sync_folder(writing)
        replaced = folder.with_name(folder.name + "~")
        if folder.exists():
            remove_checkpoint(replaced)
            folder.rename(replaced)
        writing.rename(folder)
        sync_folder(folder.parent)
        remove_checkpoint(replaced)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise
    return folder


def load_checkpoint(folder: Path) -> CheckpointState:
    """Read a checkpoint, after verifying the size and the SHA-256 of each of its files.

    Raises:
        DamagedCheckpoint: A file is missing, truncated or changed, or is not a file of a checkpoint.
    """
    verify_checkpoint(folder)
    return CheckpointState(_load_tensors(folder / MODEL), _load_tensors(folder / TRAINER), read_state(folder))


def read_state(folder: Path) -> dict[str, Any]:
    """Read the plain data of a verified checkpoint.

    Raises:
        DamagedCheckpoint: The file is not the JSON object of a checkpoint.
    """
    try:
        state = json.loads(_read(folder / STATE, _STATE_MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise _damaged(folder / STATE, "the text is not JSON", _STATE_HOLDS) from error
    if not isinstance(state, dict):
        raise _damaged(folder / STATE, f"the text is a JSON {type(state).__name__}", _STATE_HOLDS)
    return state


def as_json(value: Any) -> Any:
    """Copy `value` for JSON: non-finite numbers become strings, tuples become lists.

    Raises:
        TypeError: A part of `value` is not a number, string, boolean, None, list or dict.
    """
    if isinstance(value, float):
        return json_number(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: as_json(item) for key, item in value.items()}
    raise TypeError(f"a checkpoint cannot store {value!r} of type {type(value).__name__}")


def verify_checkpoint(folder: Path) -> None:
    """Compare every file of a checkpoint with its manifest, without parsing the files.

    Raises:
        DamagedCheckpoint: As for `load_checkpoint`.
    """
    manifest = _read(folder / MANIFEST, _MANIFEST_MAX_BYTES)
    try:
        files = json.loads(manifest)["files"]
        # A manifest has exactly one spelling, so any changed byte shows.
        intact = sorted(files) == sorted((MODEL, TRAINER, STATE)) and manifest == _manifest_bytes(files)
    except (ValueError, RecursionError, TypeError, KeyError, OverflowError):
        intact = False
    if not intact:
        expected = f"the sizes and SHA-256 of {MODEL}, {TRAINER} and {STATE} are expected"
        raise _damaged(folder / MANIFEST, "the text is not the manifest of a checkpoint", expected)
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
            written = f"the SHA-256 of the written file is {listed['sha256'][:16]}…"
            raise _damaged(path, f"its SHA-256 is {digest[:16]}…", written)


def newest_checkpoint(
    checkpoints: Path, *, kind: Kind = "last", on_damaged: Callable[[Mistake], None] | None = None
) -> Path | None:
    """Return the newest intact checkpoint, or the newest intact one marked as best; None if there is none.

    Damaged checkpoints are skipped; `on_damaged` is called with what is wrong with each.
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
        # safetensors rejects tensors that share memory.
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


def mark_best(folder: Path) -> None:
    """Mark a checkpoint on disk as the best so far."""
    os.close(open_descriptor(folder / BEST, os.O_WRONLY | os.O_CREAT))
    sync_folder(folder)


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
        raise _damaged(path, "the file is missing", "a complete checkpoint has one") from error
    except OSError as error:
        if error.errno == ELOOP:
            raise _damaged(path, "this is a link", "the file itself is expected") from error
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _damaged(path, "this is not a regular file", "a regular file is expected")
    return descriptor


def _read(path: Path, max_bytes: int) -> bytes:
    with os.fdopen(_open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise _damaged(path, f"the file has {size:,} bytes", f"at most {max_bytes:,} are expected")
        try:
            return file.read(max_bytes)
        except OSError as error:
            raise _unreadable(path, error) from error


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        # Cloned, because a tensor that maps the file is not aligned for vector instructions.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        expected = "the saved tensors are expected"
        raise _damaged(path, f"the file is not safetensors ({reason_of(error)})", expected) from error


def _unreadable(path: Path, error: OSError) -> DamagedCheckpoint:
    return _damaged(path, f"the file cannot be read ({reason_of(error)})", "a readable file is expected")


def _damaged(path: Path, found: str, expected: str) -> DamagedCheckpoint:
    return DamagedCheckpoint(Mistake(str(path), found, expected, _fix_without(path.parent)))


def _fix_without(folder: Path) -> str:
    """What the user can do if a checkpoint cannot be used."""
    before = [other for other in checkpoints_in(folder.parent) if sort_key(other.name) < sort_key(folder.name)]
    if before:
        return f"Delete the folder {folder.name}, then resume from {before[-1].name}."
    return f"There is no earlier checkpoint; train again from the start: `{retrain_command(folder.parent.parent)}`."


def not_of_this_run(folder: Path, error: BaseException) -> DamagedCheckpoint:
    """Return the error for an intact checkpoint that does not fit the run; `error` is what restoring it raised.

    Its hashes are right, so it was written by another version, for another experiment, or by another program.
    """
    lines = str(error).strip().splitlines() or [""]
    found = f"it is intact, but not a checkpoint of this experiment ({type(error).__name__}: {lines[0][:200]})"
    return DamagedCheckpoint(Mistake(str(folder), found, "", _fix_without(folder)))


def reason_of(error: BaseException) -> str:
    """Why a file could not be read or written, as the system reports it: "No space left on device"."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, SafetensorError) and (code := re.search(r"os error (\d+)", str(error))):
        number = int(code.group(1))
    return os.strerror(number) if number else str(error) or type(error).__name__


def sort_key(name: str) -> tuple[int, int, bool]:
    """Step, epoch, and whether it is not being replaced: names sorted by this key are in the order of the run."""
    match = _NAME.fullmatch(name)
    return (int(match[2]), int(match[1]), not match[3]) if match else (-1, -1, False)


def checkpoints_in(checkpoints: Path) -> list[Path]:
    """Return the checkpoints in a folder, intact or damaged, oldest first."""
    try:
        names = [entry.name for entry in os.scandir(checkpoints) if entry.is_dir() and _NAME.fullmatch(entry.name)]
    except OSError:
        return []
    return [checkpoints / name for name in sorted(names, key=sort_key)]


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, if it exists."""
    # Renamed first: a partly removed folder must not look like a damaged checkpoint.
    removing = folder.with_name(f"{_REMOVING}{folder.name}")
    shutil.rmtree(removing, ignore_errors=True)
    with suppress(OSError):
        folder.rename(removing)
    shutil.rmtree(removing, ignore_errors=True)


def remove_leftovers(checkpoints: Path) -> None:
    """Remove what a killed process left unfinished, and restore what it was about to replace."""
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
