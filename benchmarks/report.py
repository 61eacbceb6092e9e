"""From the measured figures to a table and a plot; knows nothing of how they were measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]

PEER = "mlflow"


def write(results: dict[str, Any], folder: Path) -> None:
    """Write ``results.json``, ``RESULTS.md``, ``overhead.png`` and ``growth.png`` into the folder.

    Parameters
    ----------
    results : dict
        ``date``, ``command``, ``machine`` and ``tools``: for every tool ``version``, ``python``, ``packages``,
        ``measures`` (each a `benchmarks.measure.Measure` as a dict) and ``failures`` (case to text).
    folder : Path
        Exists; its ``heavy_suites.md``, what the long-running tests came to, is put at the end.
    """
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    suites = (folder / "heavy_suites.md").read_text(encoding="utf-8")
    (folder / "RESULTS.md").write_text(f"{markdown(results)}\n{suites}", encoding="utf-8")
    plot(results, folder / "overhead.png")
    growth(results, folder / "growth.png")


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Put what a partial run has measured into the results of an earlier whole one; both say when they were."""
    tools = dict(old["tools"])
    for tool, result in new["tools"].items():
        before = tools.get(tool, {"measures": [], "failures": {}})
        measures = _by_name({"tools": tools}, tool) | _by_name(new, tool)
        tools[tool] = {
            **result,
            "measures": list(measures.values()),
            "failures": before["failures"] | result["failures"],
        }
    names = sorted({row["name"] for result in new["tools"].values() for row in result["measures"]})
    part = {key: new[key] for key in ("date", "command", "machine")} | {"names": names}
    return {**old, "tools": tools, "parts": [*old.get("parts", ()), part]}


