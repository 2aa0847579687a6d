# SPDX-License-Identifier: Apache-2.0
"""RFC 3161 time stamps (specification, section 5). `openssl` checks signatures and chains; which check failed is found here."""

import base64
import hashlib
import os
import re
import subprocess
import tempfile

from . import der
from .evidence import of_this_log, read_folder
from .form import Malformed, parse_canonical, seconds, unbase64
from .stored import Unreadable
from .streams import MOST_SKEW

SHA = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
USAGE, TIME_STAMPING = "2.5.29.37", "1.3.6.1.5.5.7.3.8"
MOST_PARTS = 64


class Refused(Malformed):
    """A check of a token that failed; `code` is the finding."""

    def __init__(self, check, expected):
        super().__init__(expected)
        self.code = f"verify/time-{check}"


def _demand(holds, check, expected):
    if not holds:
        raise Refused(check, expected)


def read_stamped(log):
    return read_folder(log, "tsa", "verify/time-malformed", _stamp)


def _stamp(data):
    stamp = parse_canonical(data, ("certificates", "checkpoint", "crls", "ctx", "token"))
    if stamp["ctx"] != "holdfast time stamp v1" or not isinstance(stamp["checkpoint"], str):
        raise Malformed("a time stamp of a checkpoint")
    for name in ("certificates", "crls"):
        if not isinstance(stamp[name], list):
            raise Malformed("a list of base64")
        stamp[name] = [unbase64(text) for text in stamp[name]]
    stamp["token"] = unbase64(stamp["token"])
    return stamp, stamp["checkpoint"]


def judge_stamps(log, stamped, roots):
    """`roots`: authorities that whoever checks trusts; without them nothing is said of tokens."""
    for evidence in stamped:
        where = {"key": evidence.key}
        if not of_this_log(log, evidence, "time"):
            continue
        if roots is None:
            log.findings.add("verify/time-unjudged", "authorities to trust", "none given", **where)
            continue
        try:
            at, revocation_checked = _judged(evidence.content, roots)
        except Refused as problem:
            log.findings.add(problem.code, str(problem), **where)
            continue
        except Malformed as problem:
            log.findings.add("verify/time-malformed", str(problem), **where)
            continue
        except der.OTHER_FORM:
            log.findings.add("verify/time-malformed", "a token of RFC 3161", **where)
            continue
        if not revocation_checked:
            log.findings.add("verify/time-no-revocation", "a revocation list of that time", "none", **where)
        written = log.time_of(evidence.size - 1)
        if written is not None and at < seconds(written) - MOST_SKEW:
            log.findings.add("verify/time-before", f"not before {written}", str(at), **where)


def _judged(stamp, roots):
    """(seconds, whether revocation lists of that time were there). Raises Refused or Malformed."""
    if max(len(stamp["certificates"]), len(stamp["crls"])) > MOST_PARTS:
        raise Malformed(f"at most {MOST_PARTS} certificates and as many lists")
    token = Token(stamp["token"], stamp["certificates"])
    with tempfile.TemporaryDirectory() as folder:
        openssl = OpenSsl(folder, roots)
        token.judge(openssl)
        data = stamp["checkpoint"].encode()
        _demand(hashlib.new(token.imprint_hash, data).digest() == token.imprint, "imprint", "the hash of the checkpoint")
        chain = token.chain(openssl)
        openssl.confirm(stamp["token"], data, [one.raw for one in token.certificates], token.at)
        return token.at, _judge_revocation(openssl, chain, stamp["crls"], token.at)


class Certificate:
    def __init__(self, raw):
        body = der.parse(raw)[0]
        fields = body.children()
        fields = fields[1:] if fields[0].tag == 0xA0 else fields
        self.raw, self.serial = raw, int.from_bytes(fields[0].content, "big")
        self.issuer, self.subject, self.spki = fields[2].raw, fields[4].raw, fields[5].raw
        extensions = next((field for field in fields[6:] if field.tag == 0xA3), None)
        self.extensions = {}
        for extension in extensions[0].children() if extensions else ():
            name, *flag, value = extension.children()
            self.extensions[der.oid(name)] = (bool(flag) and flag[0].content != b"\0", value.content)

    def is_for_time_stamps_alone(self):
        critical, value = self.extensions.get(USAGE, (False, None))
        return critical and [der.oid(purpose) for purpose in der.parse(value).children()] == [TIME_STAMPING]


