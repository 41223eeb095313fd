"""`commands.jsonl`: the commands of viewers to a session, one a line, each appended in one write."""

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
from engine.runs.paths import COMMANDS

LINE_MAX_BYTES = 4096
_READ_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that is not a command."""

    line: str
    """The line, shortened; it may contain anything."""
    reason: str
    """Why it was ignored, as one sentence."""


class CommandReader:
    """Reads the new commands of a run, each line once.

    Args:
        path: the commands file; it need not exist yet.
        skip_existing: skip the commands that are there now, which were for an earlier session.
        read: skip this many bytes, which the session that hands over the run has read.
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
        """Bytes of the file that were read, up to the end of a line."""
        return self._offset - len(self._rest)

    def read(self) -> list[Command | RejectedLine]:
        """Read the commands since the last call. Never raises; costs an open and a stat when there are none.

        The file is opened each time, since only then a network file system checks for what others wrote.
        """
        try:
            new = self._new_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            why = "it is a link" if error.errno == ELOOP else error.strerror or str(error)
            return self._refuse(f"Commands in {self._path} are ignored: {why}.")
        except _NotOwnFile as error:
            return self._refuse(str(error))
        if not new:
            return []
        self._refusal = ""
        *lines, self._rest = (self._rest + new).split(b"\n")
        found = [command for line in lines if (command := self._parse(line)) is not None]
        if len(self._rest) > LINE_MAX_BYTES:
            if not self._too_long:
                found.append(_rejected(self._rest, f"it is longer than {LINE_MAX_BYTES:,} bytes"))
            self._too_long, self._rest = True, b""
        return found

    def _new_bytes(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise _NotOwnFile(f"Commands in {self._path} are ignored: it is not a file of this user.")
            if status.st_size < self._offset:
                self._offset, self._rest, self._too_long = 0, b"", False
            if status.st_size == self._offset:
                return b""
            new = os.pread(descriptor, _READ_MAX_BYTES, self._offset)
            self._offset += len(new)
            return new
        finally:
            os.close(descriptor)

    def _parse(self, line: bytes) -> Command | RejectedLine | None:
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


class _NotOwnFile(Exception):
    """The commands file is a pipe, or belongs to another user."""


def send_command(path: Path, command: Command) -> None:
    """Append a command to the commands file at `path` in one write, so that lines of several viewers never mix.

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
                # A viewer was interrupted in the middle of a line, which must not become part of this one.
                line = b"\n" + line
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        found = f"the command {command.command!r} cannot be sent ({error.strerror or error})"
        fix = "Check that the run's folder is still there, that it is yours, and that the disk is not full."
        raise Refused(Mistake(str(path), found, "", fix)) from error
    if written < len(line):
        found = f"the command {command.command!r} was cut off; the disk is full"
        raise Refused(Mistake(str(path), found, "", "Free some space, then send it again."))


def _why(line: bytes, error: ValueError) -> str:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        return 'it is not an object with a "command"'
    name = request["command"]
    if name not in NAMES:
        meant = nearest(name[:64], NAMES)
        hint = f"did you mean {meant}?" if meant else f"use one of {', '.join(NAMES)}"
        return f"{name[:64]!r} is not a command; {hint}"
    if name == "set_lr":
        return '"value" must be a number above 0'
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not a command"


def _rejected(line: bytes, reason: str) -> RejectedLine:
    text = line[:120].decode(errors="replace")
    return RejectedLine(text, f"A line of {COMMANDS} was ignored: {reason}{'' if reason.endswith('?') else '.'}")
