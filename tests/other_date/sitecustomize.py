"""Makes `time.sleep` work under libfaketime, for the variation `date` of tests/elsewhere.py.

Python sleeps until a time of the monotonic clock. libfaketime refuses that (EINVAL) where it leaves that clock alone.
"""

import select
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