class Token:
    """A TimeStampToken, taken apart."""

    def __init__(self, raw, more):
        info = der.parse(raw)
        if der.oid(info[0]) != SIGNED_DATA:
            raise Malformed("signed data")
        _version, _algorithms, content, *rest = info[1][0].children()
        if der.oid(content[0]) != TST_INFO:
            raise Malformed("a time stamp")
        self.content = content[1][0].content
        self._info(der.parse(self.content).children())
        embedded = [one.raw for field in rest if field.tag == 0xA0 for one in field.children() if one.tag == 0x30]
        self.certificates = [Certificate(one) for one in [*embedded, *more]]
        signers = rest[-1].children()
        if len(signers) != 1 or len(self.certificates) > MOST_PARTS:
            raise Malformed("one signer, and few certificates")
        _version, sid, algorithm, *rest = signers[0].children()
        self.hash = _hash_of(algorithm[0])
        if sid.tag != 0x30:
            raise Malformed("issuer and serial number")
        issuer, serial = sid[0].raw, int.from_bytes(sid[1].content, "big")
        self.signer = next((one for one in self.certificates if (one.issuer, one.serial) == (issuer, serial)), None)
        if self.signer is None or rest[0].tag != 0xA0:
            raise Malformed("the certificate of the signer, and what it signed")
        # What is signed is the set of attributes under its own tag.
        self.signed, self.signature = b"\x31" + rest[0].raw[1:], rest[2].content
        self.attributes = [(der.oid(one[0]), one[1].children()) for one in rest[0].children()]

    def _info(self, fields):
        _version, _policy, imprint, _serial, when, *_rest = fields
        self.imprint_hash, self.imprint = _hash_of(imprint[0][0]), imprint[1].content
        self.at = der.seconds_of(when)

    def _attribute(self, name):
        found = [values for kind, values in self.attributes if kind == name]
        return found[0][0] if len(found) == 1 and len(found[0]) == 1 else None

    def judge(self, openssl):
        """Signature and signer, in the order of the specification."""
        kind = self._attribute(CONTENT_TYPE)
        if kind is None or der.oid(kind) != TST_INFO:
            raise Malformed("a signature over a time stamp")
        digest = self._attribute(MESSAGE_DIGEST)
        holds = digest is not None and digest.content == hashlib.new(self.hash, self.content).digest()
        _demand(holds, "signature", "the digest of the content")
        self._judge_name()
        _demand(openssl.is_signed(self.signer.spki, self.hash, self.signed, self.signature), "signature", "a signature by the certificate")
        _demand(self.signer.is_for_time_stamps_alone(), "usage", "a certificate for time stamps alone, critically")

    def _judge_name(self):
        """SigningCertificateV2, or the first one, which has SHA-1."""
        second = self._attribute(SIGNING_CERTIFICATE_V2)
        attribute = second or self._attribute(SIGNING_CERTIFICATE)
        _demand(attribute is not None, "signer", "the hash of the signer’s certificate")
        parts = attribute[0][0].children()
        name = "sha1" if second is None else "sha256"
        if second is not None and parts[0].tag == 0x30:
            name = _hash_of(parts[0][0])
        stated = next((part.content for part in parts if part.tag == 0x04), None)
        _demand(stated == hashlib.new(name, self.signer.raw).digest(), "signer", "the certificate that the signature names")

    def chain(self, openssl):
        """From the signer to a root, as names lead. Whether signatures and times hold is said by openssl."""
        others = [one.raw for one in self.certificates]
        _demand(openssl.is_chained(self.signer.raw, others), "untrusted", "a chain to a root that is trusted")
        _demand(openssl.is_chained(self.signer.raw, others, self.at), "validity", "certificates that were valid then")
        chain, known = [self.signer], [*openssl.roots, *self.certificates]
        while chain[-1].raw not in [root.raw for root in openssl.roots]:
            above = next((one for one in known if one.subject == chain[-1].issuer and one not in chain), None)
            if above is None:
                break
            chain.append(above)
        return chain


