/**
 * @attache/keys: every key, signature, certificate, JWE and sealed text of Attaché.
 *
 * @module
 */
export type { JwsAlgorithm } from './algorithms.js'
export { isJwsAlgorithm, parseAlgorithms } from './algorithms.js'
export type { CertificateNames } from './certificate-names.js'
export { certificateNames } from './certificate-names.js'
export type {
  CertificateAuthority,
  CertificateAuthorityOptions,
  CertificateOptions,
  IssuedCertificate,
} from './certificates.js'
export { createCertificateAuthority, issueCertificate } from './certificates.js'
export type { DecryptionKey } from './decryption-key.js'
export {
  chooseEncryptionKey,
  createDecryptionKey,
  deriveDecryptionKey,
  generateDecryptionKey,
  isEncryptionKey,
  publishedDecryptionKey,
} from './decryption-key.js'
export type { HashAlgorithm } from './digest.js'
export { digest, sha256 } from './digest.js'
export type { Envelope, MasterKey } from './envelope.js'
export { createEnvelope } from './envelope.js'
export { KEY_CONFIGURATION_ERRORS, KEY_ERRORS } from './error-codes.js'
export { issuerMetadataUrl } from './issuer-metadata.js'
export type { JweRecipient } from './jwe.js'
export { decryptJwe, encryptJwe } from './jwe.js'
export type { ContentEncryption } from './jwe-content.js'
export { isContentEncryption } from './jwe-content.js'
export type { PublicJwk } from './jwk.js'
export { bareJwk, hasPrivateMember, parsePublicJwk } from './jwk.js'
export type { SkippedKey } from './jwks.js'
export { parseJwks } from './jwks.js'
export type { JwksCache } from './jwks-cache.js'
export { createJwksCache } from './jwks-cache.js'
export type { ParsedJws } from './jws.js'
export { parseJws, signJws, verifyJws } from './jws.js'
export type { KeyPool } from './key-pool.js'
export { createKeyPool } from './key-pool.js'
export type { KeyProvider, SoftwareKeyProviderDeps } from './key-provider.js'
export { createSoftwareKeyProvider } from './key-provider.js'
export type {
  IssuerKeys,
  IssuerKeysOptions,
  IssuerTrust,
  ResolvedIssuerKey,
  X5cTrust,
} from './key-resolution.js'
export { createIssuerKeys } from './key-resolution.js'
export type { KeySetCacheOptions } from './key-set-cache.js'
export { requireOwnChain } from './own-chain.js'
export { createPassphraseParameters, deriveMasterKey } from './passphrase.js'
export { generatePrivateJwk, privateJwkFromPem, privateJwkToPem } from './private-jwk.js'
export type { Seal, SealKey } from './seal.js'
export { createSeal } from './seal.js'
export { algorithmFitsKey, verifySignature } from './signature.js'
export type { Signer } from './signer.js'
export { createSoftwareSigner } from './signer.js'
export { jwkThumbprint } from './thumbprint.js'
export { checkTimes } from './token-times.js'
export type { VerifiedChain } from './valid-paths.js'
export { parseX5c, x5cFromPem } from './x5c.js'
export type { TrustAnchors } from './x509.js'
export { createAnchors, verifyCertificateChain } from './x509.js'
