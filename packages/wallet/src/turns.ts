/**
 * Turns: work under one name is done one after the other.
 *
 * Owns the order within this process; between processes the store decides who was first.
 *
 * @module
 */

/** Does work when everything that was asked before under the same name has ended, however it ended. */
export type InTurn = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** Creates turns; a name is forgotten when nobody waits under it. */
export function createTurns(): InTurn {
  const last = new Map<string, Promise<unknown>>()
  return (name, work) => {
    const done = (last.get(name) ?? Promise.resolve()).then(work)
    const ended = done
      .catch(() => undefined)
      .then(() => {
        if (last.get(name) === ended) last.delete(name)
      })
    last.set(name, ended)
    return done
  }
}
