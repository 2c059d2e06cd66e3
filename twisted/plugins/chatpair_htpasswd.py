from chatpair.htpasswd import HtpasswdCheckerFactory

htpasswd = HtpasswdCheckerFactory()
