import { setTimeout as delay } from 'node:timers/promises';

import { asset } from './assets.js';
import type { Launched } from './launched.js';
import type { Rig } from './rig.js';

export type Answer = 'answered' | 'silence' | 'cut';

interface Told {
  readonly id?: number;
  readonly answer?: unknown;
  readonly packet?: { readonly from: string; readonly lateMs: number };
  readonly beat?: number;
}

/** A client that shows what a fault does: see probe-process.js. */
export class Probe {
  readonly launched: Launched;
  /** Packets that have come. */
  readonly packets: { readonly from: string; readonly lateMs: number }[] = [];
  readonly #rig: Rig;
  readonly #place: number;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #beatAt = 0;
  #lastId = 0;

  private constructor(rig: Rig, place: number, launched: Launched) {
    this.#rig = rig;
    this.#place = place;
    this.launched = launched;
    launched.process.on('message', ({ id, answer, packet, beat }: Told) => {
      if (packet) this.packets.push(packet);
      if (beat !== undefined) this.#beatAt = beat;
      if (id !== undefined) this.#waiting.get(id)?.(answer);
    });
  }

  /** Resolves when it lives. */
  static async start(rig: Rig, place: number): Promise<Probe> {
    const port = rig.tier === 'netns' ? '9000' : '0';
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const launched = await rig.launch(place, asset('probe-process.js'), [port], { stdio: [...stdio] });
    const probe = new Probe(rig, place, launched);
    while (!(await probe.isBeating())) if (!launched.isRunning) throw new Error('the probe has ended');
    return probe;
  }

  /** What a member says to a read that it answers by itself, or to a put. */
  ask(
    member: number,
    { timeoutMs = 500, put }: { timeoutMs?: number; put?: string } = {},
  ): Promise<Answer> {
    const endpoint = this.#rig.endpointsFor(this.#place)[member];
    return this.#call({ endpoint, timeoutMs, put }) as Promise<Answer>;
  }

  /** What each member says. */
  askAll(): Promise<Answer[]> {
    return Promise.all(this.#rig.endpointsFor(this.#place).map((_, member) => this.ask(member)));
  }

  /** Sends packets, one each millisecond. Needs the netns tier. */
  async send(to: Probe, count: number): Promise<void> {
    await this.#call({ to: to.#address, from: this.#address, count });
  }

  /** Whether it says that it lives within a tenth of a second. */
  async isBeating(): Promise<boolean> {
    const start = Number(process.hrtime.bigint() / 1_000n) / 1_000; // its clock: what it said before may come late
    await delay(100);
    return this.#beatAt > start;
  }

  /** Members first, then clients: see Namespaces. */
  get #address(): string {
    return `10.0.0.${this.#rig.members + this.#place + 1}`;
  }

  #call(ask: object): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.launched.process.send({ id, ask });
    });
  }
}
