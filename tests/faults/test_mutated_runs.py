"""Run directories changed at random are listed, shown, watched and resumed: a sentence at worst, never a traceback.

`TORCHDECK_MUTATED_RUNS=5000` runs as many as that; `make mutations` does.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.experiment import Refused, reads
from engine.plan import check
from engine.protocol.events import Log, Reason
from engine.runs import Follower
from engine.runs.run_state import epoch_metrics
from engine.training.checkpoint import mark_best
from engine.training.session import Session
from tui.cli import app
from tui.feed import Feed

MUTATIONS = int(os.environ.get("TORCHDECK_MUTATED_RUNS", "20"))
RUN = """
[data]
source = "digits"
batch_size = 512
[model]
layers = ["Flatten", {type = "Linear", out_features = "auto"}]
[training]
epochs = 2
threads = 1
checkpoint_every_s = 0.001
"""
LONGEST_S = 30
ODD = (
    *(b"", b"\0" * 100, b"\xff\xfe", b"\x1b]0;owned\x07\x1b[2J", b"[" * 5000, b'{"a":' * 2000, b"NaN", b"1e999", b"-1"),
    *(b"null", b"true", b'"\\ud800"', b"../../outside", b"/etc/passwd", b"9" * 5000, b"\n" * 1000, b"a" * 100_000),
    b'{"event":"epoch","time":0,"epoch":1e300,"step":-5,"train_loss":"NaN","lr":null,"seconds":"x","samples_per_s":0}\n',
    b'{"event":"finished","time":"x"}\n',
    b'{"command":"set_lr","value":1e-3}\n',
    b'{"command":"stop"}{"command":"stop"}\n',
)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interrupted run with checkpoints."""
    folder = tmp_path_factory.mktemp("interrupted")
    session = Session.create(check(reads(RUN)), runs_dir=folder)
    session.start()
    assert session.join(60)
    return session.directory


