"""What a screen of the deck is given when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from tui.preferences.memory import Memory
from tui.preferences.settings import Settings
from tui.services.documents import Documents
from tui.services.plans import PlanService
from tui.services.producer import Producer
from tui.services.run_controller import RunController
from tui.widgets.header import Tabs


@dataclass(frozen=True, slots=True, kw_only=True)
class DeckServices:
    """The services of a deck."""

    producer: Producer
    plans: PlanService
    documents: Documents
    runs: RunController
    settings: Settings
    memory: Memory
    tabs: Tabs
