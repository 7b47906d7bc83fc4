"""Builds the wheel and looks into it: both packages, typed, and nothing else at the top.

    python3 tools/check_wheel.py FOLDER
"""

import subprocess
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
root = Path(__file__).resolve().parents[1]
subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, root], check=True)
(wheel,) = folder.glob("*.whl")
names = zipfile.ZipFile(wheel).namelist()
top = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
problems = [f"{name} is missing" for name in ("manual_rnn/py.typed", "reference/py.typed") if name not in names]
problems += [f"{name} is too much" for name in sorted(top - {"manual_rnn", "reference"})]
sys.exit(f"{wheel.name}: {'; '.join(problems)}" if problems else 0)
