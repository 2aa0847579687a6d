# SPDX-License-Identifier: Apache-2.0
"""What is in force as the log is read: manifests and their keys, store, schedules, officers' approvals (specification, sections 2, 3, 6)."""

import re

from . import ed25519
from .documents import Manifest
from .form import add_period, canonical, seconds, unbase64

MAY_SIGN = {
    "connector": {"beat", "close", "content", "gap", "hole", "media", "open"},
    "reader": {"access", "beat", "close", "gap", "hole", "open"},
}
ROUNDING = 2
UPLOAD = 3600
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Keys:
    """Manifests, in their order. The last one is in force."""

    def __init__(self, trust, findings):
        self.trust, self.findings = trust, findings
        self.manifests, self.lines, self.since, self.last_hash = [], [], [], None

    @property
    def current(self):
        return self.manifests[-1] if self.manifests else None

    def apply(self, entry, line, leaf, documents, whole):
        document = documents.get(entry["doc"])
        if document is None:
            return self.findings.add("verify/manifest-document-missing", entry["doc"], "none", leaf=leaf)
        try:
            manifest = Manifest(document, self.trust)
        except Manifest.Refused as problem:
            return self.findings.add(problem.code, str(problem), leaf=leaf)
        follows = manifest.n == len(self.manifests) and manifest.previous == self.last_hash
        if (whole and not follows) or entry["n"] != manifest.n:
            return self.findings.add("verify/manifest-order", f"manifest {len(self.manifests)}", str(manifest.n), leaf=leaf)
        self.manifests.append(manifest)
        self.lines.append((document, line))
        self.since.append(seconds(entry["at"]))
        self.last_hash = entry["doc"]
        return None

    def may(self, key, roles):
        """True if a manifest so far names the key in one of the roles."""
        return any(manifest.signers.get(key) in roles for manifest in self.manifests)

    def raw(self, key):
        return next((manifest.keys[key] for manifest in self.manifests if key in manifest.keys), None)

    def readers(self):
        return {key for manifest in self.manifests for key, role in manifest.signers.items() if role == "reader"}

    def sealed_to(self, recipients, before, at):
        """None if an epoch may have these recipients at a time; else the code that it is held for. `before`: in force at the segment's start."""
        if before is None or recipients == before.recipients:
            return None
        earlier = self.manifests[: self.manifests.index(before)]
        ends = [self.since[n + 1] for n, manifest in enumerate(earlier) if manifest.recipients == recipients]
        if ends and at <= max(ends) + 86400:
            return None
        return "verify/epoch-recipients-retired" if ends else "verify/epoch-recipients"


class Rules:
    """Kind of store and schedules in force."""

    def __init__(self, findings):
        self.findings, self.begun = findings, {}
        self.store, self.store_line, self.schedules, self.schedule_lines = None, None, {}, {}

    def lines(self):
        return [*self.schedule_lines.values(), *([self.store_line] if self.store_line else [])]

    def apply_store(self, entry, line, leaf):
        before, self.store, self.store_line = self.store, entry, line
        if entry["kind"] == "s3" and not entry["locks"]:
            self.findings.add("verify/store-unlocked", "a bucket with locks", "none", leaf=leaf)
        if before and (before["kind"] != entry["kind"] or (before["locks"] and not entry["locks"])):
            self.findings.add("verify/store-changed", before["kind"], entry["kind"], leaf=leaf)

    def apply_retention(self, entry, line, leaf):
        before, at = self.schedules.get(entry["class"]), seconds(entry["at"])
        if before and length_from(at, entry) < length_from(at, before):
            self.findings.add("verify/retention-shortened", "a period no shorter than the last", entry["period"], leaf=leaf)
        if before and before["mode"] == "COMPLIANCE" != entry["mode"]:
            self.findings.add("verify/retention-weakened", before["mode"], entry["mode"], leaf=leaf)
        self.begun.setdefault(entry["class"], (entry, line))
        self.schedules[entry["class"]], self.schedule_lines[entry["class"]] = entry, line

    def pack_lock(self, entry, leaf, at):
        """Holds a pack's date against its schedule from its segment's time on. Gives the lock it needs: mode and seconds."""
        schedule, until = self.schedules.get(entry["ret"]), seconds(entry["until"])
        if schedule is None:
            self.findings.add("verify/pack-provisional", "a schedule", entry["ret"], leaf=leaf)
            return "COMPLIANCE", until
        if entry["t"] == "pack" and until < length_from(at, schedule):
            self.findings.add("verify/pack-short", schedule["period"], entry["until"], leaf=leaf)
        if until > add_period(at, schedule["max"]) + ROUNDING:
            self.findings.add("verify/pack-over-max", schedule["max"], entry["until"], leaf=leaf)
        return schedule["mode"], until

    def object_lock(self, entry, at):
        begin = min(seconds(entry["at"]), at - UPLOAD)
        schedule = self.schedules.get(entry["ret"])
        return (schedule["mode"], length_from(begin, schedule)) if schedule else ("COMPLIANCE", begin)

    def log_lock(self, named, at):
        """A segment is locked no weaker and no shorter than what it names; where it names nothing, as the shortest schedule."""
        if named:
            return "COMPLIANCE" if any(mode == "COMPLIANCE" for mode, _ in named) else "GOVERNANCE", max(until for _, until in named)
        schedules = self.schedules.values()
        strict = schedules and all(schedule["mode"] == "COMPLIANCE" for schedule in schedules)
        return "COMPLIANCE" if strict else "GOVERNANCE", min((length_from(at, schedule) for schedule in schedules), default=at)

    def evidence_lock(self, at):
        """What vouches for everything before it is locked as the longest schedule says, strictly where any is strict."""
        schedules = self.schedules.values()
        strict = any(schedule["mode"] == "COMPLIANCE" for schedule in schedules)
        return "COMPLIANCE" if strict else "GOVERNANCE", max((length_from(at, schedule) for schedule in schedules), default=at)


