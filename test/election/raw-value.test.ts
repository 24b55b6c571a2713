import { expect, it } from 'vitest';

import { World } from '../../src/testing/index.js';

it.each(['{"v":2,"since":7}', '{"v":1,"value":"x","transferTo":"y"}', '', 'null', '\u0000'])(
  'a value on a shared path is nobody else’s business, whatever it looks like: %j',
  async (value) => {
    await using world = await World.open();
    const client = await world.client();
    const election = client.election({ path: 'shared' });
    const leadership = await election.campaign(value);
    expect(await election.leader()).toMatchObject({ value, key: leadership.key });
    await leadership.proclaim(`${value}!`);
    expect(await election.candidates()).toMatchObject([{ value: `${value}!` }]);
    await leadership.proclaim(value);
    for await (const { leader } of election.observe()) {
      expect(leader?.value).toBe(value);
      break;
    }
    await leadership.resign();
    expect(await election.leader()).toBeUndefined();
  },
);
