"""The engines of benchmarks/speed.py, a file each: ``prepare(cell, T, B, n, H)`` gives a function that runs one pass.

A pass is the loss, softmax cross-entropy summed over all steps, and the gradients of all parameters, of token inputs.
"""
