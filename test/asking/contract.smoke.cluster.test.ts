import { describe } from 'vitest';

import { etcdBackend } from '../store/backends.js';
import { askingContract } from './contract.js';

describe('asking and forcing on etcd', () => askingContract(etcdBackend));
