"""``sertag`` and ``python -m sertag``: the command line, quiet about Ctrl-C from the first moment on."""

from __future__ import annotations

import signal


def main() -> None:
    """Runs the command line."""
    listening = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # Imports take a moment, in which there is nothing to make safe, nor to tell.
    if listening:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sertag import cli

    if listening:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
