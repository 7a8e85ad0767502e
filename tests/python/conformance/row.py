"""A row of a table, and the small words tables are written in."""
import dataclasses
import datetime
import decimal
import struct

from pika import data, spec
from wire import method as encode

Q, X, B = spec.Queue, spec.Exchange, spec.Basic


@dataclasses.dataclass(frozen=True)
class Row:
    """Operations one after the other; the answer to the last is what counts.

    `before` is done by an administrator; `undo` too, whatever became of the row. `login` is who
    performs the operations (guest when not given), on a new connection if `fresh`; `frames` is how many frames
    answer the last one.
    """
    name: str
    steps: tuple
    before: tuple = ()
    undo: tuple = (Q.Delete(queue="q"),)
    login: str | None = None
    frames: int = 1
    fresh: bool = False


@dataclasses.dataclass(frozen=True)
class Publish:
    """A mandatory message, so that it is seen when it went nowhere."""
    exchange: str
    key: str
    properties: dict = dataclasses.field(default_factory=dict)
    immediate: bool = False


@dataclasses.dataclass(frozen=True)
class Http:
    """A request to the management API; `{vhost}` in the path is the one under test."""
    method: str
    path: str
    body: object = None


def identity(steps):
    """Something equal for equal operations."""
    return tuple(repr(step) if isinstance(step, (Http, Publish)) else encode(1, step) for step in steps)


@dataclasses.dataclass(frozen=True)
class Typed:
    """A value of a field table in the encoding that is asked for."""
    letter: str
    value: object

    def __repr__(self):
        return f"{self.value}:{self.letter}"


WIDTHS = {"b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "l": 8}
_encode_value = data.encode_value


def _encode(pieces, value):
    if isinstance(value, float):
        pieces += [b"d", struct.pack(">d", value)]
        return 9
    if not isinstance(value, Typed):
        return _encode_value(pieces, value)
    signed = value.letter in "bsIl"
    pieces += [value.letter.encode(), value.value.to_bytes(WIDTHS[value.letter], "big", signed=signed)]
    return 1 + WIDTHS[value.letter]


data.encode_value = _encode


def declare(arguments=None, queue="q", **properties):
    return Q.Declare(queue=queue, arguments=arguments or {}, **{"durable": True} | properties)


def show(value):
    """A value as a row's name shows it."""
    match value:
        case str():
            return f"'{value}'" if len(value) < 40 else f"'{value[:4]}...{len(value)}'"
        case datetime.datetime():
            return "timestamp"
        case decimal.Decimal():
            return "decimal"
        case None:
            return "void"
    return repr(value)


# Values of every type, and integers at the ends of every range an argument has.
INTEGERS = (-(2**63), -1, 0, 1, 2, 15, 16, 255, 256, 3_000_000_000, 3_000_000_001, 315_360_000_000, 315_360_000_001,
            2**63 - 1)
OTHERS = ("", "text", "10", b"bytes", True, False, 1.5, None, [], [1], {}, {"a": 1},
          datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), decimal.Decimal("1.5"))
