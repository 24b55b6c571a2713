// Five workers: processes on etcd, clients in this process on the embedded engine.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'conclave';
import { Member } from './member.js';

/** Processes that can be killed, stopped and continued. */
export class ProcessCrew {
  #workers = new Map();
  howToKill = 'SIGKILL: it is gone, and gives nothing back';
  howToPause = 'SIGSTOP: it stands still, and does not know';
  howToResume = 'SIGCONT: it goes on where it stood';

  constructor(endpoint, sessionTtlMs) {
    this.endpoint = endpoint;
    this.sessionTtlMs = sessionTtlMs;
  }

  start(name, { isFirst, hear }) {
    const program = new URL('worker.js', import.meta.url);
    const args = [name, this.endpoint, String(this.sessionTtlMs), isFirst ? 'first' : 'later'];
    const child = fork(program, args);
    child.on('message', hear);
    const ended = once(child, 'exit').then(([status, signal]) => {
      if (status !== 0) throw new Error(`${name} ended with ${signal ?? `status ${status}`}`);
    });
    ended.catch(() => {}); // Awaited later.
    this.#workers.set(name, { child, ended });
  }

  order(name, word) {
    this.#workers.get(name).child.send(word);
  }

  async kill(name) {
    const { child } = this.#workers.get(name);
    this.#workers.delete(name);
    child.kill('SIGKILL');
  }

  async pause(name) {
    this.#workers.get(name).child.kill('SIGSTOP');
  }

  async resume(name) {
    this.#workers.get(name).child.kill('SIGCONT');
    this.order(name, 'thaw');
  }

  async done() {
    for (const name of this.#workers.keys()) this.order(name, 'leave');
    await Promise.all([...this.#workers.values()].map(({ ended }) => ended));
  }

  /** At the end of this process, whatever its reason. SIGKILL ends a stopped process, too. */
  killAll() {
    for (const { child } of this.#workers.values()) child.kill('SIGKILL');
  }
}

/**
 * Clients of one embedded engine. Nobody can kill or stop a part of a process, so they come as close as the store
 * allows: the worker stands still in the middle of its work, and its lease is revoked, as etcd does with the lease of a
 * process it no longer hears of. There is no wait for a TTL.
 */
export class ClientCrew {
  #workers = new Map();
  #conclaves = [];
  howToKill = 'cut off: it does nothing any more, and its lease is revoked';
  howToPause = 'stands still, and does not know that its lease is revoked';
  howToResume = 'goes on where it stood';

  constructor(engine, store, sessionTtlMs) {
    this.engine = engine;
    this.store = store;
    this.sessionTtlMs = sessionTtlMs;
  }

  async start(name, { isFirst, hear }) {
    const { engine, sessionTtlMs } = this;
    const conclave = await connect({ endpoints: [engine], sessionTtlMs, holder: name });
    const worker = { key: undefined };
    const say = (event) => {
      worker.key = event.key ?? worker.key;
      hear(event);
    };
    worker.member = new Member(conclave, { name, say });
    worker.ended = worker.member.run({ isFirst });
    worker.ended.catch(() => {}); // Awaited later.
    this.#conclaves.push(conclave);
    this.#workers.set(name, worker);
  }

  order(name, word) {
    this.#workers.get(name).member.order(word);
  }

  async kill(name) {
    await this.pause(name);
    this.order(name, 'leave'); // A dead one does not stand for election again.
    this.#workers.delete(name);
  }

  async pause(name) {
    const { kvs } = await this.store.get(this.#workers.get(name).key);
    await this.store.lease.revoke(kvs[0].lease);
  }

  async resume(name) {
    this.order(name, 'thaw');
  }

  async done() {
    for (const name of this.#workers.keys()) this.order(name, 'leave');
    await Promise.all([...this.#workers.values()].map(({ ended }) => ended));
    await Promise.all(this.#conclaves.map((conclave) => conclave.close()));
  }

  killAll() {}
}
