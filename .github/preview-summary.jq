# Summarizes the event log of `pulumi preview` as plain text. With --arg part findings: findings of the policy pack and errors;
# with --arg part changes: changes by resource.

def name: split("::")[3];
def lines: rtrimstr("\n") | gsub("\n"; "\n      ");
# Pulumi puts the description of the rule on top of the message.
def message: split("\n") | if length > 2 then .[1:] else . end | join("\n") | lines;
def count(level): map(select(.enforcementLevel == level)) | length;

["replace", "delete", "update", "create"] as $operations
| (map(.policyEvent // empty) | unique | sort_by([.enforcementLevel != "mandatory", .policyName, .resourceUrn])) as $findings
| (map(.diagnosticEvent // empty | select(.severity == "error").message) | unique) as $errors
| (
    map(.resourcePreEvent.metadata // empty)
    | map(select((.op | IN($operations[])) and (.new // .old).custom and (.type | startswith("pulumi:") | not)))
    | sort_by([(.op as $op | $operations | index($op)), (.urn | name)])
  ) as $changes
| if $part == "findings" then
  (if any(.policyAnalyzeStackSummaryEvent)
   then "Policy pack: \($findings | count("mandatory")) mandatory, \($findings | count("advisory")) advisory findings"
   else "Policy pack: did not run to its end" end),
  ($findings[] | "  [\(.enforcementLevel)] \(.policyName): \((.resourceUrn // "") | name // "the stack")\n      \(.message | message)"),
  (if $errors == [] then empty else "", "Errors:", ($errors[] | "  \(lines)") end)
else
  "Changes: " + (
    [$operations[] as $op | $changes | map(select(.op == $op)) | length | select(. > 0) | "\(.) to \($op)"]
    | if . == [] then "none" else join(", ") end
  ),
  ($changes[] | "  \(.op)  \(.urn | name)  (\(.type))" + (if .diffs then ": \(.diffs | join(", "))" else "" end))
end
