from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.errors import InvalidValue
from fitbook.registry import AliasUri, LatestUri, ModelIdUri, PathUri, RunUri, StageUri, VersionUri, parse
from fitbook.registry._rules import STAGES

RUN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"runs:/{RUN}/model", RunUri(RUN, "model")),
        (f"runs:/{RUN}/deep/best model", RunUri(RUN, "deep/best model")),
        ("runs:/latest/model", RunUri(None, "model")),
        ("models:/churn/3", VersionUri("churn", 3)),
        ("models:/churn/003", VersionUri("churn", 3)),
        ("models:/churn/production", StageUri("churn", "Production")),
        ("models:/churn/None", StageUri("churn", "None")),
        ("models:/churn/LATEST", LatestUri("churn")),
        ("MODELS:/churn/latest", LatestUri("churn")),
        ("models:/churn@champion", AliasUri("churn", "champion")),
        ("models:/me@home@champion", AliasUri("me@home", "champion")),
        ("models:/me@home/1", VersionUri("me@home", 1)),
        ("models:/100%25/1", VersionUri("100%25", 1)),
        (f"models:/m-{RUN}", ModelIdUri(f"m-{RUN}")),
        (f"models:/m-{RUN}/1", VersionUri(f"m-{RUN}", 1)),
        ("model", PathUri(Path("model"))),
        ("../up/model", PathUri(Path("../up/model"))),
        ("/abs/a?b#c", PathUri(Path("/abs/a?b#c"))),
        ("run 1: best", PathUri(Path("run 1: best"))),
        (Path("runs:/x"), PathUri(Path("runs:/x"))),
        ("file:///abs/a%20b", PathUri(Path("/abs/a b"))),
        ("file:/abs", PathUri(Path("/abs"))),
        ("file://localhost/abs", PathUri(Path("/abs"))),
        ("file:rel/model", PathUri(Path("rel/model"))),
    ],
)
def test_accepted_forms(text: str, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a model URI"),
        ("  ", "not a model URI"),
        (None, "not a model URI"),
        (f"runs:/{RUN}", "path of the model"),
        (f"runs:/{RUN}/", "empty"),
        (f"runs:/{RUN}/a//b", "empty"),
        (f"runs:/{RUN}/../other", "'..'"),
        (f"runs:/{RUN}/./a", "'.'"),
        (f"runs:/{RUN}/a?b=c", "'[?]'"),
        (f"runs:/{RUN}/a#b", "'#'"),
        (f"runs:/{RUN}/a\\b", "contains"),
        (f"runs:/{RUN}/a\nb", "control"),
        (f"runs:/{RUN}/a\0b", "control"),
        (f"runs://{RUN}/model", "one '/'"),
        (f"runs:{RUN}/model", "one '/'"),
        ("runs:/a b/model", "not a run id"),
        ("models:/churn", "which version"),
        ("models:/churn/", "empty"),
        ("models:/", "empty"),
        ("models://churn/1", "one '/'"),
        ("models:/churn/1/2", "more than two"),
        ("models:/churn/champion", "churn@champion"),
        ("models:/churn/-1", "neither a version"),
        ("models:/churn/" + "9" * 30, "version number"),
        ("models:/churn/²", "version number"),
        ("models:/churn@", "alias ''"),
        ("models:/@champion", "name is empty"),
        ("models:/churn@latest", "reserved"),
        ("models:/churn@v3", "reserved"),
        ("models:/a:b/1", "contains"),
        ("models:/ churn/1", "spaces at its ends"),
        ("models:/churn/1?x=1", "'[?]'"),
        ("models:/../1", "'..'"),
        ("ftp://bucket/model", "'ftp'"),
        ("ftp:x", "'ftp'"),
        ("file://elsewhere/model", "another machine"),
        ("file:///a?b", "%3F"),
        ("file:///a%00b", "NUL"),
        ("file:///a\tb", "control"),
        ("file:", "empty"),
        ("a\0b", "NUL"),
    ],
)
def test_what_is_refused_says_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        parse(text)


def test_a_refusal_lists_the_forms() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse("models:/churn")
    for form in ("<name>/<version>", "<name>/<stage>", "<name>/latest", "<name>@<alias>", "<model_id>"):
        assert f"models:/{form}" in str(caught.value)


@pytest.mark.parametrize(
    "start", ["models:/", "models:/churn/", "models:/churn@", "runs:/", "runs:/!/", "s3:", "file://"]
)
def test_a_refusal_of_a_long_uri_is_short(start: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse(start + "x" * 100_000)
    assert len(str(caught.value)) < 1000


_characters = st.characters(exclude_characters="/:?#\\", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
_segment = st.text(_characters, min_size=1, max_size=30).filter(lambda s: s == s.strip() and s not in ("", ".", ".."))
_alias = st.from_regex(r"[\w\-]{1,20}", fullmatch=True).filter(
    lambda a: a.lower() != "latest" and not (a[0] in "vV" and a[1:].isdecimal())
)
_hex = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(
    st.one_of(
        st.builds(RunUri, st.none() | _hex, st.lists(_segment, min_size=1, max_size=4).map("/".join)),
        st.builds(VersionUri, _segment, st.integers(0, 10**17)),
        st.builds(StageUri, _segment, st.sampled_from(STAGES)),
        st.builds(LatestUri, _segment),
        st.builds(AliasUri, _segment, _alias),
        st.builds(ModelIdUri, _hex.map("m-{}".format)),
        st.builds(PathUri, st.lists(_segment, min_size=1, max_size=4).map(lambda parts: Path("/", *parts))),
    )
)
def test_what_is_written_reads_back_the_same(uri: object) -> None:
    assert parse(str(uri)) == uri


@given(
    st.text()
    | st.builds(lambda scheme, rest: scheme + rest, st.sampled_from(["runs:/", "models:/", "file:"]), st.text())
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        uri = parse(text)
    except InvalidValue:
        return
    if not isinstance(uri, PathUri):
        assert parse(str(uri)) == uri
        assert ".." not in str(uri).split("/")
