import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { recipes } from './recipe.contract.js';

describe("Go's queues on the embedded engine", () => recipes(memoryBackend));
