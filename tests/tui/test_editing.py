"""Editing on the design screen with keys: every change is in the document, is checked, and can be undone."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from screen_text import screen_text
from test_home_screen import settle
from textual.widgets import Input

from engine.editing.text import set_value, value_at
from engine.experiment import preset_text, read, reads
from tui.deck.app import Deck
from tui.dialogs.choice import ChoiceScreen
from tui.dialogs.picker import PickerScreen
from tui.screens.design import DesignScreen
from tui.services.producer import Producer

Flow = Callable[[Any, DesignScreen], Awaitable[Any]]
TEXT = preset_text("digits-cnn")
HOME = Path("/nowhere")


def at_the_keys(flow: Flow, tmp_path: Path, text: str = TEXT, size: tuple[int, int] = (80, 24)) -> Any:
    """Open a document in a deck with the real engine, and do what `flow` does."""

    async def run() -> Any:
        deck = Deck(tmp_path / "runs", reads(text), producer=Producer())
        async with deck.run_test(size=size) as pilot:
            await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and planned(deck.screen))
            assert isinstance(deck.screen, DesignScreen)
            return await flow(pilot, deck.screen)

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def remembers_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def planned(screen: DesignScreen) -> bool:
    return screen.design is not None and screen.design.plan is not None


async def press(pilot: Any, screen: DesignScreen, *keys: str) -> None:
    """Press keys, and wait until what they made is checked and shown."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot, lambda: planned(screen) and screen.design.plan is not None)  # type: ignore[union-attr]
    await settle(pilot)


async def type_(pilot: Any, text: str) -> None:
    for letter in text:
        await pilot.press(
            {" ": "space", ".": "full_stop", "-": "minus", "_": "underscore", ",": "comma"}.get(letter, letter)
        )
    await settle(pilot)


def layers(screen: DesignScreen) -> list[Any]:
    return [v if isinstance(v, str) else v["type"] for v in value_at(screen.draft.text, "model.layers")]


def test_a_layer_is_added_from_a_list_that_typing_filters(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "down", "a")
        picker = pilot.app.screen
        assert isinstance(picker, PickerScreen)
        await settle(pilot, lambda: "input: an image 32×8×8" in screen_text(pilot.app))
        assert "do not fit here" not in screen_text(pilot.app).split("Add a layer")[1].split("─ gets")[0][:400]
        await type_(pilot, "dropout2")
        await press(pilot, screen, "enter")
        assert layers(screen)[:4] == ["Conv2d", "BatchNorm2d", "Dropout2d", "ReLU"]
        assert screen.path == "model.layers[2]" and screen.form.border_title == "Dropout2d"
        await press(pilot, screen, "u")
        assert screen.draft.text == TEXT
        await press(pilot, screen, "r")
        assert layers(screen)[2] == "Dropout2d"

    at_the_keys(flow, tmp_path)


def test_unsuitable_layers_are_listed_last_with_the_reason_but_a_typed_name_comes_first(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "a")
        await settle(pilot, lambda: "input: an image" in screen_text(pilot.app))
        await type_(pilot, "signal")
        text = screen_text(pilot.app)
        assert text.index("do not fit here") < text.index("Conv1d")
        await pilot.press(*["backspace"] * 6)
        await type_(pilot, "linear")
        assert "does not fit here: it needs a vector" in screen_text(pilot.app)
        await press(pilot, screen, "enter")
        assert screen.path == "model.layers[1]" and layers(screen)[1] == "Linear"
        await press(pilot, screen, "f")
        assert layers(screen)[1:3] == ["Flatten", "Linear"]

    at_the_keys(flow, tmp_path, size=(120, 36))


def test_layers_are_deleted_duplicated_moved_cut_and_pasted(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "x")
        assert layers(screen)[0] == "BatchNorm2d"
        await press(pilot, screen, "u", "D")
        assert layers(screen)[:3] == ["Conv2d", "Conv2d", "BatchNorm2d"] and screen.path == "model.layers[1]"
        await press(pilot, screen, "J")
        assert layers(screen)[:3] == ["Conv2d", "BatchNorm2d", "Conv2d"] and screen.path == "model.layers[2]"
        await press(pilot, screen, "X")
        assert layers(screen) == [v if isinstance(v, str) else v["type"] for v in value_at(TEXT, "model.layers")]
        await press(pilot, screen, "home", "v")
        assert layers(screen)[:2] == ["Conv2d", "Conv2d"]
        while screen.design is not None and screen.design.history.can_undo:
            await press(pilot, screen, "u")
        assert screen.draft.text == TEXT

    at_the_keys(flow, tmp_path)


