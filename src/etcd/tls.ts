import { createSecureContext } from 'node:tls';

import type { TlsOptions } from './options.js';

/** @throws TypeError for what is no certificate or key, or for one without the other. */
export function checkedTls(tls: TlsOptions): TlsOptions {
  const { ca, cert, key } = tls;
  if ((cert === undefined) !== (key === undefined))
    throw new TypeError('tls.cert and tls.key need each other');
  // Node takes an authority that is none for an empty list, and then blames the server.
  if (ca !== undefined && !toBuffer(ca).includes('-----BEGIN'))
    throw new TypeError('tls.ca is not a certificate in PEM');
  try {
    createSecureContext({
      ...(ca && { ca: toBuffer(ca) }),
      ...(cert && { cert: toBuffer(cert) }),
      ...(key && { key: toBuffer(key) }),
    });
  } catch (cause) {
    throw new TypeError('tls holds a certificate or key that cannot be read', { cause });
  }
  return tls;
}

export function toBuffer(bytes: string | Uint8Array): Buffer {
  return typeof bytes === 'string'
    ? Buffer.from(bytes)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
