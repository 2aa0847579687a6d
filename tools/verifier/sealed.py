# SPDX-License-Identifier: Apache-2.0
"""What a segment says of sealed bytes: epochs and their documents, packs and the bodies in them (specification, section 4)."""

from .documents import wrapped_to
from .form import Malformed, is_record, seconds


class Epochs:
    """Indices that were used, over the whole log."""

    def __init__(self, findings, keys):
        self.findings, self.keys, self.used, self.last = findings, keys, {}, {}

    def take(self, first, entries, documents, before):
        """`before` is the manifest in force at the segment's first leaf. Gives the epochs that were named."""
        newest = {}
        for leaf, (entry, _, _) in enumerate(entries, first):
            if not entry or "epoch" not in entry:
                continue
            epoch, number, stream = entry["epoch"], entry["i"], entry["stream"]
            newest[epoch] = max(newest.get(epoch, (0, 0)), (seconds(entry["at"]), leaf))
            used, last = self.used.setdefault(epoch, set()), self.last.get(stream, (None, 0))
            if number in used:
                self.findings.add("verify/epoch-index-reused", "an index once", str(number), leaf=leaf)
            elif last[0] == epoch and last[1] > number:
                self.findings.add("verify/epoch-index-order", f"above {last[1]}", str(number), leaf=leaf)
            used.add(number)
            self.last[stream] = (epoch, number)
        for epoch, (at, leaf) in newest.items():
            self._document(epoch, at, leaf, documents, before)
        return newest.keys()

    def _document(self, epoch, at, leaf, documents, before):
        document = documents.get(epoch)
        if document is None:
            return self.findings.add("verify/epoch-document-missing", epoch, "none", leaf=leaf)
        try:
            ids = wrapped_to(document)
        except Malformed as problem:
            return self.findings.add("verify/epoch-malformed", str(problem), leaf=leaf)
        code = self.keys.sealed_to(ids, before, at)
        if code:
            self.findings.add(code, " ".join(before.recipients), " ".join(ids), leaf=leaf)
        return None


class Bodies:
    """The bodies of one segment, and the packs that claim them."""

    def __init__(self, first, entries, findings):
        self.first, self.entries, self.findings = first, entries, findings
        self.bodies = {index: entry for index, (entry, _, _) in enumerate(entries) if entry and "body" in entry}
        self.unread = any(entry is None for entry, _, _ in entries)
        self.covered = {}

    def claim(self, pack, leaf):
        """Bodies that a pack holds, in order; None where that cannot be told."""
        count = len(self.entries)
        ranges = [(begin - self.first, begin - self.first + length) for begin, length in pack["leaves"]]
        if any(begin < 0 or end > count or not self._are_records(begin, end) for begin, end in ranges):
            self.findings.add("verify/pack-range", "records of its segment", leaf=leaf)
            return None
        mine = [n for begin, end in ranges for n in range(begin, end) if n in self.bodies and self.bodies[n]["ret"] == pack["ret"]]
        if any(self.covered.setdefault(n, leaf) != leaf for n in mine):
            self.findings.add("verify/pack-body-twice", "a body in one pack", leaf=leaf)
        refs = [self.bodies[n]["body"] for n in mine]
        total = sum(ref["n"] for ref in refs)
        if total == pack["n"]:
            return refs
        if not self.unread:
            self.findings.add("verify/pack-length", f"{total} bytes", str(pack["n"]), leaf=leaf)
        return None

    def _are_records(self, begin, end):
        return all(entry is None or is_record(entry) for entry, _, _ in self.entries[begin:end])

    def finish(self):
        for index in self.bodies.keys() - self.covered.keys() if not self.unread else ():
            self.findings.add("verify/pack-body-uncovered", "a pack that holds it", "none", leaf=self.first + index)
