// For the tests, which are TypeScript: what etcd-versions.js has.

/** A line of releases; Go's module proxy has them all. */
export type Line = '3.5' | '3.6';

export declare const releases: Readonly<Record<Line, string>>;
export declare const cache: string;
export declare function pathOf(line: Line, program: 'etcd' | 'etcdctl'): string;
export declare function isBuilt(line: Line): boolean;
