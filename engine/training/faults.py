"""What went wrong in a run, as one plain sentence with what to do."""

from __future__ import annotations

import errno

from engine.experiment.mistakes import Refused
from engine.training.device_memory import is_out_of_memory
from engine.training.finite import NotFinite
from engine.training.loader import CannotRead
from engine.training.recovery import OutOfMemory


def sentence(error: BaseException) -> str:
    """What a person should read about an error that ended a run; the traceback goes to a log, not to them."""
    if isinstance(error, (CannotRead, NotFinite, OutOfMemory, Refused)):
        return str(error)
    if is_out_of_memory(error):
        return "The device ran out of memory. Lower data.batch_size, or set training.amp to bfloat16."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full ({error.filename or 'while writing'}). Make room and resume."
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
