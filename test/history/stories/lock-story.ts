import type { LockKind } from '../lock-kinds.js';
import type { Facts } from '../record.js';
import { type MadeUp, Stage } from './stage.js';

export interface LockStory {
  readonly seed: number;
  readonly kind: LockKind;
  /** Such as `conclave/lock/m/`. */
  readonly line: string;
  /** @default 8 */
  readonly clients?: number;
  /** Acquires in all. */
  readonly rounds: number;
  /** Of the calls, the part whose outcome nobody is told. @default 0 */
  readonly unknown?: number;
  /** Of the holds, the part that ends with its lease. @default 0 */
  readonly losses?: number;
}

interface Ticket {
  readonly key: string;
  readonly token: number;
  readonly weight: number;
  readonly granted: () => void;
  isGranted: boolean;
}

/** Clients that take, write under, give back and lose a lock that is as it should be. */
export function lockStory({
  clients = 8,
  unknown = 0,
  losses = 0,
  kind,
  line,
  seed,
  ...story
}: LockStory): MadeUp {
  const stage = new Stage(seed);
  const { random } = stage;
  const tickets: Ticket[] = [];
  let rounds = story.rounds;
  let written = 0;
  const admit = (): void => {
    let total = 0;
    for (const ticket of tickets) {
      if ((total += ticket.weight) > kind.capacity) break;
      if (ticket.isGranted) continue;
      ticket.isGranted = true;
      stage.later(1, ticket.granted);
    }
  };
  const leave = (ticket: Ticket): void => {
    if (!stage.isLive(ticket.key)) return;
    stage.delete(ticket.key);
    tickets.splice(tickets.indexOf(ticket), 1);
    admit();
  };
  const tell = (id: string, output: Facts): boolean => {
    const isKnown = random.next() >= unknown;
    stage.return(id, isKnown ? 'ok' : 'unknown', isKnown ? output : {});
    return isKnown;
  };
  const again = (client: string): void => stage.later(3, () => round(client));

  const round = (client: string): void => {
    if (rounds-- <= 0) return;
    const wish: Facts =
      kind.name === 'semaphore'
        ? { permits: 1 + (random.uint32() % 3) }
        : { mode: random.next() < 0.7 ? 'read' : 'write' };
    const acquire = stage.invoke(client, 'acquire', 'it', wish);
    const key = `${line}${client}-${rounds}`;
    stage.later(1, () => {
      const token = stage.put(key, { v: 1, mode: wish['mode'], weight: wish['permits'] }, client);
      const granted = (): void => {
        if (tell(acquire, { key, token })) return hold(client, ticket);
        stage.later(5, () => leave(ticket));
        again(client);
      };
      const ticket: Ticket = { key, token, weight: kind.weightOf(wish), granted, isGranted: false };
      tickets.push(ticket);
      admit();
    });
  };

  const hold = (client: string, ticket: Ticket): void => {
    const { key, token } = ticket;
    if (random.next() < losses) stage.later(1, () => lose(client, ticket));
    stage.later(1, () => {
      const write = stage.invoke(client, 'write', 'it', { key, token, register: 'app/it' });
      stage.later(1, () => {
        if (!stage.isLive(key)) {
          stage.later(1, () => stage.return(write, 'no'));
          return again(client);
        }
        const revision = stage.put('app/it', { token, client, n: ++written });
        stage.later(1, () => {
          tell(write, { revision });
          release(client, ticket);
        });
      });
    });
  };

  const lose = (client: string, ticket: Ticket): void => {
    const { key, token } = ticket;
    if (!stage.isLive(key)) return;
    leave(ticket);
    stage.later(1, () => stage.note(client, 'lost', 'it', { key, token, reason: 'expired' }));
  };

  const release = (client: string, ticket: Ticket): void => {
    const { key, token } = ticket;
    const id = stage.invoke(client, 'release', 'it', { key, token });
    stage.later(1, () => {
      const isMine = stage.isLive(key);
      leave(ticket);
      stage.later(1, () => {
        if (isMine) tell(id, {});
        else stage.return(id, 'no');
        again(client);
      });
    });
  };

  for (let i = 0; i < clients; i++) stage.later(3, () => round(`c${i}`));
  return stage.play();
}
