# SPDX-License-Identifier: Apache-2.0
"""One log, from its first leaf to its last: segments, batches, keys, epochs, packs and rules (specification, sections 2 to 7)."""

from bisect import bisect_right

from . import ed25519
from .batches import Batches
from .beside import Beside
from .documents import MAX_SEGMENT_BYTES, Segment, unsigned
from .form import BadEntry, Malformed, is_record, parse_entry, seconds
from .findings import Findings
from .heads import Stand, judge_heads
from .line import Links, TrustBefore, judge_end
from .rivals import Rivals
from .rules import Escrow, Keys, Officers, Rules
from .sealed import Bodies, Epochs
from .stored import Payloads, Unreadable, newest_checkpoint, survey
from .streams import MOST_SKEW, Streams
from .tree import EMPTY_ROOT, Range, leaf_hash, open_checkpoint


class Log:
    def __init__(self, store, trust, findings, since=None, later=None):
        self.store, self.trust, self.findings, self.since, self.later = store, trust, findings, since, later
        self.links = Links(trust, findings)
        self.keys, self.rules = Keys(trust, findings), Rules(findings)
        self.streams, self.epochs = Streams(trust.origin, findings), Epochs(findings, self.keys)
        self.officers, self.escrow = Officers(findings, self.keys), Escrow(findings, self.keys)
        self.payloads = Payloads(store, trust.origin, findings, self.officers.disposed)
        self.batches = Batches(self)
        self.tree, self.whole = Range(), True
        self.roots, self.size, self.last_at = {0: EMPTY_ROOT}, 0, ""
        self.leaves, self.segments = [], []
        """Leaf hashes, up to where leaves are missing; of each segment its first leaf, its end, its time and the lock of evidence behind it."""

    def check(self, policy=None, roots=None):
        published, beside = newest_checkpoint(self, "checkpoint", "verify/checkpoint-unsigned"), Beside(self)
        self.wanted = beside.sizes | {checkpoint[0] for checkpoint in (published, self.since) if checkpoint}
        leaves = survey(self.store, self.trust.origin, self.findings, Rivals(self.store, self.trust).is_rival)
        if not leaves and self.later:
            return self.findings.add("verify/predecessor-absent", f"segments under log/{self.trust.origin}/", "none")
        if not leaves:
            return self.findings.add("verify/log-absent", f"segments under log/{self.trust.origin}/", "none")
        if self.later:
            self.wanted.add(self.later.links.predecessor.end[0])
            self.streams.claims += self.later.streams.foreign
        for leaf in leaves:
            self._segment(leaf)
        if self.rules.store is None and self.whole:
            self.findings.add("verify/store-unstated", "a `store` entry", "none")
        self.compare(published, "checkpoint-ahead", "checkpoint-root")
        self.compare(self.since, "since-rollback", "since-fork")
        if published and published[0] < self.size:
            self.findings.add("verify/checkpoint-behind", f"{self.size} leaves", str(published[0]))
        self.streams.newest = seconds(self.last_at) if self.last_at else 0
        self._finish_line()
        later = self.later.streams if self.later and self.later.all_whole else None
        self.streams.finish(self.keys.readers(), self.links.predecessor is not None, later)
        if self.payloads.locks and not self.store.sees_locks:
            self.findings.add("verify/locks-unseen", "a store that shows locks and versions", "a folder")
        self.escrow.finish(self.last_at)
        self._check_payloads()
        beside.judge(policy, roots)
        if self.store.newest(f"log/{self.trust.origin}/checkpoint") is None:
            self.findings.add("verify/checkpoint-missing", "a published checkpoint", "none")
            # What cutting off the last segments would leave as well.
            if "verify/pack-orphan" in self.findings.by_code:
                self.findings.add("verify/end-unproven", "a checkpoint, or no packs but named ones", "others")
        return None

    def _finish_line(self):
        self.links.finish(self.whole)
        said = self.links.predecessor
        if self.later:
            judge_end(self.later, self, self.findings)
        if said and said.link.cause != "exchanged":
            self.findings.add("verify/predecessor-abandoned", "an end that the log key signed", said.link.cause, leaf=1)

    def _check_payloads(self):
        ends = self.links.predecessor is None and (self.later is not None or self.links.successor is None)
        whole = self.whole and (self.later is None or self.later.all_whole)
        self.all_whole = whole
        if self.later:
            self.payloads.named = self.later.payloads.named | self.later.payloads.objects.keys()
        self.payloads.check(whole, ends)

    def check_before(self, policy=None, roots=None):
        """Verifies the logs before this one, the nearest first. What is found in them is found here."""
        said = self.links.predecessor
        if said is None or (self.later and said.link.n >= self.later.links.number):
            return
        findings = Findings()
        earlier = Log(self.store, TrustBefore(self.trust, said.link), findings, later=self)
        asked = policy if policy and any(key.hash == said.link.old.hash for key in policy.logs) else None
        earlier.check(asked, roots)
        earlier.check_before(policy, roots)
        self.findings.take(findings, said.link.old.name)

    def compare(self, checkpoint, ahead, other):
        if checkpoint is None:
            return
        size, root = checkpoint
        if size > self.size:
            if self.tree is not None:
                self.findings.add(f"verify/{ahead}", f"{size} leaves", str(self.size))
        elif size in self.roots and self.roots[size] != root:
            self.findings.add(f"verify/{other}", root.hex(), self.roots[size].hex())

    def _segment_of(self, leaf):
        index = bisect_right(self.segments, leaf, key=lambda segment: segment[0]) - 1
        return self.segments[index] if index >= 0 and leaf < self.segments[index][1] else None

    def time_of(self, leaf):
        """Time of the segment with this leaf; None where it was not read."""
        segment = self._segment_of(leaf)
        return segment and segment[2]

    def lasting_at(self, size):
        """The lock that evidence about the log of this size must have; None where that was not read."""
        segment = self._segment_of(size - 1)
        return segment and segment[3]

    # --- Segments -----------------------------------------------------------------------------------------------------------------

    def _segment(self, first):
        key = f"log/{self.trust.origin}/segment/{first:016d}"
        if self.tree is not None and first < self.size:
            return self.findings.add("verify/segment-overlap", f"a segment at {self.size}", str(first), key=key)
        if self.tree is not None and first > self.size:
            self.findings.add("verify/segment-missing", f"a segment at {self.size}", str(first), key=key)
            self._lose_sight()
        version = self.store.first(key)
        if version.size > MAX_SEGMENT_BYTES:
            self.findings.add("verify/too-large", f"{MAX_SEGMENT_BYTES} bytes", str(version.size), key=key)
            return self._lose_sight()
        try:
            segment = Segment(version.read())
        except Malformed as problem:
            self.findings.add("verify/segment-malformed", str(problem), key=key)
            return self._lose_sight()
        except Unreadable as problem:
            self.findings.add("verify/reader-failed", "the bytes that are listed", str(problem), key=key)
            return self._lose_sight()
        if (segment.head["origin"], segment.first) != (self.trust.origin, first):
            self.findings.add("verify/segment-place", f"leaf {first} of this log", f"leaf {segment.first}", key=key)
            return self._lose_sight()
        self._take(segment, key)
        return None

    def _lose_sight(self):
        self.tree, self.whole = None, False
        self.streams.lose_sight()

    def _take(self, segment, key):
        first = segment.first
        self.links.judge_segment(first)
        if self.tree is None:
            self.tree = segment.edge
        elif segment.edge.hashes != self.tree.hashes:
            self.findings.add("verify/segment-edge", "the log before it", "another", key=key)
        self._carried(segment, key)
        self.size, before = segment.size, self.keys.current
        stand = Stand(self.keys, self.links, self.rules, self.streams) if self.whole else None
        entries = self._entries(segment)
        self.batches.take(segment, entries)
        self._clock(segment, entries, key)
        named = {*self.epochs.take(segment.first, entries, segment.docs, before)}
        locks = self._objects(segment, entries) + self._own(segment, entries, stand, named)
        at = seconds(segment.tail["at"])
        self.payloads.segments[key] = self.rules.log_lock(locks, at)
        self.segments.append((first, self.size, segment.tail["at"], self.rules.evidence_lock(at)))
        self._tail(segment, key)
        for name in segment.docs.keys() - named:
            self.findings.add("verify/segment-unused-document", "an entry that names it", name, key=key)

    def _entries(self, segment):
        """(entry, line, id) of each line; the entry is None where it is refused."""
        entries = []
        for line in segment.entries:
            leaf = leaf_hash(line)
            if len(self.leaves) == self.tree.size:
                self.leaves.append(leaf)
            self.tree.append(leaf)
            if self.tree.size in self.wanted:
                self.roots[self.tree.size] = self.tree.root()
            try:
                entry = parse_entry(line)
            except BadEntry as problem:
                entry, self.whole, self.streams.whole = None, False, False
                self.findings.add(problem.code, str(problem), leaf=self.tree.size - 1)
            entries.append((entry, line, leaf.hex()))
        return entries

    def _clock(self, segment, entries, key):
        at = segment.tail["at"]
        if at < self.last_at:
            self.findings.add("verify/clock-back", self.last_at, at, key=key)
        self.last_at = max(self.last_at, at)
        for index, (entry, _, _) in enumerate(entries):
            if entry and is_record(entry) and seconds(entry["at"]) > seconds(at) + MOST_SKEW:
                self.findings.add("verify/clock-ahead", at, entry["at"], leaf=segment.first + index)

    def _carried(self, segment, key):
        note, root = segment.head["checkpoint"], self.tree.root()
        if segment.first == 0:
            if note:
                self.findings.add("verify/segment-checkpoint-root", "none before leaf 0", "a checkpoint", key=key)
            return
        try:
            if open_checkpoint(note, self.trust.log) != (segment.first, root):
                self.findings.add("verify/segment-checkpoint-root", root.hex(), "another log", key=key)
        except Malformed as problem:
            self.findings.add("verify/segment-checkpoint-unsigned", str(problem), key=key)

    def _tail(self, segment, key):
        if segment.root != self.tree.root():
            self.findings.add("verify/segment-root", self.tree.root().hex(), segment.root.hex(), key=key)
        signer = segment.tail["key"]
        current = self.keys.current
        if current is None or current.signers.get(signer) != "archiver":
            if self.whole or current is not None:
                self.findings.add("verify/segment-signer", "an archiver of the manifest in force", signer, key=key)
        elif not ed25519.verify(current.keys[signer], unsigned(segment.tail), segment.signature):
            self.findings.add("verify/segment-signature", "a signature that verifies", key=key)

    # --- The log's own entries, and what records name ----------------------------------------------------------------------------

    def _objects(self, segment, entries):
        """Gives the locks that the objects of the segment's records need."""
        locks, at = [], seconds(segment.tail["at"])
        self._look_for_locks()
        for leaf, (entry, _, _) in enumerate(entries, segment.first):
            for ref in (entry or {}).get("obj", ()):
                locks.append(self.rules.object_lock(entry, at))
                self.payloads.name_object(ref, *locks[-1], leaf)
        return locks

    def _look_for_locks(self):
        self.payloads.locks = self.rules.store is not None and self.rules.store["locks"]

    def _own(self, segment, entries, stand, named):
        """Judges the log's own entries in their order. Gives the locks of the packs among them, and adds to the documents named."""
        locks, bodies, at = [], Bodies(segment.first, entries, self.findings), seconds(segment.tail["at"])
        if segment.first == 0 and (not entries[0][0] or (entries[0][0]["t"], entries[0][0].get("kind")) != ("key", "manifest")):
            self.findings.add("verify/manifest-none", "a manifest as the first entry", "another entry", leaf=0)
        for leaf, (entry, line, _) in enumerate(entries, segment.first):
            if not entry or is_record(entry):
                continue
            kind = entry["t"]
            if entry["log"] != self.trust.origin:
                self.findings.add("verify/entry-origin", self.trust.origin, entry["log"], leaf=leaf)
            if kind == "key":
                named.add(entry["doc"])
                if entry["kind"] == "manifest":
                    self.keys.apply(entry, line, leaf, segment.docs, self.whole)
                else:
                    self.links.apply(entry, line, leaf, segment.docs)
            elif kind in ("hold", "disposition"):
                named.add(entry["objects"]["h"])
                self.officers.apply(entry, leaf, segment.docs)
            elif kind == "escrow":
                self.escrow.apply(entry, leaf, self.officers.approve(entry, leaf), self.whole)
            elif kind == "scrub":
                self.officers.approve(entry, leaf)
            elif kind == "store":
                self.rules.apply_store(entry, line, leaf)
                self._look_for_locks()
            elif kind == "retention":
                self.rules.apply_retention(entry, line, leaf)
            elif kind == "heads":
                self._heads(entry, stand, segment, leaf)
            else:
                locks.append(self.rules.pack_lock(entry, leaf, at))
                self._pack(entry, bodies, locks[-1], leaf)
        bodies.finish()
        return locks

    def _pack(self, entry, bodies, lock, leaf):
        held = bodies.claim(entry, leaf) if entry["t"] == "pack" else None
        if entry["t"] == "repack" and entry["from"] not in self.payloads.packs and self.whole:
            self.findings.add("verify/repack-source", "a pack of this log", entry["from"], leaf=leaf)
        self.payloads.name_pack(entry, held, lock, leaf)

    def _heads(self, entry, stand, segment, leaf):
        name = f"{segment.first:016d}"
        key = f"log/{self.trust.origin}/heads/{name}"
        self.payloads.heads.add(name)
        self.payloads.segments[key] = self.rules.evidence_lock(seconds(segment.tail["at"]))
        where = {"leaf": leaf, "key": key}
        judge_heads(entry, stand, self.store.first(key), self.trust.origin, segment.first, where, self.findings)
