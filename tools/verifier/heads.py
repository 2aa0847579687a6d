# SPDX-License-Identifier: Apache-2.0
"""Heads: where every stream stands, as the log itself gives it (specification, section 7)."""

from .documents import parse_heads
from .form import Malformed, canonical, sha256_hex
from .stored import Unreadable
from .tree import leaf_hash, root_of


class Stand:
    """Where the log stands before a segment; None where leaves before it could not be read."""

    def __init__(self, keys, links, rules, streams):
        said = keys.lines + links.lines
        self.documents = sorted(document for document, _ in said)
        self.rules = sorted([line for _, line in said] + rules.lines())
        self.streams = [_state(name, stream) for name, stream in sorted(streams.all.items())]

    def root(self):
        return root_of(leaf_hash(f"{item['stream']} {item['seq']} {item['id']}\n".encode()) for item in self.streams).hex()


def _state(name, stream):
    opened = stream.opened or {"acct": "", "app": "", "gen": 0, "key": "", "role": ""}
    state = {member: opened[member] for member in ("acct", "app", "gen", "key", "role")}
    return state | {"stream": name, "seq": stream.seq, "id": stream.id, "leaf": stream.leaf, "at": stream.at, "closed": stream.closed}


def judge_heads(entry, stand, version, origin, first, where, findings):
    """Holds a heads entry and its stored object against the log. `stand` is None where the log could not be read whole."""
    if stand and (stand.root(), len(stand.streams)) != (entry["root"], entry["streams"]):
        findings.add("verify/heads-root", f"{stand.root()} of {len(stand.streams)}", f"{entry['root']} of {entry['streams']}", **where)
    if version is None:
        return findings.add("verify/heads-missing", "a heads object", "none", **where)
    try:
        data = version.read()
        if (len(data), sha256_hex(data)) != (entry["file"]["n"], entry["file"]["h"]):
            raise Malformed("the bytes that its entry names")
        counts, docs, rules, lines = parse_heads(data)
    except Malformed as problem:
        return findings.add("verify/heads-malformed", str(problem), **where)
    except Unreadable as problem:
        return findings.add("verify/reader-failed", "the bytes that are listed", str(problem), **where)
    if (counts["origin"], counts["leaves"]) != (origin, first):
        return findings.add("verify/heads-place", f"leaf {first} of this log", f"leaf {counts['leaves']}", **where)
    if stand and lines != [canonical(item) for item in stand.streams]:
        findings.add("verify/heads-streams", "where every stream stands", "other lines", **where)
    if stand and (sorted(docs), sorted(rules)) != (stand.documents, stand.rules):
        findings.add("verify/heads-rules", "the manifests and rules in force", "others", **where)
    return None
