import {
  type Compare,
  type CompareResult,
  type GetOp,
  type KeyRange,
  type Op,
  type PutOp,
  type RemoveOp,
  type SortOrder,
  type SortTarget,
  type TxnOp,
  compare,
  fromKey,
  get,
  prefix,
  put,
  range,
  remove,
  txn,
} from '../../src/store/operations.js';
import type { Random } from './random.js';

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** Few, so that they collide; with keys that are prefixes of others and with the extreme bytes. */
const keys: readonly Uint8Array[] = [
  ...['a', 'a/', 'a/b', 'a/b/c', 'a/c', 'a0', 'aa', 'b', 'b/1', 'b/2', 'b/3', 'c', 'd'].map((key) =>
    Buffer.from(key),
  ),
  bytes(0),
  bytes(0x61, 0),
  bytes(0x61, 0xff),
  bytes(0xff),
  bytes(0xff, 0xff),
];
const values = ['', '0', '1', '2', '10', 'x', 'longer than the others'];

/** Leases with ids of the client's choice: among them the largest one and a negative one. */
export const leases: readonly bigint[] = [1n, 2n, 77n, 2n ** 63n - 1n, -5n];
const sortTargets: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const sortOrders: readonly SortOrder[] = ['ascend', 'descend'];
const compareResults: readonly CompareResult[] = ['=', '!=', '<', '>'];

/** Random operations of every kind, mostly sensible ones, about a store of which it knows the revision. */
export class RandomOperations {
  /** The newest revision, and the compacted one: most choices are made near them. */
  revision = 1n;
  compacted = 0n;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  key(): Uint8Array {
    return this.#random.pick(keys);
  }

  range(): KeyRange {
    switch (this.#random.weighted({ one: 40, prefix: 30, between: 20, fromKey: 5, all: 4, noKey: 1 })) {
      case 'one':
        return { key: this.key() };
      case 'prefix':
        return prefix(this.key());
      case 'between': // as often as not upside down, thus empty
        return range(this.key(), this.key());
      case 'fromKey':
        return fromKey(this.key());
      case 'all':
        return prefix('');
      case 'noKey':
        return { key: bytes() };
    }
  }

  /** Ranges are put in afterwards: the builders refuse the empty key, and what the server says of it is to be compared. */
  get(): GetOp {
    const random = this.#random;
    const op = get('any', {
      limit: random.chance(0.4) ? random.below(6) : 0,
      revision: random.chance(0.25) ? this.nearRevision() : 0n,
      ...(random.chance(0.4) && { sort: [random.pick(sortTargets), random.pick(sortOrders)] }),
      serializable: random.chance(0.2),
      keysOnly: random.chance(0.15),
      countOnly: random.chance(0.1),
      minModRevision: this.#bound(),
      maxModRevision: this.#bound(),
      minCreateRevision: this.#bound(),
      maxCreateRevision: this.#bound(),
    });
    return { ...op, range: this.range() };
  }

  put(): PutOp {
    const random = this.#random;
    const ignoreValue = random.chance(0.1);
    const ignoreLease = random.chance(0.1);
    const op = put(this.key(), ignoreValue ? '' : random.pick(values), {
      lease: !ignoreLease && random.chance(0.25) ? random.pick(leases) : 0n,
      prevKv: random.chance(0.3),
      ignoreValue,
      ignoreLease,
    });
    return random.chance(0.01)
      ? { ...op, ...random.pick([{ key: bytes() }, { ignoreValue: true }, { ignoreLease: true }]) }
      : op;
  }

  remove(): RemoveOp {
    const op = remove('any', { prevKv: this.#random.chance(0.3) });
    return { ...op, range: this.range() };
  }

  /** With transactions in it, and in those again, while `depth` lasts. */
  txn(depth = 2): TxnOp {
    const op = this.#random.chance(0.01) ? this.#longTxn() : this.#txn(depth);
    // A delete from a key on passes the check for duplicates; a put after it that keeps the value it has just deleted
    // crashes a real server.
    return keepsSomething(op) && removesFromKey(op) ? this.txn(depth) : op;
  }

  compare(): Compare {
    return { ...this.#compareAny(), range: this.range() };
  }

  #compareAny(): Compare {
    const random = this.#random;
    const result = random.pick(compareResults);
    const target = 'any';
    switch (random.pick(['version', 'createRevision', 'modRevision', 'lease', 'value'] as const)) {
      case 'version':
        return compare.version(target, result, BigInt(random.below(4)));
      case 'createRevision':
        return compare.createRevision(target, result, this.#bound());
      case 'modRevision':
        return compare.modRevision(target, result, this.#bound());
      case 'lease':
        return compare.lease(target, result, random.pick([0n, ...leases]));
      case 'value':
        return compare.value(target, result, random.pick(values));
    }
  }

  /** Mostly one that can be read; sometimes compacted, sometimes in the future. */
  nearRevision(): bigint {
    const random = this.#random;
    if (random.chance(0.3)) return max(1n, this.compacted - 2n + BigInt(random.below(5)));
    return max(1n, this.revision + 2n - BigInt(random.below(25)));
  }

  #txn(depth: number): TxnOp {
    const random = this.#random;
    const branch = (): Op[] => random.list(random.below(4), () => this.#op(depth));
    return txn({ if: random.list(random.below(3), () => this.compare()), then: branch(), else: branch() });
  }

  #op(depth: number): Op {
    switch (this.#random.weighted({ put: 4, get: 4, remove: 2, txn: depth > 0 ? 2 : 0 })) {
      case 'put':
        return this.put();
      case 'get':
        return this.get();
      case 'remove':
        return this.remove();
      case 'txn':
        return this.#txn(depth - 1);
    }
  }

  /** Around the limit of 128 operations. */
  #longTxn(): TxnOp {
    const random = this.#random;
    const reads = (count: number): Op[] => random.list(count, () => get(this.key()));
    const inner = txn({ then: reads(random.below(4)) });
    return txn({ then: [...reads(124 + random.below(5)), inner], else: reads(random.below(130)) });
  }

  /** 0 half of the time. */
  #bound(): bigint {
    return this.#random.chance(0.1) ? this.nearRevision() : 0n;
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function allOps(op: Op): readonly Op[] {
  return op.kind === 'txn' ? [...op.then, ...op.else].flatMap(allOps) : [op];
}

function keepsSomething(op: TxnOp): boolean {
  return allOps(op).some((inner) => inner.kind === 'put' && (inner.ignoreValue || inner.ignoreLease));
}

function removesFromKey(op: TxnOp): boolean {
  return allOps(op).some(
    ({ kind, ...inner }) => kind === 'remove' && 'range' in inner && inner.range.end?.[0] === 0,
  );
}
