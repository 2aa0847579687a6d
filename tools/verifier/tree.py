# SPDX-License-Identifier: Apache-2.0
"""The RFC 6962 tree, signed notes and checkpoints (specification, sections 1 and 5)."""

import hashlib
import re

from . import ed25519
from .form import Malformed, unbase64

MOST_SIGNATURES = 100
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Range:
    """The compact range of the first leaves of a tree: roots of its complete subtrees, the largest first."""

    def __init__(self, size=0, hashes=()):
        if len(hashes) != bin(size).count("1"):
            raise Malformed("as many hashes as the size has complete subtrees")
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf):
        level = self.size
        while level & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            level >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self):
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves):
    tree = Range()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


class NoteKey:
    """A verifier key of a signed note, `name+hash+base64`: Ed25519 alone, of type 1 (notes) or 4 (cosignatures)."""

    def __init__(self, vkey, kind=1):
        match = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", vkey) if isinstance(vkey, str) else None
        if match is None:
            raise Malformed("a verifier key: name+hash+base64")
        typed = unbase64(match[3], 33)
        self._set(match[1], typed)
        if typed[0] != kind or self.hash.hex() != match[2] or not ed25519.is_public_key(self.raw):
            raise Malformed("an Ed25519 key that its hash names")

    @classmethod
    def of(cls, name, raw, kind):
        key = cls.__new__(cls)
        key._set(name, bytes([kind]) + raw)
        return key

    def _set(self, name, typed):
        self.name, self.raw = name, typed[1:]
        self.hash = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]


def parse_note(note):
    """(text, [(name, hash, signature)]) of a signed note. Raises Malformed."""
    try:
        text = note if isinstance(note, str) else note.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("UTF-8") from None
    split = text.rfind("\n\n")
    if split < 0 or not text.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text) or len(text) > 1_000_000:
        raise Malformed("a signed note")
    lines = text[split + 2 : -1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise Malformed(f"at most {MOST_SIGNATURES} signatures")
    return text[: split + 1], [_signature(line) for line in lines]


def _signature(line):
    match = re.fullmatch(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
    blob = unbase64(match[2]) if match else b""
    if len(blob) < 5:
        raise Malformed("signature lines")
    return match[1], blob[:4], blob[4:]


def open_checkpoint(note, key):
    """(size, root) of a checkpoint that `key` signed under its name. Raises Malformed."""
    body, signatures = parse_note(note)
    own = next((signature for name, key_hash, signature in signatures if (name, key_hash) == (key.name, key.hash)), None)
    if own is None or not ed25519.verify(key.raw, body.encode(), own):
        raise Malformed("a signature by the log key that verifies")
    origin, size, root, *extensions = body[:-1].split("\n") + ["", ""]
    if origin != key.name or not re.fullmatch(r"0|[1-9][0-9]{0,15}", size) or int(size) >= 2**53 or "" in extensions[:-2]:
        raise Malformed("a checkpoint of this log")
    return int(size), unbase64(root, 32)
