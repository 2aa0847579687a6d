# SPDX-License-Identifier: Apache-2.0
"""What others say of the log, beside it: cosigned checkpoints and time stamps, each named by size and hash (specification, section 5)."""

import re

from .form import Malformed, sha256_hex
from .stored import Unreadable
from .tree import open_checkpoint

MOST_BYTES = 4 * 2**20


class Evidence:
    """An object with the checkpoint that it is about."""

    def __init__(self, version, content, checkpoint):
        self.key, self.version, self.content = version.key, version, content
        self.size, self.root = checkpoint


def read_folder(log, name, malformed, checkpoint_of):
    """All evidence of a folder. `checkpoint_of` gives (content, note) of an object's bytes, or raises Malformed."""
    prefix, found = f"log/{log.trust.origin}/{name}/", []
    for key in log.store.keys(prefix):
        if not re.fullmatch("[0-9]{16}-[0-9a-f]{16}", key[len(prefix) :]):
            log.findings.add("verify/version-unknown-key", "<size>-<hash>", key=key)
            continue
        try:
            version = _first(log, key)
            if version is None:
                continue
            content, note = checkpoint_of(_read(version))
            evidence = Evidence(version, content, open_checkpoint(note, log.trust.log))
            if evidence.size != int(key[len(prefix) :][:16]):
                raise Malformed("a checkpoint of the size in its name")
            found.append(evidence)
        except Malformed as problem:
            log.findings.add(malformed, str(problem), key=key)
        except Unreadable as problem:
            log.findings.add("verify/reader-failed", "the bytes that are listed", str(problem), key=key)
    return found


def _read(version):
    if version.size > MOST_BYTES:
        raise Malformed(f"at most {MOST_BYTES} bytes")
    data = version.read()
    if not _is_named(version.key, data):
        raise Malformed("bytes with the hash of its name")
    return data


def _is_named(key, data):
    return key.endswith("-" + sha256_hex(data)[:16])


def _first(log, key):
    """The version that counts; what lies on top of it is judged."""
    versions = log.store.versions[key]
    objects = [version for version in versions if not version.marker]
    if len(objects) < len(versions):
        log.findings.add("verify/version-delete-marker", "no delete marker", key=key)
    for later in objects[:-1]:
        same = later.size <= MOST_BYTES and _is_named(key, later.read())
        log.findings.add(f"verify/version-{'identical' if same else 'other-bytes'}", "one version", key=key)
    return objects[-1] if objects else None


def of_this_log(log, evidence, kind):
    """False where the log had another root at that size, or is shorter; where leaves are missing, nothing is held against it."""
    if evidence.size > log.size:
        if log.tree is not None:
            log.findings.add(f"verify/{kind}-rollback", f"{evidence.size} leaves", str(log.size), key=evidence.key)
        return False
    root = log.roots.get(evidence.size)
    if root is not None and root != evidence.root:
        log.findings.add(f"verify/{kind}-fork", evidence.root.hex(), root.hex(), key=evidence.key)
    return root == evidence.root


def judge_locks(log, all_evidence):
    """Evidence is locked as the log's rules at its size say; where that was not read, that it is locked is all that is judged."""
    for evidence in all_evidence:
        log.payloads.judge_lock(evidence.version, log.lasting_at(evidence.size) or ("GOVERNANCE", 0))
