"""The log for machines: an event a line, as a JSON object (--log-format json)."""

import json
from datetime import UTC, datetime
from typing import Any

from twisted.logger import FileLogObserver, LogEvent, eventAsText
from twisted.scripts._twistd_unix import UnixAppLogger


def as_json(event: LogEvent) -> str:
    """Return the line of an event.

    Twisted's own way to write JSON has all that is known of an event, without its text, and what
    a reader knows nothing of. Here are the time, how grave it is, what has happened, the text,
    and what an event of ours has besides: its values are text where JSON has nothing for them.
    """
    name = event.get("event")
    fields = {key: value for key, value in event.items() if name and not key.startswith("log_")}
    line = {
        "time": datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds"),
        "level": event["log_level"].name,
        "logger": event.get("log_namespace", "-"),
        "event": name or ("fault" if "log_failure" in event else "other"),
        "text": eventAsText(event, includeTimestamp=False, includeSystem=False),
    }
    return json.dumps(line | fields, default=str) + "\n"


def json_log(twistd: Any) -> FileLogObserver:
    """Return what writes events to where twistd's options say, and turns a file over as it does."""
    observer: FileLogObserver = UnixAppLogger(twistd)._getLogObserver()
    observer.formatEvent = as_json
    return observer