def test_marked_layers_are_wrapped_folded_and_unwrapped(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "shift+down", "shift+down", "w")
        await type_(pilot, "seq")
        await press(pilot, screen, "enter")
        assert layers(screen)[0] == "Sequential" and len(value_at(screen.draft.text, "model.layers[0].layers")) == 3
        assert "0.2  " in screen_text(pilot.app)
        await press(pilot, screen, "space")
        assert "▸ Sequential (3)" in screen_text(pilot.app) and "0.2  " not in screen_text(pilot.app)
        await press(pilot, screen, "space", "W")
        assert tomllib.loads(screen.draft.text) == tomllib.loads(TEXT)

    at_the_keys(flow, tmp_path)


def test_values_are_stepped_typed_and_reset_and_a_wrong_value_is_explained_during_typing(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "enter")
        assert screen.form.rows.field is not None and screen.form.rows.field.name == "out_channels"
        await press(pilot, screen, "right")
        assert value_at(screen.draft.text, "model.layers[0].out_channels") == 64
        assert "64×8×8" in screen_text(pilot.app)
        await pilot.press("4")
        await type_(pilot, "8.5")
        assert screen.form.input.value == "48.5" and "expected a whole number" in screen_text(pilot.app)
        await pilot.press("enter")
        assert screen.form.typing
        await pilot.press("backspace", "backspace")
        await press(pilot, screen, "enter")
        assert value_at(screen.draft.text, "model.layers[0].out_channels") == 48
        await press(pilot, screen, "u", "u")
        assert screen.draft.text == TEXT
        await press(pilot, screen, "down", "down", "down", "backspace")
        assert value_at(screen.draft.text, "model.layers[0].padding") is None
        assert [line for line in screen.draft.text.splitlines() if line not in TEXT.splitlines()] == [
            '  {type = "Conv2d", out_channels = 32, kernel_size = 3},'
        ]

    at_the_keys(flow, tmp_path)


