"""The book: ``python3 tools/fresh.py docs`` builds it into out/docs, where index.html opens without a network."""

import os
import sys
from pathlib import Path

from manual_rnn import __version__
from manual_rnn.cache_folder import cache_folder

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

# What JAX has compiled for one page, or for the command line, serves the others: each judges cells.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# cyclopts writes the running program's name into each command's usage, and that is Sphinx's.
sys.argv[0] = "manual-rnn"

project = "manual-rnn"
author = copyright = "The manual-rnn authors"
version = release = __version__
html_title = "manual-rnn"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "cyclopts.ext.sphinx",
    "book",
    "interactive",
]
exclude_patterns = ["_extensions"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # what JAX says of a machine is nothing that a page tells

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
