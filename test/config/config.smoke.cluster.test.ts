import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { configContract } from './config.contract.js';

describe('live configuration on etcd', () => configContract(etcdBackend));
