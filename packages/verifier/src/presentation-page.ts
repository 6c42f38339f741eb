/**
 * Pages on which people present: what the options say of them.
 *
 * A page asks one query. By default the wallet is on the same device and its answer comes back to the same browser;
 * a QR code for another device is allowed by name, because then nothing shows that one person holds both.
 *
 * Source: OpenID4VP 1.0, sections 6.2, 14.3 and 15.4.2; HAIP 1.0, section 5.1.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'

/** A page on which a person presents. */
export interface PresentationPage {
  /** Heading of the page. */
  readonly title: string
  /** Why it is asked: shown before anything is. */
  readonly purpose: string
  /** DCQL, as on the wire; or else `scope`. */
  readonly query?: JsonObject
  /** A presentation scope of the options, sent instead of its query. */
  readonly scope?: string
  /** What the person agrees to by presenting, as in `TransactionOptions`. @default nothing */
  readonly transactionData?: readonly JsonObject[]
  /** Where wallets on the same device listen. @default `openid4vp://` */
  readonly wallets?: readonly WalletLink[]
  /** How the answer of a wallet on the same device comes. @default `direct_post.jwt` */
  readonly responseMode?: 'direct_post' | 'direct_post.jwt' | 'fragment'
  /**
   * Whether a wallet on another device may answer, by a QR code that lives two minutes. Somebody who shows the code
   * to another person then sees what that person presents (OpenID4VP 1.0, section 14.3). @default false
   */
  readonly crossDevice?: boolean
  /**
   * Where a person who was verified goes on: a URL of this origin. It gets `transaction` in its query, with which
   * `redeemPage` reads the result there, once. @default the result is shown and nothing more
   */
  readonly continueTo?: string
}

/** A wallet that a link opens. */
export interface WalletLink {
  readonly name: string
  /** An https URL, or a scheme of its own. */
  readonly url: string
}

/** A QR code: `data` holds `size` rows of `size` modules, dark where true. Fits `create(text).modules` of qrcode. */
export interface QrModules {
  readonly size: number
  readonly data: ArrayLike<number | boolean>
}

/** Draws a text as a QR code. @throws {Error} it is too long for one. */
export type DrawQr = (text: string) => QrModules
