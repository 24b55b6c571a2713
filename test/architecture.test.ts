import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importViolations } from './architecture/imports.js';
import type { Source } from './architecture/source.js';
import { syntaxViolations } from './architecture/syntax.js';

const src = new URL('../src/', import.meta.url).pathname;

function readSources(): Source[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(src, path), 'utf8') }));
}

/** A few files in memory, by path. */
function files(texts: Readonly<Record<string, string>>): Source[] {
  return Object.entries(texts).map(([path, text]) => ({ path, text }));
}

function complaints(text: string, path = 'lock/mutex.ts'): string[] {
  return syntaxViolations({ path, text });
}

describe('src', () => {
  const sources = readSources();

  it('has files to look at', () => expect(sources.length).toBeGreaterThan(0));
  it('imports downwards only, without cycles', () => expect(importViolations(sources)).toEqual([]));
  it('keeps to the rules of syntax', () => expect(sources.flatMap(syntaxViolations)).toEqual([]));
});

describe('an import that is refused', () => {
  it.each([
    ['up', 'store/client.ts', "import { Session } from '../session/session.js';"],
    ['up, for a type', 'base/keys.ts', "import type { Store } from '../store/store.js';"],
    ['up, inside a type', 'base/keys.ts', "export type S = import('../store/store.js').Store;"],
    ['up, re-exported', 'session/hold.ts', "export { Mutex } from '../lock/mutex.js';"],
    ['up, late', 'session/hold.ts', "export const load = () => import('../lock/mutex.js');"],
    ['to a sibling', 'election/election.ts', "import { Mutex } from '../lock/mutex.js';"],
    ['from one engine to the other', 'memory/engine.ts', "import { dial } from '../etcd/dial.js';"],
    ['from the command line past index.ts', 'cli/lock.ts', "import { Mutex } from '../lock/mutex.js';"],
    ['from the library to its testing', 'connect.ts', "import { World } from './testing/world.js';"],
    ['of a layer nobody declared', 'shared/bag.ts', "import { key } from '../base/keys.js';"],
    ['of etcd3 outside etcd/', 'store/client.ts', "import { Etcd3 } from 'etcd3';"],
    ['of gRPC outside etcd/', 'connect.ts', "import type { Client } from '@grpc/grpc-js';"],
    ['of a package in base/', 'base/retry.ts', "import retry from 'p-retry';"],
    ['of the package by its own name', 'lock/mutex.ts', "import { connect } from 'conclave';"],
    ['that loads etcd/ at once', 'connect.ts', "import { dial } from './etcd/dial.js';"],
    ['that loads etcd/ elsewhere', 'index.ts', "export { dial } from './etcd/dial.js';"],
    ['that loads etcd/ for one inline type', 'index.ts', "import { type Dial } from './etcd/dial.js';"],
  ])('%s', (_, path, text) => {
    expect(importViolations(files({ [path]: text }))).toHaveLength(1);
  });

  it('closes a cycle, and the cycle is named once', () => {
    const cyclic = files({
      'store/client.ts': "import { Watch } from './watch.js';",
      'store/watch.ts': "import type { Range } from './range.js';",
      'store/range.ts': "import type { Client } from './client.js';",
    });
    expect(importViolations(cyclic)).toEqual([
      'cycle: store/client.ts -> store/watch.ts -> store/range.ts -> store/client.ts',
    ]);
  });
});

it('accepts the imports the design asks for', () => {
  const good = files({
    'base/runtime.ts': "import { randomBytes } from 'node:crypto';",
    'store/client.ts': "import { sleep } from '../base/runtime.js'; import retry from 'p-retry';",
    'etcd/dial.ts': "import { ConnectionPool } from 'etcd3/lib/connection-pool.js';",
    'lock/mutex.ts': "import { Hold } from '../session/hold.js';",
    'connect.ts': "export const load = () => import('./etcd/dial.js');",
    'index.ts': "export { connect } from './connect.js'; export type { Dial } from './etcd/dial.js';",
    'testing/world.ts': "import { Engine } from '../memory/engine.js';",
  });
  expect(importViolations(good)).toEqual([]);
});

