#!/usr/bin/env python3
"""A thermometer as it might hang in the cold store: tells one reading by MQTT.

usage: thermometer.py HOST:PORT KEYFILE TOPIC CELSIUS

Whoever it is is known by an API key. With REDOUBT_CACERT the broker has to be
one that this authority vouches for; without, the line is not encrypted.
"""

import json
import os
import socket
import ssl
import struct
import sys


def text(s):
    b = s.encode()
    return struct.pack("!H", len(b)) + b


def packet(kind, body):
    length, n = b"", len(body)
    while True:
        n, digit = divmod(n, 128)
        length += bytes([digit | (128 if n else 0)])
        if not n:
            return bytes([kind]) + length + body


def answer(line, want):
    """Returns the two bytes that follow the head of a short answer."""
    got = b""
    while len(got) < 4:
        more = line.recv(4 - len(got))
        if not more:
            sys.exit("the broker hung up")
        got += more
    if got[0] != want:
        sys.exit("the broker said %s" % got.hex())
    return got[2:]


def main(broker, keyfile, topic, celsius):
    host, port = broker.rsplit(":", 1)
    with open(keyfile) as f:
        key = f.read().strip()
    line = socket.create_connection((host, int(port)), timeout=20)
    if os.environ.get("REDOUBT_CACERT"):
        trust = ssl.create_default_context(cafile=os.environ["REDOUBT_CACERT"])
        line = trust.wrap_socket(line, server_hostname=host)
    connect = text("MQTT") + bytes([4, 0xC2]) + struct.pack("!H", 60) + text("thermometer") + text("thermometer") + text(key)
    line.sendall(packet(0x10, connect))
    if answer(line, 0x20)[1] != 0:
        sys.exit("the broker does not know this key")
    line.sendall(packet(0x32, text(topic) + struct.pack("!H", 1) + json.dumps({"celsius": float(celsius)}).encode()))
    answer(line, 0x40)
    line.sendall(packet(0xE0, b""))
    print("told %s %s" % (topic, celsius))


if len(sys.argv) != 5:
    sys.exit(__doc__)
main(*sys.argv[1:])
