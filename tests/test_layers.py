"""The shape of the house: what no module may do, and how long a file and a function may be.

Which layer may import which is import-linter's part (``make lint``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fitbook"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [file.relative_to(PACKAGE).as_posix() for file in FILES]
MAX_FILE, MAX_FUNCTION = 700, 60

every_file = pytest.mark.parametrize("file", FILES, ids=NAMES)


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _inside_functions(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from (n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom)))


def test_there_is_a_package() -> None:
    assert len(FILES) > 50


@every_file
def test_nobody_inside_imports_the_root(file: Path) -> None:
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.partition(".")[0] == "fitbook"], node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            if node.module == "fitbook":
                # Modules and packages of the root, never the names that its door looks up.
                for alias in node.names:
                    beside = PACKAGE / alias.name
                    assert beside.with_suffix(".py").is_file() or (beside / "__init__.py").is_file(), alias.name


@every_file
def test_imports_of_our_own_stand_at_the_top(file: Path) -> None:
    for node in _inside_functions(_tree(file)):
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] != "fitbook", f"line {node.lineno}"


@every_file
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_FILE


@every_file
def test_functions_are_short(file: Path) -> None:
    for node in ast.walk(_tree(file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            begin = first.end_lineno if documented else node.lineno
            assert (node.end_lineno or 0) - (begin or 0) <= MAX_FUNCTION, f"{node.name}, line {node.lineno}"


@every_file
def test_nothing_is_left_to_do(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for word in ("TODO", "FIXME", "XXX", "raise NotImplementedError"):
        assert word not in text


@every_file
def test_every_public_thing_says_what_it_is(file: Path) -> None:
    tree = _tree(file)
    if file.stat().st_size:
        assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name}, line {node.lineno}"
