import type { Violation } from '../history/record.js';
import { guardedRegister, lockKey } from './loads/etcd3-lock.js';
import { judge } from './judge.js';
import { stopHolders } from './scenarios/stopped-holders.js';
import type { Scenario } from './scenarios/scenario.js';
import { until } from './scenarios/until.js';
import { phantomOf } from './server-locks.js';
import { Stage } from './stage.js';
import { toldEarly } from './told-early.js';

/** Something that is known to be wrong: whoever judges must see it. */
interface Control {
  readonly name: string;
  /** Which rules it breaks: a client that hangs, or a gap in the history, is not what is to be found. */
  readonly rules: readonly string[];
  readonly run: (seed: number) => Promise<readonly Violation[]>;
}

const controls: readonly Control[] = [
  {
    name: 'a register without a fence, its holder stopped past its TTL',
    rules: ['I3'],
    run: async (seed) =>
      (await stopHolders({ workload: 'unfenced-register', points: ['use.write'], repetitions: 1, seed }))
        .violations,
  },
  {
    name: 'a holder that is told before its turn, by less than the dump may be late',
    rules: ['I1', 'I4'],
    run: toldEarly,
  },
  { name: 'the server’s own Lock, a lease that ends while it waits', rules: ['I4'], run: phantom('v3lock') },
  {
    name: 'the server’s own Campaign, a lease that ends while it waits',
    rules: ['I4'],
    run: phantom('v3election'),
  },
  { name: 'the lock of npm etcd3, its holder stopped past its TTL', rules: ['I3'], run: stopEtcd3 },
];

function phantom(kind: Parameters<typeof phantomOf>[0]): Control['run'] {
  return async () => (await phantomOf(kind)).violations;
}

async function stopEtcd3(seed: number): Promise<readonly Violation[]> {
  const workload = 'etcd3-lock';
  await using stage = await Stage.start({
    workload,
    tier: 'loopback',
    members: 1,
    clients: 2,
    ttlMs: 2_000,
    seed,
  });
  const { recorder } = stage;
  const standing = (key: string): { readonly createRevision: number; readonly value: string } | undefined =>
    recorder.standing.find((each) => each.key === key);
  const player = stage.player(0);
  player.aim({ probe: 'use.write', nth: 1, act: 'stop' });
  await until('the holder stops', () => player.isStopped());
  await recorder.catchUp();
  const token = standing(lockKey)?.createRevision ?? Infinity;
  const tokenOf = (value: string): number => (JSON.parse(value) as { token: number }).token;
  await until(
    'the next one writes',
    () => tokenOf(standing(guardedRegister)?.value ?? '{"token":0}') > token,
  );
  const { rounds } = player;
  player.resume();
  await until('it goes on', () => player.rounds > rounds);
  await stage.end();
  const evidence = await stage.evidence();
  stage.conclude(evidence, []); // it is wrong, as it must be
  return judge(stage.workload, evidence).filter(({ rule }) => rule !== 'error');
}

export const positiveControls: Scenario = {
  number: 32,
  title:
    'What is known to be wrong is found: no fence, a holder told too early, the locks of the server, the lock of npm etcd3',
  tier: 'P',
  needs: [],
  repetitions: { full: 1, tenth: 1 },
  async run(stand) {
    const found = await Promise.all(controls.map(({ run }) => run(stand.seed)));
    for (const [i, { name, rules }] of controls.entries()) {
      const violations = (found[i] ?? []).filter(({ rule }) => rules.includes(rule));
      stand.figure(name, `${violations.length} violations; ${violations[0]?.what ?? ''}`);
      for (const rule of rules)
        stand.expect(
          violations.some((each) => each.rule === rule),
          `${name}: nothing was found by ${rule}, and it is wrong`,
        );
    }
  },
};
