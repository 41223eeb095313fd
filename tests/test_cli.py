"""The command line as a user or a program runs it: in a separate process."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
import warm_torchdeck

from engine.experiment import preset_text

COMMAND = [sys.executable, "-m", "tui.cli"]


def torchdeck(*arguments, cwd, **more):
    environment = {**os.environ, "TORCHDECK_RUNS": str(cwd / "runs"), "COLUMNS": "120"} | more.pop("env", {})
    if not more:
        return warm_torchdeck.run(*arguments, cwd=cwd, env=environment)
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        **more,
    )


def refused(result):
    """What a refusal prints: no traceback, nothing on stdout, exit status 2."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()


def test_help_presets_and_runs_answer_without_torch(tmp_path):
    program = (
        "import sys; from tui.cli import app; "
        "app(sys.argv[1:], standalone_mode=False); "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    for arguments in (["--help"], ["presets"], ["runs"], ["presets", "lenet"], ["train", "--help"]):
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, check=False
        )
        assert result.returncode == 0, (arguments, result.stderr)


def test_presets_are_listed_with_their_summary_and_printed_unchanged(tmp_path):
    listed = torchdeck("presets", cwd=tmp_path)
    assert listed.returncode == 0
    assert any(line.startswith("digits-cnn ") and "Handwritten" in line for line in listed.stdout.splitlines())
    printed = torchdeck("presets", "digits-cnn", cwd=tmp_path).stdout
    (tmp_path / "mine.toml").write_text(printed)
    assert printed.startswith("# ")
    assert torchdeck("check", "mine.toml", cwd=tmp_path).returncode == 0


def test_check_prints_initial_weights_on_request(tmp_path):
    shown = torchdeck("check", "digits-cnn", "--weights", cwd=tmp_path)
    assert shown.returncode == 0 and "kaiming_normal_" in shown.stdout and "√(2 / fan_in)" in shown.stdout
    data = json.loads(torchdeck("check", "digits-cnn", "--weights", "--json", cwd=tmp_path).stdout)
    first = data["weights"][0]
    assert (first["path"], first["parameter"], first["initializer"]) == ("model.layers[0]", "weight", "kaiming_normal_")
    assert abs(first["std"] / first["expected_std"] - 1) < 0.2
    wrong = torchdeck("check", "digits-cnn", "--weights", "--set", "model.init=dirak_", cwd=tmp_path)
    assert "Did you mean dirac_?" in refused(wrong)[0]


def test_check_prints_the_layer_table_and_its_totals(tmp_path):
    result = torchdeck("check", "lenet", cwd=tmp_path)
    assert result.returncode == 0 and result.stderr == ""
    assert "Conv2d 6" in result.stdout and "6×8×8" in result.stdout
    data = json.loads(torchdeck("check", "lenet", "--json", cwd=tmp_path).stdout)
    assert data["ok"] and data["mistakes"] == []
    # 6·(9+1) + 16·(6·9+1) + 120·(64+1) + 84·(120+1) + 10·(84+1)
    assert data["parameters"] == 60 + 880 + 7800 + 10164 + 850
    assert f"{data['parameters']:,} parameters" in result.stdout


def test_data_are_drawn_and_counted_without_colours_in_a_pipe(tmp_path):
    shown = torchdeck("data", "digits", cwd=tmp_path, env={"PYTHONUTF8": "1"})
    assert shown.returncode == 0 and shown.stderr == ""
    assert "\x1b" not in shown.stdout and "▀" not in shown.stdout and "█" in shown.stdout
    assert "1,438 train · 359 validation · a batch 64×1×8×8 float32 · 10 classes (int64)" in shown.stdout
    assert "Balanced: each class has 9.7 to 10.2 % of the samples." in shown.stdout


