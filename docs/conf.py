"""How the documentation is built: every code cell is run, and nothing is fetched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

import console  # noqa: E402

from layerscope.manifest import layerscope_version  # noqa: E402

# Code cells call `layerscope` as a reader would, whether or not the environment is activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ["KERAS_BACKEND"] = "tensorflow"
# Pages import what is in examples/.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(HERE.parent / "examples"), os.environ.get("PYTHONPATH")))
)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
os.environ["IPYTHONDIR"] = str(HERE / "_build" / "ipython")
console.install(HERE / "_build" / "ipython")

project = "layerscope"
author = "the layerscope authors"
release = version = layerscope_version()

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "commands",
    "console",
    "docstrings",
    "findings",
    "files_table",
]
exclude_patterns = ["_build", "**/generated"]
suppress_warnings = ["mystnb.unknown_mime_type"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_html_meta = {"description": "See what every layer of a trained network makes of a picture."}

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_output_stderr = "remove"
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"layerscope {release}"
html_static_path = ["_static"]
html_css_files = ["layerscope.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
