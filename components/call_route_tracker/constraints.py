"""Declares options with constraints and checks values against them."""

import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, get_args, get_origin

import pulumi

from callroute.formats.spelling import did_you_mean

_TYPE_TEXTS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    Sequence: "a list",
    Mapping: "a mapping of names to strings",
}
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Constraint:
    """The values that an option allows."""

    allowed: str
    """The allowed values, as a noun phrase."""
    accepts: Callable[[Any], bool]
    """Returns whether a value is allowed."""
    fix: Callable[[Any], str]
    """Returns the fix for a value that is not allowed, as a sentence."""
    example: str = ""
    """An allowed value."""

    def __str__(self) -> str:
        return f"{self.allowed}, for example {self.example}" if self.example else self.allowed


@dataclass(frozen=True)
class Problem:
    """An invalid value of an option."""

    key: str
    """The option, and the position within its value."""
    value: str
    """The value as JSON, or a phrase such as `not set`. Secrets are never shown."""
    allowed: str
    """The allowed values."""
    fix: str
    """The fix, as a sentence."""

    def __str__(self) -> str:
        return f"{self.key} is {self.value}; allowed: {self.allowed}. {self.fix}"


class ConfigError(pulumi.RunError):
    """Reports all invalid options at once. Pulumi prints the message without a traceback.

    Args:
        problems: one or more problems.
        owner: the object that has the options, if it is not the component itself.
    """

    def __init__(self, problems: Sequence[Problem], owner: str = "") -> None:
        self.problems = problems
        options = "1 option" if len(problems) == 1 else f"{len(problems)} options"
        verb = "is" if len(problems) == 1 else "are"
        header = f"{options}{f' of {owner}' if owner else ''} {verb} invalid:"
        super().__init__("\n".join([header, *(f"  {problem}" for problem in problems)]))


def option(default: Any = MISSING, constraint: Constraint | None = None, *, secret: bool = False) -> Any:
    """Declares an option as a field of its class. The docstring below the field describes the option.

    Args:
        default: the default; an option without one is required.
        constraint: a restriction on the values that the type allows.
        secret: keeps the value out of messages, and requires a Pulumi secret in stack configuration.
    """
    metadata = {"constraint": constraint, "secret": secret}
    if isinstance(default, (list, dict)):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


def between(least: int, most: int, unit: str, fix: str) -> Constraint:
    """Allows whole numbers from `least` to `most`."""
    return Constraint(f"{least} to {most} {unit}", lambda value: least <= value <= most, lambda _: fix)


def matching(pattern: str, allowed: str, fix: str, example: str = "") -> Constraint:
    """Allows strings that fully match a regular expression."""
    compiled = re.compile(pattern, re.ASCII)
    return Constraint(allowed, lambda value: bool(compiled.fullmatch(value)), lambda _: fix, example)


def one_of(*values: str) -> Constraint:
    """Allows the given values."""
    allowed = f"{', '.join(values[:-1])} or {values[-1]}"
    return Constraint(allowed, values.__contains__, lambda value: suggestion(value, values) or "Choose one.")


def characters(least: int, most: int) -> Constraint:
    """Allows strings whose length is in a range."""
    return Constraint(
        f"{least} to {most} characters",
        lambda value: least <= len(value) <= most,
        lambda value: f"It has {len(value)} characters: {'shorten it' if value else 'enter some text'}.",
    )


def suggestion(word: str, words: Collection[str]) -> str:
    """Returns a question that suggests up to three similar words, or an empty string if no word is similar."""
    return did_you_mean(word, words, limit=3)


def camel_case(name: str) -> str:
    """Returns an option's name as spelled in stack configuration: `batchSize` for `batch_size`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def is_required(option: Field[Any]) -> bool:
    """Returns whether an option has no default."""
    return option.default is MISSING and option.default_factory is MISSING


def default_of(option: Field[Any]) -> Any:
    """Returns the default of an option that is not required."""
    return option.default if option.default_factory is MISSING else option.default_factory()


def type_of(option: Field[Any]) -> Any:
    """Returns the plain type of an option: `str` for `pulumi.Input[str] | None`, `Sequence` for any sequence."""
    if get_origin(option.type) in _TYPE_TEXTS:
        return get_origin(option.type)
    first, *_ = get_args(option.type) or (option.type,)
    return get_origin(first) or first


def allowed_values(option: Field[Any]) -> str:
    """Returns the allowed values of an option as a noun phrase."""
    return str(option.metadata["constraint"] or _TYPE_TEXTS[type_of(option)])


def find_problems(
    options: type, values: Mapping[str, Any], spell: Callable[[str], str] = str
) -> Iterator[Problem]:
    """Checks values against the types and constraints of an options class.

    Outputs are not checked, because their values are not known yet.

    Args:
        options: a dataclass whose fields are declared with `option()`. Its method `conflicts()`, if it has one, checks
            options that depend on each other.
        values: values by option name. Missing options are not checked.
        spell: returns an option's name as the user writes it.
    """
    valid = dict(values)
    for each in fields(options):
        if each.name in values:
            problems = list(_problems_of(each, values[each.name], spell(each.name)))
            if problems:
                del valid[each.name]
            yield from problems
    yield from getattr(options, "conflicts", lambda *_: ())(valid, spell)


def validate(arguments: Any, owner: str = "") -> None:
    """Checks an instance of an options class.

    Raises:
        ConfigError: some options are invalid.
    """
    if problems := list(find_problems(type(arguments), vars(arguments))):
        raise ConfigError(problems, owner)


def shown(value: Any) -> str:
    """Returns a value as JSON, truncated if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _problems_of(option: Field[Any], value: Any, key: str) -> Iterator[Problem]:
    type_, types, constraint = type_of(option), get_args(option.type), option.metadata["constraint"]
    if value is None and type(None) in types:
        return
    if isinstance(value, Awaitable | pulumi.Output) and any(get_origin(each) is Awaitable for each in types):
        return
    text = "not shown" if option.metadata["secret"] else shown(value)
    if (
        not isinstance(value, type_)
        or (type_ is int and isinstance(value, bool))
        or (type_ is Sequence and isinstance(value, str))
    ):
        yield Problem(key, text, allowed_values(option), f"Use {_TYPE_TEXTS[type_]}.")
        return
    invalid = []
    if type_ is Mapping:
        invalid = [
            Problem(f"{key}.{name}", shown(item), "text", "Put the name and the value in quotes.")
            for name, item in value.items()
            if not (isinstance(name, str) and isinstance(item, str))
        ]
    if type_ is Sequence:
        invalid = [
            Problem(f"{key}[{position}]", shown(item), "text", "Put it in quotes.")
            if types[0] is str
            else Problem(
                f"{key}[{position}]", shown(item), types[0].__name__, f"Create a {types[0].__name__}."
            )
            for position, item in enumerate(value)
            if not isinstance(item, types)
        ]
    if not invalid and constraint and not constraint.accepts(value):
        invalid = [Problem(key, text, str(constraint), constraint.fix(value))]
    yield from invalid
