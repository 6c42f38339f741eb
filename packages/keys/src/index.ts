/**
 * @attache/keys: every key, signature, certificate, JWE and sealed text of Attaché.
 *
 * @module
 */
export type { JwsAlgorithm } from './algorithms.js'
export { isJwsAlgorithm, parseAlgorithms } from './algorithms.js'
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
  generateDecryptionKey,
  isEncryptionKey,
} from './decryption-key.js'
export type { HashAlgorithm } from './digest.js'
export { digest, sha256 } from './digest.js'
export type { JweRecipient } from './jwe.js'
export { decryptJwe, encryptJwe } from './jwe.js'
export type { ContentEncryption } from './jwe-content.js'
export { isContentEncryption } from './jwe-content.js'
export type { PublicJwk } from './jwk.js'
export { bareJwk, hasPrivateMember, parsePublicJwk } from './jwk.js'
export type { SkippedKey } from './jwks.js'
export { parseJwks } from './jwks.js'
export type { ParsedJws } from './jws.js'
export { parseJws, signJws, verifyJws } from './jws.js'
export { requireOwnChain } from './own-chain.js'
export { generatePrivateJwk, privateJwkFromPem, privateJwkToPem } from './private-jwk.js'
export type { Seal, SealKey } from './seal.js'
export { createSeal } from './seal.js'
export { algorithmFitsKey, verifySignature } from './signature.js'
export type { Signer } from './signer.js'
export { createSoftwareSigner } from './signer.js'
export { jwkThumbprint } from './thumbprint.js'
export { checkTimes } from './token-times.js'
export { parseX5c, x5cFromPem } from './x5c.js'
export type { TrustAnchors, VerifiedChain } from './x509.js'
export { createAnchors, verifyCertificateChain } from './x509.js'
