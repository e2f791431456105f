import type { CatalogueEntry } from '../../state/catalogue-entry.ts'
import type { DownloadLinks } from '../download-links.ts'
import type { Handlers } from './call.ts'
import { findFile } from './file-lookup.ts'
import { listFilters, recordingPage } from './recording-list.ts'
import type { RouteAnswer } from './routes.ts'
import type { ApiServices } from './services.ts'

type CatalogueOperation =
  | 'listRecordings'
  | 'getRecording'
  | 'deleteRecording'
  | 'listFiles'
  | 'createFileLink'
  | 'listThumbnails'
  | 'getReport'
  | 'listMarkers'
  | 'addMarker'
  | 'holdRecording'
  | 'releaseRecording'

const PICTURES: readonly string[] = ['thumbnail', 'sprite', 'vtt']

/** What has been recorded: everything below `/recordings`. */
export function catalogueHandlers({ control }: ApiServices, links: DownloadLinks): Handlers<CatalogueOperation> {
  return {
    listRecordings: async ({ caller, query }) => recordingPage(control, listFilters(caller, query), query),
    getRecording: async ({ entry }) => details(entry),
    deleteRecording: async ({ params }) => {
      await control.remove(params.recording_id)
      return undefined
    },
    listFiles: async ({ entry }) => ({ files: entry.recording.files }),
    createFileLink: async ({ entry, caller, params, body, mount }) => {
      findFile(entry, params.file_id)
      const { path, expiresAtMs } = links.sign(params, caller.userId, body.ttl_seconds * 1000)
      return { url: links.urlOf(mount, path), expires_at: new Date(expiresAtMs).toISOString() }
    },
    listThumbnails: async ({ entry }) => ({
      thumbnails: entry.recording.files.filter(({ kind, state }) => PICTURES.includes(kind) && state !== 'removed'),
    }),
    getReport: async ({ entry: { recording } }) => ({
      recording_id: recording.recording_id,
      report: recording.report,
    }),
    listMarkers: async ({ entry }) => ({ markers: entry.markers }),
    addMarker: ({ params, body }) => control.mark(params.recording_id, body.label, body.at_ms),
    holdRecording: async ({ params }) => holding(await control.hold(params.recording_id, true)),
    releaseRecording: async ({ params }) => holding(await control.hold(params.recording_id, false)),
  }
}

function details({
  recording,
  automatic,
  hold,
  created_at,
  markers,
  jobs,
}: CatalogueEntry): RouteAnswer<'getRecording'> {
  return { ...recording, automatic, hold, created_at, markers, jobs }
}

function holding({ recording, hold }: CatalogueEntry): RouteAnswer<'holdRecording'> {
  return { recording_id: recording.recording_id, hold }
}
