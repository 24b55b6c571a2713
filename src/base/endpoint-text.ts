/** An address for messages: a password that somebody has put into it, as in `https://user:password@host`, is left out. */
export function endpointText(endpoint: string): string {
  return JSON.stringify(endpoint.replace(/^(.*?:\/\/)?.*@/s, '$1...@'));
}
