"""English and Japanese strings for the page."""

from __future__ import annotations

from collections.abc import Mapping

from callroute.reports.labels import OUTCOME_LABELS, SHARED_TEXTS, Labels

TEXTS: Mapping[str, Labels] = {
    **SHARED_TEXTS,
    "span": {"en": "{first} – {last}", "ja": "{first} 〜 {last}"},
    "compared": {"en": "compared with {first} – {last}", "ja": "比較期間 {first} 〜 {last}"},
    "source": {
        "en": "Source: {source} · times in {zone} · created {created}",
        "ja": "データ: {source} · 時刻は{zone} · 作成 {created}",
    },
    # Headline figures
    "figures": {"en": "Key figures", "ja": "主要な数値"},
    "calls": {"en": "Calls", "ja": "通話数"},
    "of_calls": {"en": "{count} calls", "ja": "{count}件"},
    "before": {"en": "{count} before", "ja": "前期間 {count}件"},
    "more": {"en": "{points} points more", "ja": "{points}ポイント増"},
    "less": {"en": "{points} points less", "ja": "{points}ポイント減"},
    "unchanged": {"en": "no change", "ja": "増減なし"},
    "no_comparison": {"en": "no earlier calls to compare", "ja": "比較できる通話なし"},
    "significant": {"en": "more than noise", "ja": "誤差を超える"},
    "noise": {"en": "within noise", "ja": "誤差の範囲"},
    "headline_stop": {
        "en": "More callers gave up at “{stop}” than at any other stop: {calls} of the {reached} callers who reached it "
        "({percent}).",
        "ja": "離脱が最も多い箇所は「{stop}」です。到達した{reached}件のうち{calls}件 ({percent}) が離脱しました。",
    },
    "headline_worse": {
        "en": "The share of callers who left the menu grew most at “{stop}”: from {before} to {now}, which is more than "
        "noise.",
        "ja": "メニューでの離脱率が最も上がった箇所は「{stop}」です ({before} → {now}、誤差を超える増加)。",
    },
    "headline_steady": {
        "en": "At no stop did the share of callers who left the menu grow by more than noise.",
        "ja": "メニューでの離脱率が誤差を超えて上がった箇所はありません。",
    },
    "headline_waterfall": {
        "en": "The worst stop is “{stop}”: {percent} of the callers who reached it left the menu there. {hung_up} hung up without any "
        "trouble, {silence} left after silence, {wrong_key} after wrong keys and {error} after an error.",
        "ja": "離脱率が最も高い停止箇所は「{stop}」です (到達した通話の{percent})。内訳: そのまま切断{hung_up}件、"
        "無入力{silence}件、誤入力{wrong_key}件、エラー{error}件。",
    },
    # Sections
    "paths": {"en": "Paths through the menu", "ja": "メニュー内の経路"},
    "paths_note": {
        "en": "Each bar is a stop in the menu, with the number of callers who reached it. Bands lead to the next stops, and "
        "colored bands to the end of the calls.",
        "ja": "各バーは停止箇所で、数字は到達した通話数です。帯は次の停止箇所へ、色付きの帯は通話の終わりへ続きます。",
    },
    "tree_note": {
        "en": "Each entry is a stop in the menu. Its bar shows how the calls that reached it went on or ended, as a share of "
        "all calls.",
        "ja": "各項目は停止箇所です。バーは、到達した通話がその後どうなったかを、全通話に対する割合で示します。",
    },
    "went_on": {"en": "Went on to a later stop", "ja": "次の停止箇所へ"},
    "paths_label": {
        "en": "{calls} calls and their paths through the stops of {flow}; the same figures are in the table of stops",
        "ja": "{flow}の停止箇所を通った{calls}件の通話の経路。同じ数値は停止箇所の表にあります",
    },
    "tree_counts": {
        "en": "{reached} reached · {calls} gave up ({percent})",
        "ja": "到達{reached}件 · 離脱{calls}件 ({percent})",
    },
    "waterfall_label": {
        "en": "Stacked bars for the {count} worst stops: the shares of callers who left, by reason, and of those who went on, were "
        "transferred or completed the menu; the table below contains the same figures",
        "ja": "離脱率の高い停止箇所{count}件の積み上げ棒グラフ。理由別の離脱と、通過・転送・完了の割合を示します。下の表に同じ数値があります",
    },
    "hung_up_note": {
        "en": "left the menu at this stop without any trouble there",
        "ja": "この停止箇所で無入力・誤入力・エラーなしにメニューを離脱",
    },
    "silence_note": {"en": "left after pressing no key in time", "ja": "時間内にキー入力がなく離脱"},
    "wrong_key_note": {
        "en": "left after more wrong keys than silences",
        "ja": "無入力より誤入力が多く、その後に離脱",
    },
    "error_note": {"en": "left after an error in the flow", "ja": "フローのエラー後に離脱"},
    "completed_note": {"en": "completed the menu here", "ja": "ここでメニューを完了"},
    "transferred_note": {
        "en": "ended here with an agent or in the queue",
        "ja": "ここからオペレーターまたはキューへ転送",
    },
    "continued_note": {"en": "went on to another stop", "ja": "ほかの停止箇所に進んだ通話"},
    "ended": {"en": "How calls continued or ended", "ja": "その後の通話"},
    "other_stops": {
        "en": "{count} more stops are only in --format csv and --format json.",
        "ja": "ほかの停止箇所{count}件は--format csvまたは--format jsonで確認できます。",
    },
    "other_variants": {
        "en": "{count} more are only in --format csv and --format json.",
        "ja": "ほかの{count}件は--format csvまたは--format jsonで確認できます。",
    },
    "drawing": {"en": "The flow", "ja": "フロー図"},
    "drawing_note": {
        "en": "Each block in which callers can hang up shows how many gave up at its stop. The darker a block, the more callers gave "
        "up. Blocks of the same stop show the same figures. A block that several stops share shows their sum. “At most” means that "
        "some of these callers may have left in another block of the same stop; such a block has the palest color.",
        "ja": "発信者が切断できる各ブロックに、その停止箇所での離脱数を示します。色が濃いほど離脱数が多いことを示します。同じ停止箇所の"
        "ブロックは同じ数値です。複数の停止箇所で共用するブロックには合計を示します。「最大」とあるブロックでは、一部の発信者が同じ"
        "停止箇所のほかのブロックで離脱した可能性があるため、最も薄い色で示します。",
    },
    "drawing_too_large": {
        "en": "This flow is too large to be drawn here. Draw it with callroute draw.",
        "ja": "このフローは大きすぎるため、ここには表示できません。callroute drawで描画してください。",
    },
    "drawing_on_paper": {
        "en": "The text is small on paper. To read it, zoom into the PDF, or open this page on a screen.",
        "ja": "紙では文字が小さくなります。PDFを拡大するか、画面でこのページを開いてご覧ください。",
    },
    "fit": {"en": "Whole flow", "ja": "全体"},
    "readable": {"en": "Readable size", "ja": "読めるサイズ"},
    "drawing_region": {"en": "Drawing of {flow}, scrollable", "ja": "{flow}のフロー図 (スクロール可)"},
    "trend_day": {"en": "Calls per day", "ja": "日別の通話数"},
    "trend_week": {"en": "Calls per week", "ja": "週別の通話数"},
    "trend_month": {"en": "Calls per month", "ja": "月別の通話数"},
    "trend_year": {"en": "Calls per year", "ja": "年別の通話数"},
    "trend_note": {
        "en": "Pale bars belong to the previous span.",
        "ja": "薄い棒は前期間です。",
    },
    "trend_label": {
        "en": "Bar chart by outcome. {title}: {calls} in total, at most {most} in one bar",
        "ja": "結果別の棒グラフ。{title}: 合計{calls}件、1本の棒で最大{most}件",
    },
    "comparison": {"en": "Comparison with the previous span", "ja": "前期間との比較"},
    "comparison_note": {
        "en": "Change in points with its confidence interval. A change is more than noise if its interval excludes 0 "
        "({percent}% for all changes of the report together).",
        "ja": "増減 (ポイント) と信頼区間。区間が0を含まない場合、誤差を超える増減とみなします (レポート全体で{percent}%)。",
    },
    "outcome": {"en": "Outcome", "ja": "結果"},
    "now": {"en": "Now", "ja": "今期間"},
    "earlier": {"en": "Before", "ja": "前期間"},
    "change": {"en": "Change", "ja": "増減"},
    "durations": {"en": "Time until callers left the menu", "ja": "メニューで離脱するまでの時間"},
    "durations_note": {
        "en": "Calls by duration in seconds.",
        "ja": "離脱した通話の秒数別の件数。",
    },
    "durations_label": {
        "en": "Bar chart of the seconds until callers left the menu; most calls, {calls}, are in the range {range}",
        "ja": "メニューで離脱するまでの秒数の棒グラフ。最多は{range}秒の{calls}件",
    },
    "hours": {"en": "When callers left the menu", "ja": "メニューで離脱した曜日と時間帯"},
    "hours_note": {
        "en": "Calls abandoned in the menu, by weekday and starting hour. The palest color is 0; the darkest is {most}.",
        "ja": "メニューで離脱した通話の件数を、開始の曜日と時刻で示します。最も薄い色は0件、最も濃い色は{most}件です。",
    },
    "hours_label": {
        "en": "Heat map of the calls abandoned in the menu, by weekday and hour; the most, {most}, are on {weekday} "
        "at {hour}:00",
        "ja": "メニューで離脱した通話の曜日・時間帯別ヒートマップ。最多は{weekday}曜{hour}時台の{most}件",
    },
    "nobody_left": {"en": "No caller left the menu.", "ja": "メニューで離脱した通話はありません。"},
    "repeats": {"en": "Did completed calls solve the problem?", "ja": "完了した通話で用件は解決したか"},
    "repeats_note": {
        "en": "Completed calls, by whether the same number called again within {hours} hours.",
        "ja": "メニューで完了した通話を、{hours}時間以内に同じ番号から再入電があったかどうかで分けます。",
    },
    "contained": {"en": "did not call again", "ja": "再入電なし"},
    "called_back": {"en": "called again", "ja": "再入電あり"},
    "too_recent": {"en": "too recent to know", "ja": "判定前"},
    "drift": {"en": "Routes that the catalog does not list", "ja": "カタログにないルート"},
    "drift_note": {
        "en": "Calls ended at these routes, but the flow’s route catalog does not list them. Update the catalog, or check "
        "whether another version of the flow is deployed.",
        "ja": "これらのルートで終わった通話がありますが、フローのルートカタログにありません。カタログを更新するか、別のバージョンのフローが"
        "デプロイされていないか確認してください。",
    },
    "flow": {"en": "Flow", "ja": "フロー"},
    "route": {"en": "Route", "ja": "ルート"},
    "stops": {"en": "All stops", "ja": "すべての停止箇所"},
    "stops_note": {
        "en": "Select a column heading to sort. ▲▼ marks changes that are more than noise.",
        "ja": "列見出しを選ぶと並べ替えます。▲▼は誤差を超える増減です。",
    },
    "search": {"en": "Search stops", "ja": "停止箇所を検索"},
    "shown": {"en": "{shown} of {total} stops", "ja": "{total}件中{shown}件を表示"},
    "left_out": {
        "en": "{count} rare stops are left out. --format csv contains all of them.",
        "ja": "到達の少ない停止箇所{count}件は省略しました。--format csvにはすべて含まれます。",
    },
    "stop": {"en": "Stop", "ja": "停止箇所"},
    "reached": {"en": "Reached", "ja": "到達"},
    "continued": {"en": "Went on", "ja": "通過"},
    "left": {"en": "Left", "ja": "離脱"},
    "left_share": {"en": "Left %", "ja": "離脱率"},
    "completed": {"en": "Completed", "ja": "完了"},
    "answered": {"en": "Answered", "ja": "応答"},
    "queue": OUTCOME_LABELS["abandoned_in_queue"],
    "median": {"en": "Median (s)", "ja": "中央値(秒)"},
    "p90": {"en": "90% (s)", "ja": "90%値(秒)"},
    "help": {"en": "What the figures mean", "ja": "数値の説明"},
    "footer": {
        "en": "This page contains no phone numbers and no contact IDs, and loads nothing from the network.",
        "ja": "このページには電話番号もコンタクトIDも含まれず、ネットワークから何も読み込みません。",
    },
}

