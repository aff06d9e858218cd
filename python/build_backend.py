"""scikit-build-core, and in a source distribution the C sources beside the package, as csrc/."""

import os
import pathlib
import shutil
import tempfile

from scikit_build_core import build as backend
from scikit_build_core.build import *  # noqa: F401,F403  (every hook but the one below)

HERE = pathlib.Path(__file__).resolve().parent
# What the library, the program and CMake need of the tree, and the package's tests: the pages that they read, the
# bundled model, chat templates of our own.
SOURCES = (
    "CMakeLists.txt",
    "LICENSE",
    "README.md",
    "cmake",
    "docs/python.md",
    "graph",
    "backends",
    "shaders",
    "models",
    "tools",
    "python",
    "tests/costs.txt",
    "tests/python",
    "tests/template/own",
    "tests/template/vectors.json",
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", "dist", "csrc")


def build_sdist(sdist_directory, config_settings=None):
    to = os.path.abspath(sdist_directory)
    if not (HERE / "../graph/base.h").exists():
        return backend.build_sdist(to, config_settings)  # of a source distribution: as it is
    with tempfile.TemporaryDirectory() as folder:
        package = pathlib.Path(folder)
        for name in ("weft", "README.md", "build_backend.py"):
            copy(HERE / name, package / name)
        for name in SOURCES:
            copy(HERE.parent / name, package / "csrc" / name)
        text = (HERE / "pyproject.toml").read_text()
        (package / "pyproject.toml").write_text(text.replace('"../', '"csrc/').replace('".."', '"csrc"'))
        back = os.getcwd()
        try:
            os.chdir(package)
            return backend.build_sdist(to, config_settings)
        finally:
            os.chdir(back)


def copy(source, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, ignore=LEFT_OUT)
    else:
        shutil.copy2(source, to)
