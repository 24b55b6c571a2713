import { describe, expect, it } from 'vitest';
import type { Gate, Place } from '../../src/index.js';
import { gateKey } from '../../src/base/keys.js';
import { places, Order, Stage, until } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import type { Backend } from '../store/contract.js';

/** What a gate promises, whatever it runs on. */
export function gateContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);

  describe.each(places)('a gate %s', (_, newPlace) => {
    const at = (place: Place = newPlace()): { one: Gate; other: Gate; key: string } => ({
      one: stage.one.gate(place),
      other: stage.other.gate(place),
      key: gateKey('conclave', place),
    });

    it('that nobody has closed is open', async () => {
      const { one, other } = at();
      await one.wait({ timeoutMs: 0 });
      await other.open(); // nothing happens
      await other.wait();
    });

    it('once closed holds up everybody, until somebody opens it', async () => {
      const { one, other, key } = at();
      await one.close();
      const order = new Order();
      const waiting = [order.note('one', one.wait()), order.note('other', other.wait())];
      expect(await outcome(other.wait({ timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
      await stage.one.store.get('any');
      expect(order.seen).toEqual([]);

      await other.open();

      await Promise.all(waiting);
      expect(await stage.keysBelow(key)).toEqual([]);
    });

    it('is closed by one, the other is told by whom', async () => {
      const { one, other } = at();
      const closing = await Promise.allSettled([one.close(), other.close()]);
      expect(closing.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await outcome(one.close())).toMatchObject({
        code: 'ALREADY_EXISTS',
        message: expect.stringContaining(String(process.pid)) as unknown,
      });
      await one.open();
    });

    it('may be closed and opened again and again', async () => {
      const { one, other } = at();
      for (let i = 0; i < 3; i++) {
        await one.close();
        const waiting = other.wait();
        await one.open();
        await waiting;
      }
    });

    it('is not held up by what only begins like its key', async () => {
      const place = newPlace();
      const longer = typeof place === 'string' ? `${place}x` : { path: `${place.path}x` };
      const neighbour = stage.one.gate(longer);
      await neighbour.close();
      await stage.other.gate(place).wait({ timeoutMs: 0 });
      const { one, other } = at(place);
      await one.close();
      const waiting = other.wait();
      await one.open();
      await waiting;
      await neighbour.open();
    });

    it('of a process that closes it while it is alive opens when that ends', async () => {
      const place = newPlace();
      const closer = stage.another();
      await closer.gate(place).close({ whileAlive: true });
      const waiting = stage.other.gate(place).wait();
      await until(async () => (await stage.keysBelow(gateKey('conclave', place))).length, 1);

      await closer.close();

      await waiting;
    });

    it('that was closed for good stays closed when its process ends', async () => {
      const place = newPlace();
      const closer = stage.another();
      await closer.gate(place).close();
      await closer.close();
      const { one } = at(place);
      expect(await outcome(one.wait({ timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
      await one.open();
    });
  });

  it('opened by path is put once more, then deleted: clients of Go before 3.6 wait for both', async () => {
    const path = `/go/${Math.floor(performance.now())}`;
    const gate = stage.one.gate({ path });
    await gate.close();
    const { header } = await stage.one.store.get(path);
    await gate.open();
    const seen: string[] = [];
    for await (const notice of stage.other.store.watch(path, { startRevision: header.revision })) {
      if (notice.kind === 'events') seen.push(...notice.events.map(({ type }) => type));
      if (seen.at(-1) === 'delete') break;
    }
    expect(seen).toEqual(['put', 'put', 'delete']);
  });

  it('shared with another program is the path itself, whatever stands there', async () => {
    const path = `/etcd/${Math.floor(performance.now())}`;
    await stage.one.store.put(path, '');
    const gate = stage.other.gate({ path });
    expect(await outcome(gate.close())).toMatchObject({ code: 'ALREADY_EXISTS' });
    const waiting = gate.wait();
    await stage.one.store.remove(path);
    await waiting;
    await gate.close();
    expect((await stage.one.store.get(path)).kvs[0]?.lease).toBe(0n);
    await gate.open();
  });
}
