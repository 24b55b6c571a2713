import { describe } from 'vitest';

import { memoryBackend } from '../store/backends.js';
import { askingContract } from './contract.js';

describe('asking and forcing on the embedded engine', () => askingContract(memoryBackend));
