"""English and Japanese strings for the estimate of `callroute whatif`."""

from __future__ import annotations

from collections.abc import Mapping

from callroute.reports.changed_flow import Remark
from callroute.reports.labels import Labels
from callroute.reports.report import Language

REMARKS: Mapping[str, Labels] = {
    "behavior": {
        "en": "Callers at a stop do what callers at the same stop of the old flow did, even if the keys have moved.",
        "ja": "停止箇所に到達した発信者は、キーの割り当てが変わっても、旧フローの同じ停止箇所と同じ行動をとる。",
    },
    "checks": {
        "en": "Opening hours, queues and other checks have the same results as before.",
        "ja": "営業時間、キュー、その他の判定の結果は、これまでと同じである。",
    },
    "no_detail": {
        "en": "No call has detail, so calls take the paths in the tree of the route catalog.",
        "ja": "詳細のある通話がないため、通話は経路カタログの木に沿って進んだものとする。",
    },
    "left_out": {
        "en": "Calls without detail are left out ({calls}).",
        "ja": "詳細のない通話は除外する ({calls})。",
    },
    "other_versions": {
        "en": "Calls of other versions of the old flow are left out ({calls}).",
        "ja": "旧フローの別の版の通話は除外する ({calls})。",
    },
    "all_versions": {
        "en": "No call has the flow_version of the old flow. Calls of its other versions are used instead.",
        "ja": "旧フローのflow_versionをもつ通話がないため、別の版の通話を使用する。",
    },
    "attempts": {
        "en": "{stop}: the new flow repeats the prompt in another way. Callers behave alike from the third attempt on.",
        "ja": "{stop}: 新フローでは案内の繰り返し方が異なる。3回目以降の試行では発信者の行動は変わらない。",
    },
    "unseen_attempt": {
        "en": "{stop}: no caller made more attempts than {attempts}. On further ones, callers behave as on the last.",
        "ja": "{stop}: {attempts}回を超えて試行した発信者はいない。それ以降は最後の試行と同じ行動をとる。",
    },
    "given": {"en": "Given: {text}", "ja": "指定: {text}"},
}
"""Assumptions on which an estimate depends."""


def remark_text(remark: Remark, language: Language) -> str:
    """Returns an assumption as a sentence."""
    return REMARKS[remark.key][language].format(**remark.values)
