"""One session at a time has a run, on any file system, and however the session before it ended."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from engine.experiment.mistakes import Refused
from engine.runs import Follower, RunDirectory, flock, list_runs, remove_run, run_lock
from engine.runs.run_lock import RunLock, lock_holder
from tui.feed import Feed
from tui.run_status import shown
from tui.widgets.status import state_words

HOLDER = """
    import os, sys, time
    from pathlib import Path
    from engine.runs import RunDirectory
    run = RunDirectory.create(Path(sys.argv[1]), "x", "", {})
    if sys.argv[2:]:
        if not os.fork():
            time.sleep(60)
    print(run.path, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", "x", "", {})


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks."""

    def hanging(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", hanging)


@pytest.fixture
def every_lock_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that grants every lock, as some network mounts do."""
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, how: None)


def other_process(runs: Path, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(runs), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_second_session_of_an_active_run_is_refused_in_one_sentence(run: RunDirectory) -> None:
    for take in (RunDirectory.open, RunLock, remove_run):
        with pytest.raises(Refused) as refused:
            take(run.path)
        (mistake,) = refused.value.mistakes
        assert "the run is still active" in mistake.found and f"in process {os.getpid()}" in mistake.expected
        assert run.name in mistake.fix and "\n" not in str(mistake)
    run.close()
    again = RunDirectory.open(run.path)
    again.close()
    remove_run(run.path)
    assert list(run.path.parent.iterdir()) == []


def test_one_of_many_sessions_that_open_a_run_at_the_same_time_gets_it(run: RunDirectory) -> None:
    run.close()
    got: list[RunDirectory] = []
    refused: list[Refused] = []

    def take() -> None:
        try:
            got.append(RunDirectory.open(run.path))
        except Refused as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1 and len(refused) == 11


def test_checking_whether_a_run_is_live_prevents_no_session_from_opening_it(run: RunDirectory) -> None:
    run.close()
    ended = threading.Event()

    def check() -> None:
        while not ended.is_set():
            lock_holder(run.path)

    checkers = [threading.Thread(target=check) for _ in range(3)]
    for thread in checkers:
        thread.start()
    try:
        for _ in range(20):
            RunDirectory.open(run.path).close()
    finally:
        ended.set()
        for thread in checkers:
            thread.join()


def test_a_run_whose_process_was_killed_can_be_opened_immediately(tmp_path: Path) -> None:
    process, path = other_process(tmp_path)
    with pytest.raises(Refused, match=f"in process {process.pid}"):
        RunDirectory.open(path)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lock_holder(path) is None
    RunDirectory.open(path).close()
    process.wait()


def test_a_worker_that_outlives_its_session_does_not_keep_the_lock(tmp_path: Path) -> None:
    process, path = other_process(tmp_path, "fork")
    process.send_signal(signal.SIGKILL)
    process.wait()
    RunDirectory.open(path).close()


def test_a_suspended_process_keeps_the_lock_of_its_run(tmp_path: Path) -> None:
    process, path = other_process(tmp_path)
    process.send_signal(signal.SIGSTOP)
    an_hour_ago = time.time() - 3600
    os.utime(path / "lock", (an_hour_ago, an_hour_ago))
    assert [run.status for run in list_runs(tmp_path)] == ["live"]
    with pytest.raises(Refused, match="still active"):
        RunDirectory.open(path)
    process.kill()
    process.wait()


def test_a_suspended_process_is_shown_and_its_run_is_refused_with_the_command_to_continue(tmp_path: Path) -> None:
    process, path = other_process(tmp_path)
    assert [run.suspended for run in list_runs(tmp_path)] == [False]
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    (run,) = list_runs(tmp_path)
    assert (run.status, run.suspended, shown(run).word) == ("live", True, "suspended")
    feed = Feed(Follower(path))
    assert feed.pull()
    assert state_words(feed.view)[0] == ("‖ suspended", "warning")
    with pytest.raises(Refused, match=f"which is suspended.*kill -CONT {process.pid}"):
        RunDirectory.open(path)
    process.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
    assert [run.suspended for run in list_runs(tmp_path)] == [False]
    process.kill()
    process.wait()
    assert [(run.status, run.suspended) for run in list_runs(tmp_path)] == [("stale", False)]


@pytest.mark.usefixtures("every_lock_is_granted")
def test_a_live_run_is_safe_on_a_file_system_that_grants_every_lock(tmp_path: Path) -> None:
    process, path = other_process(tmp_path)  # its lock works, and this process does not see it
    assert [run.status for run in list_runs(tmp_path)] == ["live"]
    for take in (RunDirectory.open, RunLock, remove_run):
        with pytest.raises(Refused, match=f"in process {process.pid}"):
            take(path)
    process.kill()
    process.wait()
    assert [run.status for run in list_runs(tmp_path)] == ["stale"]
    again = RunDirectory.open(path)
    assert json.loads((path / "lock").read_text())["flock"] is False
    an_hour_ago = time.time() - 3600
    os.utime(path / "lock", (an_hour_ago, an_hour_ago))  # one long step, or a heartbeat that cannot be written
    with pytest.raises(Refused, match=f"in process {os.getpid()}"):
        RunLock(path)
    again.close()
    remove_run(path)


def test_a_lock_of_an_earlier_version_counts_by_process_and_heartbeat_where_every_lock_is_granted(
    run: RunDirectory, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("every_lock_is_granted")
    lock = run.path / "lock"
    recorded = json.loads(lock.read_text()) | {"flock": True}
    lock.write_text(json.dumps({key: value for key, value in recorded.items() if key != "process_table"}))
    assert lock_holder(run.path) is not None
    an_hour_ago = time.time() - 3600
    os.utime(lock, (an_hour_ago, an_hour_ago))
    assert lock_holder(run.path) is None


def test_a_lock_that_never_answers_does_not_hang_the_list_of_runs(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        RunDirectory.create(run.path.parent, f"y{number}", "", {}).close()
    answered = threading.Event()
    monkeypatch.setattr(flock, "ANSWER_S", 0.05)
    monkeypatch.setattr(flock, "_silent_devices", set())
    calls: list[int] = []

    def hanging(descriptor: int, how: int) -> None:
        calls.append(how)
        answered.wait(60)

    monkeypatch.setattr(fcntl, "flock", hanging)
    began = time.monotonic()
    try:
        runs = list_runs(run.path.parent)
    finally:
        answered.set()
    assert time.monotonic() - began < 30 and len(calls) == 1  # that file system is not tried again
    assert sorted((r.status, r.name == run.name) for r in runs) == [("live", True), *[("stale", False)] * 5]


@pytest.mark.parametrize("other", [{"process_table": "another boot:1"}, {"host": "gpu-box-7"}])
def test_a_process_of_another_container_or_boot_counts_by_its_heartbeat_and_not_by_its_id(
    run: RunDirectory, other: dict[str, str], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("every_lock_is_granted")
    lock = run.path / "lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | other | {"pid": 2**22 + 1}))
    assert lock_holder(run.path) is not None
    an_hour_ago = time.time() - 3600
    os.utime(lock, (an_hour_ago, an_hour_ago))
    assert lock_holder(run.path) is None


def test_a_session_that_is_garbage_collected_releases_its_lock(tmp_path: Path) -> None:
    path = RunDirectory.create(tmp_path, "x", "", {}).path
    RunDirectory.open(path).close()


def test_the_heartbeat_continues_during_a_long_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "BEAT_S", 0.05)
    run = RunDirectory.create(tmp_path, "x", "", {})
    an_hour_ago = time.time() - 3600
    os.utime(run.path / "lock", (an_hour_ago, an_hour_ago))
    time.sleep(0.5)
    beat = (run.path / "lock").stat().st_mtime
    assert time.time() - beat < 5
    run.stop_heartbeat()
    os.utime(run.path / "lock", (an_hour_ago, an_hour_ago))
    time.sleep(0.2)
    assert (run.path / "lock").stat().st_mtime == pytest.approx(an_hour_ago)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_recorded_process_decides(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x", "", {})
    with pytest.raises(Refused, match=f"in process {os.getpid()}"):
        RunDirectory.open(run.path)
    assert [r.status for r in list_runs(tmp_path)] == ["live"]
    process = json.loads((run.path / "lock").read_text())
    assert process["flock"] is False
    run.close()
    assert [r.status for r in list_runs(tmp_path)] == ["stale"]
    (run.path / "lock").write_text(json.dumps(process | {"pid": 2**22 + 1}))  # a process that does not exist
    assert [r.status for r in list_runs(tmp_path)] == ["stale"]
    RunDirectory.open(run.path).close()


def test_without_locks_one_of_two_processes_that_start_at_the_same_time_gets_the_run(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x", "", {})
    run.close()
    code = """
        import errno, fcntl, sys, time
        from pathlib import Path
        from engine.experiment.mistakes import Refused
        from engine.runs import RunDirectory
        def flock(descriptor, how):
            raise OSError(errno.ENOLCK, "No locks available")
        fcntl.flock = flock
        time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
        try:
            run = RunDirectory.open(Path(sys.argv[1]))
        except Refused:
            print("refused", flush=True)
        else:
            print("got", flush=True)
            time.sleep(2)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(run.path), str(time.time() + 2)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate(timeout=60)[0] for process in both) == ["got\n", "refused\n"]


@pytest.mark.parametrize("locks_work", [True, False])
def test_a_run_of_another_host_can_be_opened_only_after_its_heartbeat_stopped(
    run: RunDirectory, locks_work: bool, request: pytest.FixtureRequest
) -> None:
    run.close()
    if not locks_work:
        request.getfixturevalue("no_locks")
    lock = run.path / "lock"
    lock.write_text(json.dumps({"host": "gpu-box-7", "pid": 12, "process_started": 1.0, "flock": locks_work}))
    with pytest.raises(Refused, match="in process 12 on gpu-box-7"):
        RunDirectory.open(run.path)
    an_hour_ago = time.time() - 3600
    os.utime(lock, (an_hour_ago, an_hour_ago))
    RunDirectory.open(run.path).close()


def test_a_run_on_a_full_disk_can_be_removed(run: RunDirectory) -> None:
    run.close()
    code = """
        import resource, sys
        from pathlib import Path
        from engine.runs import remove_run
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        remove_run(Path(sys.argv[1]))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(run.path)], check=True, timeout=60)
    assert not run.path.exists()


def test_a_lock_that_is_a_link_or_a_pipe_is_not_followed(run: RunDirectory, tmp_path: Path) -> None:
    run.close()
    lock, precious = run.path / "lock", tmp_path / "precious"
    precious.write_text("mine")
    lock.unlink()
    lock.symlink_to(precious)
    with pytest.raises(Refused, match="cannot be written to"):
        RunDirectory.open(run.path)
    assert precious.read_text() == "mine" and lock_holder(run.path) is None
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(Refused, match="cannot be written to"):
        RunDirectory.open(run.path)
    assert lock_holder(run.path) is None
