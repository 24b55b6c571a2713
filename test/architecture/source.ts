import ts from 'typescript';

/** A file of `src`, its path relative to that folder. Checks take these, so a test can feed them small bad ones. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export function parse({ path, text }: Source): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
}

/** A violation as a line a reader can click on. */
export function complaint(node: ts.Node, text: string): string {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return `src/${file.fileName}:${line + 1} ${text}`;
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