class Hung(BaseException):
    """Not an Exception, so that nothing takes it for a file that cannot be read."""


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """End the test if a command or function does not return."""

    def hung(*_: object) -> None:
        raise Hung(f"no answer within {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, hung)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def mutate(run: Path, dice: random.Random) -> str:
    """Change one file of a run; returns which and how."""
    files = sorted(p for p in run.rglob("*") if p.is_file() and not p.is_symlink())
    names = ("events.jsonl", "commands.jsonl", "environment.json", "experiment.toml", "data.json")
    # What an earlier change replaced by a link, a pipe or a folder is left as it is.
    likely = [run / name for name in names if run / name in files or not os.path.lexists(run / name)]
    file = dice.choice([*dice.choices(likely or files, k=1), *dice.choices(files, k=2)])
    content = file.read_bytes() if file.exists() else b""
    at, other = sorted(dice.choices(range(len(content) + 1), k=2))
    odd = dice.choice(ODD)
    flipped = bytes(byte ^ 1 << dice.randrange(8) for byte in content[at : at + 1])
    secret = run.parent.parent / "outside" / "secret"
    changes: list[tuple[str, Callable[[], object]]] = [
        ("cut off", lambda: file.write_bytes(content[:at])),
        ("a piece taken out", lambda: file.write_bytes(content[:at] + content[other:])),
        ("a piece doubled", lambda: file.write_bytes(content[:other] + content[at:])),
        ("something put in", lambda: file.write_bytes(content[:at] + odd + content[at:])),
        ("a piece replaced", lambda: file.write_bytes(content[:at] + odd + content[other:])),
        ("a bit flipped", lambda: file.write_bytes(content[:at] + flipped + content[at + 1 :])),
        ("replaced", lambda: file.write_bytes(odd)),
        ("removed", lambda: file.unlink(missing_ok=True)),
        ("made a folder", lambda: (file.unlink(missing_ok=True), file.mkdir())),
        ("made a link out", lambda: (file.unlink(missing_ok=True), file.symlink_to(secret))),
        ("made a pipe", lambda: (file.unlink(missing_ok=True), os.mkfifo(file))),
        ("made unreadable", lambda: file.exists() and file.chmod(0)),
        ("a value changed", lambda: file.write_bytes(_other_value(content, dice))),
    ]  # fmt: skip
    what, change = dice.choice(changes)
    change()
    return f"{file.relative_to(run)}: {what}"


def _other_value(content: bytes, dice: random.Random) -> bytes:
    """Replace a value in a line of JSON."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    i = dice.randrange(len(lines))
    try:
        value = json.loads(lines[i])
        key = dice.choice(list(value))
        value[key] = dice.choice(
            [None, -1, 1e308, "x" * 10_000, [], {}, "../../outside", "\x1b[31m", True, [[[]]] * 50]
        )
        lines[i] = json.dumps(value).encode() + b"\n"
    except (ValueError, TypeError, IndexError, RecursionError):
        lines[i] = dice.choice(ODD)
    return b"".join(lines)


def output_of(*arguments: str) -> str:
    """The output of a command, which ends with an exit status of torchdeck."""
    signal.alarm(LONGEST_S)
    result = CliRunner().invoke(app, list(arguments))
    signal.alarm(0)
    if result.exception is not None and not isinstance(result.exception, (SystemExit, Refused)):
        raise result.exception
    assert result.exit_code in (0, 1, 2), result.output
    output = result.output + (str(result.exception) if isinstance(result.exception, Refused) else "")
    assert "Traceback" not in output
    assert "\x1b]" not in output and "\x1b[2J" not in output and "\x07" not in output
    return output


def watch(run: Path) -> None:
    """Read the events, as the deck does."""
    signal.alarm(LONGEST_S)
    feed = Feed(Follower(run))
    for _ in range(3):
        feed.pull()
    signal.alarm(0)


def resume(run: Path) -> None:
    """Resume a run to its end, unless it is refused."""
    signal.alarm(LONGEST_S)
    try:
        session = Session.resume(run)
    except Refused:
        return
    finally:
        signal.alarm(0)
    session.start()
    if not session.join(LONGEST_S):
        session.interrupt()
        assert session.join(LONGEST_S), "a resumed run does not end"
    assert session.finished is not None and session.finished.message
    for internal in ("KeyError", "TypeError", "AttributeError", "IndexError", "AssertionError", "ValueError"):
        assert internal not in session.finished.message, session.finished.message


@pytest.mark.timeout(7200)
def test_a_run_changed_at_random_gives_a_sentence_at_worst(interrupted: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("mine\n")
    before = (outside / "secret").stat()
    dice = random.Random(int(os.environ.get("TORCHDECK_SEED", "0")))
    for number in range(MUTATIONS):
        runs = tmp_path / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        runs.mkdir()
        run = Path(shutil.copytree(interrupted, runs / interrupted.name))
        changes = [mutate(run, dice) for _ in range(dice.choice((1, 1, 1, 2, 5)))]
        try:
            for command in (("runs",), ("runs", "--json"), ("runs", "show", run.name)):
                output_of(*command[:1], "--runs-dir", str(runs), *command[1:])
            watch(run)
            resume(run)
            output_of("runs", "--runs-dir", str(runs))
        except BaseException as error:
            error.add_note(f"mutation {number}: {'; '.join(changes)}")
            raise
        after = (outside / "secret").stat()
        assert sorted(os.listdir(outside)) == ["secret"] and (outside / "secret").read_text() == "mine\n"
        assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode), changes


@pytest.mark.parametrize("name", ["events.jsonl", "console.log", "resumes.jsonl", "commands.jsonl"])
def test_a_pipe_in_place_of_a_file_that_a_session_writes_is_not_waited_for(
    interrupted: Path, tmp_path: Path, name: str
) -> None:
    run = Path(shutil.copytree(interrupted, tmp_path / "runs" / interrupted.name))
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    pipe = os.open(run / name, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):  # until it is full, since no process reads it
        while os.write(pipe, b"x" * 4096):
            pass
    session = Session.resume(run, ("training.epochs=3",))
    session._directory.write_log("the cause of a failure")
    session.start()
    ended = session.join(10)
    os.close(pipe)
    assert ended and session.finished is not None and session.finished.reason is Reason.COMPLETED, session.finished
    assert any(name in e.message for e in session.drain() if isinstance(e, Log)) or name == "console.log"


@pytest.mark.parametrize("function", [mark_best, lambda folder: epoch_metrics(folder, 1)])
def test_a_pipe_is_neither_a_mark_nor_events(tmp_path: Path, function: Callable[[Path], object]) -> None:
    for name in ("best", "events.jsonl"):
        os.mkfifo(tmp_path / name)
    signal.alarm(LONGEST_S)
    with suppress(OSError):
        assert function(tmp_path) == {}
    signal.alarm(0)


def test_a_run_whose_checkpoints_are_a_link_is_not_resumed(interrupted: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(interrupted, tmp_path / "runs" / interrupted.name))
    (run / "checkpoints").rename(tmp_path / "elsewhere")
    (run / "checkpoints").symlink_to(tmp_path / "elsewhere")
    before = sorted(p.name for p in (tmp_path / "elsewhere").iterdir())
    with pytest.raises(Refused, match="checkpoints is a link"):
        Session.resume(run)
    assert sorted(p.name for p in (tmp_path / "elsewhere").iterdir()) == before
