"""The mistakes that are planted in the vanilla RNN: those of real code that fit it, and terms changed one by one."""

from planting import Mistake

B5 = "(1 - node.h) * (1 + node.h) * grad.h"
B4 = "grads.tap(cell.full(first), from_readout[t] + carried[first])"
B6 = "affine.bias_gradient(of_map))  # (B6)"
B7 = "affine.product_weight_gradient(of_map, rows, diagonal=term.diagonal)"
B8 = "weight_gradients(grad_a[maps.of_input], x, n_in)"
B9 = "affine.input_gradient(params[U], grad_a[maps.places[node]]) for"
B10 = "carried[name])  # (B10)"
CARRY = "product.back(grad_a[product.maps])"
F1 = "maps.from_outside(x, a)"
H = "grads[cell.states[0]]"

MISTAKES = [
    # (F1)–(F4)
    Mistake("W for Wᵀ in the forward pass", "maps", "weight.swapaxes(-1, -2) if turned", "weight if turned", ("a",)),
    Mistake("the input of the step before", "bptt", F1, F1.replace("x,", "np.roll(x, 1, axis=0),"), ("a",)),
    Mistake("the input left out", "bptt", F1, "a[:] = 0", ("a",)),
    Mistake("tanh taken twice", "cells/rnn", "np.tanh(node.a)", "np.tanh(np.tanh(node.a))", ("h",)),
    Mistake("a bias forgotten", "readout", "o += c", "o += 0 * c", ("o",)),
    Mistake("the normaliser left out", "losses/softmax", "(np.log(total) - of_target)", "(-of_target)", ("loss",)),
    Mistake("softmax unshifted", "losses/softmax", "o - o.max(axis=-1, keepdims=True)", "o.copy()",
            ("loss", "grad_o")),
    # (B1)–(B3)
    Mistake("weights forgotten at the target", "losses/softmax", "] -= weights.ravel()", "] -= 1", ("grad_o",)),
    Mistake("softmax over the batch", "losses/softmax", "np.divide(exponentials, total, out=exponentials)",
            "exponentials / total.sum(1, keepdims=True)", ("grad_o",)),
    Mistake("the one-hot target left out", "losses/softmax", "] -= weights.ravel()", "] -= 0", ("grad_o",)),
    Mistake("mean over the batch for sum", "readout", "affine.bias_gradient(grad_o)",
            "affine.bias_gradient(grad_o) / grad_o.shape[1]", ("grad_c",)),
    Mistake("only the last step", "readout", "affine.bias_gradient(grad_o)", "grad_o[-1].sum(axis=0)", ("grad_c",)),
    Mistake("h of another step", "readout", "(grad_o, h, h.shape[-1])", "(grad_o, h[::-1], h.shape[-1])",
            ("grad_V",)),
    # (B4)
    Mistake("the carried gradient never added", "bptt", B4, B4.replace(" + carried[first]", ""), ("grad_h",)),
    Mistake("this step's loss left out", "bptt", B4, B4.replace("from_readout", "0 * from_readout"), ("grad_h",)),
    Mistake("the readout's part counted twice at the last step", "bptt", B4,
            B4.replace("from_readout", "(1 + (t == grads.T - 1)) * from_readout"), ("grad_h",)),
    Mistake("carry dropped at the first step only", "bptt", B4,
            B4.replace("carried[first]", "(t > 0) * carried[first]"), ("grad_h",)),
    Mistake("accidental truncation after three steps", "bptt", B4,
            B4.replace("carried[first]", "(grads.T - t <= 3) * carried[first]"), ("grad_h",)),
    Mistake("the carry's sign", "bptt", B4, B4.replace("+ carried", "- carried"), ("grad_h",)),
    Mistake("W for Wᵀ on the way back", "maps", "if turned else weight", "if turned else weight.swapaxes(-1, -2)",
            ("grad_h", "grad_h0")),
    Mistake("the carry taken before the activation's derivative", "bptt", CARRY, "product.back(grad.h[None])",
            ("grad_h", "grad_h0")),
    # (B5)
    Mistake("the derivative of tanh forgotten", "cells/rnn", B5, "grad.h", ("grad_a",)),
    Mistake("the pre-activation in the derivative", "cells/rnn", B5, "(1 - node.a**2) * grad.h", ("grad_a",)),
    Mistake("the activation applied twice", "cells/rnn", B5, "(1 - np.tanh(node.h) ** 2) * grad.h", ("grad_a",)),
    Mistake("the state of the step before", "cells/rnn", B5, B5.replace("node.h", "prev.h"), ("grad_a",)),
    Mistake("1 + h² for 1 − h²", "cells/rnn", B5, "(1 + node.h * node.h) * grad.h", ("grad_a",)),
    Mistake("off by one part in a thousand", "cells/rnn", B5, f"1.001 * {B5}", ("grad_a",)),
    Mistake("float32 inside a float64 path", "cells/rnn", B5, f"({B5}).astype(np.float32)", ("grad_a",)),
    Mistake("clipping inside", "cells/rnn", B5, f"np.clip({B5}, -0.01, 0.01)", ("grad_a",)),
    # (B6)–(B10)
    Mistake("mean over time for sum", "bptt", B6, B6.replace("(of_map)", "(of_map) / len(of_map)"), ("grad_b",)),
    Mistake("the gradient before the activation", "bptt", B6, B6.replace("of_map", H, 1), ("grad_b",)),
    Mistake("h(t) for h(t−1)", "bptt", B7, B7.replace("rows", "nodes[term.of]"), ("grad_W",)),
    Mistake("transposed", "bptt", B7, f"{B7}.T", ("grad_W",)),
    Mistake("the initial state taken for zero", "bptt", B7,
            B7.replace("of_map, rows", "of_map[1:], rows[1:]"), ("grad_W",)),
    Mistake("mean over the batch for sum", "bptt", B7, f"{B7} / of_map.shape[1]", ("grad_W",)),
    Mistake("∇h for ∇a", "bptt", B8, B8.replace("grad_a[maps.of_input]", f"{H}[None]"), ("grad_U",)),
    Mistake("right up to the sign", "bptt", B8, f"-{B8}", ("grad_U",)),
    Mistake("the gradient of the input is zeros", "bptt", B9, f"0 * {B9}", ("grad_x",)),
    Mistake("the input's gradient a step late", "bptt", B9,
            B9.replace("grad_a[maps.places[node]]", "np.roll(grad_a[0], 1, 0)"), ("grad_x",)),
    Mistake("the initial state's gradient is zeros", "bptt", B10, f"0 * {B10}", ("grad_h0",)),
    Mistake("the first step's loss counted as the initial state's", "bptt", B10,
            "carried[name] + from_readout[0])", ("grad_h0",)),
]  # fmt: skip
