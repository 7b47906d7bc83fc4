"""The checker of a single step, forward and backward: a sequence of one step whose upstream gradients are random."""
