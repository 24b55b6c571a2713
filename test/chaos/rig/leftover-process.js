// A run in a process of its own, for the test that it leaves nothing: has everything at once that a rig can have. Started
// with the path of the compiled rig; says what to look for, and disposes of the rig when it is told so.
const [, , compiled, script] = process.argv;
const { Rig } = await import(`${compiled}/test/chaos/rig/rig.js`);
const { between } = await import(`${compiled}/test/chaos/rig/node.js`);

const rig = await Rig.start({ tier: 'netns', clients: 2, fsync: true });
for (const place of [0, 1])
  await rig.launch(place, script, ['9000'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
await rig.links.degrade(between(['c0'], ['m0']), { delayMs: 20 });
await rig.links.cut(between(['c1'], ['m0']));
await rig.freezeClient(0);
await rig.freezeMember(0);
await rig.limitCpu(1, 50);
await rig.slowDisk(2, 100);
process.send?.({ directory: rig.cluster.directory(0) });
process.once('message', async () => {
  await rig[Symbol.asyncDispose]();
  process.send?.('disposed');
});
