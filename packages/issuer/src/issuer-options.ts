/**
 * What an issuer is built from.
 *
 * Owns the options and their defaults. What they must satisfy together is `issuer-rules.ts`.
 *
 * Source: OpenID4VCI 1.0; HAIP 1.0; requirements/issuer.md, section 12 (defaults).
 *
 * @module
 */
import type { Clock, Log, Random, Store } from '@attache/core'
import type {
  ContentEncryption,
  DecryptionKey,
  JwsAlgorithm,
  Seal,
  Signer,
  TrustAnchors,
} from '@attache/keys'
import type { TrustedAttester } from '@attache/oauth'
import type { Display, TransactionCodeInput } from '@attache/openid4vci'
import type { StatusLists } from '@attache/status-list'
import type { ClaimsSource } from './claims-source.js'
import type { CredentialTemplate } from './credential-template.js'
import type { KeyPublication } from './issuer-keys.js'
import type { SignedInPerson, SignIn } from './sign-in.js'

/** The grants an issuer can offer. */
export type OfferedGrant = 'pre-authorized_code' | 'authorization_code'

/**
 * How clients are known.
 *
 * `none` gives anyone with a code the credential behind it and is for trials in base mode.
 */
export type ClientAuthentication =
  | {
      readonly method: 'attestation'
      /** Whose attestations count. Nobody is trusted by default. */
      readonly attesters: readonly TrustedAttester[]
      /** Whether PoPs must answer a challenge of ours. */
      readonly challenges: boolean
      /** Greatest age of an attestation by its `iat`, in seconds. @default `exp` alone decides */
      readonly maxAttestationAgeSeconds?: number | undefined
    }
  | { readonly method: 'none'; readonly anonymousAccess: boolean }

/** Lifetimes in seconds. */
export interface IssuerLifetimes {
  /** Offer, pre-authorized code and Transaction Code. */
  readonly offer: number
  readonly accessToken: number
  readonly cNonce: number
  /** Greatest age of a key proof. */
  readonly keyProof: number
  /** How long a deferred credential can be fetched. */
  readonly transaction: number
  /** What a wallet is told to wait before it asks again. */
  readonly interval: number
  readonly requestUri: number
  readonly code: number
}

/** Defaults of `IssuerLifetimes`: requirements/issuer.md D-01. */
export const DEFAULT_LIFETIMES: IssuerLifetimes = {
  offer: 600,
  accessToken: 600,
  cNonce: 300,
  keyProof: 300,
  transaction: 7 * 86_400,
  interval: 30,
  requestUri: 60,
  code: 60,
}

/** What an issuer is. */
export interface IssuerOptions {
  /** Credential Issuer Identifier, also the identifier of its authorization server. */
  readonly credentialIssuer: string
  /** Names this issuer's part of the store. @default `default` */
  readonly tenant?: string | undefined
  /** `haip` refuses settings that the high-assurance profile does not allow. */
  readonly mode: 'base' | 'haip'
  readonly templates: readonly CredentialTemplate[]
  readonly grants: readonly OfferedGrant[]
  readonly clientAuthentication: ClientAuthentication
  /**
   * Demanded with pre-authorized codes; null: none, which needs another protection. `fixed` is for trials in
   * base mode: always this code.
   */
  readonly transactionCode: (TransactionCodeInput & { readonly fixed?: string | undefined }) | null
  /** Wrong Transaction Codes until the offer is dead. @default 5 */
  readonly transactionCodeAttempts?: number | undefined
  /** Accepted `alg` values of DPoP proofs, key proofs and attestations. @default ES256 */
  readonly algorithms?: readonly JwsAlgorithm[] | undefined
  /** Whether DPoP proofs must carry a nonce of ours. @default false */
  readonly dpopNonces?: boolean | undefined
  /** Most keys in one request, at least 2. @default one */
  readonly batchSize?: number | undefined
  readonly display?: readonly Display[] | undefined
  readonly lifetimes?: Partial<IssuerLifetimes> | undefined
  /** Anchors of the wallet providers whose key attestations count. @default none are read */
  readonly keyAttesters?: TrustAnchors | undefined
  /** Whether answers carry a `notification_id`. @default false */
  readonly notifications?: boolean | undefined
  /** @default neither requests nor responses are encrypted */
  readonly encryption?: MessageEncryptionOptions | undefined
  /** Whether metadata are also offered signed, by the credential signer. @default false */
  readonly signedMetadata?: boolean | undefined
  /** The keys to be served as JWT VC Issuer Metadata besides the active one. @default that is not served */
  readonly keyPublication?: KeyPublication | undefined
  /** Refresh tokens, and how long they live in seconds. @default none */
  readonly refreshTokenSeconds?: number | undefined
  /**
   * Base mode: every refresh brings a new refresh token, and the one before works for so many seconds more, at
   * least 30, because an answer can be lost. @default no rotation
   */
  readonly refreshRotationGraceSeconds?: number | undefined
  /** Whether every token response names datasets, also without details. @default only when asked for */
  readonly credentialIdentifiers?: boolean | undefined
  /** Redirect URIs, character by character. @default every https one of an authenticated client */
  readonly redirectUris?: readonly string[] | undefined
  /** Anchors of certificates that name the key of a proof in `x5c`. @default `x5c` is refused in proofs */
  readonly proofCertificates?: TrustAnchors | undefined
  /** Base mode, for trials: every request is approved in this person's name, without a page. */
  readonly automaticApproval?: SignedInPerson | undefined
}

/** How messages are encrypted. */
export interface MessageEncryptionOptions {
  /** Published for requests: the first one is what a wallet should take. */
  readonly keys: readonly DecryptionKey[]
  readonly encValues: readonly ContentEncryption[]
  readonly requestRequired: boolean
  /** `off`: responses are not encrypted. */
  readonly response: 'off' | 'offered' | 'required'
}

/** What an issuer works with. */
export interface IssuerDeps {
  readonly store: Store
  /** Signs credentials; its chain goes into `x5c`. */
  readonly signer: Signer
  /** Knows what to write into credentials. */
  readonly claims: ClaimsSource
  readonly statusLists: StatusLists
  /** Needed for the authorization code grant. */
  readonly signIn?: SignIn | undefined
  /** Seals nonces and challenges. */
  readonly seal: Seal
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}
