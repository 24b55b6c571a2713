/** Certificates and keys are PEM. */
export interface TlsOptions {
  /** The authority that signed the servers' certificates. @default the authorities Node trusts */
  readonly ca?: string | Uint8Array;
  /** The client's certificate, with its intermediate ones; needs `key`. @default none */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** The name to expect in the server's certificate. @default the host of the endpoint */
  readonly serverName?: string;
}
