"""Documents: open, save, create, recover and edit them, and ask the person what is needed for that."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported
from textual.signal import Signal

from engine import NEW_DOCUMENT, expanded, home_problem, preset_names, preset_text, reads_experiment, train_command
from tui.dialogs.ask import AskScreen
from tui.dialogs.choice import ANOTHER, FOR_A_FILE, REPLACE, ChoiceScreen
from tui.dialogs.command import CommandScreen
from tui.dialogs.picker import PickerScreen
from tui.quantities import ago_text
from tui.rows.picker import Item
from tui.services.design import Design
from tui.services.plans import PlanService
from tui.services.producer import Producer
from tui.services.unsaved import RecentFiles, UnsavedDocument, UnsavedFiles


class Documents:
    """The documents of a deck.

    Args:
        show: shows the design screen, with a document where the screen is new.
    """

    def __init__(self, app: App[Any], producer: Producer, plans: PlanService, show: Callable[[Design], None]) -> None:
        self._app = app
        self._producer = producer
        self._plans = plans
        self._show = show
        self.current: Design | None = None
        """The document that the design screen shows."""
        self.open_documents: list[Design] = []
        """The documents that are open, the newest last. A preset's stays open once it was changed."""
        self.copied_layers: list[Any] = []
        """The layers that were cut or copied last, as values of a document."""
        self.opened: Signal[Design] = Signal(app, "document opened")
        """Published when a document is to be shown."""
        self.saved: Signal[Design] = Signal(app, "document saved")
        """Published when a document was written to its file."""
        self.unsaved_files = UnsavedFiles()
        self.recent = RecentFiles()
        self._of_presets: dict[str, Design] = {}
        self._warned = False

    @property
    def unsaved(self) -> list[Design]:
        """The documents with changes that are not saved."""
        return [design for design in self.open_documents if design.unsaved]

    def of_preset(self, preset: str) -> Design:
        """Return the document of a preset, which is read once."""
        if preset not in self._of_presets:
            self._of_presets[preset] = Design(self._producer.read(preset), preset)
        return self._of_presets[preset]

    def select(self, design: Design) -> None:
        """Make a document the current one without showing it. Documents with unsaved changes stay open."""
        self.current = design
        self.open_documents = [d for d in self.open_documents if d is not design and d.unsaved] + [design]

    def open(self, design: Design) -> None:
        """Show a document, and check it."""
        self.select(design)
        self._show(design)
        self.opened.publish(design)
        self._plans.check(design)

    def keep(self, design: Design) -> None:
        """Store changes on disk until the document is saved; drop what is stored if there are no changes."""
        try:
            if design.unsaved:
                self.unsaved_files.keep(design)
            else:
                self.unsaved_files.drop(design)
        except OSError as error:
            if not self._warned:  # once: every key would repeat it
                self._warned = True
                why = error.strerror or error
                warning = f"A crash would lose unsaved changes: {why}. Press s to save the document."
                self._app.notify(warning, severity="warning", markup=False)

    def discard(self, design: Design) -> None:
        """Drop the stored changes of a document."""
        self.unsaved_files.drop(design)

    def save(self, design: Design, *, ask: bool = False, then: Callable[[], None] | None = None) -> None:
        """Write a document to its file; ask for a file where it has none, or where `ask` is set."""
        if design.path is not None and not ask:
            self._confirm_write(design, design.path, then)
            return
        path = design.path or Path(f"{design.name or 'experiment'}.toml")

        def answered(line: str | None) -> None:
            if line:
                self._confirm_write(design, Path(line.strip()), then)

        about = "A TOML file. torchdeck train FILE trains it without the deck."
        self._app.push_screen(AskScreen("Save as", str(path), about, _path_problem), answered)

    def _confirm_write(self, design: Design, path: Path, then: Callable[[], None] | None) -> None:
        """Write a document; ask first where another program has written to the file."""
        if not design.changed_outside(path):
            self._write(design, path, then)
            return

        def answered(choice: str | None) -> None:
            if choice == REPLACE.name:
                self._write(design, path, then)
            elif choice == ANOTHER.name:
                self.save(design, ask=True, then=then)

        same = design.path is not None and expanded(path).resolve() == expanded(design.path).resolve()
        state = " was changed by another program since it was read." if same else " already exists."
        self._app.push_screen(ChoiceScreen(path.name, state, FOR_A_FILE, title="Replace the file?"), answered)

    def _write(self, design: Design, path: Path, then: Callable[[], None] | None) -> None:
        try:
            design.save(path)
        except OSError as error:
            problem = f"{path} cannot be written: {error.strerror or error}."
            self._app.notify(problem, severity="error", markup=False)
            return
        self.unsaved_files.drop(design)
        self.recent.add(path)
        self._app.notify(f"Saved {path}", timeout=3, markup=False)
        self.saved.publish(design)
        if then is not None:
            then()

    def ask_open(self) -> None:
        """Ask which file, open document or unsaved document of an earlier deck to open."""
        left = {f"unsaved {i}": document for i, document in enumerate(self.unsaved_files.of_earlier_decks())}
        open_here = {f"open {d.number}": d for d in self.unsaved if d is not self.current}
        now = time.time()
        items = [
            Item(name, str(d.path) if d.path else "not in a file yet", "Open here, not saved", d.name)
            for name, d in open_here.items()
        ]
        items += [
            Item(name, f"{_origin(one)}, {ago_text(one.time, now)}", "Unsaved changes of an earlier deck", one.name)
            for name, one in left.items()
        ]
        recent = self.recent.list()
        here = sorted(path.absolute() for path in Path.cwd().glob("*.toml") if path.name != "pyproject.toml")
        items += [Item(str(path), str(path.parent), "Recent", path.name) for path in recent]
        items += [Item(str(path), str(path.parent), "In this folder", path.name) for path in here if path not in recent]

        def answered(name: str | None) -> None:
            if name in open_here:
                self.open(open_here[name])
            elif name in left:
                self._recover(left[name])
            elif name is not None:
                self.open_file(Path(name))

        picker = PickerScreen("Open", items, placeholder="type to filter, or the path of a file", free=True)
        self._app.push_screen(picker, answered)

    def open_file(self, path: Path) -> None:
        """Open a file. If it cannot be read, the design screen shows why."""
        path = expanded(path)
        already = next((d for d in self.open_documents if d.path and d.path.resolve() == path.resolve()), None)
        if already is not None and already.unsaved:
            self.open(already)
            self._app.notify("It is already open, with changes that are not saved.", markup=False)
            return
        design = Design(self._producer.read(str(path)), str(path), path)
        if design.draft.text:
            self.recent.add(path)
        self.open(design)

    def _recover(self, left: UnsavedDocument) -> None:
        design = Design(reads_experiment(left.text, origin=left.source), left.source, left.path)
        design.saved, design.base = "", left.base
        self.keep(design)
        with suppress(OSError):
            left.file.unlink()
        self.open(design)

    def ask_new(self) -> None:
        """Ask what a new document starts from: nothing, or a preset."""
        items = [Item("empty", "An empty model on the digits, and AdamW."), *self.preset_items()]

        def answered(name: str | None) -> None:
            if name is not None:
                text = NEW_DOCUMENT if name == "empty" else preset_text(name)
                # A preset's name is kept as the source, so that the command that trains the document is short.
                self.open(Design(reads_experiment(text), "" if name == "empty" else name))

        self._app.push_screen(PickerScreen("New document from", items), answered)

    def preset_items(self) -> list[Item]:
        """Return the presets as items of a list."""
        return [Item(preset.name, preset.summary) for preset in self._producer.presets()]

    def edit_outside(self, design: Design, changed: Callable[[str], None]) -> None:
        """Open a document in $EDITOR; `changed` is called with the text that the editor saved."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        with tempfile.TemporaryDirectory(prefix="torchdeck-") as folder:
            file = Path(folder, f"{design.name or 'experiment'}.toml")
            file.write_bytes(design.text.encode("utf-8"))
            try:
                status = self._run_in_terminal([*shlex.split(editor), str(file)])
            except SuspendNotSupported:
                problem = "An editor cannot be opened in this terminal."
                self._app.notify(problem, severity="warning", markup=False)
                return
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
                problem = f"{editor} cannot be started: {why}. Set $EDITOR to your editor."
                self._app.notify(problem, severity="error", markup=False)
                return
            if status != 0:
                self._app.notify(f"{editor} exited with status {status}. Nothing was changed.", markup=False)
                return
            try:
                text = file.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):
                self._app.notify("The editor did not save UTF-8 text. Nothing was changed.", severity="error")
                return
        changed(text)

    def _run_in_terminal(self, command: list[str]) -> int:
        """Suspend the deck, run a program in the terminal, and return its exit status.

        Raises:
            SuspendNotSupported: the deck has no terminal.
            OSError: the program cannot be started.
        """
        # Standard output is the deck's log, so the program gets the terminal itself. The deck always comes back.
        failed: OSError | None = None
        status = 0
        with open("/dev/tty", "r+b", buffering=0) as tty, self._app.suspend():
            try:
                status = subprocess.call(command, stdin=tty, stdout=tty, stderr=tty)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed
        return status

    def show_command(self, design: Design) -> None:
        """Show the command that trains this document."""
        source, note = design.source, ""
        if source in preset_names() and design.path is None:
            base = preset_text(source)
        elif design.path is not None:
            base, source = design.base, str(design.path)
        else:
            note = "The document is not in a file yet. Press S to save it; then the command needs only the file's name."
            base, source = "", f"{design.name or 'experiment'}.toml"
        try:
            command = train_command(source, base, design.text if base else "")
        except ValueError:
            command, note = f"torchdeck train {shlex.quote(source)}", "The document is not valid TOML."
        self._app.push_screen(CommandScreen(command, note))


def _path_problem(line: str) -> str:
    """Why a document cannot be saved to this path; empty where it can."""
    if not line.strip():
        return "Type the name of a file."
    if problem := home_problem(line.strip()):
        return f"{problem[0].upper()}{problem[1:]}. Write the full path."
    path = expanded(line.strip())
    if path.is_dir():
        return "This is a folder. Name a file in it."
    if not path.absolute().parent.is_dir():
        return f"The folder {path.absolute().parent} does not exist."
    return ""


def _origin(document: UnsavedDocument) -> str:
    if document.path:
        return str(document.path)
    return f"from {document.source}" if document.source else "not in a file"
