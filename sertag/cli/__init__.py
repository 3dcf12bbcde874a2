"""The command line: one thin module per command, no logic."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from sertag import __version__
from sertag.cli import benchmark, build_model, evaluate, models, scan
from sertag.cli.streams import drop, open_standard_streams, tell
from sertag.errors import SertagError

_INTERRUPTED = 130

app = typer.Typer(
    name="sertag",
    help="Hear when a voice is angry, happy, sad, afraid, disgusted or neutral, across an archive.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("scan")(scan.scan)
app.command("build-model")(build_model.build_model)
app.command("evaluate")(evaluate.evaluate)
app.command("models")(models.models)
app.command("benchmark")(benchmark.benchmark)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sertag {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Runs the command line; errors become one line and the documented exit status."""
    open_standard_streams()
    # The matrices are small: a second BLAS thread spends its time waiting, and as much again for the kernel.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
        if status == _INTERRUPTED:
            # Typer makes an exit of Ctrl-C, where nothing more can be said of it.
            _complain("interrupted")
    except (BrokenPipeError, SystemExit):
        # Whoever reads our output has had enough; Typer makes an exit of that.
        drop(sys.stdout)
        status = 0
    except SertagError as error:
        _complain(error.message)
        status = error.exit_status
    except KeyboardInterrupt:
        _complain("interrupted")
        status = _INTERRUPTED
    except OSError as error:
        # Standard output on a full disk, for one.
        _complain(f"{error.filename or 'output'}: {error.strerror}")
        drop(sys.stdout)
        status = 1
    except TyperException as error:
        _complain(error.format_message())
        status = error.exit_code
    # What is left is to end, and Ctrl-C need not hurry it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str) -> None:
    if message:
        tell(f"sertag: {message}")
