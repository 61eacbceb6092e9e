"""What users log as files, turned into the bytes of those files: dictionaries, figures and tables."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fitbook.artifacts import checked
from fitbook.errors import InvalidValue

if TYPE_CHECKING:
    import pandas as pd


def dictionary_bytes(dictionary: Any, artifact_file: str) -> bytes:
    """Render a dictionary (or list) as JSON, or as YAML if the file is called ``.yml`` or ``.yaml``.

    Raises
    ------
    InvalidValue
        The format can't hold it: it contains itself, or has keys other than text and plain numbers.
    """
    try:
        if not checked(artifact_file).endswith((".yml", ".yaml")):
            return _json_bytes(dictionary, indent=2)
        import yaml  # noqa: PLC0415

        options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True}
        try:
            text = yaml.safe_dump(dictionary, **options)
        except yaml.representer.RepresenterError:
            text = yaml.safe_dump(json.loads(_json_bytes(dictionary)), **options)
        return str(text).encode()
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(
            f"What was given for {artifact_file!r} can't be written: {error}. Keys must be text or plain numbers, and "
            "nothing may contain itself."
        ) from error


def figure_bytes(figure: Any, artifact_file: str, save_kwargs: Mapping[str, Any] | None) -> bytes:
    """Render a matplotlib figure in the format of the file's ending, or a plotly figure as HTML or image.

    Raises
    ------
    InvalidValue
        It is no figure, or there is no such format.
    """
    options = dict(save_kwargs or {})
    ending = checked(artifact_file).rpartition("/")[2].rpartition(".")
    if ending[1]:
        options.setdefault("format", ending[2].lower())
    if "format" not in options:
        raise InvalidValue(f"The figure {artifact_file!r} needs an ending that tells its format, like '.png'.")
    if hasattr(figure, "savefig"):
        buffer = io.BytesIO()
        try:
            figure.savefig(buffer, **options)
        except ValueError as error:
            raise InvalidValue(f"The figure {artifact_file!r} can't be written: {error}") from error
        return buffer.getvalue()
    if not (hasattr(figure, "to_html") and hasattr(figure, "to_image")):
        raise InvalidValue(
            f"log_figure got a {type(figure).__name__}; give a matplotlib or plotly figure (not its axes)."
        )
    if options["format"] == "html":
        del options["format"]
        return str(figure.to_html(**{"include_plotlyjs": True, **options})).encode()
    return bytes(figure.to_image(**options))


def table_frame(data: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """Give a table as a DataFrame.

    Raises
    ------
    InvalidValue
        It is neither a DataFrame nor a dict of columns of one length.
    """
    import pandas as pd  # noqa: PLC0415

    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, Mapping):
        raise InvalidValue(f"log_table got a {type(data).__name__}; give a DataFrame, or a dict of columns.")
    scalar = all(not isinstance(v, (list, tuple)) and not hasattr(v, "__array__") for v in data.values())
    try:
        return pd.DataFrame([dict(data)] if scalar else dict(data))
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"The table that was given can't be written: {error}.") from error


def table_rows(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Give a table as JSON's plain values: ``{"columns": [...], "data": [[...], ...]}``.

    Raises
    ------
    InvalidValue
        There is something in it that JSON can't hold.
    """
    try:
        text = table.to_json(orient="split", index=False, date_format="iso", double_precision=15, default_handler=str)
        rows: dict[str, list[Any]] = json.loads(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValue(f"The table that was given can't be written: {error}.") from error
    return rows


def table_bytes(rows: dict[str, list[Any]], stored: bytes | None, artifact_file: str) -> bytes:
    """Render a table, after the rows of the one that is stored already; what one of the two lacks is null.

    The stored rows stay as they are: whoever guesses types anew makes 7 of ``"007"``.

    Raises
    ------
    InvalidValue
        What is stored is no table.
    """
    if stored is not None:
        try:
            old = json.loads(stored)
            rows = _joined(old, rows)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidValue(
                f"The file {artifact_file!r} is there already and is no table; take another name."
            ) from error
    return _json_bytes(rows, separators=(",", ":"))


def _joined(old: dict[str, list[Any]], new: dict[str, list[Any]]) -> dict[str, list[Any]]:
    names = [[json.dumps(name) for name in table["columns"]] for table in (old, new)]
    if names[0] == names[1]:
        return {"columns": old["columns"], "data": old["data"] + new["data"]}
    union = dict.fromkeys(names[0] + names[1])
    data = []
    for table, own in ((old, names[0]), (new, names[1])):
        for row in table["data"]:
            value = dict(zip(own, row, strict=True))
            data.append([value.get(name) for name in union])
    return {"columns": [json.loads(name) for name in union], "data": data}


def _json_bytes(value: Any, **options: Any) -> bytes:
    # What UTF-8 can't hold (lone surrogates) becomes the escape by which JSON knows it.
    return json.dumps(value, default=str, ensure_ascii=False, **options).encode("utf-8", "backslashreplace")
