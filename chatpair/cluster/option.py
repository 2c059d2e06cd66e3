"""What --cluster and --cluster-auth say of the engine."""

import os
from importlib.util import find_spec
from pathlib import Path

from twisted.python import usage

from chatpair.cluster.address import EngineAddress
from chatpair.extras import how_to_install


def engine_address(url: str, auth: str | None) -> EngineAddress:
    """Return where an engine is, and the password for it, from wherever there is one."""
    if not (find_spec("txredisapi") and find_spec("hiredis")):
        raise usage.UsageError(f"--cluster needs more packages: {how_to_install('cluster')}")
    try:
        address = EngineAddress.parse(url)
    except ValueError as why:
        raise usage.UsageError(f"--cluster: {why}") from None
    except ImportError:
        raise usage.UsageError(
            f"--cluster with TLS needs more packages: {how_to_install('tls')}"
        ) from None
    credentials = os.environ.get("CHATPAIR_CLUSTER_AUTH")
    if auth is not None:
        if address.password:
            raise usage.UsageError("--cluster-auth: there is a password in --cluster already")
        credentials = _read_credentials(Path(auth))
    if credentials and not address.password:
        return address.with_credentials(credentials)
    if address.user and not address.password:
        raise usage.UsageError(f"--cluster: the user {address.user} has no password")
    return address


def _read_credentials(path: Path) -> str:
    try:
        lines = path.read_bytes().decode().splitlines()
    except OSError as why:
        raise usage.UsageError(f"--cluster-auth: can't read {path}: {why.strerror}") from None
    except ValueError:
        raise usage.UsageError(f"--cluster-auth: {path} is no text in UTF-8") from None
    if not lines or not lines[0]:
        raise usage.UsageError(f"--cluster-auth: there is no password in {path}")
    return lines[0]
