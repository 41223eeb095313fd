"""`commands.jsonl`: what viewers ask of a session, one command a line, appended in one write each."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from errno import ELOOP
from pathlib import Path

from pydantic import ValidationError

from engine.experiment.mistakes import Mistake, Refused, nearest
from engine.protocol.commands import NAMES, Command, command_from_json

COMMANDS = "commands.jsonl"

LINE_MAX_BYTES = 4096
_READ_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that is not a command."""

    line: str
    """The line as it stands, shortened; it may hold anything."""
    reason: str
    """Why it was not taken, as one sentence."""


class CommandReader:
    """Reads what is new in a run's commands, each line once.

    Args:
        path: The commands file; it need not exist yet.
        skip_existing: Begin after what is there now: commands that were meant for a session that is gone.
        read: Begin after so many bytes, which the session before has read, when it handed the run over.
    """

    def __init__(self, path: Path, *, skip_existing: bool, read: int | None = None) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._too_long = False
        self._refusal = ""
        if read is not None:
            self._offset = read
        elif skip_existing:
            try:
                self._offset = path.stat().st_size
            except OSError:
                self._offset = 0

    @property
    def bytes_read(self) -> int:
        """How much of the file, up to the end of a line, has been read."""
        return self._offset - len(self._rest)

    def read(self) -> list[Command | RejectedLine]:
        """The commands that were sent since the last call. Never raises; costs an open and a stat when there are none.

        The file is opened anew each time, which is what makes a network file system look for what others wrote.
        """
        try:
            new = self._new_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            why = "it is a link" if error.errno == ELOOP else error.strerror or str(error)
            return self._refuse(f"No command is taken from {self._path}: {why}.")
        except _NotOurs as error:
            return self._refuse(str(error))
        if not new:
            return []
        self._refusal = ""
        *lines, self._rest = (self._rest + new).split(b"\n")
        answers = [answer for line in lines if (answer := self._answer(line)) is not None]
        if len(self._rest) > LINE_MAX_BYTES:
            if not self._too_long:
                answers.append(_rejected(self._rest, f"it is longer than {LINE_MAX_BYTES:,} bytes"))
            self._too_long, self._rest = True, b""
        return answers

    def _new_bytes(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise _NotOurs(f"No command is taken from {self._path}: it is not a file of this user.")
            if status.st_size < self._offset:
                self._offset, self._rest, self._too_long = 0, b"", False
            if status.st_size == self._offset:
                return b""
            new = os.pread(descriptor, _READ_MAX_BYTES, self._offset)
            self._offset += len(new)
            return new
        finally:
            os.close(descriptor)

    def _answer(self, line: bytes) -> Command | RejectedLine | None:
        if self._too_long:
            self._too_long = False
            return None
        if not line.strip():
            return None
        if len(line) > LINE_MAX_BYTES:
            return _rejected(line, f"it is longer than {LINE_MAX_BYTES:,} bytes")
        try:
            return command_from_json(line)
        except ValueError as error:
            return _rejected(line, _why(line, error))

    def _refuse(self, reason: str) -> list[Command | RejectedLine]:
        if reason == self._refusal:
            return []
        self._refusal = reason
        return [RejectedLine("", reason)]


class _NotOurs(Exception):
    """The commands file is a link, a pipe, or somebody else's."""


def send_command(path: Path, command: Command) -> None:
    """Append one command to the commands file at `path`, as one write, so that lines of several viewers never mix.

    Raises:
        Refused: it cannot be written.
    """
    line = command.to_json().encode() + b"\n"
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is not a regular file")
            size = status.st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # Somebody was cut off in the middle of a line; what follows must not become part of it.
                line = b"\n" + line
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        found = f"the command {command.command!r} cannot be sent ({error.strerror or error})"
        fix = "Check that the run's folder is still there, that it is yours, and that the disk is not full."
        raise Refused(Mistake(str(path), found, "", fix)) from error
    if written < len(line):
        fix = "Free some space, then send it again."
        raise Refused(Mistake(str(path), f"the command {command.command!r} was cut off, the disk is full", "", fix))


def _why(line: bytes, error: ValueError) -> str:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(asked, dict) or not isinstance(asked.get("command"), str):
        return 'it is not an object with a "command"'
    name = asked["command"]
    if name not in NAMES:
        meant = nearest(name[:64], NAMES)
        hint = f"did you mean {meant}?" if meant else f"take one of {', '.join(NAMES)}"
        return f"{name[:64]!r} is no command, {hint}"
    if name == "set_lr":
        return '"value" must be a number above 0'
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not a command"


def _rejected(line: bytes, reason: str) -> RejectedLine:
    text = line[:120].decode(errors="replace")
    return RejectedLine(text, f"A line of {COMMANDS} was not taken: {reason}{'' if reason.endswith('?') else '.'}")