@pytest.mark.parametrize("command", ["check", "train"])
def test_all_mistakes_are_printed_together_with_path_and_fix(command, tmp_path):
    arguments = ["--headless"] if command == "train" else []
    changes = ["optimizer.lrr=1", "loss.type=CrossEntropyLos", "training.epocs=3", "model.layers[9].in_features=100"]
    for change in changes:
        arguments += ["--set", change]
    lines = refused(torchdeck(command, "digits-cnn", *arguments, cwd=tmp_path))
    said = "\n".join(lines)
    assert len(lines) == 4
    for path in ("optimizer.lrr", "loss.type", "training.epocs", "model.layers[9]"):
        assert sum(line.startswith(path) for line in lines) == 1, said
    for fix in ("Did you mean lr?", "Did you mean CrossEntropyLoss?", "Did you mean epochs?", "Remove in_features"):
        assert fix in said
    assert not (tmp_path / "runs").exists()


def test_a_layer_that_contradicts_the_one_before_is_reported_with_its_input_and_the_fix(tmp_path):
    (line,) = refused(torchdeck("check", "digits-cnn", "--set", "model.layers[9].in_features=100", cwd=tmp_path))
    assert line == (
        "model.layers[9] Linear: in_features is 100; the layer before gives 128. "
        "Remove in_features (it is inferred), or set it to 128."
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "digit-cnn"], "Did you mean digits-cnn?"),
        (["train", "none.toml"], "there is no such file"),
        (["train", "broken.toml"], "it is not TOML"),
        (["check", "digits-cnn", "--set", "optimizer.type=Adma"], "Did you mean Adam?"),
        (["presets", "lennet"], "Did you mean lenet?"),
        (["data", "digit"], "Did you mean digits?"),
        (["catalog", "loss"], "Did you mean losses?"),
        (["catalog", "losses", "MSE"], "Did you mean MSELoss?"),
        (["runs", "show", "nothing"], "nothing"),
        (["resume"], "there is no run"),
        (["train", "digits-cnn", "--runs-dir", "file/runs"], "--runs-dir"),
    ],
)
def test_a_missing_name_or_file_is_reported_in_one_sentence(arguments, part, tmp_path):
    (tmp_path / "broken.toml").write_text("name = = 3\n")
    (tmp_path / "file").touch()
    lines = refused(torchdeck(*arguments, cwd=tmp_path))
    assert len(lines) == 1 and part in lines[0]


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(
    ("file", "source", "target"), [("my x.npz", "arrays", ""), ("none.csv", "table", " --set data.target=COLUMN")]
)
def test_a_data_file_instead_of_an_experiment_is_refused_with_the_right_command(
    command, file, source, target, tmp_path
):
    (tmp_path / "my x.npz").write_bytes(b"PK")
    (line,) = refused(torchdeck(command, file, cwd=tmp_path))
    path = shlex.quote(f"data.path={file}")
    assert line == (
        f"{file}: it is data, which the source {source} reads; expected a preset or a TOML file. Look at it with "
        f"`torchdeck data {shlex.quote(file)}{target}`, train a preset on it with "
        f"`torchdeck train PRESET --set data.source={source} --set {path}{target}`."
    )


def test_check_shows_transforms_augmentations_and_the_fold(tmp_path):
    changes = ["--set", "data.transforms=[{type='Pad', padding=1}]", "--set", "data.augment=['RandomErasing']"]
    shown = torchdeck("check", "digits-cnn", *changes, "--fold", "2/5", cwd=tmp_path)
    assert shown.returncode == 0 and shown.stderr == ""
    facts = {line.split()[0]: line for line in shown.stdout.partition("\n\n")[0].splitlines()}
    assert facts["samples"].endswith(", fold 2/5")
    assert "Pad padding=1" in facts["transforms"] and "RandomErasing" in facts["augment"]
    assert torchdeck("check", "wine", "--fold", "2/5", cwd=tmp_path).stderr == ""
    unused = torchdeck("check", "wine", "--set", "data.fold=2/5", cwd=tmp_path)
    assert (
        "data.validation: found 0.25; fold 2/5 is the validation part, so data.validation is not used. Remove it."
        in unused.stderr
    )


