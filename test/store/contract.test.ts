import { describe } from 'vitest';

import { memoryBackend } from './backends.js';
import { storeContract } from './contract.js';

describe('the store on the embedded engine', () => storeContract(memoryBackend));
