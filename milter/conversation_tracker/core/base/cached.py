"""A property that is made once, as `functools.cached_property`, but without its lock.

Up to Python 3.11 that takes a lock at each first access; a message is planned in one thread.
"""

import functools
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")


class cached_property(functools.cached_property[T]):  # noqa: N801  # named as what it stands for
    """A property whose value is made at first access, and kept in the instance."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self | T:
        """Make the value, and keep it; of the class, give the property itself."""
        if instance is None:
            return self
        value = self.func(instance)
        instance.__dict__[self.attrname] = value  # type: ignore[index]  # set with the class
        return value
