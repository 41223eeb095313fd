"""Watching a run from another process: every event once, in order, whatever the state of the file."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol.events import Event, Log
from engine.runs import Follower


def lines(*texts: str) -> bytes:
    return b"".join(Log(message=text).to_json().encode() + b"\n" for text in texts)


def texts(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Log)]


def write(path: Path, content: bytes) -> None:
    with (path / "events.jsonl").open("ab") as file:
        file.write(content)


def test_events_arrive_once_and_in_order(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    write(tmp_path, lines("a", "b"))
    assert texts(follower.drain()) == ["a", "b"]
    assert follower.drain() == []
    write(tmp_path, lines("c"))
    assert texts(follower.drain()) == ["c"]
    assert follower.caught_up


def test_a_run_without_events_is_waited_for(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "soon")
    assert follower.drain() == [] and follower.caught_up
    (tmp_path / "soon").mkdir()
    assert follower.drain() == []
    write(tmp_path / "soon", lines("a"))
    assert texts(follower.drain()) == ["a"]


@given(cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_every_event_arrives_once_wherever_writes_are_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("run")
    content = lines("one", "zwei ü", "三") + b"not json\n" + lines("four")
    places = [0, *sorted(cut % len(content) for cut in cuts), len(content)]
    follower, found = Follower(path), []
    for begin, end in pairwise(places):
        write(path, content[begin:end])
        found += texts(follower.drain())
    assert found == ["one", "zwei ü", "三", "four"]
    assert follower.skipped_lines == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"{}\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"\0" * 100 + b"\n",
        b'{"event": "of a later version", "time": 1}\n',
        b'{"event": "step", "time": 1}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_lines_that_are_not_events_are_skipped_and_counted(tmp_path: Path, garbage: bytes) -> None:
    write(tmp_path, lines("a") + garbage + b"\n\n" + lines("b"))
    follower = Follower(tmp_path)
    assert texts(follower.drain()) == ["a", "b"]
    assert follower.skipped_lines == 1


def test_a_file_that_became_shorter_is_read_from_its_beginning(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    write(tmp_path, lines("a", "b") + b'{"torn')
    follower.drain()
    (tmp_path / "events.jsonl").write_bytes(lines("new"))
    assert texts(follower.drain()) == ["new"]
    assert follower.skipped_lines == 0


def test_a_long_run_is_read_in_parts(tmp_path: Path) -> None:
    names = [f"{number} " + "x" * 200 for number in range(20_000)]
    write(tmp_path, lines(*names))
    follower = Follower(tmp_path)
    first = texts(follower.drain())
    assert 0 < len(first) < 10_000 and not follower.caught_up
    found, calls = first, 1
    while not follower.caught_up:
        found += texts(follower.drain())
        calls += 1
    assert found == names and calls < 10


def test_a_line_longer_than_any_event_is_skipped_and_takes_no_memory(tmp_path: Path) -> None:
    write(tmp_path, lines("a"))
    follower = Follower(tmp_path)
    follower.drain()
    for _ in range(18):
        write(tmp_path, b"x" * (1 << 20))
        assert follower.drain() == []
    write(tmp_path, b"the end of it\n" + lines("b"))
    assert texts(follower.drain()) == ["b"]
    assert follower.skipped_lines == 1


def test_a_link_a_pipe_or_a_folder_has_no_events_and_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("link", "pipe", "folder"):
        (tmp_path / name).mkdir()
    write(tmp_path / "folder", b"")
    (tmp_path / "folder" / "events.jsonl").unlink()
    (tmp_path / "link" / "events.jsonl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe" / "events.jsonl")
    (tmp_path / "folder" / "events.jsonl").mkdir()
    for name in ("link", "pipe", "folder"):
        assert Follower(tmp_path / name).drain() == []
