/**
 * The wallet of unattended agents: receive, hold, renew, decide, present.
 *
 * @module
 */
export {}
