/** Preloaded into a process (`node --import`): breaks the library as the environment says, while it is being loaded. */
import { register } from 'node:module';

const edits = process.env['CONCLAVE_MUTANT'];
if (edits !== undefined)
  register('./mutation-hooks.js', import.meta.url, { data: JSON.parse(edits) as unknown });
