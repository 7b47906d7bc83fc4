r"""Why is an exploding gradient useless, and what does clipping do about it? The wall in the error of one unit.

x(t) = w σ(x(t−1)) + b, fifty steps from x(0) = ½, with the error (σ(x(50)) − 0.7)²: figure 6 of Pascanu, Mikolov,
Bengio, "On the difficulty of training recurrent neural networks" (2013). Drawn over w and b, the error is flat but for
a wall, where the gradient is more than a hundred thousand times as long as its median over the plane. A step of
gradient descent that meets it is thrown away; one that is clipped by its norm goes on.

The gradient is BPTT written out for the one unit, ∇w = Σ ∇x(t) σ(x(t−1)), and the figure is drawn only if it agrees
with ``jax.grad`` at points all over the plane.
"""

from functools import partial
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure

from manual_rnn import experiment
from manual_rnn.activations import sigmoid
from manual_rnn.experiment import Line
from manual_rnn.theory.arguments import above_zero, whole

TARGET, STEPS, START = 0.7, 50, 0.5


def error_and_gradient(w, b):
    """The error at arrays w and b of one shape, ∂/∂w and ∂/∂b, by going back through the fifty steps."""
    s = [sigmoid(np.full_like(w, START))]
    for _ in range(STEPS):
        s.append(sigmoid(w * s[-1] + b))
    grad_x = 2 * (s[-1] - TARGET) * s[-1] * (1 - s[-1])
    grad_w, grad_b = np.zeros_like(w), np.zeros_like(b)
    for before in s[-2::-1]:
        grad_w, grad_b = grad_w + grad_x * before, grad_b + grad_x
        grad_x = grad_x * w * before * (1 - before)
    return (s[-1] - TARGET) ** 2, grad_w, grad_b


def reference_error(at):
    """The same error in JAX, at (w, b)."""
    w, b = at
    last = jax.lax.fori_loop(0, STEPS, lambda _, x: w * jax.nn.sigmoid(x) + b, START)
    return (jax.nn.sigmoid(last) - TARGET) ** 2


def path(w, b, *, lr, clip, updates):
    """Gradient descent from (w, b), with the gradient scaled to at most ``clip``: the points, (updates + 1, 3)."""
    points = []
    for _ in range(updates + 1):
        error, *grad = (float(v) for v in error_and_gradient(np.array(w), np.array(b)))
        points.append((w, b, error))
        scale = lr * min(1.0, clip / max(np.hypot(*grad), 1e-300))
        w, b = w - scale * grad[0], b - scale * grad[1]
    return np.array(points)


def agreement(rng, points=200):
    """The largest difference from jax.grad, relative to the gradient there, at points drawn over the plane."""
    at = np.stack([rng.uniform(2, 8, points), rng.uniform(-5, 0, points)], axis=1)
    with jax.enable_x64(True):
        theirs = np.asarray(jax.vmap(jax.grad(reference_error))(at))
    ours = np.stack(error_and_gradient(*at.T)[1:], axis=1)
    return float((np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)).max())


def draw(theme, w, b, error, free, clipped):
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes = figure.add_subplot(projection="3d", computed_zorder=False)
    axes.set_box_aspect((1, 1, 0.5), zoom=0.93)
    axes.plot_surface(w, b, error, cmap="cividis", rcount=240, ccount=240, lw=0, antialiased=False, rasterized=True)
    for points, colour in ((free, theme.colours[4]), (clipped, theme.colours[1])):
        axes.plot(*points.T[:2], points.T[2] + 0.01, "o-", color=colour, mec="white", mew=0.4, ms=4, lw=1.5, zorder=5)
    axes.set(xlabel="recurrent weight w", ylabel="bias b", zlabel="error", xlim=(2, 8), ylim=(-5, 0), zlim=(0, 0.5))
    axes.view_init(elev=42, azim=118)  # from the side of the small errors: the wall faces the reader
    figure.suptitle("One step at the wall throws the descent away", x=0.02, ha="left", weight="bold", size=13)
    axes.plot([], [], "o-", color=theme.colours[4], ms=4, label="gradient descent, until it leaves the plane")
    axes.plot([], [], "o-", color=theme.colours[1], ms=4, label="the same, clipped by the norm")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def inside(points):
    """A path up to the first point that has left the plane."""
    out = (points[:, 0] < 2) | (points[:, 0] > 8) | (points[:, 1] < -5) | (points[:, 1] > 0)
    return points[: int(np.argmax(out)) if out.any() else len(points)]


def main(
    *, grid: int = 600, updates: int = 80, lr: float = 0.5, clip: float = 0.05, seed: int = 0,
    out: Path = Path("out/the_wall"),
) -> int:  # fmt: skip
    """Measures the plane, descends from one point with and without clipping, checks, draws.

    Args:
        grid: Points along w; along b there are five sixths as many.
        updates: Steps of gradient descent.
        lr: The learning rate of both descents.
        clip: The largest norm of the gradient in the clipped one.
        seed: Where the gradient is checked.
        out: The folder for the figure and the numbers.
    """
    whole("number of points along w", grid, 12)
    whole("number of updates", updates, 1)
    above_zero("learning rate", lr)
    above_zero("largest norm, --clip,", clip)
    w, b = np.meshgrid(np.linspace(2, 8, grid), np.linspace(-5, 0, grid * 5 // 6))
    error, *gradient = error_and_gradient(w, b)
    norms = np.hypot(*gradient)
    descend = partial(path, 5.0, -1.8, lr=lr, updates=updates)
    free, clipped = inside(descend(clip=np.inf)), inside(descend(clip=clip))
    off = agreement(np.random.default_rng(seed))
    check = {"check": f"off by {off:.0e}", "agree": off < 1e-6}  # at the wall, rounding grows as the gradient does
    lines = [
        Line(what="median ‖gradient‖ over the plane", measured=float(np.median(norms)), theory=0.026, **check),
        Line(what="largest ‖gradient‖ (hangs on the grid)", measured=float(norms.max()), **check),
        Line(what="updates within the plane, unclipped", measured=len(free) - 1),
        Line(what="updates within the plane, clipped", measured=len(clipped) - 1),
    ]
    record = {"grid": grid, "lr": lr, "clip": clip, "seed": seed, "free": free.tolist(), "clipped": clipped.tolist()}
    return experiment.publish(
        "the_wall", lines, lambda theme: draw(theme, w, b, error, free, clipped), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"grid": 120}))
