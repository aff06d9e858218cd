"""screenshots.py FOLDER PAGE.html NAME[=FRAGMENT] ...: pictures of a page as docs/images has them: 1280 x 800, with a
palette of 96 colours (ImageMagick's `convert`), light, and dark where the fragment says theme=dark."""

import os
import subprocess
import sys

import browser


def main(folder, page, *pictures):
    with browser.Browser() as b:
        for picture in pictures:
            name, _, fragment = picture.partition("=")
            b.open(f"file://{os.path.abspath(page)}#{fragment if 'theme=' in fragment else fragment + '&theme=light'}")
            if b.log:
                sys.exit(f"{name}: {b.log}")
            path = os.path.join(folder, f"{name}.png")
            subprocess.run(
                [
                    "convert",
                    "png:-",
                    "+dither",
                    "-colors",
                    "96",
                    "-define",
                    "png:compression-level=9",
                    "-define",
                    "png:exclude-chunks=date,time",
                    f"png8:{path}",
                ],
                input=b.screenshot(),
                check=True,
            )
            print(f"{path}: {os.path.getsize(path):,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
