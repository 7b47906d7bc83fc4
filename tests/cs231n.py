"""A pass as cs231n's students write it, judged against the vanilla network, and the mistakes planted in it."""

import types
from pathlib import Path

import strangers
from manual_rnn.testing import Layout, check_backward
from reference import autodiff
from strangers import rnn_backward, rnn_forward

CS231N = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
GRADIENTS = ("x", "h0", "Wx", "Wh", "b")


def cs231n(*, dh, **arrays):
    _, cache = rnn_forward(**arrays)
    return dict(zip(GRADIENTS, rnn_backward(dh, cache), strict=True))


def check(backward, **options):
    options = {"against": autodiff("rnn"), "loss": "random", "layout": CS231N} | options
    return check_backward(backward, **options)


def outcome(report, name):
    return next(c for c in report.checks if c.name == name)


def changed(old, new):
    """The CS231n code with one line changed."""
    module = types.ModuleType("changed")
    text = Path(strangers.__file__).read_text(encoding="utf-8")
    assert old in text
    exec(text.replace(old, new), vars(module))

    def backward(*, dh, **arrays):
        _, cache = module.rnn_forward(**arrays)
        return dict(zip(GRADIENTS, module.rnn_backward(dh, cache), strict=True))

    return backward


def broken(change):
    """The same with its gradients changed by ``change(gradients, dh, arrays)``."""

    def backward(*, dh, **arrays):
        return change(cs231n(dh=dh.copy(), **arrays), dh, arrays)

    return backward


MISTAKES = {
    "W for Wᵀ": ("da @ Wh.T", "da @ Wh"),
    "carry dropped": ("dh[:, t] + dprev, caches", "dh[:, t], caches"),
    "derivative forgotten": ("(1 - next_h**2) * dnext_h", "dnext_h"),
    "the pre-activation's square": ("(1 - next_h**2)", "(1 - np.arctanh(next_h)**2)"),
    "h(t) for h(t−1)": ("prev_h.T @ da, ", "next_h.T @ da, "),
    "mean over the batch": ("da.sum(axis=0)\n\n\ndef rnn_b", "da.mean(axis=0)\n\n\ndef rnn_b"),
    "off by 1e-9": ("da = (1 - next_h**2)", "da = 1.000000001 * (1 - next_h**2)"),
    "float32 inside": ("(1 - next_h**2) * dnext_h", "((1 - next_h**2) * dnext_h).astype(np.float32)"),
    "truncated": ("dh[:, t] + dprev, caches", "dh[:, t] + (T - t <= 3) * dprev, caches"),
    "only the first step": ("dh[:, t] + dprev, caches", "dh[:, t] + (t > 0) * dprev, caches"),
}
