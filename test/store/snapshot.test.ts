import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { UnavailableError } from '../../src/base/errors.js';
import type { SnapshotPiece } from '../../src/store/admin-calls.js';
import { Store } from '../../src/store/store.js';
import { TransportError } from '../../src/store/transport.js';
import { patience } from '../rig/patience.js';
import { ManualRuntime } from './manual-runtime.js';
import { ScriptedTransport } from './scripted-transport.js';

const database = randomBytes(8 * 512);
const whole = Buffer.concat([database, createHash('sha256').update(database).digest()]);

type Source = (endpoint: string, signal: AbortSignal) => AsyncGenerator<SnapshotPiece, void, undefined>;

let directory: string;
let path: string;
let runtime: ManualRuntime;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-snapshot-'));
  path = join(directory, 'backup.db');
  runtime = new ManualRuntime();
});
afterEach(() => {
  expect(
    readdirSync(directory).filter((name) => name.endsWith('.part')),
    'left behind',
  ).toEqual([]);
  expect(runtime.pendingTimers, 'timers left').toBe(0);
  rmSync(directory, { recursive: true, force: true });
});

function storeOver(snapshot: Source, ...endpoints: readonly string[]): Store {
  const admin = { unary: () => Promise.reject(new Error('not asked for')), snapshot, admit: () => {} };
  const transport = Object.assign(new ScriptedTransport(...endpoints), { admin });
  return new Store(transport, { runtime });
}

async function* pieces(bytes: Uint8Array, pieceBytes = 512): AsyncGenerator<SnapshotPiece, void, undefined> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const remainingBytes = BigInt(Math.max(0, database.length - at - pieceBytes));
    yield { bytes: bytes.subarray(at, at + pieceBytes), remainingBytes };
  }
}

const broken = (): TransportError => new TransportError('unavailable', 'connection lost');
const files = (): string[] => readdirSync(directory);

describe('a snapshot', () => {
  it('is the bytes that have come', async () => {
    await storeOver(() => pieces(whole), 'a').maintenance.snapshot(path);
    expect(readFileSync(path).equals(whole)).toBe(true);
  });

  it('with a bit that has flipped is refused, and leaves nothing behind', async () => {
    const damaged = Buffer.from(whole);
    damaged[1_000]! ^= 1;
    const saving = storeOver(() => pieces(damaged), 'a').maintenance.snapshot(path);
    await expect(saving).rejects.toThrow(/checksum is wrong; nothing was saved/);
    await expect(saving).rejects.toBeInstanceOf(UnavailableError);
    expect(files()).toEqual([]);
  });

  it('that ends early, as if all had come, is refused', async () => {
    const cut = storeOver(() => pieces(whole.subarray(0, 2_048)), 'a').maintenance.snapshot(path);
    await expect(cut).rejects.toThrow(/without a checksum/);
    expect(files()).toEqual([]);
  });

  it('is read no faster than it is written', async () => {
    let pulled = 0;
    async function* counted(): ReturnType<Source> {
      for await (const piece of pieces(whole)) {
        pulled++;
        yield piece;
      }
    }
    const ahead: number[] = [];
    let written = 0;
    await storeOver(counted, 'a').maintenance.snapshot(path, {
      onProgress: () => ahead.push(pulled - ++written),
    });
    expect(Math.max(...ahead)).toBe(0);
  });

  it('begins anew on the next member when one breaks off, and nowhere else when it was chosen', async () => {
    const asked: string[] = [];
    const source: Source = async function* (endpoint) {
      asked.push(endpoint);
      for await (const piece of pieces(whole)) {
        yield piece;
        if (endpoint === 'a') throw broken();
      }
    };
    const received: number[] = [];
    const saved = await storeOver(source, 'a', 'b').maintenance.snapshot(path, {
      onProgress: ({ receivedBytes }) => received.push(receivedBytes),
    });
    expect([saved, asked]).toEqual([{ endpoint: 'b', sizeBytes: whole.length }, ['a', 'b']]);
    expect(received.slice(0, 2)).toEqual([512, 512]);

    const chosen = storeOver(source, 'a', 'b').maintenance.snapshot(path, { endpoint: 'a', overwrite: true });
    await expect(chosen).rejects.toThrow(UnavailableError);
    expect(readFileSync(path).equals(whole), 'the old one stays').toBe(true);
  });

  it('of a member that falls silent is given up', async () => {
    const source: Source = async function* (_, signal) {
      yield* pieces(whole.subarray(0, 512));
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new TransportError('cancelled', 'by the caller')));
      });
    };
    let pieceCount = 0;
    const saving = storeOver(source, 'a').maintenance.snapshot(path, { onProgress: () => pieceCount++ });
    saving.catch(() => {});
    await vi.waitFor(() => expect([pieceCount, runtime.pendingTimers]).toEqual([1, 1]), patience);
    await runtime.advance(30_000);
    await expect(saving).rejects.toThrow(/nothing came for 30000 ms/);
    expect(files()).toEqual([]);
  });

  it('that takes longer than it may is given up', async () => {
    const source: Source = async function* (_, signal) {
      yield* pieces(whole.subarray(0, 512));
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new TransportError('cancelled', 'by the caller')));
      });
    };
    let pieceCount = 0;
    const options = { timeoutMs: 100, onProgress: () => (pieceCount += 1) };
    const saving = storeOver(source, 'a').maintenance.snapshot(path, options);
    saving.catch(() => {});
    await vi.waitFor(() => expect([pieceCount, runtime.pendingTimers]).toEqual([1, 2]), patience);
    await runtime.advance(100);
    await expect(saving).rejects.toBeInstanceOf(UnavailableError);
  });
});
