# SPDX-License-Identifier: Apache-2.0
"""Records under their statements (specification, section 3)."""

from . import ed25519
from .documents import parse_statement, unsigned
from .form import Malformed, is_record, unbase64
from .rules import MAY_SIGN


class Batches:
    def __init__(self, log):
        self.log, self.findings = log, log.findings

    def take(self, segment, entries):
        """Walks the records under their statements."""
        at, lost = 0, False
        for line in segment.statements:
            try:
                batch = parse_statement(line)
            except Malformed as problem:
                self.findings.add("verify/batch-malformed", str(problem), leaf=segment.first + at)
                lost = True
                continue
            if lost:
                continue
            end = at + batch["count"]
            if end > len(entries):
                self.findings.add("verify/batch-overrun", f"{len(entries) - at} entries", str(batch["count"]), leaf=segment.first + at)
            role = self._signer(batch, segment.first + at)
            self._batch(batch, role, entries[at:end], segment.first + at, end > len(entries))
            at = min(end, len(entries))
        for index in range(at, len(entries)):
            entry, _, leaf_id = entries[index]
            if entry and is_record(entry):
                if not lost:
                    self.findings.add("verify/batch-uncovered", "a batch", "none", leaf=segment.first + index)
                self.log.streams.take(entry, segment.first + index, leaf_id)

    def _signer(self, batch, leaf):
        """Judges who signed, by the manifest in force before the batch. Gives the role, or None."""
        where = {"leaf": leaf, "stream": batch["stream"]}
        if batch["origin"] != self.log.trust.origin:
            self.findings.add("verify/batch-origin", self.log.trust.origin, batch["origin"], **where)
        if self.log.keys.current is None:
            if self.log.whole:
                self.findings.add("verify/manifest-none", "a manifest before the first record", "none", **where)
            return None
        role = self.log.keys.current.signers.get(batch["key"])
        if role not in MAY_SIGN:
            code = "batch-retired-signer" if self.log.keys.may(batch["key"], MAY_SIGN) else "batch-signer"
            self.findings.add(f"verify/{code}", "a connector or reader of the manifest in force", batch["key"], **where)
            role = None
        raw = self.log.keys.raw(batch["key"])
        if raw and not ed25519.verify(raw, unsigned(batch), unbase64(batch["sig"])):
            self.findings.add("verify/batch-signature", "a signature that verifies", **where)
        return role

    def _batch(self, batch, role, covered, leaf, overrun):
        where = {"leaf": leaf, "stream": batch["stream"]}
        for index, (entry, _, leaf_id) in enumerate(covered):
            place = {"leaf": leaf + index, "stream": batch["stream"]}
            if entry is None:
                self.log.streams.unread(batch["stream"])
            elif not is_record(entry):
                if not overrun:
                    self.findings.add("verify/entry-order", "a record", entry["t"], **place)
            else:
                if entry["stream"] != batch["stream"]:
                    self.findings.add("verify/batch-foreign-record", batch["stream"], entry["stream"], **place)
                if role and entry["t"] not in MAY_SIGN[role]:
                    self.findings.add("verify/batch-role", f"what a {role} signs", entry["t"], **place)
                if entry["t"] == "hole" and index + 1 < batch["count"]:
                    self.findings.add("verify/batch-hole", "a hole at the end of its batch", **place)
                self.log.streams.take(entry, leaf + index, leaf_id)
        entry, last = covered[0][0] if covered else None, covered[-1] if covered else None
        if entry and is_record(entry):
            if entry["seq"] != batch["first"]:
                self.findings.add("verify/batch-first", str(batch["first"]), str(entry["seq"]), **where)
            self._opened(batch, self.log.streams.all.get(entry["stream"]), where)
        if last and not overrun and last[2] != batch["last"] and (last[0] is None or is_record(last[0])):
            self.findings.add("verify/batch-last", batch["last"], last[2], **where)

    def _opened(self, batch, stream, where):
        if stream is None or stream.opened is None:
            return
        if batch["key"] != stream.key:
            self.findings.add("verify/batch-stream-key", stream.key, batch["key"], **where)
        if batch["gen"] != stream.opened["gen"]:
            self.findings.add("verify/batch-generation", str(stream.opened["gen"]), str(batch["gen"]), **where)
