import type { Facts } from '../record.js';
import { type MadeUp, Stage } from './stage.js';

export interface ElectionStory {
  readonly seed: number;
  readonly rounds: number;
  /** Of the calls, the part whose outcome nobody is told. @default 0 */
  readonly unknown?: number;
  /** Of the reigns, the part that ends with the leader's lease. @default 0 */
  readonly losses?: number;
}

/** Three candidates of the election `it`, and two observers, who do not hear of everything. */
export function electionStory({ seed, unknown = 0, losses = 0, ...story }: ElectionStory): MadeUp {
  const stage = new Stage(seed);
  const { random } = stage;
  const line: { readonly key: string; readonly token: number; value: string; onLead: () => void }[] = [];
  let rounds = story.rounds;
  let told = 0;
  const tell = (id: string, output: Facts): boolean => {
    const isKnown = random.next() >= unknown;
    stage.return(id, isKnown ? 'ok' : 'unknown', isKnown ? output : {});
    return isKnown;
  };
  const lastTold = new Map<string, string>();
  /** What an observer hears: later, not of all, and nothing twice. */
  const observe = (): void => {
    const [leader] = line;
    const facts = leader ? { token: leader.token, value: leader.value } : {};
    const { revision } = stage;
    const at = (told = Math.max(told, stage.now) + 0.01);
    for (const client of ['o1', 'o2']) {
      if (random.next() >= 0.7 || lastTold.get(client) === JSON.stringify(facts)) continue;
      lastTold.set(client, JSON.stringify(facts));
      const note = { kind: 'note', at, client, what: 'leader', on: 'it' } as const;
      stage.entries.push({ ...note, facts: { ...facts, revision } });
    }
  };
  const lead = (): void => line[0]?.onLead();
  const gone = (key: string): void => {
    const place = line.findIndex((each) => each.key === key);
    if (place < 0) return;
    stage.delete(key);
    line.splice(place, 1);
    observe();
    if (place === 0) lead();
  };

  const campaign = (client: string): void => {
    if (rounds-- <= 0) return;
    const key = `conclave/election/it/${client}-${rounds}`;
    const value = `${client} ${rounds}`;
    const call = stage.invoke(client, 'campaign', 'it', { value });
    stage.later(1, () => {
      const token = stage.put(key, { v: 1, value }, client);
      const onLead = (): void =>
        stage.later(1, () => {
          if (tell(call, { key, token })) return reign(client, key, token);
          stage.later(3, () => gone(key));
          campaign(client);
        });
      line.push({ key, token, value, onLead });
      observe();
      if (line.length === 1) lead();
    });
  };

  const reign = (client: string, key: string, token: number): void => {
    if (random.next() < losses) stage.later(4, () => gone(key));
    stage.later(2, () => {
      const value = `${client} again`;
      const call = stage.invoke(client, 'proclaim', 'it', { key, token, value });
      stage.later(1, () => {
        if (!stage.isLive(key)) {
          stage.return(call, 'no');
          return campaign(client);
        }
        const revision = stage.put(key, { v: 1, value }, client);
        for (const each of line) if (each.key === key) each.value = value;
        observe();
        stage.later(1, () => tell(call, { revision }));
        stage.later(4, () => resign(client, key, token));
      });
    });
  };

  const resign = (client: string, key: string, token: number): void => {
    const call = stage.invoke(client, 'resign', 'it', { key, token });
    stage.later(1, () => {
      const isMine = stage.isLive(key);
      gone(key);
      stage.later(1, () => {
        if (isMine) tell(call, {});
        else stage.return(call, 'no');
        campaign(client);
      });
    });
  };

  const look = (): void => {
    if (rounds <= 0) return;
    const call = stage.invoke('looker', 'leader', 'it');
    stage.later(1, () => {
      const [leader] = line;
      const seen = leader ? { token: leader.token, value: leader.value } : {};
      stage.later(1, () => stage.return(call, 'ok', seen));
      stage.later(3, look);
    });
  };

  for (const client of ['c1', 'c2', 'c3']) stage.later(2, () => campaign(client));
  stage.later(1, look);
  return stage.play();
}
