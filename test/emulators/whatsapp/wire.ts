// SPDX-License-Identifier: AGPL-3.0-or-later

/** One node of WhatsApp's binary XML. Same shape as Baileys' `BinaryNode`, and structured-cloneable. */
export interface WireNode {
  tag: string;
  attrs: Record<string, string>;
  content?: WireNode[] | string | Uint8Array;
}

export const SERVER = 's.whatsapp.net';

export function childrenOf(node: WireNode | undefined, tag?: string): readonly WireNode[] {
  if (node === undefined || !Array.isArray(node.content)) return [];
  return tag === undefined ? node.content : node.content.filter((child) => child.tag === tag);
}

export function childOf(node: WireNode | undefined, tag: string): WireNode | undefined {
  return childrenOf(node, tag)[0];
}

export function bytesOf(node: WireNode | undefined): Buffer {
  const content = node?.content;
  if (content instanceof Uint8Array) return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return Buffer.from(typeof content === 'string' ? content : '');
}

export function uintOf(node: WireNode | undefined): number {
  return bytesOf(node).reduce((sum, byte) => sum * 256 + byte, 0);
}

/** Big-endian in so many bytes. */
export function uintBytes(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}

export function node(tag: string, attrs: Record<string, string> = {}, content?: WireNode['content']): WireNode {
  return content === undefined ? { tag, attrs } : { tag, attrs, content };
}
