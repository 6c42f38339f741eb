/**
 * The media types of SD-JWTs, for whoever puts one into an HTTP message.
 *
 * Source: RFC 9901, sections 11.2 and 11.3; SD-JWT VC (draft 19), section 2.1.
 *
 * @module
 */

/** Media type by what is carried. */
export const SD_JWT_MEDIA_TYPES = {
  sdJwt: 'application/sd-jwt',
  sdJwtJson: 'application/sd-jwt+json',
  keyBindingJwt: 'application/kb+jwt',
  sdJwtVc: 'application/dc+sd-jwt',
} as const
