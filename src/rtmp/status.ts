import type { AmfValue } from '../container/flv/amf0.ts'
import { TapedeckError } from '../media/errors.ts'

/** The information object of an answer or an onStatus (§7.2.1.1, §7.2.2). */
export function information(level: 'status' | 'error', code: string, description: string): { [key: string]: AmfValue } {
  return { level, code, description }
}

/** What a peer is told about a failure: of ours nothing but that it was ours. */
export function explain(error: unknown): string {
  return error instanceof TapedeckError ? error.message : 'internal error of the server'
}

/** The status code that tells publishers why they are refused; OBS, ffmpeg and librtmp know each of them. */
export function publishRefusal(error: unknown): string {
  if (!(error instanceof TapedeckError)) return 'NetStream.Publish.Denied'
  if (error.code === 'TD_UNAUTHORIZED') return 'NetStream.Publish.Rejected'
  return error.fault === 'peer' ? 'NetStream.Publish.BadName' : 'NetStream.Publish.Denied'
}

/** The same for players. */
export function playRefusal(error: unknown): string {
  return error instanceof TapedeckError && error.code === 'TD_STREAM_NOT_FOUND'
    ? 'NetStream.Play.StreamNotFound'
    : 'NetStream.Play.Failed'
}
