r"""Sequential digits: an image of 8 × 8 pixels is shown one pixel a step, and at the end, which digit was it?

After the pixel-by-pixel MNIST of Le, Jaitly, Hinton, "A simple way to initialize recurrent networks of rectified linear
units" (2015), in both of their orders, with the 1,797 images of ``sklearn.datasets.load_digits`` (E. Alpaydin, C.
Kaynak, *Optical recognition of handwritten digits*, UCI 1998), which come with scikit-learn: nothing is downloaded.

T = 64, n_in = 1: a pixel from 0 to 1. The class is drawn first, all ten as likely, then an image of it, with
replacement. The last 297 images are apart: ``held_out`` draws from these, all else from the first 1,500.
Solved: the right class has the largest logit.

The floor, ln 10, is that of who sees nothing of the image. The last pixel alone tells a little of it, in rows as in the
permuted order (tests/test_digits.py has how much).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.tasks.task import Batch, Task, at_ends, likeliest
from manual_rnn.theory import floors

SIDE, CLASSES = 8, 10
APART = 297
"""Images that are held out, the last ones of the file: by other hands than the first, for writers stand together."""


def digits_rows() -> Task:
    """Pixels in the order of reading: row by row, from the top. Raises ModuleNotFoundError without scikit-learn."""
    return _task("digits_rows", np.arange(SIDE * SIDE))


def digits_permuted() -> Task:
    """Pixels in one order drawn once, the same for every image and in every run, so that neighbours are far apart.

    Raises ModuleNotFoundError without scikit-learn.
    """
    return _task("digits_permuted", np.random.default_rng(0).permutation(SIDE * SIDE))


@cache
def images() -> tuple[Array, Array]:
    """Pixels (1797, 64) from 0 to 1, row by row, and digits (1797,). Raises ModuleNotFoundError, with what to do."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The images of the digits are those of scikit-learn, which is not installed; it comes with: "
            'pip install "manual-rnn[digits]".',
            name=error.name,
        ) from None
    pixels, digits = load_digits(return_X_y=True)
    return np.asarray(pixels) / 16, np.asarray(digits)


def _task(name: str, order: Array) -> Task:
    pixels, digits = images()
    pixels = pixels[:, order]
    held_out = _drawn(name, pixels[-APART:], digits[-APART:], None)
    return _drawn(name, pixels[:-APART], digits[:-APART], held_out)


def _drawn(name: str, pixels: Array, digits: Array, held_out: Task | None) -> Task:
    of_class = [np.flatnonzero(digits == digit) for digit in range(CLASSES)]
    counts, T = np.array([len(rows) for rows in of_class]), SIDE * SIDE

    def generate(B: int, rng: np.random.Generator) -> Batch:
        drawn = rng.integers(0, CLASSES, B)
        places = rng.integers(0, counts[drawn])
        chosen = [of_class[digit][place] for digit, place in zip(drawn, places, strict=True)]
        y = np.zeros((T, B), int)
        y[-1] = drawn
        return Batch(x=pixels[chosen].T[..., None].copy(), y=y, weights=at_ends(np.full(B, T), T, 1 / B))

    return Task(name=name, n_in=1, n_out=CLASSES, loss="softmax", floor=floors.classes(CLASSES), generate=generate,
                right=likeliest, held_out=held_out)  # fmt: skip
