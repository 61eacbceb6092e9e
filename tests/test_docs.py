"""The documentation against the program: what is written runs, and what can be used is written."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fitbook import settings
from fitbook._version import __version__
from fitbook.autolog.sklearn._points import POINTS
from fitbook.cli.main import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SNIPPETS = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippets_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})


def test_readme_shows_the_two_commands_and_its_first_code_is_short() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_screen = readme[: readme.index("<!-- figures -->")]
    assert {"make demo", "make test", "pip install"} <= set(
        re.findall(r"make demo|make test|pip install", first_screen)
    )
    code = SNIPPETS[0].values[0]
    assert isinstance(code, str)
    assert len(code.splitlines()) <= 18
    assert "<!-- /figures -->" in readme


@pytest.mark.parametrize("setting", [setting.name for setting in settings.ALL])
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in TEXT


def commands(group: click.Group, words: tuple[str, ...] = ("fitbook",)) -> Iterator[str]:
    """Every command that does something, as it is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name))


@pytest.mark.parametrize("command", list(commands(main)))
def test_every_command_is_documented(command: str) -> None:
    assert command in TEXT


def test_commands_that_are_documented_exist() -> None:
    blocks = "\n".join(re.findall(r"^```bash\n(.*?)^```", TEXT, re.M | re.S))
    shown = set(re.findall(r"^fitbook (?:runs |models |db |import )?[a-z]+", blocks, re.M))
    assert shown
    assert shown <= set(commands(main))


@pytest.mark.parametrize("role", sorted({point.role.name for point in POINTS}))
def test_every_hooked_place_is_documented(role: str) -> None:
    page = (ROOT / "docs" / "autolog.md").read_text(encoding="utf-8")
    assert f"**{role.capitalize()}:**" in page
    for point in POINTS:
        assert f"`{point.module}.{point.path}`" in page


def test_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for page, content in generate.pages().items():
        assert page.read_text(encoding="utf-8") == content, f"{page.name} is out of date: run `make docs`"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_dependencies_have_their_reason_and_pin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [re.split(r"[<>=]", requirement)[0] for requirement in project["dependencies"]]
    rows = re.findall(
        r"^\| ([\w, -]+) \|", (ROOT / "docs/decisions/0002-dependencies.md").read_text(encoding="utf-8"), re.M
    )
    explained = {name.strip() for row in rows[1:] for name in row.split(",")}
    assert explained - {"---"} == set(needed)
    # The drivers of other clouds than S3 are not run here.
    extras = [names for extra, names in project["optional-dependencies"].items() if extra not in ("gcs", "azure")]
    optional = [re.split(r"[<>=[]", name)[0] for names in extras for name in names]
    pinned = re.findall(r"^([\w.-]+)==[\w.]+$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    assert {name.lower() for name in (*needed, *optional)} <= {name.lower() for name in pinned}


def test_changelog_tells_of_this_version() -> None:
    assert re.search(rf"^## .*{re.escape(__version__)}", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
