"""What ``manual-rnn train --verify-every N`` does: the judge, on the problem of the update that comes next."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from manual_rnn.cli.caches import use_compilation_cache
from manual_rnn.errors import GradientsDisagree
from manual_rnn.options import TrainingOptions
from manual_rnn.training import Training
from manual_rnn.windows import Window


class Trust:
    """Looks at every N-th update before it is made. Nothing of the training moves, its random numbers neither."""

    def __init__(self, training: Training, options: TrainingOptions) -> None:
        self._training, self._every = training, options.verify_every
        if self._every:
            use_compilation_cache()
            from reference import autodiff  # JAX takes a second to load

            self._oracle = autodiff(options.cell, layers=options.layers)

    def look(self, window: Window) -> None:
        """Raises GradientsDisagree, naming the equations, where the gradients are wrong."""
        training = self._training
        if not self._every or training.update % self._every:
            return
        from manual_rnn.testing.in_training import verify_update

        masks = replace(training, dropout=deepcopy(training.dropout)).masks_for(window)
        report = verify_update(
            training.network, training.params, window.x, window.y, self._oracle,
            initial=None if window.starts else training.state, masks=masks, compiled=training.compiled,
        )  # fmt: skip
        if report.agree:
            return
        of_name = {equation.name: equation for equation in report.equations}
        blamed = [of_name[name] for name in report.blame]
        told = [f"{one.name} ({one.label}){f', the most at {one.worst.place}' if one.worst else ''}" for one in blamed]
        raise GradientsDisagree(
            f"The gradients after {training.update} updates disagree with jax.grad: {'; '.join(told)} "
            f"{'is' if len(told) == 1 else 'are'} wrong on the weights and the batch of this moment, so the training "
            f"ends here. 'manual-rnn verify {training.network.cells[0].name}' says what the mistake is."
        )
