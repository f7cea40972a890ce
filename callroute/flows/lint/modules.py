"""Lint rules for modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from callroute.flows.block_types import MODULE, declared_type
from callroute.flows.lint.rule import LintContext, Match, Rule, Source

MAX_DEPTH = 5
"""Maximum nesting depth of modules (docs/fidelity.md)."""


def _module_nesting(context: LintContext) -> Iterator[Match]:
    links, source = context.links, context.flow.source
    for block, module in links.invocations(source):
        path = f"{block.path}.Parameters.FlowModuleId"
        if module == source:
            yield Match(
                block.identifier,
                path,
                "The module invokes itself.",
                "Use a Loop block, or branch back to an earlier block.",
            )
        elif cycle := links.chain(module, source):
            yield Match(
                block.identifier,
                path,
                f"The module invokes itself through {_listed(cycle[:-1])}.",
                "Move the common part to a module that invokes none of them.",
            )
        elif not links.is_invoked(source):
            chain = links.chain(module)
            nested = chain if not context.flow.is_module else (source, *chain)
            if len(nested) > MAX_DEPTH:
                yield Match(
                    block.identifier,
                    path,
                    f"{len(nested)} modules are nested here ({_listed(nested)}); Connect allows {MAX_DEPTH}.",
                    "Move the blocks of a module to the module that invokes it.",
                )


def _module_settings(context: LintContext) -> Iterator[Match]:
    if "Settings" in context.flow.document:
        return
    fix = 'Add Settings: {"InputParameters": [], "OutputParameters": [], "Transitions": []}'
    declared = declared_type(context.flow)
    if declared == MODULE:
        yield Match(None, "$", "The flow is a module, and a module needs Settings.", f"{fix}.")
    elif declared is None:
        for block, row in context.known:
            if row.is_only_in_modules:
                yield Match(
                    block.identifier,
                    block.path,
                    f"{block.type} occurs only in modules, and a module needs Settings.",
                    f"{fix}. If the flow is not a module, use another block.",
                )
                return


def _listed(sources: tuple[str, ...]) -> str:
    return " > ".join(PurePath(source).stem for source in sources)


RULES = (
    Rule(
        "module-settings",
        "error",
        "A module has Settings, which distinguish it from other flows.",
        Source.LIVE_REQUESTS,
        _module_settings,
    ),
    Rule(
        "module-nesting",
        "error",
        "Among the modules that are checked together, none invokes itself and at most five are nested.",
        Source.MODULES,
        _module_nesting,
    ),
)
