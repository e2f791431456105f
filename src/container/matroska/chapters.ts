import type { Chapter } from '../../media/ports.ts'
import { EbmlWriter } from './ebml.ts'
import * as E from './elements.ts'

const NS_PER_MS = 1_000_000
/** Chapters in one file, and characters of a title: so that they stay below 4 MiB, which readers take. */
const MAX_CHAPTERS = 1000
const MAX_TITLE_LENGTH = 1000
/** Of titles whose language nobody said (RFC 9559 §5.1.7.1.4.11, ISO 639-2). */
const UNDETERMINED = 'und'

/** A Chapters element with one edition, RFC 9559 §5.1.7. */
export function writeChapters(chapters: readonly Chapter[]): Uint8Array {
  const out = new EbmlWriter()
  out.master(E.CHAPTERS, (all) => {
    all.master(E.EDITION_ENTRY, (edition) => {
      edition.uint(E.EDITION_UID, 1)
      for (const [index, chapter] of chapters.slice(0, MAX_CHAPTERS).entries()) writeAtom(edition, chapter, index + 1)
    })
  })
  return out.done()
}

function writeAtom(edition: EbmlWriter, { startMs, title }: Chapter, uid: number): void {
  edition.master(E.CHAPTER_ATOM, (atom) => {
    atom.uint(E.CHAPTER_UID, uid).uint(E.CHAPTER_TIME_START, Math.round(startMs * NS_PER_MS))
    atom.master(E.CHAPTER_DISPLAY, (display) => {
      display.text(E.CHAP_STRING, title.slice(0, MAX_TITLE_LENGTH).toWellFormed()).text(E.CHAP_LANGUAGE, UNDETERMINED)
    })
  })
}
