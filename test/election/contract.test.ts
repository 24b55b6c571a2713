import { describe } from 'vitest';

import { memoryBackend } from '../store/backends.js';
import { elections } from './contract.js';

describe('an election on the embedded engine', () => elections(memoryBackend));
