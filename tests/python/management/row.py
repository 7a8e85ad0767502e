"""A row of a table: requests one after the other, each of whose answers counts unless it is said before."""
import dataclasses

from .client import ADMINISTRATOR


@dataclasses.dataclass(frozen=True)
class Ask:
    """A request. In path, body and headers `{v}` stands for the virtual host of the row, `{u}` for a user of its own."""
    method: str
    path: str
    body: object = None
    login: str | None = ADMINISTRATOR
    headers: tuple = ()
    # Whether the whole answer counts, statistics and all.
    every: bool = False
    # Whether it may reach what is not the scene's own, since it changes nothing that is missed.
    may_be_shared: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    """`before` is done by an administrator and may not fail; `fresh` rows have a virtual host of their own."""
    name: str
    steps: tuple
    before: tuple = ()
    fresh: bool = False
    # Who is given everything in the virtual host, beside the administrator.
    granted: str | None = None


def get(path, **more):
    return Ask("GET", path, **more)


def put(path, body=None, **more):
    return Ask("PUT", path, {} if body is None else body, **more)


def post(path, body=None, **more):
    return Ask("POST", path, {} if body is None else body, **more)


def delete(path, **more):
    return Ask("DELETE", path, **more)
