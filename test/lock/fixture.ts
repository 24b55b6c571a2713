import { once } from 'node:events';
import { expect, vi } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import type { ConclaveOptions } from '../../src/conclave-options.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import type { Mutex, MutexState } from '../../src/lock/mutex.js';
import { guardMs } from '../rig/patience.js';
import { RecordingTransport } from '../rig/recording-transport.js';

export { figure } from '../rig/figure.js';
export { guardMs };

/** A Conclave on etcd whose traffic can be looked at. */
export interface Recorded extends AsyncDisposable {
  readonly conclave: Conclave;
  readonly transport: RecordingTransport;
}

export function recorded(endpoints: readonly string[], options: ConclaveOptions = {}): Recorded {
  const transport = new RecordingTransport(
    new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: options.dialTimeoutMs ?? 5_000 }),
  );
  const conclave = Conclave.over(transport, { runtime: systemRuntime, ...options });
  return { conclave, transport, [Symbol.asyncDispose]: () => conclave.close() };
}

/** Resolves with the line once `waiters` stand behind the holder. */
export async function untilWaiting(mutex: Mutex, waiters: number): Promise<MutexState> {
  return vi.waitFor(
    async () => {
      const state = await mutex.inspect();
      expect(state.waiters).toHaveLength(waiters);
      return state;
    },
    { timeout: guardMs, interval: 20 },
  );
}

/** How a promise ended, as a value. */
export type Outcome<T> =
  { readonly value: T; readonly error?: undefined } | { readonly value?: undefined; readonly error: unknown };

export async function outcome<T>(promise: Promise<T>): Promise<Outcome<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

/** Resolves when the signal has aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort', { signal: AbortSignal.timeout(guardMs) });
}