def test_check_shows_how_the_data_was_read(tmp_path):
    rows = [f'{i},"{i % 7 + 1},{i * 37 % 1000:03d}.00",{"ab"[i % 2]}' for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["Unnamed: 0,price,y", *rows]) + "\n")
    changes = ("--set", "data.source=table", "--set", "data.path=t.csv", "--set", "data.target=y")
    shown = torchdeck("check", "wine", *changes, cwd=tmp_path)
    assert shown.returncode == 0
    _, notes, *_ = shown.stdout.split("\n\n")
    assert "price: 1,000.00 read as 1000" in notes and "Unnamed: 0" in notes and "left out" in notes


def test_a_folder_of_runs_that_cannot_be_written_is_reported_in_one_sentence(tmp_path):
    # Root cannot write there either.
    lines = refused(torchdeck("train", "digits-cnn", "--headless", "--runs-dir", "/proc/runs", cwd=tmp_path))
    assert len(lines) == 1 and "TORCHDECK_RUNS" in lines[0]


def test_the_catalog_lists_and_explains(tmp_path):
    kinds = json.loads(torchdeck("catalog", "--json", cwd=tmp_path).stdout)
    assert {"layers", "losses", "optimizers", "schedulers", "initializers", "metrics", "sources"} <= set(kinds)
    shown = torchdeck("catalog", "optimizers", "AdamW", cwd=tmp_path).stdout
    assert "torch.optim.AdamW" in shown and "weight_decay" in shown and "0.01" in shown
    entry = json.loads(torchdeck("catalog", "sources", "mackey-glass", "--json", cwd=tmp_path).stdout)
    assert {"tau", "window", "horizon"} <= {p["name"] for p in entry["parameters"]}


def test_devices_names_the_cpu(tmp_path):
    (cpu,) = [d for d in json.loads(torchdeck("devices", "--json", cwd=tmp_path).stdout) if d["device"] == "cpu"]
    assert cpu["memory_bytes"] > 1 << 28 and "float32" in cpu["precisions"]
    assert "cpu" in torchdeck("devices", cwd=tmp_path).stdout


def test_json_is_one_event_a_line_and_nothing_else_on_stdout(tmp_path):
    result = torchdeck("train", "digits-cnn", "--json", "--set", "training.epochs=2", cwd=tmp_path)
    assert result.returncode == 0 and result.stderr == ""
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["event"] == "run_started" and events[-1]["event"] == "finished"
    directory = tmp_path / "runs" / events[0]["run"]
    assert [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()] == events


def test_without_a_terminal_training_prints_a_plain_line_an_epoch_on_stderr(tmp_path):
    result = torchdeck("train", "digits-cnn", "--set", "training.epochs=2", "--name", "mine", cwd=tmp_path)
    assert result.returncode == 0 and result.stdout == ""
    assert "\x1b" not in result.stderr and "\r" not in result.stderr
    lines = result.stderr.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == ["1/2", "2/2"]
    assert "val_accuracy" in result.stderr and "-mine" in result.stderr
    listed = torchdeck("runs", cwd=tmp_path).stdout
    assert "completed" in listed and "-mine" in listed and "2/2" in listed
    shown = torchdeck("runs", "show", cwd=tmp_path).stdout
    assert 'source = "digits"' in shown and "◆ best" in shown


