import { systemRuntime } from '../../../src/base/runtime.js';
import { EtcdTransport } from '../../../src/etcd/transport.js';
import { Conclave, type ConclaveOptions } from '../../../src/index.js';
import { RecordingTransport } from '../../rig/recording-transport.js';
import { namespace } from '../stage.js';

/** A client in this process, whose traffic and progress can be looked at. */
export class Watched implements AsyncDisposable {
  readonly conclave: Conclave;
  readonly transport: RecordingTransport;
  /** Called at each named point of a protocol. */
  onProbe: (name: string) => void = () => {};

  constructor(endpoints: readonly string[], options: Omit<ConclaveOptions, 'runtime'> = {}) {
    const runtime = { ...systemRuntime, probe: (name: string) => this.onProbe(name) };
    const inner = new EtcdTransport({ endpoints, runtime, dialTimeoutMs: 5_000 });
    this.transport = new RecordingTransport(inner);
    this.conclave = Conclave.over(this.transport, { runtime, namespace, ...options });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.conclave.close();
  }
}
