import { describe } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { storeContract } from './contract.js';

describe('the store on the embedded engine', () => {
  storeContract(async () => {
    const engine = new Engine({ runtime: systemRuntime });
    return {
      transport: () => new MemoryTransport(engine),
      [Symbol.asyncDispose]: async () => engine.close(),
    };
  });
});