def length_from(at, schedule):
    """When what is stored at a time may end. The cap counts, so lowering it shortens."""
    return min(add_period(at, schedule["period"]), add_period(at, schedule["max"]))


class Officers:
    """What officers approve, and what dispositions say may be gone."""

    def __init__(self, findings, keys):
        self.findings, self.keys, self.seen, self.disposed = findings, keys, set(), set()

    def approve(self, entry, leaf):
        """True if all signatures hold, and it is none from before."""
        signed = canonical({name: value for name, value in entry.items() if name != "by"})
        approved = signed not in self.seen
        if not approved:
            self.findings.add("verify/approval-replayed", "an approved entry once", leaf=leaf)
        self.seen.add(signed)
        role = "auditor" if entry["t"] == "scrub" else "officer"
        for approval in entry["by"]:
            approved = self._is_approved(approval, role, signed, leaf) and approved
        return approved

    def apply(self, entry, leaf, documents):
        approved = self.approve(entry, leaf)
        document = documents.get(entry["objects"]["h"])
        if document is None or len(document) != entry["objects"]["n"]:
            self.findings.add("verify/approval-document", entry["objects"]["h"], "none", leaf=leaf)
        if document is not None and approved and entry["t"] == "disposition":
            self.disposed.update(_HASH.findall(document.decode("utf-8")))

    def _is_approved(self, approval, role, signed, leaf):
        manifest = self.keys.current
        if manifest is None or manifest.signers.get(approval["key"]) != role:
            self.findings.add("verify/approval-signer", f"an {role} of the manifest in force", approval["key"], leaf=leaf)
            return False
        holds = ed25519.verify(manifest.keys[approval["key"]], signed, unbase64(approval["sig"]))
        if not holds:
            self.findings.add("verify/approval-signature", "a signature that verifies", approval["key"], leaf=leaf)
        return holds


class Escrow:
    """Ceremonies: each is announced before it runs, works on shares that an announced one made, and ends once."""

    def __init__(self, findings, keys):
        self.findings, self.keys, self.open, self.announced, self.since = findings, keys, {}, {}, {}

    def apply(self, entry, leaf, approved, whole):
        if not any(entry["key"] in manifest.recipients for manifest in self.keys.manifests):
            self.findings.add("verify/escrow-key", "a recipient of a manifest", entry["key"], leaf=leaf)
        about = tuple(entry[name] for name in ("key", "split", "need", "of"))
        ceremony, announces = entry["ceremony"], entry["state"] == "announced"
        if not announces:
            holds = self.open.get(ceremony) == (entry["act"], about)
        else:
            split = self.announced.get(entry["split"])
            holds = ceremony not in self.announced and (entry["act"] == "split" or split == ("split", about))
        known = whole or ceremony in self.announced
        if not holds and known:
            self.findings.add("verify/escrow-order", "what must stand before it", ceremony, leaf=leaf)
        elif approved and announces:
            self.announced[ceremony] = self.open[ceremony] = (entry["act"], about)
            self.since[ceremony] = (seconds(entry["at"]), leaf)
        elif approved:
            self.open.pop(ceremony, None)

    def finish(self, newest):
        for ceremony in self.open:
            at, leaf = self.since[ceremony]
            if seconds(newest) - at >= 7 * 86400:
                self.findings.add("verify/escrow-open", "how the ceremony ended", ceremony, leaf=leaf)
