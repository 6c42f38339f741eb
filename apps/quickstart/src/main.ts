/**
 * The main job from HR data to a guarded API, as processes on one machine.
 *
 * @module
 */
export {}
