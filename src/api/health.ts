import type { DiskState } from './disk-probe.ts'

/** Where a server is in its life. */
export type ServerPhase = 'starting' | 'running' | 'stopping'

/** What health is told from. */
export interface HealthSources {
  phase(): ServerPhase
  /** By name (`rtmp`, `rtmps`): whether it takes connections. */
  listeners(): Readonly<Record<string, boolean>>
  /** What is kept in the state store cannot be had now. */
  isStateAway(): boolean
  /** Where recordings go: somebody may ask for one at any time. */
  disk(): Promise<DiskState>
  /** Recording stops below this, bytes. */
  readonly minFreeBytes: number
  /** Files of an earlier run that are not mended yet. */
  recoveryPending(): number
  streams(): number
  recordings(): number
}

/**
 * `ok`; `degraded`: it serves, but cannot do all it was asked to; `failing`: it takes no streams.
 * Tells nothing that a stranger should not know: no paths, no names.
 */
export interface HealthReport {
  readonly status: 'ok' | 'degraded' | 'failing'
  readonly phase: ServerPhase
  readonly uptimeSeconds: number
  readonly listeners: Readonly<Record<string, boolean>>
  readonly recording: 'ok' | 'disk-full' | 'not-writable'
  readonly state: 'ok' | 'away'
  readonly freeBytes: number | null
  readonly recoveryPending: number
  readonly streams: number
  readonly recordings: number
}

/** Asks everybody how they are. */
export async function reportHealth(sources: HealthSources): Promise<HealthReport> {
  const disk = await sources.disk()
  const listeners = sources.listeners()
  const phase = sources.phase()
  const recording = recordingState(disk, sources.minFreeBytes)
  const listening = phase === 'running' && Object.values(listeners).every((up) => up)
  const state = sources.isStateAway() ? 'away' : 'ok'
  const isWhole = state === 'ok' && recording === 'ok'
  return {
    status: !listening ? 'failing' : isWhole ? 'ok' : 'degraded',
    phase,
    uptimeSeconds: Math.floor(process.uptime()),
    listeners,
    recording,
    state,
    freeBytes: disk.freeBytes ?? null,
    recoveryPending: sources.recoveryPending(),
    streams: sources.streams(),
    recordings: sources.recordings(),
  }
}

function recordingState(disk: DiskState, minFreeBytes: number): HealthReport['recording'] {
  if (disk.freeBytes !== undefined && disk.freeBytes < minFreeBytes) return 'disk-full'
  return disk.writable ? 'ok' : 'not-writable'
}
