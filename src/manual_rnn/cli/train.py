def train() -> int:
    """Train."""
    return 0
