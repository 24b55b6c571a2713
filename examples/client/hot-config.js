// Hot configuration: what is stored as JSON at config_key is what the program goes by, as it is changed. What cannot be read
// is told, and the last good value stays.
import { connect, toText } from 'conclave';
import { target } from './target.js';

let appConfig = { config1: '', config2: '' };

/** Goes on until `signal`; `changed` is called whenever there was something new, good or bad. */
async function watchConfig(store, key, { signal, changed }) {
  for await (const notice of store.watch(key, { signal })) {
    if (notice.kind === 'created') changed();
    if (notice.kind !== 'events') continue;
    try {
      appConfig = JSON.parse(toText(notice.events[0].kv.value));
      console.log('watchConfig', appConfig);
    } catch (error) {
      console.log(`watchConfig err: ${error.name}`);
    }
    changed();
  }
}

const conclave = await connect(target);
const { store } = conclave;
const abort = new AbortController();
try {
  let changed = () => {};
  const next = () => new Promise((resolve) => (changed = resolve));
  let change = next();
  const watching = watchConfig(store, 'config_key', { signal: abort.signal, changed: () => changed() });
  await change; // it sees everything from here on
  const values = [
    JSON.stringify({ config1: 'one', config2: 'two' }),
    '{ "config1": ',
    JSON.stringify({ config1: 'three', config2: 'four' }),
  ];
  for (const value of values) {
    change = next();
    await store.put('config_key', value);
    await change;
    console.log('appConfig  ', appConfig);
  }
  abort.abort();
  await watching.catch((error) => console.log(`watchConfig ends: ${error.name}`));
} finally {
  await conclave.close();
}
