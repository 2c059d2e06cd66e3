"""A program: a server as the article's that chatpair grew out of, a thread a client.

python -m tests.support.article_server prints its port.
"""

import socket
import threading
import time
from contextlib import suppress

clients: dict[str, socket.socket] = {}
peers: dict[str, str] = {}


def tell(name: str, text: str) -> None:
    """Tell a user a line."""
    with suppress(OSError):
        clients[name].sendall(f"{text}\n".encode())


def part(name: str) -> None:
    """Let whoever talks with a user know that it is over."""
    peer = peers.pop(name, None)
    if peer is not None:
        del peers[peer]
        tell(peer, "Quit.")


def call(name: str, callee: str) -> None:
    """Pair two who are free."""
    if callee not in clients:
        tell(name, f"The user {callee} does not exist.")
    elif callee == name:
        tell(name, "Please don't try to talk with yourself.")
    elif callee in peers:
        tell(name, f"{callee} is talking with someone else.")
    else:
        part(name)
        peers[name], peers[callee] = callee, name
        for one in (name, callee):
            tell(one, f"You are chatting with {peers[one]}.")


def take(name: str, text: str) -> None:
    """Do what a named user says."""
    if text.startswith("To:"):
        call(name, text[3:])
    elif name in peers:
        tell(peers[name], f"[{time.ctime()}] {name}: ({text})")
    else:
        tell(
            name,
            "Nobody is chatting with you."
            " Maybe the one you talked with is talking with someone else.",
        )


def serve(client: socket.socket) -> None:
    """Serve a client; what comes at once is one message."""
    name = ""
    with client, suppress(OSError):
        while text := client.recv(1024).decode().rstrip("\r\n"):
            if name and text != "Quit":
                take(name, text)
            elif text == "Quit":
                client.sendall(b"Quit\n")
                break
            elif text in clients:
                client.sendall(b"Reuse\n")
            else:
                name, clients[text] = text, client
                client.sendall(b"OK\n")
    part(name)
    clients.pop(name, None)


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=serve, args=listening.accept()[:1], daemon=True).start()
