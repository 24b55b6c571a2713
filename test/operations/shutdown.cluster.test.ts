import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Conclave, connect, prefix, toText } from '../../src/index.js';
import { programFolder } from '../project/program.js';
import { Cluster } from '../rig/cluster.js';
import { patience } from '../rig/patience.js';
import { documentedSnippet } from './document.js';

let cluster: Cluster;
let conclave: Conclave;
const folder = programFolder();

beforeAll(async () => {
  cluster = await Cluster.start();
  conclave = await connect({ endpoints: cluster.endpoints });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await conclave.close();
  await cluster.dispose();
});

it('the program of docs/operations.md ends by itself after a SIGTERM, and gives back by delete, before its lease is revoked', async () => {
  const { header } = await conclave.store.get('any');
  const program = join(folder, 'program.mjs');
  const endpoint = cluster.endpoints[0] ?? '';
  writeFileSync(program, documentedSnippet('shutdown').code.replace('http://127.0.0.1:2379', endpoint));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const pipe of [child.stdout, child.stderr])
    pipe.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = once(child, 'close');
  await vi.waitFor(() => expect(printed).toMatch(/leads with token \d+/), patience);
  const { id } = await conclave.queue('receipts').enqueue('x', { id: 'x' });
  await conclave.queue('receipts').waitFor(id);

  child.kill('SIGTERM');

  expect(await ended).toEqual([0, null]);
  expect(printed).toMatch(/\nhas put things in order, while it still leads: true\nclosed\n$/);
  const deletedAt = await deletions(header.revision + 1n);
  const session = [...deletedAt].find(([key]) => key.startsWith('conclave/session/'));
  const ticket = [...deletedAt].find(([key]) => key.startsWith('conclave/election/scheduler/'));
  expect(ticket?.[1]).toBeLessThan(session?.[1] ?? 0n);
  expect((await conclave.election('scheduler').leader())?.value).toBeUndefined();
});

/** What was deleted since then, and when, up to the end of the first session. */
async function deletions(startRevision: bigint): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  for await (const notice of conclave.store.watch(prefix('conclave/'), { startRevision, exclude: ['put'] })) {
    if (notice.kind !== 'events') continue;
    for (const { kv } of notice.events) found.set(toText(kv.key), kv.modRevision);
    if ([...found.keys()].some((key) => /^conclave\/session\/[^/]+$/.test(key))) break;
  }
  return found;
}
