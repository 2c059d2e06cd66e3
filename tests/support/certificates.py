"""Certificates that tests make: an authority, one below it, and what that issues."""

import atexit
import ssl
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import trustme


class Authority:
    """An authority in a folder of its own, and servers' certificates that it vouches for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = trustme.CA()
        self._below = self._root.create_child_ca()
        self.root = folder / "root.crt"
        self._root.cert_pem.write_to_path(self.root)

    def issues(
        self, folder: str, *names: str, name: str = "server", **options: Any
    ) -> "Certificate":
        """Issue a certificate and its key, in files of a folder that may have others."""
        issued = self._below.issue_cert(*names, **options)
        return Certificate(self.folder / folder, name, issued)

    def trusting(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return what a client needs that trusts this authority, and speaks one version or any."""
        context = ssl.create_default_context(cafile=str(self.root))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context


class Certificate:
    """A certificate with its chain and its key, as one file and as three."""

    def __init__(self, folder: Path, name: str, issued: trustme.LeafCert) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.key, self.leaf, self.chain = (folder / f"{name}.{end}" for end in ("key", "crt", "ca"))
        self.whole = folder / f"{name}.pem"
        issued.private_key_pem.write_to_path(self.key)
        issued.cert_chain_pems[0].write_to_path(self.leaf)
        issued.cert_chain_pems[1].write_to_path(self.chain)
        issued.private_key_and_cert_chain_pem.write_to_path(self.whole)

    @property
    def port(self) -> str:
        """An endpoint that Twisted has always had."""
        files = f"privateKey={self.key}:certKey={self.leaf}:extraCertChain={self.chain}"
        return f"ssl:0:{files}"

    @property
    def directory_port(self) -> str:
        """An endpoint that takes all certificates of the folder."""
        return f"tls:{str(self.folder).replace(':', chr(92) + ':')}:port=0"


@cache
def made() -> Authority:
    """Return the authority of this run."""
    folder = mkdtemp(prefix="chatpair-certificates-")
    atexit.register(rmtree, folder)
    return Authority(Path(folder))


@cache
def usual() -> Certificate:
    """Return the certificate that a server of the tests has unless they say otherwise."""
    return made().issues("usual", "localhost", "127.0.0.1", "::1")
