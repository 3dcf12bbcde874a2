"""``sertag models``: the models at hand and their cards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    import numpy.typing as npt

    from sertag.metadata import ModelMetadata


def models(
    model: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", help="Show the card of this one.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all metadata as JSON.")] = False,
) -> None:
    """List the models that come with sertag, or show a model's card.

    Piped, the list has a line per model: name, labels, bytes, licences of the training data, UAR on the
    largest corpus, its lower and upper end, window in seconds, with tabs between.
    """
    from sertag.model import SHIPPED, locate

    if model is None:
        shipped = [(path, *_read(path)) for path in sorted(SHIPPED.glob("*.tflite"))]
        if as_json:
            print(_json([_object(*entry) for entry in shipped]))
        elif sys.stdout.isatty():
            _print_table([(size, metadata) for _, size, metadata in shipped])
        else:
            for _, size, metadata in shipped:
                print("\t".join(_fields(size, metadata)))
        return
    path = locate(model)
    size, metadata = _read(path)
    if as_json:
        print(_json(_object(path, size, metadata)))
    else:
        _print_card(path, metadata)


def _read(path: Path) -> tuple[int, ModelMetadata]:
    """Size in bytes and metadata of a model file."""
    from sertag.metadata import unpack
    from sertag.model import read

    content = read(path)
    return len(content), unpack(content, path)[1]


def _fields(size: int, metadata: ModelMetadata) -> list[str]:
    largest = next(iter(_figures(metadata).values()), [None, None, None])
    figures = ["" if figure is None else f"{figure:.4f}" for figure in largest]
    labels = " ".join(metadata.labels)
    return [metadata.name, labels, str(size), _licences(metadata), *figures, f"{metadata.window:g}"]


def _figures(metadata: ModelMetadata) -> dict[str, list[float | None]]:
    """By corpus, UAR of clean clips one at a time, and the ends of its interval; the largest corpus first."""
    corpora = metadata.about.get("accuracy", {}).get("corpora", {})
    figures = {name: modes["one clip, clean"] for name, modes in corpora.items()}
    ordered = sorted(figures, key=lambda name: -int(figures[name]["clips"]))
    return {name: figures[name]["uar"] for name in ordered}


def _licences(metadata: ModelMetadata) -> str:
    corpora = metadata.about.get("corpora", [])
    return "; ".join(f"{corpus['name']}: {corpus['licence']}" for corpus in corpora)


def _print_table(shipped: list[tuple[int, ModelMetadata]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "labels", "size", "licences of the training data", "UAR, one clip", "window"):
        table.add_column(heading, no_wrap=heading == "model")
    for size, metadata in shipped:
        lines = [
            f"{corpus} {uar:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
            for corpus, (uar, low, high) in _figures(metadata).items()
        ]
        cells = (
            metadata.name,
            " ".join(metadata.labels),
            f"{size / 1000:,.0f} kB",
            _licences(metadata),
            "\n".join(lines),
            f"{metadata.window:g} s",
        )
        table.add_row(*map(Text, cells))
    Console().print(table)


def _print_card(path: Path, metadata: ModelMetadata) -> None:
    """The card beside a model, or what its metadata tell where there is none."""
    card = path.with_suffix(".md")
    if not card.is_file():
        print("\n".join([f"{metadata.name}, version {metadata.version}", *_lines(metadata.about)]))
        return
    text = card.read_text(encoding="utf-8", errors="replace")
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        print(text, end="")


def _lines(value: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Keys and values, a line each; what lies deeper is indented."""
    for key, content in value.items():
        parts = content if isinstance(content, list) else [content]
        if any(isinstance(part, dict) for part in parts):
            yield f"{indent}{key}:"
            for part in parts:
                yield from _lines(part, indent + "  ") if isinstance(part, dict) else [f"{indent}  {part}"]
        else:
            yield f"{indent}{key}: {', '.join(map(str, parts))}"


def _object(path: Path, size: int, metadata: ModelMetadata) -> dict[str, Any]:
    from dataclasses import asdict

    return {"file": str(path), "bytes": size, **asdict(metadata)}


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=_rounded)


def _rounded(array: npt.NDArray[Any]) -> list[Any]:
    import numpy as np

    return cast(list[Any], np.round(array.astype(float), 4).tolist())
