"""Gradients from the forward pass alone, each with its own measured error: independent of manual and autodiff."""
