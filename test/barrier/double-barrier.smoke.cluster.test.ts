import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { doubleBarrierContract } from './double-barrier.contract.js';

describe('a double barrier on etcd', () => doubleBarrierContract(etcdBackend));
