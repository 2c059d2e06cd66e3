"""Show what a chat looks like in a browser: two real pages, on a server of their own.

It writes docs/web.png, or the file that is named: python docs/web.py [FILE]. Run it in a checkout,
with what the tests need and Chromium.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # its browser is that of the tests

from tests.support.browser import Pages, browser  # noqa: E402
from tests.support.server import WEB, Server  # noqa: E402

FILE = ROOT / "docs" / "web.png"
WIDTH, HEIGHT = 720, 520
COLOURS = 64
"""Of the picture: letters are smooth with fewer, and the file is small."""

ARRIVED = "arrived"


def write(file: Path) -> None:
    """Let alice and bob chat; write down what alice sees."""
    with (
        TemporaryDirectory() as profile,
        browser(Path(profile)) as chromium,
        Pages(chromium) as pages,
        Server(port=WEB) as server,
    ):
        alice, bob = (pages.open(server.web_port, name) for name in ("alice", "bob"))
        alice.says("To:bob")
        alice.stands("alice", "with bob", "connected")
        alice.says("Hi, Bob. How did the build go?")
        alice.marked(ARRIVED)
        bob.says("See for yourself:")
        bob.says("612 passed, 3 skipped in 9:41\ue008\ue007\ue000<b>and no markup</b>")
        bob.marked(ARRIVED, ARRIVED)
        alice.says("Good! I'll tell the others.")
        alice.marked(ARRIVED, ARRIVED)
        screen = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        alice.here().execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        bob.find("#text").send_keys("Wait")
        alice.stands("alice", "with bob", "connected", ARRIVED, "bob is typing")
        alice.here().save_screenshot(str(file))
    with Image.open(file) as shot:
        shot.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else FILE)
