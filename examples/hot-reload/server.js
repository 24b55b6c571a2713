// A server whose configuration changes while it runs.
//
//   node examples/hot-reload/server.js                  with the embedded engine: it only has its fallback
//   node examples/hot-reload/server.js http://127.0.0.1:2379
//   etcdctl put config_key '{"config1":"a","config2":"b"}'
//
// It answers each request on its port with the configuration of that moment, and prints each change.
import { createServer } from 'node:http';
import { connect } from 'conclave';

/** AppConfig { config1, config2 }: any schema of zod, valibot or arktype does as well. */
const appConfig = {
  '~standard': {
    version: 1,
    vendor: 'example',
    validate(value) {
      const wrong = ['config1', 'config2'].filter((name) => typeof value?.[name] !== 'string');
      if (wrong.length === 0) return { value: { config1: value.config1, config2: value.config2 } };
      return { issues: wrong.map((name) => ({ message: 'expected a text', path: [name] })) };
    },
  },
};

/**
 * @param {import('conclave').Conclave} conclave
 * @param {AbortSignal} signal
 * @param {(line: string) => void} print
 */
export async function serve(conclave, signal, print) {
  const fallback = { config1: 'default', config2: 'default' };
  const config = conclave.config({ path: 'config_key' }, { schema: appConfig, fallback });
  await config.ready();
  // Whoever needs it asks for the present one, and keeps no copy.
  const server = createServer((_request, response) => response.end(JSON.stringify(config.current)));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  print(`listening on http://127.0.0.1:${server.address().port}`);

  const changes = async () => {
    for await (const { config1, config2 } of config.changes({ signal })) {
      print(`now config1=${config1} config2=${config2}`);
    }
  };
  const errors = async () => {
    for await (const problem of config.errors({ signal })) print(`ignored: ${problem.message}`);
  };
  try {
    await Promise.all([changes(), errors()]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    server.close();
    await config.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const end = new AbortController();
  process.once('SIGINT', () => end.abort()).once('SIGTERM', () => end.abort());
  const conclave = await connect(process.argv[2] ?? 'memory:');
  try {
    await serve(conclave, end.signal, (line) => console.log(line));
  } finally {
    await conclave.close();
  }
}
