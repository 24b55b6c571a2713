import type { TxnOp } from '../../src/store/operations.js';
import type { Random } from '../../src/testing/random.js';
import {
  type Calls,
  type Method,
  type Transport,
  TransportError,
  type UnaryOptions,
} from '../../src/store/transport.js';
import { RecordingTransport } from './recording-transport.js';

/** What is to be lost, and how often. */
export interface Loss {
  readonly random: Random;
  /** From 0 to 1. */
  readonly share: number;
  /** What a transaction is for; undefined if its answer is not to be lost. */
  readonly kindOf: (request: TxnOp) => string | undefined;
}

/** Loses the answers to some transactions: they are done, and the caller is told that the connection broke. */
export class LossyTransport extends RecordingTransport {
  readonly #loss: Loss;
  /** How many were lost, by what they were for. */
  readonly lost: Record<string, number> = {};

  constructor(inner: Transport, loss: Loss) {
    super(inner);
    this.#loss = loss;
  }

  override async unary<M extends Method>(
    endpoint: string,
    method: M,
    request: Calls[M]['request'],
    options: UnaryOptions,
  ): Promise<Calls[M]['response']> {
    const { random, share, kindOf } = this.#loss;
    const answer = await super.unary(endpoint, method, request, options);
    const kind = method === 'txn' ? kindOf(request as TxnOp) : undefined;
    if (kind === undefined || random.next() >= share) return answer;
    this.lost[kind] = (this.lost[kind] ?? 0) + 1;
    throw new TransportError('unavailable', 'the answer was lost');
  }
}
