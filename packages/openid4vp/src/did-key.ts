/**
 * Keys behind a DID: `did:jwk`, which is its own document, and `did:web`, whose document is fetched.
 *
 * Owns the two methods and the reading of a document as far as one key by name needs it. Which DIDs may ask at
 * all is the wallet's policy, to be asked first: resolving `did:web` calls a host that the DID names. Nothing is
 * remembered, so a key that was taken out of a document counts no more at the next request.
 *
 * Source: OpenID4VP 1.0, section 5.9.3; DID Core 1.0, sections 3.2 and 5.2; did:jwk; did:web.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type OutboundFetch,
  parseJson,
  VerificationError,
} from '@attache/core'
import { type PublicJwk, parsePublicJwk } from '@attache/keys'

const MOST_DID_CHARACTERS = 2048
const MOST_DOCUMENT_BYTES = 65_536
const MOST_METHODS = 100
const DOCUMENT_TYPES = [
  'application/did+json',
  'application/did+ld+json',
  'application/did',
  'application/json',
]
const WEB_HOST = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?(?:%3A\d{1,5})?$/i
const WEB_SEGMENT = /^(?!\.{1,2}$)(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/

/**
 * Makes the port through which a wallet finds a DID's key.
 *
 * @param deps.fetch Fetches `did:web` documents: https alone, bounded, without redirects.
 * @returns Resolves a DID URL (the `kid` of a request) to the key of its `verificationMethod`. `undefined`:
 * another method, a malformed DID, or a document that has no such key for this DID.
 * @throws {VerificationError} A `fetch_…` code: the document could not be fetched; a `jwk_…` code: the key is
 * malformed, private or too weak.
 *
 * Source: OpenID4VP 1.0, section 5.9.3.
 */
export function createDidKeys(deps: {
  readonly fetch: OutboundFetch
}): (didUrl: string) => Promise<PublicJwk | undefined> {
  return async (didUrl) => {
    const [did = '', fragment = '', ...more] = didUrl.split('#')
    if (didUrl.length > MOST_DID_CHARACTERS || fragment === '' || more.length > 0) return undefined
    if (did.startsWith('did:jwk:')) return fragment === '0' ? jwkOfDid(did) : undefined
    if (!did.startsWith('did:web:')) return undefined
    const document = await fetchDocument(did, deps.fetch)
    return document === undefined ? undefined : methodKey(document, { did, fragment })
  }
}

function jwkOfDid(did: string): PublicJwk | undefined {
  const bytes = decodeBase64url(did.slice('did:jwk:'.length))
  const jwk = bytes === undefined ? undefined : readJson(decodeUtf8(bytes))
  return jwk === undefined ? undefined : signingKey(jwk)
}

/** A key that says it is for encryption signs nothing. */
function signingKey(jwk: JsonValue | undefined): PublicJwk | undefined {
  if (!isJsonObject(jwk) || member(jwk, 'use') === 'enc') return undefined
  return parsePublicJwk(jwk)
}

async function fetchDocument(did: string, fetch: OutboundFetch): Promise<JsonObject | undefined> {
  const url = documentUrl(did)
  if (url === undefined) return undefined
  const response = await fetch(url, {
    headers: { accept: DOCUMENT_TYPES.join(', ') },
    maxBytes: MOST_DOCUMENT_BYTES,
    contentTypes: DOCUMENT_TYPES,
  })
  if (response.status !== 200) {
    throw new VerificationError(
      'fetch_failed',
      'The DID document is not there. Publish it or use another key.',
    )
  }
  const document = readJson(await response.text())
  // The document must be about this DID, wherever it was found.
  return isJsonObject(document) && member(document, 'id') === did ? document : undefined
}

/** `did:web:host%3A8443:path` is `https://host:8443/path/did.json`; without a path, the well-known one. */
function documentUrl(did: string): string | undefined {
  const [host = '', ...path] = did.slice('did:web:'.length).split(':')
  if (!WEB_HOST.test(host) || !path.every((segment) => WEB_SEGMENT.test(segment))) return undefined
  const where = path.length === 0 ? '.well-known' : path.join('/')
  return `https://${host.replace(/%3A/i, ':')}/${where}/did.json`
}

function methodKey(
  document: JsonObject,
  wanted: { readonly did: string; readonly fragment: string },
): PublicJwk | undefined {
  const methods = member(document, 'verificationMethod')
  if (!isJsonArray(methods) || methods.length > MOST_METHODS) return undefined
  // An id may be written relative to the document (DID Core 1.0, section 3.2.2).
  const names = [`${wanted.did}#${wanted.fragment}`, `#${wanted.fragment}`]
  const named = methods.filter(isJsonObject).filter((method) => {
    const id = member(method, 'id')
    return typeof id === 'string' && names.includes(id)
  })
  const [method] = named
  if (method === undefined || named.length > 1 || member(method, 'controller') !== wanted.did)
    return undefined
  return signingKey(member(method, 'publicKeyJwk'))
}

function readJson(text: string | undefined): JsonValue | undefined {
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok === true ? parsed.value : undefined
}
