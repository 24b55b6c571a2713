"""Forwards the frames of some links of a switch, late, not at all, or twice. Run in the namespace of the switch.

    python3 shaper.py SEED PORT...

Each line on stdin is the whole state: [[from, to, delay ms, jitter ms, share lost, share doubled], ...], where ports
count from 0 and the frames to the i-th port have a destination address that ends in i + 1. It answers each with a line of
counts. At the end of stdin it sends what it still holds, says the counts again, and ends. Frames of other links, and those that tell who has
which address, are none of its business.

Frames are read with the header in which the kernel says what remains to be done (checksum, segmentation), and sent with
the same one: so the nodes may leave that work to the hardware they do not have.
"""

import heapq
import json
import os
import random
import selectors
import socket
import sys
import time

ETH_P_ALL = 0x0003
ETH_P_ARP = b"\x08\x06"
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
VNET_HDR_LENGTH = 10
LONGEST = 256 * 1024


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    port.bind((name, ETH_P_ALL))
    port.setblocking(False)
    return port


class Shaper:
    def __init__(self, seed, names):
        self.seed = seed
        self.ports = [open_port(name) for name in names]
        self.rules = {}
        self.chance = {}
        self.queue = []
        self.order = 0
        self.counts = {"forwarded": 0, "dropped": 0, "duplicated": 0}

    def set_rules(self, rules):
        self.rules = {(source, target): quality for source, target, *quality in rules}
        for link in self.rules:
            # Of its own for each link: what happens on one does not move the faults of another.
            self.chance.setdefault(link, random.Random(f"{self.seed}:{link}"))

    def receive(self, source):
        for _ in range(64):
            try:
                frame = self.ports[source].recv(LONGEST)
            except (BlockingIOError, OSError):
                return  # nothing more; or the link is down
            if frame[VNET_HDR_LENGTH + 12 : VNET_HDR_LENGTH + 14] == ETH_P_ARP:
                continue
            target = frame[VNET_HDR_LENGTH + 5] - 1
            if (source, target) in self.rules:
                self.take(source, target, frame)

    def take(self, source, target, frame):
        delay, jitter, loss, doubled = self.rules[source, target]
        chance = self.chance[source, target]
        if chance.random() < loss:
            self.counts["dropped"] += 1
            return
        copies = 1
        if chance.random() < doubled:
            copies = 2
            self.counts["duplicated"] += 1
        for _ in range(copies):
            late = max(0, delay + jitter * chance.uniform(-1, 1)) / 1000
            self.order += 1
            heapq.heappush(self.queue, (time.monotonic() + late, self.order, target, frame))

    def send_due(self, until):
        while self.queue and self.queue[0][0] <= until:
            _, _, target, frame = heapq.heappop(self.queue)
            try:
                self.ports[target].send(frame)
                self.counts["forwarded"] += 1
            except OSError:
                self.counts["dropped"] += 1  # the link is down, or full

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(0, selectors.EVENT_READ)
        for index, port in enumerate(self.ports):
            selector.register(port, selectors.EVENT_READ, index)
        unread = b""
        while True:
            wait = max(0, self.queue[0][0] - time.monotonic()) if self.queue else None
            for key, _ in selector.select(wait):
                if key.fileobj != 0:
                    self.receive(key.data)
                    continue
                piece = os.read(0, 65536)
                if not piece:
                    self.send_due(float("inf"))
                    print(json.dumps(self.counts), flush=True)
                    return
                *lines, unread = (unread + piece).split(b"\n")
                for line in lines:
                    self.set_rules(json.loads(line))
                    print(json.dumps(self.counts), flush=True)
            self.send_due(time.monotonic())


Shaper(sys.argv[1], sys.argv[2:]).run()
