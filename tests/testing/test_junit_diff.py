from __future__ import annotations

from pathlib import Path

import pytest

from fitbook.testing.junit_diff import differences, main, outcomes

_FILE = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="a.test_b" name="passes" time="0.1"/>
<testcase classname="a.test_b" name="fails"><failure message="assert">here</failure></testcase>
<testcase classname="a.test_b" name="skipped"><skipped type="pytest.skip" message="no network"/></testcase>
<testcase classname="a.test_b" name="known to fail"><skipped type="pytest.xfail" message=""/></testcase>
<testcase classname="a.test_b" name="twice"><failure message="a"/><error message="b"/></testcase>
<testcase classname="a.test_b" name="of [&lt;function f at {address}&gt;]"/>
<testcase classname="a.test_b" name="same"/>
<testcase classname="a.test_b" name="same"><failure message="assert"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one" / "a.xml"
    path.parent.mkdir()
    path.write_text(_FILE.format(address="0x7f00aa"))
    return path


def test_every_way_to_end_is_told_apart(file: Path) -> None:
    assert outcomes(file) == {
        "a.test_b::passes": "passed",
        "a.test_b::fails": "failed",
        "a.test_b::skipped": "skipped",
        "a.test_b::known to fail": "xfailed",
        "a.test_b::twice": "failed and error",
        "a.test_b::of [<function f at 0x>]": "passed",
        "a.test_b::same": "passed",
        "a.test_b::same #2": "failed",
    }


def test_what_ended_differently_and_what_one_side_only_has() -> None:
    found = differences({"a": "passed", "b": "passed", "c": "failed"}, {"a": "passed", "b": "failed", "d": "passed"})
    assert [str(one) for one in found] == [
        "b: passed -> failed",
        "c: failed -> not there",
        "d: not there -> passed",
    ]


def test_the_command(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "two.xml"
    other.write_text(_FILE.format(address="0x55bb"))
    assert main([str(file.parent), str(other)]) == 0
    assert capsys.readouterr().out == "8 cases before, 8 after, 0 ended differently\n"
    other.write_text(_FILE.replace('<failure message="assert">here</failure>', ""))
    assert main([str(file), str(other)]) == 1
    assert "a.test_b::fails: failed -> passed\n" in capsys.readouterr().out
    assert main([str(file), "nowhere"]) == 2
    assert "usage: " in capsys.readouterr().err
