/** The guards of connections to etcd. @typedef {import('./mutants.js').Mutant} Mutant */

const sockets = 'test/etcd/sockets.test.ts';

/** @type {readonly Mutant[]} */
export const etcdMutants = [
  {
    name: 'etcd: what is silent is left behind',
    file: 'src/etcd/sockets.ts',
    find: 'for (const socket of this.#open) socket.destroy();',
    replace: '',
    test: sockets,
    title: 'by resets while the other side of http:// is silent',
  },
  {
    name: 'etcd: gRPC dials for a connection that is closed',
    file: 'src/etcd/sockets.ts',
    find: "if (this.#closed) throw new Error('the connection is closed');",
    replace: '',
    test: sockets,
    title: 'by a dial that failed: gRPC would repeat it, though its connection was thrown away',
  },
  {
    name: 'etcd: a connection that is closed does not wait for the calls under way',
    file: 'src/etcd/connection.ts',
    find: 'if (this.#closed && this.#underWay === 0) this.#sockets.close();',
    replace: 'if (this.#closed) this.#sockets.close();',
    test: sockets,
    title: 'a call that is under way keeps its connection when another one has failed there',
  },
];