EXPLANATIONS: tuple[tuple[Labels, Labels], ...] = (
    (
        {"en": "Call", "ja": "通話"},
        {
            "en": "A tracked call to the hotline. A call that is transferred counts once. Each call has one outcome.",
            "ja": "記録された着信1件です。転送された通話も1件と数えます。各通話の結果は1つです。",
        },
    ),
    (
        {"en": "Stop and route", "ja": "停止箇所とルート"},
        {
            "en": "A stop is a place in the menu where callers can hang up. Its route is the value that the flow stores in "
            "the attribute call_route.",
            "ja": "停止箇所は、発信者が切断できるメニュー内の場所です。ルートは、フローが属性call_routeに保存する値です。",
        },
    ),
    (
        OUTCOME_LABELS["abandoned_in_flow"],
        {
            "en": "The caller hung up before the menu was completed, or the flow ended the call without a result. The call "
            "counts at its last stop.",
            "ja": "メニューの完了前に発信者が切断した通話、または結果のないままフローが終了した通話です。最後の停止箇所で数えます。",
        },
    ),
    (
        OUTCOME_LABELS["abandoned_in_queue"],
        {
            "en": "The caller was put into a queue and hung up before an agent answered.",
            "ja": "キューに入り、オペレーターが応答する前に切断された通話です。",
        },
    ),
    (
        OUTCOME_LABELS["answered"],
        {"en": "An agent answered the call.", "ja": "オペレーターが応答した通話です。"},
    ),
    (
        OUTCOME_LABELS["completed"],
        {
            "en": "The caller reached the end of the menu without an agent, for example after an announcement.",
            "ja": "案内を聞くなど、オペレーターなしでメニューの最後まで進んだ通話です。",
        },
    ),
    (
        {"en": "Reached, went on", "ja": "到達、通過"},
        {
            "en": "Calls that reached the stop, and those that went on to a later stop in the catalog’s tree. The "
            "others ended at the stop.",
            "ja": "停止箇所に到達した通話と、そのうちカタログの木構造で次の停止箇所に進んだ通話です。残りはその停止箇所で終わりました。",
        },
    ),
    (
        {"en": "Left, left %", "ja": "離脱、離脱率"},
        {
            "en": "Calls abandoned in the menu at the stop, and their share of the calls that reached it.",
            "ja": "その停止箇所でメニューの途中で離脱した通話数と、到達した通話に対する割合です。",
        },
    ),
    (
        {"en": "Gave up", "ja": "フロー図と要約の「離脱」"},
        {
            "en": "Left in the menu or hung up in the queue.",
            "ja": "メニューの途中での離脱と、待ち時間中の切断の合計です。",
        },
    ),
    (
        {"en": "Detail", "ja": "詳細記録"},
        {
            "en": "Calls have detail if the flow is tracked with callroute track --detail. Their records contain every stop that the "
            "caller reached, and the silences, wrong keys and errors there.",
            "ja": "callroute track --detailで追跡しているフローの通話では、到達したすべての停止箇所と、そこでの無入力・誤入力・エラーも"
            "記録されます。",
        },
    ),
    (
        {"en": "Median, 90%", "ja": "中央値(秒)、90%値(秒)"},
        {
            "en": "Duration of the calls abandoned at the stop: half of them, and 90% of them, were at most this long.",
            "ja": "その停止箇所で離脱した通話の長さです。半数、および90%の通話がこの秒数以内でした。",
        },
    ),
    (
        {"en": "More than noise", "ja": "誤差を超える増減"},
        {
            "en": "Shares vary by chance. The report marks a change only if its confidence interval (Newcombe, corrected for "
            "the number of comparisons) excludes 0.",
            "ja": "割合は偶然でも変動します。信頼区間 (Newcombe法、比較の数で補正) が0を含まない増減だけを示します。",
        },
    ),
)
"""Terms and their explanations."""
