import { systemRuntime } from '../../../src/base/runtime.js';
import { EtcdTransport } from '../../../src/etcd/transport.js';
import { Conclave, type ConclaveOptions } from '../../../src/index.js';
import { RecordingTransport } from '../../rig/recording-transport.js';
import { namespace } from '../stage.js';

/** A client in this process, whose traffic can be looked at. */
export class Watched implements AsyncDisposable {
  readonly conclave: Conclave;
  readonly transport: RecordingTransport;

  constructor(endpoints: readonly string[], options: Omit<ConclaveOptions, 'runtime'> = {}) {
    const inner = new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 5_000 });
    this.transport = new RecordingTransport(inner);
    this.conclave = Conclave.over(this.transport, { runtime: systemRuntime, namespace, ...options });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.conclave.close();
  }
}
