import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';

import { InvalidValueError, type LiveValue, toText } from '../../../src/index.js';
import type { Surface } from '../surface.js';

const schema = z.object({ config1: z.string(), config2: z.string() });
type AppConfig = z.infer<typeof schema>;

export function hotConfigurationRow(surface: Surface): void {
  const first = { config1: 'one', config2: 'two' };
  let config: LiveValue<AppConfig>;
  let opened: LiveValue<AppConfig> | undefined; // none, where the test is skipped

  beforeEach(async () => {
    await surface.store.put(surface.at('config_key'), JSON.stringify(first));
    opened = config = surface.conclave.config({ path: surface.at('config_key') }, { schema });
    await config.ready();
  });
  afterEach(() => opened?.[Symbol.asyncDispose]());

  it('a typed value is kept up to date from a key, whoever writes it', async () => {
    const changes = config.changes();
    expect((await changes.next()).value).toEqual(first);
    await surface.store.put(config.key, '{ "config1": "three", "config2": "four" }');
    expect((await changes.next()).value).toEqual({ config1: 'three', config2: 'four' });
    expect(config.current).toEqual({ config1: 'three', config2: 'four' });
    await changes.return();
  });

  it.each([
    ['is no JSON', '{ "config1": '],
    ['is refused by the schema', '{ "config1": 1, "config2": "four" }'],
  ])('a value that %s is reported, and the last good one stays', async (_, bad) => {
    const errors = config.errors();
    const next = errors.next();
    await surface.store.put(config.key, bad);
    expect((await next).value).toBeInstanceOf(InvalidValueError);
    expect(config.current).toEqual(first);
    await errors.return();
  });

  it('is stored by whoever has seen the one before', async () => {
    await config.set({ config1: 'five', config2: 'six' });
    const { kvs } = await surface.store.get(config.key);
    expect(JSON.parse(toText(kvs[0]!.value))).toEqual({ config1: 'five', config2: 'six' });
    expect(config.current.config1).toBe('five');
  });
}
