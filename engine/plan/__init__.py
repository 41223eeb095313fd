"""From a document to a plan, without training: the network traced, every choice checked, all mistakes found."""

from __future__ import annotations

from engine.plan.groups import GroupPlan
from engine.plan.pipeline import check
from engine.plan.plan import LayerPlan, Plan
from engine.plan.stages.model import known_facts

__all__ = ["GroupPlan", "LayerPlan", "Plan", "check", "known_facts"]
