"""The plans of documents: they are made on threads, and screens are told when one is ready."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from textual.app import App
from textual.signal import Signal
from textual.timer import Timer

from engine import Draft
from tui.services.background import Background
from tui.services.design import Design
from tui.services.producer import Producer

if TYPE_CHECKING:
    from engine import Plan

CHECK_AFTER_S = 0.25
"""How long the cursor stays on a preset before its plan is made."""


class PlanUser(Protocol):
    """Something that waits for the plan of a document, such as a requested run."""

    @property
    def awaited(self) -> Design | None:
        """The document whose plan it waits for. The plans of other documents are made later."""

    @property
    def blocks_checks(self) -> bool:
        """Whether it is still waiting."""

    def check_requested(self, design: Design) -> None:
        """A check of this document was requested."""

    def plan_made(self, design: Design) -> None:
        """The check of this document has ended."""

    def reading(self, text: str) -> None:
        """Data is being read or downloaded."""


class PlanService:
    """Checks documents in the background, and finds out what the pictures of their parts show.

    Nothing starts before `begin`, which is called when the first frame is on the screen.
    """

    def __init__(self, app: App[Any], producer: Producer) -> None:
        self._app = app
        self._producer = producer
        self.plan_made: Signal[Design] = Signal(app, "plan made")
        """Published when the check of a document has ended."""
        self.findings_made: Signal[Design] = Signal(app, "findings made")
        """Published when there is more to show about a part of a document."""
        self.reading: Signal[str] = Signal(app, "reading")
        """Published with the progress while a check reads or downloads data."""
        self.unblocked: Signal[None] = Signal(app, "unblocked")
        """Published when plans that were put off may be requested again."""
        self.user: PlanUser | None = None
        self.torch_loaded = False
        """Whether torch is imported. Before that, work that needs torch would delay the keys."""
        self._begun = False
        self._checking: Design | None = None
        self._checks = Background(app, "check", self._reading)
        self._questions = Background(app, "question")
        self._findings = Background(app, "findings")
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Allow work to start: the first frame is on the screen."""
        self._begun = True

    def close(self) -> bool:
        """Start no more work; returns whether some is still running."""
        work = (self._checks, self._questions, self._findings)
        for background in work:
            background.close()
        return any(background.busy for background in work)

    def check(self, design: Design) -> None:
        """Make the plan of a document on a thread, unless it is ready or being made."""
        draft, user = design.draft, self.user
        if user is not None:
            user.check_requested(design)
        if not self._begun or design.plan is not None or design.checking is draft:
            return
        if user is not None and user.blocks_checks and user.awaited not in (None, design):
            return  # checked when the run has its plan
        if self._checking is not None:
            self._checking.checking = None
        self._checking, design.checking = design, draft
        self._checks.submit(lambda: self._producer.plan_of(draft), lambda result: self._checked(design, draft, result))

    def check_soon(self, design: Design) -> None:
        """Make the plan of a document if no other is requested within `CHECK_AFTER_S`."""
        if self._timer is not None:
            self._timer.stop()
        if design.plan is None and design.checking is not design.draft:
            self._timer = self._app.set_timer(CHECK_AFTER_S, lambda: self.check(design))

    def _reading(self, text: str) -> None:
        if self.user is not None:
            self.user.reading(text)
        self.reading.publish(text)

    def _checked(self, design: Design, draft: Draft, result: Plan | Exception) -> None:
        if not isinstance(result, Exception):
            self.torch_was_loaded()
        if design.draft is not draft:
            return  # changed in the meantime, and being checked again
        design.checking = None
        if isinstance(result, Exception):
            design.failure = f"The check failed. {type(result).__name__}: {result}"
        else:
            design.plan = result
        self.plan_made.publish(design)
        if self.user is not None:
            blocked = self.user.blocks_checks
            self.user.plan_made(design)
            if blocked:
                self.unblocked.publish(None)

    def torch_was_loaded(self) -> None:
        """Note that torch is imported."""
        if not self.torch_loaded:
            self.torch_loaded = True
            # torch's 500,000 objects are never freed: a collection that visits them would delay a key by 0.1 s.
            gc.freeze()

    def answer(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Answer a question about a document on a thread; only the newest question is answered."""
        self._questions.submit(work, done)

    def find_out(self, design: Design, part: str) -> None:
        """Find out on a thread what the picture of a part shows."""
        plan = design.plan
        if plan is None or (part in design.findings and design.findings[part][0] is plan):
            return

        def found(result: Any) -> None:
            if not isinstance(result, Exception):
                design.findings[part] = plan, result
                self.findings_made.publish(design)

        self._findings.submit(lambda: self._producer.findings(part, plan), found)
