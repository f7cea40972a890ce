"""English and Japanese labels for the terms of a report."""

from __future__ import annotations

from collections.abc import Mapping

from callroute.reports.report import Ending, Language, Outcome, ReportedFlow

Labels = Mapping[Language, str]

OUTCOME_LABELS: Mapping[Outcome, Labels] = {
    "answered": {"en": "Answered by an agent", "ja": "オペレーターが応答"},
    "abandoned_in_queue": {"en": "Hung up in the queue", "ja": "待ち時間中に切断"},
    "completed": {"en": "Completed in the menu", "ja": "メニューで完了"},
    "abandoned_in_flow": {"en": "Left in the menu", "ja": "メニューの途中で離脱"},
}
ENDING_LABELS: Mapping[Ending, Labels] = {
    "continued": {"en": "Went on", "ja": "通過"},
    "transferred": {"en": "Transferred", "ja": "転送"},
    "completed": {"en": "Completed", "ja": "完了"},
    "hung_up": {"en": "Hung up", "ja": "切断"},
    "silence": {"en": "Silence", "ja": "無入力"},
    "wrong_key": {"en": "Wrong key", "ja": "誤入力"},
    "error": {"en": "Error", "ja": "エラー"},
}
STOP_COLUMNS = (
    "reached",
    "continued",
    "left",
    "left_share",
    "change",
    "completed",
    "answered",
    "queue",
    "median",
    "p90",
)
"""Columns of the table of stops, after the name of the stop."""
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
    "waterfall": {"en": "Why callers left, worst stop first", "ja": "離脱の理由 (離脱率の高い順)"},
    "detail": {
        "en": "Based on the {detailed} of {calls} calls that have detail ({percent}). The worst stop is the one where the largest "
        "share of the calls that reached it left the menu. Stops that only end calls come last.",
        "ja": "{calls}件中、詳細記録のある{detailed}件 ({percent}) の集計です。到達した通話のうち、そこでメニューを離脱した割合が高い順に"
        "並びます。通話を終了するだけの停止箇所は最後に並びます。",
    },
    "troubles": {
        "en": "Silence, wrong key and error: calls that left after this trouble / all calls that met it at the stop. Calls that this "
        "trouble led to a stop that only ends them count at both stops.",
        "ja": "無入力・誤入力・エラー: 発生後に離脱した通話 / その停止箇所で発生した通話。発生後に、通話を終了するだけの停止箇所に進んで"
        "離脱した通話は、両方の停止箇所で数えます。",
    },
    "rare": {
        "en": "Not shown: {count} with fewer than {least} calls with detail.",
        "ja": "詳細記録のある通話が{least}件未満の停止箇所{count}件は表示していません。",
    },
    "versions": {"en": "Versions of the flow", "ja": "フローのバージョン"},
    "arms": {"en": "Arms of experiments", "ja": "テストパターン"},
    "version": {"en": "Version", "ja": "バージョン"},
    "arm": {"en": "Arm", "ja": "パターン"},
    "days_seen": {"en": "First and last day", "ja": "最初と最後の日"},
    "variant_calls": {"en": "Calls", "ja": "通話"},
    "variant_left": {"en": "Left in the menu", "ja": "メニューの途中で離脱"},
    "interval": {"en": "95% interval", "ja": "95%信頼区間"},
    "difference": {"en": "Difference (points)", "ja": "差 (ポイント)"},
    "versions_note": {
        "en": "Each version is compared with the preceding one.",
        "ja": "各バージョンを直前のバージョンと比較します。",
    },
    "arms_note": {
        "en": "Each arm is compared with the arm of the same experiment that has the most calls.",
        "ja": "各パターンを、同じテストで通話が最も多いパターンと比較します。",
    },
    "variants_note": {
        "en": "▲▼ marks a significant difference, according to both a two-proportion test and the confidence interval, with "
        "Bonferroni’s correction for the number of comparisons. Stops are compared if at least {least} calls of each group "
        "reached them.",
        "ja": "▲▼は有意な差を示します (比率の差の検定と信頼区間の両方で判定し、比較の数に応じてボンフェローニ補正を行います)。"
        "双方で{least}件以上の通話が到達した停止箇所を比較します。",
    },
    "variant_stops": {
        "en": "{name} compared with {other}, by stop",
        "ja": "停止箇所別: {name}と{other}の比較",
    },
    "without_number": {"en": "withheld number", "ja": "番号非通知"},
    "repeats_unknown": {"en": "Repeat callers are unknown: {reason}.", "ja": "再入電は不明です: {reason}。"},
}
"""Strings that the text and the page have in common."""
ALL_CALLS: Labels = {"en": "All calls", "ja": "すべての通話"}
WEEKDAYS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ja": ("月", "火", "水", "木", "金", "土", "日"),
}


def flow_name(flow: ReportedFlow, language: Language) -> str:
    """Returns the name of a flow, or a heading for calls without a flow."""
    return flow.name or {"en": "Calls without call_flow", "ja": "call_flowのない通話"}[language]
