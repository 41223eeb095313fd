"""Run work in threads, for functions that release the interpreter lock, such as image decoding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from engine.devices import available_cores

A = TypeVar("A")
B = TypeVar("B")

MOST_THREADS = 16


def parallel_map(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield `work(item)` for each item, in order. Only a few results are computed ahead of the consumer."""
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
        finally:  # also if the consumer stops early
            pool.shutdown(wait=True, cancel_futures=True)
