import { readFileSync } from 'node:fs';

/** The file to be booked: id, customer, amount. Amounts are kept in cents; sums of decimal fractions drift. */
export function readPayments() {
  const text = readFileSync(new URL('payments.csv', import.meta.url), 'utf8');
  const [, ...lines] = text.trim().split('\n');
  return lines.map((line) => {
    const [id, customer, amount] = line.split(',');
    return { id, customer, cents: Math.round(Number(amount) * 100) };
  });
}

export function inEuros(cents) {
  return `${(cents / 100).toFixed(2)} EUR`;
}
