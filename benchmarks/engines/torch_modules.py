"""PyTorch: nn.RNN, nn.LSTM, nn.GRU with a linear readout; the one-hot input is made before and not timed."""

from __future__ import annotations

import os

import torch

from engines import problem


def prepare(cell, T, B, n, H):
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    params, x, y = problem.of(cell, T, B, n, H)
    together = problem.packed(cell, params)
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](n, H)
    readout = torch.nn.Linear(H, n)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(together["U"]))
        module.weight_hh_l0.copy_(torch.from_numpy(together["W"]))
        module.bias_ih_l0.zero_(), module.bias_hh_l0.zero_(), readout.bias.zero_()
        readout.weight.copy_(torch.from_numpy(params["V"]))
    inputs = torch.nn.functional.one_hot(torch.from_numpy(x), n).float()
    targets = torch.from_numpy(y.ravel())
    variables = [*module.parameters(), *readout.parameters()]

    def one_pass():
        for variable in variables:
            variable.grad = None
        h, _ = module(inputs)
        loss = torch.nn.functional.cross_entropy(readout(h).flatten(0, 1), targets, reduction="sum")
        loss.backward()
        return loss.item()

    return one_pass
