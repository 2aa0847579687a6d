# SPDX-License-Identifier: Apache-2.0
"""Who cosigned the log, and whether that is what a C2SP tlog-policy asks for (specification, section 5)."""

import re

from . import ed25519
from .evidence import of_this_log, read_folder
from .form import Malformed, seconds
from .tree import NoteKey, parse_note

DAY = 86400
COSIGNATURE = 4
MOST_BYTES, MOST_DEFINITIONS = 100_000, 256


class Policy:
    """Logs, witnesses and the quorum: None, or a rule that tells of a set of keys whether it is met."""

    def __init__(self, data):
        text = data.decode("latin-1")
        if len(text) > MOST_BYTES or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text) or (text and not text.endswith("\n")):
            raise Malformed("lines without control characters")
        self.logs, self.witnesses, self.rules, self.used, self.quorum = [], [], {}, set(), []
        for line in text.split("\n"):
            words = [word for word in re.split("[ \t]+", line) if word]
            if words and not words[0].startswith("#"):
                self._take(*words)
        if len(self.quorum) != 1:
            raise Malformed("one quorum line")

    def is_met(self, keys):
        return self.quorum[0] is None or self.quorum[0]({key.raw for key in keys})

    def _take(self, keyword, *words):
        if len(self.rules) + len(self.logs) >= MOST_DEFINITIONS:
            raise Malformed(f"at most {MOST_DEFINITIONS} definitions")
        if keyword == "log" and len(words) in (1, 2):
            self._add(words[0], 1, self.logs)
        elif keyword == "witness" and len(words) in (2, 3):
            key = self._add(words[1], COSIGNATURE, self.witnesses)
            self._define(words[0], lambda keys: key.raw in keys)
        elif keyword == "group" and len(words) >= 3:
            self._group(*words)
        elif keyword == "quorum" and len(words) == 1:
            self.quorum.append(None if words[0] == "none" else self._named(words[0]))
        else:
            raise Malformed("log, witness, group and quorum lines")

    @staticmethod
    def _add(vkey, kind, known):
        try:
            key = NoteKey(vkey.encode("latin-1").decode("utf-8"), kind)
        except UnicodeDecodeError:
            raise Malformed("UTF-8") from None
        if any(key.raw == other.raw for other in known):
            raise Malformed("each key once")
        known.append(key)
        return key

    def _define(self, name, rule):
        if name == "none" or name in self.rules:
            raise Malformed("a name of its own")
        self.rules[name] = rule

    def _named(self, name):
        if name not in self.rules:
            raise Malformed("a witness or group of a line before")
        return self.rules[name]

    def _group(self, name, least, *names):
        members = [self._named(member) for member in names]
        if len(set(names)) < len(names) or self.used & set(names):
            raise Malformed("each name in one group only")
        self.used |= set(names)
        number = int(least) if re.fullmatch("[1-9][0-9]{0,3}", least) else {"all": len(members), "any": 1}.get(least, 0)
        if not 1 <= number <= len(members):
            raise Malformed(f"all, any, or 1 to {len(members)}")
        self._define(name, lambda keys: sum(member(keys) for member in members) >= number)


def read_cosigned(log):
    return read_folder(log, "witness", "verify/witness-malformed", lambda data: (data, data))


def judge_witnesses(log, cosigned, policy):
    if policy and policy.logs and all(key.hash != log.trust.log.hash for key in policy.logs):
        log.findings.add("verify/policy-other-log", "the log key of the trust file", "others")
    known, by_size = _known(log, policy), {}
    for evidence in cosigned:
        if of_this_log(log, evidence, "witness"):
            by_size.setdefault(evidence.size, set()).update(_cosigners(log, evidence, known))
    met = [size for size, keys in by_size.items() if keys and (policy is None or policy.is_met(keys))]
    if not log.size or (policy is None and not known) or (policy and policy.quorum == [None]):
        return
    if not met:
        code = "quorum-missing" if policy else "witness-none"
        log.findings.add(f"verify/{code}", "a checkpoint that enough witnesses cosigned", "none")
    elif policy and max(met) < log.size:
        since = log.time_of(max(met))
        if since is not None:
            old = seconds(log.last_at) - seconds(since) > DAY
            log.findings.add(f"verify/quorum-{'stale' if old else 'behind'}", f"a quorum for {log.size} leaves", f"for {max(met)}")


def _known(log, policy):
    """Those of the policy, and those of every manifest: a witness that was replaced still said what it said."""
    known = {(key.name, key.hash): key for key in policy.witnesses} if policy else {}
    for manifest in log.keys.manifests:
        for name, raw in manifest.witnesses:
            key = NoteKey.of(name, raw, COSIGNATURE)
            known.setdefault((key.name, key.hash), key)
    return known


def _cosigners(log, evidence, known):
    body, lines = parse_note(evidence.content)
    found = {}
    for name, key_hash, signature in lines:
        key = known.get((name, key_hash))
        if key is None or key in found:
            continue
        at = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {at}\n{body}".encode()
        if len(signature) != 72 or not 0 < at < 2**53 or not ed25519.verify(key.raw, message, signature[8:]):
            log.findings.add("verify/witness-signature", "a cosignature that verifies", key.name, key=evidence.key)
            return ()
        found[key] = at
    if not found:
        log.findings.add("verify/witness-unknown", "a witness that is known", "others", key=evidence.key)
    return found
