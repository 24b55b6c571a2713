import { expect, it } from 'vitest';
import type { StandardSchema } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';

const key = 'conclave/config/c';

/** A schema that thinks about the value "slow" until `answer` is called. */
function thinking(): { readonly schema: StandardSchema<string>; readonly answer: () => void } {
  const waiting: (() => void)[] = [];
  const validate = async (value: unknown): Promise<{ value: string }> => {
    if (value === 'slow') await new Promise<void>((resolve) => waiting.push(resolve));
    return { value: String(value) };
  };
  return {
    schema: { '~standard': { version: 1, vendor: 'test', validate } },
    answer: () => waiting.splice(0).forEach((resolve) => resolve()),
  };
}

it('does not let a value be set over a change that came while its schema was thinking', async () => {
  await using world = await World.open();
  const { schema, answer } = thinking();
  await world.store.put(key, '"first"');
  const value = (await world.client()).config('c', { schema });
  await value.ready();
  const setting = outcome(value.set('slow'));
  await world.store.put(key, '"theirs"');
  await world.settle();
  expect(value.current).toBe('theirs');
  answer();
  expect(await world.run(setting)).toMatchObject({ code: 'CONFLICT' });
  expect(value.current).toBe('theirs');
});

it('does not let a setting be set over a change that came while its schema was thinking', async () => {
  await using world = await World.open();
  const { schema, answer } = thinking();
  const settings = (await world.client()).settings('c', { schema });
  await settings.ready();
  const setting = outcome(settings.set('a', 'slow'));
  await world.store.put(`${key}/a`, '"theirs"');
  await world.settle();
  answer();
  expect(await world.run(setting)).toMatchObject({ code: 'CONFLICT' });
});

it('lets a value stay as it is after close, whatever its schema answers then', async () => {
  await using world = await World.open();
  const { schema, answer } = thinking();
  await world.store.put(key, '"first"');
  await world.store.put(`${key}/a`, '"first"');
  const client = await world.client();
  const [value, settings] = [client.config('c', { schema }), client.settings('c', { schema })];
  await Promise.all([value.ready(), settings.ready()]);
  await world.store.put(key, '"slow"');
  await world.store.put(`${key}/a`, '"slow"');
  await world.settle();
  await Promise.all([value.close(), settings.close()]);
  answer();
  await world.settle();
  expect([value.current, settings.current.get('a')]).toEqual(['first', 'first']);
});

it.each(['value', 'client'] as const)(
  'ends a reader when its %s is closed although the schema never answers about the fallback',
  async (what) => {
    await using world = await World.open();
    const client = await world.client();
    const value = client.config('c', { schema: thinking().schema, fallback: 'slow' });
    let told: unknown;
    void outcome(value.changes().next()).then((each) => (told = each));
    await world.settle();
    await (what === 'value' ? value : client).close();
    await world.settle();
    expect(told).toMatchObject({ code: 'CLOSED' });
  },
);
