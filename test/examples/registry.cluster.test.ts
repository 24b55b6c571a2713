import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConclaveProgram } from '../cli/conclave-program.js';
import { Cluster } from '../rig/cluster.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
});

afterAll(() => cluster.dispose());

const example = (script: string, ...args: readonly string[]): ConclaveProgram => {
  const env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
  return new ConclaveProgram(args, env, `examples/registry/${script}`);
};
const members = async (...options: readonly string[]): Promise<string> => {
  const env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
  await using program = new ConclaveProgram(['members', 'web', ...options], env);
  const { status, stdout } = await program.ended;
  expect(status).toBe(0);
  return stdout;
};

it('a registry lists instances with their address, a client asks those that are there, and one that was killed is out when its lease ends', async () => {
  await using client = example('client.js');
  await using one = example('instance.js', 'web-1');
  await using two = example('instance.js', 'web-2');
  await client.printed('+ web-1 at 127.0.0.1:');
  await client.printed('+ web-2 at 127.0.0.1:');
  await client.printed('hello from web-1');
  await client.printed('hello from web-2');
  expect(await members()).toMatch(/^ID +VALUE +HOLDER .*\nweb-\d +\{"host":"127.0.0.1".*\n/);
  expect(JSON.parse(await members('--json'))).toMatchObject({ unreadable: [] });

  one.child.kill('SIGKILL');
  await client.printed('web-1 does not answer'); // listed until then
  await client.printed('- web-1');

  await using again = example('instance.js', 'web-1');
  await again.printed('web-1 is there');
  two.child.kill('SIGTERM');
  expect(await two.ended).toMatchObject({ status: 0, stderr: '' });
  await client.printed('- web-2');
  client.child.kill('SIGTERM');
  expect(await client.ended).toMatchObject({ status: 0, stderr: '' });
});

it('conclave members --watch prints who joins and leaves until it is interrupted', async () => {
  const env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
  await using watching = new ConclaveProgram(['members', 'web', '--watch'], env);
  await using instance = example('instance.js', 'web-9');
  await watching.printed('+ web-9  {"host"');
  instance.child.kill('SIGTERM');
  await watching.printed('- web-9');
  watching.child.kill('SIGINT');
  expect((await watching.ended).status).toBe(0);
  expect(await members('--shards', '2')).toMatch(/^SHARD +MEMBER +OWNER +TOKEN\n0\n1\n$/);
});

it.each([
  [['members'], /the name of a group is missing/],
  [['members', 'a', 'b'], /"b" is too much/],
  [['members', 'a', '--shards', 'x'], /--shards: "x" is not a whole number/],
  [['members', 'a', '--shards', '2', '--watch'], /not both/],
])('conclave %j is refused', async (args, message) => {
  await using program = new ConclaveProgram(args);
  const { status, stderr } = await program.ended;
  expect(status).toBe(64);
  expect(stderr).toMatch(message);
});
