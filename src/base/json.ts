/** The largest value, as JSON: the server refuses requests of more than 1.5 MB. */
const maxJsonBytes = 900_000;

/** @returns the value @throws TypeError unless JSON can carry it, RangeError if that is too large */
export function checkJson(value: unknown): unknown {
  const text = asJson(value);
  if (text === undefined) throw new TypeError(`JSON cannot carry this value: ${typeof value}`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxJsonBytes)
    throw new RangeError(`${bytes} bytes of JSON are too many (at most ${maxJsonBytes})`);
  return value;
}

function asJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`JSON cannot carry this value: ${String(error)}`, { cause: error });
  }
}
