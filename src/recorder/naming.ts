import { resolve, sep } from 'node:path'
import { TapedeckError } from '../media/errors.ts'
import { cutToBytes, isReserved, safeName } from './safe-name.ts'

/** Placeholders of a filename template. */
export const PLACEHOLDERS = ['room', 'participant', 'timestamp', 'codec', 'resolution', 'part'] as const
type Placeholder = (typeof PLACEHOLDERS)[number]

/** Room for the stem of a file name, bytes: 255 (ext4, APFS, NTFS) less `_part1234`, `_1000`, an ending and `.json`. */
const MAX_STEM_BYTES = 220
const TOKEN = /\{([^{}]*)\}/g

/** A filename template that cannot be used. The message says what is wrong and what there is. */
export class TemplateError extends TapedeckError {
  readonly code = 'TD_FILENAME_TEMPLATE'
  readonly fault = 'caller'

  constructor(template: string, problem: string) {
    super(
      `filename template ${JSON.stringify(template)}: ${problem}; ` +
        `use ${PLACEHOLDERS.map((name) => `{${name}}`).join(' ')}, and "/" for directories below the recording directory`,
    )
  }
}

/** What the placeholders of one file stand for. Names are raw. */
export interface NameFacts {
  readonly room: string
  readonly participant: string
  /** Wall clock at which the recording began, ms since 1970: the same for all its parts, so that they sort together. */
  readonly startedAtMs: number
  /** Of the video, or of the sound where there is no video. */
  readonly codec: string
  /** `1280x720`; `audio` where there is no video. */
  readonly resolution: string
  /** From 1. */
  readonly part: number
}

/** A checked filename template. Values never add directories; only the template's own `/` do. */
export class FilenameTemplate {
  readonly #segments: readonly string[]
  readonly #numbersParts: boolean

  /** @throws TemplateError */
  constructor(template: string) {
    const fail = (problem: string): never => {
      throw new TemplateError(template, problem)
    }
    for (const [, name] of template.matchAll(TOKEN)) if (!isPlaceholder(name)) fail(`there is no {${name}}`)
    if (/[{}]/.test(template.replaceAll(TOKEN, ''))) fail('a brace stands alone')
    if (/[\p{Cc}\\]/u.test(template)) fail('control characters and "\\" are not allowed')
    const segments = template.split('/')
    if (template.startsWith('/')) fail('it must not begin with "/"; set the directory apart')
    if (segments.some((segment) => segment === '')) fail('a directory or the name is empty')
    if (segments.some((segment) => segment === '.' || segment === '..')) fail('"." and ".." are not allowed')
    this.#segments = segments
    this.#numbersParts = template.includes('{part}')
  }

  /**
   * The path of a file, `/`-separated, relative to the recording directory and without its ending. From the second part on
   * `_part2` is appended where the template does not number parts itself.
   */
  stem(facts: NameFacts): string {
    const values: Readonly<Record<Placeholder, string>> = {
      room: safeName(facts.room),
      participant: safeName(facts.participant),
      timestamp: timestampOf(facts.startedAtMs),
      codec: safeName(facts.codec),
      resolution: safeName(facts.resolution),
      part: String(facts.part),
    }
    const segments = this.#segments.map((segment) => {
      const filled = segment.replaceAll(TOKEN, (_, name) => (isPlaceholder(name) ? values[name] : ''))
      return wholeSegment(filled)
    })
    const suffix = facts.part > 1 && !this.#numbersParts ? `_part${facts.part}` : ''
    return segments.join('/') + suffix
  }
}

/** Local time as `20261121_140052.123`. */
export function timestampOf(atMs: number): string {
  const at = new Date(atMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`
  const time = `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`
  return `${day}_${time}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

/**
 * The absolute path of the `attempt`th try (from 1) at a free name: `_2`, `_3`… are appended to `stem`.
 * @throws TemplateError when it would lie outside `directory`: cannot happen with a checked template, and is checked still
 */
export function pathWithin(directory: string, stem: string, extension: string, attempt = 1): string {
  const root = resolve(directory)
  const path = resolve(root, `${stem}${attempt > 1 ? `_${attempt}` : ''}${extension}`)
  const prefix = root.endsWith(sep) ? root : root + sep
  if (!path.startsWith(prefix)) throw new TemplateError(stem, 'it leads out of the recording directory')
  return path
}

function isPlaceholder(name: string): name is Placeholder {
  return PLACEHOLDERS.some((known) => known === name)
}

/** A segment whose pieces are safe may still be a bad name as a whole. */
function wholeSegment(segment: string): string {
  const cut = cutToBytes(segment, MAX_STEM_BYTES)
    .replace(/^[.\s]+/u, (lead) => '_'.repeat(lead.length))
    .replace(/[. ]+$/u, (tail) => '_'.repeat(tail.length))
  return isReserved(cut) ? `_${cut}` : cut
}
