import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { roundTrips } from './round-trips.js';

describe('round trips of barriers on etcd', () => roundTrips(etcdBackend));
