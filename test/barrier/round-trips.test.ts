import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { roundTrips } from './round-trips.js';

describe('round trips of barriers on the embedded engine', () => roundTrips(memoryBackend));
