"""The mistakes that are planted in the losses: lines of real code, and terms changed one by one."""

from planting import Mistake

SQUARED, BERNOULLI = "losses/squared", "losses/bernoulli"
F4 = "(np.log1p(small) + size * np.where(positive, 1 - y, y)).sum(axis=-1)"
B1 = "((1 - y) * y_hat - y * otherwise)"

MISTAKES = [
    Mistake("the ½ forgotten", SQUARED, ".sum(axis=-1) / 2)", ".sum(axis=-1))", ("loss",)),
    Mistake("mean over the units for sum", SQUARED, ".sum(axis=-1) / 2", ".mean(axis=-1) / 2", ("loss",)),
    Mistake("the square forgotten", SQUARED, "residual * residual", "abs(residual)", ("loss",)),
    Mistake("weights squared", SQUARED, "weights * ((res", "weights * weights * ((res", ("loss",)),
    Mistake("the 2 of the derivative without the ½", SQUARED, "weights[..., None] * residual",
            "2 * weights[..., None] * residual", ("grad_o",)),
    Mistake("weights forgotten", SQUARED, "weights[..., None] * residual", "0 * weights[..., None] + residual",
            ("grad_o",)),
    Mistake("the sign of the residual", SQUARED, "weights[..., None] * residual", "-weights[..., None] * residual",
            ("grad_o",)),
    Mistake("the targets of the next step", SQUARED, "residual = o - y", "residual = o - y[::-1]", ("loss", "grad_o")),
    Mistake("the target added", SQUARED, "residual = o - y", "residual = o + y", ("loss", "grad_o")),
    Mistake("the mean over the units in the gradient alone", SQUARED, "weights[..., None] * residual",
            "weights[..., None] * residual / residual.shape[-1]", ("grad_o",)),
    Mistake("the part of the noes left out", BERNOULLI, F4, F4.replace("1 - y", "0 * y"), ("loss",)),
    Mistake("yes and no exchanged in the loss", BERNOULLI, F4, F4.replace("1 - y, y", "y, 1 - y"), ("loss",)),
    Mistake("mean over the units for sum", BERNOULLI, F4, F4.replace(".sum", ".mean"), ("loss",)),
    Mistake("the softplus left out", BERNOULLI, F4, F4.replace("np.log1p(small) + ", ""), ("loss",)),
    Mistake("log for log1p", BERNOULLI, "np.log1p(small)", "np.log(small)", ("loss",)),
    Mistake("weights forgotten", BERNOULLI, "losses = weights * (np", "losses = 0 * weights + (np", ("loss",)),
    Mistake("the exponential's sign", BERNOULLI, "np.exp(-size)", "np.exp(-2 * size)", ("loss", "grad_o")),
    Mistake("the derivative of σ counted twice", BERNOULLI, B1, f"{B1} * y_hat * otherwise", ("grad_o",)),
    Mistake("yes and no exchanged in the gradient", BERNOULLI, "return losses, (np.where(positive, likely, unlikely),",
            "return losses, (np.where(positive, unlikely, likely),", ("grad_o",)),
    Mistake("the target left out", BERNOULLI, B1, "y_hat", ("grad_o",)),
    Mistake("weights forgotten in the gradient", BERNOULLI, f"weights[..., None] * {B1}", B1, ("grad_o",)),
    Mistake("a softmax in place of σ", BERNOULLI, B1, "(y_hat / y_hat.sum(-1, keepdims=True) - y)", ("grad_o",)),
    Mistake("off by one part in a thousand", BERNOULLI, B1, f"1.001 * {B1}", ("grad_o",)),
]
