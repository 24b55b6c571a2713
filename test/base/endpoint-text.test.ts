import { expect, it } from 'vitest';

import { endpointText } from '../../src/base/endpoint-text.js';

it.each([
  ['https://user:password@host:2379', '"https://...@host:2379"'],
  ['user:password@host:2379', '"...@host:2379"'],
  ['etcd://user:p/a@s:s@host', '"etcd://...@host"'],
  ['http://a:1,http://user:password@b:1', '"http://...@b:1"'],
  ['http//host', '"http//host"'],
])('of %s a message shows %s', (endpoint, shown) => {
  expect(endpointText(endpoint)).toBe(shown);
});
