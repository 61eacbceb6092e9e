"""What was taken, what was there already, and what was not taken and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fitbook.transfer._records import Problem

KINDS = ("experiments", "runs", "files", "registered models", "model versions")


@dataclass
class Summary:
    """The counts by kind of thing; ``problems`` names every single thing that was not taken."""

    taken: Counter[str] = field(default_factory=Counter)
    added_to: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def skip(self, kind: str, key: str, reason: object) -> None:
        """Note something that was not taken."""
        self.problems.append(Problem(kind, key, " ".join(str(reason).split())))

    def note(self, problems: Iterable[Problem]) -> None:
        """Note several."""
        self.problems += problems

    def rows(self) -> list[tuple[str, int, int, int]]:
        """For each kind: how many were taken, were added to, and were there already."""
        return [(kind, self.taken[kind], self.added_to[kind], self.there[kind]) for kind in KINDS]

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        counts = {
            kind: {"taken": taken, "added_to": added_to, "already_there": there}
            for kind, taken, added_to, there in self.rows()
        }
        skipped = [{"kind": p.kind, "key": p.key, "reason": p.reason} for p in self.problems]
        return {"counts": counts, "skipped": skipped}
