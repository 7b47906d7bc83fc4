"""Mistakes: what an equation may have become, and which of them gives the numbers that were seen."""
