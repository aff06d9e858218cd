#!/usr/bin/env python3
"""fetch.py FOLDER: the chat templates that may not be copied here, from the package on PyPI that has them."""
import pathlib
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "llama_cpp_python==0.3.36"

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory() as work:
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation",
                    "-d", work, PACKAGE], check=True)
    archive = next(pathlib.Path(work).glob("*.tar.gz"))
    with tarfile.open(archive) as tar:
        for member in tar:
            path = pathlib.PurePosixPath(member.name)
            if path.suffix == ".jinja" and path.parent.name == "templates" and member.isfile():
                (folder / path.name).write_bytes(tar.extractfile(member).read())
print(len(list(folder.glob("*.jinja"))), "templates in", folder)
