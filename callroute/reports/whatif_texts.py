"""English and Japanese strings for the output of `callroute whatif`."""

from __future__ import annotations

from collections.abc import Mapping

from callroute.reports.changed_flow import Remark
from callroute.reports.labels import Labels
from callroute.reports.report import Language

REMARKS: Mapping[str, Labels] = {
    "behavior": {
        "en": "Callers at a stop do what callers at the same stop of the old flow did, even if the keys have moved.",
        "ja": "各停止箇所の発信者は、キーの割り当てが変わっても、旧フローの同じ停止箇所の発信者と同じ行動をとる。",
    },
    "checks": {
        "en": "Opening hours, queues and other checks have the same results as before.",
        "ja": "営業時間、キュー、その他の判定の結果は、これまでと同じである。",
    },
    "no_detail": {
        "en": "No call has detail, so calls take the paths in the tree of the route catalog.",
        "ja": "詳細記録のある通話がないため、通話はルートカタログのツリーに沿って進んだものとする。",
    },
    "left_out": {
        "en": "Calls without detail are left out ({calls}).",
        "ja": "詳細記録のない通話は除外する ({calls}件)。",
    },
    "other_versions": {
        "en": "Calls without the flow_version of the old flow are left out ({calls}).",
        "ja": "旧フローのflow_versionを持たない通話は除外する ({calls}件)。",
    },
    "all_versions": {
        "en": "No call has the flow_version of the old flow, so calls with its other versions are used.",
        "ja": "旧フローのflow_versionを持つ通話がないため、別バージョンの通話を使用する。",
    },
    "attempts": {
        "en": "{stop}: the new flow repeats the prompt differently. From the third attempt on, callers behave the same.",
        "ja": "{stop}: 新フローでは案内の繰り返し方が異なる。発信者の行動は3回目以降変わらないものとする。",
    },
    "unseen_attempt": {
        "en": "{stop}: no caller made more attempts than {attempts}. On further attempts, callers behave as on the last one.",
        "ja": "{stop}: {attempts}回を超えて試行した発信者がいないため、それ以降は最後の試行と同じ行動をとるものとする。",
    },
    "given": {"en": "Given: {text}", "ja": "指定: {text}"},
}
"""Assumptions on which an estimate depends."""


def remark_text(remark: Remark, language: Language) -> str:
    """Formats an assumption as a sentence."""
    return REMARKS[remark.key][language].format(**remark.values)
