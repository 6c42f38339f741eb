/**
 * The credential request: fresh nonce, a proof per key, and what the issuer makes of it.
 *
 * Owns the proofs and the one retry with a new nonce. Keys are made before; whether the answer is any good is
 * `verify-received.ts`.
 *
 * Source: OpenID4VCI 1.0, sections 7, 8 and Appendix F; requirements/wallet-issuance.md, W-04, W-07, W-08.
 *
 * @module
 */
import { isJsonObject, type JsonObject, member, parseJson, VerificationError } from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  type CredentialResponse,
  createKeyProof,
  makeCredentialRequest,
  type Proofs,
  parseCredentialResponse,
  parseNonceResponse,
  type WantedCredential,
} from '@attache/openid4vci'
import { abort, abortWith } from './abort.js'
import type { Attester } from './attester.js'
import type { ClientInstance } from './client-instance.js'
import { callIssuer, fetchIssuerNonce, type IssuerAnswer, type IssuerCallDeps } from './issuer-call.js'
import { agreeOnEncryption, type MessageEncryption, openAnswer, sealRequest } from './message-protection.js'
import { outageOf } from './outage.js'
import type { IssuancePlan, WantedConfiguration } from './plan-issuance.js'

/** One credential, to be asked for. */
export interface CredentialOrder {
  readonly plan: IssuancePlan
  readonly wanted: WantedConfiguration
  /** From the token response; then the configuration id is not sent. */
  readonly identifier?: string | undefined
  readonly accessToken: string
  readonly client: ClientInstance
  /** One key per copy; empty for a configuration without binding. */
  readonly keys: readonly Signer[]
}

/** What a request needs. */
export interface RequestCredentialDeps extends IssuerCallDeps {
  readonly attester: Attester
}

/** How a proof of this configuration is made. */
export type ProofPlan = 'none' | 'jwt' | 'jwt-attested' | 'attestation'

/**
 * Chooses the kind of proof. Aborts with `proof_type`, `alg` or `key_attestation`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export function planProof(wanted: WantedConfiguration, attester: Attester): ProofPlan {
  const { proofTypes } = wanted.configuration
  if (proofTypes === undefined) return 'none'
  const { jwt, attestation } = proofTypes
  const rules = jwt ?? attestation
  if (rules === undefined) throw abort('proof_type')
  if (!rules.signingAlgorithms.includes('ES256')) throw abort('alg')

  const kind = jwt === undefined ? 'attestation' : jwt.keyAttestations === undefined ? 'jwt' : 'jwt-attested'
  if (kind !== 'jwt' && attester.attestKeys === undefined) throw abort('key_attestation')
  const demanded = rules.keyAttestations?.keyStorage
  if (
    kind !== 'jwt' &&
    demanded !== undefined &&
    !demanded.some((tier) => attester.keyStorage?.includes(tier))
  ) {
    throw abort('key_attestation')
  }
  return kind
}

/**
 * Asks for a credential. One retry when the issuer calls the nonce stale.
 *
 * @throws {VerificationError} `credential_request_denied`, `response`, `encryption`, and those of {@link planProof}.
 */
export async function requestCredential(
  order: CredentialOrder,
  deps: RequestCredentialDeps,
): Promise<CredentialResponse> {
  for (let attempt = 1; ; attempt += 1) {
    const encryption = agreeOnEncryption(order.plan)
    const answer = await sendRequest(order, encryption, deps)
    if (answer.status === 200 || answer.status === 202) return readResponse(answer, encryption)
    if (errorOf(answer) !== 'invalid_nonce' || attempt === 2) throw refused(answer)
  }
}

async function sendRequest(
  order: CredentialOrder,
  encryption: MessageEncryption,
  deps: RequestCredentialDeps,
): Promise<IssuerAnswer> {
  const { plan, identifier, wanted, accessToken, client } = order
  const named: WantedCredential =
    identifier === undefined
      ? { by: 'configuration', credentialConfigurationId: wanted.id }
      : { by: 'identifier', credentialIdentifier: identifier }
  const proofs = await makeProofs(order, await freshNonce(order, deps), deps)
  const request = makeCredentialRequest({
    wanted: named,
    proofs,
    responseEncryption: encryption.response?.demand,
  })
  const { body, contentType } = await sealRequest(request, encryption)
  return callIssuer({ url: plan.metadata.credentialEndpoint, body, contentType, accessToken, client }, deps)
}

async function freshNonce(order: CredentialOrder, deps: RequestCredentialDeps): Promise<string | undefined> {
  const { nonceEndpoint } = order.plan.metadata
  if (nonceEndpoint === undefined || order.keys.length === 0) return undefined
  return abortWith('response', async () => {
    const answer = await fetchIssuerNonce({ url: nonceEndpoint, client: order.client }, deps)
    const parsed = parseJson(answer.text)
    if (answer.status !== 200 || !parsed.ok) throw abort('response', outageOf(answer.status))
    return parseNonceResponse(parsed.value).cNonce
  })
}

async function makeProofs(
  order: CredentialOrder,
  nonce: string | undefined,
  deps: RequestCredentialDeps,
): Promise<Proofs | undefined> {
  const kind = planProof(order.wanted, deps.attester)
  if (kind === 'none') return undefined
  const now = deps.clock()
  const keyAttestation = kind === 'jwt' ? undefined : await attest(order, { nonce, now }, deps)
  if (kind === 'attestation') return { type: 'attestation', values: [keyAttestation ?? ''] }

  const facts = { audience: order.plan.issuer.credentialIssuer, nonce, keyAttestation }
  const values = await Promise.all(order.keys.map((signer) => createKeyProof(facts, signer, now)))
  return { type: 'jwt', values }
}

async function attest(
  order: CredentialOrder,
  facts: { readonly nonce: string | undefined; readonly now: number },
  deps: RequestCredentialDeps,
): Promise<string> {
  const keys = order.keys.map(({ publicJwk }) => publicJwk)
  const attestation = await deps.attester.attestKeys?.({ keys, nonce: facts.nonce }, facts.now)
  if (attestation === undefined) throw abort('key_attestation')
  return attestation
}

async function readResponse(
  answer: IssuerAnswer,
  encryption: MessageEncryption,
): Promise<CredentialResponse> {
  return abortWith('response', async () =>
    parseCredentialResponse(answer.status, await openAnswer(answer, encryption)),
  )
}

/** The error code of a refusal; refusals are plain by design. */
export function errorOf(answer: IssuerAnswer): string {
  const parsed = parseJson(answer.text)
  const body: JsonObject = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
  const error = member(body, 'error')
  return typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : `status_${answer.status}`
}

/** What a refusal of the issuer means for the issuance. */
export function refused(answer: IssuerAnswer): VerificationError {
  const error = errorOf(answer)
  if (error === 'credential_request_denied') return abort('credential_request_denied')
  const outage = outageOf(answer.status)
  return abort('response', outage ?? new VerificationError(error, 'The issuer answered with this error.'))
}
