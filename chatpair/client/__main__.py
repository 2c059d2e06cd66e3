"""The command chatpair."""

import signal
import sys


def main() -> None:
    """Run the client with the arguments of the command line."""
    # Until there is somebody to quit politely, Ctrl-C just ends the program, without a traceback.
    # That is why the imports come later.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from chatpair.client import options

    chosen = options.parse()
    if not (chosen.check or chosen.verb == "say") and (sys.stdin is None or sys.stdout is None):
        sys.exit("chatpair needs a standard input and a standard output.")
    if chosen.verb == "mcp":
        from chatpair.aio import mcp

        mcp.run(chosen)
    for_program = chosen.check or chosen.verb or chosen.command is not None
    is_person = not for_program and sys.stdin.isatty() and sys.stdout.isatty()
    if is_person and not chosen.plain:
        # What the line editor works with; it must be there before any other reactor is.
        from twisted.internet import asyncioreactor

        asyncioreactor.install()
    from chatpair.client.run import run

    run(chosen, is_person=is_person)


if __name__ == "__main__":
    main()
