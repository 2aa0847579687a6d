# SPDX-License-Identifier: Apache-2.0
"""What a verdict is made of. Codes and severities are those of the project's catalogue; what is not listed here is a finding."""

NOTES = {
    f"verify/{name}"
    for name in (
        "checkpoint-missing checkpoint-behind segment-unused-document stream-no-last stream-hole pack-disposed pack-provisional "
        "pack-orphan object-disposed object-orphan version-identical version-losing-segment heads-orphan beat-foreign-stream beat-ahead "
        "claim-uncompared predecessor-unread predecessor-abandoned gap-reference clock-back clock-ahead tile-missing witness-unknown witness-none quorum-behind time-unjudged "
        "time-no-revocation escrow-open"
    ).split()
}
UNCHECKED = {
    f"verify/{name}"
    for name in (
        "reader-failed too-large origin-malformed log-absent locks-unseen predecessor-absent end-unproven since-malformed policy-other-log"
    ).split()
} | {"format/trust", "format/policy"}
MOST_KEPT = 100


class Findings:
    def __init__(self):
        self.by_code = {}

    def add(self, code, expected, got="", **where):
        found = self.by_code.setdefault(code, {"code": code, "count": 0, "first": []})
        found["count"] += 1
        if len(found["first"]) < MOST_KEPT:
            found["first"].append({"where": where, "expected": expected, "got": got})

    def take(self, other, origin):
        """Takes over what was found in a log before this one."""
        for code, found in other.by_code.items():
            own = self.by_code.setdefault(code, {"code": code, "count": 0, "first": []})
            own["count"] += found["count"]
            for place in found["first"][: MOST_KEPT - len(own["first"])]:
                own["first"].append({**place, "where": {"log": origin, **place["where"]}})

    def of(self, severity):
        def is_it(code):
            return severity == ("note" if code in NOTES else "unchecked" if code in UNCHECKED else "finding")

        return [self.by_code[code] for code in sorted(self.by_code) if is_it(code)]

    def judge(self, integrity_only):
        """(exit code, headline). 0 verified, 1 findings, 2 could not check."""
        count = sum(found["count"] for found in self.of("finding"))
        unchecked = {found["code"] for found in self.of("unchecked")}
        if count:
            more = "; parts could not be checked" if unchecked - {"verify/locks-unseen"} else ""
            return 1, f"{count} finding{'s' if count > 1 else ''}{more}"
        if unchecked - {"verify/locks-unseen"}:
            return 2, "could not check"
        if unchecked:
            return (0 if integrity_only else 2), "integrity verified; locks and versions not checked"
        return 0, "verified"
