import type { Client, News } from '../rig/client.js';
import type { Crowd } from '../rig/crowd.js';
import type { Handling, Told } from './history.js';

/** What workers and producers have been told, and have said: see `queue` and `produce` of worker-process.js. */
export function toldBy(workers: Pick<Crowd, 'said'>, producer: Pick<Client, 'news'>): Told {
  const producedThere = (event: string): News[] => producer.news.filter((each) => each.event === event);
  const number = (news: News, field: string): bigint => BigInt(String(news[field]));
  const id = (news: News): string => String(news['job']);
  const handling = (news: News): Handling => ({ id: id(news), token: number(news, 'token') });
  return {
    wanted: producedThere('wanted').map(id),
    enqueues: producedThere('enqueued').map((news) => ({
      id: id(news),
      lane: 0,
      began: number(news, 'began'),
      returned: number(news, 'returned'),
    })),
    deliveries: workers.said('delivered').map(handling),
    acks: workers.said('done').map(handling),
    empties: workers.said('empty').map((news) => ({ from: number(news, 'from'), to: number(news, 'to') })),
  };
}
