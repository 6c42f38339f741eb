/**
 * The fetch an agent calls, and the socket protocol it speaks with its wallet.
 *
 * @module
 */
export {}
