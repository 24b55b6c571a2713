import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { recipes } from './recipe.contract.js';

describe("Go's queues on etcd", () => recipes(etcdBackend));
