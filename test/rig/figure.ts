/** A figure for whoever reads the output of a run. */
export function figure(what: string, value: number | string): void {
  console.log(`figure: ${what}: ${typeof value === 'number' ? `${Math.round(value)} ms` : value}`);
}
