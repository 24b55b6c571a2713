import { randomUUID } from 'node:crypto';
import { expect, vi } from 'vitest';
import type { Delivery, Queue, QueueEvent, QueueOptions, QueueState } from '../../src/index.js';
import type { Stage } from '../lock/stage.js';
import { until } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import { patience } from '../rig/patience.js';

/** A queue that nobody has used, as two processes see it. */
export interface Pair {
  readonly name: string;
  readonly one: Queue;
  readonly other: Queue;
}

export function pairOn(stage: Stage, options: Omit<QueueOptions, 'schema'> = {}): Pair {
  const name = `a/${randomUUID()}`;
  return { name, one: stage.one.queue(name, options), other: stage.other.queue(name, options) };
}

/** Takes the next job and does it. @returns what its worker saw of it */
export async function take(queue: Queue): Promise<Delivery> {
  const delivery = await queue.receive();
  await delivery.ack();
  return delivery;
}

/** What jobs there are, in the order in which they are taken; they are done. */
export async function takeAll(queue: Queue, count: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push((await take(queue)).value);
  await expectNothing(queue);
  return values;
}

/** There is no job to be had. */
export async function expectNothing(queue: Queue): Promise<void> {
  expect(await outcome(queue.receive({ timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
}

/** Resolves once the store says so. */
export async function untilState(
  queue: Queue,
  wanted: { readonly [Key in keyof QueueState]?: unknown },
): Promise<void> {
  await vi.waitFor(async () => expect(await queue.inspect()).toMatchObject(wanted), patience);
}

export async function untilAborted(signal: AbortSignal): Promise<void> {
  await until(async () => Number(signal.aborted), 1);
}

/** From now on. @returns what is told up to the first of this kind */
export async function tellingUntil(
  queue: Queue,
  last: QueueEvent['kind'],
): Promise<() => Promise<readonly QueueEvent[]>> {
  const events = queue.events();
  expect(await events.next()).toMatchObject({ value: { kind: 'watching' } });
  return async () => {
    const told: QueueEvent[] = [];
    for await (const event of events) {
      told.push(event);
      if (event.kind === last) break;
    }
    return told;
  };
}

/** Something that is waited for, and happens when the test says so. */
export function mark<T = void>(): { readonly reached: Promise<T>; readonly reach: (value: T) => void } {
  let reach: (value: T) => void = () => {};
  const reached = new Promise<T>((resolve) => (reach = resolve));
  return { reached, reach };
}
