from chatpair.passwords.htpasswd import HtpasswdCheckerFactory

htpasswd = HtpasswdCheckerFactory()
