import { describe } from 'vitest';

import { etcdBackend } from '../store/backends.js';
import { elections } from './contract.js';

describe('an election on etcd', () => elections(etcdBackend));
