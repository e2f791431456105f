import type { Handlers } from './call.ts'
import type { ApiServices } from './services.ts'

/** `/server`: what it is and can still take. */
export function serverHandlers({ control, state, version, node }: ApiServices): Handlers<'getServer'> {
  return {
    getServer: async () => {
      const capacity = await control.capacity()
      return {
        version,
        node,
        uptime_seconds: Math.floor(process.uptime()),
        state: { kind: state.kind, is_reachable: state.health.isReachable },
        capacity: {
          active_recordings: capacity.activeRecordings,
          max_recordings: capacity.maxRecordings,
          streams: capacity.streams,
        },
        disk: {
          free_bytes: capacity.diskFreeBytes ?? null,
          used_bytes: capacity.diskUsedBytes,
          write_rate_bps: Math.round(capacity.writeRateBps),
          full_in_seconds: capacity.diskFullInSeconds,
          is_low: capacity.isDiskLow,
        },
      }
    },
  }
}
