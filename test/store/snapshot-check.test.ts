import { createHash, randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { SnapshotCheck } from '../../src/store/snapshot-check.js';

const database = randomBytes(3 * 512);
const whole = Buffer.concat([database, createHash('sha256').update(database).digest()]);

function complaintOf(bytes: Uint8Array, pieceBytes: number): string | undefined {
  const check = new SnapshotCheck();
  for (let at = 0; at < bytes.length; at += pieceBytes) check.update(bytes.subarray(at, at + pieceBytes));
  expect(check.size).toBe(bytes.length);
  return check.complaint();
}

describe.each([1, 7, 31, 32, 33, 512, 1_550, 10_000])('in pieces of %i bytes', (pieceBytes) => {
  it('a snapshot is accepted', () => expect(complaintOf(whole, pieceBytes)).toBeUndefined());

  it.each([0, 511, database.length - 1, database.length, whole.length - 1])(
    'a bit that has flipped in byte %i is seen',
    (at) => {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      expect(complaintOf(damaged, pieceBytes)).toBe('its checksum is wrong');
    },
  );

  it('one that ends early is seen', () => {
    expect(complaintOf(whole.subarray(0, -32), pieceBytes)).toMatch(/without a checksum, after 1536 bytes/);
    expect(complaintOf(whole.subarray(0, -1), pieceBytes)).toMatch(/without a checksum/);
    expect(complaintOf(whole.subarray(0, -512), pieceBytes)).toBe('its checksum is wrong');
  });
});

it('nothing at all is no snapshot', () =>
  expect(complaintOf(new Uint8Array(), 1)).toMatch(/without a checksum/));
