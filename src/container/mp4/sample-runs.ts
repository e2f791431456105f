import type { SampleLog } from './sample-log.ts'

/** So many things in a row with one value. Reused: valid until the next one is asked for. */
export interface Run {
  count: number
  value: number
}

/** Samples in a row of one duration, ticks: for `stts`. A sample lasts until the next. */
export function* durationRuns(log: SampleLog): Generator<Run> {
  const samples = log.samples()
  const run: Run = { count: 0, value: 0 }
  samples.next()
  for (let more = log.sampleCount > 0; more; ) {
    more = samples.next()
    const duration = more ? samples.delta : log.lastDuration
    if (run.count > 0 && duration !== run.value) {
      yield run
      run.count = 0
    }
    run.value = duration
    run.count++
  }
  if (run.count > 0) yield run
}

/** Samples in a row of one composition offset, ticks, none negative: for `ctts`. */
export function* offsetRuns(log: SampleLog): Generator<Run> {
  const samples = log.samples()
  const run: Run = { count: 0, value: 0 }
  while (samples.next()) {
    const offset = samples.offset + log.maxReorder
    if (run.count > 0 && offset !== run.value) {
      yield run
      run.count = 0
    }
    run.value = offset
    run.count++
  }
  if (run.count > 0) yield run
}

/** The first of several chunks that have one number of samples and one sample entry: for `stsc`. Reused, as `Run`. */
export interface ChunkRun {
  /** From 1. */
  firstChunk: number
  samplesPerChunk: number
  description: number
}

/** The chunks of a log, alike ones in a row taken together. */
export function* chunkRuns(log: SampleLog): Generator<ChunkRun> {
  const chunks = log.chunks()
  const run: ChunkRun = { firstChunk: 0, samplesPerChunk: 0, description: 0 }
  for (let index = 1; chunks.next(); index++) {
    if (chunks.count === run.samplesPerChunk && chunks.description === run.description) continue
    run.firstChunk = index
    run.samplesPerChunk = chunks.count
    run.description = chunks.description
    yield run
  }
}
