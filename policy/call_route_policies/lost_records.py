"""Checks that a state machine stores every contact record that it receives, or fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .contact_records import processes_records, record_pipes, stream_parameter
from .json_values import decoded
from .property_rules import property_check
from .resource import Resource, Unknown, nested, of_type, shown
from .resource_types import MACHINE, TABLE
from .rule import Finding, RuleConfig, StackFindings

State = Mapping[str, Any]

_WHOLE_INPUT = re.compile(
    r"\{%\s*\$states\.(?:input|context\.Execution\.Input)((?:\.\w+)*)\s*%\}|\$((?:\.\w+)*)"
)
_WHOLE_ITEM = re.compile(r"Map\.Item\.Value(\.contact|\.data)?(?![.\[\w])")
_PART_OF_INPUT = re.compile(r"(?:\$states\.input|Execution\.Input|(?<!\$)\$)\[")
_TEXT_IN_EXPRESSION = re.compile(r"'[^']*'|\"[^\"]*\"")
_INPUT = re.compile(r"\$states\.input\b|(?<!\$)\$(?![\w$])")
_KEPT = re.compile(
    r"(\$states\.context|\$\$)\.(Map\.Item\.Value|Execution\.Input)\b|\$(?!states\b)\w+(?!\w*\()"
)
"""Parts of an expression that read the record from somewhere other than the state's input: the context or a variable."""

_METRICS = ":states:::aws-sdk:cloudwatch:putMetricData"
"""End of the resource of a Task that publishes metrics, which neither stores nor loses records."""

_STORES_NOTHING = re.compile(rf"(:(batchGet|delete|describe|get|head|list|query|scan)\w*|{_METRICS})$")
"""End of a Task's resource if the Task stores nothing."""

_SAME_FOR_ALL = re.compile(r"\.(AWSAccountId|AWSContactTraceRecordFormatVersion|Channel|InstanceARN)\b")
"""Fields whose value many contact records have in common."""

_DATA = ("Key", "Item", "ExpressionAttributeValues", "MessageBody", "Message", "Data", "Entries")
"""Task arguments that must contain data from the record."""

_check_map = property_check("state-machine-keeps-every-record")


