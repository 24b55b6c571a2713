import type { Facts } from '../record.js';
import { type MadeUp, Stage } from './stage.js';

export interface QueueStory {
  readonly seed: number;
  readonly jobs: number;
  /** Of the calls, the part whose outcome nobody is told. @default 0 */
  readonly unknown?: number;
  /** Of the deliveries, the part that ends with the worker's session. @default 0 */
  readonly losses?: number;
}

const queue = 'conclave/queue/q/';

/** Two producers and three workers of the queue `q` of the namespace `conclave`, until every job is done. */
export function queueStory({ seed, jobs, unknown = 0, losses = 0 }: QueueStory): MadeUp {
  const stage = new Stage(seed);
  const { random } = stage;
  const ready: { readonly id: string; readonly attempt: number }[] = [];
  let made = 0;
  let done = 0;
  let leases = 0;
  const tell = (id: string, output: Facts): boolean => {
    const isKnown = random.next() >= unknown;
    stage.return(id, isKnown ? 'ok' : 'unknown', isKnown ? output : {});
    return isKnown;
  };

  const produce = (client: string): void => {
    if (made === jobs) return;
    const id = `j${made++}`;
    const call = stage.invoke(client, 'enqueue', 'q', { id, idempotent: true });
    stage.later(1, () => {
      stage.put(`${queue}job/${id}`, { v: 1 });
      ready.push({ id, attempt: 1 });
      stage.later(1, () => tell(call, { id, created: true }));
      stage.later(4, () => produce(client));
    });
  };

  const work = (client: string, lease: string): void => {
    if (done === jobs) return;
    const call = stage.invoke(client, 'receive', 'q');
    stage.later(1, () => {
      const job = ready.shift();
      if (!job) {
        stage.return(call, 'ok');
        return stage.later(5, () => work(client, lease));
      }
      const claim = `${queue}active/${job.id}/${lease}-${stage.revision}`;
      const token = stage.put(claim, { v: 1 }, lease);
      stage.later(1, () => {
        if (tell(call, { id: job.id, token, attempt: job.attempt }) && random.next() >= losses)
          handle(client, lease, { ...job, token, claim });
        else lose(client, lease, { ...job, token, claim });
      });
    });
  };

  interface Delivery {
    readonly id: string;
    readonly attempt: number;
    readonly token: number;
    readonly claim: string;
  }

  const handle = (client: string, lease: string, { id, attempt, token, claim }: Delivery): void => {
    const isDone = random.next() < 0.8;
    stage.later(3, () => {
      const call = stage.invoke(client, isDone ? 'ack' : 'nack', 'q', { id, token });
      stage.later(1, () => {
        if (isDone) {
          stage.delete(claim, `${queue}job/${id}`);
          done++;
        } else {
          stage.delete(claim);
          ready.push({ id, attempt: attempt + 1 });
        }
        stage.later(1, () => {
          tell(call, {});
          work(client, lease);
        });
      });
    });
  };

  const lose = (client: string, lease: string, { id, attempt, claim }: Delivery): void => {
    stage.later(3, () => {
      stage.delete(sessionOf(lease), claim);
      ready.push({ id, attempt: attempt + 1 });
      open(client);
    });
  };

  const open = (client: string): void => {
    const lease = (0xabc00 + leases++).toString(16);
    stage.put(sessionOf(lease), { v: 1 }, lease);
    stage.later(1, () => work(client, lease));
  };

  for (const client of ['p1', 'p2']) stage.later(1, () => produce(client));
  for (const client of ['w1', 'w2', 'w3']) open(client);
  return stage.play();
}

function sessionOf(lease: string): string {
  return `conclave/session/${lease.padStart(16, '0')}`;
}
