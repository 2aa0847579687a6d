// SPDX-License-Identifier: AGPL-3.0-or-later
import { sha256 } from '../record/hash.ts';
import type { Told } from './derive.ts';
import { CORE, fileOf, linesOf, STAMPS } from './files.ts';
import { PAGE_SCRIPT } from './page-script.ts';

const STYLE = `
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ddd;padding:.4rem .5rem;text-align:left;vertical-align:top}
code,pre{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
#verdict{font-size:1.2rem;padding:.8rem 1rem;border-left:.4rem solid #777;background:#f4f4f4}
#verdict.good{border-color:#1a7f37}#verdict.bad{border-color:#b42318}.good b{color:#1a7f37}.bad b{color:#b42318}
`;

const hashOf = (text: string): string => `'sha256-${sha256(text).toString('base64')}'`;

/** A page carries this many records behind its own; of a longer batch it says that the signature is not checked in it. */
const MOST_LINES = 32;

/** Revocation lists can be long: of a longer stamp the page says nothing. */
const MOST_STAMP_BYTES = 64 * 1024;

/** One page that checks the bundle in a browser: everything it needs is in it, and it may load nothing. */
export function renderPage({ files }: Told): string {
  const isLong = linesOf(fileOf(files, CORE.after)).length > MOST_LINES;
  const carried = [...files].filter(
    ([name, bytes]) => (!isLong || name !== CORE.after) && (!STAMPS.includes(name) || bytes.length <= MOST_STAMP_BYTES),
  );
  const data = JSON.stringify(
    Object.fromEntries(
      carried.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => [name, bytes.toString('base64')]),
    ),
  );
  const policy = `default-src 'none'; script-src ${hashOf(PAGE_SCRIPT)}; style-src ${hashOf(STYLE)}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Proof of one record</title><style>${STYLE}</style></head>
<body><h1>Proof of one record</h1><p id="verdict">Checking needs a browser with JavaScript.</p>
<p>Compare these fingerprints with those that the agency published. Whoever made this page could have made all of it, with other keys.</p>
<table id="keys"></table><h2>What was checked</h2><table id="steps"></table><h2>The record</h2><table id="facts"></table><div id="content"></div>
<script type="application/json" id="files">${data}</script><script>${PAGE_SCRIPT}</script></body></html>
`;
}
