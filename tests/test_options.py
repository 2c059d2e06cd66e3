"""What an operator types wrong is said, and what is wrong with it."""

import re

import pytest
from twisted.python.usage import UsageError

from chatpair.options import Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "nonsense"], "--port nonsense: no port number, and no endpoint"),
        (["--port", "tcp:x"], "--port tcp:x: no port number, and no endpoint"),
        (["--port", "99999"], "the highest port is 65535"),
        (["--port", "tcp:1:colour=red"], "--port tcp:1:colour=red: no port number"),
        (["--port", ""], "--port : no port number, and no endpoint"),
        (["--port", "ssl:1:privateKey=/nowhere"], "here: /nowhere: No such file or directory"),
        (["--port", "tls:/nowhere:port=1"], "here: /nowhere: No such file or directory"),
        (["--port", "tls:/proc/self/fd:port=1"], "has no .pem files with a certificate for a name"),
        (["--port", "ssl:1:privateKey=/dev/null"], "here: "),
        (["--max-line", "0"], "--max-line 0: not 1 or more"),
        (["--max-line", "many"], "--max-line many: not a whole number"),
        (["--linger", "-1"], "--linger -1: not 0 or more"),
        (["--linger", "nan"], "--linger nan: not 0 or more"),
        (["--linger", "inf"], "--linger inf: not 0 or more"),
        (["--linger", "soon"], "--linger soon: not a number"),
        (["--max-users", "0"], "--max-users 0: not 1 or more"),
        (["--max-per-host", "1.5"], "--max-per-host 1.5: not a whole number"),
        (["--max-connects-per-minute", "-1"], "--max-connects-per-minute -1: not 0 or more"),
        (["--max-names-per-minute", "x"], "--max-names-per-minute x: not a whole number"),
        (["--name-time", "0"], "--name-time 0: not 1 or more"),
        (["--rate", "0.5"], "--rate 0.5: not a whole number"),
        (["--motd", "/nowhere"], "--motd: can't read /nowhere: No such file or directory"),
        (["--colour"], "option --colour not recognized"),
    ],
)
def test_an_option_that_is_wrong(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        Options().parseOptions(options)
