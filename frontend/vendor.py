"""Copies the pinned third-party files from npm into the tree and records their versions, licences and hashes."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha384
from pathlib import Path
from typing import TypedDict

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MODULES = HERE / "node_modules"
MANIFEST = ROOT / "static" / "vendor" / "MANIFEST.json"

# Where a file lands: (package, path in the package).
FILES = {
    "static/vendor/idiomorph-ext.min.js": ("idiomorph", "dist/idiomorph-ext.min.js"),
    "static/vendor/idiomorph.LICENSE": ("idiomorph", "LICENSE"),
    "static/vendor/relative-time.js": ("@github/relative-time-element", "dist/bundle.js"),
    "static/vendor/relative-time.LICENSE": ("@github/relative-time-element", "LICENSE"),
    "static/vendor/uplot.min.js": ("uplot", "dist/uPlot.iife.min.js"),
    "static/vendor/uplot.min.css": ("uplot", "dist/uPlot.min.css"),
    "static/vendor/uplot.LICENSE": ("uplot", "LICENSE"),
    "static/vendor/octicons.LICENSE": ("@primer/octicons", "LICENSE"),
    "tests/browser/vendor/axe.min.js": ("axe-core", "axe.min.js"),
    "tests/browser/vendor/axe.LICENSE": ("axe-core", "LICENSE"),
}
SPRITE = "static/vendor/icons.svg"
# The octicons that pages use, at 16 pixels.
ICONS = (HERE / "icons.txt").read_text(encoding="utf-8").split()


class Entry(TypedDict):
    """What the manifest says about one vendored file; `sha384` is base64 as in subresource integrity."""

    file: str
    package: str
    version: str
    licence: str
    integrity: str
    sha384: str


def digest(path: Path) -> str:
    """The file's SHA-384 in base64."""
    return b64encode(sha384(path.read_bytes()).digest()).decode()


def sprite() -> str:
    """One SVG file with a symbol for each icon in ICONS, its id the octicon's name."""
    source = MODULES / "@primer" / "octicons" / "build" / "svg"
    shapes = {name: (source / f"{name}-16.svg").read_text(encoding="utf-8") for name in ICONS}
    symbols = [
        f'<symbol id="{name}" viewBox="0 0 16 16">{re.sub("</?svg[^>]*>", "", shape).strip()}</symbol>'
        for name, shape in shapes.items()
    ]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def entry(file: str, package: str, lock: dict[str, dict[str, str]]) -> Entry:
    """The manifest's line for `file`, which came from `package`."""
    pinned = lock[f"node_modules/{package}"]
    return Entry(
        file=file,
        package=package,
        version=pinned["version"],
        licence=pinned["license"],
        integrity=pinned["integrity"],
        sha384=digest(ROOT / file),
    )


def main() -> None:
    """Install exactly what package-lock.json names, copy what is listed and write the manifest."""
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    for file, (package, path) in FILES.items():
        shutil.copyfile(MODULES / package / path, ROOT / file)
    (ROOT / SPRITE).write_text(sprite(), encoding="utf-8")
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    sources = {**{file: package for file, (package, _) in FILES.items()}, SPRITE: "@primer/octicons"}
    entries = [entry(file, package, lock) for file, package in sorted(sources.items())]
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
