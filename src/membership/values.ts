import { InvalidValueError } from '../base/errors.js';
import { type InferInput, type InferOutput, type StandardSchema, validate } from '../base/schema.js';

/** How the values of members are written down: as they are, or as JSON if there is a schema. */
export class Values<Schema extends StandardSchema> {
  readonly #schema: Schema | undefined;

  constructor(schema: Schema | undefined) {
    this.#schema = schema;
  }

  get areText(): boolean {
    return this.#schema === undefined;
  }

  /** @throws TypeError for what is no text; InvalidValueError if the schema refuses it, or it is no JSON */
  async write(value: InferInput<Schema>, what: string): Promise<string> {
    if (!this.#schema) return checkText(value, what);
    const text: unknown = JSON.stringify(value);
    if (typeof text !== 'string')
      throw new InvalidValueError(`${what} is not valid: it has no JSON`, [{ message: 'it has no JSON' }]);
    // As others will read it: a Date, for example, is a text by then. What cannot be read is no member for them.
    await validate(this.#schema, JSON.parse(text), what);
    return text;
  }

  /** @throws InvalidValueError */
  async read(text: string, what: string): Promise<InferOutput<Schema>> {
    // Without a schema the type of the values is that of text.
    if (!this.#schema) return text;
    return validate(this.#schema, parse(text, what), what);
  }
}

function checkText(value: unknown, what: string): string {
  if (typeof value !== 'string')
    throw new TypeError(`${what} must be a string, unless the group has a schema`);
  if (!value.isWellFormed()) throw new TypeError(`${what} contains a lone surrogate`);
  return value;
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const issue = { message: 'it is no JSON' };
    throw new InvalidValueError(`${what} is not valid: ${issue.message}`, [issue], { cause });
  }
}