def check_kept_records(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
    """Checks the state machines that process contact records."""
    batches = [stream_parameter(pipe, "batchSize") for pipe in record_pipes(resources)]
    is_single = bool(batches) and all(size == 1 for size in batches)
    keys = {str(table.get("name")): table.get("hashKey") for table in of_type(resources, TABLE)}
    for machine in of_type(resources, MACHINE):
        if processes_records(machine, resources):
            definition = machine.get("definition")
            if isinstance(definition, Unknown):
                yield machine, definition
            for finding in _lost_records(decoded(definition), is_single, keys, config):
                yield machine, finding


def _lost_records(
    definition: Any, is_single: bool, keys: Mapping[str, Any], config: RuleConfig
) -> Iterator[Finding]:
    scopes = [part for part in nested(definition) if isinstance(part, Mapping)]
    for scope in (each for each in scopes if isinstance(each.get("States"), Mapping)):
        states = scope["States"]
        if end := _end_without_storing(states, scope.get("StartAt"), config["expired"]):
            yield f"must store or fail every record that enters {scope['StartAt']!r}, not end in {end!r}"
        for name, state in states.items():
            if not isinstance(state, Mapping):
                continue
            language = state.get("QueryLanguage", definition.get("QueryLanguage"))
            findings = {**_lossy_arguments(state, keys), **_lost_before(state, states, language == "JSONata")}
            if state.get("InputPath", "$") is None and not _keeps_input(state):
                findings["InputPath is null"] = "process its input"
            if state.get("Type") == "Map":
                yield from _check_map(Resource("Map", str(name), "", state), config)
                findings |= _lossy_items(state, definition)
            if scope is definition and not is_single and state.get("Type") in ("Pass", "Task"):
                findings |= _partial_batch(state)
            for place, requirement in findings.items():
                yield f"must {requirement} in {name!r}: {place}"
            for catch in _mappings(state.get("Catch")):
                errors = catch.get("ErrorEquals")
                is_expected = isinstance(errors, list) and all(each in config["expected"] for each in errors)
                if is_expected or str(state.get("Resource")).endswith(_METRICS):
                    continue
                if end := _end_without_storing(states, catch.get("Next")):
                    yield f"must store or fail records after an error in {name!r}, not end in {end!r}: {shown(errors)}"


def _mappings(value: Any) -> Iterator[State]:
    return (each for each in (value if isinstance(value, list) else ()) if isinstance(each, Mapping))


def _end_without_storing(states: Mapping[str, Any], start: Any, chosen: Sequence[str] = ()) -> str | None:
    """Returns a state where an execution can succeed without storing anything, unless a Choice leads to a chosen state.

    The states inside a Map or Parallel form separate scopes, which are checked on their own.
    """
    pending, seen = [start], []
    while pending:
        name = pending.pop()
        state = states.get(name) if isinstance(name, str) and name not in seen else None
        if not isinstance(state, Mapping) or _stores(state) or state.get("Type") == "Fail":
            continue
        seen.append(name)
        if state.get("Type") != "Choice" and state.get("Next") is None:
            return str(name)
        pending += [state.get("Next"), state.get("Default")]
        pending += [
            each.get("Next") for each in _mappings(state.get("Choices")) if each.get("Next") not in chosen
        ]
    return None


def _stores(state: State) -> bool:
    if state.get("Type") == "Task":
        return not _STORES_NOTHING.search(str(state.get("Resource")))
    return state.get("Type") in ("Map", "Parallel")


def _lossy_items(state: State, definition: Mapping[str, Any]) -> dict[str, str]:
    """Returns the requirements that a Map's items violate, keyed by a description of the violation."""
    found = {
        f"{path} is {shown(state[path])}": "process its whole input"
        for path in ("Items", "ItemsPath")
        if path in state and not _is_whole_input(state[path], definition)
    }
    selector = state.get("ItemSelector")
    if selector is not None and not _WHOLE_ITEM.search(str(selector)):
        found[f"ItemSelector is {shown(selector)}"] = "pass the whole item"
    return found


def _is_whole_input(value: Any, definition: Mapping[str, Any]) -> bool:
    """Returns whether an expression selects the whole input, or a field that the definition creates or the pipe sends."""
    expression = _WHOLE_INPUT.fullmatch(str(value))
    fields = (expression[1] or expression[2] or "").split(".")[1:] if expression else []
    return bool(expression) and all(name == "contact" or f"'{name}'" in str(definition) for name in fields)


def _keeps_input(state: State) -> bool:
    """Returns whether an empty input loses nothing: the state adds to the record, or is a Task, whose arguments are checked."""
    return state.get("Type") not in ("Map", "Pass") or (
        state["Type"] == "Pass" and state.get("ResultPath", "$") != "$"
    )


def _lossy_arguments(state: State, keys: Mapping[str, Any]) -> dict[str, str]:
    """Returns the requirements that a Task's arguments violate, keyed by a description of the violation.

    Args:
        state: any state.
        keys: partition keys of the stack's tables, by the table's name.
    """
    arguments = _argument(state, "Arguments") or _argument(state, "Parameters")
    if state.get("Type") != "Task" or not isinstance(arguments, Mapping):
        return {}
    found = {
        f"Arguments.{name} is {shown(value)}": "use data from the record"
        for name in _DATA
        if (value := _argument(arguments, name)) is not None and not _reads_record({name: value}, arguments)
    }
    item, key = _argument(arguments, "Item"), keys.get(str(_argument(arguments, "TableName")))
    if not found and isinstance(item, Mapping) and key in item:
        others = {name: value for name, value in item.items() if name != key}
        if not _reads_record({key: item[key]}, item) or _SAME_FOR_ALL.search(str(item[key])):
            found[f"Arguments.Item.{key} is {shown(item[key])}"] = "use a key from the record"
        elif not _reads_record(others, item):
            found[f"Arguments.Item is {shown(item)}"] = "store more of the record than its key"
    resource, update = str(state.get("Resource")).lower(), _argument(arguments, "UpdateExpression")
    if resource.endswith(":deleteitem"):
        found[f"Resource is {state['Resource']}"] = "keep stored records"
    if resource.endswith(":updateitem") and not re.search(r"(?i)\b(set|add)\b|\{%", str(update)):
        found[f"Arguments.UpdateExpression is {shown(update)}"] = "store data from the record"
    condition = str(_argument(arguments, "ConditionExpression"))
    if re.fullmatch(r"(?i)\s*attribute_exists\s*\([^()]*\)\s*", condition):
        found[f"Arguments.ConditionExpression is {shown(condition)}"] = "store records of new calls"
    return found


def _argument(arguments: Mapping[str, Any], name: str) -> Any:
    """Returns an argument by name. In JSONPath, the name of an argument with an expression ends in `.$`."""
    return arguments.get(name, arguments.get(f"{name}.$"))


def _expressions(value: Any, parent: Mapping[str, Any]) -> Iterator[str]:
    """Yields the expressions inside a value, excluding strings inside them."""
    pending = [(f"{key}.$" if f"{key}.$" in parent else key, part) for key, part in value.items()]
    while pending:
        key, part = pending.pop()
        if isinstance(part, Mapping):
            pending += part.items()
        elif isinstance(part, list):
            pending += [(key, each) for each in part]
        elif isinstance(part, str) and (part.startswith("{%") or str(key).endswith(".$")):
            yield _TEXT_IN_EXPRESSION.sub("''", part)


def _reads_record(value: Any, parent: Mapping[str, Any]) -> bool:
    """Returns whether an expression inside a value reads the record, from the state's input or from elsewhere."""
    return any(_INPUT.search(text) or _KEPT.search(text) for text in _expressions(value, parent))


def _partial_batch(state: State) -> dict[str, str]:
    """Returns a violated requirement if a state outside a Map reads only part of the batch."""
    texts = [str(state[name]) for name in ("Arguments", "Parameters", "Output", "InputPath") if name in state]
    parts = [shown(text) for text in texts if _PART_OF_INPUT.search(text)]
    return {f"it reads only a part of the batch: {part}": "process the whole batch" for part in parts[:1]}


def _lost_before(state: State, states: Mapping[str, Any], is_jsonata: bool) -> dict[str, str]:
    """Returns a violated requirement if a state replaces the record with other data before it is stored."""
    transitions = (
        [(state, state.get("Next"))] if state.get("Type") in ("Pass", "Task") and not _stores(state) else []
    )
    transitions += [(catch, catch.get("Next")) for catch in _mappings(state.get("Catch"))]
    return {
        f"{consumer!r} does not receive it": "pass on the record"
        for step, following in transitions
        if not _keeps_record(step, is_jsonata) and (consumer := _consumer(states, following))
    }


def _keeps_record(step: State, is_jsonata: bool) -> bool:
    """Returns whether the output of a state or Catch contains data from its input."""
    if is_jsonata or "Output" in step:
        if "Output" not in step:
            return step.get("Type") == "Pass"
        return _reads_record({"": step["Output"]}, {})
    if step.get("Type") == "Pass" and "Result" not in step:
        return "Parameters" not in step or any(_expressions({"": step["Parameters"]}, {}))
    return bool(step.get("ResultPath", "$") != "$")


def _consumer(states: Mapping[str, Any], start: Any) -> str | None:
    """Returns the next state that processes the record, if it finds the record only in its input."""
    seen: list[Any] = []
    while isinstance(start, str) and start not in seen:
        seen.append(start)
        state = states.get(start)
        if not isinstance(state, Mapping):
            return None
        if state.get("Type") in ("Map", "Task"):
            texts = list(
                _expressions({name: state.get(name) for name in ("Arguments", "Parameters", "Items")}, {})
            )
            is_map = state["Type"] == "Map" and not texts
            is_kept = any(map(_KEPT.search, texts))
            return start if is_map or (any(map(_INPUT.search, texts)) and not is_kept) else None
        start = state.get("Next", state.get("Default"))
    return None
