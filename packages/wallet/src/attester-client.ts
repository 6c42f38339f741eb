/**
 * The attester that is somewhere else: a wallet asks it with its workload token.
 *
 * Owns one question: a challenge, the token as it is on disk at this moment, a proof with the instance key, and the
 * checks on what comes back. The wallet holds no secret for it: the platform hands out the token and renews it, the
 * key was made here. When to ask, and how often, is `attester-memory.ts`.
 *
 * It knows no key store and gives no key attestations; an issuer that demands them needs the built-in provider.
 *
 * Source: attestation-based client authentication -11, sections 4 and 6.3; requirements/sender-constraint.md, WL-05.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonValue,
  member,
  type NumericDate,
  type OutboundFetch,
  parseHttpsUrl,
  parseJson,
  REQUEST_ID,
  VerificationError,
} from '@attache/core'
import {
  checkTimes,
  jwkThumbprint,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  parseX5c,
  type TrustAnchors,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import { parseChallengeResponse } from '@attache/oauth'
import type { AttestationRequestFacts, Attester } from './attester.js'
import { ATTESTATION_FAILURES, invalidAttester } from './attester-errors.js'
import { attesterUrls, createAttestationRequest, parseAttestationAnswer } from './attester-messages.js'

/** Where the attester is, and what its word must look like. */
export interface RemoteAttesterOptions {
  /** Identifier of the attester, as it knows itself: an https URL without query and fragment. */
  readonly attester: string
  /**
   * Anchors of its certificate chain. Given, an attestation of another chain is refused here, where the message can
   * say so, instead of by an issuer that says `invalid_client`. @default its word is taken, since its TLS was
   */
  readonly anchors?: TrustAnchors
}

/** What asking needs. */
export interface RemoteAttesterDeps {
  readonly fetch: OutboundFetch
  /** Reads the workload token; called for every question, because platforms replace it on disk. */
  readonly readToken: () => Promise<string>
}

/** How long an answer may take, in milliseconds: the attester may have to ask for keys of the platform first. */
const TIMEOUT_MS = 10_000

/** The only algorithm of our attestations: the one high assurance profiles take. */
const ALGORITHMS = ['ES256'] as const

/**
 * Makes the attester a wallet asks over https. What it throws is for the operator: `attester_unavailable`,
 * `attester_refused`, `attester_answer`, each with the next step, and what `readToken` throws.
 *
 * @throws {TypeError} `attester_options_invalid`: the identifier is no https URL.
 */
export function createRemoteAttester(options: RemoteAttesterOptions, deps: RemoteAttesterDeps): Attester {
  if (parseHttpsUrl(options.attester) === undefined || /[?#]/.test(options.attester))
    throw invalidAttester('the URL of the attester is no https URL without query and fragment')
  const urls = attesterUrls(options.attester)
  return {
    async attest(facts, now) {
      const workloadToken = await deps.readToken()
      const challenge = challengeOf(await ask(urls.challenge, undefined, deps))
      const { clientId, agent, instance } = facts
      const statement = { attester: options.attester, challenge, workloadToken, clientId, agent }
      const body = JSON.stringify(await createAttestationRequest(statement, instance))
      const jwt = parseAttestationAnswer(await ask(urls.attestation, body, deps))
      if (jwt === undefined) throw unfit('It holds no attestation.')
      return { jwt, expiresAt: requireFitting(jwt, { facts, anchors: options.anchors }, now) }
    },
  }
}

async function ask(url: string, body: string | undefined, { fetch }: RemoteAttesterDeps): Promise<JsonValue> {
  const headers = { accept: 'application/json' }
  const response = await reach(() =>
    fetch(url, {
      method: 'POST',
      timeoutMs: TIMEOUT_MS,
      ...(body === undefined
        ? { headers }
        : { headers: { ...headers, 'content-type': 'application/json' }, body }),
    }),
  )
  if (response.status === 403) throw refused(response)
  if (response.status !== 200) throw unavailable(`It answered with status ${response.status}.`)
  const parsed = parseJson(await response.text())
  if (!parsed.ok) throw unavailable('It did not answer with JSON.')
  return parsed.value
}

async function reach(call: () => Promise<Response>): Promise<Response> {
  try {
    return await call()
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw unavailable(`It cannot be reached (${cause.code}).`, cause)
  }
}

function challengeOf(body: JsonValue): string {
  try {
    return parseChallengeResponse(body)
  } catch (cause) {
    throw unavailable('It gave no challenge.', cause)
  }
}

/** Until when an attestation counts that is one for this client and this key. */
function requireFitting(
  jwt: string,
  expected: { readonly facts: AttestationRequestFacts; readonly anchors: TrustAnchors | undefined },
  now: NumericDate,
): NumericDate {
  const { facts, anchors } = expected
  try {
    const jws = parseJws(jwt)
    if (member(jws.payload, 'sub') !== facts.clientId) throw unfit('It is for another client.')
    if (jwkThumbprint(keyOf(jws)) !== facts.instance.kid) throw unfit('It is for another key.')
    checkTimes(jws.payload, now)
    if (anchors !== undefined) requireChain(jws, anchors, now)
    const expiresAt = member(jws.payload, 'exp')
    if (typeof expiresAt !== 'number') throw unfit('It has no end.')
    return expiresAt
  } catch (cause) {
    if (cause instanceof VerificationError && cause.code !== 'attester_answer')
      throw unfit(`A check failed (${cause.code}).`, cause)
    throw cause
  }
}

function keyOf({ payload }: ParsedJws): PublicJwk {
  const cnf = member(payload, 'cnf')
  return parsePublicJwk(isJsonObject(cnf) ? member(cnf, 'jwk') : undefined)
}

function requireChain(jws: ParsedJws, anchors: TrustAnchors, now: NumericDate): void {
  const x5c = parseX5c(member(jws.header, 'x5c'))
  if (x5c === undefined) throw unfit('It carries no certificate chain.')
  const { leafKey } = verifyCertificateChain(x5c, { anchors, now })
  verifyJws(jws, { typ: 'oauth-client-attestation+jwt', algorithms: ALGORITHMS, key: leafKey })
}

function unavailable(what: string, cause?: unknown): VerificationError {
  const step = 'Check attestation.attester.url, trustedCertificates and allowPrivate, and that it runs.'
  return failure('attester_unavailable', `${what} ${step}`, cause)
}

function refused(response: Response): VerificationError {
  // Only an id of the known form is repeated: the rest of the answer is not ours to print.
  const id = /^req_[\w-]{1,64}$/.exec(response.headers.get(REQUEST_ID) ?? '')?.[0]
  const where = id === undefined ? 'its log' : `its log under ${id}`
  const step = `The check that failed stands in ${where}. Compare its rules with this workload and its clientId.`
  return failure('attester_refused', step)
}

function unfit(what: string, cause?: unknown): VerificationError {
  return failure(
    'attester_answer',
    `${what} Check which attester answers at attestation.attester.url.`,
    cause,
  )
}

function failure(code: keyof typeof ATTESTATION_FAILURES, more: string, cause?: unknown): VerificationError {
  const message = `${ATTESTATION_FAILURES[code]} ${more}`
  return new VerificationError(code, message, cause === undefined ? {} : { cause })
}
