"""Parses YAML files and reports errors with line numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from callroute.errors import InputError
from callroute.formats.spelling import suggestion as suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_CONSTRUCTOR = yaml.SafeLoader("")
_NOT_TEXT = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null")}


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A node of a YAML document.

    Attributes:
        source: file name.
        place: description of the node for error messages, such as `scenario 'Lost card': keys`.
        node: the underlying PyYAML node.
    """

    source: str
    place: str
    node: yaml.Node

    @classmethod
    def parse(cls, text: str, source: str) -> YamlNode:
        """Parses YAML text.

        Raises:
            InputError: the text is empty or not valid YAML.
        """
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "it cannot be parsed"
            raise InputError(source, place, f"is not valid YAML ({problem})", "Fix the YAML") from error
        if node is None:
            raise InputError(source, "", "is empty", "Add content, or remove the file")
        return cls(source, "", node)

    @property
    def line(self) -> int:
        """Line number of the node, starting at 1."""
        return int(self.node.start_mark.line) + 1

    def error(self, problem: str, fix: str) -> InputError:
        """Returns an error that names the file, line and place of this node."""
        return InputError(self.source, f"line {self.line}: {self.place}".removesuffix(": "), problem, fix)

    def mapping(
        self,
        keys: Collection[str] | None = None,
        within: str | None = None,
        required: Collection[str] = (),
    ) -> dict[str, YamlNode]:
        """Returns the values of a mapping by key.

        Args:
            keys: allowed keys; None allows any key.
            within: prefix for the places of the values. Defaults to the place of this node.
            required: required keys.

        Raises:
            InputError: the node is not a mapping, or a key is unknown, missing or repeated.
        """
        if not isinstance(self.node, yaml.MappingNode):
            expected = f"Use the keys {', '.join(keys)}" if keys else "Use `key: value` lines"
            raise self.error(f"must be a mapping, not {self._shown()}", expected)
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
                raise at_key.error(f"the key {key!r} is repeated", "Keep only one of them")
            values[key] = value
        values = merged | values
        for key in required:
            if key not in values:
                raise self.error(f"{key!r} is missing", f"Add the key {key!r}")
        return values

    def items(self) -> list[YamlNode]:
        """Returns the items of a list. Any other node is treated as a list with one item."""
        if isinstance(self.node, yaml.SequenceNode):
            return [YamlNode(self.source, self.place, node) for node in self.node.value]
        return [self]

    @property
    def is_list(self) -> bool:
        """True if the node is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def text(self) -> str:
        """Returns a scalar as written, so `true` and `1` are also strings.

        Raises:
            InputError: the node is empty, a list or a mapping.
        """
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            raise self.error(f"must be a string, not {self._shown()}", "Use a string")
        return str(self.node.value)

    def choice(self, allowed: Sequence[str]) -> str:
        """Returns a string that must be one of the allowed values.

        Raises:
            InputError: the value is something else.
        """
        value = self.text()
        if value not in allowed:
            raise self.error(f"{value!r} is unknown{suggestion(value, allowed)}", f"Use {', '.join(allowed)}")
        return value

    def boolean(self) -> bool:
        """Returns a boolean."""
        value = self.value()
        if not isinstance(value, bool):
            raise self.error(f"must be true or false, not {self._shown()}", "Use true or false")
        return value

    def number(self, least: float, most: float) -> float:
        """Returns a number between the given limits, inclusive."""
        value = self.value()
        # The comparison also rejects NaN.
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            allowed = f"a number from {least:g} to {most:g}"
            raise self.error(f"must be {allowed}, not {self._shown()}", f"Use {allowed}")
        return float(value)

    def value(self) -> Any:
        """Returns the equivalent JSON value. Dates and other special scalars become strings."""
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
