/**
 * How many samples of each track stay in a file that is repaired, by the track's id, in the order of the file. Those behind are
 * left out: their bytes may stay, but nothing speaks of them any more. Tracks that are not named stay whole.
 */
export type SampleBound = ReadonlyMap<number, number>

/** Whether a file of a format can be bounded by its repair: the others would have to be written anew. */
export const BOUNDED_FORMATS: ReadonlySet<string> = new Set(['mp4', 'mkv', 'webm'])
