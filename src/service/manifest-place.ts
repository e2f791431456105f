import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'
import { timestampOf } from '../recorder/naming.ts'
import { safeName } from '../recorder/safe-name.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingFile } from '../state/recording-object.ts'
import { ManifestError } from './errors.ts'

/** Of a recording that was asked for; in a directory of its own. */
export const MANIFEST_NAME = 'recording.json'
/** Of an automatic one, behind the stem of its first file. */
export const AUTOMATIC_ENDING = '.recording.json'
/** Of a manifest whose recording is being deleted: it counts no more, and says what is still to be removed. */
const DELETED_ENDING = '.deleted'

const PART_NUMBER = /_part\d{1,6}(?:_\d{1,4})?$/

/** Where a manifest lies while its recording is being deleted: beside the recording's directory, so that this can go first. */
export function deletionMarker(manifestPath: string): string {
  return (basename(manifestPath) === MANIFEST_NAME ? dirname(manifestPath) : manifestPath) + DELETED_ENDING
}

/** The manifest that a deletion marker was; undefined for other files. */
export function markedManifest(path: string): string | undefined {
  if (!path.endsWith(DELETED_ENDING)) return undefined
  const place = path.slice(0, -DELETED_ENDING.length)
  return place.endsWith(AUTOMATIC_ENDING) ? place : join(place, MANIFEST_NAME)
}

/** The directory of a recording that was asked for, absolute. */
export function recordingDirectory(recordDir: string, roomId: string, createdAtMs: number, id: string): string {
  return join(resolve(recordDir), `${safeName(roomId)}_${timestampOf(createdAtMs)}_${safeName(id.slice(0, 8))}`)
}

/** Whether a directory has a name that `recordingDirectory` makes. */
export function isRecordingDirectory(path: string): boolean {
  return /_\d{8}_\d{6}\.\d{3}_[0-9a-f]{8}$/.test(path)
}

/** The manifest of an automatic recording whose first file is `firstPath`. */
export function automaticManifestPath(firstPath: string): string {
  return `${firstPath.slice(0, firstPath.length - extname(firstPath).length)}${AUTOMATIC_ENDING}`
}

/** The path of the first file of a recording, of that of a further part: as `FilenameTemplate` and `pathWithin` number them. */
export function withoutPartNumber(path: string): string {
  const extension = extname(path)
  return path.slice(0, path.length - extension.length).replace(PART_NUMBER, '') + extension
}

/** Where the manifest of the recording may lie that a file belongs to. */
export function manifestsFor(path: string): string[] {
  const beside = automaticManifestPath(path)
  return [...new Set([beside, automaticManifestPath(withoutPartNumber(path)), join(dirname(path), MANIFEST_NAME)])]
}

/** Whether a path has the name of a manifest. */
export function isManifestPath(path: string): boolean {
  return basename(path) === MANIFEST_NAME || path.endsWith(AUTOMATIC_ENDING)
}

/** Where a file of `entry` lies as its manifest says it: relative to the manifest, `/`-separated. */
export function pathInManifest(manifestPath: string, path: string): string {
  return relative(dirname(manifestPath), path).replaceAll(sep, '/')
}

/**
 * The absolute path of a file of `entry`: within the recording's own directory, or for an automatic one within `recordDir`.
 * @throws ManifestError when there is no manifest, or the file would lie elsewhere
 */
export function locateFile(entry: CatalogueEntry, file: Pick<RecordingFile, 'path'>, recordDir: string): string {
  const { manifest_path: manifest } = entry
  if (manifest === null) throw new ManifestError(entry.recording.recording_id, 'it is gone, and so are its files')
  const root = entry.automatic ? resolve(recordDir) : dirname(manifest)
  const path = resolve(dirname(manifest), file.path)
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new ManifestError(manifest, `file ${JSON.stringify(file.path.slice(0, 200))} leads out of ${root}`)
  }
  return path
}
