/**
 * What a server has opened, to be closed in the opposite order.
 *
 * @module
 */

/** What was opened so far. */
export interface Opened {
  push(close: () => Promise<void> | void): void
  close(): Promise<void>
}

/** Starts with nothing. */
export function createOpened(): Opened {
  const closing: (() => Promise<void> | void)[] = []
  return {
    push: (close) => {
      closing.push(close)
    },
    async close() {
      for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
    },
  }
}
