"""The report says what was measured, and nothing nicer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import duration, markdown, merged, table, write


def row(name: str, added: float, *, goal: tuple[float, float] | None = None, **more: Any) -> dict[str, Any]:
    """One measure as `benchmarks/run.py` hands it over, with a plain call of 100 ms."""
    return {
        "name": name,
        "title": f"title of {name}",
        "added": {"median": added, "low": added * 0.9, "high": added * 1.1, "rounds": 3},
        "plain": {"median": 0.1, "low": 0.1, "high": 0.1, "rounds": 3},
        "goal": None if goal is None else {"seconds": goal[0], "share": goal[1]},
        "whole": False,
        "runs": 1,
    } | more


def results(own: list[dict[str, Any]], peer: list[dict[str, Any]] | None = None, **failures: str) -> dict[str, Any]:
    def tool(version: str, measures: list[dict[str, Any]]) -> dict[str, Any]:
        packages = {"scikit-learn": "1.9.1"}
        return {
            "version": version,
            "python": "3.13.0",
            "packages": packages,
            "measures": measures,
            "failures": failures,
        }

    tools = {"fitbook": tool("0.1", own)} | ({"mlflow": tool("3.0", peer)} if peer is not None else {})
    machine = {
        "cpus": 2,
        "model": "a processor",
        "system": "Linux x86_64",
        "load": 0.1,
        "threads": {"OMP_NUM_THREADS": "1"},
    }
    return {
        "date": "2026-01-02T03:04:05+00:00",
        "command": "python benchmarks/run.py",
        "machine": machine,
        "tools": tools,
    }


def cells(page: str, name: str) -> list[str]:
    line = next(line for line in page.splitlines() if f"title of {name}" in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.234, "1.23 s"),
        (12.34, "12.3 s"),
        (123.4, "123 s"),
        (0.04567, "45.7 ms"),
        (0.001, "1.00 ms"),
        (7.89e-6, "7.89 µs"),
        (-0.002, "-2.00 ms"),
        (0.0, "0.00 µs"),
    ],
)
def test_durations_have_three_digits_and_a_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_row_holds_both_tools_their_ratio_and_the_verdict() -> None:
    page = table(results([row("a", 0.010, goal=(0.020, 0.0))], [row("a", 4.0)]))
    _, plain, own, peer, ratio, goal, met = cells(page, "a")
    assert (plain, ratio, goal, met) == ("100 ms", "400×", "≤ 20.0 ms", "yes")
    assert own == "10.0 ms (9.00 ms … 11.0 ms)"
    assert peer.startswith("4.00 s")


@pytest.mark.parametrize(("added", "met"), [(0.0649, "yes"), (0.0651, "**no**")])
def test_a_goal_with_a_share_grows_with_the_plain_call(added: float, met: str) -> None:
    page = table(results([row("a", added, goal=(0.060, 0.05))]))
    assert cells(page, "a")[-2:] == ["≤ 60.0 ms + 5 %", met]


def test_what_is_lost_in_the_noise_has_no_ratio() -> None:
    page = table(results([row("a", -0.001)], [row("a", 1.0)]))
    assert cells(page, "a")[4] == "–"


def test_rows_without_a_peer_and_of_the_peer_alone_are_kept() -> None:
    page = table(results([row("a", 0.01)], [row("b", 0.02)]))
    assert cells(page, "a")[3:5] == ["–", "–"]
    assert cells(page, "b")[2:5] == ["–", "20.0 ms (18.0 ms … 22.0 ms)", "–"]


def test_several_runs_per_call_are_shown() -> None:
    page = table(results([row("a", 0.01, runs=13)], [row("a", 7.0, runs=6)]))
    assert cells(page, "a")[2].endswith(", 13 runs")
    assert cells(page, "a")[3].endswith(", 6 runs")


def test_whole_calls_are_marked() -> None:
    page = table(results([row("a", 0.01, whole=True, plain=None)]))
    assert cells(page, "a")[:2] == ["title of a ¹", "–"]


def test_the_page_names_the_circumstances_and_every_failure() -> None:
    page = markdown(results([row("a", 0.01)], [], models="ValueError: no"))
    for expected in (
        "2026-01-02",
        "2 × a processor",
        "python benchmarks/run.py",
        "fitbook 0.1",
        "scikit-learn 1.9.1",
        "`OMP_NUM_THREADS=1`",
    ):
        assert expected in page
    assert "- fitbook, models: ValueError: no" in page
    assert "Failed" not in markdown(results([row("a", 0.01)]))


@pytest.mark.parametrize("peer", [None, [row("a", 4.0), row("c", 1.0)]])
def test_writing_leaves_data_page_and_plot(tmp_path: Path, peer: list[dict[str, Any]] | None) -> None:
    measured = results([row("a", 0.01, goal=(0.02, 0.0)), row("b", -0.01)], peer)
    (tmp_path / "heavy_suites.md").write_text("## Heavy suites\n")
    write(measured, tmp_path)
    assert (tmp_path / "RESULTS.md").read_text(encoding="utf-8").endswith("\n## Heavy suites\n")
    assert json.loads((tmp_path / "results.json").read_text()) == measured
    assert table(measured) in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert (tmp_path / "overhead.png").read_bytes().startswith(b"\x89PNG")


def test_a_partial_run_goes_into_the_results_of_a_whole_one_and_says_so(tmp_path: Path) -> None:
    whole = results([row("a", 1.0), row("b", 2.0)], [row("a", 30.0)])
    part = results([row("b", 0.5), row("scale-1000-newest", 0.001)]) | {"date": "2026-02-03T04:05:06+00:00"}
    both = merged(whole, part)
    page = markdown(both)
    assert [cells(page, name)[2][:6] for name in ("a", "b")] == ["1.00 s", "500 ms"]
    assert cells(page, "a")[3].startswith("30.0 s")
    assert "Later:** 2026-02-03" in page
    assert "2 measures" in page
    assert "Not all of this is one run" in page
    assert "Not all of this is one run" not in markdown(whole)
    (tmp_path / "heavy_suites.md").touch()
    write(both, tmp_path)
    assert (tmp_path / "growth.png").stat().st_size > 1000
