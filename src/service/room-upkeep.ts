import type { RoomRecording } from './room-recording.ts'

/** How often users are told how far a recording is, ms. */
const PROGRESS_EVERY_MS = 5000
/** How often the catalogue learns how far a recording is, ms. */
const REFRESH_EVERY_MS = 30_000
const AUTOMATIC_REFRESH_EVERY_MS = 60_000
/** How often upkeep looks, ms: what is due sooner has a timer of its own. */
export const UPKEEP_EVERY_MS = 1000

/** When a recording stops by itself. */
export interface RoomLimits {
  /** Of media, or of time with nobody there, ms. */
  readonly maxDurationMs: number
  readonly maxSizeBytes: number
}

/** Looks after one recording of a room while frames are taken: limits, progress, the copy in the catalogue. */
export class RoomUpkeep {
  readonly #room: RoomRecording
  readonly #limits: RoomLimits | undefined
  #progressAtMs: number
  #refreshAtMs: number
  #limitTimer: NodeJS.Timeout | undefined
  /** Files that were known when the manifest was last written. */
  #filesWritten = 1

  /** `limits` undefined: recorded because everything is; no limits, no progress, and hardly any refreshing. */
  constructor(room: RoomRecording, limits: RoomLimits | undefined, nowMs: number) {
    this.#room = room
    this.#limits = limits
    this.#progressAtMs = nowMs
    this.#refreshAtMs = nowMs
  }

  /** Called every `UPKEEP_EVERY_MS`. */
  tick(nowMs: number): void {
    if (!this.#room.isOpen) return
    if (this.#limits === undefined) this.#refresh(nowMs, AUTOMATIC_REFRESH_EVERY_MS)
    else this.#look(nowMs, this.#limits)
  }

  close(): void {
    clearTimeout(this.#limitTimer)
  }

  #look(nowMs: number, limits: RoomLimits): void {
    const room = this.#room
    const { record } = room
    const { durationMs, sizeBytes, bitrateBps } = room.figures
    if (sizeBytes >= limits.maxSizeBytes) {
      room.stop('max-size')
      return
    }
    this.#checkDuration(nowMs, limits)
    if (!room.isOpen) return
    this.#refresh(nowMs, REFRESH_EVERY_MS)
    if (record.status !== 'recording' || nowMs - this.#progressAtMs < PROGRESS_EVERY_MS) return
    this.#progressAtMs = nowMs
    const data = {
      duration_seconds: durationMs / 1000,
      file_size_bytes: sizeBytes,
      bitrate_bps: bitrateBps,
    }
    record.emit('recording_progress', data)
  }

  #checkDuration(nowMs: number, { maxDurationMs }: RoomLimits): void {
    const room = this.#room
    if (room.record.status === 'pending') {
      if (nowMs - room.zeroAtMs >= maxDurationMs) room.stop('nobody-came')
      return
    }
    if (room.record.status === 'paused') return
    const leftMs = maxDurationMs - room.elapsedMs(nowMs)
    if (leftMs <= 0) room.stop('max-duration')
    else if (leftMs < UPKEEP_EVERY_MS) {
      clearTimeout(this.#limitTimer)
      this.#limitTimer = setTimeout(() => this.tick(performance.now()), leftMs)
    }
  }

  #refresh(nowMs: number, everyMs: number): void {
    const { record } = this.#room
    if (nowMs - this.#refreshAtMs < everyMs || !record.isKept) return
    this.#refreshAtMs = nowMs
    const recording = this.#room.snapshot()
    const files = recording.files?.length ?? 0
    record.change({ recording }, files === this.#filesWritten ? 'copy' : 'lasting')
    this.#filesWritten = files
  }
}
