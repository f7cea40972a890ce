"""YAML that people write by hand, read so that every complaint can name its line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from callroute.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

_CONSTRUCTOR = yaml.SafeLoader("")
_NOT_TEXT = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null")}


def suggestion(word: str, known: Collection[str]) -> str:
    """` (did you mean 'x'?)` where a known word is like this one, else nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value in a YAML text.

    Attributes:
        source: the file.
        place: what it is, in words: `scenario 'Lost card': keys`.
        node: the value as the parser has it.
    """

    source: str
    place: str
    node: yaml.Node

    @classmethod
    def parse(cls, text: str, source: str) -> YamlNode:
        """Reads a YAML text.

        Raises:
            InputError: it is not YAML, or there is nothing in it.
        """
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "it cannot be parsed"
            raise InputError(source, place, f"this is not YAML ({problem})", "Mend the YAML") from error
        if node is None:
            raise InputError(source, "", "there is nothing in it", "Fill it, or leave it away")
        return cls(source, "", node)

    @property
    def line(self) -> int:
        """Where it begins, counted from 1."""
        return int(self.node.start_mark.line) + 1

    def error(self, problem: str, fix: str) -> InputError:
        """An error that names this place."""
        return InputError(self.source, f"line {self.line}: {self.place}".removesuffix(": "), problem, fix)

    def mapping(
        self,
        keys: Collection[str] | None = None,
        within: str | None = None,
        required: Collection[str] = (),
    ) -> dict[str, YamlNode]:
        """The values by key.

        Args:
            keys: the keys that there may be; None where any may.
            within: what to call the values' places; by default this one's.
            required: the keys that there must be.

        Raises:
            InputError: it is no mapping, a key is unknown, missing or there twice.
        """
        if not isinstance(self.node, yaml.MappingNode):
            expected = f"Write the keys {', '.join(keys)}" if keys else "Write `name: value` lines"
            raise self.error(f"it is {self._shown()} and not a mapping", expected)
        outer = self.place if within is None else within
        values: dict[str, YamlNode] = {}
        merged: dict[str, YamlNode] = {}
        for key_node, node in self.node.value:
            key = str(key_node.value)
            if key_node.tag == "tag:yaml.org,2002:merge":
                for each in YamlNode(self.source, self.place, node).items():
                    merged = {**each.mapping(keys, within), **merged}
                continue
            value = YamlNode(self.source, f"{outer}: {key}" if outer else key, node)
            at_key = YamlNode(self.source, value.place, key_node)
            if keys is not None and key not in keys:
                raise at_key.error(
                    f"the key {key!r} is unknown{suggestion(key, keys)}", f"Use {', '.join(keys)}"
                )
            if key in values:
                raise at_key.error(f"the key {key!r} is there twice", "Keep one of them")
            values[key] = value
        values = merged | values
        for key in required:
            if key not in values:
                raise self.error(f"{key!r} is missing", f"Write the keys {', '.join(required)}")
        return values

    def items(self) -> list[YamlNode]:
        """The values of a list; a single value is a list of one."""
        if isinstance(self.node, yaml.SequenceNode):
            return [YamlNode(self.source, self.place, node) for node in self.node.value]
        return [self]

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def text(self) -> str:
        """The text, as it is written: `true` and `1` are texts too.

        Raises:
            InputError: it is empty, a list or a mapping.
        """
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            raise self.error(f"it is {self._shown()} and not text", "Write a text")
        return str(self.node.value)

    def boolean(self) -> bool:
        """True or false."""
        value = self.value()
        if not isinstance(value, bool):
            raise self.error(f"it is {self._shown()}", "Write true or false")
        return value

    def number(self, least: float, most: float) -> float:
        """A number."""
        value = self.value()
        # A number that is no number is not between the two either.
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.error(f"it is {self._shown()}", f"Write a number from {least:g} to {most:g}")
        return float(value)

    def value(self) -> Any:
        """The value as JSON has it: what is no number, truth value or null is text, dates included."""
        if isinstance(self.node, yaml.MappingNode):
            return {key: value.value() for key, value in self.mapping().items()}
        if isinstance(self.node, yaml.SequenceNode):
            return [item.value() for item in self.items()]
        if self.node.tag in _NOT_TEXT:
            try:
                return _CONSTRUCTOR.construct_object(self.node)
            except ValueError:
                return str(self.node.value)
        return str(self.node.value)

    def _shown(self) -> str:
        if isinstance(self.node, yaml.ScalarNode):
            return repr(self.node.value) if self.node.value else "empty"
        return "a list" if self.is_list else "a mapping"
