// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';

/** The one style of all pages: no font, picture or rule comes from anywhere else. */
export const STYLE = `
:root{color-scheme:light;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--in:#f6f8fa;--out:#e7f1fb;--hit:#b58900;--bad:#b42318}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:56rem;color:var(--ink);background:#fff;font:15px/1.5 system-ui,"Noto Sans","Segoe UI",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0 0 1rem}
h2{font-size:1.05rem;margin:1.75rem 0 .4rem}
h2.conversation{font-size:1.25rem;border-top:3px solid var(--ink);padding-top:.75rem;margin-top:3rem}
ul{margin:.25rem 0;padding-left:1.2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
a{color:#0b5cad;text-decoration:none}a:hover{text-decoration:underline}
.sub,.day,.skip,.notes,.time,footer,nav{color:var(--soft);font-size:.86rem}
.day{text-align:center;margin:1.5rem 0 .5rem;font-weight:600}
.skip{text-align:center;margin:1rem 0;border-top:1px dashed var(--line);border-bottom:1px dashed var(--line);padding:.3rem}
article{margin:.6rem 0;padding:.55rem .8rem .6rem;border-radius:.6rem;background:var(--in);border-left:4px solid transparent;max-width:92%;break-inside:avoid;overflow:hidden}
article.out{background:var(--out);margin-left:8%}
article.hit{border-left-color:var(--hit)}
article.system{background:none;border:1px dashed var(--line);border-left-width:4px;max-width:100%;margin-left:0}
article.archive{border-color:var(--bad)}
article:target{outline:2px solid var(--hit)}
header{display:flex;gap:.6rem;flex-wrap:wrap;align-items:baseline}
.who{font-weight:600}
.time{margin-left:auto;white-space:nowrap}
.mark{font-size:.72rem;letter-spacing:.04em;text-transform:uppercase;border:1px solid currentColor;border-radius:.3rem;padding:0 .3rem;color:var(--soft)}
.mark.deleted,.lie,.gone{color:var(--bad)}
.said{margin:.15rem 0 0;white-space:pre-wrap;unicode-bidi:isolate;overflow:hidden}
.notes{margin:.35rem 0 0;padding:0;list-style:none}
.notes li{unicode-bidi:isolate;white-space:pre-wrap}
figure{margin:.4rem 0 0}
figure img{display:block;max-width:100%;max-height:22rem;border:1px solid var(--line);border-radius:.3rem;background:#fff}
figcaption{font-size:.86rem;color:var(--soft)}
details{font-size:.8rem;color:var(--soft);margin-top:.3rem}
pre{white-space:pre-wrap;margin:.2rem 0}
nav{display:flex;justify-content:space-between;margin:1.5rem 0}
footer{border-top:1px solid var(--line);margin-top:3rem;padding-top:.75rem}
@media print{body{max-width:none;padding:0;font-size:11px}nav{display:none}article{border:1px solid var(--line)}details>*{display:block}}
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing runs, nothing is fetched, nothing is sent: whatever a message says. */
export const POLICY = `default-src 'none'; img-src data:; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'`;
