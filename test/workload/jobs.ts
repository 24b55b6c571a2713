import {
  type Conclave,
  type Delivery,
  isConclaveError,
  type Queue,
  type QueueOptions,
} from '../../src/index.js';
import type { EnqueueOptions } from '../../src/queue/queue-options.js';
import type { Desk } from './workload.js';

/** What clients do with one queue. The value of a job is its tag, unique unless it is put again by the same id. */
export class Jobs {
  readonly name: string;
  readonly #options: QueueOptions;
  /** One object for a queue in a process. */
  readonly #queues = new WeakMap<Conclave, Queue>();

  constructor(name: string, options: QueueOptions) {
    this.name = name;
    this.#options = options;
  }

  queue({ conclave }: Desk): Queue {
    const queue = this.#queues.get(conclave) ?? conclave.queue(this.name, this.#options);
    this.#queues.set(conclave, queue);
    return queue;
  }

  /** Puts a job; half of them by an id, and those again if that is in doubt, or just so. */
  async put(desk: Desk, options: Pick<EnqueueOptions, 'priority' | 'delayMs' | 'group'> = {}): Promise<void> {
    const { name, random } = desk;
    const tag = `${name}:${random.uint32().toString(36)}`;
    const idempotent = random.next() < 0.5;
    const { group: key, ...rest } = options;
    const input = { id: tag, idempotent, ...rest, ...(key !== undefined && { key }) };
    const once = (): Promise<unknown> =>
      desk.call(
        'enqueue',
        this.name,
        input,
        () => this.queue(desk).enqueue(tag, { ...options, ...(idempotent && { id: tag }) }),
        ({ id, created }) => ({ id, created }),
      );
    for (let again = 0; ; again++) {
      try {
        await once();
        if (!idempotent || random.next() < 0.8) return;
      } catch (error) {
        if (!idempotent || again > 2 || !isConclaveError(error, 'OUTCOME_UNKNOWN')) throw error;
      }
      await desk.pause(random.between(0, 300));
    }
  }

  /** @returns undefined if there is none in that time */
  async take(
    desk: Desk,
    timeoutMs: number,
    signal: AbortSignal = desk.signal,
  ): Promise<Delivery | undefined> {
    const delivery = await desk.call(
      'receive',
      this.name,
      { timeoutMs },
      () =>
        this.queue(desk)
          .receive({ signal, timeoutMs })
          .catch((error: unknown) => {
            if (isConclaveError(error, 'WAIT_TIMEOUT')) return undefined;
            throw error;
          }),
      (taken) =>
        taken
          ? {
              id: taken.id,
              token: Number(taken.fencingToken),
              tag: String(taken.value),
              attempt: taken.attempt,
            }
          : {},
    );
    if (delivery) desk.claim(this.name, delivery);
    return delivery;
  }

  async ack(desk: Desk, delivery: Delivery, result?: string): Promise<void> {
    await desk.call('ack', this.name, factsOf(delivery), () => delivery.ack(result));
  }

  /** @param how `retry`: it has failed; `fail`: for good; `return`: it has not failed */
  async nack(
    desk: Desk,
    delivery: Delivery,
    how: 'retry' | 'fail' | 'return',
    delayMs?: number,
  ): Promise<void> {
    const input = { ...factsOf(delivery), how, ...(delayMs !== undefined && { delayMs }) };
    await desk.call('nack', this.name, input, () => {
      if (how === 'return') return delivery.release();
      if (how === 'fail') return delivery.fail('as it is to be');
      return delivery.retry(delayMs === undefined ? {} : { delayMs });
    });
  }

  /** Does all that there is, and waits for what is delayed, or in the hands of workers that are gone. */
  async drain(desk: Desk): Promise<void> {
    for (let rounds = 0, inVain = 0; inVain < 75; rounds++) {
      const delivery = await this.take(desk, rounds % 2 === 0 ? 0 : 2_000);
      if (delivery) {
        await this.ack(desk, delivery);
        continue;
      }
      inVain++;
      const { ready, delayed, grouped, running } = await this.queue(desk).inspect();
      if (ready + delayed + grouped + running.length === 0) return;
    }
  }
}

function factsOf({ id, fencingToken }: Delivery): { id: string; token: number } {
  return { id, token: Number(fencingToken) };
}