def _hash_of(name):
    if der.oid(name) not in SHA:
        raise Malformed("SHA-256, -384 or -512")
    return SHA[der.oid(name)]


def _judge_revocation(openssl, chain, lists, at):
    """True if a list that was in force then was there for every certificate below the root. Raises Refused where one was revoked."""
    complete, parsed = True, [(raw, *_list_fields(raw)) for raw in lists]
    for certificate, issuer in zip(chain, chain[1:]):
        own = [(until, revoked) for raw, until, revoked in parsed if openssl.is_list_of(raw, issuer.raw)]
        for _, revoked in own:
            _demand(revoked.get(certificate.serial, at + 1) > at, "revoked", "a certificate that was not revoked then")
        complete = complete and any(until is None or until >= at for until, _ in own)
    return complete


def _list_fields(raw):
    """(until when it is in force, or None; times of revocation by serial number) of a revocation list."""
    fields = der.parse(raw)[0].children()
    fields = fields[1:] if fields[0].tag == 0x02 else fields
    until = der.seconds_of(fields[3]) if len(fields) > 3 and fields[3].tag in (0x17, 0x18) else None
    entries = next((field for field in fields[3:] if field.tag == 0x30), None)
    revoked = {}
    for entry in entries.children() if entries else ():
        revoked.setdefault(int.from_bytes(entry[0].content, "big"), der.seconds_of(entry[1]))
    return until, revoked


class Roots:
    """A PEM file of authorities. Raises Unreadable where it holds none, or something else in their place."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        with open(path, encoding="latin-1") as file:
            blocks = re.findall("-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----", file.read())
        try:
            self.certificates = [Certificate(base64.b64decode(block)) for block in blocks]
        except (Malformed, *der.OTHER_FORM):
            self.certificates = []
        if not self.certificates:
            raise Unreadable("no certificates of authorities")


class OpenSsl:
    """Questions to `openssl`, whose files lie in a folder that goes."""

    def __init__(self, folder, roots):
        self.folder, self.pem, self.roots = folder, roots.path, roots.certificates

    def _put(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _pem(self, name, ders, label="CERTIFICATE"):
        return self._put(name, b"".join(_pem_of(raw, label) for raw in ders))

    def _run(self, *words):
        return subprocess.run(["openssl", *words], capture_output=True, check=False, cwd=self.folder)

    def is_signed(self, spki, name, data, signature):
        key, sig = self._pem("key.pem", [spki], "PUBLIC KEY"), self._put("signature", signature)
        return self._run("dgst", f"-{name}", "-verify", key, "-signature", sig, self._put("data", data)).returncode == 0

    def is_chained(self, raw, others, at=None):
        times = ["-no_check_time"] if at is None else ["-attime", str(at)]
        words = ["-partial_chain", "-CAfile", self.pem, "-untrusted", self._pem("others.pem", others)]
        return self._run("verify", *times, *words, self._pem("own.pem", [raw])).returncode == 0

    def is_list_of(self, raw, issuer):
        words = ["-inform", "DER", "-in", self._put("crl", raw), "-CAfile", self._pem("issuer.pem", [issuer])]
        return b"verify OK" in self._run("crl", *words, "-noout").stderr

    def confirm(self, token, data, certificates, at):
        """The whole once more, as an auditor would ask by hand."""
        words = ["-data", self._put("data", data), "-in", self._put("token", token), "-token_in", "-CAfile", self.pem]
        more = ["-untrusted", self._pem("more.pem", certificates), "-attime", str(at), "-partial_chain"]
        if self._run("ts", "-verify", *words, *more).returncode != 0:
            raise Malformed("a token that openssl verifies")


def _pem_of(raw, label):
    text = base64.encodebytes(raw).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()
