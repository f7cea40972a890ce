"""Japanese block titles and labels, keyed by the English ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "ja"]

_JAPANESE: Mapping[str, str] = {
    "Bot": "ボット",
    "Call back": "折り返し",
    "Callback number": "折り返し番号",
    "Choose the queue": "キューの選択",
    "Compare": "条件分岐",
    "Disconnect": "切断",
    "End of flow": "フローの終了",
    "End of module": "モジュールの終了",
    "Event flows": "イベントフロー",
    "Get queue metrics": "キューの指標を取得",
    "Input": "入力",
    "Lambda function": "Lambda関数",
    "Logging": "ログ",
    "Loop": "繰り返し",
    "Menu": "メニュー",
    "Message": "メッセージ",
    "Messages in turn": "順番に再生",
    "Module": "モジュール",
    "Opening hours?": "営業時間内?",
    "Queue metric?": "キューの指標?",
    "Set attributes": "属性の設定",
    "Set flow attributes": "フロー属性の設定",
    "Split by percentage": "割合で分岐",
    "To a phone number": "電話番号へ転送",
    "To an agent": "エージェントへ転送",
    "To another flow": "別のフローへ",
    "To another queue": "別のキューへ",
    "To the queue": "キューへ",
    "Voice": "音声",
    "again": "もう一度",
    "closed": "時間外",
    "done": "終了",
    "error": "エラー",
    "next": "次へ",
    "no match": "一致なし",
    "open": "時間内",
    "other intent": "その他の意図",
    "other key": "その他のキー",
    "queue full": "キューが満杯",
    "silence": "入力なし",
    "stop": "停止箇所",
    "the call comes in": "着信",
    "{count} times": "{count}回",
}


def translated(text: str, language: Language) -> str:
    """Returns a title or label in the given language. Strings without a translation are returned unchanged."""
    return _JAPANESE.get(text, text) if language == "ja" else text


def description(language: Language, blocks: int, stops: int, routes: int) -> str:
    """Returns the alternative text of a diagram."""
    if language == "ja":
        return f"{blocks}個のブロックからなるフロー。停止箇所は{stops}個、call_routeの値は{routes}種類。"
    return (
        f"Flow of {blocks} blocks, with {stops} stops at which a caller can hang up "
        f"and {routes} value{'' if routes == 1 else 's'} of call_route."
    )
