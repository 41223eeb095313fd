"""Work that threads do side by side, where what takes the time lets go of the interpreter, as decoding does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from engine.devices import available_cores

A = TypeVar("A")
B = TypeVar("B")

MOST_THREADS = 16


def side_by_side(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """What `work` makes of each item, in the order of the items. Only a few results wait for whoever takes them."""
    threads = max(2, min(MOST_THREADS, available_cores()))
    pending: deque[Future[B]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="data") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # also where the taker gives up
            pool.shutdown(wait=True, cancel_futures=True)
