// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { encodeBinaryNode } from '@whiskeysockets/baileys';
import type { Connection } from './connection.ts';
import type { ConnectionFault } from './faults.ts';
import { SERVER, node } from './wire.ts';
import type { WireNode } from './wire.ts';

/** Does this to one connection. Returns true if the server closes it afterwards. */
export function strike(connection: Connection, fault: ConnectionFault): boolean {
  switch (fault.fault) {
    case 'stream-error':
      connection.send(streamError(fault));
      return true;
    case 'stream-end':
      connection.send(node('xmlstreamend'));
      return true;
    case 'downgrade':
      connection.send(node('ib', { from: SERVER }, [node('downgrade_webclient')]));
      return true;
    case 'silence':
      connection.silent = true;
      return false;
    case 'garbage-node':
      connection.sendSealed(Buffer.concat([Buffer.of(0, 248, 200), randomBytes(60)]));
      return false;
    case 'garbage-cipher':
      connection.sendRaw(randomBytes(64));
      return false;
    case 'endless-frame':
      connection.sendRaw(Buffer.alloc(16), fault.bytes);
      return false;
    case 'deep-node':
      connection.sendSealed(encodeBinaryNode(deep(fault.levels)));
      return false;
    case 'inflating-node':
      connection.sendSealed(Buffer.concat([Buffer.of(2), deflateSync(Buffer.alloc(fault.bytes))]));
      return false;
  }
}

function streamError({ code, conflict, ack }: ConnectionFault & { fault: 'stream-error' }): WireNode {
  const children = [
    ...(conflict === undefined ? [] : [node('conflict', { type: conflict })]),
    ...(ack === true ? [node('ack', { class: 'message', id: 'unanswered' })] : []),
  ];
  return node('stream:error', code === undefined ? {} : { code: String(code) }, children);
}

function deep(levels: number): WireNode {
  let inner = node('enc', { v: '2', type: 'msg' }, randomBytes(16));
  for (let level = 0; level < levels; level += 1) inner = node('participants', {}, [inner]);
  return node('message', { from: `15550009999@${SERVER}`, id: randomBytes(8).toString('hex'), t: '1', type: 'text' }, [
    inner,
  ]);
}
