# SPDX-License-Identifier: Apache-2.0
"""What is stored or signed as a whole: segments, batch statements, manifests, wrapped secrets, heads (specification, sections 3 to 7)."""

import base64
import hashlib
import re

from . import ed25519
from .form import Malformed, canonical, is_origin, is_time, parse_canonical, sha256_hex, unbase64
from .tree import NoteKey, Range

MAX_LINES, MAX_SEGMENT_BYTES, MAX_JWE_BYTES = 2**20, 128 * 2**20, 16384
_HEAD = ("batches", "checkpoint", "docs", "edge", "entries", "first", "origin")
_TAIL = ("at", "ctx", "key", "origin", "root", "seg", "sig", "size")
_STATEMENT = ("count", "ctx", "first", "gen", "key", "last", "origin", "sig", "stream")
_MANIFEST = ("at", "ctx", "evaluation", "n", "origin", "previous", "recipients", "signers")
_STREAM_LINE = ("acct", "app", "at", "closed", "gen", "id", "key", "leaf", "role", "seq", "stream")
_SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")
_SPKI_P384 = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200")
_P384 = 2**384 - 2**128 - 2**96 + 2**32 - 1
_P384_B = 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF


def key_id(raw):
    return hashlib.sha256(_SPKI_ED25519 + raw).hexdigest()[:32]


def _is_hex(value, digits):
    return isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value) is not None


def _is_count(value, least=0):
    return type(value) is int and value >= least


def _demand(holds, expected):
    if not holds:
        raise Malformed(expected)


def unsigned(document):
    """What a signature in `sig` covers."""
    return canonical({name: value for name, value in document.items() if name != "sig"})


class Trust:
    """trust.json: the log's name, the root key of manifests, and the log's verifier key."""

    def __init__(self, document):
        self.origin = document["origin"]
        self.root = unbase64(document["root"], 32)
        self.log = NoteKey(document["log"])
        self.root_id = key_id(self.root)
        self.before = NoteKey(document["before"]) if "before" in document or "number" in document else None
        self.number = document["number"] if self.before else 0
        _demand(type(self.number) is int and (self.number > 0) == (self.before is not None), "the log before, and the number of this one")
        _demand(document["v"] == 1 and ed25519.is_public_key(self.root) and self.log.name == self.origin, "a trust file")


class Segment:
    """The parts of a segment. Raises Malformed unless form, counts and `seg` hold; signatures are checked elsewhere."""

    def __init__(self, data):
        _demand(data.endswith(b"\n") and data.count(b"\n") <= MAX_LINES, f"lines, at most {MAX_LINES}")
        lines = data[:-1].split(b"\n")
        _demand(len(lines) >= 4 and lines[0] == b"holdfast segment v1", "the first line of a segment")
        self.head = head = parse_canonical(lines[1], _HEAD)
        self.tail = tail = parse_canonical(lines[-1], _TAIL)
        counts = [head[name] for name in ("docs", "batches", "entries")]
        _demand(all(map(_is_count, counts)) and counts[2] > 0 and sum(counts) == len(lines) - 3, "as many lines as its head says")
        docs, batches = counts[0] + 2, counts[0] + counts[1] + 2
        self.docs = {sha256_hex(line): line for line in lines[2:docs]}
        self.statements, self.entries = lines[docs:batches], lines[batches:-1]
        self.first, self.size = head["first"], tail["size"]
        _demand(_is_count(self.first) and self.size == self.first + counts[2], "a size that its leaves give")
        _demand(isinstance(head["checkpoint"], str) and isinstance(head["edge"], list), "a checkpoint and an edge")
        self.edge = Range(self.first, [unbase64(text, 32) for text in head["edge"]])
        _demand(tail["ctx"] == "holdfast segment tail v1" and is_time(tail["at"]) and _is_hex(tail["key"], 32), "a tail")
        _demand(isinstance(head["origin"], str) and tail["origin"] == head["origin"], "one origin")
        self.root, self.signature = unbase64(tail["root"], 32), unbase64(tail["sig"], 64)
        _demand(tail["seg"] == sha256_hex(data[: len(data) - len(lines[-1]) - 1]), "the hash of the lines before the tail")
        for line in lines[2:docs]:
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                raise Malformed("UTF-8") from None


def parse_statement(line):
    batch = parse_canonical(line, _STATEMENT)
    _demand(batch["ctx"] == "holdfast batch v1" and is_origin(batch["origin"]), "a batch statement")
    _demand(_is_hex(batch["stream"], 32) and _is_hex(batch["key"], 32) and _is_hex(batch["last"], 64), "ids")
    _demand(_is_count(batch["first"]) and _is_count(batch["gen"]) and _is_count(batch["count"], 1) and batch["count"] <= 256, "counts")
    unbase64(batch["sig"], 64)
    return batch


def wrapped_to(line):
    """Key ids that an epoch's document is wrapped to, ascending. Raises Malformed."""
    _demand(len(line) <= MAX_JWE_BYTES and not re.search(rb"\s", line), "at most 16 KiB without white space")
    jwe = _parse_once(line)
    _members(jwe, ("ciphertext", "iv", "protected", "recipients", "tag"))
    _demand(all(_is_base64url(jwe[name]) for name in ("ciphertext", "iv", "protected", "tag")), "base64url")
    _demand(isinstance(jwe["recipients"], list) and jwe["recipients"], "recipients")
    ids = []
    for recipient in jwe["recipients"]:
        _members(recipient, ("encrypted_key", "header"))
        header = recipient["header"]
        _members(header, ("alg", "epk", "kid"))
        _members(header["epk"], ("crv", "kty", "x", "y"))
        epk = header["epk"]
        _demand(_is_base64url(recipient["encrypted_key"]), "base64url")
        _demand(all(_is_base64url(epk[name]) and len(epk[name]) == 64 for name in ("x", "y")), "coordinates of P-384")
        _demand((header["alg"], epk["crv"], epk["kty"]) == ("ECDH-ES+A256KW", "P-384", "EC"), "ECDH-ES+A256KW on P-384")
        _demand(_is_hex(header["kid"], 32), "a key id")
        ids.append(header["kid"])
    return sorted(ids)


