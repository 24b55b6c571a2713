import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AlreadyExistsError } from '../base/errors.js';

/** File systems that know no second name for a file. */
const noLinks: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'];

/** A file that appears under its name when it is complete, or never. `finish` or `discard` it. */
export class PartialFile {
  readonly #path: string;
  readonly #partialPath: string;
  readonly #file: FileHandle;

  /** @param id keeps it apart from others that are written for the same path */
  static async create(path: string, id: bigint): Promise<PartialFile> {
    const partialPath = `${path}.${id.toString(16)}.part`;
    return new PartialFile(path, partialPath, await open(partialPath, 'wx', 0o600));
  }

  private constructor(path: string, partialPath: string, file: FileHandle) {
    this.#path = path;
    this.#partialPath = partialPath;
    this.#file = file;
  }

  /** Resolves when the bytes have been taken: whoever waits for that does not fill the memory. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#file.writeFile(bytes); // goes on where the last one ended
  }

  /** Resolves when it stands under its name, on the disk. @throws AlreadyExistsError unless it may overwrite */
  async finish(mayOverwrite: boolean): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    if (mayOverwrite) await rename(this.#partialPath, this.#path);
    else await this.#moveToFreeName();
    await syncDirectory(dirname(this.#path));
  }

  /** Leaves nothing behind. Never rejects: there is a first error to be told. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#partialPath, { force: true }).catch(() => {});
  }

  /** A rename would overwrite what has come there meanwhile; a second name for the file does not. */
  async #moveToFreeName(): Promise<void> {
    try {
      await link(this.#partialPath, this.#path);
      await rm(this.#partialPath);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw alreadyExists(this.#path, error);
      if (!noLinks.includes(code)) throw error;
      await rename(this.#partialPath, this.#path);
    }
  }
}

export function alreadyExists(path: string, cause?: unknown): AlreadyExistsError {
  return new AlreadyExistsError(`there is a file ${path} already`, { cause });
}

/** The name, too, has to outlive a power cut. Not every system can do that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => undefined);
  await directory?.sync().catch(() => {});
  await directory?.close();
}
