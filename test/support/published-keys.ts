/**
 * Private keys that standards publish as examples, ready for tests. Everybody knows them: never trust one.
 *
 * All are P-256. Roles are only names, so that a flow's parties hold different keys.
 *
 * Source: RFC 9901 A.5 and its example settings; draft-ietf-oauth-attestation-based-client-auth examples;
 * RFC 9421 B.1.3; draft-ietf-oauth-status-list section 5; RFC 7515 A.3.
 *
 * @module
 */

const p256 = (x: string, y: string, d: string) => ({ kty: 'EC', crv: 'P-256', x, y, d }) as const

/** RFC 9901, issuer of the examples. */
export const ISSUER_KEY = p256(
  'b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ',
  'Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8',
  'Ur2bNKuBPOrAaxsRnbSH6hIhmNTxSGXshDSUD1a1y7g',
)

/** RFC 9901, holder of the examples. */
export const HOLDER_KEY = p256(
  'TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc',
  'ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ',
  '5K5SCos8zf9zRemGGUl6yfok-_NiiryNZsvANWMhF-I',
)

/** RFC 9901, second issuer: somebody who is not trusted. */
export const OTHER_ISSUER_KEY = p256(
  'bN-hp3IN0GZB3OlaQnHDPhY4nZsZbQyo4wY-y1NWCvA',
  'vaSsH5jt9zt3aQvTvrSaFYLyjPG9Ug-2vntoNXlCbVU',
  'WsGosxrp0XK7VEviPL9xBm3fBb7Xys2vLhPGhESNoXY',
)

/** Client attester of the attestation examples. */
export const ATTESTER_KEY = p256(
  'EVs_o5-uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf84',
  'kGe5DgSIycKp8w9aJmoHhB1sB3QTugfnRWm5nU_TzsY',
  'evZzL1gdAFr88hb2OF_2NxApJCzGCEDdfSp6VQO30hw',
)

/** Client instance of the attestation examples. */
export const INSTANCE_KEY = p256(
  'VcKVNBZ4IaBAYW3jxM4w3TJFVA7myeUGQyGt-g_yvpQ',
  'f-E-hYE3TAWKwhVv9pej9NABs9SX9XsNO80x57jFTyU',
  'dMiNeF6fPL4nr2gMqKwPp7ua8iep0IUr7JnJvGRNST4',
)

/** RFC 9421, test-key-ecc-p256: the verifier's request signer. */
export const VERIFIER_KEY = p256(
  'qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA',
  'Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0',
  'UpuF81l-kOxbjf7T4mNSv0r5tN67Gim7rnf6EFpcYDs',
)

/** Token Status List, section 5: the status list signer. */
export const STATUS_KEY = p256(
  'I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo',
  '6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M',
  'xzUEdsyLosZF0acZGRAjTKImb0lQvAvssDK5XIZELd0',
)

/** RFC 7515 A.3: DPoP. */
export const DPOP_KEY = p256(
  'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
)
