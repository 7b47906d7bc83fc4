"""The files that a page shows, written into a folder, so that its commands run on what the reader sees."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def write_files_of(page, folder):
    """Each Python block that begins with the comment ``# NAME.py`` becomes that file. Returns their names."""
    found = list(BLOCK.finditer(Path(page).read_text(encoding="utf-8")))
    assert found, f"{page} shows no file"
    for block in found:
        Path(folder, block["name"]).write_text(block["text"], encoding="utf-8")
    return [block["name"] for block in found]
