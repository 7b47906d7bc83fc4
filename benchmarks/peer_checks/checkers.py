"""The peers: each gets a subject and says whether it accepts the gradients, with its own default tolerances."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from peer_checks.subject import Subject

MISSING_TORCH = "torch is missing, so gradcheck is left out: pip install 'manual-rnn[peers]' brings it."


@dataclass(frozen=True)
class Checker:
    """A checker, what it does in a few words, and the packages that it needs."""

    title: str
    about: str
    accepts: Callable[[Subject], bool]
    needs: tuple[str, ...] = ("numpy",)

    @property
    def available(self) -> bool:
        return all(importlib.util.find_spec(name) is not None for name in self.needs)


def gradcheck(subject: Subject, *, fast_mode: bool = False) -> bool:
    """``torch.autograd.gradcheck``: central differences, eps 1e-6, atol 1e-5, rtol 1e-3; float64."""
    import torch

    torch.set_num_threads(1)
    names = list(subject.arrays)

    class Planted(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: torch.Tensor) -> torch.Tensor:
            ctx.arrays = {name: v.detach().numpy().copy() for name, v in zip(names, tensors, strict=True)}
            return torch.tensor(subject.loss(ctx.arrays), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, grad_loss: torch.Tensor) -> tuple[torch.Tensor, ...]:
            grads = subject.gradients(ctx.arrays)
            return tuple(grad_loss * torch.from_numpy(grads[name]) for name in names)

    torch.manual_seed(0)  # fast mode draws its directions
    inputs = [torch.from_numpy(array.copy()).requires_grad_() for array in subject.arrays.values()]
    return torch.autograd.gradcheck(Planted.apply, inputs, fast_mode=fast_mode, raise_exception=False)


def gradcheck_fast(subject: Subject) -> bool:
    """The same with ``fast_mode=True``: one random direction for each input, atol scaled with its size."""
    return gradcheck(subject, fast_mode=True)


def check_vjp(subject: Subject) -> bool:
    """``jax.test_util.check_vjp``, which is ``check_grads`` of order one in reverse mode; float64.

    One random direction through all arrays, differences of eps 1e-4, atol and rtol 1e-5. It takes the planted
    vector-Jacobian product as it is; nothing is traced.
    """
    import jax
    from jax.test_util import check_vjp as check

    names = list(subject.arrays)

    def by_name(arguments: Any) -> dict[str, np.ndarray]:
        return {name: np.asarray(v, np.float64) for name, v in zip(names, arguments, strict=True)}

    def loss(*arguments: Any) -> np.ndarray:
        return np.asarray(subject.loss(by_name(arguments)))

    def vjp(*arguments: Any) -> tuple[np.ndarray, Callable[[Any], tuple[np.ndarray, ...]]]:
        grads = subject.gradients(by_name(arguments))
        return loss(*arguments), lambda cotangent: tuple(np.asarray(cotangent) * grads[name] for name in names)

    with jax.enable_x64(True):
        try:
            check(loss, vjp, tuple(subject.arrays.values()))
        except AssertionError:
            return False
    return True


def allclose(subject: Subject) -> bool:
    """Central differences with step 1e-5 and ``np.allclose``: rtol 1e-5, atol 1e-8, as hand-written tests have it."""
    slopes, grads = subject.central_differences(1e-5), subject.gradients(subject.arrays)
    return all(np.allclose(grads[name], slopes[name]) for name in grads)


def relative_error(subject: Subject) -> bool:
    """The ``rel_error`` of Stanford's CS231n: max |x − y| / max(1e-8, |x| + |y|), step 1e-5.

    The course prints the number and lets the student judge; its notes call 1e-4 too high where there are no kinks,
    as here. That is the mark.
    """
    slopes, grads = subject.central_differences(1e-5), subject.gradients(subject.arrays)
    return all(
        np.max(np.abs(grads[name] - slopes[name]) / np.maximum(1e-8, np.abs(grads[name]) + np.abs(slopes[name]))) < 1e-4
        for name in grads
    )


def autodiff_allclose(subject: Subject) -> bool:
    """numpy-ml's way: exact gradients of a framework, compared with ``assert_allclose`` at atol = rtol = 1e-4.

    Those are the tolerances of its recurrent cells' tests; the exact gradients are this project's reference's here.
    """
    from peer_checks.ours import answer

    truth, grads = answer(subject.case)[1], subject.gradients(subject.arrays)
    return all(np.allclose(grads[name], truth[name], atol=1e-4, rtol=1e-4) for name in grads)


def autodiff_relative(subject: Subject) -> bool:
    """The same exact gradients and ``np.testing.assert_allclose`` as it comes: rtol 1e-7, atol 0, number by number."""
    from peer_checks.ours import answer

    truth, grads = answer(subject.case)[1], subject.gradients(subject.arrays)
    return all(np.allclose(grads[name], truth[name], rtol=1e-7, atol=0) for name in grads)


def end_to_end(subject: Subject) -> bool:
    """This project's end-to-end verdict alone, on the arrays that the peers see."""
    from peer_checks.ours import judged

    _, blocks = judged(subject)
    return all(blocks[f"grad_{name}"].agree for name in subject.arrays)


def whole_judge(subject: Subject) -> bool:
    """This project's judge: every equation at every step, and the end-to-end verdict."""
    from peer_checks.ours import judged

    local, blocks = judged(subject)
    return all(check.agree for check in local.values()) and all(block.agree for block in blocks.values())


CHECKERS = {
    "gradcheck": Checker("gradcheck", "torch.autograd.gradcheck", gradcheck, ("torch",)),
    "gradcheck_fast": Checker("gradcheck, fast", "gradcheck(fast_mode=True)", gradcheck_fast, ("torch",)),
    "check_vjp": Checker("check_vjp", "jax.test_util.check_vjp", check_vjp),
    "allclose": Checker("allclose", "central differences, np.allclose", allclose),
    "relative_error": Checker("rel_error", "central differences, CS231n's rel_error < 1e-4", relative_error),
    "autodiff_allclose": Checker("autodiff, 1e-4", "jax.grad, numpy-ml's assert_allclose", autodiff_allclose),
    "autodiff_relative": Checker("autodiff, relative", "jax.grad, assert_allclose's defaults", autodiff_relative),
    "end_to_end": Checker("end to end", "this project, end-to-end verdict only", end_to_end),
    "judge": Checker("judge", "this project, both verdicts", whole_judge),
}
OURS = ("end_to_end", "judge")
