import { systemRuntime } from '../../src/base/runtime.js';
import type { EtcdTransportOptions } from '../../src/etcd/options.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Store } from '../../src/store/store.js';

/** A store of its own, closed at the end of the block. */
export function storeOn(
  endpoints: readonly string[],
  options: Partial<EtcdTransportOptions> = {},
): Store & AsyncDisposable {
  const transport = new EtcdTransport({
    endpoints,
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
    ...options,
  });
  const store = new Store(transport, { runtime: systemRuntime, timeoutMs: 15_000 });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
