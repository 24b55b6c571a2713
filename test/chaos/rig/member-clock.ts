import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asset } from './assets.js';

/** How the clocks of a member go. */
export interface ClockOptions {
  /** @default 1 */
  readonly rate?: number;
  /** Of where they would be without any jump. @default 0 */
  readonly aheadMs?: number;
}

/** The clocks of members, the monotonic ones too: each can be set while its member runs. Needs gcc. */
export class MemberClocks implements Disposable {
  /** What the command of each member begins with. */
  readonly enter: readonly (readonly string[])[];
  readonly #directory: string;

  /** @throws Error if it cannot be compiled */
  constructor(members: number) {
    this.#directory = mkdtempSync(join(tmpdir(), 'conclave-clock-'));
    const program = join(this.#directory, 'clock-shim');
    const { status, stderr } = spawnSync('gcc', ['-O2', '-o', program, asset('clock-shim.c')], {
      encoding: 'utf8',
    });
    if (status !== 0) {
      this[Symbol.dispose]();
      throw new Error(`the clock shim cannot be compiled: ${stderr}`);
    }
    this.enter = Array.from({ length: members }, (_, member) => {
      this.set(member);
      return [program, this.#fileOf(member)];
    });
  }

  /** From the next moment on. Timers of a clock that is put back fire so much later. */
  set(member: number, { rate = 1, aheadMs = 0 }: ClockOptions = {}): void {
    const file = this.#fileOf(member);
    writeFileSync(`${file}.new`, `${rate} ${aheadMs}\n`);
    renameSync(`${file}.new`, file);
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #fileOf(member: number): string {
    return join(this.#directory, `m${member}`);
  }
}
