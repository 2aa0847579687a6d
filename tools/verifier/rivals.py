# SPDX-License-Identifier: Apache-2.0
"""Segments that lost the race for their place: later versions that are no finding (specification, section 9)."""

from . import ed25519
from .documents import Manifest, Segment, unsigned
from .form import Malformed
from .stored import Unreadable


class Rivals:
    def __init__(self, store, trust):
        self.store, self.trust = store, trust

    def is_rival(self, version, first):
        """True for a segment that another archiver wrote for the same place of the same log. Its signer is judged by any manifest."""
        try:
            rival, winner = Segment(version.read()), Segment(first.read())
        except (Malformed, Unreadable):
            return False
        if any(rival.head[name] != winner.head[name] for name in ("edge", "checkpoint", "first", "origin")):
            return False
        signer = rival.tail["key"]
        archivers = (manifest for manifest in self._manifests() if manifest.signers.get(signer) == "archiver")
        return any(ed25519.verify(manifest.keys[signer], unsigned(rival.tail), rival.signature) for manifest in archivers)

    def _manifests(self):
        """Manifests of the whole log by their signature alone, for what is judged before the log is read."""
        for key in self.store.keys(f"log/{self.trust.origin}/segment/"):
            version = self.store.first(key)
            try:
                segment = Segment(version.read()) if version else None
            except (Malformed, Unreadable):
                continue
            for line in segment.docs.values() if segment else ():
                try:
                    yield Manifest(line, self.trust)
                except Malformed:
                    continue
