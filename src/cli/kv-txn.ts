import type { OpResult } from '../index.js';
import { commonHelp } from './arguments.js';
import { exitStatus } from './failure.js';
import { parseKv, withStore } from './kv-arguments.js';
import { pairAsJson } from './kv-printing.js';
import { parseTxn } from './kv-txn-parse.js';
import { printJson } from './printing.js';
import { readStdinText } from './stdin.js';

const usage = `conclave kv txn ['JSON']`;

export const txnHelp: string = `Does several things at one revision, if conditions hold. Reads JSON from stdin, or as its only argument.

Usage: ${usage}

  {
    "if":   [{ "key": "a", "value": "1" }, { "key": "b", "version": { ">": 3 } }],
    "then": [{ "put": "a", "value": "2" }, { "del": "c/", "prefix": true }],
    "else": [{ "get": "a" }]
  }

  if      all of them have to hold; one each of value, version, createRevision, modRevision, lease: what it has to equal, or
          { OPERATOR: OPERAND } with =, !=, < or >. A key that is not there has version 0, and no value.
  then, else
          { "get": KEY, "limit": N, "keysOnly": true }, { "put": KEY, "value": TEXT, "lease": ID }, { "del": KEY }
  A condition, get and del take "prefix": true or "end": KEY for many keys. A KEY, a value or an end that is no text is
  { "base64": "..." }. Large numbers may be strings.
${commonHelp},
1 the conditions did not hold, and "else" was done; 65 stdin is no UTF-8; 66 there is no such lease.

Prints a JSON object: succeeded, revision, and the result of each operation.
`;

/** @returns the exit status */
export async function txn(args: readonly string[]): Promise<number> {
  const request = parseKv(args, { usage, least: 0, most: 1 });
  const [text = await readStdinText()] = request.operands;
  const parts = parseTxn(text);
  return withStore(request, async (store) => {
    const { succeeded, header, responses } = await store.txn(parts);
    printJson({ succeeded, revision: header.revision, responses: responses.map(asJson) });
    return succeeded ? exitStatus.ok : exitStatus.refused;
  });
}

function asJson(result: OpResult): Record<string, unknown> {
  switch (result.kind) {
    case 'get':
      return { get: { count: result.count, more: result.more, kvs: result.kvs.map((kv) => pairAsJson(kv)) } };
    case 'remove':
      return { del: { deleted: result.deleted } };
    case 'put':
      return { put: {} };
    case 'txn':
      return { txn: { succeeded: result.succeeded, responses: result.responses.map(asJson) } };
  }
}
