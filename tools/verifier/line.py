# SPDX-License-Identifier: Apache-2.0
"""Logs that follow one another: a new log key begins a new log (specification, section 6)."""

import re

from . import ed25519
from .form import Malformed, canonical, is_origin, is_time, parse_canonical, unbase64
from .tree import NoteKey, open_checkpoint

_LINK = ("link", "new", "old", "root", "sig")
_BODY = ("at", "cause", "ctx", "end", "from", "n", "to")


class Unsigned(Malformed):
    """A signature that must be there is not, or does not verify."""


def _demand(holds, expected):
    if not holds:
        raise Malformed(expected)


class Link:
    """The word of the root and of both log keys that one log goes on in another."""

    def __init__(self, document, trust):
        outer = parse_canonical(document, _LINK)
        body = outer["link"]
        signed = canonical(body)
        if outer["root"] != trust.root_id or not _is_signed(trust.root, signed, outer["sig"]):
            raise Unsigned("a signature by the trusted root")
        _demand(isinstance(body, dict) and sorted(body) == sorted(_BODY), "a link")
        _demand(body["ctx"] == "holdfast link v1" and is_time(body["at"]), "a link")
        _demand(body["cause"] in ("exchanged", "lost", "stolen") and type(body["n"]) is int and body["n"] >= 1, "cause and number")
        self.cause, self.n, self.old, self.new = body["cause"], body["n"], NoteKey(body["from"]), NoteKey(body["to"])
        names = [key.name + "/" for key in (self.old, self.new)]
        _demand(is_origin(self.old.name) and is_origin(self.new.name), "origins")
        _demand(not names[0].startswith(names[1]) and not names[1].startswith(names[0]), "two logs, neither within the other")
        _demand(self.old.raw != self.new.raw, "two log keys")
        self.end = _end(body["end"]) if body["end"] is not None else None
        _demand((self.cause == "exchanged") == (self.end is None), "an end where the old key signs none")
        if not _is_signed(self.new.raw, signed, outer["new"]):
            raise Unsigned("a signature by the new log key")
        if self.cause == "exchanged" and not _is_signed(self.old.raw, signed, outer["old"]):
            raise Unsigned("a signature by the old log key")
        _demand(self.cause == "exchanged" or outer["old"] is None, "no signature of a key that is lost or stolen")


def _is_signed(raw, signed, sig):
    return isinstance(sig, str) and ed25519.verify(raw, signed, unbase64(sig))


def _end(value):
    _demand(isinstance(value, dict) and sorted(value) == ["root", "size"], "root and size")
    size, root = value["size"], value["root"]
    _demand(type(size) is int and size >= 1 and isinstance(root, str) and re.fullmatch("[0-9a-f]{64}", root), "root and size")
    return size, bytes.fromhex(root)


class Predecessor:
    """What a log says of the one before it."""

    def __init__(self, document, trust):
        said = parse_canonical(document, ("checkpoint", "ctx", "link"))
        _demand(said["ctx"] == "holdfast predecessor v1" and isinstance(said["link"], str), "what a log says of the one before")
        self.document = said["link"].encode()
        self.link, note = Link(self.document, trust), said["checkpoint"]
        _demand((note is None) == (self.link.end is not None), "a checkpoint, or an end in the link")
        try:
            self.end = self.link.end or open_checkpoint(note, self.link.old)
        except Malformed as problem:
            raise Unsigned(str(problem)) from None


class Links:
    """Which log this one follows, and which follows it."""

    def __init__(self, trust, findings):
        self.trust, self.findings = trust, findings
        self.predecessor = self.successor = None
        self.lines, self.ended = [], False

    @property
    def number(self):
        return self.predecessor.link.n if self.predecessor else 0

    def judge_segment(self, first):
        if self.ended:
            self.findings.add("verify/log-continued", "nothing behind the end", "a segment", leaf=first)

    def apply(self, entry, line, leaf, documents):
        document = documents.get(entry["doc"])
        try:
            _demand(document is not None, "the link's document")
            if entry["kind"] == "predecessor":
                self._predecessor(entry, line, leaf, document)
            else:
                self.ended = True
                link = Link(document, self.trust)
                ours = (link.old.name, link.old.raw, link.cause) == (self.trust.origin, self.trust.log.raw, "exchanged")
                _demand(ours and entry["n"] == link.n == self.number + 1, "a link from this log, of the next number")
                self.successor = document
        except Malformed as problem:
            code = "verify/link-signature" if isinstance(problem, Unsigned) else "verify/link-malformed"
            self.findings.add(code, str(problem), leaf=leaf)

    def _predecessor(self, entry, line, leaf, document):
        _demand(leaf == 1, "the second entry of the log")
        self.lines = [(document, line)]
        said = Predecessor(document, self.trust)
        ours = (said.link.new.name, said.link.new.raw) == (self.trust.origin, self.trust.log.raw)
        _demand(ours and entry["n"] == said.link.n, "a link to this log, of its number")
        self.predecessor = said

    def finish(self, whole):
        before, said = self.trust.before, self.predecessor
        if before is None or (said is None and not whole):
            return
        if said is None or (said.link.old.name, said.link.old.raw, said.link.n) != (before.name, before.raw, self.trust.number):
            self.findings.add("verify/link-missing", f"a link from {before.name}", "none", leaf=1)


class TrustBefore:
    """What the root says of the log before, to verify it by."""

    def __init__(self, trust, link):
        self.origin, self.root, self.root_id, self.log = link.old.name, trust.root, trust.root_id, link.old
        self.before, self.number = None, 0


def judge_end(later, log, findings):
    """The earlier log, once it was read, against what the later one says of its end."""
    said = later.links.predecessor
    size, root = said.end
    for entry, line in later.rules.begun.values():
        log.rules.apply_retention(entry, line, size)
    known = log.tree is not None
    if size > log.size:
        if known:
            findings.add("verify/predecessor-end", f"{size} leaves", str(log.size))
    else:
        if log.roots.get(size, root) != root:
            findings.add("verify/predecessor-end", root.hex(), log.roots[size].hex())
        if log.size > size:
            findings.add("verify/log-continued", f"{size} leaves", str(log.size))
    announced = said.link.cause != "exchanged" or log.links.successor == said.document
    if said.link.n != log.links.number + 1 or not (announced or not known):
        findings.add("verify/predecessor-end", "an end that names the log behind it", "another, or none")
