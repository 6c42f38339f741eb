/**
 * The OAuth half of the wire: tokens, DPoP, PAR, attestation, challenge, message signatures.
 *
 * @module
 */
export {}
