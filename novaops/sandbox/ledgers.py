"""The simulated Stellar network: its ledgers and contract events, a pure function of seed and ledger number."""

import base64
import hashlib
import json
import random
import struct
import threading
import time
import zlib
from binascii import crc_hqx
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from novaops.sandbox.world import world

PASSPHRASE = "Test SDF Network ; September 2015"  # noqa: S105 - the public name of the test network
PROTOCOL_VERSION = 27
FIRST_LEDGER = 3_730_000
# Simulated seconds between two ledgers (FACTS A5).
CADENCE_S = 5.0
# The remembered count is ahead of the real one by this much, so that no cursor is ever beyond it after a restart.
REMEMBER_AHEAD = 80
EVENTS_PER_LEDGER = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3)
KINDS = ("reward_issued", "reward_redeemed", "transfer", "campaign_funded")
MAX_TX, MAX_OPERATION, MAX_INDEX = 2**20 - 1, 2**12 - 1, 2**32 - 1


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the stream of events. On the wire `%019d-%010d`: ledger, transaction and operation, then index."""

    ledger: int
    transaction: int = 0
    operation: int = 0
    index: int = 0

    def __str__(self) -> str:
        return f"{self.ledger << 32 | self.transaction << 12 | self.operation:019d}-{self.index:010d}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises ValueError where the text is no cursor."""
        place, _, index = text.partition("-")
        number = int(place)
        return cls(number >> 32, number >> 12 & MAX_TX, number & MAX_OPERATION, int(index))

    @classmethod
    def end_of(cls, ledger: int) -> "Cursor":
        """Behind the last event that the ledger could have."""
        return cls(ledger, MAX_TX, MAX_OPERATION, MAX_INDEX)


def contract_address(raw: bytes) -> str:
    """The C... address of a contract's 32 bytes (Stellar strkey: version, bytes, CRC16, base 32)."""
    body = bytes([2 << 3]) + raw
    return base64.b32encode(body + struct.pack("<H", crc_hqx(body, 0))).decode()


CONTRACTS = tuple(contract_address(hashlib.sha256(f"nova-{name}".encode()).digest()) for name in ("rewards", "points"))


def symbol(name: str) -> str:
    """An SCVal of type symbol, as base64 XDR."""
    padded = name.encode().ljust(-(-len(name) // 4) * 4, b"\0")
    return base64.b64encode(struct.pack(">II", 15, len(name)) + padded).decode()


def account(raw: bytes) -> str:
    """An SCVal of type address of an account's 32 bytes, as base64 XDR."""
    return base64.b64encode(struct.pack(">III", 18, 0, 0) + raw).decode()


def amount(value: int) -> str:
    """An SCVal of type i128, as base64 XDR."""
    return base64.b64encode(struct.pack(">IqQ", 10, 0, value)).decode()


class Network:
    """The chain that all RPC nodes of a sandbox see: one ledger every five simulated seconds while it runs."""

    def __init__(self, *, seed: int = 1) -> None:
        self.seed = seed
        self._lock = threading.Lock()
        self._state: Path | None = None
        self._remembered = 0
        self._anchor(FIRST_LEDGER)

    def _anchor(self, ledger: int) -> None:
        self._first, self._began, self._began_at = ledger, time.monotonic(), time.time()

    def keep_pace(self) -> None:
        """Let what is closed be closed: ledgers from now on follow the factor that the world is about to get."""
        self._anchor(self.latest())

    def remember(self, state: Path) -> None:
        """Go on where the network of an earlier run stopped, whose count is kept in that file."""
        with self._lock:
            self._state = state
            with suppress(OSError, ValueError, KeyError, TypeError):
                self._anchor(int(json.loads(state.read_text())["ledger"]))

    def latest(self) -> int:
        """The newest closed ledger."""
        ledger = self._first + int((time.monotonic() - self._began) / world.seconds(CADENCE_S))
        with self._lock:
            if self._state and ledger > self._remembered - REMEMBER_AHEAD // 2:
                self._remembered = ledger + REMEMBER_AHEAD
                self._state.write_text(json.dumps({"ledger": self._remembered}))
        return ledger

    def closed_at(self, ledger: int) -> float:
        """When the ledger closed, in seconds since 1970; the future where it has not yet."""
        return self._began_at + (ledger - self._first) * world.seconds(CADENCE_S)

    def hash_of(self, ledger: int) -> str:
        return hashlib.sha256(f"{self.seed}:{ledger}".encode()).hexdigest()

    def event_count(self, ledger: int) -> int:
        return EVENTS_PER_LEDGER[zlib.crc32(f"{self.seed}:{ledger}".encode()) % len(EVENTS_PER_LEDGER)]

    def events(self, ledger: int) -> Iterator[tuple[Cursor, dict[str, Any]]]:
        """The ledger's contract events in order, each with its place."""
        if not (count := self.event_count(ledger)):
            return
        chance = random.Random(f"{self.seed}:{ledger}")  # noqa: S311 - a reproducible world, not a secret
        closed = datetime.fromtimestamp(int(self.closed_at(ledger)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for transaction in range(1, count + 1):
            place = Cursor(ledger, transaction, 0, 0)
            yield (
                place,
                {
                    "type": "contract",
                    "ledger": ledger,
                    "ledgerClosedAt": closed,
                    "contractId": chance.choice(CONTRACTS),
                    "id": str(place),
                    "transactionIndex": transaction,
                    "operationIndex": 0,
                    "inSuccessfulContractCall": True,
                    "topic": [
                        symbol(chance.choice(KINDS)),
                        account(chance.randbytes(32)),
                        account(chance.randbytes(32)),
                    ],
                    "value": amount(chance.randint(1, 50_000) * 10_000),
                    "txHash": chance.randbytes(32).hex(),
                },
            )


network = Network()
