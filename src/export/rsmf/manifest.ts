// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * The manifest of RSMF 2.0, from Relativity's public field descriptions: what a writer should write, no more.
 */

export interface RsmfCustom {
  readonly name: string;
  readonly value: string;
}

export interface RsmfParticipant {
  readonly id: string;
  readonly display?: string;
  readonly account_id?: string;
  readonly custom?: readonly RsmfCustom[];
}

export interface RsmfConversation {
  readonly id: string;
  readonly display?: string;
  readonly platform: string;
  readonly type: 'direct' | 'channel';
  readonly participants: readonly string[];
  readonly custodian?: string;
  readonly custom?: readonly RsmfCustom[];
}

export interface RsmfAttachment {
  /** Name in the zip. */
  readonly id: string;
  readonly display?: string;
  readonly size?: number;
}

export interface RsmfEvent {
  readonly id: string;
  readonly type: 'message' | 'disclaimer' | 'join' | 'leave' | 'history' | 'unknown';
  readonly parent?: string;
  readonly conversation: string;
  readonly participant?: string;
  readonly timestamp: string;
  readonly body?: string;
  readonly deleted?: boolean;
  readonly direction?: 'incoming' | 'outgoing';
  readonly reactions?: readonly {
    readonly value: string;
    readonly count: number;
    readonly participants: readonly string[];
  }[];
  readonly attachments?: readonly RsmfAttachment[];
  readonly edits?: readonly {
    readonly participant: string;
    readonly timestamp: string;
    readonly previous?: string;
    readonly new?: string;
  }[];
  readonly read_receipts?: readonly {
    readonly participant: string;
    readonly timestamp: string;
    readonly action: 'read' | 'delivered';
  }[];
  readonly custom: readonly RsmfCustom[];
}

export interface RsmfManifest {
  readonly version: '2.0.0';
  readonly eventcollectionid: string;
  readonly participants: readonly RsmfParticipant[];
  readonly conversations: readonly RsmfConversation[];
  readonly events: readonly RsmfEvent[];
}

/** Custom fields that have something to say: the format wants neither name nor value empty. */
export function customOf(fields: Readonly<Record<string, string | number | null | undefined>>): RsmfCustom[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === null || value === undefined || value === '' ? [] : [{ name, value: String(value).toWellFormed() }],
  );
}
