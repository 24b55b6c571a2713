import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { counterContract } from './counter.contract.js';

describe('counters on etcd', () => counterContract(etcdBackend));
