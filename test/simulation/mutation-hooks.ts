/** Hooks of Node's module loader that put broken sources in the place of compiled ones. See mutate.ts. */
import { readFileSync } from 'node:fs';
import type { LoadHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import typescript from 'typescript';
import type { Mutant } from './mutants/mutant.js';

type Edits = Mutant['edits'];

/** Of the checkout; this file runs compiled, two folders below `.evidence`. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const compiled = new URL('../../', import.meta.url).href;
const broken = new Map<string, string>();

export function initialize(edits: Edits): void {
  for (const { file, find, replace } of edits) {
    const url = `${compiled}${file.replace(/\.ts$/, '.js')}`;
    const text = broken.get(url) ?? readFileSync(`${root}${file}`, 'utf8');
    const count = text.split(find).length - 1;
    if (count !== 1) throw new Error(`what is to be broken occurs ${count} times in ${file}: ${find}`);
    broken.set(
      url,
      text.replace(find, () => replace),
    );
  }
}

export const load: LoadHook = (url, context, nextLoad) => {
  const text = broken.get(url);
  if (text === undefined) return nextLoad(url, context);
  const { ES2022 } = typescript.ScriptTarget;
  const { ESNext } = typescript.ModuleKind;
  const { outputText } = typescript.transpileModule(text, {
    compilerOptions: { target: ES2022, module: ESNext, verbatimModuleSyntax: true },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
};
