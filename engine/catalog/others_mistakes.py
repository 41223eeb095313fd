"""Whether the optimizer beside Muon is one that can be there. Paths are those of the document."""

from __future__ import annotations

from engine.catalog import catalog
from engine.catalog.optimizers import HIDDEN_ONLY, NEEDS_CLOSURE
from engine.catalog.suitability import optimizer_mistakes
from engine.experiment.document import Optimizer
from engine.experiment.mistakes import Mistake, drop, put


def others_mistakes(choice: Optimizer) -> list[Mistake]:
    """What is wrong with `others`."""
    path, others = "optimizer.others", choice.others
    if others is None or choice.type not in catalog("optimizers"):
        return []
    if choice.type not in HIDDEN_ONLY:
        found, fix = f"{choice.type} moves every weight itself", 'Remove it, or use optimizer.type = "Muon".'
        return [Mistake(path, found, "others is for what Muon leaves", fix, choice.type, remedy=drop())]
    if others.type in HIDDEN_ONLY | NEEDS_CLOSURE:
        expected = f"{choice.type} leaves it biases and vectors"
        if others.type in NEEDS_CLOSURE:
            expected = "it takes its steps through a closure, which two cannot share"
        found, remedy = f"{others.type} cannot stand here", put("AdamW", path)
        return [Mistake(f"{path}.type", found, expected, 'Use "AdamW".', choice.type, remedy=remedy)]
    return optimizer_mistakes(others, path)[0]
