import { expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';

it('candidates are told with what they stand for, and with the priority they named', async () => {
  await using world = await World.open();
  const election = (await world.client()).election('e');
  const leadership = await election.campaign('first');
  const standby = (await world.client()).election('e').campaign('second', { priority: -1.5 });
  await world.settle();

  const [leader, candidate] = await election.candidates();
  expect(leader).toMatchObject({ value: 'first', fencingToken: leadership.fencingToken });
  expect(leader).not.toHaveProperty('priority');
  expect(candidate).toMatchObject({ value: 'second', priority: -1.5 });

  await leadership.resign();
  await (await standby).resign();
});
