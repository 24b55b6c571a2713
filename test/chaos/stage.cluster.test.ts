import { expect, it, vi } from 'vitest';
import { putByGateway } from './rig/gateway.js';
import { Stage } from './stage.js';

it('a run that throws keeps what there is, so that it can be judged again', { timeout: 60_000 }, async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const stage = await Stage.start({
    workload: 'register',
    tier: 'loopback',
    members: 1,
    clients: 0,
    seed: 1,
  });
  const playing = async (): Promise<void> => {
    await using failing = stage;
    await putByGateway(failing.rig.endpoints[0] ?? '', 'k', 'v');
    await failing.recorder.catchUp();
    throw new Error('it throws');
  };
  try {
    await expect(playing()).rejects.toThrow('it throws');
    const { facts, evidence } = stage.archive.read();
    expect(facts.workload).toBe('register');
    expect(evidence.changes.map(({ key }) => key)).toContain('k');
    expect(log).toHaveBeenCalledWith(`kept: ${stage.archive.directory}`);
  } finally {
    stage.archive.remove();
    log.mockRestore();
  }
});
