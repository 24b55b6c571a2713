import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { cyclicBarrierContract } from './cyclic-barrier.contract.js';

describe('a cyclic barrier on etcd', () => cyclicBarrierContract(etcdBackend));
