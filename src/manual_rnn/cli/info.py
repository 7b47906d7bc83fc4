def info() -> int:
    """Info."""
    return 0
