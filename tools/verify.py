#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Verifies an archive in a folder: python3 tools/verify.py DIR --trust trust.json. See tools/README.md."""

import argparse
import json
import sys

# An auditor's machine is left as it was.
sys.dont_write_bytecode = True

from verifier.documents import Trust  # noqa: E402
from verifier.findings import Findings  # noqa: E402
from verifier.form import Malformed, is_origin  # noqa: E402
from verifier.log import Log  # noqa: E402
from verifier.stamps import Roots  # noqa: E402
from verifier.stored import Store, Unreadable  # noqa: E402
from verifier.tree import open_checkpoint  # noqa: E402
from verifier.witnesses import Policy  # noqa: E402


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Verifies an archive. Ends with 0: verified, 1: findings, 2: could not check.")
    parser.add_argument("folder", help="the archive, or a copy of it")
    parser.add_argument("--trust", required=True, help="trust.json, from where it is not in the archive's reach")
    parser.add_argument("--since", help="a checkpoint seen earlier: the log only grew since then")
    parser.add_argument("--policy", help="C2SP policy: which witnesses must have cosigned the log")
    parser.add_argument("--tsa-ca", help="PEM: roots of the time-stamping authorities that you trust")
    parser.add_argument("--listing", help="versions and locks of a bucket, one JSON object a line (tools/README.md)")
    parser.add_argument("--integrity-only", action="store_true", help="0 for a copy that shows neither locks nor versions")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    options = parser.parse_args(arguments)
    findings = Findings()
    log = verify(options, findings)
    exit_code, headline = findings.judge(options.integrity_only)
    report = {
        "headline": headline,
        "exitCode": exit_code,
        "size": log.size if log else 0,
        "evaluation": bool(log and log.keys.current and log.keys.current.evaluation),
        **{name: findings.of(name[:-1] if name != "unchecked" else name) for name in ("findings", "unchecked", "notes")},
    }
    print(json.dumps(report, indent=1) if options.json else as_text(report))
    return exit_code


def verify(options, findings):
    """Fills the findings; gives the log, or None where there was none to check."""
    try:
        with open(options.trust, encoding="utf-8") as file:
            document = json.load(file)
        if not is_origin(document.get("origin")):
            return findings.add("verify/origin-malformed", "the name of a log", "none")
        trust = Trust(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Malformed) as problem:
        return findings.add("format/trust", "a trust file", type(problem).__name__)
    since = None
    if options.since:
        try:
            with open(options.since, "rb") as file:
                since = open_checkpoint(file.read(), trust.log)
        except (OSError, Malformed):
            return findings.add("verify/since-malformed", "a checkpoint that the log key signed", "none")
    policy = None
    if options.policy:
        try:
            with open(options.policy, "rb") as file:
                policy = Policy(file.read())
        except (OSError, Malformed) as problem:
            return findings.add("format/policy", "a C2SP policy", str(problem))
    try:
        roots = Roots(options.tsa_ca) if options.tsa_ca else None
        log = Log(Store(options.folder, options.listing), trust, findings, since)
        log.check(policy, roots)
        log.check_before(policy, roots)
        return log
    except (OSError, Unreadable) as problem:
        return findings.add("verify/reader-failed", "an archive that can be read", str(problem))


def as_text(report):
    lines = [report["headline"], f"{report['size']} leaves"]
    if report["evaluation"]:
        lines.append("keys for evaluation: one machine made them all")
    for kind in ("findings", "unchecked", "notes"):
        for found in report[kind]:
            lines.append(f"{kind.removesuffix('s')}  {found['code']}  {found['count']}")
            for place in found["first"][:5]:
                where = " ".join(f"{name} {value}" for name, value in place["where"].items())
                lines.append(f"    {where}: expected {place['expected']}" + (f", got {place['got']}" if place["got"] else ""))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
