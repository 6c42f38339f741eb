/**
 * What a configuration says about one issuer.
 *
 * Owns the members that each issuer of a process has for itself. Reading them, and the process around them,
 * is `configuration.ts`.
 *
 * @module
 */
/** A signing key with its certificate chain. */
export interface KeyConfiguration {
  /** PEM or JWK file. */
  readonly key: string
  /** PEM file: leaf and intermediates, without the root. */
  readonly certificates?: string | undefined
}

/** A key that signs no more. Days begin at midnight UTC. */
export interface RetiredKeyConfiguration {
  /** File with the public JWK: the private one ought to be gone. */
  readonly publicKey: string
  /** First day on which it no longer signed, `2026-11-22`. */
  readonly signedUntil: string
  /** First day on which it is no longer published. */
  readonly publishedUntil: string
}

/** The key that signs, and those before and after it. */
export interface SigningConfiguration extends KeyConfiguration {
  /** Published already, so that verifiers know them when their turn comes. */
  readonly next: readonly KeyConfiguration[]
  readonly retired: readonly RetiredKeyConfiguration[]
}

/** A company's own OpenID Provider, at which people sign in. */
export interface UpstreamConfiguration {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecretFile: string
  /** Claim that holds the employee id of the person. */
  readonly ownerClaim: string
  readonly nameClaim: string
  readonly scope: string
  /** PEM file with a CA besides those the platform trusts. */
  readonly certificateAuthority?: string | undefined
  /** Hosts whose private addresses may be called. */
  readonly allowPrivate: readonly string[]
}

/** One issuer. */
export interface IssuerConfiguration {
  readonly credentialIssuer: string
  readonly tenant: string
  readonly mode: 'base' | 'haip'
  readonly signing: SigningConfiguration
  /** @default `signing` */
  readonly statusSigning?: SigningConfiguration | undefined
  /** Whether the keys are published as JWT VC Issuer Metadata. */
  readonly keyMetadata: boolean
  readonly walletAttesters: readonly {
    readonly name: string
    readonly anchors: string
    readonly issuer?: string | undefined
    readonly clients: 'any' | readonly string[]
  }[]
  readonly clientAuthentication: 'attestation' | 'none'
  /** For `none`: whether clients need not even name themselves. */
  readonly anonymousAccess: boolean
  readonly attestationChallenges: boolean
  readonly maxAttestationAgeSeconds?: number | undefined
  readonly dpopNonces: boolean
  readonly algorithms?: readonly string[] | undefined
  readonly templates: readonly string[]
  readonly grants: readonly ('pre-authorized_code' | 'authorization_code')[]
  readonly transactionCode: {
    readonly inputMode: 'numeric' | 'text'
    readonly length: number
    readonly description?: string | undefined
    readonly fixed?: string | undefined
  } | null
  readonly transactionCodeAttempts?: number | undefined
  readonly batchSize?: number | undefined
  readonly statusList: {
    readonly ttlSeconds: number
    readonly lifetimeSeconds: number
    readonly size?: number | undefined
    readonly cacheSeconds?: number | undefined
  }
  /** PEM file with the anchors of key attestations. */
  readonly keyAttesters?: string | undefined
  readonly notifications: boolean
  readonly credentialIdentifiers: boolean
  readonly refreshRotationGraceSeconds?: number | undefined
  readonly redirectUris?: readonly string[] | undefined
  /** PEM file with the anchors of keys that a proof names by certificate. */
  readonly proofCertificates?: string | undefined
  readonly signedMetadata: boolean
  readonly refreshTokenSeconds?: number | undefined
  /** Keys are files with private JWKs on P-256. */
  readonly encryption?:
    | {
        readonly keys: readonly string[]
        readonly encValues: readonly ('A128GCM' | 'A256GCM')[]
        readonly requestRequired: boolean
        readonly response: 'off' | 'offered' | 'required'
      }
    | undefined
  /** Who may approve in the authorization code flow. With `owner`: for the agents of that employee only. */
  readonly operators: readonly {
    readonly name: string
    readonly passwordFile: string
    readonly owner?: string | undefined
  }[]
  /** Instead of `operators`. */
  readonly upstream?: UpstreamConfiguration | undefined
  /** For trials: approves every request in this name, for these agents. */
  readonly automaticApproval?: { readonly name: string; readonly agents: readonly string[] } | undefined
  readonly lifetimes: Readonly<
    Partial<
      Record<
        'offer' | 'accessToken' | 'cNonce' | 'keyProof' | 'transaction' | 'interval' | 'requestUri' | 'code',
        number | undefined
      >
    >
  >
  readonly display?: readonly { readonly name: string; readonly locale?: string | undefined }[] | undefined
}
