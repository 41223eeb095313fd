"""The design screen: the parts and layers of an experiment, the form of the selected one, and keys to change them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content

from engine import choose, layer_editing, preset_text, reads_experiment, set_switch, set_value, unset, value_at
from tui.dialogs.picker import PickerScreen
from tui.dialogs.picture import PictureScreen
from tui.rows.design import PARTS, WRONG, mistakes_of, value_text
from tui.rows.explanations import LOADING
from tui.rows.form import mistakes_at
from tui.rows.picker import Item
from tui.screens.gradient_check import GradientCheckScreen
from tui.screens.layer_editing import LayerEditing
from tui.screens.one_batch import OneBatchScreen
from tui.screens.rate_finder import RateFinderScreen
from tui.widgets.form import ChoiceRequested, FieldChanged, FieldTried

if TYPE_CHECKING:
    from engine import FormField, Mistake, Plan, RateFound


class DesignScreen(LayerEditing):
    """An experiment as it will be trained, and everything that can be changed in it."""

    CSS_PATH = "design.tcss"
    TITLE = "Design"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "Add", id="design.add", tooltip="Add a layer after the one under the cursor"),
        Binding("u", "undo", "Undo", id="design.undo", tooltip="Undo the last change"),
        Binding(
            "r,ctrl+r",
            "redo",
            "Redo",
            show=False,
            key_display="r",
            id="design.redo",
            tooltip="Redo the change that was undone",
        ),
        Binding("f", "fix", "Fix", id="design.fix", tooltip="Fix the mistake under the cursor, or the first one"),
        Binding("t", "train", "Train", id="design.train", tooltip="Train this experiment"),
        Binding(
            "l",
            "rate_finder",
            "Rate finder",
            id="design.rate_finder",
            tooltip="Find a learning rate, using a separate model",
        ),
        Binding("g", "gradients", "Gradients", id="design.gradients", tooltip="Check the gradients of every layer"),
        Binding(
            "o",
            "one_batch",
            "One batch",
            id="design.one_batch",
            tooltip="Test whether the model can memorise one batch",
        ),
        Binding(
            "s,ctrl+s",
            "save",
            "Save",
            show=False,
            key_display="s",
            id="design.save",
            tooltip="Save the document to its file",
        ),
        Binding(
            "S", "save_as", "Save as", show=False, id="design.save_as", tooltip="Save the document to another file"
        ),
        Binding(
            "ctrl+o",
            "open",
            "Open",
            show=False,
            id="design.open",
            tooltip="Open a file or an unsaved document",
        ),
        Binding("n", "new", "New", show=False, id="design.new", tooltip="Create a document: empty, or from a preset"),
        Binding(
            "m",
            "template",
            "Model",
            show=False,
            id="design.template",
            tooltip="Use the model of a preset, with this document's data",
        ),
        Binding("e", "editor", "Editor", show=False, id="design.editor", tooltip="Open the document in $EDITOR"),
        Binding(
            "y",
            "command_line",
            "Command",
            show=False,
            id="design.command",
            tooltip="Show the command that trains this document",
        ),
        Binding(
            "p",
            "picture",
            "Picture",
            show=False,
            id="design.picture",
            tooltip="Show the picture of this part in full size",
        ),
        Binding("escape", "app.runs", "Back", show=False, id="design.back", tooltip="Back to the presets and runs"),
    ]

    def action_undo(self) -> None:
        what = self.design.undo()
        self._moved(f"Undone: {what}", "Nothing to undo.", what)

    def action_redo(self) -> None:
        what = self.design.redo()
        self._moved(f"Redone: {what}", "Nothing to redo.", what)

    def _moved(self, done: str, nothing: str, what: str) -> None:
        self.notify(done if what else nothing, timeout=2, markup=False)
        if what:
            self._changed()

    def action_picture(self) -> None:
        """Show the picture of the selected part in full size; for a layer, the picture of the data."""
        part = self.selection.part or "data"
        design = self.design
        self.services.plans.find_out(design, part)

        def draw(width: int, height: int) -> Content:
            drawn = self.picture_of(design, part, width, height)
            return drawn if drawn.plain.strip() else Content("This part has no picture.")

        findings = self.services.plans.findings_made
        self.app.push_screen(PictureScreen(PARTS[part].rstrip("."), draw, findings))

    # The form.

    @on(FieldChanged)
    def _field_changed(self, event: FieldChanged) -> None:
        event.stop()
        text = self._with(event.field, event.value)
        shown = "default" if event.value is None else value_text(event.value)
        group = event.field.path if event.stepping else ""
        before = self.design.text
        self.design.typed[event.field.path] = event.value
        self.change(text, f"{event.field.name} {shown}", group=group)
        if event.field.names == "optimizers":
            self._notify_rate(event.field.path.removesuffix(".type"), before, shown)

    def _notify_rate(self, place: str, before: str, optimizer: str) -> None:
        """Notify that choosing another optimizer also set its usual rate."""
        old, new = (value_at(text, f"{place}.lr") for text in (before, self.design.text))
        if old != new and new is not None:
            was = f" (it was {value_text(old)})" if old is not None else ""
            sentence = f"Set {place}.lr to {value_text(new)}, the usual rate of {optimizer}{was}. Press u to undo both."
            self.notify(sentence, markup=False)

    def _with(self, field: FormField, value: Any) -> str:
        """Return the document's text with another value in a field."""
        text = self.design.text
        if value is None:
            return unset(text, field.path)
        if field.names or (field.options and field.off):
            return choose(text, field, str(value), self.design.typed)
        if field.is_switch:
            return set_switch(text, field, bool(value))
        return set_value(text, field.path, value)

    @on(ChoiceRequested)
    def _choice_requested(self, event: ChoiceRequested) -> None:
        event.stop()
        field = event.field
        if not self._ready():
            return
        task = self.design.plan.description.task if self.design.plan and self.design.plan.description else None
        kind = field.names
        items = self.services.producer.items(kind, task) if kind else []
        known = {item.name: item for item in items}
        more = [Item(name, _SPECIAL.get(name, "")) for name in field.options if not kind or name in ("auto", "none")]

        def chosen(name: str | None) -> None:
            if name is not None and name != field.value:
                self.post_message(FieldChanged(field, name))

        picker = self._picker(field.name, kind or "layers", [*more, *known.values()], at=str(field.value))
        self.app.push_screen(picker, chosen)

    @on(FieldTried)
    def _field_tried(self, event: FieldTried) -> None:
        """Check the value that is being typed, and show below it what would be wrong."""
        event.stop()
        if not self.services.plans.torch_loaded:
            return
        field = event.field
        draft = reads_experiment(self._with(field, event.value), origin=self.design.source)
        self._tried = draft

        def tried(plan: Any) -> None:
            if self._tried is draft and not isinstance(plan, Exception):
                before = {str(m) for m in mistakes_of(self.draft, self.design.plan)}
                new = [m for m in plan.mistakes if str(m) not in before]
                here = mistakes_at(field, new) or [m for m in new if m.severity == "error"]
                self.form.show_result(Content.styled(str(here[0]), WRONG) if here else Content(""))

        self.services.plans.answer(lambda: self.services.producer.plan_of(draft), tried)

    # The document.

    def action_fix(self) -> None:
        """Apply the fix of the mistake under the cursor, or of the first mistake with a fix."""
        if not self._ready():
            return
        mistake = self._fixable()
        text = self.services.producer.apply_fix(self.design.text, mistake) if mistake is not None else None
        if mistake is None or text is None:
            self.notify("There is no mistake here that f can fix.", timeout=3, markup=False)
        else:
            self.change(text, f"fix {mistake.path}", at=self.path if self.selection.path else None)

    def _fixable(self) -> Mistake | None:
        """The mistake that f would fix: the one under the cursor, or else the first one."""
        mistakes = [m for m in mistakes_of(self.draft, self.design.plan) if m.remedy is not None]
        place = self.selection.place
        here = [m for m in mistakes if m.path == place or m.path.startswith((f"{place}.", f"{place}["))]
        return next(iter(here or mistakes), None)

    def action_train(self) -> None:
        self.services.runs.train(self.design)

    def action_save(self) -> None:
        self.services.documents.save(self.design)

    def action_save_as(self) -> None:
        self.services.documents.save(self.design, ask=True)

    def action_open(self) -> None:
        self.services.documents.ask_open()

    def action_new(self) -> None:
        self.services.documents.ask_new()

    def action_template(self) -> None:
        if not self._ready():
            return
        items = [Item("empty", "No layers: start from the input."), *self.services.documents.preset_items()]

        def take(name: str | None) -> None:
            if name is not None:
                text = layer_editing.NEW_DOCUMENT if name == "empty" else preset_text(name)
                self._edit(layer_editing.replace_model(self.design.text, text))

        self.app.push_screen(PickerScreen("Use the model of", items), take)

    def action_editor(self) -> None:
        design = self.design

        def changed(text: str) -> None:
            if self.design is design:
                self.change(text, "edit in an editor")

        self.services.documents.edit_outside(design, changed)

    def action_command_line(self) -> None:
        self.services.documents.show_command(self.design)

    def action_rate_finder(self) -> None:
        if (plan := self._plan_to_probe()) is not None:
            self.app.push_screen(RateFinderScreen(plan, self.services.producer), self._rate_found)

    def action_gradients(self) -> None:
        if (plan := self._plan_to_probe()) is not None:
            self.app.push_screen(GradientCheckScreen(plan, self.services.producer))

    def action_one_batch(self) -> None:
        if (plan := self._plan_to_probe()) is not None:
            self.app.push_screen(OneBatchScreen(plan, self.services.producer))

    def _plan_to_probe(self) -> Plan | None:
        """The plan, if it has no errors and no run is active; otherwise notify why not."""
        plan, active = self.design.plan, self.services.runs.active
        if plan is not None and plan.ok and active is None:
            return plan
        if plan is None:
            problem = LOADING
        elif active is not None:
            problem = (
                f"{active.directory.name} is training, and a probe would change its random numbers. Stop it first."
            )
        else:
            errors = sum(m.severity == "error" for m in plan.mistakes)
            problem = f"Correct {errors} mistakes first." if errors > 1 else "Correct the mistake first."
        self.app.notify(problem, severity="warning", markup=False)
        return None

    def _rate_found(self, found: RateFound | None) -> None:
        if found is not None and found.lr is not None:
            self.take_rate(found.lr, found.field)

    def take_rate(self, rate: float, field: str = "optimizer.lr") -> None:
        """Set the rate that was found, in the field that holds it."""
        if self._ready():
            self.change(set_value(self.design.text, field, rate), f"{field.rpartition('.')[2]} {value_text(rate)}")
            self.notify(f"Set {field} to {rate:g}", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        of_a_plan = action in ("train", "rate_finder", "gradients", "one_batch")
        if of_a_plan and not self.design.editable:
            return False
        if action == "train":
            plan = self.design.plan
            return None if plan is not None and not plan.ok else True
        if action == "fix":
            return self._fixable() is not None
        if action == "undo":
            return True if self.design.history.can_undo else None
        return True


_SPECIAL = {
    "auto": "The usual loss of the task: CrossEntropyLoss for classes, MSELoss for numbers.",
    "none": "No choice: PyTorch's default applies.",
}
