import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { gateContract } from './gate.contract.js';

describe('a gate on etcd', () => gateContract(etcdBackend));
