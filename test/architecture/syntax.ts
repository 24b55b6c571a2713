import ts from 'typescript';
import { complaint, parse, walk, type Source } from './source.js';

/** Raw time and chance: simulation cannot replace them. */
const rawGlobals = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'performance',
  'Date',
  'crypto',
  'WeakRef',
  'FinalizationRegistry',
]);
const rawProperties: Readonly<Record<string, readonly string[]>> = {
  Math: ['random'],
  process: ['hrtime', 'nextTick', 'uptime'],
  AbortSignal: ['timeout'],
  globalThis: [...rawGlobals],
  global: [...rawGlobals],
};
const rawModules = /^(node:)?(crypto|timers|timers\/promises|perf_hooks|process)$/;
const mayBeRaw = /^(base\/runtime\.ts$|testing\/|cli\/)/;

const vagueNames = /(^|\/)(utils?|types?|helpers?)\.ts$/;
const maxLines = 300;

/** What no file of `src` may contain, whatever it imports. */
export function syntaxViolations(source: Source): string[] {
  const file = parse(source);
  const found = [...shape(source, file)];
  walk(file, (node) => {
    const why = wrong(node) ?? (mayBeRaw.test(source.path) ? undefined : raw(node));
    if (why !== undefined) found.push(complaint(node, why));
  });
  return found;
}

function shape({ path, text }: Source, file: ts.SourceFile): string[] {
  const found = [];
  const lines = text.trimEnd().split('\n').length;
  if (vagueNames.test(path)) found.push(`src/${path} is named after no concept`);
  if (lines > maxLines && !/\b300 lines\b/.test(firstComment(text)))
    found.push(
      `src/${path} has ${lines} lines; its first comment does not say why it is over ${maxLines} lines`,
    );
  return [...found, ...file.statements.flatMap(topLevelAwaits)];
}

function firstComment(text: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, false, ts.LanguageVariant.Standard, text);
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan())
    if (token === ts.SyntaxKind.SingleLineCommentTrivia || token === ts.SyntaxKind.MultiLineCommentTrivia)
      return scanner.getTokenText();
  return '';
}

/** A module that awaits cannot be loaded by `require`. */
function topLevelAwaits(node: ts.Node): string[] {
  if (ts.isFunctionLike(node)) return [];
  const here = isAwait(node) ? [complaint(node, 'awaits at the top level')] : [];
  const below: string[] = [];
  ts.forEachChild(node, (child) => void below.push(...topLevelAwaits(child)));
  return [...here, ...below];
}

const awaitUsing: number = ts.NodeFlags.AwaitUsing; // two bits: const and using

function isAwait(node: ts.Node): boolean {
  if (ts.isForOfStatement(node)) return node.awaitModifier !== undefined;
  if (ts.isVariableDeclarationList(node)) return awaitUsing === (node.flags & awaitUsing);
  return ts.isAwaitExpression(node);
}

function wrong(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return 'says any';
  if (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent))
    return 'exports a default';
  if (ts.isNonNullExpression(node)) return 'asserts with !';
  if (isAssigned(node)) return 'asserts an assignment with !';
  if (ts.isEnumDeclaration(node)) return 'declares an enum';
  if (ts.isExportAssignment(node)) return 'exports a default';
  if (ts.isExportSpecifier(node) && node.name.text === 'default') return 'exports a default';
  if (ts.isExportDeclaration(node) && !namesItsExports(node)) return 'exports *';
  return undefined;
}

function isAssigned(node: ts.Node): boolean {
  if (!ts.isPropertyDeclaration(node) && !ts.isVariableDeclaration(node)) return false;
  return node.exclamationToken !== undefined;
}

function namesItsExports(node: ts.ExportDeclaration): boolean {
  return node.exportClause !== undefined && ts.isNamedExports(node.exportClause);
}

function raw(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) && rawGlobals.has(node.text) && isReference(node))
    return `uses the raw ${node.text}`;
  if (ts.isStringLiteral(node) && rawModules.test(node.text) && isModuleName(node) && !isChecksum(node))
    return `imports ${node.text}: raw time or chance`;
  if (ts.isPropertyAccessExpression(node)) return rawProperty(node.expression, node.name.text);
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
    return rawProperty(node.expression, node.argumentExpression.text);
  if (ts.isBindingElement(node)) return rawBinding(node);
  return undefined;
}

/** `import { createHash } from 'node:crypto'`: the one thing there that leaves nothing to chance. */
function isChecksum(moduleName: ts.Node): boolean {
  const { parent } = moduleName;
  const bindings = ts.isImportDeclaration(parent) ? parent.importClause?.namedBindings : undefined;
  return (
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.every(({ name, propertyName }) => (propertyName ?? name).text === 'createHash')
  );
}

function rawProperty(object: ts.Expression, property: string): string | undefined {
  if (!ts.isIdentifier(object) || rawProperties[object.text]?.includes(property) !== true) return undefined;
  return `uses the raw ${object.text}.${property}`;
}

/** `const { random } = Math` */
function rawBinding(node: ts.BindingElement): string | undefined {
  const declaration = node.parent.parent;
  if (!ts.isVariableDeclaration(declaration) || declaration.initializer === undefined) return undefined;
  return rawProperty(declaration.initializer, (node.propertyName ?? node.name).getText());
}

function isModuleName(node: ts.StringLiteral): boolean {
  return (
    ts.isImportDeclaration(node.parent) ||
    ts.isExportDeclaration(node.parent) ||
    ts.isCallExpression(node.parent)
  );
}

/** A name after a dot or before a colon belongs to an object, not to the global scope; a type is no use at all. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isTypeReferenceNode(parent)) return false;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isObjectLiteralElement(parent))
    return parent.name !== node;
  return true;
}
