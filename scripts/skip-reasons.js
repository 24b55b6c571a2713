// A vitest reporter: keeps the reason given to `context.skip(reason)`, which the JSON report would drop.

/** @typedef {import('vitest/reporters').Reporter} Reporter */

/** @implements {Reporter} */
export default class SkipReasons {
  /** @param {import('vitest/node').TestCase} test */
  onTestCaseResult(test) {
    const result = test.result();
    if (result.state === 'skipped') Object.assign(test.meta(), { skipReason: result.note });
  }
}
