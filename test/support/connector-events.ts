// SPDX-License-Identifier: AGPL-3.0-or-later

import { codeOf } from '../../src/base/failure.ts';
import type { ConnectorEvents, Health } from '../../src/connectors/connector.ts';

/** Keeps everything a session tells operators. */
export class RecordedEvents implements ConnectorEvents {
  readonly states: { account: string; health: Health }[] = [];
  readonly alarms: { account: string | null; reason: string; count: number | undefined }[] = [];
  readonly troubles: { reason: string; code: string }[] = [];
  readonly counts = new Map<string, number>();

  state(account: string, health: Health): void {
    this.states.push({ account, health });
  }

  captured(_account: string, intake: string, count: number): void {
    this.counts.set(intake, (this.counts.get(intake) ?? 0) + count);
  }

  alarm(account: string | null, reason: string, count?: number): void {
    this.alarms.push({ account, reason, count });
  }

  trouble(reason: string, error: unknown): void {
    this.troubles.push({ reason, code: codeOf(error) });
  }

  alarmed(reason: string): boolean {
    return this.alarms.some((alarm) => alarm.reason === reason);
  }

  /** Sum of the counts of one alarm. */
  total(reason: string): number {
    return this.alarms.reduce((sum, alarm) => (alarm.reason === reason ? sum + (alarm.count ?? 1) : sum), 0);
  }

  /** Everything that could reach a log, as text, without the account keys that implementations replace by labels. */
  get text(): string {
    const { alarms, troubles, states, counts } = this;
    return JSON.stringify({
      alarms: alarms.map(({ reason, count }) => ({ reason, count })),
      troubles,
      states: states.map(({ health }) => health),
      counts: [...counts],
    });
  }
}