def _parse_once(line):
    """JSON in any order of members, but each once, and each string in its one shortest spelling."""
    import json

    def once(pairs):
        _demand(len(dict(pairs)) == len(pairs), "each member once")
        return dict(pairs)

    try:
        text = line.decode("utf-8")
        value = json.loads(text, object_pairs_hook=once)
        _demand(json.dumps(value, separators=(",", ":"), ensure_ascii=False) == text, "no other spelling")
        return value
    except (ValueError, RecursionError):
        raise Malformed("JSON") from None


def _members(value, names):
    _demand(isinstance(value, dict) and sorted(value) == sorted(names), "an object with the members " + ", ".join(names))


def _is_base64url(text):
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]+", text) is not None


class Manifest:
    """A manifest that the root signed. `code` says what a refused one is held for."""

    class Refused(Malformed):
        def __init__(self, code, expected):
            super().__init__(expected)
            self.code = code

    def __init__(self, line, trust):
        try:
            outer = parse_canonical(line, ("manifest", "root", "sig"))
            body = outer["manifest"]
            self._read(body, trust.origin)
            signature = unbase64(outer["sig"], 64)
        except Malformed as problem:
            raise self.Refused("verify/manifest-malformed", str(problem)) from None
        if outer["root"] != trust.root_id or not ed25519.verify(trust.root, canonical(body), signature):
            raise self.Refused("verify/manifest-signature", "a signature by the trusted root")

    def _read(self, body, origin):
        _members(body, _MANIFEST)
        _demand(body["ctx"] == "holdfast manifest v1" and body["origin"] == origin, "a manifest of this log")
        _demand(is_time(body["at"]) and type(body["evaluation"]) is bool and _is_count(body["n"]), "a manifest")
        _demand(body["previous"] is None if body["n"] == 0 else _is_hex(body["previous"], 64), "the manifest before it")
        _demand(isinstance(body["recipients"], list) and isinstance(body["signers"], list), "recipients and signers")
        self.n, self.previous, self.at, self.evaluation = body["n"], body["previous"], body["at"], body["evaluation"]
        ids = [self._recipient(recipient) for recipient in body["recipients"]]
        _demand({item["role"] for item in body["recipients"]} == {"reader", "escrow"}, "a recipient of each role")
        self.recipients = sorted(ids)
        self.signers, self.keys, self.witnesses = {}, {}, []
        for signer in body["signers"]:
            _members(signer, ("name", "pub", "role"))
            raw = unbase64(signer["pub"], 32)
            _demand(signer["role"] in ("archiver", "auditor", "connector", "officer", "reader", "witness"), "a role")
            named = isinstance(signer["name"], str) and re.fullmatch("[a-z0-9][a-z0-9.-]{0,63}", signer["name"])
            _demand(named and ed25519.is_public_key(raw), "a name and a key")
            ids.append(key_id(raw))
            self.signers[ids[-1]], self.keys[ids[-1]] = signer["role"], raw
            if signer["role"] == "witness":
                self.witnesses.append((signer["name"], raw))
        _demand(len(set(ids)) == len(ids), "each key once")

    @staticmethod
    def _recipient(item):
        _members(item, ("kid", "role", "x", "y"))
        raw = b""
        for name in ("x", "y"):
            text = item[name]
            _demand(isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]{64}", text) is not None, "coordinates of P-384")
            raw += base64.urlsafe_b64decode(text)
        x, y = int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big")
        _demand(x < _P384 and y < _P384 and (y * y - x * x * x + 3 * x - _P384_B) % _P384 == 0, "a point of P-384")
        _demand(item["kid"] == hashlib.sha256(_SPKI_P384 + b"\4" + raw).hexdigest()[:32], "the key's id")
        return item["kid"]


def parse_heads(data):
    """(counts, manifests, rules, streams) of a heads object; rules and streams as they stand. Raises Malformed."""
    _demand(data.endswith(b"\n"), "lines")
    lines = data[:-1].split(b"\n")
    _demand(len(lines) >= 2 and lines[0] == b"holdfast heads v1", "the first line of heads")
    counts = parse_canonical(lines[1], ("docs", "leaves", "origin", "rules", "streams"))
    sizes = [counts[name] for name in ("docs", "rules", "streams")]
    _demand(all(map(_is_count, sizes)) and sum(sizes) == len(lines) - 2 and _is_count(counts["leaves"]), "as many lines as it says")
    docs, rules = lines[2 : 2 + sizes[0]], lines[2 + sizes[0] : 2 + sizes[0] + sizes[1]]
    streams = lines[2 + sizes[0] + sizes[1] :]
    names = [parse_canonical(line, _STREAM_LINE)["stream"] for line in streams]
    _demand(all(_is_hex(name, 32) for name in names) and names == sorted(set(names)), "streams in ascending order")
    return counts, docs, rules, streams
