"""Notes which functions of a client library were called, so that a program can prove it called them all."""
import functools
import inspect


class Called:
    """Wraps the public methods of classes."""

    def __init__(self, *classes):
        self.missing = set()
        for owner in classes:
            for name, method in vars(owner).items():
                if inspect.isfunction(method) and not name.startswith("_"):
                    self.missing.add(f"{owner.__name__}.{name}")
                    setattr(owner, name, self._noting(f"{owner.__name__}.{name}", method))

    def _noting(self, name, method):
        @functools.wraps(method)
        def noting(*args, **named):
            self.missing.discard(name)
            return method(*args, **named)
        return noting
