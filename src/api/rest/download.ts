import { lstat, realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import send from '@fastify/send'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { RecordingControl } from '../../service/control.ts'
import { FileUnknownError } from '../../service/errors.ts'
import type { CatalogueEntry } from '../../state/catalogue-entry.ts'
import type { RecordingFile } from '../../state/recording-object.ts'
import type { Caller } from '../caller.ts'
import { contentDisposition } from '../content-disposition.ts'
import type { DownloadLinks } from '../download-links.ts'
import { PreconditionError, RangeOutsideError } from '../errors.ts'
import { demand, demandRole } from '../permission.ts'
import { findFile } from './file-lookup.ts'
import { readInput } from './input.ts'
import { ROUTES } from './routes.ts'

/** What downloads stand on. */
export interface DownloadServices {
  readonly control: RecordingControl
  readonly links: DownloadLinks
  /** @throws BadTokenError, ForbiddenError */
  admit(request: FastifyRequest): Caller
}

type Params = z.output<typeof ROUTES.downloadFile.params>
type Query = z.output<typeof ROUTES.downloadFile.query>

const TYPES: Readonly<Record<string, string>> = {
  mp4: 'video/mp4',
  webm: 'video/webm',
  mkv: 'video/matroska', // RFC 9559 §7
  flv: 'video/x-flv',
  ogg: 'audio/ogg; codecs=opus', // RFC 7845 §9
  jpeg: 'image/jpeg',
  vtt: 'text/vtt; charset=utf-8',
}

/** `GET` and `HEAD` of one file: to whoever may read the recording, or has a signed link. */
export function downloadRoute(scope: FastifyInstance, services: DownloadServices): void {
  scope.route({
    method: ['GET', 'HEAD'],
    url: '/recordings/:recording_id/files/:file_id',
    exposeHeadRoute: false,
    handler: (request, reply) => download(services, request, reply),
  })
}

async function download(
  { control, links, admit }: DownloadServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { params, query } = readDownload(request)
  const isLinked = query.signature !== undefined
  const caller = isLinked ? undefined : admit(request)
  if (isLinked) links.check(params, query)
  if (caller !== undefined) demandRole(caller, 'recording.read')
  const entry = await control.get(params.recording_id)
  const { room_id: roomId, user_id: userId } = entry.recording
  if (caller !== undefined) demand(caller, 'recording.read', { roomId, userId })
  const file = findFile(entry, params.file_id)
  const path = await plainFile(entry, file, await control.filePath(params.recording_id, params.file_id))
  return sendFile(request, reply, path, file, query.inline === 'true')
}

function readDownload(request: FastifyRequest): { readonly params: Params; readonly query: Query } {
  const { params, query } = ROUTES.downloadFile
  readInput({ params, query }, request)
  return { params: params.parse(request.params), query: query.parse(request.query) }
}

/**
 * The path without any link in it: neither the file itself nor a directory below the recording's leads elsewhere.
 * @throws FileUnknownError
 */
async function plainFile(entry: CatalogueEntry, file: RecordingFile, path: string): Promise<string> {
  const unknown = () => new FileUnknownError(entry.recording.recording_id, file.file_id)
  try {
    const [root, directory] = await Promise.all([
      realpath(dirname(entry.manifest_path ?? path)),
      realpath(dirname(path)),
    ])
    const within = relative(root, directory)
    const plain = join(directory, basename(path))
    if (within !== '..' && !within.startsWith(`..${sep}`) && (await lstat(plain)).isFile()) return plain
  } catch {
    throw unknown() // it is no more
  }
  throw unknown()
}

async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  file: RecordingFile,
  isInline: boolean,
): Promise<unknown> {
  const options = {
    root: dirname(path),
    dotfiles: 'allow',
    index: false,
    cacheControl: false,
    contentType: false,
  } as const
  const { type, statusCode, headers, stream } = await send(request.raw, encodeURIComponent(basename(path)), options)
  if (type !== 'file') {
    stream.destroy()
    if (headers['Content-Range'] !== undefined) reply.header('content-range', headers['Content-Range'])
    if (statusCode === 416) throw new RangeOutsideError()
    if (statusCode === 412) throw new PreconditionError()
    throw new FileUnknownError(file.file_id, file.file_id)
  }
  const isGrowing = file.state === 'open' || file.state === 'finishing'
  reply.code(statusCode).headers({
    ...headers,
    'cache-control': isGrowing ? 'no-store' : 'private, no-cache',
    'content-security-policy': "default-src 'none'; sandbox",
  })
  if (statusCode !== 304) {
    reply.type(contentType(file)).header('content-disposition', contentDisposition(file.file_name, isInline))
  }
  if (request.method !== 'HEAD' && headers['Content-Length'] !== undefined && Number(headers['Content-Length']) > 0) {
    return reply.send(stream)
  }
  stream.destroy()
  return reply.send()
}

function contentType({ format, tracks }: RecordingFile): string {
  const type = TYPES[format] ?? 'application/octet-stream'
  const isSound = tracks.length > 0 && tracks.every(({ kind }) => kind === 'audio')
  return isSound && (format === 'mp4' || format === 'webm' || format === 'mkv')
    ? type.replace('video/', 'audio/')
    : type
}
