import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Aim, ClientOptions, Order, Report } from './client/orders.js';
import type { Launched } from './rig/launched.js';
import type { Rig } from './rig/rig.js';

const program = join(import.meta.dirname, 'client/main.js');

/** Of several looks. */
export interface Footprint {
  /** The least. */
  readonly megabytes: number;
  /** The fewest that were open. */
  readonly sockets: number;
  readonly mostSockets: number;
}

/** A client process of a run, as the run sees it. */
export class Player {
  readonly name: string;
  readonly place: number;
  readonly options: ClientOptions;
  readonly launched: Launched;
  /** Good ends of rounds, by desk. */
  readonly #rounds: number[];
  readonly #passed: string[] = [];
  readonly #reports = new Set<Report['report']>();
  #disarmed = 0;
  #errors = '';
  #collections = 0;
  #timersLeft: number | undefined;

  private constructor(place: number, options: ClientOptions, launched: Launched) {
    this.name = options.name;
    this.place = place;
    this.options = options;
    this.launched = launched;
    this.#rounds = Array.from({ length: options.desks }, () => 0);
    launched.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    launched.process.on('message', (report: Report) => this.#hear(report));
  }

  static async start(rig: Rig, place: number, options: ClientOptions): Promise<Player> {
    const stdio = ['ignore', 'inherit', 'pipe', 'ipc'] as const;
    const launched = await rig.launch(place, program, [JSON.stringify(options)], { stdio: [...stdio] });
    return new Player(place, options, launched);
  }

  /** Of the desk that has ended the fewest. */
  get rounds(): number {
    return Math.min(...this.#rounds);
  }

  /** What it wrote to stderr. */
  get errors(): string {
    return this.#errors;
  }

  /** How often it has told that it passed a point it was to tell of. */
  passed(probe: string): number {
    return this.#passed.filter((each) => each === probe).length;
  }

  aim(aim: Aim): void {
    this.#order({ order: 'aim', aim });
  }

  /** It does not stop or die at any point any more. Resolves when it knows; if it stops meanwhile it is resumed. */
  async disarm(): Promise<void> {
    const before = this.#disarmed;
    this.#order({ order: 'disarm' });
    while (this.#disarmed === before && this.launched.isRunning) {
      this.resume();
      await delay(5);
    }
  }

  /** Whether it stands still, by SIGSTOP. */
  isStopped(): boolean {
    try {
      const stat = readFileSync(`/proc/${this.launched.pid}/stat`, 'utf8');
      return stat.split(') ')[1]?.startsWith('T') ?? false;
    } catch {
      return false; // it has ended
    }
  }

  jump(aheadMs: number): void {
    this.#order({ order: 'jump', aheadMs });
  }

  /** What it takes at the least: looked at several times, each time when it has given back what it does not need. */
  async footprint(): Promise<Footprint> {
    const samples: Pick<Footprint, 'megabytes' | 'sockets'>[] = [];
    for (let times = 0; times < 6; times++) {
      const before = this.#collections;
      this.#order({ order: 'collect' });
      while (this.#collections === before && this.launched.isRunning) await delay(10);
      await delay(300);
      samples.push(this.#footprintNow);
    }
    const all = (of: 'megabytes' | 'sockets'): number[] => samples.map((each) => each[of]);
    const sockets = Math.min(...all('sockets'));
    return { megabytes: Math.min(...all('megabytes')), sockets, mostSockets: Math.max(...all('sockets')) };
  }

  get #footprintNow(): Pick<Footprint, 'megabytes' | 'sockets'> {
    const { pid } = this.launched;
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    const files = readdirSync(`/proc/${pid}/fd`).map((file) => linkOf(`/proc/${pid}/fd/${file}`));
    return {
      megabytes: (pages * 4_096) / 2 ** 20,
      sockets: files.filter((each) => each.startsWith('socket')).length,
    };
  }

  /** Resolves when it stands still. @returns false if it does not within the time */
  async stopped(limitMs: number): Promise<boolean> {
    const end = performance.now() + limitMs;
    while (!this.isStopped() && performance.now() < end) await delay(5);
    return this.isStopped();
  }

  resume(): void {
    this.launched.cont();
  }

  /** No further rounds; it gives back what it holds. @returns what was wrong with that */
  rest(limitMs: number): Promise<string | undefined> {
    return this.#obeys('rest', 'rested', limitMs);
  }

  /** What remains to be done by one of all when all rest. @returns what was wrong with that */
  finish(limitMs: number): Promise<string | undefined> {
    return this.#obeys('finish', 'finished', limitMs);
  }

  /** It closes, and ends by itself. @returns what was wrong with that */
  async end(limitMs: number): Promise<string | undefined> {
    this.#order({ order: 'end' });
    const ended = await Promise.race([this.launched.ended, delay(limitMs, undefined, { ref: false })]);
    if (ended === undefined)
      return `${this.name} has not ended ${limitMs} ms after it was told to${this.#said()}`;
    const { code, signal } = ended;
    if (this.#timersLeft !== 0 && code === 0)
      return `${this.name} has closed all, and ${String(this.#timersLeft)} timers still run`;
    return code === 0 ? undefined : `${this.name} has ended with ${String(signal ?? code)}${this.#said()}`;
  }

  async #obeys(
    order: 'rest' | 'finish',
    report: Report['report'],
    limitMs: number,
  ): Promise<string | undefined> {
    this.#order({ order });
    const end = performance.now() + limitMs;
    while (!this.#reports.has(report) && this.launched.isRunning && performance.now() < end) await delay(10);
    if (this.#reports.has(report)) return undefined;
    return `${this.name} has not ${report} ${limitMs} ms after it was told to${this.#said()}`;
  }

  #said(): string {
    return this.#errors === '' ? '' : `: ${this.#errors.slice(-2_000)}`;
  }

  #order(order: Order): void {
    const { process } = this.launched;
    if (process.connected) process.send(order);
  }

  #hear(report: Report): void {
    this.#reports.add(report.report);
    if (report.report === 'disarmed') this.#disarmed++;
    if (report.report === 'collected') this.#collections++;
    if (report.report === 'closed') this.#timersLeft = report.timers;
    if (report.report === 'round') this.#rounds[report.desk] = (this.#rounds[report.desk] ?? 0) + 1;
    if (report.report === 'passed') this.#passed.push(report.probe);
  }
}

/** Empty if it was closed in the meantime. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
