/**
 * The parts of the configuration that open another way in: agents on other hosts, visitors, offers that are pushed.
 *
 * Each of them is off until it is written down, and none has a setting for plain http.
 *
 * @module
 */
import { z } from 'zod'

/** Where to listen; always with TLS. */
export interface ListenConfiguration {
  readonly host: string
  /** 0 leaves it to the system. */
  readonly port: number
  readonly tls: { readonly certificate: string; readonly key: string }
}

/** Agents on other hosts. */
export interface RemoteConfiguration {
  readonly listen: ListenConfiguration
  /** The name that agents call; a request that names another host is refused. */
  readonly hostname: string
  /** PEM file: who signs the certificates of agents. */
  readonly clientAuthority: string
  /** `certificate` is pinned, and `tokenFile` holds what the agent shows besides. */
  readonly clients: readonly {
    readonly agent: string
    readonly certificate: string
    readonly tokenFile: string
  }[]
}

/** Offers and requests that strict peers bring by https links. */
export interface VisitorsConfiguration {
  readonly listen: ListenConfiguration
  /** Public origin of the pages, never taken from a Host header. */
  readonly origin: string
  /** Whom visitors meet. */
  readonly agent: string
  /** A store of its own: what comes in here never lies beside the agents' credentials. */
  readonly dataFolder: string
  /** `wait`: the operator says yes to each visit first. */
  readonly consent: 'automatic' | 'wait'
  /** The token of the status API. */
  readonly statusTokenFile: string
  /** Transaction code for every offer that asks for one. */
  readonly transactionCodeFile?: string | undefined
  /** Command that is called with the address a verifier sends on to; absent, the browser goes there. */
  readonly openWith?: readonly string[] | undefined
}

/** Offers that come in by themselves. */
export interface InboxConfiguration {
  /** Offers lie here as `<agent>/<name>.offer`, each a link. */
  readonly folder: string
  /** Seconds between two looks. */
  readonly everySeconds: number
  /** How many offers may wait for their transaction code. */
  readonly most: number
  /** Where trusted issuers push offers by reference. */
  readonly push?:
    | { readonly listen: ListenConfiguration; readonly origin: string; readonly perMinute: number }
    | undefined
}

/** An offer that is received at the start, once. */
export interface OfferConfiguration {
  readonly agent: string
  /** File with the link. */
  readonly offer: string
  readonly transactionCodeFile?: string | undefined
}

/** What of the configuration this file owns. */
export interface ListenersConfiguration {
  readonly remote?: RemoteConfiguration | undefined
  readonly visitors?: VisitorsConfiguration | undefined
  readonly inbox?: InboxConfiguration | undefined
  readonly offers: readonly OfferConfiguration[]
}

const file = () => z.string().min(1)
const listen = (port: number) =>
  z.strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(port),
    tls: z.strictObject({ certificate: file(), key: file() }),
  })
const origin = () =>
  z
    .string()
    .refine((text) => URL.canParse(text) && new URL(text).origin === text && text.startsWith('https:'), {
      message: 'write it as https://host or https://host:port',
    })

/** The members of the schema of version 1 that this file owns. */
export function listenerMembers() {
  return {
    remote: z
      .strictObject({
        listen: listen(8555),
        hostname: z.string().regex(/^[a-z0-9.-]+$/, 'write a host name in lower case, without a port'),
        clientAuthority: file(),
        clients: z
          .array(z.strictObject({ agent: z.string().min(1), certificate: file(), tokenFile: file() }))
          .min(1),
      })
      .optional(),
    visitors: z
      .strictObject({
        listen: listen(8556),
        origin: origin(),
        agent: z.string().min(1),
        dataFolder: file(),
        consent: z.enum(['automatic', 'wait']),
        statusTokenFile: file(),
        transactionCodeFile: file().optional(),
        openWith: z.array(z.string().min(1)).min(1).optional(),
      })
      .optional(),
    inbox: z
      .strictObject({
        folder: file(),
        everySeconds: z.int().min(1).max(3600).default(5),
        most: z.int().min(1).max(1000).default(100),
        push: z
          .strictObject({
            listen: listen(8557),
            origin: origin(),
            perMinute: z.int().min(1).max(600).default(10),
          })
          .optional(),
      })
      .optional(),
    offers: z
      .array(
        z.strictObject({ agent: z.string().min(1), offer: file(), transactionCodeFile: file().optional() }),
      )
      .default([]),
  }
}
