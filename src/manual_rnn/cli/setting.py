"""What a cell is judged in: the loss above it, the layers of it, the sequences that it sees."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from manual_rnn import losses
from manual_rnn.cell import Cell
from manual_rnn.errors import UsageError
from manual_rnn.network import Network, stack

if TYPE_CHECKING:
    from manual_rnn.testing import Spec


@dataclass(frozen=True)
class Setting:
    """By default that of a single cell: one layer, the softmax, every sequence all of its row."""

    loss: str = "softmax"
    layers: int = 1
    bidirectional: bool = False
    learned_initial: bool = False
    resets: bool = False
    dropout: bool = False

    @property
    def of_layers(self) -> dict[str, Any]:
        """The options of :func:`manual_rnn.network.stack`, and of :func:`reference.autodiff`."""
        names = ("layers", "bidirectional", "learned_initial")
        return {name: value for name, value in asdict(self).items() if name in names}

    def network(self, cell: Cell) -> Network:
        """The layers of a cell."""
        return stack(cell, **self.of_layers)

    def specs(self, cell: Cell, examples: int, seed: int) -> list[Spec]:
        """The cases that it is judged on."""
        from manual_rnn.testing.strategies import draw_specs

        return draw_specs(
            self.network(cell), examples, seed, self.loss, resets=self.resets, dropout=self.dropout
        )

    @property
    def words(self) -> str:
        """What of it is not as by default: ``2 layers, both directions, the loss squared``."""
        said = {
            f"{self.layers} layers": self.layers > 1,
            "both directions": self.bidirectional,
            "learned initial state": self.learned_initial,
            "resets": self.resets,
            "dropout": self.dropout,
            f"the loss {self.loss}": self.loss != "softmax",
        }
        return ", ".join(words for words, so in said.items() if so)

    def check(self) -> None:
        """Raises UsageError where there is no such loss, or nothing that dropout could mask."""
        check_loss(self.loss)
        if self.dropout and self.layers == 1:
            raise UsageError(
                "--dropout masks what a layer hands to the one above, and there is one layer; add --layers 2, or more."
            )

    def check_is_for_cells(self, name: str, kind: str) -> None:
        """Raises UsageError where any of it is asked for and what a name stands for is no cell, but of another kind."""
        if self.loss != "softmax":
            raise UsageError(f"{name} is a {kind}, which says its own loss; --loss is for cells.")
        if asked := replace(self, loss="softmax").words:
            raise UsageError(f"{name} is a {kind}, which is judged as it is; {asked}: these options are for cells.")


def check_loss(name: str) -> None:
    """Raises UsageError where there is no loss of this name."""
    if name not in losses.names():
        raise UsageError(f"There is no loss {name!r}; --loss is one of {', '.join(losses.names())}.")
