import { numberOf, textOf } from './facts.js';
import type { QueueCall } from './models/fifo.js';
import type { Operation } from './record.js';
import type { Timed } from './wgl.js';

export interface FirstDeliveriesOptions {
  /** Only jobs of one lane are in order: which enqueues are of it? @default those without `priority`, `key` and `delayMs` */
  readonly isInLane?: (enqueue: Operation) => boolean;
  /** Whether an answer that there is nothing is to be believed. @default false: jobs of other lanes, or claimed ones, come between */
  readonly withEmpties?: boolean;
}

/**
 * A queue that delivers at least once, as a FIFO queue: what is promised is the order of first deliveries in one lane. A
 * delivery that says it is not the first attempt was preceded by one that nobody was told of: its job was taken at any time
 * before this one returned.
 *
 * Not for histories in which a worker is told of no delivery, and yet gave it back without counting it as an attempt (a
 * `receive` that was aborted): such a job has gone to the end of its lane.
 *
 * @param operations of one queue
 */
export function firstDeliveries(
  operations: readonly Operation[],
  { isInLane = isPlain, withEmpties = false }: FirstDeliveriesOptions = {},
): Timed<QueueCall>[] {
  const calls: Timed<QueueCall>[] = [];
  const lane = new Map<string, Operation>();
  const elsewhere = new Set<string>();
  const first = new Map<string, Operation>();
  for (const operation of operations) {
    const { call, outcome, client, input, output, invokedAt: from, returnedAt: to } = operation;
    if (call === 'enqueue' && outcome !== 'no') {
      const id = textOf(input, 'id');
      if (!isInLane(operation)) elsewhere.add(id);
      else if (lane.has(id)) wasPutBy(calls, id, to);
      else calls.push({ client, from, to, call: { kind: 'enqueue', id } });
      lane.set(id, operation);
    } else if (call === 'receive' && outcome === 'unknown') {
      calls.push({ client, from, to, call: { kind: 'take' } });
    } else if (call === 'receive' && outcome === 'ok') {
      const id = textOf(output, 'id');
      const before = first.get(id);
      if (id === '' && withEmpties) calls.push({ client, from, to, call: { kind: 'empty' } });
      if (id !== '' && (!before || numberOf(output, 'token') < numberOf(before.output, 'token')))
        first.set(id, operation);
    }
  }
  for (const [id, { client, output, invokedAt, returnedAt: to }] of first) {
    if (elsewhere.has(id)) continue;
    const from = numberOf(output, 'attempt') > 1 ? -Infinity : invokedAt;
    calls.push({ client, from, to, call: { kind: 'dequeue', id } });
  }
  return calls;
}

function isPlain({ input }: Operation): boolean {
  return [input['priority'], input['key'], input['delayMs']].every((value) => value === undefined);
}

/** Of several idempotent enqueues any may have put it, at the latest the first that returned. */
function wasPutBy(calls: Timed<QueueCall>[], id: string, to: number): void {
  const place = calls.findIndex(({ call }) => call.kind === 'enqueue' && call.id === id);
  const enqueue = calls[place];
  if (enqueue) calls[place] = { ...enqueue, to: Math.min(enqueue.to, to) };
}
