"""Every update's loss and gradient norm, in a bounded number of lines: one an update, then one for 2, for 4, for 8, …

When the lines are full, each two become one. So the lines are never more than LINES, all but the last stand for equally
many updates, and the same updates give the same lines, wherever the training was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LINES = 1024
"""At most; even. As many as a figure can show."""


@dataclass(frozen=True)
class Stretch:
    """One line of steps.jsonl: so many updates in a row."""

    update: int
    """The last of them."""
    updates: int
    """How many they are."""
    nats: float
    """The mean of their losses, in nats per character, each before its update."""
    grad_norm: float
    """The mean of the norms of their gradients, before clipping."""
    grad_norm_min: float
    grad_norm_max: float
    clipped: int
    """How many of the gradients were longer than --clip allows, and were scaled to it."""

    def joined(self, after: Stretch) -> Stretch:
        """This one and the one after it as one."""
        updates = self.updates + after.updates

        def mean(mine: float, others: float) -> float:
            return (mine * self.updates + others * after.updates) / updates

        return Stretch(
            update=after.update,
            updates=updates,
            nats=mean(self.nats, after.nats),
            grad_norm=mean(self.grad_norm, after.grad_norm),
            grad_norm_min=min(self.grad_norm_min, after.grad_norm_min),
            grad_norm_max=max(self.grad_norm_max, after.grad_norm_max),
            clipped=self.clipped + after.clipped,
        )


@dataclass
class Trace:
    """The lines so far."""

    lines: list[Stretch] = field(default_factory=list)

    def add(self, update: int, nats: float, grad_norm: float, *, limit: float) -> None:
        """One more update, whose gradient was clipped where its norm is above the limit."""
        new = Stretch(
            update=update, updates=1, nats=nats, grad_norm=grad_norm, grad_norm_min=grad_norm,
            grad_norm_max=grad_norm, clipped=int(grad_norm > limit),
        )  # fmt: skip
        if self.lines and self.lines[-1].updates < self.lines[0].updates:
            self.lines[-1] = self.lines[-1].joined(new)
            return
        if len(self.lines) == LINES:
            self.lines = [one.joined(two) for one, two in zip(self.lines[::2], self.lines[1::2], strict=True)]
        self.lines.append(new)
