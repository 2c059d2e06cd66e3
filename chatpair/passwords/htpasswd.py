"""What --auth htpasswd:FILE means, in any program of Twisted's that has --auth."""

from pathlib import Path
from typing import TYPE_CHECKING

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from chatpair.passwords.password_file import HtpasswdChecker

EXTRA = "it needs the extra: pip install 'chatpair[auth]'"


@implementer(ICheckerFactory, IPlugin)
class HtpasswdCheckerFactory:
    """Understands htpasswd:FILE."""

    authType = "htpasswd"
    argStringFormat = "A file as htpasswd -B writes it."
    credentialInterfaces = (IUsernamePassword,)
    authHelp = """
Each line of the file is a name, a colon and what bcrypt makes of a password.
htpasswd -B FILE NAME, of Apache's programs, writes such lines; one of another
kind opens nothing. The file is read again when it changes.
"""

    def generateChecker(self, argstring: str) -> "HtpasswdChecker":
        """Return the checker of a file; raises ValueError with one line if there can't be one."""
        if not argstring:
            raise ValueError("which file? Say htpasswd:FILE")
        try:
            from chatpair.passwords.password_file import HtpasswdChecker

            return HtpasswdChecker(Path(argstring).absolute())
        except OSError as why:
            raise ValueError(f"can't read {argstring}: {why.strerror}") from None
        except ImportError:
            raise ValueError(EXTRA) from None
