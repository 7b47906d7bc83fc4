def sample() -> int:
    """Sample."""
    return 0
