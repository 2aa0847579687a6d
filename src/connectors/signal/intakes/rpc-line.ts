// SPDX-License-Identifier: AGPL-3.0-or-later
import { decodeText, fields, parseJson, text, type Fields } from '../json.ts';
import { sliceMember } from '../slice.ts';

/** What a webhook's body holds. */
export interface RpcLine {
  /** The bytes of `params`; the whole body where it is no receive notification. */
  readonly raw: Uint8Array;
  /** Why nothing can be understood of it; null if it is a frame. */
  readonly unknown: string | null;
  /** The account it names, if it names one. */
  readonly account: string | null;
}

/** Reads `{"jsonrpc":"2.0","method":"receive","params":{…}}`. Never throws. */
export function readRpcLine(body: Uint8Array): RpcLine {
  let line: Fields | null;
  try {
    line = fields(parseJson(decodeText(body)));
  } catch {
    return { raw: body, unknown: 'not JSON', account: null };
  }
  const params = fields(line?.['params']);
  const account = text(params?.['account']);
  if (line?.['method'] !== 'receive' || params === null)
    return { raw: body, unknown: 'not a receive notification', account };
  const raw = sliceMember(body, 'params');
  return raw === null ? { raw: body, unknown: 'not a receive notification', account } : { raw, unknown: null, account };
}
