import { createHash } from 'node:crypto';

const trailerBytes = 32;
/** What a database file is a multiple of. */
const sectorBytes = 512;

/** Whether a stream of bytes is a whole snapshot: etcd sends the SHA-256 of the database after it. */
export class SnapshotCheck {
  readonly #hash = createHash('sha256');
  #size = 0;
  /** The last bytes so far: they may be the checksum. */
  #tail: Uint8Array = new Uint8Array();

  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (bytes.length < trailerBytes) {
      this.#keepTail(Buffer.concat([this.#tail, bytes]));
    } else {
      this.#hash.update(this.#tail);
      this.#keepTail(bytes);
    }
  }

  /** Once, at the end. @returns what is wrong with it; undefined if nothing is */
  complaint(): string | undefined {
    if (this.#size % sectorBytes !== trailerBytes)
      return `it ends without a checksum, after ${this.#size} bytes`;
    const isRight = this.#hash.digest().equals(this.#tail);
    return isRight ? undefined : 'its checksum is wrong';
  }

  #keepTail(bytes: Uint8Array): void {
    const from = Math.max(0, bytes.length - trailerBytes);
    this.#hash.update(bytes.subarray(0, from));
    this.#tail = new Uint8Array(bytes.subarray(from)); // a copy: the rest of the piece can go
  }
}
