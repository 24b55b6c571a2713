import { expect, vi } from 'vitest';

import { Client, type News } from './client.js';
import { guardMs } from './patience.js';
import type { Victims } from './torment.js';

export interface CrowdOptions {
  /** For `connect` of each client. */
  readonly options: object;
  readonly processes: number;
  readonly clientsPerProcess: number;
  /** What each client does over and over: see worker-process.js. */
  readonly job: object;
  /** Whether a ticket is gone from the store. */
  readonly isGone: (key: string) => Promise<boolean>;
}

/** What a client said about a hold, in the terms of the store. */
export interface Mark {
  readonly token: bigint;
  readonly key: string;
  readonly revision: bigint;
  readonly facts: News;
}

/** Many clients in several processes, which take and give back over and over. */
export class Crowd implements Victims, AsyncDisposable {
  readonly #options: CrowdOptions;
  readonly #all: Client[] = [];
  /** What the store said to those that wrote after they had been stopped past their TTL: acked or refused. */
  readonly lateWrites: string[] = [];
  working: readonly Client[] = [];

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  async fill(): Promise<void> {
    const { options, processes, clientsPerProcess, job } = this.#options;
    while (this.working.length < processes) {
      const client = await Client.start('worker-process.js', { options, size: clientsPerProcess });
      this.#all.push(client);
      this.working = [...this.working, client];
      await client.call('work', { job });
    }
  }

  async killOne(victim: Client): Promise<void> {
    this.working = this.working.filter((each) => each !== victim);
    await victim.kill();
  }

  /** Resumes it when others have held what it held; resolves when the store has answered to its write. */
  async stopAtWrite(victim: Client): Promise<void> {
    const wait = { timeout: guardMs };
    const { news } = victim;
    const soFar = news.length;
    await victim.call('stopAtNextWrite');
    const stop = await vi.waitFor(() => found(news.slice(soFar), ({ event }) => event === 'stopping'), wait);
    await victim.stopped(guardMs);
    await vi.waitFor(async () => expect(await this.#options.isGone(String(stop['key']))).toBe(true), wait);
    const before = this.count('acked');
    await vi.waitFor(() => expect(this.count('acked')).toBeGreaterThan(before), wait);
    const stillStanding = news.length;
    victim.signal('SIGCONT');
    const isAnswer = ({ event, token }: News): boolean =>
      token === stop['token'] && (event === 'acked' || event === 'refused');
    const answer = await vi.waitFor(() => found(news.slice(stillStanding), isAnswer), wait);
    this.lateWrites.push(answer.event);
  }

  /** Lets everybody finish, close, and end by itself. */
  async finish(): Promise<void> {
    await Promise.all(
      this.working.map(async (client) => {
        await client.call('stopWorking');
        await client.told('idle', guardMs);
        client.signal('SIGTERM');
        expect({ ...(await client.ended), errors: client.errors }).toMatchObject({ code: 0, errors: '' });
      }),
    );
  }

  /** What they said of this kind, also those that were killed since. */
  said(event: string): News[] {
    return this.#all.flatMap(({ news }) => news).filter((each) => each.event === event);
  }

  /** How often they said this. */
  count(event: string): number {
    return this.said(event).length;
  }

  marks(event: 'granted' | 'acked' | 'refused'): Mark[] {
    return this.said(event).map((facts) => ({
      token: BigInt(String(facts['token'])),
      key: String(facts['key']),
      revision: BigInt(String(facts['revision'])),
      facts,
    }));
  }

  /** What clients were rejected with, by code. @throws if that was no error of this library */
  setbacks(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { failure } of this.said('setback')) {
      const { code, message } = failure as { code?: string; message: string };
      if (code === undefined) throw new Error(`a client met an error that is none of ours: ${message}`);
      counts[code] = (counts[code] ?? 0) + 1;
    }
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((client) => client.kill()));
  }
}

function found(news: readonly News[], isIt: (news: News) => boolean): News {
  const one = news.find(isIt);
  if (!one) throw new Error('it has not said so yet');
  return one;
}
