import { expect, it } from 'vitest';
import type { StandardSchema } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { Reader } from './reader.js';

const key = 'conclave/config/c';
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

it.each([400, 2_000, 20_000])(
  'goes on after a value nested %d levels deep has been stored twice',
  async (levels) => {
    await using world = await World.open();
    await world.store.put(key, '1');
    const value = (await world.client()).config('c');
    await value.ready();
    const errors = new Reader((options) => value.errors(options));
    await world.store.put(key, nested(levels));
    await world.settle();
    await world.store.put(key, `${nested(levels)} `);
    await world.settle();
    await world.store.put(key, '2');
    await world.settle();
    expect(value.current).toBe(2);
    expect(errors.seen).toHaveLength(levels < 500 ? 0 : 2);
    await errors.stop();
  },
);

it('refuses to store what is nested too deeply to be read', async () => {
  await using world = await World.open();
  const client = await world.client();
  const value: unknown = JSON.parse(nested(2_000));
  expect(await outcome(client.config('c').set(value))).toBeInstanceOf(RangeError);
  expect(() => client.config('c', { fallback: value })).toThrow(RangeError);
  expect(world.calls(client)).toEqual([]);
});

it('knows the fallback again when it is stored, whatever the schema does to what it checks', async () => {
  await using world = await World.open();
  const validate = (value: unknown): { value: object } => ({
    value: Object.assign(value as object, { b: 2 }),
  });
  const schema: StandardSchema<object> = { '~standard': { version: 1, vendor: 'test', validate } };
  const value = (await world.client()).config('c', { schema, fallback: { a: 1 } });
  const reader = new Reader((options) => value.changes(options));
  await world.settle();
  await world.store.put(key, '{"a":1}');
  await world.settle();
  expect(reader.seen).toEqual([{ a: 1, b: 2 }]);
  await reader.stop();
});
