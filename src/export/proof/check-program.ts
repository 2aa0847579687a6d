// SPDX-License-Identifier: AGPL-3.0-or-later

/** Lies in each export, for whoever has Python and `openssl` and no program of ours: so it is text here. */
export const CHECK_PROGRAM = String.raw`#!/usr/bin/env python3
"""Checks an export of Holdfast with nothing but Python's standard library and openssl: python3 proof/check.py [FOLDER]

It believes proof/trust.json. Compare the fingerprint that it prints with one that you have from elsewhere.
"""
import base64, csv, hashlib, json, os, re, struct, subprocess, sys, tempfile

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sha = lambda data: hashlib.sha256(data).digest()
path = lambda name: os.path.join(folder, *name.split("/"))


def demand(holds, words):
    if not holds:
        sys.exit("DOES NOT HOLD: " + words)


def check_files():
    with open(path("manifest.json"), "rb") as file:
        raw = file.read()
    manifest, names = json.loads(raw), {"manifest.json"}
    for entry in manifest["files"]:
        demand(re.fullmatch(r"(?!\.)[^/\\\0]+(/(?!\.)[^/\\\0]+)*", entry["name"]), "a name in the manifest")
        digest, size = hashlib.sha256(), 0
        demand(os.path.isfile(path(entry["name"])), entry["name"] + " is missing")
        with open(path(entry["name"]), "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
                size += len(chunk)
        demand((digest.hexdigest(), size) == (entry["sha256"], entry["size"]), entry["name"] + " is another one")
        names.add(entry["name"])
    for base, _, files in os.walk(folder):
        for file in files:
            name = os.path.relpath(os.path.join(base, file), folder).replace(os.sep, "/")
            demand(name in names or name.startswith("stamps/"), name + " is not in the manifest")
    print("files       %d, as manifest.json says, whose SHA-256 is %s" % (len(names) - 1, sha(raw).hex()))
    return manifest


def check_checkpoint(manifest):
    trust = json.load(open(path("proof/trust.json")))
    typed = base64.b64decode(trust["log"].split("+", 2)[2])
    demand(typed[0] == 1 and len(typed) == 33, "the log's key")
    spki = bytes.fromhex("302a300506032b6570032100") + typed[1:]
    text, lines = open(path("proof/checkpoint.txt"), "rb").read().rsplit(b"\n\n", 1)
    text += b"\n"
    origin, size, root = text.decode().split("\n")[:3]
    name = trust["log"].split("+", 2)[0]
    blobs = [base64.b64decode(line.split(" ")[2]) for line in lines.decode().splitlines() if line.split(" ")[1] == name]
    demand(blobs and origin == trust["origin"] == manifest["origin"], "the checkpoint is of another log")
    with tempfile.TemporaryDirectory() as scratch:
        at = lambda name: os.path.join(scratch, name)
        for name, data in (("key", spki), ("text", text), ("sig", blobs[0][4:])):
            open(at(name), "wb").write(data)
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", at("key"), "-rawin",
                               "-in", at("text"), "-sigfile", at("sig")], capture_output=True)
    demand(done.returncode == 0, "the log's signature of the checkpoint")
    own = manifest["checkpoint"]
    demand((own["size"], own["root"]) == (int(size), base64.b64decode(root).hex()), "the manifest names another checkpoint")
    print("checkpoint  %s entries of %s, signed by the log key %s" % (size, origin, sha(spki).hex()))
    return int(size), base64.b64decode(root), origin


def push(stack, first, level, digest):
    while stack and stack[-1][1] == level and stack[-1][0] % (2 << level) == 0:
        first, _, left = stack.pop()
        digest, level = sha(b"\x01" + left + digest), level + 1
    stack.append((first, level, digest))


def check_log(size, root, origin):
    """Folds the log from left to right; gives id and commitment of each record by its number."""
    stack, at, shown = [], 0, {}
    with open(path("proof/log.txt"), "rb") as file:
        head = [file.readline().decode() for _ in range(3)]
        demand(head == ["holdfast log proof v1\n", origin + "\n", "%d\n" % size], "the head of proof/log.txt")
        for line in file:
            first, rest = line[:-1].split(b" ", 1)
            demand(int(first) == at, "the order of proof/log.txt")
            if rest.startswith(b"{"):
                digest, level = sha(b"\x00" + rest), 0
                shown[at] = (digest.hex(), json.loads(rest).get("com"))
            else:
                height, text = rest.split(b" ")
                level, digest = int(height), base64.b64decode(text)
                demand(len(digest) == 32 and at % (1 << level) == 0, "a subtree of proof/log.txt")
            push(stack, at, level, digest)
            at += 1 << level
    demand(at == size, "proof/log.txt ends early")
    digest = stack.pop()[2]
    while stack:
        digest = sha(b"\x01" + stack.pop()[2] + digest)
    demand(digest == root, "the records do not lead to the root of the checkpoint")
    with open(path("records.csv"), newline="") as file:
        listed = {int(row["leaf"]): row["record_id"] for row in csv.DictReader(file)}
    demand(listed == {leaf: own for leaf, (own, _) in shown.items()}, "records.csv lists other records")
    print("records     %d, all of them in the log" % len(shown))
    return shown


def check_content(shown):
    if not os.path.exists(path("proof/content.jsonl")):
        return print("content     not disclosed here: records are proven, not what they say")
    proven, missing = 0, []
    for line in open(path("proof/content.jsonl"), encoding="utf-8"):
        entry = json.loads(line)
        if "defect" in entry:
            missing.append(entry["leaf"])
            continue
        view = entry["view"].encode()
        part = sha(b"\x03" + bytes.fromhex(entry["salt"]) + struct.pack(">I", len(view)) + view)
        com = sha(b"\x05" + bytes.fromhex(entry["cap"]) + part + bytes.fromhex(entry["raw"])).hex()
        demand(shown[entry["leaf"]][1] == com, "what record %d says is not what it commits to" % entry["leaf"])
        proven += 1
    print("content     of %d records, what they commit to%s" % (proven, "; not to be had of %s" % missing if missing else ""))


manifest = check_files()
check_content(check_log(*check_checkpoint(manifest)))
`;
