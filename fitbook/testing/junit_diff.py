"""Compare two JUnit files, or two folders of them, case by case: ``python -m fitbook.testing.junit_diff A B``.

Prints every case that ended differently, and ends with code 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_ADDRESS = re.compile(r"0x[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One case that ended differently; None where there was none."""

    case: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.case}: {self.before or 'not there'} -> {self.after or 'not there'}"


def outcomes(path: Path) -> dict[str, str]:
    """Give the outcome of every case of a JUnit file, or of all of a folder's.

    Returns
    -------
    dict of str to str
        ``"passed"``, ``"failed"``, ``"error"``, ``"skipped"`` or ``"xfailed"``, several in their order where one case
        has several (a failed test with a failing teardown). Cases of the same name are numbered.
    """
    found: dict[str, str] = {}
    for file in sorted(path.glob("*.xml")) if path.is_dir() else [path]:
        for case in ElementTree.parse(file).iter("testcase"):
            label = name = _ADDRESS.sub("0x", f"{case.get('classname')}::{case.get('name')}")
            number = 1
            while name in found:
                number += 1
                name = f"{label} #{number}"
            found[name] = " and ".join(_ends(case)) or "passed"
    return found


def _ends(case: ElementTree.Element) -> Iterator[str]:
    for child in case:
        if child.tag == "skipped":
            yield "xfailed" if child.get("type") == "pytest.xfail" else "skipped"
        elif child.tag in ("failure", "error"):
            yield {"failure": "failed"}.get(child.tag, child.tag)


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """List the cases that ended differently, and those that only one side has."""
    names = [*before, *(name for name in after if name not in before)]
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def main(arguments: list[str]) -> int:
    """Compare, print, and give the exit code: 0 for equal, 1 for different, 2 for a wrong call."""
    paths = [Path(argument) for argument in arguments]
    if len(paths) != 2 or not all(path.exists() for path in paths):
        print(f"usage: python -m fitbook.testing.junit_diff BEFORE AFTER; got {arguments}", file=sys.stderr)  # noqa: T201
        return 2
    before, after = map(outcomes, paths)
    found = differences(before, after)
    for one in found:
        print(one)  # noqa: T201
    print(f"{len(before)} cases before, {len(after)} after, {len(found)} ended differently")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
