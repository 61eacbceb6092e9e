"""Write the parts of the documentation that are made from the code: ``make docs``, which ``tests/test_docs.py`` checks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from fitbook import settings
from fitbook.autolog import autolog
from fitbook.autolog.sklearn._points import (
    DISPLAY_METHODS,
    METHODS,
    POINTS,
    STEP_METHOD,
    Role,
)

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- made by docs/generate.py: edit that -->\n", "<!-- end -->\n"

ESTIMATOR_METHODS = ", ".join(f"`{name}`" for name in METHODS)
HOOKED = {
    Role.ESTIMATORS: f"{ESTIMATOR_METHODS} of this class and of its subclasses",
    Role.SCORER: "calls of these classes' objects, which are what `make_scorer`, `get_scorer` and `check_scoring` give",
    Role.DISPLAY: ", ".join(f"`{name}`" for name in DISPLAY_METHODS),
    Role.METRIC: "what each of these functions calls once it has checked its arguments",
    Role.FUNCTION: "what each of these functions calls once it has checked its arguments",
    Role.STEPS: f"`{STEP_METHOD}`",
    Role.OUTPUT: "these functions",
    Role.WARNING: "this function",
    Role.TASKS: "`__call__`",
}


def hook_table() -> str:
    """Every hooked place by module and role."""
    lines: list[str] = []
    for role in Role:
        lines.append(f"**{role.name.capitalize()}:** {role.value}. Hooked: {HOOKED[role]}.\n")
        places = [f"`{point.module}.{point.path}`" for point in POINTS if point.role is role]
        lines.append(", ".join(places) + ".\n")
    return "\n".join(lines).rstrip("\n")


def settings_page() -> str:
    """Every environment variable."""
    lines = [
        "# Settings",
        "",
        BEGIN,
        "Environment variables, read when they are needed. What a call says goes before what they say.",
        "",
        "| variable | default | meaning |",
        "| --- | --- | --- |",
    ]
    for setting in settings.ALL:
        default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
        lines.append(f"| `{setting.name}` | `{default}` | {setting.help} |".replace("``", "none"))
    return "\n".join([*lines, *options_table()]) + "\n"


def options_table() -> list[str]:
    """Every option of ``autolog``, from its signature and its docstring."""
    documented = inspect.getdoc(autolog) or ""
    section = documented.partition("Parameters\n----------\n")[2].partition("\nRaises\n")[0]
    help_of: dict[str, str] = {}
    for names, text in re.findall(r"^(\w[\w, ]*) : .*\n((?:    .*\n)+)", section, re.M):
        for name in names.split(", "):
            help_of[name] = " ".join(text.split()).replace("``", "`")
    lines = [
        "",
        "## Options of autologging",
        "",
        "What `fitbook.autolog(…)` is not told, it takes from these variables; then from the table `[tool.fitbook.autolog]`,",
        "under the options' names, of the nearest `pyproject.toml` (from the working directory upwards); then the default.",
        "Several names or patterns are separated by commas, tags are `key=value,key=value`.",
        "",
        "| option | variable | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name, parameter in inspect.signature(autolog).parameters.items():
        default = "" if parameter.default is None else f"`{str(parameter.default).lower()}`"
        lines.append(f"| `{name}` | `FITBOOK_AUTOLOG_{name.upper()}` | {default} | {help_of[name]} |")
    return lines


def between(page: str, made: str) -> str:
    """Put what was made between the marks of a page."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}"


def pages() -> dict[Path, str]:
    """Path and content of each page, as they should be."""
    autolog = DOCS / "autolog.md"
    return {
        autolog: between(autolog.read_text(encoding="utf-8"), hook_table()),
        DOCS / "settings.md": settings_page(),
    }


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
