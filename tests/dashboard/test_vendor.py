"""Vendored files are what the manifest says, nothing else is vendored, and each keeps its licence."""

import json
from base64 import b64encode
from hashlib import sha384
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
FOLDERS = (ROOT / "static" / "vendor", ROOT / "tests" / "browser" / "vendor")
MANIFEST = json.loads((FOLDERS[0] / "MANIFEST.json").read_text(encoding="utf-8"))
PINNED = json.loads((ROOT / "frontend" / "package.json").read_text(encoding="utf-8"))["dependencies"]
# As npm served them when they were chosen (UX.md, section 0).
CHOSEN = {
    "static/vendor/idiomorph-ext.min.js": "+iBk70O0UWQdSjXQSQ7amSxXCrsWq/6UOtvC9rDo0p7telbTSOyttExq6QCFBzNk",
    "static/vendor/relative-time.js": "cnbx4aWcNvSE6Pa1QB9qAp3emGtktlU/GTaHJEwGJGv0D1Q0iMV6VNbw+JlWLkBR",
}


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_the_file_is_what_the_manifest_says(entry: dict[str, str]) -> None:
    digest = b64encode(sha384((ROOT / entry["file"]).read_bytes()).digest()).decode()
    assert digest == entry["sha384"]
    assert entry["version"] == PINNED[entry["package"]]


def test_every_vendored_file_is_in_the_manifest() -> None:
    present = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in folder.iterdir()}
    assert present - {entry["file"] for entry in MANIFEST} == {"static/vendor/MANIFEST.json"}


def test_every_package_keeps_its_licence() -> None:
    licensed = {entry["package"] for entry in MANIFEST if entry["file"].endswith(".LICENSE")}
    assert {entry["package"] for entry in MANIFEST} == licensed


def test_pins_are_exact() -> None:
    assert all(version[0].isdigit() and version.count(".") == 2 for version in PINNED.values())


@pytest.mark.parametrize(("file", "digest"), CHOSEN.items())
def test_it_is_the_file_that_was_chosen(file: str, digest: str) -> None:
    assert {entry["file"]: entry["sha384"] for entry in MANIFEST}[file] == digest
