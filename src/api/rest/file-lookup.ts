import { FileUnknownError } from '../../service/errors.ts'
import type { CatalogueEntry } from '../../state/catalogue-entry.ts'
import type { RecordingFile } from '../../state/recording-object.ts'

/** A file of a recording that is still there. @throws FileUnknownError */
export function findFile({ recording }: CatalogueEntry, fileId: string): RecordingFile {
  const file = recording.files.find(({ file_id, state }) => file_id === fileId && state !== 'removed')
  if (file === undefined) throw new FileUnknownError(recording.recording_id, fileId)
  return file
}
