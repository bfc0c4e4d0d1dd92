"""Peers that mean a trainer harm: for security_test.py and scripts/bench_hostile. Standard library only.

  python3 hostile.py ATTACK PORT     attacks 127.0.0.1:PORT until it is killed

Those in OPEN begin where the handshake ends: they need a trainer without keys, and end at once where it asks for one.

Rates are bounded, so that what a run loses is what the attack does to it, not the processor time of the attacker.
"""
import os
import random
import resource
import socket
import struct
import sys
import time

READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"


def greeting(mechanism):
    """The first 64 bytes of ZMTP 3.1 (ZeroMQ RFC 37)."""
    return b"\xff" + bytes(8) + b"\x7f\x03\x01" + mechanism.ljust(20, b"\0") + bytes(32)


def null_handshake():
    return greeting(b"NULL") + bytes((4, len(READY))) + READY


def message(body):
    return (bytes((0, len(body))) if len(body) < 256 else b"\x02" + struct.pack(">Q", len(body))) + body


def frame(kind, body=b"", version=4):
    """One message between worker and trainer (src/teachers/PROTOCOL.md)."""
    return message(b"CNCL" + struct.pack("<HBB", version, kind, 0) + body)


def shakes_hands(port):
    """Whether the trainer takes a handshake without keys: only then does it read what comes after it."""
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
            peer.sendall(null_handshake())
            while b"\x05READY" not in said[64:]:
                part = peer.recv(4096)
                if not part:
                    return False
                said += part
    except OSError:
        return False
    return True


def before():
    """Bytes of no protocol at all."""
    return random.choice((os.urandom(random.randrange(1, 2000)), b"GET / HTTP/1.1\r\nHost: trainer\r\n\r\n",
                          b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(300)))


def during():
    """A handshake that goes wrong."""
    return random.choice((greeting(b"CURVE")[:random.randrange(1, 64)],
                          greeting(b"CURVE") + os.urandom(random.randrange(1, 1000)),
                          greeting(b"CURVE") + b"\x04\xc8\x05HELLO\x01\x00" + os.urandom(192),
                          greeting(b"CURVE") + b"\x06" + b"\x7f" + b"\xff" * 7,  # a command of 2^63 bytes
                          greeting(b"PLAIN") + b"\x04\x08\x05HELLO\0\0", greeting(b"NONE"),
                          greeting(b"NULL") + b"\x04\x06\x05READY"))


def after():
    """Garbage where frames should be."""
    return random.choice((b"".join(message(os.urandom(random.randrange(200))) for _ in range(50)),
                          os.urandom(2000), b"".join(frame(kind, os.urandom(30)) for kind in range(20)),
                          message(b"") * 100, b"\x01\x05three" + message(b"parts"), b"\x02" + b"\x7f" + b"\xff" * 7))


def connect(port):
    peer = socket.socket()
    peer.setblocking(False)
    peer.connect_ex(("127.0.0.1", port))
    return peer


def say(peer, data):
    """False: the other side is gone. What does not fit is dropped."""
    try:
        peer.send(data)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def is_closed(peer):
    try:
        return peer.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def keep(port, count, data=lambda: b"", rate=200):
    """Holds `count` connections open, each having said `data`; those that the other side ends are made anew."""
    peers = []
    while True:
        for i in reversed(range(len(peers))):
            if is_closed(peers[i]):
                peers.pop(i).close()
        for _ in range(min(rate // 5, count - len(peers))):
            peers.append(connect(port))
        time.sleep(0.1)
        for peer in peers[-rate // 5:]:
            say(peer, data())
        time.sleep(0.1)


def bombard(port, bytes_of, opening=b"", rate=50):
    """So many new connections a second, kept for half a second: each says `opening`, and a little later its own bytes."""
    open_now = []
    while True:
        open_now.append(connect(port))
        time.sleep(1 / rate)
        if opening:
            say(open_now[-1], opening)
        say(open_now[-5 if opening and len(open_now) > 5 else -1], bytes_of())
        if len(open_now) > rate // 2:
            open_now.pop(0).close()


def chatter(port, count, reads):
    """Connections that shake hands without a key and then say, 2,000 times a second in all, what asks for an answer."""
    peers = []
    while True:
        if len(peers) < count:
            peers.append(connect(port))
            time.sleep(0.05)
            say(peers[-1], null_handshake())
            time.sleep(0.05)
        peer = random.choice(peers)
        if not say(peer, frame(10) * 20) or (reads and is_closed(peer)):
            peers.remove(peer)
            peer.close()
        time.sleep(0.01)


def hello(identity):
    """A worker of no teacher, refused each time."""
    text = lambda word: struct.pack("<H", len(word)) + word
    teacher = text(b"nobody") + text(b"0" * 64) + struct.pack("<HBBH", 1, 0, 0, 1) + text(b"person")
    return frame(1, struct.pack("<Q", identity) + text(b"hostile") + struct.pack("<H", 1) + teacher)


ATTACKS = {
    "idle": lambda port: keep(port, 1000),
    "flood": lambda port: keep(port, 1000, rate=2000),
    "before": lambda port: bombard(port, before),
    "during": lambda port: bombard(port, during),
    "after": lambda port: bombard(port, after, null_handshake()),
    "half": lambda port: keep(port, 200, lambda: greeting(b"CURVE")),
    "deaf": lambda port: chatter(port, 50, reads=False),
    "chatter": lambda port: chatter(port, 5, reads=True),
    "hellos": lambda port: bombard(port, lambda: hello(random.getrandbits(64)), null_handshake()),
}
OPEN = ("after", "deaf", "chatter", "hellos")


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


if __name__ == "__main__":
    allow_descriptors(4096)
    if sys.argv[1] in OPEN and not shakes_hands(int(sys.argv[2])):
        sys.exit(f"{sys.argv[1]}: this trainer asks for keys")
    ATTACKS[sys.argv[1]](int(sys.argv[2]))
