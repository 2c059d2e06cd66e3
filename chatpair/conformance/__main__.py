"""The command chatpair-conformance."""

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from chatpair.conformance.case import Case, scripted
from chatpair.conformance.party import Broken
from chatpair.conformance.place import Place, place
from chatpair.conformance.stage import Stage
from chatpair.conformance.unscripted import UNSCRIPTED

CASES = [*scripted(), *UNSCRIPTED]

PAGE = "docs/protocol.rst"
SHOWN = 20
"""Steps before a fault that are shown."""

LATER = {"try again in a minute": 61, "is not ready": 5, "is still on its way": 5}
"""What a server says that can't do something now, and the seconds after which it may."""
AGAIN = 3  # times a case is played because of that


@dataclass(frozen=True)
class Outcome:
    """How a case went."""

    case: Case
    fault: str = ""
    """What was due, and what came; nothing if it passed."""
    journal: tuple[str, ...] = ()
    """What went over the connections before."""

    def as_text(self) -> str:
        """Return it for people."""
        if not self.fault:
            return f"passed  {self.case.name}"
        steps = "".join(f"\n            {step}" for step in self.journal)
        rule = f"{self.case.rule}\n        ({PAGE}, {self.case.section})"
        return f"FAILED  {self.case.name}\n        {rule}\n        {self.fault}{steps}"

    def as_json(self) -> str:
        """Return it for programs, as an object."""
        found = {
            "case": self.case.name,
            "passed": not self.fault,
            "rule": self.case.rule,
            "where": f"{PAGE}, {self.case.section}",
        }
        if self.fault:
            found |= {"fault": self.fault, "journal": self.journal}
        return json.dumps(found, ensure_ascii=False)


def play(case: Case, places: Sequence[Place], seconds: float) -> Outcome:
    """Play a case; again, if the server says that it can do something only later."""
    outcome = _play_once(case, places, seconds)
    for _ in range(AGAIN):
        waits = [LATER[text] for text in LATER if text in " ".join(outcome.journal[-3:])]
        if not waits:
            break
        tqdm.write(f"waits {waits[0]} s, as the server can't do this now", file=sys.stderr)
        time.sleep(waits[0])
        outcome = _play_once(case, places, seconds)
    return outcome


def _play_once(case: Case, places: Sequence[Place], seconds: float) -> Outcome:
    stage = Stage(places, seconds)
    try:
        case.play(stage)
    except Exception as why:  # from an answer of any other shape
        fault = str(why) if isinstance(why, Broken) else f"{type(why).__name__}: {why}"
        return Outcome(case, fault, tuple(stage.journal[-SHOWN:]))
    finally:
        stage.clear()
    return Outcome(case)


def chosen(options: argparse.Namespace) -> list[Case]:
    """Return the cases that are asked for, and can be tried there."""
    return [
        case
        for case in CASES
        if not (case.needs_json and options.plain_only)
        and (case.is_articles or not options.article)
        and not any(place.kind in case.not_through for place in options.places)
        and (options.only or "") in case.name
    ]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="chatpair-conformance",
        description="Try whether a server does what docs/protocol.rst says.",
        epilog="Exit status: 0 if all passed, 1 if one failed, 2 if the server can't be reached.",
    )
    parser.add_argument(
        "places",
        type=place,
        nargs="+",
        metavar="ADDRESS",
        help="HOST:PORT, tls:HOST:PORT, haproxy:HOST:PORT (with a PROXY header) or unix:PATH;"
        " those of several servers that are one switchboard are connected to in turn",
    )
    parser.add_argument("--plain-only", action="store_true", help="leave out JSON")
    parser.add_argument(
        "--article", action="store_true", help="only what the original article's server has"
    )
    parser.add_argument("--only", metavar="WORDS", help="only cases with these words in the name")
    parser.add_argument("--json", action="store_true", help="write an object a line")
    parser.add_argument(
        "--timeout",
        type=float,
        default=60,
        metavar="SECONDS",
        help="take an answer that has not come by then for missing (60)",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Try a server; print how each case went, and return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    options = _options(arguments)
    cases = chosen(options)
    if not cases:
        print("There is no such case.", file=sys.stderr)
        return 2
    try:
        for one in options.places:
            one.connect(options.timeout).close()
    except OSError as why:
        print(f"The server can't be reached: {why}", file=sys.stderr)
        return 2
    try:
        return _try_all(cases, options)
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _try_all(cases: list[Case], options: argparse.Namespace) -> int:
    count: Counter[bool] = Counter()
    # The progress is for people who watch; None is for those who don't.
    for case in tqdm(cases, unit="case", leave=False, disable=None):
        outcome = play(case, options.places, options.timeout)
        count[not outcome.fault] += 1
        tqdm.write(outcome.as_json() if options.json else outcome.as_text(), file=sys.stdout)
        sys.stdout.flush()
    if not options.json:
        left_out = len(CASES) - len(cases)
        print(f"{count[True]} passed, {count[False]} failed, {left_out} left out")
    return 1 if count[False] else 0


if __name__ == "__main__":
    sys.exit(main())