describe('a syntax that is refused', () => {
  it.each([
    ['setTimeout(f, 1);', 'setTimeout'],
    ['globalThis.setInterval(f, 1);', 'globalThis.setInterval'],
    ["globalThis['Date'].now();", 'globalThis.Date'],
    ['setImmediate(f);', 'setImmediate'],
    ['queueMicrotask(f);', 'queueMicrotask'],
    ['export const now = Date.now();', 'Date'],
    ['export const now = { Date };', 'Date'],
    ['export const now = new Date();', 'Date'],
    ['export class Clock extends Date {}', 'Date'],
    ['performance.now();', 'performance'],
    ['process.hrtime.bigint();', 'process.hrtime'],
    ['process.nextTick(f);', 'process.nextTick'],
    ['Math.random();', 'Math.random'],
    ['const { random: chance } = Math;', 'Math.random'],
    ['crypto.randomUUID();', 'crypto'],
    ["import { randomUUID } from 'node:crypto';", 'node:crypto'],
    ["import { createHash, randomUUID } from 'node:crypto';", 'node:crypto'],
    ["import { setTimeout as sleep } from 'timers/promises';", 'timers/promises'],
    ["const { performance: p } = await import('node:perf_hooks');", 'node:perf_hooks'],
    ['AbortSignal.timeout(1);', 'AbortSignal.timeout'],
    ['new WeakRef(o);', 'WeakRef'],
    ['new FinalizationRegistry(f);', 'FinalizationRegistry'],
    ['await f();', 'awaits'],
    ['for await (const x of xs) f(x);', 'awaits'],
    ['await using x = f();', 'awaits'],
    ['export const x = [await f()];', 'awaits'],
    ['export function f(x: any): void {}', 'any'],
    ['export const x = y as any;', 'any'],
    ['f(x!);', '!'],
    ['class A { x!: number; }', '!'],
    ['enum E { A }', 'enum'],
    ['export default 1;', 'default'],
    ['export default class A {}', 'default'],
    ['export { a as default };', 'default'],
    ["export * from './hold.js';", '*'],
    ["export * as hold from './hold.js';", '*'],
  ])('%s', (text, named) => {
    expect(complaints(text).join('\n')).toContain(named);
  });

  it.each(['utils.ts', 'types.ts', 'helpers.ts', 'util.ts'])('a file called %s', (name) => {
    expect(complaints('', `session/${name}`)).toHaveLength(1);
  });

  it('more than 300 lines without a reason in the first comment', () => {
    const body = 'f();\n'.repeat(301);
    expect(complaints(body)).toHaveLength(1);
    expect(complaints(`/** Long. */\n${body}`)).toHaveLength(1);
    expect(complaints(`/** Over 300 lines: one table, split nowhere. */\n${body}`)).toEqual([]);
  });
});

describe('a syntax that is accepted', () => {
  it.each([
    'export interface Clock { performance: number; Date(): void }',
    'export interface Ticket { since: Date }',
    'export const clock = { setTimeout: 1, Date() {} };',
    'clock.setTimeout(1); clock.performance;',
    'export async function f(): Promise<void> { await g(); for await (const x of xs) g(x); await using y = g(); }',
    'export const f = async (): Promise<void> => { await g(); };',
    'class A { async f(): Promise<void> { await g(); } }',
    'switch (x) { default: f(!y); }',
    'export const text = "setTimeout and any";',
    "export { a } from './a.js';",
  ])('%s', (text) => {
    expect(complaints(text)).toEqual([]);
  });

  it.each(['base/runtime.ts', 'testing/world.ts', 'cli/lock.ts'])('raw time in %s', (path) => {
    expect(complaints('setTimeout(f, Date.now());', path)).toEqual([]);
  });
});
