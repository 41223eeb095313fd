"""When the deck may draw a frame: it limits its use of a core and of the line to the terminal."""

from __future__ import annotations

BUDGET = 0.02
"""The share of a core that drawing may use."""
BYTES_PER_S = 4500.0
"""The bytes per second that drawing may write; a slow line carries about 5 kB/s."""
LONGEST_WAIT_S = 4.0
MOST_SAVED_S = 0.05
MOST_SAVED_BYTES = 2000.0
FIRST_FRAMES_S = 1.0
"""After the start of a run or a change of size, drawing is not counted for this long: the layout is new, and curves
change most."""


class Allowance:
    """A resource that time earns and drawing spends. Drawing is allowed while the balance is not negative."""

    def __init__(self, per_s: float, *, most_saved: float) -> None:
        self._per_s = per_s
        self._most_saved = most_saved
        self._balance = 0.0
        self._spent: float | None = None

    def settle(self, seconds: float, spent: float) -> None:
        """Add what `seconds` earned and subtract what was spent; `spent` is the total since the start."""
        earned = seconds * self._per_s - (spent - (self._spent or 0.0))
        # A slow frame does not stop drawing for long, and a long pause does not allow a burst.
        self._balance = min(max(self._balance + earned, -LONGEST_WAIT_S * self._per_s), self._most_saved)
        self._spent = spent

    def forget(self, spent: float) -> None:
        """Do not count what was spent since the last call."""
        self._spent = spent

    def forgive(self) -> None:
        """Clear a negative balance."""
        self._balance = max(self._balance, 0.0)

    @property
    def left(self) -> bool:
        """Whether the balance is not negative."""
        return self._balance >= 0


class FrameBudget:
    """Spaces frames so that drawing uses no more than its share of a core and of the line to the terminal.

    It counts everything that the deck's thread computes and writes, including Textual's part.
    """

    def __init__(self, share: float = BUDGET, bytes_per_s: float = BYTES_PER_S) -> None:
        self._allowances = (
            Allowance(share, most_saved=MOST_SAVED_S),
            Allowance(bytes_per_s, most_saved=MOST_SAVED_BYTES),
        )
        self._seen_s: float | None = None
        self._free_until_s = -float("inf")

    def begin(self, now_s: float) -> None:
        """Do not count the first frames after a new layout."""
        for allowance in self._allowances:
            allowance.forgive()
        self._free_until_s = now_s + FIRST_FRAMES_S

    def due(self, now_s: float, spent_s: float, written_bytes: int = 0) -> bool:
        """Whether a frame may be drawn at `now_s`, given the thread's total CPU time and written bytes."""
        counts = self._seen_s is not None and now_s > self._free_until_s
        for allowance, spent in zip(self._allowances, (spent_s, written_bytes), strict=True):
            if counts:
                allowance.settle(now_s - (self._seen_s or 0.0), spent)
            else:
                allowance.forget(spent)
        self._seen_s = now_s
        return all(allowance.left for allowance in self._allowances)
