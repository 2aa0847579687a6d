// SPDX-License-Identifier: AGPL-3.0-or-later

/** Runs in the reader's browser, so it is text here. WebCrypto alone; whatever it shows, it shows as text. */
export const PAGE_SCRIPT = String.raw`'use strict';
const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const textOf = (bytes) => new TextDecoder().decode(bytes);
const utf8 = (text) => new TextEncoder().encode(text);
const hexOf = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const join = (...parts) => { const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0)); let at = 0; for (const part of parts) { all.set(part, at); at += part.length; } return all; };
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
const leaf = (bytes) => sha256(join(Uint8Array.of(0), bytes));
const node = (left, right) => sha256(join(Uint8Array.of(1), left, right));
const same = (a, b) => hexOf(a) === hexOf(b);
const SPKI = Uint8Array.from([0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0]);
const fingerprint = async (raw) => hexOf(await sha256(join(SPKI, raw)));
const signed = async (raw, text, signature) => crypto.subtle.verify('Ed25519', await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']), signature, utf8(text));
const demand = (holds, words) => { if (!holds) throw new Error(words); };

async function rootFrom(hash, index, size, path) {
  let at = BigInt(index), last = BigInt(size) - 1n, root = hash;
  demand(at <= last, 'the leaf is beyond the tree');
  for (const other of path) {
    demand(last > 0n, 'the proof is too long');
    if (at % 2n === 1n || at === last) {
      root = await node(other, root);
      while (at % 2n === 0n && at !== 0n) { at /= 2n; last /= 2n; }
    } else root = await node(root, other);
    at /= 2n; last /= 2n;
  }
  demand(last === 0n, 'the proof is too short');
  return root;
}

const files = new Map(Object.entries(JSON.parse(document.getElementById('files').textContent)).map(([name, text]) => [name, bytesOf(text)]));
const text = (name) => textOf(files.get(name));
const trust = JSON.parse(text('trust.json'));
const rootKey = bytesOf(trust.root);
const [, logHash, logTyped] = trust.log.match(/\+([0-9a-f]{8})\+(.+)$/);
const logKey = bytesOf(logTyped).slice(1);

async function inLog(entry, proof) {
  const [head, ...rest] = text(proof).split('\n\n');
  const note = rest.join('\n\n');
  const [magic, ...lines] = head.split('\n');
  demand(magic === 'c2sp.org/tlog-proof@v1', 'no proof');
  if (lines[0].startsWith('extra ')) lines.shift();
  const index = Number(lines.shift().replace('index ', ''));
  const split = note.lastIndexOf('\n\n');
  const body = note.slice(0, split + 1);
  const [origin, size, root] = body.split('\n');
  demand(origin === trust.origin, 'another log');
  const signatures = note.slice(split + 2).split('\n').filter((line) => line.startsWith('— ' + origin + ' ')).map((line) => bytesOf(line.split(' ')[2])).filter((blob) => hexOf(blob.slice(0, 4)) === logHash);
  demand(signatures.length > 0, 'no signature by the log');
  for (const blob of signatures) demand(await signed(logKey, body, blob.slice(4)), 'the log’s signature does not verify');
  demand(same(await rootFrom(await leaf(entry), index, size, lines.map(bytesOf)), bytesOf(root)), 'another root');
  return { index, size: Number(size) };
}

const record = JSON.parse(text('record.json'));
const recordId = leaf(files.get('record.json')).then(hexOf);

async function checkManifest() {
  const line = text('manifest.json');
  const body = line.slice('{"manifest":'.length, line.lastIndexOf(',"root":"'));
  const { manifest, sig } = JSON.parse(line);
  demand(await signed(rootKey, body, bytesOf(sig)), 'the root’s signature does not verify');
  demand(manifest.origin === trust.origin, 'a manifest of another log');
  return manifest;
}

async function checkBatch() {
  const line = text('batch.json');
  const batch = JSON.parse(line);
  const manifest = await checkManifest();
  let key = null, role = '';
  for (const signer of manifest.signers) {
    if ((await fingerprint(bytesOf(signer.pub))).slice(0, 32) !== batch.key) continue;
    if (signer.role === 'connector' ? record.t !== 'access' : signer.role === 'reader' && !['content', 'media'].includes(record.t)) { key = bytesOf(signer.pub); role = signer.role; }
  }
  demand(key !== null, 'the manifest lets no such key sign this record');
  demand(await signed(key, line.replace('"sig":"' + batch.sig + '",', ''), bytesOf(batch.sig)), 'the batch’s signature does not verify');
  demand(batch.stream === record.stream && batch.origin === trust.origin && batch.first <= record.seq, 'a batch of other records');
  let id = await recordId;
  if (!files.has('after.txt')) return 'the signature by ' + role + ' key ' + batch.key + ' holds; that it covers the record is NOT checked here, because the batch is long: see README.txt';
  const lines = text('after.txt').split('\n').filter((each) => each !== '');
  for (const each of lines) id = hexOf(await leaf(utf8(each.replace('@', id))));
  demand(id === batch.last && lines.length === batch.first + batch.count - 1 - record.seq, 'the batch ends elsewhere');
  return 'signed by ' + role + ' key ' + batch.key;
}

async function checkNeighbour(name, side) {
  const line = files.get(name + '.json');
  const entry = JSON.parse(textOf(line)), id = hexOf(await leaf(line));
  const [before, beforeId, after] = side < 0 ? [entry, id, record] : [record, await recordId, entry];
  const link = before.t === 'hole' ? before.last : beforeId;
  const seq = before.t === 'hole' ? before.seq + before.count : before.seq + 1;
  demand(after.prev === link && after.seq === seq && after.stream === before.stream, 'not the record next to it');
  const { index } = await inLog(line, name + '.tlog-proof');
  return 'leaf ' + index + ', number ' + entry.seq + ' of its stream, ' + entry.at;
}

async function checkSeal() {
  const entry = JSON.parse(text('seal.json')), stands = JSON.parse(text('seal-stream.json'));
  const { index } = await inLog(files.get('seal.json'), 'seal.tlog-proof');
  const line = await leaf(utf8(stands.stream + ' ' + stands.seq + ' ' + stands.id + '\n'));
  demand(hexOf(await rootFrom(line, stands.index, stands.size, stands.hashes.map(bytesOf))) === entry.root, 'other heads');
  demand(stands.stream === record.stream && stands.seq >= record.seq && entry.streams === stands.size, 'heads of something else');
  return 'leaf ' + index + ', ' + entry.at + ': the stream stood at number ' + stands.seq;
}

function elements(bytes) {
  const found = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const extra = bytes[at + 1] < 128 ? 0 : bytes[at + 1] & 127;
    let length = extra === 0 ? bytes[at + 1] : 0;
    demand(extra <= 4 && bytes[at + 1] !== 128, 'no token');
    for (let n = 0; n < extra; n += 1) length = length * 256 + bytes[at + 2 + n];
    demand(at + 2 + extra + length <= bytes.length, 'no token');
    found.push(bytes.slice(at + 2 + extra, at + 2 + extra + length));
    at += 2 + extra + length;
  }
  return found;
}
const within = (bytes, ...way) => way.reduce((at, n) => { const found = elements(at)[n]; demand(found !== undefined, 'no token'); return found; }, bytes);

async function checkStamp(name) {
  const stamp = JSON.parse(text(name)), proof = text('stamp.tlog-proof');
  demand(proof.slice(proof.indexOf('\n\n') + 2) === stamp.checkpoint, 'a stamp of another checkpoint');
  const { index, size } = await inLog(files.get('record.json'), 'stamp.tlog-proof');
  const info = within(bytesOf(stamp.token), 0, 1, 0, 2, 1, 0, 0);
  const hash = { '2.16.840.1.101.3.4.2.1': 'SHA-256', '2.16.840.1.101.3.4.2.2': 'SHA-384', '2.16.840.1.101.3.4.2.3': 'SHA-512' }['2.16.840.1.101.3.4.2.' + within(info, 2, 0, 0).at(-1)];
  demand(hash !== undefined && same(within(info, 2, 1), new Uint8Array(await crypto.subtle.digest(hash, utf8(stamp.checkpoint)))), 'a stamp of something else');
  return textOf(within(info, 4)).replace(/^(....)(..)(..)(..)(..)(..).*/, '$1-$2-$3T$4:$5:$6Z') + ' is stated over ' + size + ' leaves, this one ' + index + '; that an authority signed it is NOT checked here: see README.txt';
}

async function checkContent() {
  const all = files.get('disclosed/commitments');
  demand(all.length === 97 && all[0] === 5 && hexOf(await sha256(all)) === record.com, 'not what the record commits to');
  const parts = ['cap', 'view', 'raw'].filter((name) => files.has('disclosed/' + name + '.part'));
  for (const name of parts) {
    const at = 1 + 32 * ['cap', 'view', 'raw'].indexOf(name);
    const part = files.get('disclosed/' + name + '.part');
    demand(same(await sha256(part), all.slice(at, at + 32)), name + ' is another one');
    const shown = document.createElement('pre');
    const inside = textOf(part.slice(37));
    try { shown.textContent = JSON.stringify(JSON.parse(inside), null, 2); } catch { shown.textContent = inside; }
    const title = document.createElement('h2');
    title.textContent = 'Disclosed: ' + name;
    document.getElementById('content').append(title, shown);
  }
  return parts.join(', ');
}

function row(table, state, ...cells) {
  const line = document.getElementById(table).insertRow();
  line.className = state;
  for (const [n, cell] of cells.entries()) { const each = line.insertCell(); each.append(n === 0 && state !== '' ? Object.assign(document.createElement('b'), { textContent: cell }) : Object.assign(document.createElement('code'), { textContent: cell })); }
}

async function main() {
  row('keys', '', 'log', await fingerprint(logKey));
  row('keys', '', 'root', await fingerprint(rootKey));
  const steps = [
    ['the record is in the log, and the log signed it', async () => { const { index, size } = await inLog(files.get('record.json'), 'record.tlog-proof'); return 'leaf ' + index + ' of ' + size + ' in ' + trust.origin; }],
    ['the root signed the manifest', async () => { const { n, at, evaluation } = await checkManifest(); return 'manifest ' + n + ' of ' + at + (evaluation ? ', keys for evaluation' : ''); }],
    ['who captured it signed its batch', checkBatch],
    ...(files.has('previous.json') ? [['the record before it', () => checkNeighbour('previous', -1)]] : []),
    ...(files.has('next.json') ? [['the record behind it', () => checkNeighbour('next', 1)]] : []),
    ...(files.has('seal.json') ? [['the next heads', checkSeal]] : []),
    ...[...files.keys()].filter((name) => /^stamp-\d\.json$/.test(name)).map((name) => ['the time stamp ' + name, () => checkStamp(name)]),
    ...(files.has('disclosed/commitments') ? [['the disclosed content', checkContent]] : []),
  ];
  let bad = 0;
  for (const [title, work] of steps) {
    try { row('steps', 'good', '✓', title, await work()); } catch (error) { bad += 1; row('steps', 'bad', '✗', title, error.message || String(error)); }
  }
  for (const [name, value] of [['id', await recordId], ...Object.entries(record)]) row('facts', '', name, typeof value === 'object' ? JSON.stringify(value) : String(value));
  const verdict = document.getElementById('verdict');
  verdict.className = bad === 0 ? 'good' : 'bad';
  verdict.textContent = bad === 0 ? 'Proven, if the fingerprints below are the right ones. Witnesses are not checked here.' : 'Not proven: ' + bad + ' of ' + steps.length + ' checks failed.';
}
main().catch((error) => { const verdict = document.getElementById('verdict'); verdict.className = 'bad'; verdict.textContent = 'Could not check: ' + error.message; });
`;
