"""The checker of a whole backward pass, anyone's: called with drawn arrays, compared end to end, then explained."""
