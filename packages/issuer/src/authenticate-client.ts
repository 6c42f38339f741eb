/**
 * Who is asking, at the token and pushed authorization request endpoints.
 *
 * Owns putting client attestation and DPoP proof together: both are verified here, and both are spent by the
 * commit of the endpoint that asked, not before.
 *
 * Source: OpenID4VCI 1.0, sections 6.1 and 13.3; HAIP 1.0, section 4.4.1; RFC 9449, section 5.
 *
 * @module
 */
import { type NumericDate, ProtocolError } from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import {
  CLIENT_ATTESTATION_HEADER,
  CLIENT_ATTESTATION_POP_HEADER,
  type DpopProof,
  type FormParameters,
  refuseSecondAuthentication,
  rememberPop,
  rememberProof,
  replayedPop,
  replayedProof,
  type ServerNonces,
  verifyClientAttestation,
  verifyDpopProof,
} from '@attache/oauth'
import type { Guard } from './commit-once.js'
import type { ClientAuthentication } from './issuer-options.js'
import type { RecordKeys } from './stored-record.js'

/** A client that passed every check; its guards are still to be committed. */
export interface AuthenticatedClient {
  /** Undefined: anonymous. */
  readonly clientId: string | undefined
  /** Thumbprint of the attested instance key. */
  readonly instanceJkt: string | undefined
  /** Thumbprint of the DPoP key; undefined when no proof came. */
  readonly jkt: string | undefined
  readonly guards: readonly Guard[]
}

/** What client authentication needs. */
export interface AuthenticateClientDeps {
  readonly credentialIssuer: string
  readonly clientAuthentication: ClientAuthentication
  readonly algorithms: readonly JwsAlgorithm[]
  readonly challenges: ServerNonces | undefined
  readonly dpopNonces: ServerNonces | undefined
  readonly keys: RecordKeys
}

/**
 * Authenticates the client of one request.
 *
 * @param facts.form Names the client by `client_id`; may not authenticate it a second way.
 * @param facts.proof Whether a DPoP proof must come with the request.
 * @throws {ProtocolError} `invalid_client`, `use_attestation_challenge`, `use_fresh_attestation`,
 *   `invalid_dpop_proof`, `use_dpop_nonce`.
 */
export function authenticateClient(
  facts: {
    readonly headers: Headers
    readonly url: string
    readonly form: FormParameters
    readonly proof: 'required' | 'optional'
    readonly now: NumericDate
  },
  deps: AuthenticateClientDeps,
): AuthenticatedClient {
  const client = identifyClient(facts, deps)
  const proof = proofOf(facts, deps)
  const guards = proof
    ? [...client.guards, { step: rememberProof(proof, deps.keys.place), refusal: replayedProof }]
    : client.guards
  return { ...client, jkt: proof?.jkt, guards }
}

function identifyClient(
  facts: { readonly headers: Headers; readonly form: FormParameters; readonly now: NumericDate },
  deps: AuthenticateClientDeps,
): Omit<AuthenticatedClient, 'jkt'> {
  const clientId = facts.form.get('client_id')
  const rules = deps.clientAuthentication
  if (rules.method === 'none') {
    if (clientId === undefined && !rules.anonymousAccess) {
      throw new ProtocolError('invalid_client', 'Send a client_id.')
    }
    return { clientId, instanceJkt: undefined, guards: [] }
  }
  refuseSecondAuthentication({ form: facts.form, authorization: facts.headers.get('Authorization') })
  const { attesters, maxAttestationAgeSeconds } = rules
  const client = verifyClientAttestation(
    {
      attestation: facts.headers.get(CLIENT_ATTESTATION_HEADER),
      pop: facts.headers.get(CLIENT_ATTESTATION_POP_HEADER),
      clientId,
    },
    {
      audience: deps.credentialIssuer,
      attesters,
      algorithms: deps.algorithms,
      challenges: deps.challenges,
      dpopCombined: false,
      maxAttestationAgeSeconds,
    },
    facts.now,
  )
  const guards = client.pop ? [{ step: rememberPop(client.pop, deps.keys.place), refusal: replayedPop }] : []
  return { clientId: client.clientId, instanceJkt: client.instanceJkt, guards }
}

function proofOf(
  facts: {
    readonly headers: Headers
    readonly url: string
    readonly proof: 'required' | 'optional'
    readonly now: NumericDate
  },
  deps: AuthenticateClientDeps,
): DpopProof | undefined {
  const header = facts.headers.get('DPoP')
  if (header === null && facts.proof === 'optional') return undefined
  const expected = { method: 'POST', url: facts.url, algorithms: deps.algorithms, nonces: deps.dpopNonces }
  return verifyDpopProof(header, expected, facts.now)
}
