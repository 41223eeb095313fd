"""Commands in a run directory, from viewers that may be wrong, interrupted or untrusted."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.experiment.mistakes import Refused
from engine.protocol.commands import Command, SetLR, Simple
from engine.runs import Follower, RejectedLine, RunDirectory
from engine.runs.commands import CommandReader

STOP, PAUSE = Simple(command="stop"), Simple(command="pause")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", "x", "", {})


def write(run: RunDirectory, content: bytes) -> None:
    with (run.path / "commands.jsonl").open("ab") as file:
        file.write(content)


def reasons(found: list[Command | RejectedLine]) -> list[str]:
    assert all(isinstance(item, RejectedLine) for item in found), found
    return [item.reason for item in found if isinstance(item, RejectedLine)]


def test_commands_arrive_once_and_in_order(run: RunDirectory) -> None:
    sent: list[Command] = [PAUSE, SetLR(value=1e-4), Simple(command="continue"), STOP]
    assert run.new_commands() == []
    for command in sent[:3]:
        Follower(run.path).send(command)
    assert run.new_commands() == sent[:3]
    assert run.new_commands() == []
    run.send(STOP)
    assert run.new_commands() == [STOP]


def test_a_shell_can_write_a_command(run: RunDirectory) -> None:
    subprocess.run(
        ["sh", "-c", """echo '{"command": "set_lr", "value": 3e-4}' >> commands.jsonl"""], cwd=run.path, check=True
    )
    assert run.new_commands() == [SetLR(value=3e-4)]


def test_an_incomplete_line_is_read_when_it_is_complete(run: RunDirectory) -> None:
    write(run, b'{"command": "pau')
    assert run.new_commands() == []
    write(run, b'se"}\n{"comm')
    assert run.new_commands() == [PAUSE]
    write(run, b'and": "stop"}\n')
    assert run.new_commands() == [STOP]


def test_a_command_after_a_torn_line_is_not_lost(run: RunDirectory) -> None:
    write(run, b'{"command": "pau')
    run.send(STOP)
    rejected, stop = run.new_commands()
    assert isinstance(rejected, RejectedLine) and stop == STOP


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"stop", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 3000, "it is not JSON"),
        (b'"stop"', 'it is not an object with a "command"'),
        (b'{"cmd": "stop"}', 'it is not an object with a "command"'),
        (b'{"command": ["stop"]}', 'it is not an object with a "command"'),
        (b'{"command": "stpo"}', "'stpo' is not a command; did you mean stop?"),
        (b'{"command": "\\u001b[2J"}', "'\\x1b[2J' is not a command; use one of pause"),
        (b'{"command": "set_lr"}', '"value" must be a number above 0'),
        (b'{"command": "set_lr", "value": -1}', '"value" must be a number above 0'),
        (b'{"command": "set_lr", "value": NaN}', '"value" must be a number above 0'),
        (b'{"command": "set_lr", "value": 1e999}', '"value" must be a number above 0'),
        (b'{"command": "stop", "x": "' + b"y" * 5000 + b'"}', "it is longer than 4,096 bytes"),
    ],
)
def test_a_line_that_is_not_a_command_is_rejected_with_the_reason(run: RunDirectory, line: bytes, reason: str) -> None:
    write(run, line + b"\n\n" + STOP.to_json().encode() + b"\n")
    rejected, stop = run.new_commands()
    assert stop == STOP
    assert isinstance(rejected, RejectedLine)
    assert reason in rejected.reason and rejected.reason[-1] in ".?"
    assert "\n" not in rejected.reason and len(rejected.line) <= 120


def test_an_endless_line_is_rejected_once_and_takes_no_memory(run: RunDirectory) -> None:
    write(run, b"x" * 1_000_000)
    found = [item for _ in range(40) for item in run.new_commands()]
    assert len(found) == 1 and "longer" in reasons(found)[0]
    write(run, b"still the same line\n")
    run.send(STOP)
    assert run.new_commands() == [STOP]


def test_many_commands_are_read_in_parts(run: RunDirectory) -> None:
    write(run, b'{"command": "pause"}\n' * 10_000)
    first = run.new_commands()
    assert 0 < len(first) < 5_000
    rest = [item for _ in range(20) for item in run.new_commands()]
    assert first + rest == [PAUSE] * 10_000


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_reading_never_raises_whatever_the_bytes(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("commands") / "commands.jsonl"
    reader = CommandReader(path, skip_existing=False)
    assert reader.read() == []
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        for item in reader.read():
            assert isinstance(item, (Simple, SetLR, RejectedLine))
    with path.open("ab") as file:
        file.write(b"\n" + STOP.to_json().encode() + b"\n")
    assert reader.read()[-1:] == [STOP]


def test_a_resumed_run_ignores_earlier_commands(run: RunDirectory) -> None:
    run.send(STOP)
    run.close()
    again = RunDirectory.open(run.path)
    assert again.new_commands() == []
    again.send(PAUSE)
    assert again.new_commands() == [PAUSE]


def test_an_emptied_file_is_read_from_its_beginning(run: RunDirectory) -> None:
    run.send(STOP)
    run.send(PAUSE)
    assert run.new_commands() == [STOP, PAUSE]
    (run.path / "commands.jsonl").write_bytes(b"")
    assert run.new_commands() == []
    run.send(PAUSE)
    assert run.new_commands() == [PAUSE]


def test_a_missing_file_has_no_commands_and_sending_creates_it(run: RunDirectory) -> None:
    (run.path / "commands.jsonl").unlink()
    assert run.new_commands() == []
    run.send(STOP)
    assert run.new_commands() == [STOP]
    assert (run.path / "commands.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_the_commands_file_is_refused_and_reported_once(run: RunDirectory, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(STOP.to_json() + "\n")
    commands = run.path / "commands.jsonl"
    commands.unlink()
    commands.symlink_to(other)
    (reason,) = reasons(run.new_commands())
    assert "it is a link" in reason
    assert run.new_commands() == []
    with pytest.raises(Refused):
        run.send(PAUSE)
    assert other.read_text() == STOP.to_json() + "\n"


def test_a_pipe_in_place_of_the_commands_file_is_not_waited_for(run: RunDirectory) -> None:
    commands = run.path / "commands.jsonl"
    commands.unlink()
    os.mkfifo(commands)
    (reason,) = reasons(run.new_commands())
    assert "not a file of this user" in reason
    with pytest.raises(Refused, match="not a regular file"):
        run.send(STOP)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_commands_file_of_another_user_is_refused(run: RunDirectory) -> None:
    run.send(STOP)
    os.chown(run.path / "commands.jsonl", 65534, -1)
    (reason,) = reasons(run.new_commands())
    assert "not a file of this user" in reason


def test_sending_to_a_missing_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="'stop' cannot be sent") as refused:
        Follower(tmp_path / "gone").send(STOP)
    assert "\n" not in str(refused.value)


def test_viewers_in_several_processes_never_mix_their_lines(run: RunDirectory) -> None:
    code = """
        import sys
        from pathlib import Path
        from engine.runs import Follower
        from engine.protocol.commands import SetLR
        for number in range(1, 301):
            Follower(Path(sys.argv[1])).send(SetLR(value=int(sys.argv[2]) * 1000 + number))
    """
    viewers = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(run.path), str(viewer)])
        for viewer in range(3)
    ]
    assert [viewer.wait(60) for viewer in viewers] == [0, 0, 0]
    found: list[Command | RejectedLine] = []
    while new := run.new_commands():
        found += new
    values = [command.value for command in found if isinstance(command, SetLR)]
    assert len(values) == len(found) == 900
    for viewer in range(3):
        assert [v for v in values if v // 1000 == viewer] == [viewer * 1000 + n for n in range(1, 301)]


def test_a_command_on_disk_is_json(run: RunDirectory) -> None:
    run.send(SetLR(value=0.5))
    assert json.loads((run.path / "commands.jsonl").read_text()) == {"command": "set_lr", "value": 0.5}
