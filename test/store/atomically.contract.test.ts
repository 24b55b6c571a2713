import { describe } from 'vitest';

import { atomicallyContract } from './atomically.contract.js';
import { memoryBackend } from './backends.js';

describe('atomically on the embedded engine', () => atomicallyContract(memoryBackend));