def test_a_run_that_fails_exits_with_1_and_the_reason(tmp_path):
    result = torchdeck("train", "digits-lstm", "--headless", "--set", "optimizer.lr=1e30", cwd=tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "The loss stopped being finite at step" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_prints_how_to_resume_and_exits_with_130(number, tmp_path):
    arguments = ["train", "digits-cnn", "--headless", "--runs-dir", str(tmp_path / "runs")]
    unending = ["--set", "training.epochs=100000", "--set", "training.early_stopping=false"]
    process = subprocess.Popen([*COMMAND, *arguments, *unending], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch "):
            break
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert "everything is saved" in rest and "torchdeck resume" in rest
    resume = rest.split("torchdeck resume ")[1].strip()
    again = subprocess.Popen(
        [*COMMAND, "resume", resume, "--headless"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    first = again.stderr.readline()
    assert ", from epoch-" in first
    again.send_signal(signal.SIGINT)
    again.stderr.read()
    assert again.wait(60) == 130


def test_a_hangup_does_not_stop_a_headless_run(tmp_path):
    arguments = ["train", "digits-cnn", "--headless", "--runs-dir", str(tmp_path / "runs")]
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--set", "training.epochs=12"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("epoch "):
            break
    process.send_signal(signal.SIGHUP)
    process.stderr.close()
    assert process.wait(120) == 0
    assert "completed" in torchdeck("runs", cwd=tmp_path).stdout


def test_a_reader_that_exits_does_not_stop_a_run(tmp_path):
    arguments = ["train", "digits-cnn", "--json", "--runs-dir", str(tmp_path / "runs"), "--set", "training.epochs=12"]
    process = subprocess.Popen([*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(120) == 0
    assert process.stderr.read() == b""


def test_active_runs_are_not_removed(tmp_path):
    arguments = ["train", "digits-cnn", "--headless", "--set", "training.epochs=100000"]
    environment = {**os.environ, "TORCHDECK_RUNS": str(tmp_path / "runs")}
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--set", "training.early_stopping=false"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith("epoch "):
            break
    (run,) = (tmp_path / "runs").iterdir()
    assert "is not removed" in refused(torchdeck("runs", "rm", "--yes", run.name, cwd=tmp_path))[0]
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    process.wait(60)
    time.sleep(0.1)
    assert torchdeck("runs", "rm", "--yes", run.name, cwd=tmp_path).returncode == 0
    assert not run.exists()


def test_a_resume_with_set_refuses_changes_that_the_checkpoint_does_not_allow(tmp_path):
    trained = torchdeck("train", "digits-cnn", "--headless", "--set", "training.epochs=1", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    lines = refused(torchdeck("resume", "--headless", "--set", "seed=4", "--set", "data.batch_size=8", cwd=tmp_path))
    assert [line.partition(":")[0] for line in lines] == ["seed", "data.batch_size"]
    again = torchdeck("resume", "--headless", "--set", "training.epochs=2", cwd=tmp_path)
    assert again.returncode == 0 and "Restored from epoch-0001-" in again.stderr and "epoch 2/2" in again.stderr


DAMAGE = {
    "the file is missing; a complete checkpoint has one.": lambda folder: (folder / "manifest.json").unlink(),
    "the text is not the manifest of a checkpoint; the sizes and SHA-256 of": lambda folder: (
        folder / "manifest.json"
    ).write_text("{}"),
    "the file has 5 bytes; 76,240 were written.": lambda folder: (folder / "model.safetensors").write_text("short"),
    "this is a link; the file itself is expected.": lambda folder: (
        (folder / "state.json").unlink(),
        (folder / "state.json").symlink_to("manifest.json"),
    ),
}


def test_each_damaged_checkpoint_is_reported_with_the_command_to_train_again(tmp_path):
    two_saved = ["--set", "training.epochs=2", "--set", "training.checkpoint_every_s=1e-6"]
    assert torchdeck("train", "digits-cnn", "--headless", *two_saved, cwd=tmp_path).returncode == 0
    (run,) = (tmp_path / "runs").iterdir()
    before, newest = sorted(folder.name for folder in (run / "checkpoints").iterdir())
    whole = tmp_path / "whole"
    shutil.copytree(run, whole)
    for sentence, damage in DAMAGE.items():
        shutil.rmtree(run)
        shutil.copytree(whole, run)
        damage(run / "checkpoints" / newest)
        gone_on = torchdeck("resume", "--headless", cwd=tmp_path)
        (warning,) = [line for line in gone_on.stderr.splitlines() if line.startswith("warning: ")]
        assert warning.startswith(f"warning: {run}/checkpoints/{newest}/") and f": {sentence}" in warning
        assert warning.endswith(f". {before} is used instead.") and gone_on.returncode == 0
        for name in (before, newest):
            shutil.rmtree(run / "checkpoints" / name)
            shutil.copytree(whole / "checkpoints" / name, run / "checkpoints" / name)
            damage(run / "checkpoints" / name)
        first, *each = refused(torchdeck("resume", "--headless", cwd=tmp_path))
        assert first == (
            f"{run}: each of its 2 checkpoints is damaged; an intact checkpoint is needed to resume. Restore one "
            f"from a copy, or train again from the start: `torchdeck train runs/{run.name}/experiment.toml`."
        )
        assert [line.removeprefix(f"{run}/checkpoints/").partition("/")[0] for line in each] == [newest, before]
        assert all(f": {sentence}" in line for line in each)
    shutil.rmtree(run / "checkpoints")
    (line,) = refused(torchdeck("resume", "--headless", cwd=tmp_path))
    assert "has no checkpoint to resume from" in line and f"`torchdeck train runs/{run.name}/experiment.toml`" in line


def test_a_mistake_in_the_experiment_of_a_run_is_reported_with_file_and_line(tmp_path):
    assert torchdeck("train", "digits-cnn", "--headless", "--set", "training.epochs=1", cwd=tmp_path).returncode == 0
    (run,) = (tmp_path / "runs").iterdir()
    file = run / "experiment.toml"
    whole = file.read_text()
    cases = {
        "\nepochs = 1\n": ("\nepochs = -3\n", "training.epochs: found -3; expected a number above 0"),
        "out_channels = 32": ('out_channels = "x"', "model.layers[0].out_channels Conv2d: found 'x'; "),
        'type = "AdamW"': ('type = "Adma"', "optimizer.type: 'Adma' is not an optimizer"),
        'source = "digits"': ("", "data.source: it is missing"),
        "[data]": ("[data", "it is not TOML"),
    }
    for was, (now, said) in cases.items():
        file.write_text(whole.replace(was, now, 1))
        number = whole[: whole.index(was.strip())].count("\n") + 1
        (line,) = refused(torchdeck("resume", "--headless", "--set", "training.device=cpu", cwd=tmp_path))
        if said == "it is not TOML":
            assert line.startswith(f"{file}: it is not TOML: ") and f"(at line {number}, " in line
        elif said.startswith("data.source"):
            assert line.startswith(f"{file}, line {number - 1}, {said}")  # [data], where it is missing
        else:
            assert line.startswith(f"{file}, line {number}, {said}")
        shown = torchdeck("runs", "show", cwd=tmp_path)
        # Unknown types are found with torch, which `runs show` does not import.
        assert shown.returncode == 0 and (line in shown.stdout) is (now not in ('type = "Adma"', 'out_channels = "x"'))
    file.write_text(whole)
    (line,) = refused(torchdeck("resume", "--headless", "--set", "training.epochs=-3", cwd=tmp_path))
    assert line.startswith("training.epochs: found -3")
    assert "found -3" not in torchdeck("runs", "show", cwd=tmp_path).stdout


def test_ctrl_c_saves_a_run_whose_reader_has_exited(tmp_path):
    # In `torchdeck train … 2>&1 | tee log`, Ctrl-C ends tee too.
    arguments = ["train", "digits-cnn", "--headless", "--runs-dir", str(tmp_path / "runs")]
    unending = ["--set", "training.epochs=100000", "--set", "training.early_stopping=false"]
    process = subprocess.Popen([*COMMAND, *arguments, *unending], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch "):
            break
    process.stderr.close()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    (run,) = json.loads(torchdeck("runs", "--json", cwd=tmp_path).stdout)
    assert run["status"] == "interrupted"


def test_a_foreign_run_sends_no_escape_sequences_to_the_terminal(tmp_path):
    run = tmp_path / "runs" / "evil"
    run.mkdir(parents=True)
    (run / "experiment.toml").write_bytes(b'name = "\x1b]0;mine\x07\xff"')
    (run / "events.jsonl").write_text(
        '{"event": "finished", "reason": "failed", "epoch": 1, "step": 2, "seconds": 3, "message": "\\u001b[2J"}\n'
    )
    shown = torchdeck("runs", "show", "evil", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout and "␛[2J" in shown.stdout


def test_removing_a_run_twice_or_a_link_causes_no_traceback(tmp_path):
    for name in ("one", "elsewhere"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "experiment.toml").touch()
        (tmp_path / "runs" / name / "events.jsonl").touch()
    (tmp_path / "runs" / "elsewhere").rename(tmp_path / "kept")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "kept")
    assert torchdeck("runs", "rm", "-y", "one", "one", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "runs" / "one").exists()
    (line,) = refused(torchdeck("runs", "rm", "-y", "link", cwd=tmp_path))
    assert "it is a link" in line and (tmp_path / "kept" / "events.jsonl").exists()


def test_an_ascii_terminal_causes_no_traceback(tmp_path):
    result = torchdeck("check", "digits-cnn", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0 and "Conv2d" in result.stdout


def test_the_command_to_resume_works_in_a_shell(tmp_path, monkeypatch):
    from engine.runs.paths import command_for

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCHDECK_RUNS", raising=False)
    assert command_for(tmp_path / "runs" / "a", "resume") == "torchdeck resume a"
    assert command_for(tmp_path / "a", "resume") == "torchdeck resume ./a"
    assert command_for(tmp_path / "my runs" / "a", "resume") == "torchdeck resume 'my runs/a'"


def test_check_applies_safe_fixes_to_the_file(tmp_path):
    text = preset_text("digits-cnn").replace('"AdamW"', '"Adma"').replace("lr = 3e-3", "lrr = 3e-3")
    (tmp_path / "mine.toml").write_text(text)
    done = torchdeck("check", "mine.toml", "--fix", cwd=tmp_path)
    assert done.returncode == 0 and "18,602" in done.stdout
    assert "fixed optimizer.type: 'Adma' is not an optimizer" in done.stderr and '+ type = "Adam"' in done.stderr
    assert (tmp_path / "mine.toml").read_text() == preset_text("digits-cnn").replace('"AdamW"', '"Adam"')
    refused = torchdeck("check", "digits-cnn", "--fix", cwd=tmp_path)
    assert refused.returncode == 2 and "torchdeck presets digits-cnn > digits-cnn.toml" in refused.stderr


def test_a_fold_is_set_by_an_option_and_saved_with_the_run(tmp_path):
    asked = json.loads(torchdeck("check", "wine", "--fold", "2/5", "--json", cwd=tmp_path).stdout)
    # 178 wines in five folds; the second fold has 36
    assert (asked["data"]["train_samples"], asked["data"]["val_samples"]) == (142, 36)
    run = ["train", "wine", "--json", "--set", "training.epochs=1"]
    events = [json.loads(line) for line in torchdeck(*run, "--fold", "5/5", cwd=tmp_path).stdout.splitlines()]
    assert events[0]["experiment"]["data"]["fold"] == "5/5" and events[0]["val_samples"] == 35
    for wrong, said in (("6/5", "data.fold"), ("second", "data.fold"), ("1/1", "at least two folds")):
        assert any(said in line for line in refused(torchdeck("check", "wine", "--fold", wrong, cwd=tmp_path)))