def duration(seconds: float) -> str:
    """Seconds in a readable unit with three significant digits: ``1.23 s``, ``45.6 ms``, ``7.89 µs``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= size or unit == "µs":
            value = seconds / size
            return f"{value:.{max(0, 2 - len(str(int(abs(value)))) + 1)}f} {unit}"
    raise AssertionError


def limit(row: Row) -> float | None:
    """The most that a measure may be, in seconds; None without a goal."""
    goal = row["goal"]
    if goal is None:
        return None
    share = goal["share"] * row["plain"]["median"] if goal["share"] else 0.0
    return float(goal["seconds"] + share)


def table(results: dict[str, Any]) -> str:
    """The measures of all tools as one Markdown table, fitbook's order and titles first."""
    own, peer = (_by_name(results, tool) for tool in ("fitbook", PEER))
    lines = [
        "| measure | plain | fitbook adds | MLflow adds | MLflow / fitbook | goal | met |",
        "| --- | ---: | ---: | ---: | ---: | ---: | :---: |",
    ]
    for name in [*own, *(name for name in peer if name not in own)]:
        mine, theirs = own.get(name), peer.get(name)
        row = mine or peer[name]
        most = limit(mine) if mine else None
        cells = [
            row["title"] + (" ¹" if row["whole"] else ""),
            duration(row["plain"]["median"]) if row["plain"] else "–",
            _cell(mine),
            _cell(theirs),
            _ratio(mine, theirs),
            _goal(row),
            "" if mine is None or most is None else ("yes" if mine["added"]["median"] <= most else "**no**"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_name(results: dict[str, Any], tool: str) -> dict[str, Row]:
    return {row["name"]: row for row in results["tools"].get(tool, {}).get("measures", ())}


def _cell(row: Row | None) -> str:
    """Median, the middle half of the rounds, and how many runs were written if it was more than one."""
    if row is None:
        return "–"
    added = row["added"]
    spread = f" ({duration(added['low'])} … {duration(added['high'])})" if added["rounds"] > 1 else ""
    return duration(added["median"]) + spread + (f", {row['runs']} runs" if (row["runs"] or 0) > 1 else "")


def _ratio(mine: Row | None, theirs: Row | None) -> str:
    # What is lost in the noise has no meaningful ratio.
    if mine is None or theirs is None or mine["added"]["median"] <= 0:
        return "–"
    ratio = theirs["added"]["median"] / mine["added"]["median"]
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def _goal(row: Row) -> str:
    goal = row["goal"]
    if goal is None:
        return ""
    share = f" + {goal['share']:.0%}".replace("%", " %") if goal["share"] else ""
    return f"≤ {duration(goal['seconds'])}{share}"


def markdown(results: dict[str, Any]) -> str:
    """The whole page."""
    machine = results["machine"]
    lines = [
        "# What recording costs",
        "",
        "Written by `benchmarks/run.py`; not edited by hand.",
        "",
        f"- **When:** {results['date']}, by `{results['command']}`",
        f"- **Machine:** {machine['cpus']} × {machine['model']}, {machine['system']}; load before: {machine['load']}",
    ]
    for part in results.get("parts", ()):
        load = part["machine"]["load"]
        lines.append(
            f"- **Later:** {part['date']}, by `{part['command']}`; load before: {load}; {len(part['names'])} measures"
        )
    if machine["threads"]:
        lines.append("- **Threads:** " + ", ".join(f"`{key}={value}`" for key, value in machine["threads"].items()))
    for tool, result in results["tools"].items():
        packages = ", ".join(f"{name} {version}" for name, version in result["packages"].items())
        lines.append(f"- **{tool} {result['version']}** on Python {result['python']}: {packages}")
    lines += ["", table(results), "", *_NOTES]
    if results.get("parts"):
        lines += ["", *_OF_PARTS]
    failures = [
        f"- {tool}, {case}: {text.strip()}".replace("\n", "\n  ")
        for tool, result in results["tools"].items()
        for case, text in result["failures"].items()
    ]
    if failures:
        lines += ["", "## Failed", "", *failures]
    return "\n".join(lines) + "\n"


_OF_PARTS = (
    "**Not all of this is one run.** A row shows what each tool took when it was last measured. Where a later run was without",
    "MLflow, its figures are of an earlier one, perhaps on a busier or idler machine, and the ratio is only as good as that.",
)

_NOTES = (
    "Medians, in parentheses the middle half of the rounds. Every tool runs in a process of its own with its default",
    "settings and store, and is turned on and off in turn: what it adds is the difference to the plain call beside it.",
    "`plain` is the baseline of fitbook's process. *Everything written* includes figures and whatever else is put off",
    "until after `fit`. MLflow, being slow, gets few rounds. A goal with a share refers to the plain call.",
    "",
    "¹ The whole call, not a difference; `plain` is the least that it could cost: one bare SQLite commit, one pickle.",
    "",
    "![What fitbook and MLflow add, on a logarithmic scale](overhead.png)",
    "",
    "![What a page of 100 runs takes, by the number of runs in the store](growth.png)",
)


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw what the tools add, one group of bars per measure, on a logarithmic scale; goals are marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    own, peer = (_by_name(results, tool) for tool in ("fitbook", PEER))
    names = [name for name in own if _size_and_search(name) is None][::-1]
    figure = Figure(figsize=(10, 1.5 + 0.38 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for label, rows, shift, color in (("fitbook", own, 0.2, "#2a6f97"), ("MLflow", peer, -0.2, "#c9ada7")):
        # Zero and less can't be drawn here; a bar that is missing added nothing that could be measured.
        bars = [(y + shift, rows[name]["added"]["median"]) for y, name in enumerate(names) if name in rows]
        bars = [(y, value) for y, value in bars if value > 0]
        if bars:
            axes.barh([y for y, _ in bars], [value for _, value in bars], 0.4, label=label, color=color)
    goals = [(y, most) for y, name in enumerate(names) if (most := limit(own[name])) is not None]
    if goals:
        axes.plot([most for _, most in goals], [y + 0.2 for y, _ in goals], "k|", markersize=11, label="goal")
    axes.set_xscale("log")
    axes.set_xlabel("seconds (less is better)")
    axes.set_yticks(range(len(names)), [own[name]["title"].replace("`", "") for name in names])
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def _size_and_search(name: str) -> tuple[int, str] | None:
    """How many runs the store of a measure had, and what it asked; None for any other measure."""
    first, _, rest = name.removeprefix("scale-").partition("-")
    return (int(first), rest) if name.startswith("scale-") and first.isdigit() else None


def growth(results: dict[str, Any], path: Path) -> None:
    """Draw how long searches for 100 runs take, over the number of runs in the store; both axes logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for tool, style in (("fitbook", "o-"), (PEER, "x--")):
        lines: dict[str, list[tuple[int, float]]] = {}
        for name, row in _by_name(results, tool).items():
            place = _size_and_search(name)
            if place is not None and place[1] not in ("fill", "frame"):
                title = row["title"].replace(f" of {place[0]:,} runs", "").partition(", page")[0]
                later = ", a later page" if place[1].endswith("-page") else ""
                lines.setdefault(f"{tool}: {title}{later}", []).append((place[0], row["added"]["median"]))
        for label, points in lines.items():
            axes.plot(*zip(*sorted(points), strict=True), style, label=label)
    axes.set(xscale="log", yscale="log", xlabel="runs in the store", ylabel="seconds for 100 runs")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
