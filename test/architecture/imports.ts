import { posix } from 'node:path';
import ts from 'typescript';
import { complaint, parse, walk, type Source } from './source.js';

/** A folder of `src`, or a file at its root, is a layer. */
type Layers = Readonly<Record<string, readonly string[]>>;

const primitives = ['lock', 'election', 'barrier', 'queue', 'membership', 'config', 'counter'];
const foundation = ['session', 'store', 'base'];
const library = [
  'connect.ts',
  'conclave.ts',
  'primitives.ts',
  'conclave-options.ts',
  ...primitives,
  ...foundation,
];

/** What each layer may import besides itself. A layer that is not listed may not exist. */
const mayImport: Layers = {
  base: [],
  store: ['base'],
  memory: ['store', 'base'],
  etcd: ['store', 'base'],
  session: ['store', 'base'],
  ...Object.fromEntries(primitives.map((primitive) => [primitive, foundation])),
  'conclave-options.ts': foundation,
  'primitives.ts': [...primitives, ...foundation],
  'conclave.ts': ['conclave-options.ts', 'primitives.ts', ...foundation],
  'connect.ts': ['conclave.ts', 'conclave-options.ts', 'memory', 'etcd', ...foundation],
  'index.ts': [...library, 'etcd'],
  testing: ['index.ts', ...library, 'memory', 'etcd'],
  cli: ['index.ts'],
};

/** Packages which a program that never speaks to etcd must not load. */
const grpcPackages = /^(etcd3|@grpc|@protobufjs|protobufjs)(\/|$)/;

interface Import {
  readonly node: ts.Node;
  readonly specifier: string;
  /** `value` loads the module with the importer, `dynamic` when it runs, `type` never. */
  readonly kind: 'value' | 'type' | 'dynamic';
}

/** Arrows up, to a sibling or to a package that belongs elsewhere; and cycles. */
export function importViolations(sources: readonly Source[]): string[] {
  const files = sources.map((source) => ({ path: source.path, imports: importsOf(parse(source)) }));
  const arrows = files.flatMap(({ path, imports }) => imports.flatMap((each) => wrong(path, each)));
  const graph = new Map(
    files.map(({ path, imports }) => [path, imports.flatMap((i) => target(path, i) ?? [])]),
  );
  return [...arrows, ...cycles(graph)];
}

function importsOf(file: ts.SourceFile): Import[] {
  const found: Import[] = [];
  walk(file, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) found.push({ node, specifier, kind: kindOf(node) });
  });
  return found;
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (ts.isExternalModuleReference(node)) return textOf(node.expression);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal);
  if (ts.isCallExpression(node) && isLoader(node.expression)) return textOf(node.arguments[0]);
  return undefined;
}

function isLoader(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(callee) && callee.text === 'require';
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function kindOf(node: ts.Node): Import['kind'] {
  if (ts.isImportTypeNode(node)) return 'type';
  if (ts.isCallExpression(node)) return 'dynamic';
  if (ts.isExportDeclaration(node)) return node.isTypeOnly ? 'type' : 'value';
  // `import { type A }` still loads the module; only `import type` does not.
  if (ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    return 'type';
  return 'value';
}

/** The file of `src` an import names, or nothing for a package or a module of Node. */
function target(from: string, { specifier }: Import): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return posix.normalize(posix.join(posix.dirname(from), specifier)).replace(/\.js$/, '.ts');
}

function layerOf(path: string): string {
  return path.split('/')[0] ?? path;
}

function wrong(path: string, each: Import): string[] {
  const to = target(path, each);
  const why = to === undefined ? wrongPackage(path, each) : wrongFile(path, to, each);
  return why === undefined ? [] : [complaint(each.node, why)];
}

function wrongPackage(path: string, { specifier }: Import): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  const layer = layerOf(path);
  if (layer === 'base') return `base imports nothing, and not ${specifier}`;
  if (grpcPackages.test(specifier) && layer !== 'etcd') return `${specifier} belongs to etcd/ alone`;
  if (/^conclave(\/|$)/.test(specifier)) return 'imports the package by its own name';
  return undefined;
}

function wrongFile(path: string, to: string, { kind }: Import): string | undefined {
  const from = layerOf(path);
  const layer = layerOf(to);
  const allowed = mayImport[from];
  if (allowed === undefined) return `${from} is no layer: see the table in test/architecture/imports.ts`;
  if (layer === from) return undefined;
  if (!allowed.includes(layer))
    return `${from} may not import ${to}: only ${allowed.join(', ') || 'nothing'}`;
  if (layer !== 'etcd' || kind === 'type' || (from === 'connect.ts' && kind === 'dynamic')) return undefined;
  return `loads ${to}: only connect.ts does, and with import() when it is asked to`;
}

/** Each cycle once, from its first file in the order of the alphabet. Types count: a cycle of types cannot be read in order either. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.add(cycleText(trail.slice(start)));
    if (start >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return [...found];
}

function cycleText(paths: readonly string[]): string {
  const first = paths.indexOf([...paths].sort()[0] ?? '');
  const turned = [...paths.slice(first), ...paths.slice(0, first)];
  return `cycle: ${[...turned, turned[0]].join(' -> ')}`;
}
