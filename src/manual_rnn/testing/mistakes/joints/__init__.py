"""Mistakes at the joints of a network: between its layers and directions, and where sequences begin."""
