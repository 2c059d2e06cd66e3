from chatpair.epoll import EpollServerParser

epoll = EpollServerParser()
