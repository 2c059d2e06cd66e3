from chatpair.epoll.endpoint import EpollServerParser

epoll = EpollServerParser()
