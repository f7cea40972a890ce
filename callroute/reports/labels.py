"""English and Japanese labels for the terms of a report."""

from __future__ import annotations

from collections.abc import Mapping

from callroute.reports.report import Language, Outcome, ReportedFlow

Labels = Mapping[Language, str]

OUTCOME_LABELS: Mapping[Outcome, Labels] = {
    "answered": {"en": "Answered by an agent", "ja": "オペレーターが応答"},
    "abandoned_in_queue": {"en": "Hung up in the queue", "ja": "待ち時間中に切断"},
    "completed": {"en": "Completed in the menu", "ja": "メニューで完了"},
    "abandoned_in_flow": {"en": "Left in the menu", "ja": "メニューの途中で離脱"},
}
REPEAT_REASONS: Mapping[str, Labels] = {
    "masked": {
        "en": "the numbers are masked, and different callers can have the same last four digits",
        "ja": "電話番号がマスクされており、下4桁が同じ別の発信者と区別できないため",
    },
    "no_numbers": {"en": "no call has a phone number", "ja": "電話番号のある通話がないため"},
}
"""Reasons for unknown repeat callers, keyed by `Report.repeat_callers_reason`."""
SHARED_TEXTS: Mapping[str, Labels] = {
    "title": {"en": "Where callers gave up", "ja": "発信者の離脱箇所"},
    "no_calls": {"en": "There are no calls in this span.", "ja": "この期間に通話はありません。"},
    "available": {
        "en": "The files contain calls from {first} to {last}. Choose days with --from and --to.",
        "ja": "ファイルには{first}から{last}までの通話があります。--fromと--toで期間を指定してください。",
    },
    "without_number": {"en": "withheld number", "ja": "番号非通知"},
    "repeats_unknown": {"en": "Repeat callers are unknown: {reason}.", "ja": "再入電は不明です: {reason}。"},
}
"""Strings that the text and the page have in common."""
WEEKDAYS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ja": ("月", "火", "水", "木", "金", "土", "日"),
}


def flow_name(flow: ReportedFlow, language: Language) -> str:
    """Returns the name of a flow."""
    return flow.name or {"en": "Calls without call_flow", "ja": "call_flowのない通話"}[language]
