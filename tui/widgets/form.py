"""The form of the selection: a row for each field, a line to type in, and help for the field under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Click, Key
from textual.message import Message
from textual.widgets import Input, OptionList, Static

from engine import next_value, parse_input, value_problem
from tui.rows.design import WRONG
from tui.rows.form import field_about, form_rows, typed
from tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from engine import FormField, Mistake


SMALLEST_PICTURE = 8
"""The least height of a panel that shows a picture; p shows it in full size."""


class FieldChanged(Message):
    """Requests another value for a field; None for its default."""

    def __init__(self, field: FormField, value: Any, *, stepping: bool = False) -> None:
        super().__init__()
        self.field, self.value, self.stepping = field, value, stepping


class FieldTried(Message):
    """Requests a check of a value that is being typed."""

    def __init__(self, field: FormField, value: Any) -> None:
        super().__init__()
        self.field, self.value = field, value


class ChoiceRequested(Message):
    """Requests a list to choose the value of a field from."""

    def __init__(self, field: FormField) -> None:
        super().__init__()
        self.field = field


class FieldList(RowList):
    """The fields."""

    HELP = "The fields. • is set in the document, dim is the default, ✗ is a mistake."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "Edit", key_display="⏎", id="form.edit", tooltip="Type or choose a value"),
        Binding(
            "right",
            "step(1)",
            "Next value",
            show=False,
            id="form.next_value",
            tooltip="Next value: one step up, or the next name",
        ),
        Binding(
            "left",
            "step(-1)",
            "Previous value",
            show=False,
            id="form.value_before",
            tooltip="Previous value: one step down, or the previous name",
        ),
        Binding(
            "space",
            "switch",
            "Switch",
            show=False,
            id="form.switch",
            tooltip="Switch on or off, or use the next name",
        ),
        Binding(
            "backspace,delete", "default", "Default", key_display="⌫", id="form.default", tooltip="Use the default"
        ),
        Binding(
            "escape", "screen.leave_form", "Back", key_display="esc", id="form.leave", tooltip="Back to the layers"
        ),
    ]

    def __init__(self) -> None:
        super().__init__(id="fields")
        self.fields: tuple[FormField, ...] = ()

    @property
    def field(self) -> FormField | None:
        """The field under the cursor."""
        at = self.highlighted
        return self.fields[at] if at is not None and at < len(self.fields) else None

    def action_edit(self) -> None:
        field = self.field
        if field is None:
            return
        if field.is_switch:
            self.action_switch()
        elif field.names or (field.options and len(field.options) > 3):
            self.post_message(ChoiceRequested(field))
        else:
            self.post_message(EditField(field, typed(field)))

    def action_step(self, by: int) -> None:
        field = self.field
        if field is not None and (value := next_value(field, by)) != field.value:
            self.post_message(FieldChanged(field, value, stepping=True))

    def action_switch(self) -> None:
        field = self.field
        if field is not None and (field.is_switch or field.options):
            self.post_message(FieldChanged(field, next_value(field, 1)))

    def action_default(self) -> None:
        field = self.field
        if field is not None and field.is_set and not field.required:
            self.post_message(FieldChanged(field, None))

    def on_click(self, event: Click) -> None:
        if event.chain == 2:
            self.action_edit()

    def on_key(self, event: Key) -> None:
        field = self.field
        typed_key = event.character or ""
        if field is not None and field.is_number and not field.options and typed_key and typed_key in "0123456789.-":
            event.stop()
            self.post_message(EditField(field, typed_key, started=True))


class EditField(Message):
    """Requests typing into a field: `text` is replaced, or continued if a key has started it."""

    def __init__(self, field: FormField, text: str, *, started: bool = False) -> None:
        super().__init__()
        self.field, self.text, self.started = field, text, started


class FieldInput(Input):
    """The line for typing a value."""

    HELP = "Type a value. Text needs no quotes, a list no brackets. An empty line is the default."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Accept", key_display="⏎", id="form.take", tooltip="Use this value"),
        Binding("escape", "cancel", "Back", key_display="esc", id="form.cancel", tooltip="Keep the previous value"),
        Binding("up", "step(1)", "Step up", show=False, id="form.step_up", tooltip="One step up"),
        Binding("down", "step(-1)", "Step down", show=False, id="form.step_down", tooltip="One step down"),
    ]

    def __init__(self) -> None:
        super().__init__(compact=True, id="field-input", select_on_focus=False)
        self.field: FormField | None = None

    @property
    def typed_value(self) -> Any:
        """The typed text as a value of the document; None for an empty line."""
        return parse_input(self.field, self.value) if self.field is not None and self.value.strip() else None

    @property
    def complaint(self) -> str:
        """Why the field cannot have the typed value; empty if it can."""
        value = self.typed_value
        if self.field is None:
            return ""
        if value is None:
            return "a value is required" if self.field.required else ""
        return value_problem(self.field, value)

    def action_step(self, by: int) -> None:
        if self.field is not None and not self.complaint and self.typed_value is not None:
            new = replace(self.field, value=next_value(replace(self.field, value=self.typed_value), by))
            self.value = typed(new)
            self.cursor_position = len(self.value)

    def action_take(self) -> None:
        if self.field is not None and not self.complaint:
            self.post_message(FieldChanged(self.field, self.typed_value))
            self.post_message(TypingEnded())

    def action_cancel(self) -> None:
        self.post_message(TypingEnded())


class TypingEnded(Message):
    """The person finished or cancelled typing."""


class FormPanel(Vertical):
    """The form of a part of the experiment or of a layer."""

    def compose(self) -> ComposeResult:
        yield FieldList()
        yield FieldInput()
        with VerticalScroll(id="field-about", can_focus=False):
            yield Static(id="field-about-text")

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._about = Content("")
        self._found = Content("")
        self._place = ""
        self._untouched = True
        self._draw: Callable[[int, int], Content] | None = None

    def on_mount(self) -> None:
        self.input.display = False

    @property
    def rows(self) -> FieldList:
        return self.query_one(FieldList)

    @property
    def input(self) -> FieldInput:
        return self.query_one(FieldInput)

    @property
    def typing(self) -> bool:
        """Whether a value is being typed."""
        return bool(self.input.display)

    def show(
        self,
        place: str,
        title: str,
        fields: Sequence[FormField],
        mistakes: Sequence[Mistake],
        about: Content,
        draw: Callable[[int, int], Content] | None = None,
    ) -> None:
        """Show the form of a path in the document; below it a picture if there is room, and `about`.

        Args:
            draw: returns a picture for a maximum width and height.
        """
        self._draw = draw
        self.border_title = title
        self._untouched = self._untouched or place != self._place
        self._place = place
        self.rows.fields = tuple(fields)
        self._about = about
        self.rows.show_rows(lambda width: form_rows(fields, mistakes, width))
        self.rows.display = bool(fields)
        self.write_about()

    def begin(self) -> None:
        """Focus the fields: the cursor goes to the first value that a person would change, or stays."""
        at = self.rows.highlighted
        if self._untouched and self.rows.fields:
            self._untouched = False
            values = [i for i, field in enumerate(self.rows.fields) if field.name not in ("type", "source")]
            given = [i for i in values if self.rows.fields[i].is_set]
            at = next(iter(given or values), 0)
        self.rows.focus()
        self.rows.highlighted = at

    def show_result(self, result: Content) -> None:
        """Show the result of the check of the value that is being typed."""
        if self.typing:
            self._found = result
            self.write_about()

    def write_about(self) -> None:
        """Write the help and the picture below the fields."""
        text, field = self.query_one("#field-about-text", Static), self.rows.field
        if self.typing and self.input.field is not None:
            complaint = self.input.complaint
            found = Content.styled(complaint, WRONG) if complaint else self._found
            about = field_about(self.input.field, typing=True)
            text.update(Content("\n").join([*([found] if found.plain else []), about]))
        elif self.rows.has_focus and field is not None:
            text.update(Content("\n\n").join([field_about(field), *self._picture(), self._about]))
        else:
            text.update(Content("\n\n").join([*self._picture(), self._about]))

    def _picture(self) -> list[Content]:
        """Return the picture, if the panel has room for one."""
        room = self.query_one("#field-about").content_size
        if self._draw is None or room.height < SMALLEST_PICTURE:
            return []
        drawn = self._draw(room.width - 1, room.height)
        return [drawn] if drawn.plain.strip() else []

    @on(EditField)
    def _edit(self, event: EditField) -> None:
        event.stop()
        entry = self.input
        if event.started and self.typing and entry.field == event.field:
            entry.insert_text_at_cursor(event.text)  # the key came before the line had the focus
            return
        entry.field, self._found = event.field, Content("")
        entry.display = True
        entry.border_title = event.field.name
        entry.placeholder = _placeholder(event.field)
        entry.value = event.text
        entry.cursor_position = len(event.text)
        entry.focus()
        if not event.started:
            entry.select_all()
        self.write_about()

    @on(TypingEnded)
    def _typed(self, event: TypingEnded) -> None:
        event.stop()
        self.input.display = False
        self.rows.focus()
        self.write_about()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.input.field is None or not self.typing:
            return
        self._found = Content("")
        self.write_about()
        if not self.input.complaint:
            self.post_message(FieldTried(self.input.field, self.input.typed_value))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self.write_about()

    def on_descendant_focus(self) -> None:
        self.write_about()

    def on_descendant_blur(self) -> None:
        self.call_after_refresh(self.write_about)


def _placeholder(field: FormField) -> str:
    if field.inferred:
        return "inferred"
    return "" if field.default is None else typed_default(field)


def typed_default(field: FormField) -> str:
    """Return a field's default as it would be typed."""
    return typed(replace(field, value=field.default))
