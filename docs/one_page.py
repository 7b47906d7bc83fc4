"""A recurrent network on one page: it reads a text character by character and learns to predict the next one.

    python docs/one_page.py [TEXT]

The six steps of training, in order: initialise, forward, loss, backward, update, repeat; then it writes by
itself. F1 … B10 number the equations as src/manual_rnn/cells/rnn.py does; grad_v is ∂L/∂v. ``ids`` are the
characters of a window as numbers: at step t = 1 … τ the network reads ids[t−1], to predict y(t) = ids[t].
The input x(t) is one-hot, so that U x(t) is a column of U. The parameters are θ = (U, W, V, b, c).
"""

import sys
from pathlib import Path

import numpy as np

JABBERWOCKY = """'Twas brillig, and the slithy toves
  Did gyre and gimble in the wabe:
All mimsy were the borogoves,
  And the mome raths outgrabe."""


def initialise(n_chars, n_hidden, rng):
    """1. Matrices at random, scaled so that a product keeps the size of what goes in; biases at zero."""
    shapes = [(n_hidden, n_chars), (n_hidden, n_hidden), (n_chars, n_hidden)]
    U, W, V = (rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in shapes)
    return U, W, V, np.zeros(n_hidden), np.zeros(n_chars)


def forward(theta, ids, h0):
    """2. The states h(0) … h(τ) and the logits o(1) … o(τ); h(0) is what the window before has left."""
    U, W, V, b, c = theta
    h, o = {0: h0}, {}
    for t in range(1, len(ids)):
        a = b + W @ h[t - 1] + U[:, ids[t - 1]]     # F1   a(t) = b + W h(t−1) + U x(t)
        h[t] = np.tanh(a)                           # F2   h(t) = tanh a(t)
        o[t] = c + V @ h[t]                         # F3   o(t) = c + V h(t)
    return h, o


def log_softmax(o):
    o = o - o.max()                                 # the shift changes nothing and lets nothing overflow
    return o - np.log(np.exp(o).sum())


def loss(o, ids):
    """3. How surprised the network is by the text, in nats, summed over the window."""
    return -sum(log_softmax(o[t])[ids[t]] for t in o)  # F4   L = Σ −log ŷ(t)_y(t),  ŷ(t) = softmax o(t)


def backward(theta, ids, h, o):
    """4. From the last step to the first: the gradient of the loss for θ, and for x(1) … x(τ) and h(0)."""
    U, W, V, b, _ = theta
    grad_U, grad_W, grad_V, grad_b, grad_c = (np.zeros_like(v) for v in theta)
    grad_a, grad_x = np.zeros_like(b), {}           #      ∇a(τ+1) = 0: nothing comes after the last step
    for t in reversed(range(1, len(ids))):
        grad_o = np.exp(log_softmax(o[t]))          #      ŷ(t)
        grad_o[ids[t]] -= 1                         # B1   ∇o(t) = ŷ(t) − 1_y(t)
        grad_c += grad_o                            # B2   ∇c = Σ ∇o(t)
        grad_V += np.outer(grad_o, h[t])            # B3   ∇V = Σ ∇o(t) h(t)ᵀ
        grad_h = V.T @ grad_o + W.T @ grad_a        # B4   ∇h(t) = Vᵀ ∇o(t) + Wᵀ ∇a(t+1)
        grad_a = (1 - h[t]) * (1 + h[t]) * grad_h   # B5   ∇a(t) = diag(1 − h(t)²) ∇h(t)
        grad_b += grad_a                            # B6   ∇b = Σ ∇a(t)
        grad_W += np.outer(grad_a, h[t - 1])        # B7   ∇W = Σ ∇a(t) h(t−1)ᵀ
        grad_U[:, ids[t - 1]] += grad_a             # B8   ∇U = Σ ∇a(t) x(t)ᵀ
        grad_x[t] = U.T @ grad_a                    # B9   ∇x(t) = Uᵀ ∇a(t)
    grad_h0 = W.T @ grad_a                          # B10  ∇h(0) = Wᵀ ∇a(1)
    return (grad_U, grad_W, grad_V, grad_b, grad_c), grad_x, grad_h0


def clip(grads, limit):
    """Between 4 and 5, and part of neither: too long a gradient is cut to the limit, its direction kept."""
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g * (limit / norm) for g in grads] if norm > limit else grads


def update(theta, grads, rate):
    """5. A step downhill."""
    return [v - rate * grad_v for v, grad_v in zip(theta, grads, strict=True)]  # θ ← θ − α ∇θ


def repeat(theta, ids, *, window=25, rate=0.1, limit=1.0):
    """6. Without end: window after window of the text, each from the state that the one before ended with."""
    while True:
        state = np.zeros_like(theta[3])             # at the beginning of the text nothing is remembered
        for start in range(0, len(ids) - 1, window):
            part = ids[start : start + window + 1]
            h, o = forward(theta, part, state)
            grads, _, _ = backward(theta, part, h, o)
            theta = update(theta, clip(grads, limit), rate)
            state = h[len(o)]
            yield theta, loss(o, part) / len(o)


def sample(theta, first, length, rng):
    """Then it writes: draw a character from ŷ(t) and feed it back as x(t+1)."""
    ids, h = [first], {1: np.zeros_like(theta[3])}
    while len(ids) < length:
        h, o = forward(theta, [ids[-1], None], h[1])    # one step; what comes next is not known yet
        ids.append(int(rng.choice(len(o[1]), p=np.exp(log_softmax(o[1])))))
    return ids


if __name__ == "__main__":
    try:
        text = Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else JABBERWOCKY
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{sys.argv[1]} cannot be read as a text: {error}")
    if len(text) < 2:
        sys.exit("The text is too short: it needs two characters, one to read and one to predict.")
    alphabet = sorted(set(text))
    ids = [alphabet.index(character) for character in text]
    rng = np.random.default_rng(1)
    for n, (theta, nats) in enumerate(repeat(initialise(len(alphabet), 64, rng), ids)):
        if n % 250 == 0:
            print(f"update {n:4d}   {abs(nats):.3f} nats per character")
        if n == 2000:
            print("", "".join(alphabet[i] for i in sample(theta, ids[0], min(len(ids), 400), rng)), sep="\n")
            break