def test_a_value_that_breaks_the_model_is_reported_before_it_is_accepted(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> str:
        await press(pilot, screen, "enter", "up")
        await press(pilot, screen, "enter")
        await type_(pilot, "3")
        await settle(pilot, lambda: "in_channels is 3" in screen_text(pilot.app))
        return screen.draft.text

    assert at_the_keys(flow, tmp_path, size=(120, 36)) == TEXT


def test_another_optimizer_has_its_usual_rate_and_early_stopping_is_a_switch(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        screen.part_list.focus()
        await press(pilot, screen, "down", "down", "down", "enter", "up", "enter")
        assert isinstance(pilot.app.screen, PickerScreen)
        await type_(pilot, "sgd")
        await press(pilot, screen, "enter")
        optimizer = value_at(screen.draft.text, "optimizer")
        assert optimizer == {"type": "SGD", "lr": 0.1, "weight_decay": 0.01}
        said = "Set optimizer.lr to 0.1, the usual rate of SGD"
        await settle(pilot, lambda: any(said in str(note.message) for note in pilot.app._notifications))
        screen.part_list.focus()
        await press(pilot, screen, "down", "down", "down", "enter")
        names = [field.name for field in screen.form.rows.fields]
        assert {"monitor", "patience"} <= set(names)
        screen.form.rows.highlighted = names.index("early_stopping")
        await press(pilot, screen, "space")
        assert value_at(screen.draft.text, "training.early_stopping") is None
        await press(pilot, screen, "space")
        assert value_at(screen.draft.text, "training.early_stopping") == {"monitor": "val_loss"}

    at_the_keys(flow, tmp_path)


def test_a_document_is_saved_byte_for_byte_and_a_change_affects_only_its_line(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "S")
        pilot.app.screen.query_one(Input).value = "mine.toml"
        await press(pilot, screen, "enter")
        assert (tmp_path / "mine.toml").read_bytes() == TEXT.encode()
        await press(pilot, screen, "enter", "right", "s")
        lines = zip(TEXT.splitlines(), (tmp_path / "mine.toml").read_text().splitlines(), strict=True)
        assert [new for old, new in lines if old != new] == [
            '  {type = "Conv2d", out_channels = 64, kernel_size = 3, padding = "same"},'
        ]
        assert not screen.design.unsaved  # type: ignore[union-attr]

    at_the_keys(flow, tmp_path)


def test_leaving_with_changes_asks_and_the_next_deck_recovers_those_of_a_killed_one(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "x", "q")
        assert isinstance(pilot.app.screen, ChoiceScreen) and "is not saved" in screen_text(pilot.app)
        await press(pilot, screen, "escape")
        (kept,) = (tmp_path / "state" / "torchdeck" / "unsaved").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        record = kept.read_text()
        kept.write_text(record.replace('"started": ', '"started": 1'))  # as if another process had this number now

    at_the_keys(flow, tmp_path)

    async def next_deck(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "ctrl+o")
        assert "Unsaved changes of an earlier deck" in screen_text(pilot.app)
        await pilot.press("enter")
        await settle(pilot, lambda: screen.design is not None and screen.design.unsaved and planned(screen))
        assert layers(screen)[0] == "BatchNorm2d"

    at_the_keys(next_deck, tmp_path)


def test_the_screen_is_a_function_of_the_document_its_plan_and_the_selection(tmp_path: Path) -> None:
    async def edit(pilot: Any, screen: DesignScreen) -> tuple[str, str]:
        await press(
            pilot,
            screen,
            "D",
            "J",
            "J",
            "enter",
            "right",
            "escape",
            "x",
            "u",
            "end",
            "x",
            "enter",
            "escape",
            "home",
            "down",
        )
        pilot.app.clear_notifications()
        await settle(pilot)
        return screen.draft.text, screen_text(pilot.app)

    async def look(pilot: Any, screen: DesignScreen) -> str:
        await press(pilot, screen, "home", "down")
        return screen_text(pilot.app)

    text, shown = at_the_keys(edit, tmp_path, size=(120, 36))
    again = at_the_keys(look, tmp_path, text=text, size=(120, 36))
    # The heading and the footer also know what is saved.
    assert shown.splitlines()[1:-1] == again.splitlines()[1:-1]


def test_the_model_of_a_preset_is_used_with_the_documents_data(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "m")
        await type_(pilot, "lenet")
        await press(pilot, screen, "enter")
        assert value_at(screen.draft.text, "model") == value_at(preset_text("lenet"), "model")
        assert value_at(screen.draft.text, "training") == value_at(TEXT, "training")
        await press(pilot, screen, "m")
        await type_(pilot, "empty")
        await press(pilot, screen, "enter")
        assert value_at(screen.draft.text, "model.layers") == []
        assert "no layers yet: press a to add one" in screen_text(pilot.app)
        await press(pilot, screen, "a")
        await type_(pilot, "flatten")
        await press(pilot, screen, "enter")
        assert value_at(screen.draft.text, "model.layers") == ["Flatten"]

    at_the_keys(flow, tmp_path)


def test_the_command_that_trains_the_document_is_shown(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> str:
        screen.design.source = "digits-cnn"  # type: ignore[union-attr]
        await press(pilot, screen, "enter", "right", "escape", "y")
        return screen_text(pilot.app)

    assert "torchdeck train digits-cnn --set 'model.layers[0].out_channels=64'" in at_the_keys(
        flow, tmp_path, size=(120, 36)
    )


def test_presets_open_unchanged(tmp_path: Path) -> None:
    for name in ("digits-cnn", "resnet-digits", "lenet"):
        assert read(name).text == preset_text(name)


def test_one_key_applies_the_fix_of_the_mistake_under_the_cursor(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        assert "f Fix" in screen_text(pilot.app)
        await press(pilot, screen, "f")
        assert screen.draft.text == wrong.replace("in_features = 100, ", "").replace(", in_features = 100", "")
        await press(pilot, screen, "f")
        assert screen.draft.text == TEXT and "f Fix" not in screen_text(pilot.app)
        await press(pilot, screen, "u", "u")
        assert screen.draft.text == wrong

    wrong = set_value(set_value(TEXT, "model.layers[9].in_features", 100), "loss.type", "CrossEntropyLos")
    at_the_keys(flow, tmp_path, text=wrong)


ODD = {
    "line ends of Windows": TEXT.replace("\n", "\r\n"),
    "no line end at the end": TEXT.rstrip("\n"),
    "tabs, blanks, comments": TEXT.replace("lr = 3e-3", "lr\t=   3e-3   # by hand").replace("[loss]", "\n# \n[loss]"),
    "dotted keys": """data.source = "digits"
model.layers = ["Flatten", {type = "Linear", out_features = "auto"}]
optimizer.lr = 0.1
""",
    "names in quotes": TEXT.replace('name = "digits-cnn"', "\"name\" = 'digits-cnn'"),
}  # fmt: skip


@pytest.mark.parametrize("layout", ODD)
def test_any_layout_is_saved_byte_for_byte_and_a_change_affects_only_its_line(tmp_path: Path, layout: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(ODD[layout].encode())

    async def flow() -> None:
        deck = Deck(tmp_path / "runs", read(str(file)), source=str(file), producer=Producer())
        async with deck.run_test(size=(80, 24)) as pilot:
            await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and planned(deck.screen))
            screen = deck.screen
            assert isinstance(screen, DesignScreen) and screen.design is not None
            await press(pilot, screen, "s")
            assert file.read_bytes() == ODD[layout].encode()
            screen.part_list.focus()
            await press(pilot, screen, "home", "down", "down", "down", "enter", "right", "s")
            before, after = ODD[layout].splitlines(), file.read_bytes().decode().splitlines()
            changed = [new for old, new in zip(before, after, strict=True) if old != new]
            assert len(changed) == 1 and "lr" in changed[0]
            assert ("by hand" in changed[0]) == ("by hand" in ODD[layout])

    asyncio.run(flow())


def test_an_unsaved_document_behind_another_one_is_asked_about_and_can_be_opened_again(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        for layer in ("conv2d", "flatten"):
            await press(pilot, screen, "n")
            await type_(pilot, "empty")
            await press(pilot, screen, "enter", "a")
            await type_(pilot, layer)
            await press(pilot, screen, "enter")
        assert layers(screen) == ["Flatten"]
        assert len(list((tmp_path / "state" / "torchdeck" / "unsaved").iterdir())) == 2
        await press(pilot, screen, "ctrl+o")
        assert "Open here, not saved" in screen_text(pilot.app)
        await press(pilot, screen, "enter")
        assert layers(screen) == ["Conv2d"]
        await press(pilot, screen, "q")
        assert "experiment, experiment are not saved" in screen_text(pilot.app)

    at_the_keys(flow, tmp_path)


def test_a_file_that_exists_or_was_changed_by_another_program_is_not_replaced_without_asking(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        mine, other = tmp_path / "mine.toml", tmp_path / "other.toml"
        other.write_text("precious")
        await press(pilot, screen, "S")
        pilot.app.screen.query_one(Input).value = "other.toml"
        await press(pilot, screen, "enter")
        assert "already exists" in screen_text(pilot.app)
        await press(pilot, screen, "escape")
        assert other.read_text() == "precious"
        await press(pilot, screen, "S")
        pilot.app.screen.query_one(Input).value = "mine.toml"
        await press(pilot, screen, "enter")
        mine.write_text(TEXT.replace("batch_size = 64", "batch_size = 16"))
        await press(pilot, screen, "D", "s")
        assert "was changed by another program" in screen_text(pilot.app)
        await press(pilot, screen, "escape")
        assert "batch_size = 16" in mine.read_text()
        await press(pilot, screen, "s", "down", "down", "enter")
        assert mine.read_text() == screen.draft.text

    at_the_keys(flow, tmp_path)


def test_a_file_that_is_open_with_changes_is_not_read_again(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "S")
        pilot.app.screen.query_one(Input).value = "mine.toml"
        await press(pilot, screen, "enter", "x")
        pilot.app.documents.open_file(tmp_path / "mine.toml")
        await press(pilot, screen)
        assert layers(screen)[0] == "BatchNorm2d" and len(pilot.app.documents.unsaved) == 1

    at_the_keys(flow, tmp_path)


def test_digits_typed_in_a_burst_are_one_number(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        await press(pilot, screen, "enter")
        for key in ("1", "2", "8"):
            pilot.app.simulate_key(key)
        await settle(pilot)
        await press(pilot, screen, "enter")
        assert value_at(screen.draft.text, "model.layers[0].out_channels") == 128

    at_the_keys(flow, tmp_path)


def test_a_text_that_is_not_toml_shows_the_key_for_the_editor(tmp_path: Path) -> None:
    async def flow(pilot: Any, screen: DesignScreen) -> None:
        screen.change("[broken", "edit")
        await press(pilot, screen)
        foot = screen_text(pilot.app).splitlines()[-1]
        assert "e Editor" in foot and "Train" not in foot and "digits-cnn •" in screen_text(pilot.app)
        await press(pilot, screen, "u")
        assert "Train" in screen_text(pilot.app).splitlines()[-1]

    at_the_keys(flow, tmp_path, size=(120, 36))
