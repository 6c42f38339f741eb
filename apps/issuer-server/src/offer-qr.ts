/**
 * An offer as a QR code.
 *
 * Owns the drawing: a scalable image with a text alternative, without scripts and foreign references.
 *
 * Source: ISO/IEC 18004 (quiet zone); OpenID4VCI 1.0, section 4.1; SVG 2, section 5.7 (title).
 *
 * @module
 */
import { ProtocolError } from '@attache/core'
import { create } from 'qrcode'

const QUIET_ZONE = 4

/**
 * Draws a link.
 *
 * The text alternative does not repeat the link: it holds a secret, and reading it aloud helps nobody.
 *
 * @throws {ProtocolError} `invalid_request`: it is longer than a QR code can be.
 */
export function offerQrCode(link: string): string {
  const { size, data } = modulesOf(link)
  const strokes: string[] = []
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (data[row * size + column]) strokes.push(`M${column + QUIET_ZONE} ${row + QUIET_ZONE}h1v1h-1z`)
    }
  }
  const side = size + 2 * QUIET_ZONE
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" role="img" aria-labelledby="offer-qr-title offer-qr-description" shape-rendering="crispEdges">
<title id="offer-qr-title">Credential offer as a QR code</title>
<desc id="offer-qr-description">Scan it with the wallet that is to receive the credential, or open the link of the offer there.</desc>
<rect width="${side}" height="${side}" fill="#fff"/><path fill="#000" d="${strokes.join('')}"/></svg>
`
}

function modulesOf(link: string): { readonly size: number; readonly data: Uint8Array } {
  try {
    return create(link, { errorCorrectionLevel: 'M' }).modules
  } catch {
    throw new ProtocolError('invalid_request', 'The link is too long for a QR code. Offer by reference.')
  }
}
