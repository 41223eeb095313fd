"""Open, save, begin, recover and hand out documents: what the deck asks a person, and what it then does."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from engine.editing.command_line import train_command
from engine.editing.layers import EMPTY
from engine.experiment import preset_names, preset_text, reads
from engine.user_folders import expanded, home_problem
from tui.dialogs.ask import AskScreen
from tui.dialogs.command import CommandScreen
from tui.dialogs.picker import PickerScreen
from tui.dialogs.quit import ANOTHER, OF_A_FILE, REPLACE, QuitScreen
from tui.quantities import ago_text
from tui.rows.picker import Item
from tui.services.design import Design
from tui.services.unsaved import Leftover, RecentFiles, UnsavedFiles

if TYPE_CHECKING:
    from tui.deck.app import Deck


class Documents:
    """The documents of a deck, as far as files are concerned."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self.unsaved = UnsavedFiles()
        self.recent = RecentFiles()
        self._refused = False

    def keep(self, design: Design) -> None:
        """Keep what was changed on disk until it is saved; a document that is as it was saved needs no keeping."""
        try:
            if design.unsaved:
                self.unsaved.keep(design)
            else:
                self.unsaved.drop(design)
        except OSError as error:
            if not self._refused:  # say it once: every key would say it again
                self._refused = True
                said = f"Changes are not kept over a crash: {error.strerror or error}. s saves the document."
                self._deck.notify(said, severity="warning", markup=False)

    def give_up(self, design: Design) -> None:
        """Forget what was changed and not saved."""
        self.unsaved.drop(design)

    def save(self, design: Design, *, ask: bool = False, then: Callable[[], None] | None = None) -> None:
        """Write a document to its file; one that has none, or on request, to a file that is asked for."""
        if design.path is not None and not ask:
            self._write_if_meant(design, design.path, then)
            return
        path = design.path or Path(f"{design.name or 'experiment'}.toml")

        def answered(line: str | None) -> None:
            if line:
                self._write_if_meant(design, Path(line.strip()), then)

        about = "A TOML file; torchdeck train FILE trains it without the deck."
        self._deck.push_screen(AskScreen("Save as", str(path), about, _refuse_path), answered)

    def _write_if_meant(self, design: Design, path: Path, then: Callable[[], None] | None) -> None:
        """Write a document, after asking where that would lose what something else has written there."""
        if not design.changed_outside(path):
            self._write(design, path, then)
            return

        def answered(choice: str | None) -> None:
            if choice == REPLACE.name:
                self._write(design, path, then)
            elif choice == ANOTHER.name:
                self.save(design, ask=True, then=then)

        same = design.path is not None and expanded(path).resolve() == expanded(design.path).resolve()
        is_ = " was changed by something else since it was read." if same else " is there already."
        self._deck.push_screen(QuitScreen(path.name, is_, OF_A_FILE, title="Replace the file?"), answered)

    def _write(self, design: Design, path: Path, then: Callable[[], None] | None) -> None:
        try:
            design.save(path)
        except OSError as error:
            self._deck.notify(f"{path} cannot be written: {error.strerror or error}.", severity="error", markup=False)
            return
        self.unsaved.drop(design)
        self.recent.add(path)
        self._deck.notify(f"Saved {path}", timeout=3, markup=False)
        self._deck.document_saved(design)
        if then is not None:
            then()

    def ask_open(self) -> None:
        """Open a file, or what an earlier deck left unsaved."""
        leftovers = {f"unsaved {i}": left for i, left in enumerate(self.unsaved.leftovers())}
        open_here = {f"open {d.number}": d for d in self._deck.unsaved if d is not self._deck.design}
        now = time.time()
        items = [
            Item(name, str(d.path) if d.path else "in no file yet", "Open here, and not saved", d.name)
            for name, d in open_here.items()
        ]
        items += [
            Item(name, f"{_about(left)}, {ago_text(left.time, now)}", "Unsaved changes of an earlier deck", left.name)
            for name, left in leftovers.items()
        ]
        recent = self.recent.list()
        here = sorted(path.absolute() for path in Path.cwd().glob("*.toml") if path.name != "pyproject.toml")
        items += [Item(str(path), str(path.parent), "Recent", path.name) for path in recent]
        items += [Item(str(path), str(path.parent), "In this folder", path.name) for path in here if path not in recent]

        def answered(name: str | None) -> None:
            if name in open_here:
                self._deck.open_design(open_here[name])
            elif name in leftovers:
                self._recover(leftovers[name])
            elif name is not None:
                self.open(Path(name))

        picker = PickerScreen("Open", items, placeholder="type to filter, or the path of a file", free=True)
        self._deck.push_screen(picker, answered)

    def open(self, path: Path) -> None:
        """Open a file; one that cannot be read says why on the design screen."""
        path = expanded(path)
        already = next((d for d in self._deck.designs if d.path and d.path.resolve() == path.resolve()), None)
        if already is not None and already.unsaved:
            self._deck.open_design(already)
            self._deck.notify("It is open here, with changes that are not saved.", markup=False)
            return
        design = Design(self._deck.producer.read(str(path)), str(path), path)
        if design.draft.text:
            self.recent.add(path)
        self._deck.open_design(design)

    def _recover(self, leftover: Leftover) -> None:
        draft = reads(leftover.text, origin=leftover.source)
        design = Design(draft, leftover.source, leftover.path)
        design.saved, design.base = "", leftover.base
        self.keep(design)
        with suppress(OSError):
            leftover.file.unlink()
        self._deck.open_design(design)

    def ask_new(self) -> None:
        """Begin another document: empty, or from a preset."""
        items = [Item("empty", "An empty model on the digits, and AdamW."), *self.preset_items()]

        def answered(name: str | None) -> None:
            if name is not None:
                text = EMPTY if name == "empty" else preset_text(name)
                self._deck.open_design(Design(reads(text), self._new_name(name)))

        self._deck.push_screen(PickerScreen("New document from", items), answered)

    def _new_name(self, name: str) -> str:
        """What a document is called that has no file: a preset keeps its name, so that its command is short."""
        return "" if name == "empty" else name

    def preset_items(self) -> list[Item]:
        """The presets, to be picked from."""
        return [Item(preset.name, preset.summary) for preset in self._deck.producer.presets()]

    def edit_outside(self, design: Design) -> None:
        """Hand a document to $EDITOR, and take what comes back as one change."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        with tempfile.TemporaryDirectory(prefix="torchdeck-") as folder:
            file = Path(folder, f"{design.name or 'experiment'}.toml")
            file.write_bytes(design.text.encode("utf-8"))
            try:
                status = self._call([*shlex.split(editor), str(file)])
            except SuspendNotSupported:
                self._deck.notify("This terminal cannot be handed to an editor.", severity="warning", markup=False)
                return
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
                said = f"{editor} cannot be started: {why}. Set $EDITOR to your editor."
                self._deck.notify(said, severity="error", markup=False)
                return
            if status != 0:
                self._deck.notify(f"{editor} ended with status {status}; nothing was changed.", markup=False)
                return
            try:
                text = file.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):
                self._deck.notify("What the editor left is no UTF-8 text; nothing was changed.", severity="error")
                return
        self._deck.document_edited(design, text, "edit in an editor")

    def _call(self, command: list[str]) -> int:
        """Run a program in the terminal, the deck put aside; its exit status.

        Raises:
            SuspendNotSupported: the deck has no terminal of its own.
            OSError: the program cannot be started.
        """
        # Standard output is the deck's log: the program gets the terminal itself. The deck comes back whatever happens.
        failed: OSError | None = None
        status = 0
        with open("/dev/tty", "r+b", buffering=0) as tty, self._deck.suspend():
            try:
                status = subprocess.call(command, stdin=tty, stdout=tty, stderr=tty)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed
        return status

    def show_command(self, design: Design) -> None:
        """Show the command that trains just this document."""
        source, note = design.source, ""
        if source in preset_names() and design.path is None:
            base = preset_text(source)
        elif design.path is not None:
            base, source = design.base, str(design.path)
        else:
            note = "The document is in no file yet: S saves it, and the file's name is enough then."
            base, source = "", f"{design.name or 'experiment'}.toml"
        try:
            command = train_command(source, base, design.text if base else "")
        except ValueError:
            command, note = f"torchdeck train {shlex.quote(source)}", "The document is not TOML as it stands."
        self._deck.push_screen(CommandScreen(command, note))


def _refuse_path(line: str) -> str:
    if not line.strip():
        return "Type the name of a file."
    if problem := home_problem(line.strip()):
        return f"{problem[0].upper()}{problem[1:]}: write the whole path."
    path = expanded(line.strip())
    if path.is_dir():
        return "That is a folder: name a file in it."
    if not path.absolute().parent.is_dir():
        return f"There is no folder {path.absolute().parent}."
    return ""


def _about(leftover: Leftover) -> str:
    return str(leftover.path) if leftover.path else f"from {leftover.source}" if leftover.source else "in no file"
