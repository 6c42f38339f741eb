/**
 * The wallet as a daemon beside the agent.
 *
 * @module
 */
export {}
